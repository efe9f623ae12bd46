# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the access tokens of an account in a cloud. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import list_account_tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import hash_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_seconds_until
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class ListedToken:
    """A token that the cloud lists.

    :param ends_at: the time at which the token expires in seconds since 1970, according to the clock of this machine;
        ``None`` if it never expires or the cloud does not tell the time.
    """

    value: str = field(repr=False)
    client: str | None
    ends_at: float | None

    @property
    def hash(self) -> str:
        """Return the hash that a record of this token contains."""
        return hash_token(self.value)


def list_tokens_of_account(http: Http, account: PasswordLogin | None, sessions: SessionStore) -> list[dict[str, Any]]:
    """Return the access tokens that a cloud lists for an account.

    If ``account`` has a one-time code or a secret for one-time codes, the request contains a one-time code.

    :returns: ``[{token, expires_at, client}]``.
    :raises ParticleError: ``listing_refused`` when ``account`` is ``None`` or the cloud refuses the request;
        ``listing_retired`` when the cloud no longer lists tokens.
    """
    if account is None:
        message = "Listing tokens requires username and password."
        raise ParticleError("listing_refused", message)
    code = account.otp
    if account.otp_secret is not None:
        # The stored data of the login tells which one-time code was used last.
        identity = identify_login(http.connection, account)
        code = sessions.use_memory(identity, lambda memory: account.get_code(http, memory))
    return list_account_tokens(http, *account.account, otp=code)


def parse_listed_tokens(http: Http, rows: Iterable[Mapping[str, Any]]) -> list[ListedToken]:
    """Return the tokens in the list of a cloud. Correct their expiry if the clock of the cloud is wrong.

    :param rows: ``[{token, expires_at, client}]``.
    """
    ahead = http.clock_skew or 0.0
    listed = []
    for row in rows:
        if row["token"]:
            end = compute_seconds_until(row["expires_at"], 0.0)
            listed.append(ListedToken(str(row["token"]), row["client"], None if end is None else end - ahead))
    return listed
