# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find access tokens that no file stores, and that no running play uses. Private to this collection.

The records of token requests show which tokens may exist. A record contains the hash of the token, unless the run was
killed before it received the token. A token without a hash is recognized by its OAuth client and its expiry. Such a
token is revoked only if the cloud lists no more matching tokens than there are records: a further token could belong to
a program on another machine. No such token is revoked while another login to the account is under way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.account_tokens import ListedToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import MAX_DELAY, Reason, Record
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifetime import DEFAULT_LIFETIME
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import is_same_cloud

_EARLY_SECONDS = 5.0  # the clocks of this machine and the cloud are compared with a precision of a second
_SHOWN_CLIENTS = {"particle": "__PASSWORD_ONLY__"}  # lists show this name (errors-and-limits.md, section 4)


def is_of_account(record: Record, http: Http, username: str | None) -> bool:
    """Return whether a record belongs to a cloud and to an account. The account of some logins is unknown.

    :param username: the account; ``None`` for any account.
    """
    is_of_cloud = is_same_cloud(record.api_url, http.connection.api_url)
    return is_of_cloud and (username is None or record.account in ("", username))


def describe_orphan(record: Record, *, revocable: bool | None = None) -> dict[str, Any]:
    """Return the description of an orphaned token for the result of a module.

    :param revocable: whether a cleanup revokes the token; ``None`` if the tokens of the cloud were not listed.
    :returns: ``{fingerprint, account, api_url, client, requested_at, expires_at, reason, revocable}``.
    """
    return {
        "fingerprint": None if record.token_hash is None else record.token_hash[:8],
        "account": record.account,
        "api_url": record.api_url,
        "client": record.client,
        "requested_at": format_time(record.requested_at),
        # The cloud may have granted the token some time after the request was recorded.
        "expires_at": None if record.ends_at is None else format_time(record.ends_at + MAX_DELAY),
        "reason": None if record.reason is None else record.reason.value,
        "revocable": revocable,
    }


def may_be_in_files(record: Record, files: Collection[str]) -> bool:
    """Return whether one of these token files may store the token of a record.

    A token without a hash may be in any file: another record of the same token may name the file.
    """
    return bool(files) if record.token_hash is None else record.token_file in files


@dataclass
class Cleanup:
    """The orphaned tokens of one account, compared with the tokens that the cloud lists.

    :ivar found: the listed tokens to revoke, each with its record.
    :ivar gone: the records of tokens that certainly do not exist.
    :ivar left: the records of tokens that may exist, but cannot be revoked safely.
    """

    found: list[tuple[Record, ListedToken]] = field(default_factory=list)
    gone: list[Record] = field(default_factory=list)
    left: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class Surroundings:
    """The facts about other tokens by which orphaned tokens are recognized.

    :param in_use: the hashes of tokens that are stored or used. These tokens are not revoked.
    :param under_way: the records of requests that a process may still wait for.
    :param now: seconds since 1970.
    :param unreadable_files: the token files that records name, but that cannot be read. They may store any token.
    """

    in_use: frozenset[str]
    under_way: tuple[Record, ...]
    now: float
    unreadable_files: frozenset[str] = frozenset()


def plan_cleanup(orphans: Iterable[Record], listed: Iterable[ListedToken], around: Surroundings) -> Cleanup:
    """Compare the orphaned tokens of an account with the tokens that the cloud lists for the account."""
    plan = Cleanup()
    known, by_hash = set(around.in_use), {token.hash: token for token in listed}
    pending = []
    for record in orphans:
        if record.token_hash is None:
            pending.append(record)
        elif record.token_hash not in by_hash and record.account:
            plan.gone.append(record)
        elif (
            record.token_hash not in by_hash
            or record.token_hash in known
            or record.reason is Reason.RETURNED
            or record.may_be_under_way(around.now)
            or may_be_in_files(record, around.unreadable_files)
        ):
            plan.left.append(record)
        else:
            plan.found.append((record, by_hash[record.token_hash]))
        if record.token_hash is not None:
            known.add(record.token_hash)
    unknown = [token for token in by_hash.values() if token.hash not in known]
    _match_pending(plan, pending, unknown, around)
    return plan


def _match_pending(plan: Cleanup, pending: list[Record], unknown: list[ListedToken], around: Surroundings) -> None:
    """Assign records without a hash to listed tokens with the same OAuth client and expiry."""
    # A token without a record may be that of a request under way, whose record has no hash yet.
    # A token without a record may also be stored in a file that cannot be read.
    known = [token for token in unknown if not any(_has_client(other, token) for other in around.under_way)]
    certain = [] if around.unreadable_files else known
    candidates = {record.id: [token for token in certain if _can_be(record, token)] for record in pending}
    taken: set[str] = set()
    for record in pending:
        matching = candidates[record.id]
        rivals = [other for other in pending if any(token in matching for token in candidates[other.id])]
        free = [token for token in matching if token.hash not in taken]
        is_over = around.now > record.requested_at + MAX_DELAY and not record.may_be_under_way(around.now)
        if free and len(matching) <= len(rivals):
            taken.add(free[0].hash)
            plan.found.append((record, free[0]))
        elif is_over and record.account and not _may_be_listed(record, unknown, taken):
            plan.gone.append(record)
        else:
            plan.left.append(record)


def _may_be_listed(record: Record, unknown: list[ListedToken], taken: set[str]) -> bool:
    return any(_has_client(record, token) for token in unknown if token.hash not in taken)


def _can_be(record: Record, token: ListedToken) -> bool:
    """Return whether a listed token can be the token of a record. Tokens that never expire cannot be distinguished."""
    if record.ends_at is None or token.ends_at is None or not _has_client(record, token):
        return False
    # Some clouds ignore the requested lifetime.
    ends = (record.ends_at, record.requested_at + DEFAULT_LIFETIME)
    return any(-_EARLY_SECONDS <= token.ends_at - end <= MAX_DELAY for end in ends)


def _has_client(record: Record, token: ListedToken) -> bool:
    return token.client is None or token.client in (record.client, _SHOWN_CLIENTS.get(record.client))
