# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and revoke the orphaned access tokens of an account. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.account_tokens import (
    list_tokens_of_account,
    parse_listed_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import (
    Cleanup,
    Surroundings,
    describe_orphan,
    is_of_account,
    plan_cleanup,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import Reason, Record, Stage
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    revoke_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class KnownTokens:
    """The tokens that must not be revoked.

    :param hashes: the hashes of all tokens that are stored or used.
    :param unreadable_files: the token files that may store further tokens, because they cannot be read.
    """

    hashes: frozenset[str]
    unreadable_files: frozenset[str]


@dataclass(frozen=True)
class OrphanSearch:
    """The places where tokens and the records of their requests are looked for.

    :param stores: the tokens in the files that the option ``token_file`` names.
    :param in_use: the hashes of further tokens that must not be revoked.
    :param warn: a function that shows a warning to the user.
    """

    http: Http
    sessions: SessionStore
    stores: tuple[TokenStore, ...] = ()
    in_use: frozenset[str] = field(default=frozenset(), repr=False)
    warn: Callable[[str], None] = lambda text: None
    _warned_files: set[str] = field(default_factory=set, init=False, repr=False)

    def list_orphans(self) -> list[Record]:
        """Return the records of tokens that no file stores, and that no running play uses."""
        records = self.sessions.requests.list_records()
        known = self._read_known_tokens(records).hashes
        return [record for record in records if record.reason is not None and record.token_hash not in known]

    def list_unreadable_files(self) -> frozenset[str]:
        """Return the token files that earlier runs have used, but that cannot be read."""
        return self._read_known_tokens(self.sessions.requests.list_records()).unreadable_files

    def plan_cleanup(
        self, orphans: Iterable[Record], rows: Iterable[Mapping[str, Any]], account: PasswordLogin
    ) -> Cleanup:
        """Return the orphaned tokens of an account, compared with the tokens that the cloud lists for the account.

        :param orphans: the result of :meth:`list_orphans`, from before the cloud listed the tokens.
        :param rows: the tokens that the cloud lists: ``[{token, expires_at, client}]``.
        """
        # Read the records and files again: another play may have obtained a token before the cloud listed it.
        records, now = self.sessions.requests.list_records(), self.http.now()
        under_way = tuple(
            record
            for record in records
            if record.token_hash is None
            and record.may_be_under_way(now)
            and is_of_account(record, self.http, account.username)
        )
        known = self._read_known_tokens(records)
        around = Surroundings(known.hashes, under_way, now, known.unreadable_files)
        own = [record for record in orphans if is_of_account(record, self.http, account.username)]
        return plan_cleanup(own, parse_listed_tokens(self.http, rows), around)

    def _read_known_tokens(self, records: Iterable[Record]) -> KnownTokens:
        """Return the tokens that are stored or used. Warn about each file of an earlier run that cannot be read.

        :raises ParticleError: ``unsafe_file`` when a file that the task names cannot be read.
        """
        records = list(records)
        used = {record.token_hash for record in records if record.reason is None and record.token_hash is not None}
        used |= self.sessions.hash_tokens().union(*(store.hash_tokens() for store in self.stores)) | self.in_use
        # A process may have been killed between storing the token and recording this.
        files = {record.token_file for record in records if record.token_file and record.stage is not Stage.STORED}
        unreadable = set()
        for file in sorted(files - {str(store.path) for store in self.stores}):
            try:
                used |= TokenStore(Path(file)).hash_tokens()
            except ParticleError as error:
                unreadable.add(file)
                self._warn_of_file(file, error)
        return KnownTokens(frozenset(used), frozenset(unreadable))

    def _warn_of_file(self, file: str, error: ParticleError) -> None:
        if file not in self._warned_files:
            self._warned_files.add(file)
            self.warn(
                f"A run that has not finished was to store a token in {file}. {error.message} {error.hint or ''} "
                "No orphaned token that the file may store is revoked."
            )


def revoke_orphans(
    search: OrphanSearch, account: PasswordLogin | None, warn: Callable[[str], None], *, check_mode: bool
) -> dict[str, Any]:
    """Revoke the tokens of an account that no file stores, and that no running play uses. In check mode, only predict.

    :param account: the account to list tokens with; ``None`` if username and password are not given.
    :param warn: a function that shows a warning to the user.
    :returns: the documented result of module ``access_token``.
    :raises ParticleError: ``listing_refused`` when there are orphaned tokens, but the cloud refuses to list tokens.
    """
    http, requests = search.http, search.sessions.requests
    username = None if account is None else account.username
    orphans = [record for record in search.list_orphans() if is_of_account(record, http, username)]
    plan, revoked, error = Cleanup(left=orphans), [], None
    try:
        rows = list_tokens_of_account(http, account, search.sessions) if orphans else []
        if account is not None:
            plan = search.plan_cleanup(orphans, rows, account)
    except ParticleError as refusal:
        if refusal.code != "listing_retired":
            raise
        error = refusal
    unmatched = list(plan.left)  # a token whose revocation fails has a warning of its own
    if check_mode:
        revoked = [compute_fingerprint(token.value) for _unused, token in plan.found]
    elif account is not None:
        revoked = _revoke_found(http, plan, account, warn)
        settled = {record.id for record in plan.gone}
        requests.remove(lambda record: record.id in settled)
    _warn_of_rest(unmatched, error, warn)
    revocable = False if error is None else None
    return {
        "changed": bool(revoked),
        "fingerprint": None,
        "revoked": revoked,
        "orphaned": [describe_orphan(record, revocable=revocable) for record in plan.left],
        "listing_error": None if error is None else error.as_result(),
    }


def _revoke_found(http: Http, plan: Cleanup, account: PasswordLogin, warn: Callable[[str], None]) -> list[str]:
    """Revoke the found tokens, and return their fingerprints. A token that cannot be revoked is moved to ``left``."""
    revoked = []
    for record, token in plan.found:
        fingerprint = compute_fingerprint(token.value)
        try:
            revoke_token(http, token.value, account.account)
        except ParticleError as error:
            warn(f"The orphaned token {fingerprint} could not be revoked. {error.message}")
            plan.left.append(record)
        else:
            plan.gone.append(record)
            revoked.append(fingerprint)
    return revoked


def _warn_of_rest(left: list[Record], error: ParticleError | None, warn: Callable[[str], None]) -> None:
    """Warn about requests whose tokens were not found. Tokens that were returned to a play are not worth a warning."""
    rest = [describe_orphan(record) for record in left if record.reason is not Reason.RETURNED]
    if not rest:
        return
    ends = [row["expires_at"] for row in rest]
    until = "without end" if None in ends else f"until {max(ends)}"
    why = "The cloud lists no token that certainly belongs to these requests." if error is None else error.message
    count = format_count(len(rest), "orphaned token was", "orphaned tokens were")
    warn(f"{count} not revoked and may be valid {until}. {why}")
