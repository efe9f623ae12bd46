# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the record of a rollout, and detect other controllers that write it. Private to this collection."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record, read_record

OWNER_SECONDS = 2.0
"""Seconds after which a run reads its first record again. A run of another controller that began at the same time has
written its own mark by then."""


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
        self.saved = 0

    def load(self) -> Record | None:
        """Read the record; ``None`` if there is none.

        :raises ParticleError: ``run_in_progress`` when another run has written the record since this run has written
            or read it; ``conflict`` when the record is damaged.
        """
        data = self._memory.read()
        if self._has_loaded:
            self._check_owner(data)
        else:
            self._known, self._has_loaded = _read_owner(data).get("id"), True
        return None if data is None else read_record(data, self._memory.title)

    def save(self, record: Record, now: float, *, has_writes: bool) -> None:
        """Write the record.

        :param now: the time of the cloud, in seconds since 1970.
        :param has_writes: whether writes to devices follow. Before the first ones, the record is read again.
        :raises ParticleError: ``run_in_progress`` when another run has written the record since.
        """
        self._memory.write({**record.as_data(), "owner": {"id": self._owner, "at": format_time(now)}})
        is_first = not self.saved
        self.saved += 1
        self._known = self._owner
        if is_first and has_writes:
            self._clock.sleep(OWNER_SECONDS)
            self._check_owner(self._memory.read())

    def _check_owner(self, data: Mapping[str, Any] | None) -> None:
        owner = _read_owner(data)
        if owner.get("id") == self._known:
            return
        since = f" since {owner['at']}" if "at" in owner else ""
        message = f"Another run continues this rollout{since}, possibly on another machine; this run has stopped."
        raise ParticleError("run_in_progress", message)


def _read_owner(data: Mapping[str, Any] | None) -> Mapping[str, Any]:
    owner = (data or {}).get("owner")
    return owner if isinstance(owner, Mapping) else {}
