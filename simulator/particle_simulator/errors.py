# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The exception `Refusal`, and functions that build a `Refusal` with a documented error body.

The names E1, E3, ... are from the table of error bodies (errors-and-limits.md, section 1). If an error response is
not documented, the simulator uses the error body of similar routes, with a made-up error message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Service"'}

OAUTH_STATUS = {
    "invalid_client": 400,
    "invalid_scope": 400,
    "invalid_grant": 400,
    "invalid_request": 400,
    "invalid_token": 401,
    "mfa_required": 403,
    "sso_user": 403,
    "rate_limit_exceeded": 429,
    "server_error": 503,
}


class Refusal(Exception):
    """An exception that a handler raises to refuse a request.

    The exception contains the status, JSON body and headers of the response.
    """

    def __init__(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {content}")
        self.status = status
        self.content = content
        self.headers = headers or {}


def oauth_error(code: str, description: str, **more: str) -> Refusal:
    """Build a `Refusal` with the error body E1 or E2, for the token endpoint and for the check of the access token."""
    headers = NO_STORE | BASIC_CHALLENGE if code == "invalid_client" else NO_STORE
    return Refusal(OAUTH_STATUS[code], {"error": code, "error_description": description, **more}, headers)


def api_users_not_allowed() -> Refusal:
    """Build the `Refusal` for an API user on a route that API users must not call (endpoints.yml: scope_errors)."""
    description = "API users are not allowed to call this endpoint"
    return Refusal(400, {"error": "unauthorized", "error_description": description}, NO_STORE)


def permission_denied() -> Refusal:
    """Build the `Refusal` for a device that does not exist or that the account cannot access (error body E3)."""
    info = (
        "I didn't recognize that device name or ID, "
        "try opening https://api.particle.io/v1/devices?access_token=undefined"
    )
    return Refusal(403, {"error": "Permission Denied", "info": info})


def plain_error(status: int, text: str) -> Refusal:
    """Build a `Refusal` with one error message (error body E4), for example for a product that does not exist."""
    return Refusal(status, {"ok": False, "error": text})


def listed_errors(status: int, *errors: Any) -> Refusal:
    """Build a `Refusal` with a list of errors (error body E6 or E7), for example for a device that cannot be claimed.

    The entries of E7 are pairs [message, code].
    """
    return Refusal(status, {"ok": False, "errors": list(errors)})


def bad_request(description: str) -> Refusal:
    """Build the `Refusal` for invalid input.

    The body has the same shape as a response recorded from the routes for environment variables.
    """
    return Refusal(400, {"error": "invalid_request", "error_description": description})
