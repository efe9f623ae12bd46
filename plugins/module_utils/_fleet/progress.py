# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the progress of a run in one line of numbers and fixed words. Private to this collection.

:class:`Progress` computes the progress line from counts, and :class:`LatestLine` takes the line from the run. Both
decide when to show the line. A :class:`Screen` shows the line: :class:`LiveLine` rewrites one line, and :class:`Lines`
prints each line below the previous line.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol

Report = Callable[[int, int, int], None]
"""A function that is called with three numbers: how many devices are done, how many have failed, and how many must
change in total."""

Write = Callable[[str], None]
"""A function that prints a string for the user, and adds no line break."""

_POLL_SECONDS = 0.25

_MIN_SECONDS = 0.001
"""If less than this number of seconds has passed since the first write, the rate is shown as 0."""


def ignore_progress(done: int, failed: int, total: int) -> None:
    """Do nothing. This is the :data:`Report` of callers that show no progress."""


class Progress:
    """A record of the progress of a run. It decides when a progress line is due. Safe to share between threads.

    :param every: seconds between two lines, and between the first report and the first line.
    :param clock: returns a monotonic time in seconds.
    :param budget_used: returns the used part of the request budget, from 0 to 1; ``None`` when unknown.
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
        """The time at which the next line is due; ``None`` before the first report and after the last line."""
        self._has_shown_line = False
        self._counts: tuple[int, int, int] | None = None

    def report(self, done: int, failed: int, total: int) -> None:
        """Record the progress of the run. The parameters are those of :data:`Report`."""
        if self._counts is None:
            self._began = self._clock()
            self._next = self._began + self._every
        self._counts = (done, failed, total)

    def get_due_line(self) -> str | None:
        """Return the line to show now; ``None`` if no line is due.

        The last line is due as soon as the run ends. A run that ends before its first line shows no line at all.
        """
        now = self._clock()
        if self._counts is None or self._next is None:
            return None
        done, failed, total = self._counts
        ended = done + failed >= total
        if not ended and now < self._next:
            return None
        self._next = None if ended else now + self._every
        if ended and not self._has_shown_line:
            return None
        self._has_shown_line = True
        return format_line(done, failed, total, now - self._began, self._budget_used())


class LatestLine:
    """The progress line of a run that describes its progress itself. Safe to share between threads.

    :param every: seconds between two lines, and between the first report and the first line. A run that is shorter
        shows no line.
    :param repeats: whether a line that has not changed is shown again.
    :param clock: returns a monotonic time in seconds.
    """

    def __init__(self, every: float, *, repeats: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._repeats = repeats
        self._clock = clock
        self._next: float | None = None
        self._line: str | None = None
        self._shown: str | None = None

    def report(self, line: str) -> None:
        """Record the line that describes the progress of the run."""
        if self._next is None:
            self._next = self._clock() + self._every
        self._line = line

    def get_due_line(self) -> str | None:
        """Return the line to show now; ``None`` if no line is due."""
        now, line = self._clock(), self._line
        if line is None or self._next is None or now < self._next or (line == self._shown and not self._repeats):
            return None
        self._next, self._shown = now + self._every, line
        return line


def format_line(done: int, failed: int, total: int, seconds: float, budget_used: float | None) -> str:
    """Return a line such as ``1,250/10,000 | 31/s | ETA 0:04:42 | 2 failed | 95 % of budget``.

    :param seconds: the time since the first write. The rate is the average over this whole time, because requests are
        sent in bursts.
    """
    ended = done + failed
    rate = ended / seconds if seconds > _MIN_SECONDS else 0.0
    parts = [
        f"{done:,}/{total:,}",
        f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s",
        f"ETA {timedelta(seconds=round((total - ended) / rate))}" if rate else "ETA -",
        f"{failed:,} failed",
    ]
    if budget_used is not None:
        parts.append(f"{100 * budget_used:.0f} % of budget")
    return " | ".join(parts)


class LineSource(Protocol):
    """A source of progress lines."""

    def get_due_line(self) -> str | None:
        """Return the line to show now; ``None`` if no line is due."""


class Screen(Protocol):
    """An output for progress lines."""

    def show(self, line: str) -> None:
        """Show ``line`` in place of the previous line, or below the previous line."""

    def clear(self) -> None:
        """Clear the progress line, so that other output can be printed."""


class LiveLine:
    """A screen that rewrites one line in place.

    The line is cleared with spaces, because not every terminal supports escape sequences.

    :param columns: the width of the terminal.
    """

    def __init__(self, write: Write, columns: int) -> None:
        self._write = write
        self._columns = columns
        self._shown = 0

    def show(self, line: str) -> None:
        """Show ``line``, cut to the width of the terminal, in place of the previous line."""
        line = line[: self._columns - 1]  # a character in the last column may wrap the line
        self._write(f"\r{line:<{self._shown}}")
        self._shown = len(line)

    def clear(self) -> None:
        """Overwrite the line with spaces."""
        if self._shown:
            self._write(f"\r{'':<{self._shown}}\r")
            self._shown = 0


class Lines:
    """A screen that prints each line below the previous line."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def show(self, line: str) -> None:
        """Print ``line`` and a line break."""
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Do nothing, because this screen prints only complete lines."""


class ProgressThread:
    """A thread that shows the progress of a run on a screen. Other output can be printed at the same time."""

    def __init__(self, progress: LineSource, screen: Screen) -> None:
        self._progress = progress
        self._screen = screen
        self._lock = threading.Lock()
        self._over = threading.Event()

    def wrap_output(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Return a function that clears the progress line and then calls ``say``.

        :param say: prints other output.
        """

        def say_after_clearing(text: str) -> None:
            with self._lock:
                self._screen.clear()
                say(text)

        return say_after_clearing

    @contextlib.contextmanager
    def show_while_running(self) -> Iterator[None]:
        """Show due lines while the body of the ``with`` statement runs, and clear the screen at the end."""
        thread = threading.Thread(target=self._show_due_lines, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            with contextlib.suppress(OSError):
                self._screen.clear()

    def _show_due_lines(self) -> None:
        # The output is closed if the controlling process has ended. Then only this thread ends, and the run continues.
        with contextlib.suppress(OSError):
            while not self._over.wait(_POLL_SECONDS):
                if (line := self._progress.get_due_line()) is not None:
                    with self._lock:
                        self._screen.show(line)
