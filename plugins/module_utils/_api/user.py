# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the account that a token belongs to (endpoints.yml: user_account). Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def get_user(http: Http) -> dict[str, Any]:
    """Return username and settings of the account (endpoints.yml: user_get).

    The cloud refuses this request if the access token belongs to an API user.
    """
    data = http.send(Request("GET /v1/user", "read the account")).data
    return data if isinstance(data, dict) else {}
