# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Action plugins prepare the controlling process for its forked tasks."""

from __future__ import annotations

import os
import subprocess
import sys

from support.paths import COLLECTIONS

COLLECTION = "ansible_collections.meshfleet.particle.plugins"

LOAD_AND_OPEN = f"""
import sys
from {COLLECTION}.module_utils._mesh.mesh import Mesh
from {COLLECTION}.plugin_utils import _action
loaded = set(sys.modules)
with Mesh():
    print(sorted(name for name in set(sys.modules) - loaded if name.startswith("{COLLECTION}")))
"""


def test_task_imports_no_mesh_backend_that_its_action_has_not_imported() -> None:
    argv = [sys.executable, "-c", LOAD_AND_OPEN]
    env = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
