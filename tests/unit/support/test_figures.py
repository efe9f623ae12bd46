# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The figures that a test records are shown at the end, also with the workers of pytest-xdist."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import TESTS

TEST_FILE = """\
def test_a_proof(record_property):
    record_property("said", "1000 devices, 429s = 0")
    record_property("unsaid", "nobody asked")

def test_another():
    pass
"""


@pytest.mark.only_full
@pytest.mark.parametrize("workers", ["0", "2"])
def test_recorded_figures_are_shown_once(tmp_path: Path, workers: str) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_proof.py").write_text(TEST_FILE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", workers, "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1000 devices, 429s = 0") == 1
    assert "nobody asked" not in done.stdout
