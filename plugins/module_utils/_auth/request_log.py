# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record each request for an access token until the token is stored or revoked. Private to this collection.

A process can be killed after the cloud has granted a token, but before the token is stored. The cloud may not list its
tokens, so without a record nothing would show that such a token exists. Therefore, a record is written before each
request. The record contains no secret. It is removed when the token is stored in another file or revoked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
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
"""The maximum number of records. The oldest records are dropped first."""

_MAX_TIME = 2.5e11  # later times, in the year 9892 and after, are not valid dates

MAX_DELAY = 120.0
"""The maximum number of seconds from the record of a request to the grant of the token."""


class Stage(enum.StrEnum):
    """The stage of a request: "the request is …", or "the token is …"."""

    REQUESTED = "requested"
    """The request may have been sent, and no response was received."""
    HELD = "held"
    """The token is in the memory of the process that obtained it."""
    RETURNED = "returned"
    """The token was returned to a play."""
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
    id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))

    @property
    def reason(self) -> Reason | None:
        """Return the reason why the token is orphaned, or ``None`` if a running process still uses the token."""
        ended = True if self.stage is Stage.LOST else has_ended(self.holder)
        if ended is False:
            return None
        if ended is None:  # the holder ran in another container, and may still run
            return Reason.RETURNED
        if self.stage is not Stage.RETURNED:
            return Reason.LOST
        return Reason.ABANDONED if self.is_temporary else Reason.RETURNED


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

        If the file cannot be written, the records stay. They only list tokens that are stored or no longer valid.
        """
        with contextlib.suppress(ParticleError):
            if any(is_settled(record) for record in self.list_records()):
                with self._change() as records:
                    records[:] = [record for record in records if not is_settled(record)]

    def list_records(self) -> list[Record]:
        """Return the records of all tokens that may not have expired yet, oldest first."""
        try:
            path = self._path
        except ParticleError:  # without the folder, there are no records
            return []
        return self._drop_expired(self._read(path))

    @contextlib.contextmanager
    def _change(self) -> Iterator[list[Record]]:
        with private_file.hold_lock(self._path.with_name(self._path.name + ".lock"), str(self._path)):
            records = self._drop_expired(self._read(self._path))
            yield records
            kept = records[-MAX_RECORDS:]
            private_file.PrivateFile(self._path, {"requests": [_pack(record) for record in kept]}).save()

    def _drop_expired(self, records: list[Record]) -> list[Record]:
        now = self._clock()
        return [record for record in records if record.ends_at is None or record.ends_at + MAX_DELAY > now]

    def _read(self, path: Path) -> list[Record]:
        """Return the records in the file. If the file is damaged, show a warning and return no records."""
        try:
            data = private_file.read_file(path)
            rows = list(data.get("requests", []))
        except (ParticleError, TypeError, AttributeError):
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
    texts += [] if row["token_hash"] is None else [row["token_hash"]]
    times = [row["requested_at"], *([] if row["ends_at"] is None else [row["ends_at"]])]
    if not all(isinstance(text, str) for text in texts) or not holder["pid"].isdecimal():
        raise ValueError("not a record")
    if not all(isinstance(moment, (int, float)) and 0 <= moment <= _MAX_TIME for moment in times):
        raise ValueError("not a time")
    Connection(row["api_url"]).cloud  # noqa: B018 - raises ValueError for an invalid port
    known = {field.name: row[field.name] for field in dataclasses.fields(Record)}
    stage, is_temporary = Stage(row["stage"]), bool(row["is_temporary"])
    return Record(**{**known, "holder": holder, "stage": stage, "is_temporary": is_temporary})
