# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`make mutation` always chooses the same sample of changes, and each group must reach the limit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.paths import ROOT, TESTS

PREFIX = "ansible_collections.meshfleet.particle.plugins.module_utils"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Return the tool with an empty cache."""
    spec = importlib.util.spec_from_file_location("mutation", TESTS / "tools" / "mutation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mutation", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", tmp_path)
    return module


def set_results(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, **groups: Mapping[str, str]) -> None:
    """Let mutmut show these results for the changes of each group."""
    for name in groups:
        (tool.CACHE / name).mkdir()

    def answer(name: str, *arguments: str, **more: Any) -> str:
        return "".join(f"    {PREFIX}.{change}: {verdict}\n" for change, verdict in groups[name].items())

    monkeypatch.setattr(tool, "mutmut", answer)


def make_changes(killed: int, survived: int, **others: int) -> dict[str, str]:
    """Return a number of changes of one function for each result."""
    verdicts = ["killed"] * killed + ["survived"] * survived
    verdicts += [verdict.replace("_", " ") for verdict, number in others.items() for _unused in range(number)]
    return {f"_fleet.plan.x_make__mutmut_{number}": verdict for number, verdict in enumerate(verdicts)}


def test_files_and_tests_of_all_groups_exist(tool: ModuleType) -> None:
    for group in tool.GROUPS.values():
        files = [ROOT / "plugins" / "module_utils" / f"{file}.py" for file in group.files]
        files += [TESTS / "unit" / f"{'/test_'.join(test.rsplit('/', 1))}.py" for test in group.tests]
        assert [file for file in files if not file.exists()] == []
        assert len({*files}) == len(files)


def test_each_group_must_reach_the_limit(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    set_results(tool, monkeypatch, plan=make_changes(100, 0), errors=make_changes(84, 16), doctor=make_changes(85, 15))
    assert tool.report(["plan", "doctor"], None) == 0
    assert tool.report(["plan", "errors"], None) == 1


@pytest.mark.parametrize("others", [{"no_tests": 20}, {"suspicious": 20}, {"not_checked": 1}])
def test_change_without_a_result_does_not_count_as_noticed(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, others: dict[str, int]
) -> None:
    set_results(tool, monkeypatch, plan=make_changes(100, 0, **others))
    assert tool.report(["plan"], None) == 1


def test_group_that_was_never_tested_is_a_failure(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.report(["plan"], None) == 1
    assert "plan has not been tested yet" in capsys.readouterr().out


def test_sample_is_the_same_in_each_run_and_grows_with_its_size(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = make_changes(300, 0)
    set_results(tool, monkeypatch, plan=changes, errors=dict(reversed(changes.items())))
    small = list(tool.verdicts("plan", 20))
    assert small == list(tool.verdicts("errors", 20)) == list(tool.verdicts("plan", 40))[:20]
    assert small != [f"{PREFIX}.{change}" for change in changes][:20]
    assert tool.report(["plan"], 20) == 0
    assert "== plan: a sample of 20 changes" in capsys.readouterr().out
