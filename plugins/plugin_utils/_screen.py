# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an action plugin can show something while it works. Private to this collection.

A worker of Ansible has no terminal: it is in a session of its own, and its standard streams lead nowhere. What it
displays is carried to the controlling process, which prints it at once. So it is the controlling process that has to
see what its standard error is; it does when it loads the action plugin, before it makes the worker.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import (
    Lines,
    LiveLine,
    Progress,
    Report,
    Screen,
    Shown,
    no_report,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task

display = Display()

_LIVE_SECONDS = 0.5
_PLAIN_SECONDS = 5.0
_USUAL_COLUMNS = 80

_FOR_PROGRAMS = frozenset({"awx_display", "json", "jsonl", "null"})
"""Callback plugins, by the last part of their name, whose output programs read. The first one is ansible-runner's,
which takes both streams for the output of the play."""


def _columns() -> int | None:
    """The width of the terminal that standard error is, ``None`` when it is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (AttributeError, OSError, ValueError):  # a stream that is closed, or was replaced by one in memory
        return None


_COLUMNS = _columns()


def _write(text: str) -> None:
    # Standard output belongs to the callback plugin. Nothing of this is worth a line in a log.
    display.display(text, stderr=True, screen_only=True, newline=False)


@contextlib.contextmanager
def shown_progress(task: Task) -> Iterator[Report]:
    """Show what is reported while the body runs; what ``task`` warns of meanwhile stands on lines of its own."""
    if constants.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2] in _FOR_PROGRAMS:
        yield no_report
        return
    screen: Screen = Lines(_write) if _COLUMNS is None else LiveLine(_write, _COLUMNS)
    progress = Progress(
        _PLAIN_SECONDS if _COLUMNS is None else _LIVE_SECONDS,
        budget_used=lambda: task.http.budget.used() if task.http else None,
    )
    shown = Shown(progress, screen)
    task.warn = shown.aside(task.warn)
    with shown.running():
        yield progress.report
