# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that a cloud allows in a time, shared by all processes of a user on this machine.

Private to this collection. The Particle cloud counts per public address (errors-and-limits.md, section 3), so whoever
sends from here uses the same budget. It is kept before sending: who waits for a 429 wastes the request that earned it.
"""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import hashlib
import math
import os
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SHARE = 0.95
"""The part of each limit that a run may use; the rest is for everybody else behind the same address."""

EVERY_ROUTE = "every route"


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


DOCUMENTED: Mapping[str, Limit] = {
    EVERY_ROUTE: Limit(10_000, 300),
    "POST /oauth/token": Limit(100, 300),
    "GET /v1/access_tokens": Limit(100, 300),
    "DELETE /v1/access_tokens/:token": Limit(100, 300),
    "GET /v1/serial_numbers/:serial": Limit(50, 3600),  # of each account; here of all accounts together
}

UNDERWAY_SECONDS = 3.0
"""How much longer than another a request may take to the cloud, which counts when it arrives and not when it leaves."""

_LOCK_SECONDS = 5.0  # held for some microseconds, unless its holder was stopped just then
_POLL_SECONDS = 0.0005
_KEPT_SECONDS = 2 * 3600  # longer than any window, so that nothing counts in a file that is older
_MOMENT = 8


class Budget:
    """Sliding windows over the moments of sending: one for all routes, and one for each route with its own limit.

    It bursts while a window has room, and goes on as places come free. Safe to share between threads and across forks.

    :param folder: where processes share the windows of ``cloud``, an address; ``None`` for this process alone. So it
        also ends up where the folder cannot be used, or when somebody sits on a file: it never fails, and never hangs.
    :param clock: in seconds; the same for all processes when they share.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] = DOCUMENTED,
        *,
        share: float = SHARE,
        folder: Path | None = None,
        cloud: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._windows = {
            route: _Window(limit, share, folder and folder / _file_name(cloud, route, limit))
            for route, limit in limits.items()
        }
        self._clock = clock
        self._process, self._lock = os.getpid(), threading.Lock()

    def take(self, route: str, waited: float = 0.0) -> float:
        """Take a place for one request to ``route`` (method and path template), if there is one.

        :param waited: seconds that this request has waited so far.
        :returns: 0.0 when it may be sent now, else in how many seconds to ask again.
        """
        windows = [self._windows[key] for key in (EVERY_ROUTE, route) if key in self._windows]

        def try_it(now: float) -> float:
            delay = max((window.delay(now, waited) for window in windows), default=0.0)
            if delay <= 0:
                for window in windows:
                    window.add(now)
            return max(delay, 0.0)

        return self._alone_with(windows, try_it)

    def seconds_until_free(self, route: str) -> float:
        """How long the limit that ``route`` has of its own would hold up a request now; takes nothing."""
        window = self._windows.get(route)
        return 0.0 if window is None else self._alone_with([window], lambda now: max(window.delay(now), 0.0))

    def used(self) -> float | None:
        """The part of what may be used that is used now: at 1.0 the next one waits. ``None`` without a limit."""
        window = self._windows.get(EVERY_ROUTE)
        return None if window is None else self._alone_with([window], window.used)

    def _alone_with(self, windows: list[_Window], use: Callable[[float], float]) -> float:
        """What ``use`` makes of the time while nobody else touches ``windows``."""
        if self._process != os.getpid():  # a lock that was held in the moment of a fork stays so in the child
            self._process, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            try:
                with contextlib.ExitStack() as held:
                    for window in windows:
                        held.enter_context(window)
                    return use(self._clock())
            except OSError:
                for window in windows:
                    window.keep_to_myself()
                return use(self._clock())


class _Window:
    """One limit, and the moments of the last requests that count against it: in a file for all, or in memory.

    First the place of the next moment, then the moments, eight bytes each, the oldest overwritten first. Everybody
    looks back from the same place, whatever share each may use. In a ``with`` nobody else has the file. It is opened
    each time: that cannot be inherited by a child, and follows when somebody removes the file.

    :raises OSError: by each of the methods, when the file cannot be used.
    """

    def __init__(self, limit: Limit, share: float, path: Path | None) -> None:
        self._size = limit.requests
        self._allowed = max(1, int(limit.requests * share))
        self._seconds = limit.seconds + UNDERWAY_SECONDS
        self._path = path
        self._file, self._next, self._memory = -1, 0, bytearray()
        if path is None:
            self.keep_to_myself()

    def keep_to_myself(self) -> None:
        """Begin anew in memory, unless it is kept there already."""
        if not self._memory:
            self._path, self._next, self._memory = None, 0, bytearray(self._blank())

    def __enter__(self) -> None:
        if self._path is None:
            return
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _wait_for(self._file)
            if os.lseek(self._file, 0, os.SEEK_END) != _MOMENT * (1 + self._size):  # new, truncated, or none of ours
                os.fchmod(self._file, 0o600)  # whatever the umask takes away
                os.ftruncate(self._file, 0)
                self._write(0, self._blank())
                _prune(self._path.parent)
            self._next = int.from_bytes(self._read(0, 1), "little") % self._size
        except BaseException:
            os.close(self._file)
            raise

    def __exit__(self, *error: object) -> None:
        if self._path is not None:
            try:
                # Closing would not do where another thread has forked just now: the child has it open still.
                fcntl.flock(self._file, fcntl.LOCK_UN)
            finally:
                os.close(self._file)

    def delay(self, now: float, waited: float = 0.0) -> float:
        """Seconds until there is room for one more; 0 or less when there is."""
        # Who has waited for so long is kept out by others with a larger share, and may use what they leave.
        moment = self._last(self._allowed if waited < 2 * self._seconds else self._size)
        if not moment <= now:  # the clock was set back, or the file is damaged
            moments = array("d", self._read(1, self._size))
            self._write(1, array("d", [moment if moment <= now else now for moment in moments]).tobytes())
            moment = now
        return moment + self._seconds - now

    def add(self, moment: float) -> None:
        """One more request."""
        # In this order: who is killed in between has not sent it either.
        self._write(1 + self._next, array("d", [moment]).tobytes())
        self._next = (self._next + 1) % self._size
        self._write(0, self._next.to_bytes(_MOMENT, "little"))

    def used(self, now: float) -> float:
        """The part of the allowed requests that count now."""
        begin = now - self._seconds
        numbers = range(1, self._allowed + 1)
        return bisect.bisect_left(numbers, True, key=lambda number: self._last(number) <= begin) / self._allowed

    def _last(self, number: int) -> float:
        """The moment of the ``number``-th last request; minus infinity when there were not so many."""
        return array("d", self._read(1 + (self._next - number) % self._size, 1))[0]

    def _blank(self) -> bytes:
        return bytes(_MOMENT) + array("d", [-math.inf]).tobytes() * self._size

    def _read(self, place: int, count: int) -> bytes:
        begin, length = _MOMENT * place, _MOMENT * count
        content = os.pread(self._file, length, begin) if self._path else bytes(self._memory[begin : begin + length])
        if len(content) != length:
            raise OSError(f"{self._path} was truncated")
        return content

    def _write(self, place: int, content: bytes) -> None:
        begin = _MOMENT * place
        if self._path:
            os.pwrite(self._file, content, begin)
        else:
            self._memory[begin : begin + len(content)] = content


def _file_name(cloud: str, route: str, limit: Limit) -> str:
    """One file for each window. Who knows another limit keeps a record of its own: it would starve in this one."""
    what = "\0".join((cloud, route, str(limit.requests), str(limit.seconds)))
    return f"budget-{hashlib.sha256(what.encode(errors='surrogatepass')).hexdigest()[:32]}.ring"


def _wait_for(file: int) -> None:
    """Lock an open file. :raises TimeoutError: when somebody does not give it back."""
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(_POLL_SECONDS)


def _prune(folder: Path) -> None:
    """Remove the files of clouds that nobody has asked for long."""
    for path in folder.glob("budget-*.ring"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _KEPT_SECONDS:
                path.unlink()
