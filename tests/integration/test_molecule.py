# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the roles with molecule: each scenario starts a simulator, runs a role twice, and verifies the result."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT
from support.playbooks import ansible_environment
from support.programs import program_path

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
STEPS = ("syntax", "create", "converge", "idempotence", "verify", "destroy")


def test_every_role_has_a_scenario() -> None:
    scenarios = sorted(path.parent.name for path in (ROOT / "extensions" / "molecule").glob("*/molecule.yml"))
    assert scenarios == ROLES


@pytest.mark.only_full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ROLES)
def test_role_passes_its_scenario(role: str, tmp_path: Path) -> None:
    environment = {**ansible_environment(tmp_path), "PATH": os.environ["PATH"], "NO_COLOR": "1"}
    command = [program_path("molecule"), "test", "--scenario-name", role]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert [step for step in STEPS if f"[{role} > {step}] Executed: Successful" not in output] == []
