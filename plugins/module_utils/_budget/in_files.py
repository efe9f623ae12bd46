# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store the times of requests in files, which the processes of a user share. Private to this collection."""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import math
import os
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import Window

_LOCK_SECONDS = 5.0  # processes hold the lock for microseconds, unless they are stopped
_POLL_SECONDS = 0.0005
_KEPT_SECONDS = 2 * 3600  # longer than any window, so the requests in an older file no longer count
_SLOT_BYTES = 8


class FileLog:
    """A :class:`RequestLog` that stores the request times of each window in a ring buffer, in a file or in memory.

    :param folder: the folder of the files; ``None`` to keep the ring buffers in memory. If a file cannot be used or
        stays locked, an empty ring buffer in memory is used instead.
    :param clock: a function that returns seconds. All processes that share the folder must use the same clock.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._rings: dict[str, _Ring] = {}
        self._process, self._lock = os.getpid(), threading.Lock()

    def take_places(self, windows: Sequence[Window], waited: float) -> float:
        """Count a request in all ``windows``. If the limit of any window is reached, count the request in no window.

        :param waited: for how many seconds the request has waited so far.
        :returns: 0.0 if the request was counted, else the seconds after which to call this method again.
        """

        def take_if_free(rings: Sequence[_Ring], now: float) -> float:
            delay = max(ring.get_delay(now, waited) for ring in rings)
            if delay <= 0:
                for ring in rings:
                    ring.add_time(now)
            return max(delay, 0.0)

        return self._use_locked(windows, take_if_free)

    def get_delay(self, window: Window) -> float:
        """Return the seconds until ``window`` allows a request. 0.0 means now. The call is not counted as a request."""
        return self._use_locked([window], lambda rings, now: max(rings[0].get_delay(now), 0.0))

    def get_used_share(self, window: Window) -> float:
        """Return how much of ``window`` is used, from 0.0 (no requests) to 1.0 (the next request must wait)."""
        return self._use_locked([window], lambda rings, now: rings[0].get_used_share(now))

    def _use_locked(self, windows: Sequence[Window], use: Callable[[Sequence[_Ring], float], float]) -> float:
        """Lock the ring buffers of ``windows``, call ``use``, and unlock the ring buffers.

        :param use: a function that takes the ring buffers and the current time. If a file cannot be used or stays
            locked, the function is called with ring buffers in memory.
        :returns: the result of ``use``.
        """
        if self._process != os.getpid():  # in a child process, a lock that was held during the fork is never released
            self._process, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            rings = [self._open_ring(window) for window in windows]
            try:
                with contextlib.ExitStack() as held:
                    for ring in rings:
                        held.enter_context(ring)
                    return use(rings, self._clock())
            except OSError:
                for ring in rings:
                    ring.move_to_memory()
                return use(rings, self._clock())

    def _open_ring(self, window: Window) -> _Ring:
        if window.name not in self._rings:
            path = self._folder and self._folder / f"budget-{window.name}.ring"
            self._rings[window.name] = _Ring(window, path)
        return self._rings[window.name]


class _Ring:
    """A ring buffer with the times of the last requests in a window, in a file or in memory.

    The content is an index, followed by slots. The index and each slot have eight bytes. A slot contains the time of a
    request. The index is the number of the slot that is written next. A new time overwrites the oldest time. There is
    one slot more than the limit, so that the slot that is written next is never read. If a process is killed while it
    writes this slot, the invalid content does no harm.

    The content does not depend on the share of the limit that a process is allowed to use. Therefore, processes with
    different shares can use the same file.

    The ring buffer is a context manager. Each ``with`` statement opens and locks the file, and closes the file at its
    end. Therefore, a child process does not inherit an open file, and a file that was removed is created again.

    :raises OSError: from any method, when the file cannot be used.
    """

    def __init__(self, window: Window, path: Path | None) -> None:
        self._window = window
        self._places = window.size + 1
        self._path = path
        self._file, self._next, self._memory = -1, 0, bytearray()
        if path is None:
            self.move_to_memory()

    def move_to_memory(self) -> None:
        """Use an empty ring buffer in memory instead of the file. Keep a ring buffer that is already in memory."""
        if not self._memory:
            self._path, self._next, self._memory = None, 0, bytearray(self._build_blank())

    def __enter__(self) -> None:
        if self._path is None:
            return
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _lock_file(self._file)
            if os.lseek(self._file, 0, os.SEEK_END) != _SLOT_BYTES * (1 + self._places):  # a new or damaged file
                os.fchmod(self._file, 0o600)  # regardless of the umask
                os.ftruncate(self._file, 0)
                self._write(0, self._build_blank())
                _remove_old_files(self._path.parent)
            self._next = int.from_bytes(self._read(0, 1), "little") % self._places
        except BaseException:
            os.close(self._file)
            raise

    def __exit__(self, *error: object) -> None:
        if self._path is not None:
            try:
                # Closing is not enough: a child process that was just forked may have the file open and keep the lock.
                fcntl.flock(self._file, fcntl.LOCK_UN)
            finally:
                os.close(self._file)

    def get_delay(self, now: float, waited: float = 0.0) -> float:
        """Return the seconds until the window allows a request. 0 or less means now.

        :param waited: for how many seconds the request has waited so far.
        """
        moment = self._read_time(self._window.count_allowed(waited))
        if not moment <= now:  # the clock was set back, or the file is damaged
            moments = array("d", self._read(1, self._places))
            self._write(1, array("d", [moment if moment <= now else now for moment in moments]).tobytes())
            moment = now
        return moment + self._window.seconds - now

    def add_time(self, moment: float) -> None:
        """Add the time of a request."""
        # The index is written last. If the process is killed before that, the request does not count, and is not sent.
        self._write(1 + self._next, array("d", [moment]).tobytes())
        self._next = (self._next + 1) % self._places
        self._write(0, self._next.to_bytes(_SLOT_BYTES, "little"))

    def get_used_share(self, now: float) -> float:
        """Return how much of the window is used, from 0.0 (no requests) to 1.0 (the next request must wait)."""
        begin, allowed = now - self._window.seconds, self._window.allowed
        numbers = range(1, allowed + 1)
        return bisect.bisect_left(numbers, True, key=lambda number: self._read_time(number) <= begin) / allowed

    def _read_time(self, number: int) -> float:
        """Return the time of a request; minus infinity if there were fewer than ``number`` requests.

        :param number: the number of the request. The last request has number 1, and the second to last request has
            number 2.
        """
        return array("d", self._read(1 + (self._next - number) % self._places, 1))[0]

    def _build_blank(self) -> bytes:
        return bytes(_SLOT_BYTES) + array("d", [-math.inf]).tobytes() * self._places

    def _read(self, place: int, count: int) -> bytes:
        begin, length = _SLOT_BYTES * place, _SLOT_BYTES * count
        content = os.pread(self._file, length, begin) if self._path else bytes(self._memory[begin : begin + length])
        if len(content) != length:
            raise OSError(f"{self._path} was truncated")
        return content

    def _write(self, place: int, content: bytes) -> None:
        begin = _SLOT_BYTES * place
        if self._path:
            os.pwrite(self._file, content, begin)
        else:
            self._memory[begin : begin + len(content)] = content


def _lock_file(file: int) -> None:
    """Lock an open file. If another process holds the lock, wait.

    :raises TimeoutError: when another process holds the lock for longer than ``_LOCK_SECONDS``.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(_POLL_SECONDS)


def _remove_old_files(folder: Path) -> None:
    """Remove each ring buffer file that was not written for two hours. The requests in such a file no longer count."""
    for path in folder.glob("budget-*.ring"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _KEPT_SECONDS:
                path.unlink()
