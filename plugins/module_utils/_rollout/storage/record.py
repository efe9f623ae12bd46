# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the record of a rollout, which the cloud stores between two runs. Private to this collection.

The record contains only what the device list does not tell. Its JSON schema is docs/rollout_record.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import MAX_SYNCED_BYTES, measure_json
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time, parse_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Phase, State, compute_rank

FORMAT = 1
MAX_FOREIGN_LOCKS = 500
MAX_SIZE = MAX_SYNCED_BYTES - 384
"""The maximum size of the record in bytes. The rest of the ledger instance is for the mark of the run that owns it."""


_MAX_OFFLINE = 1000
_DIGITS = 6
"""Number of stored digits of the rank of a device. It is small, so that many devices fit into the record."""


@dataclass(frozen=True)
class WaveRecord:
    """A wave that has begun.

    :param through: the rank of the last member in the stable order of devices; ``None`` for a wave that consists of
        device groups.
    :param groups: the device groups of the wave; empty for a wave with ``through``.
    :param began: when the wave began, in seconds since 1970.
    :param targeted: when devices of the wave were last targeted. All devices that were targeted before were decided or
        pending at that time.
    :param written: when the last of these writes ended. Writing a large wave can take many minutes.
    :param decided: when the wave was first seen without updating devices; ``None`` before that.
    :param offline: the first digits of the ranks of the devices that were offline or had updates switched off when they
        were targeted; ``None`` if there were too many.
    """

    through: str | None
    groups: tuple[str, ...]
    began: float
    targeted: float
    written: float
    decided: float | None = None
    offline: frozenset[str] | None = frozenset()

    def may_have_been_offline(self, device: str) -> bool:
        """Return whether a device was offline or refused updates when it was targeted, or this is unknown."""
        return self.offline is None or _shorten_rank(device) in self.offline

    def was_offline(self, device: str) -> bool:
        """Return whether a device is known to have been offline, or to have refused updates, when it was targeted."""
        return self.offline is not None and _shorten_rank(device) in self.offline


@dataclass(frozen=True)
class Restart:
    """A device that has begun a new session although its update was decided.

    :param at: when its last session began, in seconds since 1970.
    :param count: the number of such sessions that runs have seen. The first session with the new version is not counted
        for a device that was offline when it was targeted.
    """

    at: float
    count: int = 1


@dataclass(frozen=True)
class Approval:
    """The approval of a wave, and of all waves before it that were not approved yet.

    :param by: the account that approved the waves; ``None`` if unknown.
    """

    wave: int
    at: float
    by: str | None = None


@dataclass(frozen=True)
class Record:
    """The record of a rollout.

    :param locks: the versions whose locks belong to rollouts, each with the ids of the devices that had such a lock
        already before, which do not belong to a rollout.
    :param failed: the states of devices that had failed before the last devices of their wave were targeted, and at the
        end of the rollout, keyed by device id.
    :param restarts: keyed by device id.
    :param settings: the declared options that ``rollout_info`` needs, as the module declares them.
    """

    version: int
    phase: Phase
    began: float
    waves: tuple[WaveRecord, ...] = ()
    approvals: tuple[Approval, ...] = ()
    accepted: frozenset[str] = frozenset()
    locks: Mapping[int, frozenset[str]] = field(default_factory=dict)
    failed: Mapping[str, State] = field(default_factory=dict)
    restarts: Mapping[str, Restart] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def approved_through(self) -> int:
        """Return the number of the last approved wave."""
        return max((approval.wave for approval in self.approvals), default=0)

    def owns_lock(self, device: str, lock: int | None) -> bool:
        """Return whether the lock of a device belongs to a rollout."""
        return lock is not None and lock in self.locks and device not in self.locks[lock]

    def replace_wave(self, number: int, wave: WaveRecord) -> Record:
        """Return the record with another wave. The first wave has the number 1."""
        return replace(self, waves=(*self.waves[: number - 1], wave, *self.waves[number:]))

    def as_data(self) -> dict[str, Any]:
        """Return the record as JSON data. If it is too large, details are left out that a later run can find again.

        :raises ParticleError: ``conflict`` when the record is still too large.
        """
        data = self._build_data(self)
        if measure_json(data) > MAX_SIZE:
            waves = tuple(replace(wave, offline=None if wave.offline else wave.offline) for wave in self.waves)
            data = self._build_data(replace(self, waves=waves))
        while measure_json(data) > MAX_SIZE and (data["failed"] or data["restarts"]):
            name = max(("failed", "restarts"), key=lambda each: len(data[each]))
            data[name] = dict(list(data[name].items())[len(data[name]) // 10 + 1 :])
        if measure_json(data) > MAX_SIZE:
            message = "The rollout has too many waves, accepted devices and foreign locks for its record in the cloud."
            raise ParticleError("conflict", message, hint="Use fewer waves, or select the devices by filters.")
        return data

    def _rank_failed(self, device: str) -> tuple[bool, str]:
        """Return the position of a device in the record. The first devices are left out if the record is too large.

        A later run finds a failure again, but not that a silent device was online when it was targeted.
        """
        return self.failed[device] is State.GONE, device

    def _rank_restart(self, device: str) -> tuple[int, str]:
        """Return the position of a device in the record, with the devices that restart most often at the end."""
        return self.restarts[device].count, device

    @staticmethod
    def _build_data(record: Record) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": record.version,
            "phase": record.phase.value,
            "began": format_time(record.began),
            "waves": [_show_wave(wave) for wave in record.waves],
            "approvals": [{"wave": each.wave, "at": format_time(each.at), "by": each.by} for each in record.approvals],
            "accepted": sorted(record.accepted),
            "locks": {str(version): sorted(foreign) for version, foreign in sorted(record.locks.items())},
            "failed": {each: record.failed[each].value for each in sorted(record.failed, key=record._rank_failed)},
            "restarts": {
                device: {"at": format_time(record.restarts[device].at), "count": record.restarts[device].count}
                for device in sorted(record.restarts, key=record._rank_restart)
            },
            "settings": dict(record.settings),
        }


def _shorten_rank(device: str) -> str:
    return compute_rank(device)[:_DIGITS]


def keep_offline(devices: Iterable[str]) -> frozenset[str] | None:
    """Return the value of :attr:`WaveRecord.offline` for some devices, or ``None`` if they are too many."""
    found = frozenset(map(_shorten_rank, devices))
    return found if len(found) <= _MAX_OFFLINE else None


def read_record(data: Any, where: str) -> Record:
    """Return the record that was stored as JSON data.

    :param where: the name of the place where the data is stored, for the message.
    :raises ParticleError: ``conflict`` when the data is not a valid record.
    """
    try:
        if data["format"] != FORMAT:
            raise ValueError("format")
        return Record(
            version=_read_number(data["version"]),
            phase=Phase(data["phase"]),
            began=_read_time(data["began"]),
            waves=tuple(map(_read_wave, data["waves"])),
            approvals=tuple(
                Approval(_read_number(each["wave"]), _read_time(each["at"]), _read_name(each.get("by")))
                for each in data["approvals"]
            ),
            accepted=_read_ids(data["accepted"]),
            locks={int(version): _read_ids(foreign) for version, foreign in data["locks"].items()},
            failed={str(device): State(state) for device, state in data["failed"].items()},
            restarts={
                str(device): Restart(_read_time(each["at"]), _read_number(each["count"]))
                for device, each in data["restarts"].items()
            },
            settings=dict(data["settings"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        message = (
            f"The record of the rollout in {where} is damaged, or a newer version of the collection has written it."
        )
        hint = "Restore it, or remove it: the next run then begins the rollout again, and devices keep their locks."
        raise ParticleError("conflict", message, hint=hint) from None


def _show_wave(wave: WaveRecord) -> dict[str, Any]:
    members = {"groups": list(wave.groups)} if wave.through is None else {"through": wave.through}
    return {
        **members,
        "began": format_time(wave.began),
        "targeted": format_time(wave.targeted),
        "written": format_time(wave.written),
        "decided": None if wave.decided is None else format_time(wave.decided),
        "offline": None if wave.offline is None else "".join(sorted(wave.offline)),
    }


def _read_wave(data: Mapping[str, Any]) -> WaveRecord:
    through = data.get("through")
    return WaveRecord(
        through=None if through is None else str(through),
        groups=tuple(map(str, data.get("groups", ()))),
        began=_read_time(data["began"]),
        targeted=_read_time(data["targeted"]),
        written=_read_time(data["written"]),
        decided=None if data["decided"] is None else _read_time(data["decided"]),
        offline=None if data["offline"] is None else _read_ranks(data["offline"]),
    )


def _read_time(value: Any) -> float:
    moment = parse_time(value)
    if moment is None:
        raise ValueError(value)
    return moment


def _read_number(value: Any) -> int:
    # A ledger may store numbers as floating-point numbers.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1:
        raise ValueError(value)  # the remainder of an infinite number is not a number, and not zero
    return int(value)


def _read_name(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_ids(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise ValueError(value)
    return frozenset(map(str, value))


def _read_ranks(value: Any) -> frozenset[str]:
    if not isinstance(value, str) or len(value) % _DIGITS:
        raise ValueError(value)
    return frozenset(value[at : at + _DIGITS] for at in range(0, len(value), _DIGITS))
