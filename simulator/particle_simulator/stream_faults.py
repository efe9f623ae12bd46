# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The faults of open event streams, for `POST /_simulator/streams` (firmware-and-events.md, section 6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from particle_simulator.errors import bad_request

MAX_MUTE_SECONDS = 86_400
MAX_EVENTS = 10_000
"""The maximum number of events that one request can repeat or reorder."""


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """The faults that one request sets on all open streams. A value of zero leaves the streams unchanged."""

    cut: bool = False
    mute: float = 0.0
    repeat: int = 0
    reorder: int = 0


def read_stream_faults(changes: dict[str, Any]) -> StreamFaults:
    """Read the body of the request. Raise a `Refusal` if a value is invalid."""
    return StreamFaults(**{name: READERS[name](name, value) for name, value in changes.items()})


def _read_cut(name: str, value: Any) -> bool:
    if value is not True:
        raise bad_request(f"{name} must be true")
    return True


def _read_seconds(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= MAX_MUTE_SECONDS:
        raise bad_request(f"{name} must be a number of seconds above 0 and up to {MAX_MUTE_SECONDS} (a day)")
    return float(value)


def _read_count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_EVENTS:
        raise bad_request(f"{name} must be a number of events from 1 to {MAX_EVENTS}")
    return value


READERS: dict[str, Callable[[str, Any], Any]] = {
    "cut": _read_cut,
    "mute": _read_seconds,
    "repeat": _read_count,
    "reorder": _read_count,
}
"""The functions that read the values of the request body, by key."""


class Delivery:
    """The delivery of events in one stream: without change, or lost, repeated and reordered by faults."""

    __slots__ = ("_held", "_muted_until", "_reorders_left", "_repeats_left")

    def __init__(self) -> None:
        self._muted_until = 0.0
        self._repeats_left = 0
        self._reorders_left = 0
        self._held: list[bytes] = []

    @property
    def is_muted(self) -> bool:
        """Whether the stream sends nothing at present. A mute always takes real seconds."""
        return time.monotonic() < self._muted_until

    def set_faults(self, faults: StreamFaults) -> list[bytes]:
        """Set the faults, and return the held events that must be sent first.

        A new mute, repeat or reorder replaces an earlier fault of the same kind.
        """
        if faults.mute:
            self._muted_until = time.monotonic() + faults.mute
        if faults.repeat:
            self._repeats_left = faults.repeat
        if not faults.reorder:
            return []
        released = self.release()
        self._reorders_left = faults.reorder
        return released

    def deliver(self, chunk: bytes) -> list[bytes]:
        """Return the events to send when a new event arrives. An event that arrives during a mute is lost."""
        if self.is_muted:
            return []
        if self._repeats_left:
            self._repeats_left -= 1
            chunk += chunk
        if not self._reorders_left:
            return [chunk]
        self._held.append(chunk)
        self._reorders_left -= 1
        return [] if self._reorders_left else self.release()

    def release(self) -> list[bytes]:
        """Return the events that are held for reordering, newest first, and hold no further events.

        During a mute the held events are lost, because a muted stream sends nothing.
        """
        released = [] if self.is_muted else self._held[::-1]
        self._held = []
        self._reorders_left = 0
        return released
