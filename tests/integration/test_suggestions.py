# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that every module suggests the nearest option or value for an unknown one."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
CLOSED_PORT = {"PARTICLE_API_URL": "http://127.0.0.1:1", "PARTICLE_ACCESS_TOKEN": "not-to-be-sent"}


def load_spec(module: str) -> dict[str, dict[str, Any]]:
    """Return the options of a module, each with its spec."""
    return dict(runpy.run_path(str(ROOT / "plugins" / "modules" / f"{module}.py"))["SPEC"])


def list_choices(module: str) -> list[tuple[str, dict[str, Any]]]:
    """List the options of a module that have choices, each with its spec."""
    return [(option, entry) for option, entry in load_spec(module).items() if "choices" in entry]


WITH_CHOICES = [module for module in MODULES if list_choices(module)]


def mistype_option(module: str) -> tuple[str, str]:
    """Return an option of a module without its last letter, and the option."""
    spec = load_spec(module)
    option = "username" if "username" in spec else next(iter(spec))
    return option[:-1], option


def mistype_choice(module: str) -> dict[str, Any]:
    """Return the first option with choices, set to the first choice without its last letter."""
    option, entry = list_choices(module)[0]
    value = entry["choices"][0][:-1]
    return {option: [value] if entry["type"] == "list" else value}


@pytest.fixture(scope="module")
def run() -> PlaybookRun:
    """A run of one play with all mistakes; each task is named after its module and its mistake."""
    unknown = [(module, "option", {mistype_option(module)[0]: "a"}) for module in MODULES]
    tasks = [
        {"name": f"{module} {mistake}", f"meshfleet.particle.{module}": options, "ignore_errors": True}
        for module, mistake, options in [
            *unknown,
            *((module, "value", mistype_choice(module)) for module in WITH_CHOICES),
        ]
    ]
    return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=CLOSED_PORT)


@pytest.mark.parametrize("module", MODULES)
def test_message_about_an_unknown_option_suggests_the_nearest_option(run: PlaybookRun, module: str) -> None:
    unknown, nearest = mistype_option(module)
    message = run.result(f"{module} option")["msg"]
    assert f"Unsupported option: {unknown} (did you mean {nearest}?). Supported options: " in message
    assert message.endswith(".")
    assert ".." not in message


@pytest.mark.parametrize("module", WITH_CHOICES)
def test_message_about_an_unknown_value_suggests_the_nearest_value(run: PlaybookRun, module: str) -> None:
    expected = list_choices(module)[0][1]["choices"][0]
    assert run.result(f"{module} value")["msg"].endswith(f" (did you mean {expected}?)")
