# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, in one line of numbers and fixed words. Private to this collection.

What to say and when is computed in :class:`Progress`; where it is shown is a :class:`Screen`, of which there is one
that rewrites its line and one that prints lines below each other.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol

Report = Callable[[int, int, int], None]
"""Takes how many devices are done, how many have failed, and how many there are to change."""

Write = Callable[[str], None]
"""Puts a text where the user sees it, as it is: without a line break of its own."""

_LOOK_SECONDS = 0.25

_SHORTEST_SECONDS = 0.001
"""No rate is told of less than this."""


def no_report(done: int, failed: int, total: int) -> None:
    """The report of who does not want to know."""


class Progress:
    """What there is to say of a run, and whether it is time to. Safe to share between threads.

    :param every: seconds between two lines; the first comes as long after the first report.
    :param clock: seconds, monotonic.
    :param budget_used: the part of the cloud's budget that is used up, from 0 to 1, or ``None`` when not known.
    """

    def __init__(
        self,
        every: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        budget_used: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._every = every
        self._clock = clock
        self._budget_used = budget_used
        self._began = 0.0
        self._next: float | None = None
        """When the next line is due; ``None`` before the first report and after the last line."""
        self._spoken = False
        self._counts: tuple[int, int, int] | None = None

    def report(self, done: int, failed: int, total: int) -> None:
        """Note the state of the run: a :data:`Report`."""
        if self._counts is None:
            self._began = self._clock()
            self._next = self._began + self._every
        self._counts = (done, failed, total)

    def due(self) -> str | None:
        """The line to be shown now; ``None`` while it is not time.

        Who has said anything says how it ended, at once and once; what ends before is not worth a line.
        """
        now = self._clock()
        if self._counts is None or self._next is None:
            return None
        done, failed, total = self._counts
        ended = done + failed >= total
        if not ended and now < self._next:
            return None
        self._next = None if ended else now + self._every
        if ended and not self._spoken:
            return None
        self._spoken = True
        return line_of(done, failed, total, now - self._began, self._budget_used())


def line_of(done: int, failed: int, total: int, seconds: float, budget_used: float | None) -> str:
    """``1,250/10,000 | 31/s | ETA 0:04:42 | 2 failed | 95 % of budget``.

    :param seconds: since the first write. The rate is the average since then: under a budget that bursts and refills,
        what happens in a few seconds tells nothing about the rest.
    """
    ended = done + failed
    rate = ended / seconds if seconds > _SHORTEST_SECONDS else 0.0
    parts = [
        f"{done:,}/{total:,}",
        f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s",
        f"ETA {timedelta(seconds=round((total - ended) / rate))}" if rate else "ETA -",
        f"{failed:,} failed",
    ]
    if budget_used is not None:
        parts.append(f"{100 * budget_used:.0f} % of budget")
    return " | ".join(parts)


class Screen(Protocol):
    """Where lines are shown."""

    def show(self, line: str) -> None:
        """Show ``line``, in the place of or below the one before."""

    def clear(self) -> None:
        """Make room for what others print."""


class LiveLine:
    """One line that is rewritten in place. ``columns`` is the width of the terminal.

    It is overwritten with blanks and not by the terminal's own commands, which not every terminal knows.
    """

    def __init__(self, write: Write, columns: int) -> None:
        self._write = write
        self._columns = columns
        self._shown = 0

    def show(self, line: str) -> None:
        line = line[: self._columns - 1]  # what reaches the last column may start another line
        self._write(f"\r{line:<{self._shown}}")
        self._shown = len(line)

    def clear(self) -> None:
        if self._shown:
            self._write(f"\r{'':<{self._shown}}\r")
            self._shown = 0


class Lines:
    """One line below the other."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def show(self, line: str) -> None:
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Nothing stands in anybody's way."""


class Shown:
    """Shows a progress on a screen, from a thread of its own, while others may have something to say."""

    def __init__(self, progress: Progress, screen: Screen) -> None:
        self._progress = progress
        self._screen = screen
        self._lock = threading.Lock()
        self._over = threading.Event()

    def aside(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """``say``, that does not run into our line."""

        def say_on_a_line_of_its_own(text: str) -> None:
            with self._lock:
                self._screen.clear()
                say(text)

        return say_on_a_line_of_its_own

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Show what is due while the body runs, and leave the screen clean."""
        thread = threading.Thread(target=self._show_what_is_due, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            with contextlib.suppress(OSError):
                self._screen.clear()

    def _show_what_is_due(self) -> None:
        # Without anybody left to see it (the controlling process is gone) it ends, and leaves the run to itself.
        with contextlib.suppress(OSError):
            while not self._over.wait(_LOOK_SECONDS):
                if (line := self._progress.due()) is not None:
                    with self._lock:
                        self._screen.show(line)
