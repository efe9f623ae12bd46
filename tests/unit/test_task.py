# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever a task does, its result has the documented form, and a failure holds no secret."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import WORKERS
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, argument_spec, carry_out
from support.scripted import ScriptedCloud

PASSWORD = 'hidden "pass" word'
SECRETS: dict[str, Any] = {"password": PASSWORD, "client_secret": "hidden-secret"}


@pytest.fixture
def warnings() -> list[str]:
    return []


def task_with(warnings: list[str], environment: dict[str, str] | None = None, **options: Any) -> Task:
    return Task(options, check_mode=False, warn=warnings.append, environment=environment or {})


def work(task: Task) -> dict[str, Any]:
    """Log in, and ask for the devices."""
    with task.session() as http:
        return {"changed": False, "devices": http.call("GET /v1/devices", doing="list").data}


def test_a_success_is_the_result_of_the_work_with_what_it_cost(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("GET", "/v1/devices", json=[])
    task = task_with(warnings, api_url=scripted_cloud.url, access_token="ready")
    assert carry_out(task, work) == {
        "changed": False,
        "devices": [],
        "cloud": {
            "requests": 1,
            "writes": 0,
            "retries": 0,
            "throttled_seconds": 0.0,
            "budget_wait_seconds": 0.0,
        },
    }
    assert warnings == []


def test_a_refusal_is_the_documented_failure_with_what_it_cost(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant"})
    task = task_with(warnings, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD)
    result = carry_out(task, work)
    assert result["failed"] is True
    assert result["msg"] == f"{result['error']['message']} {result['error']['hint']}"
    assert (result["error"]["code"], result["error"]["route"]) == ("invalid_credentials", "POST /oauth/token")
    assert result["cloud"]["requests"] == 1


def test_what_can_be_seen_offline_costs_no_request_and_says_so(warnings: list[str]) -> None:
    result = carry_out(task_with(warnings, username="demo@example.com", password="line\n"), work)
    assert result["error"]["code"] == "malformed_password"
    assert "cloud" not in result


@pytest.mark.parametrize("source", ["options", "environment"])
def test_a_mistake_of_ours_is_told_with_its_traceback_and_without_secrets(warnings: list[str], source: str) -> None:
    def mistaken(task: Task) -> dict[str, Any]:
        task.settings()
        raise ZeroDivisionError(f"odd: {PASSWORD} hidden-secret")

    options: dict[str, Any] = {"username": "demo@example.com", "client_id": "my-client", **SECRETS}
    environment = {f"PARTICLE_{name.upper()}": value for name, value in options.items()}
    task = task_with(warnings, **options) if source == "options" else task_with(warnings, environment)
    result = carry_out(task, mistaken)
    assert result["error"]["code"] == "internal"
    assert result["error"]["message"] == "Unexpected ZeroDivisionError: odd: ******** ********"
    assert "Traceback" in result["exception"]
    assert "hidden" not in str(result)


def test_a_failure_before_the_options_are_settled_is_clean_too(warnings: list[str]) -> None:
    def mistaken(task: Task) -> dict[str, Any]:
        raise ParticleError("conflict", f"odd: {PASSWORD}")

    result = carry_out(task_with(warnings, **SECRETS), mistaken)
    assert result["error"]["message"] == "odd: ********"
    assert "hidden" not in str(result)


def test_warnings_about_the_connection_reach_the_user(warnings: list[str]) -> None:
    task_with(warnings, api_url="http://cloud.example.com", access_token="ready").settings()
    assert len(warnings) == 1
    assert "not encrypted" in warnings[0]


def test_no_secret_is_in_the_representation_of_a_task(warnings: list[str]) -> None:
    task = task_with(warnings, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, **SECRETS)
    task.redact.learn("hidden-thing")
    assert "hidden" not in repr(task)


@pytest.mark.parametrize(("workers", "expected"), [(None, WORKERS), (3, 3)])
def test_the_number_of_workers_is_an_option_of_some(
    warnings: list[str], workers: int | None, expected: int, no_proxies: None
) -> None:
    task = task_with(warnings, access_token="ready", workers=workers)
    http = task.connect(task.settings())
    http.close()
    assert http.workers == expected


def test_the_environment_is_that_of_the_process_unless_said_otherwise(warnings: list[str]) -> None:
    assert Task({}, False, warnings.append).environment is os.environ


def test_a_module_has_the_shared_options_and_its_own() -> None:
    spec = argument_spec(state={"type": "str"})
    assert spec["state"] == {"type": "str"}
    assert spec["password"] == {"type": "str", "no_log": True}
