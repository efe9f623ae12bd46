# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make matrix` passes only if ansible-test has run its targets with each supported ansible-core."""

from __future__ import annotations

import os
import runpy
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT, TESTS


@pytest.fixture
def tool(tmp_path: Path) -> dict[str, Any]:
    """Return the names of the tool, with a new folder as its cache."""
    names = runpy.run_path(str(TESTS / "tools" / "ansible_test.py"))
    main_globals: dict[str, Any] = names["run"].__globals__
    main_globals.update(CACHE=tmp_path / "cache", HOME=tmp_path / "cache" / "home")
    return main_globals


def write_script(path: Path, *lines: str) -> Path:
    """Write an executable shell script and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("output", "status", "passed"),
    [
        ("all is well", 0, True),
        ("all is well", 1, False),
        ("WARNING: All targets skipped.", 0, False),
    ],
)
def test_run_fails_with_an_error_or_if_all_targets_are_skipped(
    tool: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, status: int, passed: bool
) -> None:
    environment = tmp_path / "environment"
    write_script(environment / "bin" / "ansible-test", f"echo '{output}' >&2", f"exit {status}")
    assert tool["run"]("sanity", "2.21", "3.12", Path(sys.executable), environment) is passed
    assert f"2.21, 3.12 | {output}" in capsys.readouterr().out


@pytest.mark.only_full
def test_failing_combination_is_named(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for core, python in tool["COMBINATIONS"]:
        status = 1 if (core, python) == ("2.20", "3.12") else 0
        write_script(tmp_path / core / python / "bin" / "ansible-test", "echo tried", f"exit {status}")
    tool["find_python"] = lambda version: Path(sys.executable)
    tool["prepare_environment"] = lambda core, python, interpreter: tmp_path / core / python
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity"])

    assert tool["main"]() == 1

    output = capsys.readouterr().out.splitlines()
    tried = [line for line in output if "tried" in line]
    assert sorted(tried) == [f"{core}, {python} | tried" for core, python in tool["COMBINATIONS"]]
    failed = [line for line in output if "FAILED" in line]
    assert failed == ["== ansible-test sanity: FAILED with ansible-core 2.20 on Python 3.12"]


def test_every_core_of_the_metadata_and_python_of_the_workflow_is_tested(tool: dict[str, Any]) -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={tool['CORES'][0]}.0"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert tuple(workflow["jobs"]["test"]["strategy"]["matrix"]["python"]) == tool["PYTHONS"]


def test_unusable_and_missing_pythons_are_reported(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_script(tmp_path / "bin" / "python3.11", "echo 'no such version' >&2", "exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{broken.parent}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity", "--python", "3.11", "3.13"])
    assert tool["main"]() == 1
    output = capsys.readouterr().out
    assert f"ansible-core 2.19: Python 3.11: {broken} exists, but does not work (no such version), NOT RUN" in output
    assert "ansible-core 2.21: Python 3.13 was not found on this machine, NOT RUN" in output


def test_working_python_is_found_behind_a_broken_one(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = write_script(tmp_path / "broken" / "python3.11", "exit 127")
    working = write_script(tmp_path / "works" / "python3.11", f"echo {tmp_path}/the-real-one")
    monkeypatch.setenv("PATH", f"{broken.parent}{os.pathsep}{working.parent}")
    assert tool["find_python"]("3.11") == tmp_path / "the-real-one"


def test_environment_is_created_again_when_its_packages_change(tool: dict[str, Any], tmp_path: Path) -> None:
    # A Python that creates environments with a program that only records its calls.
    calls = tmp_path / "calls"
    pip = f"printf '#!/bin/sh\\necho pip >> {calls}\\n' > \"$4/bin/python\""
    python = write_script(
        tmp_path / "python", 'mkdir -p "$4/bin"', f"echo venv >> {calls}", pip, 'chmod +x "$4/bin/python"'
    )
    for needed, calls_so_far in (("one",), 2), (("one",), 2), (("one", "two"), 4):
        tool["PROGRAMS"] = needed
        tool["prepare_environment"]("2.21", "3.12", python)
        assert len(calls.read_text().split()) == calls_so_far
