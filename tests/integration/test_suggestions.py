# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that every module reports invalid options as an error, and suggests the nearest option or value."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, run_task

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
HINT = "Correct the option and run again."
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
    result = run.result(f"{module} option")
    message = result["msg"]
    assert f"Unsupported option: {unknown} (did you mean {nearest}?). Supported options: " in message
    assert message == f"{result['error']['message']} {HINT}"
    assert ".." not in message
    assert_is_option_error(result)


@pytest.mark.parametrize("module", WITH_CHOICES)
def test_message_about_an_unknown_value_suggests_the_nearest_value(run: PlaybookRun, module: str) -> None:
    expected = list_choices(module)[0][1]["choices"][0]
    result = run.result(f"{module} value")
    assert result["msg"].endswith(f" (did you mean {expected}?). {HINT}")
    assert_is_option_error(result)


@pytest.mark.only_full
def test_task_in_the_background_reports_the_same_error(run: PlaybookRun, tmp_path: Path) -> None:
    background = {"async": 60, "poll": 1, "vars": {"ansible_python_interpreter": sys.executable}}
    tasks = [{"name": TASK, "meshfleet.particle.device_info": {"usernam": "a"}, **background}]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    result = run_playbook([play], env={**CLOSED_PORT, "ANSIBLE_ASYNC_DIR": str(tmp_path)}).result(TASK)
    expected = run.result("device_info option")
    assert (result["msg"], result["error"]) == (expected["msg"], expected["error"])


@pytest.mark.parametrize(
    "wrong", [{"timeout": "a canary"}, {"canary": 1}, {"filters": "canary"}, {"include": ["canary"]}], ids=str
)
def test_error_about_invalid_options_contains_no_secret(wrong: dict[str, Any]) -> None:
    options = {"product": "sensors", "password": "canary", **wrong}
    result = run_task("device_info", options, CLOSED_PORT).result(TASK)
    assert_is_option_error(result)
    assert "canary" not in str({**result, "invocation": None})


def assert_is_option_error(result: dict[str, Any]) -> None:
    """Assert that a result has the documented error about an invalid option."""
    error = result["error"]
    assert error.keys() == {"code", "status", "message", "hint", "route"}
    assert (error["code"], error["status"], error["hint"], error["route"]) == ("invalid_option", None, HINT, None)
