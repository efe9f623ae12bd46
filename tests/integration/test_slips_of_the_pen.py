# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Every module answers an option and a value that do not exist with those that were probably meant."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
NOWHERE = {"PARTICLE_API_URL": "http://127.0.0.1:1", "PARTICLE_ACCESS_TOKEN": "not-to-be-sent"}


def choices_of(module: str) -> list[tuple[str, dict[str, Any]]]:
    """The options of a module that take one of a few values, and their part of the spec."""
    spec = runpy.run_path(str(ROOT / "plugins" / "modules" / f"{module}.py"))["SPEC"]
    return [(option, entry) for option, entry in spec.items() if "choices" in entry]


WITH_CHOICES = [module for module in MODULES if choices_of(module)]


def slip(module: str) -> dict[str, Any]:
    """An option that takes one of a few values, with one that lacks its last letter."""
    option, entry = choices_of(module)[0]
    value = entry["choices"][0][:-1]
    return {option: [value] if entry["type"] == "list" else value}


@pytest.fixture(scope="module")
def run() -> PlaybookRun:
    """All slips in one play; each task has the name of its module and of what is wrong."""
    unknown = [(module, "option", {"usernam": "a"}) for module in MODULES]
    tasks = [
        {"name": f"{module} {what}", f"meshfleet.particle.{module}": options, "ignore_errors": True}
        for module, what, options in [*unknown, *((module, "value", slip(module)) for module in WITH_CHOICES)]
    ]
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=NOWHERE)


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_option_is_answered_with_the_nearest_in_a_sentence(run: PlaybookRun, module: str) -> None:
    message = run.result(f"{module} option")["msg"]
    assert "Unsupported option: usernam (did you mean username?). Supported options: " in message
    assert message.endswith(".")
    assert ".." not in message


@pytest.mark.parametrize("module", WITH_CHOICES)
def test_an_unknown_value_is_answered_with_the_nearest(run: PlaybookRun, module: str) -> None:
    meant = choices_of(module)[0][1]["choices"][0]
    assert run.result(f"{module} value")["msg"].endswith(f" (did you mean {meant}?)")
