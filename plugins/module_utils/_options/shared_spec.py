# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the options that all modules, lookups and inventories share. Private to this collection."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    DEFAULT_CLIENT,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import DEFAULT_WORKERS

DEFAULT_API_URL = "https://api.particle.io"


ACCOUNT = ("username", "password", "otp", "otp_secret", "client_id", "client_secret")
"""The names of the options for a login with username and password."""


CREDENTIALS = ("access_token", "token_file", *ACCOUNT, "profile")
"""The names of all options that give credentials."""


SECRETS = ("access_token", "password", "otp", "otp_secret", "client_secret", "budget_store")
"""The names of the options whose values must be masked in all output."""

BULK_SPEC: Mapping[str, Mapping[str, Any]] = {
    "workers": {"type": "int", "default": DEFAULT_WORKERS},
    "budget_share": {"type": "float"},
    "budget_requests": {"type": "int"},
    "progress": {"type": "bool", "default": True},
}
"""The argument spec of the options of modules that send requests for many devices."""


VERIFY_SPEC: Mapping[str, Mapping[str, Any]] = {
    "verify": {"type": "str", "choices": ["none", "read", "online"], "default": "read"},
    "verify_timeout": {"type": "int", "default": 300},
    "verify_strict": {"type": "bool", "default": False},
}
"""The argument spec of the options of modules that verify what they have written."""


def build_shared_spec() -> dict[str, dict[str, Any]]:
    """Return the argument spec of the shared options, which are documented in ``meshfleet.particle.connection``."""
    # The options have no defaults and no fallbacks, because read_settings reads the environment itself. Also, a default
    # for client_secret would make Ansible mask the word "particle" in all output.
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


def find_secrets(options: Mapping[str, Any], names: Iterable[str] = SECRETS) -> list[str]:
    """Return the secret values of the options ``names``. All returned values must be masked in output.

    The secret of the default OAuth client is left out, because this secret is public: the word "particle".
    """
    found = [(name, str(options[name])) for name in names if options.get(name)]
    secrets = [value for name, value in found if (name, value) != ("client_secret", DEFAULT_CLIENT.secret)]
    return secrets + [part for name, value in found if name == "budget_store" for part in find_url_secrets(value)]


def find_url_secrets(url: str) -> list[str]:
    """Return the password in a Redis URL, as written and percent-decoded, as a list without duplicates."""
    try:
        password = urllib.parse.urlsplit(url).password or ""
    except ValueError:  # read_budget reports an invalid URL
        return []
    return [part for part in dict.fromkeys((password, urllib.parse.unquote(password))) if part]
