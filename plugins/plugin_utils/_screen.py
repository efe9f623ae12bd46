# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the progress of an action plugin while it works. Private to this collection.

An action plugin runs in a worker process, which has no terminal. The controlling process prints the output of the
worker. This module checks at import whether standard error is a terminal, because the import takes place in the
controlling process, before the worker starts.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import (
    LatestLine,
    Lines,
    LineSource,
    LiveLine,
    Progress,
    ProgressThread,
    Report,
    Screen,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task

display = Display()

_LIVE_SECONDS = 0.5
_PLAIN_SECONDS = 5.0
_DEFAULT_COLUMNS = 80

_CONTROLLER_CALLBACK = "awx_display"
"""Name of the callback plugin of ansible-runner, which treats standard error as output of the play, too."""

_MACHINE_CALLBACKS = frozenset({"json", "jsonl", "null"})
"""Names of callback plugins whose output is read by programs. The names do not contain the collection."""


def _measure_columns() -> int | None:
    """Return the width of the terminal; ``None`` if standard error is not a terminal."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_COLUMNS
    except (AttributeError, OSError, ValueError):  # a closed stream, or one in memory
        return None


_COLUMNS = _measure_columns()


def _get_callback() -> str:
    return str(constants.DEFAULT_STDOUT_CALLBACK).rpartition(".")[2]


def is_run_by_controller() -> bool:
    """Return whether ansible-runner runs the playbook, which is how an automation controller runs playbooks."""
    return _get_callback() == _CONTROLLER_CALLBACK


def print_text(text: str) -> None:
    """Print a text about the result of a task that Ansible itself does not print.

    Nothing is printed if a program reads the output. ansible-runner separates such text from the events of tasks.
    """
    if _get_callback() not in _MACHINE_CALLBACKS:
        display.display(text)


def _write_text(text: str) -> None:
    # Standard output belongs to the callback plugin. Progress is not written to the log.
    display.display(text, stderr=True, screen_only=True, newline=False)


@contextlib.contextmanager
def show_progress(task: Task) -> Iterator[Report]:
    """Show the reported progress until the end of the block. Warnings of ``task`` are shown on separate lines."""
    progress = Progress(
        _PLAIN_SECONDS if _COLUMNS is None else _LIVE_SECONDS,
        budget_used=lambda: task.http.budget.get_used_share() if task.http else None,
    )
    with _show_lines(task, progress):
        yield progress.report


@contextlib.contextmanager
def show_latest_line(task: Task) -> Iterator[Callable[[str], None]]:
    """Show the line that was last reported, until the end of the block, as :func:`show_progress` does.

    Without a terminal, a line is shown only if it has changed, because the task may wait for days.
    """
    is_live = _COLUMNS is not None
    progress = LatestLine(_LIVE_SECONDS if is_live else _PLAIN_SECONDS, repeats=is_live)
    with _show_lines(task, progress):
        yield progress.report


@contextlib.contextmanager
def _show_lines(task: Task, progress: LineSource) -> Iterator[None]:
    """Show due lines until the end of the block, unless a program reads the output."""
    if is_run_by_controller() or _get_callback() in _MACHINE_CALLBACKS:
        yield
        return
    screen: Screen = Lines(_write_text) if _COLUMNS is None else LiveLine(_write_text, _COLUMNS)
    shown = ProgressThread(progress, screen)
    task.warn = shown.wrap_output(task.warn)
    with shown.show_while_running():
        yield
