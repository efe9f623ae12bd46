#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Show the firmware rollout of a product
version_added: 0.1.0
description:
  - Shows the rollout of a product.
author:
  - meshfleet.particle contributors (@meshfleet)
options: {}
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.info import read_rollout_state
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store

SPEC = build_argument_spec(product={"type": "str", "required": True}, state_file={"type": "path"})


def rollout_info(task: Task) -> dict[str, Any]:
    """Return the state of the rollout of a product."""
    with task.open_session() as http:
        target = Target(http, get_product(http, task.options["product"]), task.warn)
        path = None if task.options["state_file"] is None else Path(task.options["state_file"])
        store = Store(open_memory(target, path), SYSTEM_CLOCK)
        return {"changed": False, **read_rollout_state(target, store, SYSTEM_CLOCK)}


def main() -> None:
    """Run the module."""
    run_module(SPEC, rollout_info)


if __name__ == "__main__":
    main()
