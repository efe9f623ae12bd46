# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a cloud: address, certificates, proxies and limits of time. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """How to reach a cloud. ``timeout`` and ``max_wait`` in seconds; ``api_url`` without a slash at its end.

    :param environment: names the proxies, as that of a process does; ``None``: that of this process.
    """

    api_url: str
    timeout: float = 30
    validate_certs: bool = True
    ca_path: str | None = None
    max_wait: float = 300
    environment: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
