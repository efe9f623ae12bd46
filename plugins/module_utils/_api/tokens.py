# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Obtain, inspect and revoke access tokens (endpoints.yml: authentication_and_tokens). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry
from ansible_collections.meshfleet.particle.plugins.module_utils._http.token_form import find_token_mistake

PUBLIC_CLIENTS = frozenset({"particle", "particle-api", "particle-cli", "spark", "spark-ide"})
"""The ids of OAuth clients that exist in the Particle cloud (endpoints.yml: client_basic)."""

MAX_LIFETIME = 10**10
"""The longest valid lifetime of a token in seconds. With a longer one, the time of expiry might not be a valid date."""


@dataclass(frozen=True)
class Grant:
    """A new access token.

    :param expires_in: the lifetime of the access token in seconds; 0 if the access token never expires, ``None`` if the
        response contains no lifetime.
    """

    access_token: str = field(repr=False)
    token_type: str
    expires_in: int | None
    refresh_token: str | None = field(default=None, repr=False)


def is_token(value: Any) -> TypeGuard[str]:
    """Return whether a value can be sent as an access token or a refresh token."""
    return isinstance(value, str) and find_token_mistake(value) is None


def request_grant(http: Http, form: Mapping[str, str], client: tuple[str, str], action: str) -> Grant:
    """Request an access token, without retries (endpoints.yml: authentication_and_tokens).

    :param form: ``grant_type`` and the fields that this type of grant needs.
    :param client: the id and secret of the OAuth client.
    :raises ParticleError: when the cloud refuses the request; ``bad_response`` when the response contains no access
        token.
    """
    try:
        data = http.send(Request(TOKEN_ROUTE, action, form=form, basic=client, retry=Retry.NEVER, writes=False)).data
    except ParticleError as error:
        if error.code != "unknown_client" or client[0] not in PUBLIC_CLIENTS:
            raise
        # The cloud sends the same response for an unknown client and for a wrong secret. The cloud knows the clients in
        # PUBLIC_CLIENTS, so the secret is wrong.
        message = f"Could not {action}: the cloud does not accept the secret of OAuth client {client[0]} "
        message += f"(HTTP {error.status}{error.quoted})."
        code, status = "invalid_client_secret", error.status
        raise ParticleError(code, message, status=status, route=TOKEN_ROUTE) from None
    token = data.get("access_token") if isinstance(data, dict) else None
    if not is_token(token):
        message = f"Could not {action}: the response contains no valid access token."
        raise ParticleError("bad_response", message, status=200, route=TOKEN_ROUTE)
    refresh = data.get("refresh_token")
    http.redact.add_secret(token)
    if isinstance(refresh, str):
        http.redact.add_secret(refresh)
    return Grant(
        token,
        str(data.get("token_type", "bearer")),
        _parse_number(data.get("expires_in")),
        refresh if is_token(refresh) else None,
    )


def _parse_number(value: Any) -> int | None:
    """Return the value of ``expires_in`` as a number, or ``None`` if the value is not a valid number of seconds.

    The documentation shows a string, but the cloud sends a number.
    """
    try:
        seconds = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= MAX_LIFETIME else None


def get_current_token(http: Http, token: str | None = None) -> dict[str, Any]:
    """Return expiry, client, scopes and orgs of an access token (endpoints.yml: token_introspect_current).

    :param token: the access token; by default the one in use.
    """
    data = http.send(Request("GET /v1/access_tokens/current", "check the access token", bearer=token)).data
    return data if isinstance(data, dict) else {}


def revoke_current(http: Http) -> None:
    """Revoke the access token in use (endpoints.yml: token_revoke_current)."""
    http.send(Request("DELETE /v1/access_tokens/current", "revoke the access token", writes=False))


def revoke_all(http: Http) -> None:
    """Revoke all access tokens of the account, including the access token in use (endpoints.yml: token_revoke_all)."""
    http.send(Request("DELETE /v1/access_tokens", "revoke all tokens of the account", writes=False))


def list_account_tokens(http: Http, username: str, password: str, otp: str | None = None) -> list[dict[str, Any]]:
    """Return all access tokens of the account (endpoints.yml: token_list_legacy). Only some clouds still list tokens.

    The Particle cloud and self-hosted clouds use different field names. The result has the documented field names.

    :returns: ``[{token, expires_at, client}]``.
    :raises ParticleError: ``listing_retired`` when the cloud no longer lists tokens; ``listing_refused`` when the cloud
        refuses the request. The message of ``listing_refused`` names the most likely reason.
    """
    request = Request(
        "GET /v1/access_tokens",
        "list the tokens of the account",
        basic=(username, password),
        query={"otp": otp} if otp else None,
    )
    try:
        data = http.send(request).data
    except ParticleError as error:
        raise _explain_refused_listing(error, username) from None
    rows = extract_rows(data, RowForm(("tokens",), ("token", "accessToken")), request)
    for row in rows:
        http.redact.add_secret(_get_either(row, "token", "accessToken"))
    return [
        {
            "token": _get_either(row, "token", "accessToken"),
            "expires_at": _get_either(row, "expires_at", "accessTokenExpiresAt"),
            "client": row.get("client"),
        }
        for row in rows
    ]


def _get_either(row: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first key in ``names`` for which ``row`` has a value, or ``None``."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _explain_refused_listing(error: ParticleError, username: str) -> ParticleError:
    """Return the error for a refused list of tokens, with the likely reason (errors-and-limits.md, section 5)."""
    if error.status in (404, 410) or error.code == "unsupported":
        message = (
            f"This cloud no longer lists tokens (HTTP {error.status}{error.quoted}); "
            "Particle's own clients stopped using the list in October 2024."
        )
        return ParticleError("listing_retired", message, status=error.status, route=error.route)
    if error.status not in (400, 401, 403):
        return error
    reason = "the cloud does not accept this username and password for that list"
    if "@" not in username:
        reason = f"{username!r} looks like an OAuth client, but the list requires the account's username and password"
    elif error.code == "mfa_required":
        reason = "the account has two-factor login, and the list requires a one-time code too"
    message = f"Could not list the tokens of the account: {reason} (HTTP {error.status}{error.quoted})."
    return ParticleError("listing_refused", message, status=error.status, route=error.route)


def revoke_by_value(http: Http, token: str, username: str, password: str) -> None:
    """Revoke an access token with username and password instead of a Bearer token (endpoints.yml: token_revoke_one).

    This is the only request with an access token in its URL. Self-hosted clouds offer no other way to revoke a token.
    """
    http.send(
        Request(
            "DELETE /v1/access_tokens/:token",
            "revoke the access token by its value",
            {"token": token},
            basic=(username, password),
            writes=False,
        )
    )
