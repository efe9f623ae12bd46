# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the settings of a connection: URL, certificates, proxies and timeouts. Private to this collection."""

from __future__ import annotations

import functools
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PRIVATE_FILE_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import find_file_mistake

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Connection:
    """The settings of a connection to a cloud.

    :param api_url: the URL of the cloud, without a slash at its end.
    :param timeout: for how many seconds to wait for a response.
    :param validate_certs: whether to check the certificate of the cloud.
    :param ca_path: the file with the trusted certificate authorities; ``None`` for the default of `requests`.
    :param max_wait: for how many seconds one request may wait in total while the cloud refuses too many requests.
    :param environment: the environment variables that set the proxies; ``None`` for the variables of this process.
    :param url_setting: the name of the setting that contains ``api_url``, for messages.
    """

    api_url: str
    timeout: float = 30
    validate_certs: bool = True
    ca_path: str | None = None
    max_wait: float = 300
    environment: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    url_setting: str = field(default="api_url", compare=False)

    @functools.cached_property
    def cloud(self) -> str:
        """The URL of the cloud in a form that is equal for all spellings of the same URL.

        Locks, sessions, budgets and stored tokens are found by this URL. Requests are sent to ``api_url``.
        """
        parts = urllib.parse.urlsplit(self.api_url)
        host = (parts.hostname or "").rstrip(".")
        host = "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
        port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"

    def find_mistake(self) -> ParticleError | None:
        """Return the error to report if ``ca_path`` must not be read, or ``None``."""
        if self.ca_path is None or not self.validate_certs or os.path.isdir(self.ca_path):
            return None
        mistake = find_file_mistake(Path(self.ca_path), MAX_PRIVATE_FILE_BYTES)
        return None if mistake is None else ParticleError("tls_untrusted", f"ca_path {self.ca_path} {mistake}.")


def is_same_cloud(api_url: str, other: str) -> bool:
    """Return whether two URLs are spellings of the URL of one cloud. An invalid URL is the URL of no cloud."""
    try:
        return Connection(api_url).cloud == Connection(other).cloud
    except ValueError:
        return False
