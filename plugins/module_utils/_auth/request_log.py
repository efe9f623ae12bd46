# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record each request for an access token until the token is stored or revoked. Private to this collection.

A process can be killed after the cloud has granted a token, but before the token is stored. The cloud may not list its
tokens, so without a record nothing would show that such a token exists. Therefore, a record is written before each
request. The record contains no secret. It is removed when the token is revoked or has expired. The record of a stored
token shows that the token is in use, even to a task that does not know the file in which the token is stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import has_ended

FILE_NAME = "token_requests.json"
"""The name of the file of the records."""

MAX_RECORDS = 200
"""The number of records from which on the records of stored and returned tokens are dropped, the oldest first."""

_MAX_TIME = 2.5e11  # later times, in the year 9892 and after, are not valid dates

MAX_DELAY = 120.0
"""The maximum number of seconds from the record of a request to the grant of the token."""

MAX_LOGIN_SECONDS = 900.0
"""The maximum number of seconds that a process needs to log in, with its waits for the budget and the cloud."""


class Stage(enum.StrEnum):
    """The stage of a request: "the request is …", or "the token is …"."""

    REQUESTED = "requested"
    """The request may have been sent, and no response was received."""
    HELD = "held"
    """The token is in the memory of the process that obtained it."""
    RETURNED = "returned"
    """The token was returned to a play."""
    STORED = "stored"
    """The token is stored in a file."""
    LOST = "lost"
    """The token, if the cloud has granted one, is not known to any process."""


class Reason(enum.StrEnum):
    """The reason why a token may be valid although the collection does not store it."""

    LOST = "lost"
    """The run ended before it could store or return the token."""
    ABANDONED = "abandoned"
    """The play ended without revoking its temporary token."""
    RETURNED = "returned"
    """The token was returned to a play, which may have stored it elsewhere."""


@dataclasses.dataclass(frozen=True)
class Record:
    """A request for an access token.

    :param account: the username; empty if the login uses no account or the account is not known.
    :param client: the OAuth client id; empty if the login uses no OAuth client.
    :param requested_at: the time of the request in seconds since 1970.
    :param ends_at: the time at which the token expires in seconds since 1970; ``None`` if it never expires.
    :param holder: the process that must end before the token is orphaned.
    :param is_temporary: whether the play is expected to revoke the token.
    :param token_hash: the SHA-256 hash of the token; ``None`` if the token is not known.
    :param usable_until: the time until which a file stores the token in seconds since 1970; ``None`` if no file stores
        the token, or if the file stores it until it expires.
    :param token_file: the absolute path of the token file in which the token is to be stored, if any.
    """

    api_url: str
    account: str
    client: str
    requested_at: float
    ends_at: float | None
    holder: Mapping[str, str]
    stage: Stage = Stage.REQUESTED
    is_temporary: bool = True
    token_hash: str | None = None
    usable_until: float | None = None
    token_file: str | None = None
    id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))

    @property
    def reason(self) -> Reason | None:
        """Return the reason why the token is orphaned, or ``None`` if a file or a running process has the token."""
        if self.stage is Stage.STORED:
            return None
        if self.stage is Stage.LOST:
            return Reason.LOST
        ended = has_ended(self.holder)
        if ended is False:
            return None
        if self.stage is not Stage.RETURNED:
            return Reason.LOST
        return Reason.ABANDONED if ended and self.is_temporary else Reason.RETURNED

    def may_be_under_way(self, now: float) -> bool:
        """Return whether a process may still wait for the token, or be about to store or return it.

        It is not known whether a process in another container has ended, but a login ends within a maximum time.

        :param now: seconds since 1970.
        """
        if self.stage not in (Stage.REQUESTED, Stage.HELD):
            return False
        ended = has_ended(self.holder)
        return now < self.requested_at + MAX_LOGIN_SECONDS if ended is None else not ended

    @property
    def is_harmless(self) -> bool:
        """Return whether the token is stored in a file, or was returned to a play that may have stored it."""
        return self.stage is Stage.STORED or self.reason is Reason.RETURNED

    @property
    def issuer(self) -> tuple[str, str]:
        """Return the cloud and the OAuth client of the token."""
        return Connection(self.api_url).cloud, self.client


def locate_request_file(environment: Mapping[str, str]) -> Path:
    """Return the path of the file of the records. Create the folder of the file if the folder is missing.

    The cache folder survives a restart of the machine, so it is preferred to the runtime folder of the user.

    :raises ParticleError: ``unsafe_file`` when neither folder can be used.
    """
    what, otherwise = "Records of tokens", "give an access_token"
    try:
        folder = private_file.ensure_folder(environment, what, otherwise)
    except ParticleError:
        folder = private_file.ensure_folder(environment, what, otherwise, of_login=True)
    return folder / FILE_NAME


class RequestLog:
    """The records of one user on this machine.

    :param place: a function that returns the path of the file. The function is called when the file is first needed.
    :param warn: a function that shows a warning to the user.
    :param clock: a function that returns the seconds since 1970.
    """

    def __init__(
        self,
        place: Callable[[], Path],
        warn: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._place = place
        self._warn = warn
        self._clock = clock

    @functools.cached_property
    def _path(self) -> Path:
        return self._place()

    def add(self, record: Record) -> None:
        """Add a record.

        :raises ParticleError: ``unsafe_file`` when the file cannot be written. The token must then not be requested.
        """
        with self._change() as records:
            records.append(record)

    def update(self, record: Record, **changes: Any) -> Record:
        """Change fields of a record, and return the changed record.

        :raises ParticleError: ``unsafe_file`` when the file cannot be written.
        """
        changed = dataclasses.replace(record, **changes)
        with self._change() as records:
            records[:] = [changed if each.id == record.id else each for each in records]
        return changed

    def remove(self, is_settled: Callable[[Record], bool]) -> None:
        """Remove all records for which ``is_settled`` returns true. A missing file is not created.

        If the file cannot be written, the records stay. They only list tokens that are no longer valid.
        """
        with contextlib.suppress(ParticleError):
            if any(is_settled(record) for record in self.list_records()):
                with self._change() as records:
                    records[:] = [record for record in records if not is_settled(record)]

    def list_records(self) -> list[Record]:
        """Return the records of all tokens that may not have expired yet, oldest first.

        :raises ParticleError: ``unsafe_file`` when the file belongs to another user or is not a regular file.
        """
        try:
            path = self._path
        except ParticleError:  # without the folder, there are no records
            return []
        return self._update_stages(self._read(path))

    @contextlib.contextmanager
    def _change(self) -> Iterator[list[Record]]:
        with private_file.hold_lock(self._path.with_name(self._path.name + ".lock"), str(self._path)):
            records = self._update_stages(self._read(self._path))
            yield records
            kept = _drop_harmless(records)
            private_file.PrivateFile(self._path, {"requests": [_pack(record) for record in kept]}).save()

    def _update_stages(self, records: list[Record]) -> list[Record]:
        """Return the records of tokens that may be valid. A token that no file stores any more is lost."""
        now = self._clock()
        valid = [record for record in records if record.ends_at is None or record.ends_at + MAX_DELAY > now]
        return [
            dataclasses.replace(record, stage=Stage.LOST) if _has_left_its_file(record, now) else record
            for record in valid
        ]

    def _read(self, path: Path) -> list[Record]:
        """Return the records in the file. If the file is damaged, show a warning and return no records.

        :raises ParticleError: ``unsafe_file`` when the file belongs to another user or is not a regular file.
        """
        try:
            data = private_file.read_own_file(path, self._warn)
            rows = list(data.get("requests", []))
        except (private_file.DamagedFileError, TypeError):
            rows = [None]
        records = [record for record in map(_unpack, rows) if record is not None]
        if len(records) < len(rows):
            self._warn(
                f"{path} is damaged. Its invalid entries are removed, so orphaned tokens of earlier runs may no longer "
                "be listed. If a run was killed, check the tokens of its account."
            )
        return records


def hash_token(token: str) -> str:
    """Return the SHA-256 hash by which records identify an access token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _has_left_its_file(record: Record, now: float) -> bool:
    return record.stage is Stage.STORED and record.usable_until is not None and record.usable_until <= now


def _drop_harmless(records: list[Record]) -> list[Record]:
    """Return the records to keep: if there are too many, drop the oldest harmless ones."""
    # The token of a request without a hash must not be confused with another token, so all records of its cloud and
    # client are kept.
    unknown = {record.issuer for record in records if record.token_hash is None}
    surplus = max(0, len(records) - MAX_RECORDS)
    spare = (record.id for record in records if record.issuer not in unknown and record.is_harmless)
    dropped = set(itertools.islice(spare, surplus))
    return [record for record in records if record.id not in dropped]


def _pack(record: Record) -> dict[str, Any]:
    return {**dataclasses.asdict(record), "holder": dict(record.holder)}


def _unpack(row: Any) -> Record | None:
    """Return a record from the file, or ``None`` if the row is not a valid record."""
    try:
        return _build_record(row)
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def _build_record(row: Mapping[str, Any]) -> Record:
    """Return a record from the file. Keys that this release does not know are ignored.

    :raises ValueError: when the row is not a valid record. Other exceptions show the same.
    """
    holder = {name: row["holder"][name] for name in ("host", "boot", "namespace", "pid", "started")}
    texts = [*holder.values(), *(row[name] for name in ("api_url", "account", "client", "id"))]
    texts += [text for text in (row["token_hash"], row.get("token_file")) if text is not None]
    usable_until = row.get("usable_until")
    times = [row["requested_at"], *(moment for moment in (row["ends_at"], usable_until) if moment is not None)]
    if not all(isinstance(text, str) for text in texts) or not holder["pid"].isdecimal():
        raise ValueError("not a record")
    if not all(isinstance(moment, (int, float)) and 0 <= moment <= _MAX_TIME for moment in times):
        raise ValueError("not a time")
    Connection(row["api_url"]).cloud  # noqa: B018 - raises ValueError for an invalid port
    known: dict[str, Any] = {field.name: row.get(field.name) for field in dataclasses.fields(Record)}
    stage, is_temporary = Stage(row["stage"]), bool(row["is_temporary"])
    return Record(**{**known, "holder": holder, "stage": stage, "is_temporary": is_temporary})
