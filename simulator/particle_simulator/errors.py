# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The documented error bodies, as exceptions that any handler can raise.

The names E1, E3, ... are those of the table of error bodies (errors-and-limits.md, section 1). Where docs/facts
fixes no text for a refusal, the shape of the neighbouring routes is used with a text of our own.
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
    """The cloud says no: a status, a JSON body, headers."""

    def __init__(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {content}")
        self.status = status
        self.content = content
        self.headers = headers or {}


def oauth_error(code: str, description: str, **more: str) -> Refusal:
    """E1 and E2: everything the OAuth layer refuses, at the token endpoint and at the bearer check."""
    headers = NO_STORE | BASIC_CHALLENGE if code == "invalid_client" else NO_STORE
    return Refusal(OAUTH_STATUS[code], {"error": code, "error_description": description, **more}, headers)


def api_users_not_allowed() -> Refusal:
    """A route that no API user may call (endpoints.yml: scope_errors); they print the status 400."""
    description = "API users are not allowed to call this endpoint"
    return Refusal(400, {"error": "unauthorized", "error_description": description}, NO_STORE)


def permission_denied() -> Refusal:
    """E3: a device that does not exist and a device of somebody else are told alike."""
    info = (
        "I didn't recognize that device name or ID, "
        "try opening https://api.particle.io/v1/devices?access_token=undefined"
    )
    return Refusal(403, {"error": "Permission Denied", "info": info})


def plain_error(status: int, text: str) -> Refusal:
    """E4: products, groups, ledgers that are not there."""
    return Refusal(status, {"ok": False, "error": text})


def listed_errors(status: int, *errors: Any) -> Refusal:
    """E6 and E7: the refusals of a claim; E7 puts [message, code] pairs in the list."""
    return Refusal(status, {"ok": False, "errors": list(errors)})


def bad_request(description: str) -> Refusal:
    """A validation error in the shape that the newer routes use (seen at the environment routes)."""
    return Refusal(400, {"error": "invalid_request", "error_description": description})
