# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the record of a rollout, and detect other controllers that write it. Private to this collection."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time, parse_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Phase
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record, read_record

OWNER_SECONDS = 2.0
"""Seconds after which a run reads its first record again. A run of another controller that began at the same time has
written its own mark by then."""

_VERBS = {
    Phase.PAUSED.value: "has paused this rollout",
    Phase.ABORTING.value: "has aborted this rollout",
    Phase.ABORTED.value: "has aborted this rollout",
    Phase.ROLLING_BACK.value: "has rolled this rollout back",
    Phase.ROLLED_BACK.value: "has rolled this rollout back",
}


class Store:
    """The record of a rollout in its memory, with the mark of the run that has written it.

    :ivar saved: the number of records that this run has written.
    """

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._known: str | None = None
        """The mark of the run that wrote the record before this run read it first."""
        self._has_loaded = False
        self._has_checked = False
        self._version: int | None = None
        self.saved = 0

    def load(self) -> Record | None:
        """Read the record; ``None`` if there is none.

        :raises ParticleError: ``run_in_progress`` when another run has written the record since this run has written
            or read it; ``conflict`` when the record is damaged.
        """
        data = self._read()
        if self._has_loaded:
            self._check_owner(data)
        else:
            self._known, self._has_loaded = _read_owner(data).get("id"), True
        record = None if data is None else read_record(data, self._memory.title)
        self._version = self._version if record is None else record.version
        return record

    def save(self, record: Record, now: float, *, is_checked: bool) -> None:
        """Write the record.

        :param now: the time of the cloud, in seconds since 1970.
        :param is_checked: whether to wait and read the record again, unless this run has done so before: writes to
            devices follow, or the record contains a decision of a person that must not get lost.
        :raises ParticleError: ``run_in_progress`` when another run has written the record since.
        """
        with _suggest_state_file():
            self._memory.write({**record.as_data(), "owner": {"id": self._owner, "at": format_time(now)}})
        self.saved += 1
        self._known, self._version = self._owner, record.version
        if is_checked and not self._has_checked:
            self._has_checked = True
            self._clock.sleep(OWNER_SECONDS)
            self._check_owner(self._read())

    def _read(self) -> Mapping[str, Any] | None:
        with _suggest_state_file():
            return self._memory.read()

    def _check_owner(self, data: Mapping[str, Any] | None) -> None:
        owner = _read_owner(data)
        # After a lost response, the own mark may have been written although the write has failed.
        if owner.get("id") in (self._known, self._owner):
            return
        at = parse_time(owner.get("at"))
        moment = "" if at is None else f" at {format_time(at)}"
        message = (
            f"Another run {self._describe_change(data or {})}{moment}, possibly on another machine. This run ends."
        )
        raise ParticleError("run_in_progress", message)

    def _describe_change(self, data: Mapping[str, Any]) -> str:
        """Return the end of a sentence about the run that has written a record."""
        version = data.get("version")
        if isinstance(version, (int, float)) and self._version not in (None, version):
            return f"has begun the rollout of version {version:g} in place of this one"
        return _VERBS.get(str(data.get("phase")), "has continued this rollout")


@contextmanager
def _suggest_state_file() -> Iterator[None]:
    """Name the option ``state_file`` in the hint of an error about a missing permission."""
    try:
        yield
    except ParticleError as error:
        if error.code in ("forbidden", "missing_scope"):
            error.hint = f"{error.hint} Or set state_file to keep the record in a file."
        raise


def _read_owner(data: Mapping[str, Any] | None) -> Mapping[str, Any]:
    owner = (data or {}).get("owner")
    return owner if isinstance(owner, Mapping) else {}
