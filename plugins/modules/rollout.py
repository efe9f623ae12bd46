#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll out a firmware version in waves, with a brake
version_added: 0.1.0
description:
  - Brings a firmware version to the devices of a product in waves.
author:
  - meshfleet.particle contributors (@meshfleet)
options: {}
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import ensure_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    SPEC as ROLLOUT_SPEC,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    WAIT_SPEC,
    read_declaration,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.reconcile import Run, run_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    **ROLLOUT_SPEC,
    **WAIT_SPEC,
    state_file={"type": "path"},
    workers={"type": "int", "default": 16},
    budget_share={"type": "float"},
    budget_requests={"type": "int"},
)


def rollout(
    task: Task,
    report: Callable[[str], None] = lambda line: None,
    before_request: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Carry the rollout forward that the options declare.

    :param report: shows a line about the progress.
    :param before_request: called before each request.
    """
    options = task.options
    declared = read_declaration(options)
    with task.open_session() as http:
        if before_request is not None:
            http.before_request = before_request
        target = Target(http, get_product(http, options["product"]), task.warn)
        path = None if options["state_file"] is None else Path(options["state_file"])
        run = Run(
            target,
            declared.rollout,
            declared.filters,
            Store(open_memory(target, path), SYSTEM_CLOCK),
            task.check_mode,
            declared.waiting,
            lock=lambda: _lock_runs(task, target),
            report=report,
        )
        outcome = run_rollout(run)
    result = outcome.as_result()
    diff = result.pop("diff")
    return {**result, **task.show_diff(diff)}


def _lock_runs(task: Task, target: Target) -> AbstractContextManager[None]:
    """Return a context manager that prevents other runs for the product on this machine, except in check mode."""
    if task.check_mode:
        return nullcontext()
    folder = ensure_folder(task.environment, "Locks of runs", "make the folder accessible")
    return hold_run_lock(folder, target.http.connection.cloud, target.required_product.id)


def main() -> None:
    """Run the module."""
    run_module(SPEC, rollout)


if __name__ == "__main__":
    main()
