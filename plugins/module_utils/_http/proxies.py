# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies that an environment names. Private to this collection."""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping


def proxies_for(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The proxies on the way to ``url``, by scheme, as ``environment`` names them in its ``…_proxy`` variables.

    The names in small letters win, and when empty take back those in capitals, as everywhere. `requests` and
    `urllib` would read the environment of the process, which is not that of the play.
    """
    named: dict[str, str] = {}
    for name in sorted(environment):  # capitals first
        if name.lower().endswith("_proxy"):
            named[name.lower().removesuffix("_proxy")] = environment[name].strip()
    exceptions = named.pop("no", "").lower().split(",")
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if any(_excepts(name.strip(), host, parts.netloc.lower()) for name in exceptions):
        return {}
    return {scheme: proxy for scheme, proxy in named.items() if proxy}


def _excepts(name: str, host: str, host_and_port: str) -> bool:
    """Whether ``name``, one of ``no_proxy``, means this host: ``*``, a host, a domain, or a network as 10.0.0.0/8."""
    if "/" in name:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.lstrip(".")
    if name in ("", "*"):
        return name == "*"
    return any(form == name or form.endswith(f".{name}") for form in (host, host_and_port))
