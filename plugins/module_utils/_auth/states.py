# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of an access token that a user can declare. Private to this collection."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth import check_grants
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.life import (
    expiry,
    fingerprint,
    is_alive,
    revoke,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http

CHECK_MODE_SECONDS = 15 * 60
"""The longest life of a token that check mode obtains."""


def present(http: Http, login: Login, expires_in: int | None, *, check_mode: bool, notes: Path) -> dict[str, Any]:
    """Obtain a token.

    :param notes: the folder in which tokens of check mode are remembered.
    :returns: the documented result of ``access_token``, which holds the token.
    """
    if expires_in is not None and expires_in <= 0:
        raise ParticleError(
            "conflict",
            f"expires_in is {expires_in}: a token must end some time.",
            hint="Give its life in seconds, or leave expires_in out for the cloud's default of 90 days.",
        )
    if check_mode:
        check_grants.prepare(notes)
        expires_in = min(expires_in or CHECK_MODE_SECONDS, CHECK_MODE_SECONDS)
    grant = login.obtain(http, expires_in)
    if check_mode:
        check_grants.remember(notes, grant.access_token)
    return {
        "changed": True,
        "access_token": grant.access_token,
        "token_type": grant.token_type,
        "expires_in": grant.expires_in,
        "expires_at": expiry(grant.expires_in, datetime.datetime.now(datetime.UTC)),
        "fingerprint": fingerprint(grant.access_token),
        "reused": False,
    }


def absent(http: Http, token: str, account: tuple[str, str] | None, *, check_mode: bool, notes: Path) -> dict[str, Any]:
    """Revoke ``token``; in check mode only one that check mode itself has obtained.

    :param account: username and password, for clouds that want them.
    """
    if check_mode and not check_grants.knows(notes, token):
        http.authorize(token)
        return {"changed": is_alive(http), "fingerprint": fingerprint(token)}
    changed = revoke(http, token, account)
    check_grants.forget(notes, token)
    return {"changed": changed, "fingerprint": fingerprint(token)}
