# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that every module, lookup and inventory shares. Private to this collection."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    CUSTOMARY_CLIENT,
)

DEFAULT_API_URL = "https://api.particle.io"


ACCOUNT = ("username", "password", "otp", "otp_secret", "client_id", "client_secret")


CREDENTIALS = ("access_token", "token_file", *ACCOUNT, "profile")


SECRETS = ("access_token", "password", "otp", "otp_secret", "client_secret", "budget_store")


def shared_argument_spec() -> dict[str, dict[str, Any]]:
    """The options that every module has; documented by the fragment ``meshfleet.particle.connection``.

    No defaults and no ``fallback``: the environment is read by :func:`settings_from`, source by source. A default
    for ``client_secret`` would besides make Ansible mask the word "particle" in every output.
    """
    return {
        "api_url": {"type": "str"},
        "access_token": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "otp": {"type": "str", "no_log": True},
        "otp_secret": {"type": "str", "no_log": True},
        "client_id": {"type": "str"},
        "client_secret": {"type": "str", "no_log": True},
        "token_file": {"type": "path", "no_log": False},
        "profile": {"type": "str"},
        "timeout": {"type": "float"},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
        "max_wait": {"type": "float"},
        "budget_store": {"type": "str", "no_log": True},
    }


def secrets_in(options: Mapping[str, Any], names: Iterable[str] = SECRETS) -> list[str]:
    """What must not be shown of the options ``names``. The secret of the customary client is none: it is a word."""
    found = [(name, str(options[name])) for name in names if options.get(name)]
    secrets = [value for name, value in found if (name, value) != ("client_secret", CUSTOMARY_CLIENT.secret)]
    return secrets + [part for name, value in found if name == "budget_store" for part in secrets_of_store(value)]


def secrets_of_store(url: str) -> list[str]:
    """The password in the URL of a Redis, as it is written there and as it is meant."""
    try:
        password = urllib.parse.urlsplit(url).password or ""
    except ValueError:  # no address at all, and refused as such
        return []
    return [part for part in dict.fromkeys((password, urllib.parse.unquote(password))) if part]
