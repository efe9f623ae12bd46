# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check whether an access token works, find out when it expires, and revoke it. Private to this collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import (
    get_current_token,
    revoke_by_value,
    revoke_current,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time, parse_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES, Http

# Self-hosted clouds do not have the route `/v1/access_tokens/current`. Their responses have one of these statuses.
_MISSING_ROUTE_STATUSES = (400, 404)


def compute_fingerprint(token: str) -> str:
    """Return the fingerprint of an access token: the first 8 hex digits of the SHA-256 hash of the token.

    A fingerprint distinguishes tokens, but cannot be used to log in.
    """
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def compute_expiry(expires_in: int | None, now: float) -> str | None:
    """Return the ISO 8601 time at which an access token expires.

    :param expires_in: the lifetime of the token in seconds; 0 if the token never expires, ``None`` if not known.
    :param now: the start of the lifetime, in seconds since 1970.
    :returns: ``None`` if the token never expires or the lifetime is not known.
    """
    return format_time(now + expires_in) if expires_in else None


def compute_seconds_until(moment: Any, now: float) -> float | None:
    """Return the number of seconds from ``now`` to ``moment``.

    :param moment: an ISO 8601 time, in UTC if no time zone is given.
    :param now: seconds since 1970.
    :returns: ``None`` if ``moment`` is not an ISO 8601 time.
    """
    end = parse_time(moment)
    return None if end is None else end - now


def read_expiry(facts: Mapping[str, Any], now: float) -> str | None:
    """Return the ISO 8601 time at which an access token expires.

    Particle's documentation names the field ``expires_in``, but the documented example and Particle's clients use
    ``expires_at`` (endpoints.yml: token_introspect_current). Both fields are read.

    :param facts: the response of the cloud about the token.
    :param now: seconds since 1970.
    :returns: ``None`` if the token never expires or the time is not known.
    """
    if facts.get("expires_at") is not None or "expires_in" not in facts:
        return facts.get("expires_at")
    try:
        seconds = int(facts["expires_in"])
    except (TypeError, ValueError):
        return None
    return compute_expiry(seconds, now)


def read_token_facts(http: Http) -> dict[str, Any] | None:
    """Return the data of the cloud about the access token that ``http`` uses.

    :returns: ``None`` if the cloud accepts the token, but has no route that describes it.
    :raises ParticleError: ``token_invalid`` or ``token_expired`` when the cloud does not accept the token.
    """
    try:
        return get_current_token(http)
    except ParticleError as error:
        if error.status not in _MISSING_ROUTE_STATUSES or error.code in REFUSED_TOKEN_CODES:
            raise
    try:
        list_account_devices(http)
    except ParticleError as error:
        if error.code != "missing_scope":  # the cloud checks the token before it checks the scopes
            raise
    return None


def is_token_valid(http: Http) -> bool:
    """Return whether the cloud still accepts the access token that ``http`` uses."""
    try:
        read_token_facts(http)
    except ParticleError as error:
        if error.code in REFUSED_TOKEN_CODES:
            return False
        raise
    return True


def revoke_token(http: Http, token: str, account: tuple[str, str] | None) -> bool:
    """Revoke the access token ``token``. Return whether the token was valid before.

    :param account: username and password. Self-hosted clouds require both to revoke a token.
    :raises ParticleError: ``unsupported`` when the cloud requires username and password, but ``account`` is ``None``;
        ``cloud_error`` when the token still works after the revocation.
    """
    http.use_token(token)
    try:
        revoke_current(http)
        return True
    except ParticleError as error:
        if error.code in REFUSED_TOKEN_CODES:
            return False
        if error.status not in _MISSING_ROUTE_STATUSES:
            raise
        route = error.route
    if not is_token_valid(http):
        return False
    if account is None:
        raise ParticleError(
            "unsupported",
            "Could not revoke the access token: this cloud does not let a token revoke itself.",
            hint="Give username and password of the account in addition to access_token.",
            route=route,
        )
    revoke_by_value(http, token, *account)
    if is_token_valid(http):
        message = "Could not revoke the access token: the cloud confirmed the revocation, but the token still works."
        raise ParticleError("cloud_error", message, route="DELETE /v1/access_tokens/:token")
    return True
