# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the proxies that environment variables set. Private to this collection."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_SOCKS_SCHEMES = ("socks4", "socks4a", "socks5", "socks5h")
_SCHEMES = ("http", "https", *_SOCKS_SCHEMES)


@dataclass(frozen=True)
class Proxy:
    """The proxy for a URL.

    :param variable: the environment variable that sets the proxy.
    :param url: the URL of the proxy, which may contain a password.
    """

    variable: str
    url: str = field(repr=False)

    @property
    def has_login(self) -> bool:
        """Return whether the URL contains a username."""
        return "@" in self.url

    def find_mistake(self) -> ParticleError | None:
        """Return the error to report if the proxy cannot be used, or ``None``."""
        try:
            parts = urllib.parse.urlsplit(self.url if "://" in self.url else f"http://{self.url}")
            is_valid = parts.scheme.lower() in _SCHEMES and bool(parts.hostname) and parts.port != 0
            is_valid = is_valid and not any(c.isspace() or not c.isprintable() for c in self.url)
        except ValueError:  # the port is not a number, or a bracket is missing
            is_valid = False
        if not is_valid:
            message = f"The variable {self.variable} does not contain a valid URL of a proxy."
            hint = f"Correct {self.variable}, for example to http://proxy.example.com:3128, or unset it."
            return ParticleError("invalid_option", message, hint=hint)
        if parts.scheme.lower() in _SOCKS_SCHEMES and importlib.util.find_spec("socks") is None:
            message = f"The variable {self.variable} names a SOCKS proxy, and the Python library PySocks is missing."
            hint = f"Install PySocks for the Python that runs Ansible, or set {self.variable} to an HTTP proxy."
            return ParticleError("invalid_option", message, hint=hint)
        return None


def find_proxy(url: str, environment: Mapping[str, str] | None) -> Proxy | None:
    """Return the proxy for ``url``, according to the ``…_proxy`` variables, or ``None`` if no proxy is used.

    A lower-case variable overrides the upper-case variable of the same name, even if the lower-case variable is empty.
    Other programs read the variables in the same way.

    :param environment: the variables; ``None`` for the variables of this process.
    """
    # `requests` and `urllib` would read the environment of this process, but a play can set other variables.
    found: dict[str, Proxy] = {}
    environment = os.environ if environment is None else environment
    for name in sorted(environment):  # upper case sorts first
        if name.lower().endswith("_proxy"):
            found[name.lower().removesuffix("_proxy")] = Proxy(name, environment[name].strip())
    exceptions = found.pop("no").url.lower().split(",") if "no" in found else []
    parts = urllib.parse.urlsplit(url)
    if any(_is_excepted(name.strip(), parts.hostname or "", parts.netloc.lower()) for name in exceptions):
        return None
    named = (found.get(parts.scheme), found.get("all"))
    return next((proxy for proxy in named if proxy is not None and proxy.url), None)


def _is_excepted(name: str, host: str, host_and_port: str) -> bool:
    """Return whether an item of ``no_proxy`` matches a host.

    :param name: the item of ``no_proxy``: ``*``, a host, a domain or a network such as 10.0.0.0/8.
    """
    if "/" in name:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    if name.startswith("[") and name.endswith("]"):  # an IPv6 address, as it is written in a URL
        name = name[1:-1]
    name = name.lstrip(".")
    if name in ("", "*"):
        return name == "*"
    return any(form == name or form.endswith(f".{name}") for form in (host, host_and_port))
