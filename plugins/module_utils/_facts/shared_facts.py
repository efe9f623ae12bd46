# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the facts of a fleet once, and share the facts among all hosts of a run. Private to this collection.

Each host needs the facts of one device, but one request to the cloud lists a hundred devices. The first process locks a
file and reads the whole fleet. This process stores the facts, or the error, in a second file for the other processes.
The second file contains no secrets. The first line of this file maps each device to the offset of its facts, so that a
process can read the facts of one device without parsing the whole file. Hashes of the first line and of the facts show
whether the file is damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import add_presence
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import GatheredFacts
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

REFUSAL_SECONDS = 30
"""If the fleet cannot be read, the same error is raised for this number of seconds, and no request is sent. In this
time, all waiting processes get the error. The time is short, so that a user who has corrected the cause can soon run
again."""

INCOMPLETE_SECONDS = 3
"""If a list changed while the fleet was read, devices may be missing from the stored facts. A host whose device is
missing reads the fleet again only if the stored facts are at least this number of seconds old. Without this limit,
every host whose device is missing would read the fleet again."""

_SLOTS = 64  # number of lock files; all fleets share this fixed number, because lock files are never removed
_KEPT_SECONDS = 3600  # every read of a fleet deletes stored files that are older than this


@dataclass(frozen=True)
class DeviceRead:
    """The facts of one device, as they were when the fleet was last read.

    :param facts: the facts of the device; ``None`` when the device was not found.
    :param complete: false if a list changed while the fleet was read. Devices may then be missing.
    :param age: the number of seconds since the fleet was read.
    """

    facts: dict[str, Any] | None
    complete: bool
    age: float


class Snapshot:
    """The stored facts of one fleet, or the stored error if the fleet could not be read.

    :param folder: the folder for the stored files. Only the user of this process can read the folder.
    :param fleet: the strings that identify the fleet; only their hash is stored.
    :param now: function that returns the seconds since 1970.
    """

    def __init__(self, folder: Path, fleet: Sequence[str], now: Callable[[], float]) -> None:
        name = hashlib.sha256("\0".join(fleet).encode(errors="surrogatepass")).hexdigest()[:32]
        self._path = folder / f"facts-{name}.json"
        self._lock = folder / f"facts.{int(name[:8], 16) % _SLOTS}.lock"
        self._now = now

    def get_facts(self, device: str, max_age: float, read_fleet: Callable[[], GatheredFacts]) -> DeviceRead:
        """Return the stored facts of ``device``. If the stored facts are missing or too old, read the fleet.

        :param max_age: the maximum age of the stored facts in seconds.
        :param read_fleet: function that reads the facts of the fleet.
        :raises ParticleError: when ``read_fleet`` fails, or when ``read_fleet`` failed in another process less than
            :data:`REFUSAL_SECONDS` ago.
        """
        seen = self._read_stored(device, max_age)
        if seen is not None:
            return seen
        with private_file.hold_lock(self._lock, "the shared facts of the devices"):
            seen = self._read_stored(device, max_age)  # another process may have read the fleet meanwhile
            if seen is not None:
                return seen
            self._delete_old_files()
            try:
                gathered = read_fleet()
            except ParticleError as error:
                self._store({"error": error.as_result()}, {})
                raise
            self._store({"complete": gathered.complete, "skew": gathered.skew}, gathered.devices)
            return self._build_result(gathered.devices.get(device), gathered.complete, gathered.skew, 0.0)

    def _read_stored(self, device: str, max_age: float) -> DeviceRead | None:
        head, facts = self._read_lines(device)
        age = self._now() - head.get("read_at", 0.0)
        if "error" in head and 0 <= age < min(max_age, REFUSAL_SECONDS):
            raise _build_repeated_error(head["error"], REFUSAL_SECONDS - age)
        if "error" in head or not 0 <= age < max_age:
            return None
        if facts is None and not head["complete"] and age >= INCOMPLETE_SECONDS:
            return None
        return self._build_result(facts, head["complete"], head["skew"], age)

    def _read_lines(self, device: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return the parsed first line of the stored file, and the facts of one device.

        The first value is an empty mapping if there is no valid file. The second value is ``None`` if the file does not
        contain the device.
        """
        # A damaged file is treated like a missing file: the fleet is read again.
        with contextlib.suppress(ParticleError):
            file = private_file.open_file(self._path)
            if file is not None:
                with file:
                    digest, _unused, first = file.readline().rstrip(b"\n").partition(b" ")
                    if digest != _hash_bytes(first).encode():
                        return {}, None
                    head: dict[str, Any] = json.loads(first)
                    place = head["places"].get(device)
                    if place is None:
                        return head, None
                    start, length, expected = place
                    file.seek(start, 1)
                    line = file.read(length)
                    if _hash_bytes(line) == expected:
                        return head, json.loads(line)
        return {}, None

    def _build_result(self, facts: Mapping[str, Any] | None, complete: bool, skew: float, age: float) -> DeviceRead:
        return DeviceRead(None if facts is None else add_presence(facts, self._now() + skew), complete, age)

    def _store(self, head: Mapping[str, Any], devices: Mapping[str, Mapping[str, Any]]) -> None:
        places: dict[str, tuple[int, int, str]] = {}
        lines: list[bytes] = []
        start = 0
        for device, facts in devices.items():
            line = json.dumps(facts).encode()
            places[device] = (start, len(line), _hash_bytes(line))
            lines.append(line)
            start += len(line)
        first = json.dumps({"read_at": self._now(), **head, "places": places}).encode()
        private_file.replace_file(self._path, b"".join((_hash_bytes(first).encode(), b" ", first, b"\n", *lines)))

    def _delete_old_files(self) -> None:
        """Delete all stored files that are older than :data:`_KEPT_SECONDS`, including the files of other fleets."""
        for path in self._path.parent.glob("facts-*.json"):
            with contextlib.suppress(OSError):
                if self._now() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


def _hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _build_repeated_error(error: Mapping[str, Any], left: float) -> ParticleError:
    """Return the stored error, with a hint that says when the fleet will be read again.

    :param error: the stored error.
    :param left: the number of seconds until the fleet can be read again.
    """
    return ParticleError(
        error["code"],
        error["message"],
        hint=f"{error['hint']} The same read failed a moment ago, and is not tried again for "
        f"{format_count(max(1, round(left)), 'second')}.",
        status=error["status"],
        route=error["route"],
    )
