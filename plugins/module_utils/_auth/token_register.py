# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report the current token, the stored tokens and the tokens that a cloud lists. Private to this collection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.account_tokens import list_tokens_of_account
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import (
    Cleanup,
    describe_orphan,
    may_be_in_files,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    compute_seconds_until,
    read_expiry,
    read_token_facts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES, Http


def report_tokens(search: OrphanSearch, login: Login | None, store: TokenStore | None) -> dict[str, Any]:
    """Report the current access token and the stored access tokens.

    This function never logs in. If the user gives a username and a password, the current token is the stored token for
    this account, which all processes of the local user share.

    :param store: the tokens in the file that the option ``token_file`` names; ``None`` if tokens are not stored.
    :returns: the documented result of module ``access_token_info``.
    :raises ParticleError: when the credentials are not valid. In this case, no request is sent.
    """
    token: str | None = None
    for problem in login.find_problems() if login is not None else []:
        raise problem
    if isinstance(login, ReadyToken):
        token = login.access_token
    elif login is not None:
        token = search.sessions.find_token(identify_login(search.http.connection, login))
    orphans, files = search.list_orphans(), search.list_unreadable_files()
    return {
        "changed": False,
        "current": None if token is None else _describe_current(search.http, token),
        "kept": [] if store is None else store.list_entries(search.http.now()),
        "orphaned": [
            describe_orphan(record, revocable=False if may_be_in_files(record, files) else None) for record in orphans
        ],
    }


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


def report_listed_tokens(search: OrphanSearch, account: PasswordLogin | None) -> dict[str, Any]:
    """Report the access tokens that the cloud lists for an account.

    :returns: ``{listed, listing_error}`` for the documented result of module ``access_token_info``. One of the two
        values is ``None``. If the cloud lists tokens, the result also contains ``orphaned`` without the tokens that the
        list shows not to exist.
    """
    orphans = search.list_orphans()
    try:
        rows = list_tokens_of_account(search.http, account, search.sessions)
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
    plan = Cleanup() if account is None else search.plan_cleanup(orphans, rows, account)
    gone, found = {record.id for record in plan.gone}, {record.id: token.hash for record, token in plan.found}
    files = search.list_unreadable_files()
    left = {record.id for record in plan.left} | {record.id for record in orphans if may_be_in_files(record, files)}
    orphaned = [
        describe_orphan(
            replace(record, token_hash=found.get(record.id, record.token_hash)),
            revocable=record.id in found if record.id in found or record.id in left else None,
        )
        for record in orphans
        if record.id not in gone
    ]
    return {"listed": shown, "listing_error": None, "orphaned": orphaned}
