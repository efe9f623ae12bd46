# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A callback plugin that appends the result of each finished task to a file, as one line of JSON, for the tests."""

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
    """Convert a value to the basic types of JSON. Values of other types become strings.

    The conversion is needed because the results of ansible-core contain subclasses of the basic types.
    """
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
    """The callback plugin. Ansible uses the plugin only if a setting contains the name `record`."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    _play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Store the name of the play that starts, for the records of the tasks in this play."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record a task that succeeded, with the status `changed` or `ok`."""
        self._record(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record a task that failed. Tasks whose error the play ignores are included."""
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Record a task that was skipped."""
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Record a task whose host was unreachable."""
        self._record(result, "unreachable")

    def _record(self, result: Any, status: str) -> None:
        # In task_name, templates are already rendered. Some versions of ansible-core put the name of the role before
        # the name of the task.
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
