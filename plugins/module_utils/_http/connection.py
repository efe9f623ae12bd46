# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the settings of a connection: URL, certificates, proxies and timeouts. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """The settings of a connection to a cloud.

    :param api_url: the URL of the cloud, without a slash at its end.
    :param timeout: how long to wait for a response, in seconds.
    :param max_wait: how long one request may wait when the cloud asks for it, in seconds.
    :param environment: the variables that set the proxies; ``None`` for the environment of this process.
    """

    api_url: str
    timeout: float = 30
    validate_certs: bool = True
    ca_path: str | None = None
    max_wait: float = 300
    environment: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
