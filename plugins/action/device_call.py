# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``device_call`` on the controller: call a function on many devices."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import Declaration, read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.outcome import build_result
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.run import Callbacks, run_calls
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_size
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import build_parent_check
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.device_call import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._result_size import (
    MAX_STORED_SIZE,
    describe_large_result,
    reduce_managed,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._screen import (
    is_run_by_controller,
    print_text,
    show_progress,
)


class ActionModule(ParticleAction):
    """The action plugin of module ``device_call``.

    The module cannot run elsewhere: Ansible would mask the argument in its result, and each digit of an argument such
    as "1" occurs in device ids.
    """

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        """Call the function on the selected devices, and stop if the controlling process ends."""
        declared = read_declaration(task.options)
        self.refuse_repeated_run()
        self._refuse_repeated_calls(declared)
        screen = show_progress(task) if self.can_show_progress(task) else contextlib.nullcontext(ignore_progress)
        with screen as report, task.open_session() as http:
            http.before_request = build_parent_check()
            calls = run_calls(http, declared, Callbacks(task.warn, report), check_mode=task.check_mode)
        built = build_result(declared.call, calls, check_mode=task.check_mode, is_tolerant=not task.options["fail"])
        result: dict[str, Any] = task.redact.mask_values(built)
        if is_run_by_controller():
            result["managed"] = reduce_managed(result["managed"])
            if measure_size(result) > MAX_STORED_SIZE:
                task.warn(describe_large_result("Select fewer devices with filters, and use several tasks."))
        elif result.get("failed"):
            del result["managed"]  # only a controller counts devices, and Ansible prints the result of a failed task
        if not (result.get("failed") or self._task.no_log):
            print_text(result["msg"])
        return result

    def _refuse_repeated_calls(self, declared: Declaration) -> None:
        """Refuse a task that would call the function again on the same devices for each host of the play.

        A task that selects exactly one device by its id can run for each host, because it can be the device of the
        host.

        :raises ParticleError: ``invalid_option`` when the task would call the function several times on a device.
        """
        hosts = self._task_vars.get("ansible_play_batch") or []
        if len(hosts) > 1 and not self._task.run_once and len(declared.filters.ids or ()) != 1:
            message = f"The task would call function {declared.call.function} {len(hosts)} times, once for each host."
            hint = "Set run_once: true, or set filters.ids to the id of the device of each host."
            raise ParticleError("invalid_option", message, hint=hint)
