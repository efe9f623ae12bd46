# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make coverage` checks the coverage of branches and names the files with the lowest coverage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import TESTS

RUN = "plugins/lookup/run.py"


def run_tool(folder: Path, **files: tuple[int, int]) -> subprocess.CompletedProcess[str]:
    """Run the tool in a folder, on a report with the covered and the total branches of these files."""
    summaries = [{"covered_branches": covered, "num_branches": total} for covered, total in files.values()]
    report = {
        "files": {name: {"summary": summary} for name, summary in zip(files, summaries, strict=True)},
        "totals": {key: sum(row[key] for row in summaries) for key in ("covered_branches", "num_branches")},
    }
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    tool = [sys.executable, str(TESTS / "tools" / "branches.py"), "report.json", "plugins"]
    return subprocess.run(tool, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one file to measure."""
    (tmp_path / "plugins" / "lookup").mkdir(parents=True)
    (tmp_path / RUN).touch()
    return tmp_path


def test_92_percent_of_all_branches_are_required(folder: Path) -> None:
    assert run_tool(folder, **{RUN: (92, 100)}).returncode == 0
    assert run_tool(folder, **{RUN: (919, 1000)}).returncode == 1


def test_a_report_without_branches_is_a_failure(folder: Path) -> None:
    assert run_tool(folder, **{RUN: (0, 0)}).returncode == 1


def test_a_folder_with_nothing_to_measure_is_a_failure(tmp_path: Path) -> None:
    done = run_tool(tmp_path, **{RUN: (10, 10)})
    assert (done.returncode, "no Python files in plugins" in done.stdout) == (1, True)


def test_a_file_that_no_test_has_run_is_a_failure(folder: Path) -> None:
    for name in ("forgotten.py", "README.md"):
        (folder / "plugins" / "lookup" / name).touch()
    done = run_tool(folder, **{RUN: (10, 10)})
    assert done.returncode == 1
    assert "No test has run plugins/lookup/forgotten.py." in done.stdout
    assert done.stdout.count("No test has run") == 1


def test_the_five_lowest_files_are_named_with_the_lowest_first(tmp_path: Path) -> None:
    done = run_tool(tmp_path, a=(10, 10), b=(5, 10), c=(9, 10), d=(0, 0), e=(6, 10), f=(8, 10), g=(7, 10))
    assert [line.split()[-1] for line in done.stdout.splitlines() if "%" in line][1:] == ["b", "e", "g", "f", "c"]
