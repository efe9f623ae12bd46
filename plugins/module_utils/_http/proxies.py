# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the proxies that environment variables set. Private to this collection."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping


def find_proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies for ``url``, according to the ``…_proxy`` variables in ``environment``.

    A lower-case variable overrides the upper-case variable of the same name, even if the lower-case variable is empty.
    Other programs read the variables in the same way.

    :returns: ``{scheme: proxy URL}``; empty if no proxy is set, or if ``no_proxy`` lists the host of ``url``.
    """
    # `requests` and `urllib` would read the environment of this process, but a play can set other variables.
    named: dict[str, str] = {}
    for name in sorted(environment):  # upper case sorts first
        if name.lower().endswith("_proxy"):
            named[name.lower().removesuffix("_proxy")] = environment[name].strip()
    exceptions = named.pop("no", "").lower().split(",")
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if any(_is_excepted(name.strip(), host, parts.netloc.lower()) for name in exceptions):
        return {}
    return {scheme: proxy for scheme, proxy in named.items() if proxy}


def _is_excepted(name: str, host: str, host_and_port: str) -> bool:
    """Return whether an item of ``no_proxy`` matches a host.

    :param name: the item of ``no_proxy``: ``*``, a host, a domain or a network such as 10.0.0.0/8.
    """
    if "/" in name:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.lstrip(".")
    if name in ("", "*"):
        return name == "*"
    return any(form == name or form.endswith(f".{name}") for form in (host, host_and_port))
