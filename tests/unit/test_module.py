# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever a task does, its result has the documented form, and a failure holds no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from token_cloud import DEVICES, granting, mode, token, trail

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import DEFAULT_WORKERS
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    Work,
    build_argument_spec,
    carry_out_work,
)
from support.scripted import ScriptedCloud

PASSWORD = 'hidden "pass" word'
SECRETS: dict[str, Any] = {"password": PASSWORD, "client_secret": "hidden-secret", "otp_secret": "HIDDEN2HIDDEN2"}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Logins of these tests lie here and nowhere else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def task_with(
    warnings: list[str], environment: dict[str, str] | None = None, said: list[str] | None = None, **options: Any
) -> Task:
    told = [] if said is None else said
    return Task(options, check_mode=False, warn=warnings.append, say=told.append, environment=environment or {})


def work(task: Task) -> dict[str, Any]:
    """Log in, and ask for the devices."""
    with task.open_session() as http:
        return {"changed": False, "devices": http.send(Request("GET /v1/devices", "list")).data}


def test_a_success_is_the_result_of_the_work_with_what_it_cost(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("GET", "/v1/devices", json=[])
    task = task_with(warnings, api_url=scripted_cloud.url, access_token="ready")
    assert carry_out_work(task, work) == {
        "changed": False,
        "devices": [],
        "credentials_source": "the task's options",
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
    result = carry_out_work(task, work)
    assert result["failed"] is True
    assert result["msg"] == f"{result['error']['message']} {result['error']['hint']}"
    assert (result["error"]["code"], result["error"]["route"]) == ("invalid_credentials", "POST /oauth/token")
    assert result["cloud"]["requests"] == 1


def test_many_tasks_of_one_account_make_one_login(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    granting(scripted_cloud, token(1)).answer("GET", DEVICES, json=[], repeat=True)
    environment = {"XDG_CACHE_HOME": str(home / "cache")}
    for _unused in range(5):
        task = task_with(
            warnings, environment, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD
        )
        assert "failed" not in carry_out_work(task, work)
    assert trail(scripted_cloud) == ["POST /oauth/token", *[f"GET {DEVICES}"] * 5]
    assert (home / "cache" / "meshfleet.particle" / "sessions.json").exists()


def test_many_tasks_with_one_wrong_password_make_one_refusal(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant"})
    for _unused in range(100):
        task = task_with(warnings, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD)
        result = carry_out_work(task, work)
        assert result["error"]["code"] == "invalid_credentials"
        assert "hidden" not in str(result).lower()
    assert len(scripted_cloud.requests) == 1


def test_a_ready_token_needs_no_place_to_share_it(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[])
    (home / "taken").write_text("a file where a folder should be")
    environment = {"XDG_CACHE_HOME": str(home / "taken")}
    task = task_with(warnings, environment, api_url=scripted_cloud.url, access_token="ready")
    assert "failed" not in carry_out_work(task, work)


def test_all_tasks_of_a_user_share_one_budget(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[], repeat=True)
    environment = {"XDG_CACHE_HOME": str(home / "cache"), "PARTICLE_BUDGET_REQUESTS": "10"}
    options = {"api_url": scripted_cloud.url, "access_token": "ready"}
    for runtime in ("", str(home / "run"), str(home / "another")):  # as of a login session, which cron has none of
        in_session = {**environment, "XDG_RUNTIME_DIR": runtime}
        assert "failed" not in carry_out_work(task_with(warnings, in_session, **options), work)
    task = task_with(warnings, environment, budget_share=0.6, **options)
    assert task.connect(task.read_settings()).budget.get_used_share() == 0.5
    carry_out_work(task, lambda task: {})
    (file,) = (home / "cache" / "meshfleet.particle").iterdir()
    assert (file.suffix, mode(file)) == (".ring", 0o600)


def test_no_token_and_no_name_of_a_cloud_is_in_the_files_of_a_budget(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    granting(scripted_cloud, token(1)).answer("GET", DEVICES, json=[])
    environment = {"XDG_CACHE_HOME": str(home / "cache")}
    options = {"api_url": scripted_cloud.url, "username": "demo@example.com", "password": PASSWORD}
    assert "failed" not in carry_out_work(task_with(warnings, environment, **options), work)
    files = list((home / "cache" / "meshfleet.particle").glob("budget-*"))
    assert len(files) == 2
    shown = b"".join(file.name.encode() + file.read_bytes() for file in files)
    canaries = (token(1), PASSWORD, "demo@example.com", "127.0.0.1")
    assert [canary for canary in canaries if canary.encode() in shown] == []


@pytest.mark.parametrize(
    ("options", "environment"), [({"budget_share": 2.0}, {}), ({}, {"PARTICLE_BUDGET_REQUESTS": "plenty"})]
)
def test_a_budget_that_cannot_be_meant_is_said_before_any_request(
    scripted_cloud: ScriptedCloud, warnings: list[str], options: dict[str, Any], environment: dict[str, str]
) -> None:
    task = task_with(warnings, environment, api_url=scripted_cloud.url, access_token="ready", **options)
    result = carry_out_work(task, work)
    assert (result["failed"], result["error"]["code"]) == (True, "invalid_option")
    assert " must be " in result["error"]["message"]
    assert scripted_cloud.requests == []


def test_a_login_that_cannot_be_shared_is_not_made(warnings: list[str], home: Path) -> None:
    (home / "taken").write_text("a file where a folder should be")
    environment = {"XDG_CACHE_HOME": str(home / "taken")}
    result = carry_out_work(task_with(warnings, environment, username="demo@example.com", password=PASSWORD), work)
    assert result["error"]["code"] == "unsafe_file"
    assert "XDG_CACHE_HOME" in result["error"]["hint"]
    assert result["cloud"]["requests"] == 0


@pytest.mark.parametrize(
    ("options", "environment", "source"),
    [
        ({"access_token": "hidden-token"}, {}, "the task's options"),
        ({}, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, "the environment"),
        ({}, {"PARTICLE_USERNAME": "demo@example.com", "PARTICLE_PASSWORD": PASSWORD}, "the environment"),
    ],
)
def test_who_asks_is_told_where_credentials_come_from_and_not_what_they_are(
    warnings: list[str], said: list[str], options: dict[str, str], environment: dict[str, str], source: str
) -> None:
    task_with(warnings, environment, said, **options).read_settings()
    assert said == [f"Credentials come from {source}."]


def test_where_there_are_none_there_is_nothing_to_tell(warnings: list[str], said: list[str]) -> None:
    task_with(warnings, {}, said).read_settings()
    assert said == []


def test_a_result_says_where_credentials_were_found_if_anybody_looked(warnings: list[str]) -> None:
    def source(work: Work, **options: Any) -> Any:
        return carry_out_work(task_with(warnings, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, **options), work).get(
            "credentials_source"
        )

    def looking(task: Task) -> dict[str, Any]:
        task.read_settings()
        return {}

    def failing(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ParticleError("conflict", "No.")

    assert source(looking) == source(failing) == "the environment"
    assert source(looking, access_token="ready") == "the task's options"
    assert source(lambda task: {}) is None
    assert carry_out_work(task_with(warnings, {}), looking)["credentials_source"] == "nowhere"


def test_the_secret_of_the_customary_client_is_a_word_that_may_be_said(warnings: list[str]) -> None:
    def mistaken(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ParticleError("conflict", "api.particle.io says no.")

    options = {"username": "demo@example.com", "password": PASSWORD, "client_id": "particle"}
    result = carry_out_work(task_with(warnings, client_secret="particle", **options), mistaken)
    assert result["error"]["message"] == "api.particle.io says no."


def test_the_account_beside_a_token_is_never_shown(warnings: list[str]) -> None:
    environment = {"PARTICLE_USERNAME": "demo@example.com", "PARTICLE_PASSWORD": PASSWORD}
    task = task_with(warnings, environment, access_token="ready")
    account = task.read_account()
    assert account is not None
    assert account.username == "demo@example.com"
    assert task.redact(PASSWORD) == "********"
    assert task_with(warnings, access_token="ready").read_account() is None


def test_what_can_be_seen_offline_costs_no_request_and_says_so(warnings: list[str]) -> None:
    result = carry_out_work(task_with(warnings, username="demo@example.com", password="line\n"), work)
    assert result["error"]["code"] == "malformed_password"
    assert "cloud" not in result


@pytest.mark.parametrize("source", ["options", "environment"])
def test_a_mistake_of_ours_is_told_with_its_traceback_and_without_secrets(warnings: list[str], source: str) -> None:
    def mistaken(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ZeroDivisionError(f"odd: {PASSWORD} hidden-secret HIDDEN2HIDDEN2")

    options: dict[str, Any] = {"username": "demo@example.com", "client_id": "my-client", **SECRETS}
    environment = {f"PARTICLE_{name.upper()}": value for name, value in options.items()}
    task = task_with(warnings, **options) if source == "options" else task_with(warnings, environment)
    result = carry_out_work(task, mistaken)
    assert result["error"]["code"] == "internal"
    assert result["error"]["message"] == "Unexpected ZeroDivisionError: odd: ******** ******** ********"
    assert "Traceback" in result["exception"]
    assert "hidden" not in str(result).lower()


def test_a_failure_before_the_options_are_settled_is_clean_too(warnings: list[str]) -> None:
    def mistaken(task: Task) -> dict[str, Any]:
        raise ParticleError("conflict", f"odd: {PASSWORD}")

    result = carry_out_work(task_with(warnings, **SECRETS), mistaken)
    assert result["error"]["message"] == "odd: ********"
    assert "hidden" not in str(result).lower()


def test_warnings_about_the_connection_reach_the_user(warnings: list[str]) -> None:
    task_with(warnings, api_url="http://cloud.example.com", access_token="ready").read_settings()
    assert len(warnings) == 1
    assert "not encrypted" in warnings[0]


def test_no_secret_is_in_the_representation_of_a_task(warnings: list[str]) -> None:
    task = task_with(warnings, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, **SECRETS)
    task.redact.add_secret("hidden-thing")
    assert "hidden" not in repr(task)


@pytest.mark.parametrize(("workers", "expected"), [(None, DEFAULT_WORKERS), (1, 1), (3, 3), (256, 256)])
def test_the_number_of_workers_is_an_option_of_some(
    warnings: list[str], workers: int | None, expected: int, no_proxies: None
) -> None:
    task = task_with(warnings, access_token="ready", workers=workers)
    http = task.connect(task.read_settings())
    http.close()
    assert http.workers == expected


@pytest.mark.parametrize("workers", [-1, 0, 257, 10**9])
def test_a_number_of_workers_that_cannot_be_meant_is_said_before_any_request(
    scripted_cloud: ScriptedCloud, warnings: list[str], workers: int
) -> None:
    result = carry_out_work(
        task_with(warnings, api_url=scripted_cloud.url, access_token="ready", workers=workers), work
    )
    assert (result["failed"], result["error"]["code"]) == (True, "invalid_option")
    assert result["error"]["message"] == f"workers must be a number from 1 to 256, got {workers}."
    assert scripted_cloud.requests == []


@pytest.mark.parametrize(("more", "code"), [({}, "unreachable"), ({"no_proxy": "127.0.0.1"}, None)])
def test_proxies_are_those_of_the_environment_of_the_task(
    scripted_cloud: ScriptedCloud,
    warnings: list[str],
    no_proxies: None,
    more: dict[str, str],
    code: str | None,
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[])
    environment = {"http_proxy": "http://127.0.0.1:1", **more}
    options = {"api_url": scripted_cloud.url, "access_token": "ready", "max_wait": 0.1}
    result = carry_out_work(task_with(warnings, environment, **options), work)
    assert result.get("error", {}).get("code") == code
    assert len(scripted_cloud.requests) == (0 if code else 1)


def test_the_environment_is_that_of_the_process_unless_said_otherwise(warnings: list[str]) -> None:
    assert Task({}, False, warnings.append, warnings.append).environment is os.environ


def test_a_module_has_the_shared_options_and_its_own() -> None:
    spec = build_argument_spec(state={"type": "str"})
    assert spec["state"] == {"type": "str"}
    assert spec["password"] == {"type": "str", "no_log": True}
