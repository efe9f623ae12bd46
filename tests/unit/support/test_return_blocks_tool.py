# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make returns` copies the shared return values into modules, and `make lint` finds modules that differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.paths import TESTS

TOOL = TESTS / "tools" / "return_blocks.py"
SHARED = yaml.safe_load(TOOL.with_suffix(".yml").read_text(encoding="utf-8"))

OWN = """\
device:
  description: The device.
  returned: success
  type: dict
  contains:
    error:
      description: This key is not a return value of the module.
"""

MODULE = '''\
EXAMPLES = r"""
error:
"""

RETURN = r"""
{values}"""

NAME = "device"
'''


def run_tool(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tool on a folder."""
    argv = [sys.executable, str(TOOL), *options, str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def write_module(folder: Path, values: str, name: str = "device") -> Path:
    """Write a module with these return values."""
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(values=values))
    return path


def read_returns(path: Path) -> dict[str, object]:
    """Return the return values that a module documents."""
    variables: dict[str, str] = {}
    exec(path.read_text(), variables)
    returns: dict[str, object] = yaml.safe_load(variables["RETURN"])
    return returns


@pytest.mark.parametrize("old", ["", "  description: Why the task failed.\n  type: dict\n"], ids=["empty", "outdated"])
def test_shared_values_are_replaced_in_their_place(tmp_path: Path, old: str) -> None:
    path = write_module(tmp_path, f"cloud:\n{old}error:\n{old}{OWN}")
    assert run_tool(tmp_path).returncode == 0
    own = yaml.safe_load(OWN)
    assert read_returns(path) == {"cloud": SHARED["cloud"], "error": SHARED["error"], **own}
    assert list(read_returns(path)) == ["cloud", "error", "device"]


def test_everything_else_in_a_module_is_kept(tmp_path: Path) -> None:
    path = write_module(tmp_path, f"{OWN}error:\n")
    before = path.read_text()
    assert run_tool(tmp_path).returncode == 0
    after = path.read_text()
    beginning, _key, end = before.rpartition("error:\n")
    assert after.startswith(beginning)
    assert after.endswith(end)


def test_values_that_a_module_does_not_return_are_not_added(tmp_path: Path) -> None:
    path = write_module(tmp_path, f"{OWN}error:\n")
    assert run_tool(tmp_path).returncode == 0
    assert set(read_returns(path)) == {"device", "error"}


def test_own_description_of_a_module_replaces_the_shared_one(tmp_path: Path) -> None:
    path = write_module(tmp_path, "error:\n", name="fleet")
    assert run_tool(tmp_path).returncode == 0
    assert read_returns(path) == {"error": {**SHARED["error"], **SHARED["fleet.error"]}}
    assert SHARED["fleet.error"].keys() == {"description", "returned"}


def test_second_run_rewrites_nothing(tmp_path: Path) -> None:
    path = write_module(tmp_path, f"{OWN}error:\n")
    first = run_tool(tmp_path)
    text = path.read_text()
    second = run_tool(tmp_path)
    assert f"{path}: the shared return values were rewritten." in first.stdout
    assert (second.returncode, second.stdout.count("\n")) == (0, 1)
    assert path.read_text() == text


def test_check_names_each_differing_module_and_the_command(tmp_path: Path) -> None:
    path = write_module(tmp_path, f"{OWN}error:\n")
    before = path.read_text()
    done = run_tool(tmp_path, "--check")
    assert done.returncode == 1
    assert f"{path}: the shared return values differ from return_blocks.yml; run make returns." in done.stdout
    assert path.read_text() == before


def test_check_passes_for_rewritten_modules(tmp_path: Path) -> None:
    write_module(tmp_path, f"{OWN}error:\n")
    run_tool(tmp_path)
    done = run_tool(tmp_path, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_without_modules_fails(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    assert run_tool(tmp_path).returncode == 2
