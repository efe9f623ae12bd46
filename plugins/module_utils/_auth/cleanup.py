# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoke the orphaned access tokens of an account. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import (
    Cleanup,
    describe_orphan,
    is_of_account,
    list_orphans,
    parse_listed_tokens,
    plan_cleanup,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import Reason, Record
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    revoke_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import list_tokens_of_account
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


def revoke_orphans(
    tokens: Tokens, account: PasswordLogin | None, in_use: Iterable[str], *, check_mode: bool
) -> dict[str, Any]:
    """Revoke the tokens of an account that no file stores, and that no running play uses. In check mode, only predict.

    :param account: the account to list tokens with; ``None`` if username and password are not given.
    :param in_use: the hashes of further tokens that must not be revoked.
    :returns: the documented result of module ``access_token``.
    :raises ParticleError: ``listing_refused`` when there are orphaned tokens, but the cloud refuses to list tokens.
    """
    requests, stored = tokens.sessions.requests, tokens.hash_stored_tokens()
    username = None if account is None else account.username
    orphans = [record for record in list_orphans(requests, stored) if is_of_account(record, tokens.http, username)]
    plan, revoked, error = Cleanup(left=orphans), [], None
    try:
        if orphans:
            rows = list_tokens_of_account(tokens.http, account, lambda: tokens.sessions)
            used = {record.token_hash for record in requests.list_records() if record.reason is None}
            # Read the stored tokens again: another play may have stored a token before the cloud listed it.
            known = {*in_use, *tokens.hash_stored_tokens(), *(value for value in used if value is not None)}
            plan = plan_cleanup(orphans, parse_listed_tokens(tokens.http, rows), known)
    except ParticleError as refusal:
        if refusal.code != "listing_retired":
            raise
        error = refusal
    unmatched = list(plan.left)  # a token whose revocation fails has a warning of its own
    if check_mode:
        revoked = [compute_fingerprint(token.value) for _unused, token in plan.found]
    elif account is not None:
        revoked = _revoke_found(tokens, plan, account)
        settled = {record.id for record in plan.gone}
        requests.remove(lambda record: record.id in settled)
    _warn_of_rest(tokens, unmatched, error)
    return {
        "changed": bool(revoked),
        "fingerprint": None,
        "revoked": revoked,
        "orphaned": [describe_orphan(record) for record in plan.left],
        "listing_error": None if error is None else error.as_result(),
    }


def _revoke_found(tokens: Tokens, plan: Cleanup, account: PasswordLogin) -> list[str]:
    """Revoke the found tokens, and return their fingerprints. A token that cannot be revoked is moved to ``left``."""
    revoked = []
    for record, token in plan.found:
        fingerprint = compute_fingerprint(token.value)
        try:
            revoke_token(tokens.http, token.value, account.account)
        except ParticleError as error:
            tokens.warn(f"The orphaned token {fingerprint} could not be revoked. {error.message}")
            plan.left.append(record)
        else:
            plan.gone.append(record)
            revoked.append(fingerprint)
    return revoked


def _warn_of_rest(tokens: Tokens, left: list[Record], error: ParticleError | None) -> None:
    """Warn about requests whose tokens were not found. Tokens that were returned to a play are not worth a warning."""
    rest = [describe_orphan(record) for record in left if record.reason is not Reason.RETURNED]
    if not rest:
        return
    ends = [row["expires_at"] for row in rest]
    until = "without end" if None in ends else f"until {max(ends)}"
    why = "The cloud lists no token that certainly belongs to these requests." if error is None else error.message
    count = "1 orphaned token was" if len(rest) == 1 else f"{len(rest)} orphaned tokens were"
    tokens.warn(f"{count} not revoked and may be valid {until}. {why}")
