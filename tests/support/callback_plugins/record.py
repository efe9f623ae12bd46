# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Writes one JSON line per finished task, for the tests to read."""

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
  - Appends to the file that the environment variable E(RECORD_FILE) names.
  - Sees what every callback sees, so that a censored result is recorded censored.
"""


def plain(value: Any) -> Any:
    """`value` in nothing but JSON types: ansible-core hands out subclasses that carry tags."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


class CallbackModule(CallbackBase):
    """The recorder. It must be asked for by name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    _play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """The tasks that follow belong to this play."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task that went well, with or without a change."""
        self._record(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task that failed, also when the play goes on."""
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task that did not run."""
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A task whose host did not answer."""
        self._record(result, "unreachable")

    def _record(self, result: Any, status: str) -> None:
        # The name with its templates filled in; some cores put the role in front of it, some do not.
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
            record.write(json.dumps(plain(line)) + "\n")
