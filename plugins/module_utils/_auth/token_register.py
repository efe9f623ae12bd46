# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report the current token, the stored tokens and the tokens that a cloud lists. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import (
    list_account_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import (
    describe_orphan,
    is_of_account,
    list_orphans,
    parse_listed_tokens,
    plan_cleanup,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    compute_seconds_until,
    read_expiry,
    read_token_facts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES, Http


def report_tokens(
    http: Http,
    login: Login | None,
    sessions: Callable[[], SessionStore],
    token_file: Path | None,
) -> dict[str, Any]:
    """Report the current access token and the stored access tokens.

    This function never logs in. If the user gives a username and a password, the current token is the stored token for
    this account, which all processes of the local user share.

    :param sessions: a function that returns the store of shared logins.
    :param token_file: the path of the file of stored tokens; ``None`` if tokens are not stored.
    :returns: the documented result of module ``access_token_info``.
    :raises ParticleError: when the credentials are not valid. In this case, no request is sent.
    """
    token: str | None = None
    for problem in login.find_problems() if login is not None else []:
        raise problem
    if isinstance(login, ReadyToken):
        token = login.access_token
    elif login is not None:
        token = sessions().find_token(identify_login(http.connection, login))
    return {
        "changed": False,
        "current": None if token is None else _describe_current(http, token),
        "kept": TokenStore(token_file).list_entries(http.now()) if token_file else [],
        "orphaned": [
            describe_orphan(record) for record in list_orphans(sessions().requests, _hash_stored(sessions, token_file))
        ],
    }


def _hash_stored(sessions: Callable[[], SessionStore], token_file: Path | None) -> set[str]:
    """Return the hashes of all tokens in the file of shared logins and in the token file."""
    return sessions().hash_tokens() | (TokenStore(token_file).hash_tokens() if token_file else set())


def list_tokens_of_account(
    http: Http, account: PasswordLogin | None, sessions: Callable[[], SessionStore]
) -> list[dict[str, Any]]:
    """Return the access tokens that a cloud lists for an account.

    If ``account`` has a one-time code or a secret for one-time codes, the request contains a one-time code.

    :param sessions: a function that returns the store of shared logins.
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
        code = sessions().use_memory(identity, lambda memory: account.get_code(http, memory))
    return list_account_tokens(http, *account.account, otp=code)


def _describe_current(http: Http, token: str) -> dict[str, Any]:
    http.use_token(token)
    facts: dict[str, Any] = {}
    alive = True
    try:
        facts = read_token_facts(http) or {}
    except ParticleError as error:
        if error.code not in REFUSED_TOKEN_CODES:
            raise
        alive = False
    end = read_expiry(facts, http.now())
    left = compute_seconds_until(end, http.now())
    return {
        "fingerprint": compute_fingerprint(token),
        "alive": alive,
        "expires_at": end,
        "days_left": None if left is None else int(left // DAY),
        # Particle's documentation and Particle's clients use different keys (endpoints.yml: token_introspect_current).
        "client": facts.get("client") or facts.get("client_id"),
        "scopes": facts.get("scopes") or [],
        "orgs": facts.get("orgs") or [],
    }


def report_listed_tokens(
    http: Http, account: PasswordLogin | None, sessions: Callable[[], SessionStore], token_file: Path | None
) -> dict[str, Any]:
    """Report the access tokens that the cloud lists for an account.

    :param token_file: the path of the file of stored tokens; ``None`` if tokens are not stored.
    :returns: ``{listed, listing_error}`` for the documented result of module ``access_token_info``. One of the two
        values is ``None``. If the cloud lists tokens, the result also contains ``orphaned`` without the tokens that the
        list shows not to exist.
    """
    try:
        rows = list_tokens_of_account(http, account, sessions)
    except ParticleError as error:
        return {"listed": None, "listing_error": error.as_result()}
    shown = [
        {
            "fingerprint": compute_fingerprint(str(row["token"])),
            "client": row["client"],
            "expires_at": row["expires_at"],
        }
        for row in rows
        if row["token"]
    ]
    stored = _hash_stored(sessions, token_file)
    orphans = list_orphans(sessions().requests, stored)
    mine = [record for record in orphans if account is not None and is_of_account(record, http, account.username)]
    plan = plan_cleanup(mine, parse_listed_tokens(http, rows), stored)
    gone, found = {record.id for record in plan.gone}, {record.id: token.hash for record, token in plan.found}
    orphaned = [
        describe_orphan(replace(record, token_hash=found.get(record.id, record.token_hash)))
        for record in orphans
        if record.id not in gone
    ]
    return {"listed": shown, "listing_error": None, "orphaned": orphaned}
