# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a fleet for all hosts of a run. Private to this collection.

Each host wants the facts of its own device, and the cloud gives them by the hundred. So whoever looks first does it
under a lock and leaves what it saw, or why it saw nothing, for the others. The file holds facts and no secrets; its
first line says where in it each device stands, so that nobody has to read ten thousand devices to know one.
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
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import with_presence
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import Gathered
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file

REFUSAL_SECONDS = 30
"""How long a failure is everybody's: long enough for those who wait, short enough for a person who corrects it."""

INCOMPLETE_SECONDS = 3
"""How long a look that may have missed a device is the answer to who asks for one that it has not seen: long enough
for all hosts of a run, so that they do not each look anew."""

_SLOTS = 64  # lock files, which are never removed: a look has one of them, and shares it by chance
_KEPT_SECONDS = 3600  # until somebody else sweeps away what nobody has asked for since


@dataclass(frozen=True)
class Seen:
    """What one look says of one device. ``facts`` is ``None`` when it was not there; ``age`` of the look in seconds."""

    facts: dict[str, Any] | None
    complete: bool
    age: float


class Snapshot:
    """The last look at one fleet.

    :param folder: of this user alone.
    :param fleet: all that tells this fleet from others; of what it holds only a hash leaves this process.
    :param now: seconds since 1970.
    """

    def __init__(self, folder: Path, fleet: Sequence[str], now: Callable[[], float]) -> None:
        name = hashlib.sha256("\0".join(fleet).encode(errors="surrogatepass")).hexdigest()[:32]
        self._path = folder / f"facts-{name}.json"
        self._lock = folder / f"facts.{int(name[:8], 16) % _SLOTS}.lock"
        self._now = now

    def see(self, device: str, max_age: float, look: Callable[[], Gathered]) -> Seen:
        """What is known of ``device``, from a look that is at most ``max_age`` seconds old.

        :raises ParticleError: as ``look`` does, now or for whoever looked just before.
        """
        seen = self._recall(device, max_age)
        if seen is not None:
            return seen
        with private_file.held(self._lock, "a look at the fleet"):
            seen = self._recall(device, max_age)  # somebody may just have looked
            if seen is not None:
                return seen
            self._sweep()
            try:
                gathered = look()
            except ParticleError as error:
                self._keep({"error": error.as_result()}, {})
                raise
            self._keep({"complete": gathered.complete, "skew": gathered.skew}, gathered.devices)
            return self._seen(gathered.devices.get(device), gathered.complete, gathered.skew, 0.0)

    def _recall(self, device: str, max_age: float) -> Seen | None:
        head, facts = self._read(device)
        age = self._now() - head.get("read_at", 0.0)
        if "error" in head and 0 <= age < min(max_age, REFUSAL_SECONDS):
            raise _again(head["error"], REFUSAL_SECONDS - age)
        if "error" in head or not 0 <= age < max_age:
            return None
        if facts is None and not head["complete"] and age >= INCOMPLETE_SECONDS:
            return None
        return self._seen(facts, head["complete"], head["skew"], age)

    def _read(self, device: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The first line of the file, empty when there is none, and the facts of one device, if it was there."""
        # What is not as it was written is as good as nothing: it is looked at anew.
        with contextlib.suppress(ParticleError, ValueError, LookupError, TypeError):
            file = private_file.opened(self._path)
            if file is not None:
                with file:
                    head: dict[str, Any] = json.loads(file.readline())
                    place = head["places"].get(device)
                    if place is None:
                        return head, None
                    file.seek(place[0], 1)
                    facts: dict[str, Any] = json.loads(file.read(place[1]))
                    return head, facts
        return {}, None

    def _seen(self, facts: Mapping[str, Any] | None, complete: bool, skew: float, age: float) -> Seen:
        return Seen(None if facts is None else with_presence(facts, self._now() + skew), complete, age)

    def _keep(self, head: Mapping[str, Any], devices: Mapping[str, Mapping[str, Any]]) -> None:
        places: dict[str, tuple[int, int]] = {}
        lines: list[bytes] = []
        start = 0
        for device, facts in devices.items():
            line = json.dumps(facts).encode()
            places[device] = (start, len(line))
            lines.append(line)
            start += len(line)
        first = json.dumps({"read_at": self._now(), **head, "places": places}).encode()
        private_file.replace(self._path, b"".join((first, b"\n", *lines)))

    def _sweep(self) -> None:
        """Facts of a fleet are nothing to leave lying about."""
        for path in self._path.parent.glob("facts-*.json"):
            with contextlib.suppress(OSError):
                if self._now() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


def _again(error: Mapping[str, Any], left: float) -> ParticleError:
    """The failure of a look that was taken just now, for whoever comes after it."""
    return ParticleError(
        error["code"],
        error["message"],
        hint=f"{error['hint']} That was found just now, and is not tried again for {max(1, round(left))} seconds.",
        status=error["status"],
        route=error["route"],
    )
