# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write one JSON line per finished task, for the tests to read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: Record the results of tasks as JSON lines
description:
  - Appends to the file in the environment variable E(RECORD_FILE).
  - Receives the same results as any callback plugin, so censored results are recorded censored.
"""


def to_plain_types(value: Any) -> Any:
    """Convert a value to plain JSON types, because ansible-core uses tagged subclasses."""
    if isinstance(value, Mapping):
        return {str(key): to_plain_types(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [to_plain_types(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


class CallbackModule(CallbackBase):
    """The recorder, which must be enabled by name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    _play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play of the tasks that follow."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record a task that succeeded, with or without a change."""
        self._record(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record a task that failed, even if the play continues."""
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Record a task that was skipped."""
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Record a task whose host was unreachable."""
        self._record(result, "unreachable")

    def _record(self, result: Any, status: str) -> None:
        # The name with its templates rendered; some versions of ansible-core put the role before it.
        role = result.task._role
        name = result.task_name.removeprefix(f"{role.get_name()} : " if role else "")
        line = {
            "host": result.host.get_name(),
            "play": self._play,
            "task": name,
            "action": result.task.action,
            "status": status,
            "result": result.result,
        }
        with open(os.environ["RECORD_FILE"], "a", encoding="utf-8") as record:
            record.write(json.dumps(to_plain_types(line)) + "\n")
