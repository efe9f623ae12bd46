# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the progress line of a run: its text, its times and its output."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import (
    LatestLine,
    Lines,
    LiveLine,
    Progress,
    ProgressThread,
    format_line,
)
from support.turned_clock import TurnedClock

NUMBERS_AND_FIXED_WORDS = re.compile(
    r"[\d,]+/[\d,]+ \| [\d.]+/s \| ETA (-|(\d+ days?, )?\d+:\d\d:\d\d) \| [\d,]+ failed( \| \d+ % of budget)?"
)


class TestFormatLine:
    """Text of the line."""

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
    def test_line_has_counts_rate_time_left_failures_and_budget(
        self, done: int, failed: int, total: int, seconds: float, budget_used: float | None, line: str
    ) -> None:
        assert format_line(done, failed, total, seconds, budget_used) == line

    def test_rate_is_zero_after_almost_no_time(self) -> None:
        assert format_line(0, 1, 2, 5e-324, None) == "0/2 | 0.0/s | ETA - | 1 failed"

    def test_time_left_excludes_failed_devices(self) -> None:
        assert "ETA 0:00:08" in format_line(1, 1, 10, 2.0, None)

    @given(
        done=st.integers(0, 10**7),
        failed=st.integers(0, 10**7),
        left=st.integers(0, 10**7),
        seconds=st.floats(0, 10**6),
        budget_used=st.none() | st.floats(0, 1),
    )
    def test_line_contains_only_numbers_and_fixed_words(
        self, done: int, failed: int, left: int, seconds: float, budget_used: float | None
    ) -> None:
        assert NUMBERS_AND_FIXED_WORDS.fullmatch(format_line(done, failed, done + failed + left, seconds, budget_used))


class TestProgress:
    """Times at which a line is due."""

    def test_no_line_is_due_before_a_device_is_to_change(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        clock.sleep(60)
        assert progress.get_due_line() is None
        progress.report(0, 0, 0)
        clock.sleep(60)
        assert progress.get_due_line() is None

    def test_line_is_due_at_each_interval_without_new_reports(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        due = []
        for _unused in range(12):
            clock.sleep(1)
            due.append(progress.get_due_line() is not None)
        assert due == [second in (5, 10) for second in range(1, 13)]

    def test_time_is_measured_from_the_first_report(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        clock.sleep(100)
        progress.report(0, 0, 20)
        clock.sleep(5)
        progress.report(10, 0, 20)
        assert progress.get_due_line() == "10/20 | 2.0/s | ETA 0:00:05 | 0 failed"

    def test_last_line_is_due_at_once_and_only_once(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        clock.sleep(5)
        assert progress.get_due_line() is not None
        progress.report(8, 2, 10)
        clock.sleep(1)
        assert progress.get_due_line() == "8/10 | 1.7/s | ETA 0:00:00 | 2 failed"
        clock.sleep(300)  # while members join
        assert progress.get_due_line() is None

    def test_run_shorter_than_the_interval_shows_no_line(self, clock: TurnedClock) -> None:
        progress = Progress(5, clock=clock)
        progress.report(0, 0, 10)
        progress.report(10, 0, 10)
        assert progress.get_due_line() is None
        clock.sleep(60)
        assert progress.get_due_line() is None

    def test_budget_is_read_only_when_a_line_is_due(self, clock: TurnedClock) -> None:
        used = iter((0.25, 0.5))
        progress = Progress(5, clock=clock, budget_used=lambda: next(used))
        progress.report(0, 0, 10)
        lines = []
        for _unused in range(10):
            clock.sleep(1)
            lines.append(progress.get_due_line())
        assert [line.rpartition(" | ")[2] for line in lines if line] == ["25 % of budget", "50 % of budget"]


class TestLatestLine:
    """Times at which the latest line of a run without a total is due."""

    def test_no_line_is_due_before_the_first_report(self, clock: TurnedClock) -> None:
        progress = LatestLine(5, repeats=True, clock=clock)
        clock.sleep(60)
        assert progress.get_due_line() is None

    def test_run_shorter_than_the_interval_shows_no_line(self, clock: TurnedClock) -> None:
        progress = LatestLine(5, repeats=True, clock=clock)
        clock.sleep(100)
        progress.report("wave 1/4 | running")
        clock.sleep(4)
        assert progress.get_due_line() is None

    @pytest.mark.parametrize(("repeats", "seconds"), [(True, [5, 10, 15, 20]), (False, [5, 13])])
    def test_unchanged_line_is_due_again_only_if_it_repeats(
        self, clock: TurnedClock, repeats: bool, seconds: list[int]
    ) -> None:
        progress = LatestLine(5, repeats=repeats, clock=clock)
        progress.report("wave 1/4 | running")
        due = []
        for second in range(1, 21):
            clock.sleep(1)
            if second == 13:
                progress.report("wave 1/4 | soaking")
            due += [second] if progress.get_due_line() is not None else []
        assert due == seconds

    def test_due_line_is_the_latest_of_several_reports(self, clock: TurnedClock) -> None:
        progress = LatestLine(5, repeats=False, clock=clock)
        progress.report("wave 1/4 | running")
        progress.report("wave 1/4 | soaking")
        clock.sleep(5)
        assert progress.get_due_line() == "wave 1/4 | soaking"


def render_terminal(written: str) -> list[str]:
    """Return the lines that a terminal shows after it was sent a text."""
    shown = []
    for line in written.split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        shown.append("".join(cells).rstrip())
    return shown


class Output:
    """An output that records its text and can wait for words in it."""

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
def output() -> Output:
    return Output()


class TestScreens:
    """Screens that show a line."""

    def test_live_line_is_rewritten_in_place_when_it_gets_shorter(self, output: Output) -> None:
        screen = LiveLine(output.write, 80)
        for line in ("a long line", "shorter", "longer again"):
            screen.show(line)
            assert render_terminal(output.text) == [line]

    def test_live_line_is_cut_before_the_last_column(self, output: Output) -> None:
        LiveLine(output.write, 10).show("0123456789abcdef")
        assert render_terminal(output.text) == ["012345678"]

    def test_cleared_live_line_leaves_nothing_on_the_screen(self, output: Output) -> None:
        screen = LiveLine(output.write, 80)
        screen.clear()
        assert output.text == ""
        screen.show("on its way")
        screen.clear()
        assert render_terminal(output.text + "changed: [localhost]") == ["changed: [localhost]"]

    def test_lines_are_printed_below_each_other(self, output: Output) -> None:
        screen = Lines(output.write)
        screen.show("one")
        screen.clear()
        screen.show("two")
        assert output.text == "one\ntwo\n"


class TestProgressThread:
    """Thread that shows the line during a run."""

    def test_line_is_shown_during_the_run_and_cleared_at_its_end(self, output: Output) -> None:
        progress = Progress(0)
        with ProgressThread(progress, LiveLine(output.write, 80)).show_while_running():
            progress.report(3, 0, 10)
            output.wait_for("3/10")
        assert render_terminal(output.text) == [""]

    def test_line_is_cleared_when_the_run_fails(self, output: Output) -> None:
        def report_and_fail(progress: Progress) -> None:
            progress.report(3, 0, 10)
            output.wait_for("3/10")
            raise ZeroDivisionError

        progress = Progress(0)
        with (
            pytest.raises(ZeroDivisionError),
            ProgressThread(progress, LiveLine(output.write, 80)).show_while_running(),
        ):
            report_and_fail(progress)
        assert render_terminal(output.text) == [""]

    def test_warning_is_printed_on_its_own_line(self, output: Output) -> None:
        progress = Progress(0)
        thread = ProgressThread(progress, LiveLine(output.write, 80))
        warn = thread.wrap_output(lambda text: output.write(f"{text}\n"))
        with thread.show_while_running():
            progress.report(3, 0, 10)
            output.wait_for("3/10")
            warn("Mind the gap.")
        assert render_terminal(output.text) == ["Mind the gap.", ""]

    def test_run_continues_when_the_output_is_closed(self, output: Output) -> None:
        def write_to_closed_output(text: str) -> None:
            output.write(text)
            raise BrokenPipeError

        progress = Progress(0)
        with ProgressThread(progress, LiveLine(write_to_closed_output, 80)).show_while_running():
            progress.report(3, 0, 10)
            output.wait_for("3/10")
