# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make matrix` passes only what ansible-test has really run, on the ansible-core that belongs to each Python."""

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
    """The names of the tool, whose cache is a new folder."""
    names = runpy.run_path(str(TESTS / "tools" / "ansible_test.py"))
    main_globals: dict[str, Any] = names["run"].__globals__
    main_globals.update(CACHE=tmp_path / "cache", HOME=tmp_path / "cache" / "home")
    return main_globals


def program(path: Path, *lines: str) -> Path:
    """A script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("said", "status", "passed"),
    [
        ("all is well", 0, True),
        ("all is well", 1, False),
        ("WARNING: All targets skipped.", 0, False),
    ],
)
def test_what_ansible_test_has_skipped_altogether_is_not_passed(
    tool: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, status: int, passed: bool
) -> None:
    environment = tmp_path / "environment"
    program(environment / "bin" / "ansible-test", f"echo '{said}' >&2", f"exit {status}")
    assert tool["run"]("sanity", "3.12", Path(sys.executable), environment) is passed
    assert f"3.12 | {said}" in capsys.readouterr().out


def test_of_several_pythons_the_one_that_fails_is_named(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = {"3.11": "2.19.4", "3.12": "2.20.1", "3.13": "2.20.1"}
    for python in cores:
        status = 1 if python == "3.12" else 0
        program(tmp_path / python / "bin" / "ansible-test", f"echo tried {python}", f"exit {status}")
    tool["find_python"] = lambda version: Path(sys.executable)
    tool["prepared"] = lambda version, interpreter: tmp_path / version
    tool["ansible_core"] = lambda environment: cores[environment.name]
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity"])

    assert tool["main"]() == 1

    told = capsys.readouterr().out.splitlines()
    assert {line for line in told if "tried" in line} == {f"{python} | tried {python}" for python in cores}
    failed = [line for line in told if "FAILED" in line]
    assert failed == ["== ansible-test sanity: FAILED on Python 3.12 with ansible-core 2.20.1"]


def test_a_python_that_is_there_and_does_not_run_is_called_that(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = program(tmp_path / "bin" / "python3.11", "echo 'no such version' >&2", "exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{broken.parent}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ansible_test.py", "sanity", "--python", "3.11", "3.13"])
    assert tool["main"]() == 1
    told = capsys.readouterr().out
    assert f"{broken} is here, but cannot be used (no such version), NOT RUN" in told
    assert "Python 3.13 is not on this machine, NOT RUN" in told


def test_a_python_behind_one_that_does_not_run_is_found(
    tool: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = program(tmp_path / "broken" / "python3.11", "exit 127")
    works = program(tmp_path / "works" / "python3.11", f"echo {tmp_path}/the-real-one")
    monkeypatch.setenv("PATH", f"{broken.parent}{os.pathsep}{works.parent}")
    assert tool["find_python"]("3.11") == tmp_path / "the-real-one"


def test_an_environment_is_made_anew_when_it_is_to_hold_something_else(tool: dict[str, Any], tmp_path: Path) -> None:
    # A Python whose venv holds programs that only write down how they are called.
    calls = tmp_path / "calls"
    pip = f"printf '#!/bin/sh\\necho pip >> {calls}\\n' > \"$4/bin/python\""
    python = program(tmp_path / "python", 'mkdir -p "$4/bin"', f"echo venv >> {calls}", pip, 'chmod +x "$4/bin/python"')
    for needed, said in (("one",), 2), (("one",), 2), (("one", "two"), 4):
        tool["NEEDED"] = needed
        tool["prepared"]("3.12", python)
        assert len(calls.read_text().split()) == said


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
