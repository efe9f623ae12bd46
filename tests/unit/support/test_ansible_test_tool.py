# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make matrix` passes only if ansible-test has run its targets with the ansible-core for each Python."""

from __future__ import annotations

import os
import runpy
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from support.paths import TESTS


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
    assert tool["run"]("sanity", "3.12", Path(sys.executable), environment) is passed
    assert f"3.12 | {output}" in capsys.readouterr().out


def test_failing_python_is_named(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = {"3.11": "2.19.4", "3.12": "2.20.1", "3.13": "2.20.1"}
    for python in cores:
        status = 1 if python == "3.12" else 0
        write_script(tmp_path / python / "bin" / "ansible-test", f"echo tried {python}", f"exit {status}")
    tool["find_python"] = lambda version: Path(sys.executable)
    tool["prepared"] = lambda version, interpreter: tmp_path / version
    tool["ansible_core"] = lambda environment: cores[environment.name]
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity"])

    assert tool["main"]() == 1

    output = capsys.readouterr().out.splitlines()
    assert {line for line in output if "tried" in line} == {f"{python} | tried {python}" for python in cores}
    failed = [line for line in output if "FAILED" in line]
    assert failed == ["== ansible-test sanity: FAILED on Python 3.12 with ansible-core 2.20.1"]


def test_unusable_and_missing_pythons_are_reported(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_script(tmp_path / "bin" / "python3.11", "echo 'no such version' >&2", "exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{broken.parent}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity", "--python", "3.11", "3.13"])
    assert tool["main"]() == 1
    output = capsys.readouterr().out
    assert f"{broken} exists, but does not work (no such version), NOT RUN" in output
    assert "Python 3.13 was not found on this machine, NOT RUN" in output


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
        tool["NEEDED"] = needed
        tool["prepared"]("3.12", python)
        assert len(calls.read_text().split()) == calls_so_far


@pytest.mark.parametrize(
    ("python", "core", "fits"),
    [
        ("3.11", "2.19.4", True),
        ("3.11", "2.20.0", False),
        ("3.12", "2.19.4", False),
        ("3.12", "2.20.1", True),
        ("3.13", "2.21.0", True),
        ("3.13", "3.0.0", True),
    ],
)
def test_each_python_has_its_ansible_core(tool: dict[str, Any], python: str, core: str, fits: bool) -> None:
    assert tool["belongs"](core, python) is fits
