# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check whether a token works, tell when it expires, and revoke it. Private to this collection."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import (
    get_current_token,
    revoke_by_value,
    revoke_current,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES, Http

# Statuses that self-hosted clouds answer for `/v1/access_tokens/current`, a route that they do not have.
_MISSING_ROUTE_STATUSES = (400, 404)


def compute_fingerprint(token: str) -> str:
    """Return the first 8 hex digits of the token's SHA-256. They tell tokens apart, but cannot be used to log in."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def compute_expiry(expires_in: int | None, now: datetime.datetime) -> str | None:
    """Return when a grant of ``expires_in`` seconds expires, as ISO 8601; ``None`` if never or unknown."""
    if not expires_in:
        return None
    end = (now + datetime.timedelta(seconds=expires_in)).astimezone(datetime.UTC)
    return end.isoformat(timespec="seconds").replace("+00:00", "Z")


def compute_seconds_until(moment: Any, now: float) -> float | None:
    """Return the seconds from ``now`` (seconds since 1970) to ``moment``, or ``None`` if it is not ISO 8601."""
    try:
        end = datetime.datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return None
    return (end if end.tzinfo else end.replace(tzinfo=datetime.UTC)).timestamp() - now


def read_expiry(facts: Mapping[str, Any], now: float) -> str | None:
    """Return when a token expires according to the cloud's ``facts``; ``None`` if never or unknown.

    The documentation says ``expires_in``; its example and the clients say ``expires_at`` (endpoints.yml:
    token_introspect_current).

    :param now: seconds since 1970.
    """
    if facts.get("expires_at") is not None or "expires_in" not in facts:
        return facts.get("expires_at")
    try:
        seconds = int(facts["expires_in"])
    except (TypeError, ValueError):
        return None
    return compute_expiry(seconds, datetime.datetime.fromtimestamp(now, datetime.UTC))


def is_token_valid(http: Http) -> bool:
    """Return whether the cloud still accepts the token in use."""
    try:
        try:
            get_current_token(http)
        except ParticleError as error:
            if error.status not in _MISSING_ROUTE_STATUSES or error.code in REFUSED_TOKEN_CODES:
                raise
            list_account_devices(http)
    except ParticleError as error:
        if error.code in REFUSED_TOKEN_CODES:
            return False
        raise
    return True


def revoke_token(http: Http, token: str, account: tuple[str, str] | None) -> bool:
    """Revoke ``token``, and return whether it was valid until now.

    :param account: username and password, which self-hosted clouds need to revoke a token.
    :raises ParticleError: ``unsupported`` when the cloud needs ``account`` and it is ``None``; ``cloud_error`` when the
        token still works afterwards.
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
