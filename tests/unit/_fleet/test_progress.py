# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""How far a run is: said in time, in numbers, and out of everybody's way."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import (
    Lines,
    LiveLine,
    Progress,
    ProgressThread,
    format_line,
)

NUMBERS_AND_FIXED_WORDS = re.compile(
    r"[\d,]+/[\d,]+ \| [\d.]+/s \| ETA (-|(\d+ days?, )?\d+:\d\d:\d\d) \| [\d,]+ failed( \| \d+ % of budget)?"
)


class TestTheLine:
    """What it says."""

    @pytest.mark.parametrize(
        ("done", "failed", "total", "seconds", "budget_used", "line"),
        [
            (0, 0, 10, 0.0, None, "0/10 | 0.0/s | ETA - | 0 failed"),
            (0, 0, 10, 30.0, 0.0, "0/10 | 0.0/s | ETA - | 0 failed | 0 % of budget"),
            (5, 0, 10, 2.0, None, "5/10 | 2.5/s | ETA 0:00:02 | 0 failed"),
            (1_250, 2, 10_000, 40.0, 0.951, "1,250/10,000 | 31/s | ETA 0:04:39 | 2 failed | 95 % of budget"),
            (10, 0, 10, 2.0, 1.0, "10/10 | 5.0/s | ETA 0:00:00 | 0 failed | 100 % of budget"),
            (1, 0, 1_000_000, 1.0, None, "1/1,000,000 | 1.0/s | ETA 11 days, 13:46:39 | 0 failed"),
        ],
    )
    def test_has_counts_rate_time_left_failures_and_budget(
        self, done: int, failed: int, total: int, seconds: float, budget_used: float | None, line: str
    ) -> None:
        assert format_line(done, failed, total, seconds, budget_used) == line

    def test_tells_no_rate_of_hardly_any_time(self) -> None:
        assert format_line(0, 1, 2, 5e-324, None) == "0/2 | 0.0/s | ETA - | 1 failed"

    def test_counts_a_failed_device_as_one_that_needs_no_more_time(self) -> None:
        assert "ETA 0:00:08" in format_line(1, 1, 10, 2.0, None)

    @given(
        done=st.integers(0, 10**7),
        failed=st.integers(0, 10**7),
        left=st.integers(0, 10**7),
        seconds=st.floats(0, 10**6),
        budget_used=st.none() | st.floats(0, 1),
    )
    def test_holds_nothing_but_numbers_and_fixed_words(
        self, done: int, failed: int, left: int, seconds: float, budget_used: float | None
    ) -> None:
        assert NUMBERS_AND_FIXED_WORDS.fullmatch(format_line(done, failed, done + failed + left, seconds, budget_used))


class TestTheTime:
    """When it is said."""

    def test_nothing_is_said_before_anything_is_to_be_done(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        clock.sleep(60)
        assert progress.get_due_line() is None
        progress.report(0, 0, 0)
        clock.sleep(60)
        assert progress.get_due_line() is None

    def test_a_line_is_due_at_each_interval_also_when_nothing_happens(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        said = []
        for _unused in range(12):
            clock.sleep(1)
            said.append(progress.get_due_line() is not None)
        assert said == [second in (5, 10) for second in range(1, 13)]

    def test_the_clock_starts_with_the_first_write_and_not_with_the_reading_before(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        clock.sleep(100)
        progress.report(0, 0, 20)
        clock.sleep(5)
        progress.report(10, 0, 20)
        assert progress.get_due_line() == "10/20 | 2.0/s | ETA 0:00:05 | 0 failed"

    def test_who_has_spoken_says_how_it_ended_at_once_and_once(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        clock.sleep(5)
        assert progress.get_due_line() is not None
        progress.report(8, 2, 10)
        clock.sleep(1)
        assert progress.get_due_line() == "8/10 | 1.7/s | ETA 0:00:00 | 2 failed"
        clock.sleep(300)  # while members join
        assert progress.get_due_line() is None

    def test_what_ends_within_the_first_interval_is_not_worth_a_line(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        progress.report(10, 0, 10)
        assert progress.get_due_line() is None
        clock.sleep(60)
        assert progress.get_due_line() is None

    def test_the_budget_is_asked_when_the_line_is_said(self, clock: TurnedClock) -> None:
        used = iter((0.25, 0.5))
        progress = Progress(5, clock=clock, budget_used=lambda: next(used))
        progress.report(0, 0, 10)
        lines = []
        for _unused in range(10):
            clock.sleep(1)
            lines.append(progress.get_due_line())
        assert [line.rpartition(" | ")[2] for line in lines if line] == ["25 % of budget", "50 % of budget"]


def on_screen(written: str) -> list[str]:
    """The lines that a terminal shows after all that was ``written``."""
    shown = []
    for line in written.split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        shown.append("".join(cells).rstrip())
    return shown


class Paper:
    """What was written, and a way to wait for it."""

    def __init__(self) -> None:
        self.text = ""
        self._changed = threading.Condition()

    def write(self, text: str) -> None:
        with self._changed:
            self.text += text
            self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.text, 10), f"{words} is not in {self.text!r}"


@pytest.fixture
def paper() -> Paper:
    return Paper()


class TestTheScreen:
    """Where it is shown."""

    def test_a_live_line_is_rewritten_in_place_also_when_it_gets_shorter(self, paper: Paper) -> None:
        screen = LiveLine(paper.write, 80)
        for line in ("a long line", "shorter", "longer again"):
            screen.show(line)
            assert on_screen(paper.text) == [line]

    def test_a_live_line_never_reaches_the_edge_where_it_could_not_be_taken_back(self, paper: Paper) -> None:
        LiveLine(paper.write, 10).show("0123456789abcdef")
        assert on_screen(paper.text) == ["012345678"]

    def test_a_live_line_leaves_no_trace(self, paper: Paper) -> None:
        screen = LiveLine(paper.write, 80)
        screen.clear()
        assert paper.text == ""
        screen.show("on its way")
        screen.clear()
        assert on_screen(paper.text + "changed: [localhost]") == ["changed: [localhost]"]

    def test_lines_stand_below_each_other_and_stay(self, paper: Paper) -> None:
        screen = Lines(paper.write)
        screen.show("one")
        screen.clear()
        screen.show("two")
        assert paper.text == "one\ntwo\n"


class TestBeingShown:
    """Beside a run, by a thread of its own."""

    def test_it_is_shown_while_the_run_goes_on_and_is_gone_when_it_ends(self, paper: Paper) -> None:
        progress = Progress(0)
        with ProgressThread(progress, LiveLine(paper.write, 80)).show_while_running():
            progress.report(3, 0, 10)
            paper.wait_for("3/10")
        assert on_screen(paper.text) == [""]

    def test_it_is_gone_when_the_run_fails(self, paper: Paper) -> None:
        def failing(progress: Progress) -> None:
            progress.report(3, 0, 10)
            paper.wait_for("3/10")
            raise ZeroDivisionError

        progress = Progress(0)
        with pytest.raises(ZeroDivisionError), ProgressThread(progress, LiveLine(paper.write, 80)).show_while_running():
            failing(progress)
        assert on_screen(paper.text) == [""]

    def test_a_warning_stands_on_a_line_of_its_own(self, paper: Paper) -> None:
        progress = Progress(0)
        shown = ProgressThread(progress, LiveLine(paper.write, 80))
        warn = shown.wrap_output(lambda text: paper.write(f"{text}\n"))
        with shown.show_while_running():
            progress.report(3, 0, 10)
            paper.wait_for("3/10")
            warn("Mind the gap.")
        assert on_screen(paper.text) == ["Mind the gap.", ""]

    def test_a_screen_that_is_gone_disturbs_no_run(self, paper: Paper) -> None:
        def gone(text: str) -> None:
            paper.write(text)
            raise BrokenPipeError

        progress = Progress(0)
        with ProgressThread(progress, LiveLine(gone, 80)).show_while_running():
            progress.report(3, 0, 10)
            paper.wait_for("3/10")
