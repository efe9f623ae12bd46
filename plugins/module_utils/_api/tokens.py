# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens: grant, look at, revoke (endpoints.yml: authentication_and_tokens). Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import TOKEN_ROUTE, ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http, Retry


@dataclass(frozen=True)
class Grant:
    """A fresh token. ``expires_in`` in seconds: 0 never expires, ``None`` when the cloud does not say."""

    access_token: str = field(repr=False)
    token_type: str
    expires_in: int | None


def grant_by_password(
    http: Http, username: str, password: str, client: tuple[str, str], expires_in: int | None
) -> Grant:
    """Obtain a token (endpoints.yml: token_password). Sent once, whatever happens.

    :param client: id and secret of the OAuth client.
    :param expires_in: wished life in seconds, 0 for no end, ``None`` for the cloud's own default.
    """
    form = {"grant_type": "password", "username": username, "password": password}
    if expires_in is not None:
        form["expires_in"] = str(expires_in)
    doing = f"obtain an access token for {username}"
    data = http.call(TOKEN_ROUTE, doing=doing, form=form, basic=client, retry=Retry.NEVER, writes=False).data
    token = data.get("access_token") if isinstance(data, dict) else None
    if not isinstance(token, str) or not token:
        message = f"Could not {doing}: the answer holds no access token."
        raise ParticleError("bad_response", message, status=200, route=TOKEN_ROUTE)
    http.redact.learn(token)
    http.redact.learn(data.get("refresh_token"))
    return Grant(token, str(data.get("token_type", "bearer")), _whole_number(data.get("expires_in")))


def _whole_number(value: Any) -> int | None:
    """``expires_in``, which is documented as a text and recorded as a number."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def look_at_current(http: Http) -> dict[str, Any]:
    """Expiry, client, scopes and orgs of the token in use (endpoints.yml: token_introspect_current)."""
    data = http.call("GET /v1/access_tokens/current", doing="look at the access token").data
    return data if isinstance(data, dict) else {}


def revoke_current(http: Http) -> None:
    """Revoke the token in use (endpoints.yml: token_revoke_current)."""
    http.call("DELETE /v1/access_tokens/current", doing="revoke the access token", writes=False)


def revoke_by_value(http: Http, token: str, username: str, password: str) -> None:
    """Revoke with the token in the path and the account as Basic (endpoints.yml: token_revoke_one).

    The one place where a token is part of a URL: self-hosted clouds know no other way.
    """
    http.call(
        "DELETE /v1/access_tokens/:token",
        doing="revoke the access token by its value",
        at={"token": token},
        basic=(username, password),
        writes=False,
    )
