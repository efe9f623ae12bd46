# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The result of every task has the documented form, and a failure contains no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import (
    MAX_LINES,
    ChangedItem,
    Diff,
)
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
from support.token_cloud import DEVICES, list_requests, mode, script_grants, token

PASSWORD = 'hidden "pass" word'
SECRETS: dict[str, Any] = {"password": PASSWORD, "client_secret": "hidden-secret", "otp_secret": "HIDDEN2HIDDEN2"}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the logins of these tests in a temporary home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def build_task(
    warnings: list[str], environment: dict[str, str] | None = None, messages: list[str] | None = None, **options: Any
) -> Task:
    """Return a task with these options, without check mode."""
    shown = [] if messages is None else messages
    return Task(options, check_mode=False, warn=warnings.append, say=shown.append, environment=environment or {})


def work(task: Task) -> dict[str, Any]:
    """Log in and list the devices."""
    with task.open_session() as http:
        return {"changed": False, "devices": http.send(Request("GET /v1/devices", "list")).data}


def test_success_returns_the_result_of_the_work_and_its_usage(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("GET", "/v1/devices", json=[])
    task = build_task(warnings, api_url=scripted_cloud.url, access_token="ready")
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


def test_refused_login_returns_the_documented_failure_and_its_usage(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant"})
    task = build_task(warnings, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD)
    result = carry_out_work(task, work)
    assert result["failed"] is True
    assert result["msg"] == f"{result['error']['message']} {result['error']['hint']}"
    assert (result["error"]["code"], result["error"]["route"]) == ("invalid_credentials", "POST /oauth/token")
    assert result["cloud"]["requests"] == 1


def test_many_tasks_of_one_account_make_one_login(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    script_grants(scripted_cloud, token(1)).answer("GET", DEVICES, json=[], repeat=True)
    environment = {"XDG_CACHE_HOME": str(home / "cache")}
    for _unused in range(5):
        task = build_task(
            warnings, environment, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD
        )
        assert "failed" not in carry_out_work(task, work)
    assert list_requests(scripted_cloud) == ["POST /oauth/token", *[f"GET {DEVICES}"] * 5]
    assert (home / "cache" / "meshfleet.particle" / "sessions.json").exists()


def test_wrong_password_is_sent_only_once_for_many_tasks(
    scripted_cloud: ScriptedCloud, warnings: list[str], no_proxies: None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant"})
    for _unused in range(100):
        task = build_task(warnings, api_url=scripted_cloud.url, username="demo@example.com", password=PASSWORD)
        result = carry_out_work(task, work)
        assert result["error"]["code"] == "invalid_credentials"
        assert "hidden" not in str(result).lower()
    assert len(scripted_cloud.requests) == 1


def test_given_token_needs_no_cache_folder(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[])
    (home / "taken").write_text("a file where a folder should be")
    environment = {"XDG_CACHE_HOME": str(home / "taken")}
    task = build_task(warnings, environment, api_url=scripted_cloud.url, access_token="ready")
    assert "failed" not in carry_out_work(task, work)


def test_all_tasks_of_a_user_share_one_budget(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[], repeat=True)
    environment = {"XDG_CACHE_HOME": str(home / "cache"), "PARTICLE_BUDGET_REQUESTS": "10"}
    options = {"api_url": scripted_cloud.url, "access_token": "ready"}
    for runtime in ("", str(home / "run"), str(home / "another")):  # set in a login session, but not by cron
        in_session = {**environment, "XDG_RUNTIME_DIR": runtime}
        assert "failed" not in carry_out_work(build_task(warnings, in_session, **options), work)
    task = build_task(warnings, environment, budget_share=0.6, **options)
    assert task.connect(task.read_settings()).budget.get_used_share() == 0.5
    carry_out_work(task, lambda task: {})
    (file,) = (home / "cache" / "meshfleet.particle").iterdir()
    assert (file.suffix, mode(file)) == (".ring", 0o600)


def test_files_of_a_budget_name_no_cloud_and_contain_no_secret(
    scripted_cloud: ScriptedCloud, warnings: list[str], home: Path, no_proxies: None
) -> None:
    script_grants(scripted_cloud, token(1)).answer("GET", DEVICES, json=[])
    environment = {"XDG_CACHE_HOME": str(home / "cache")}
    options = {"api_url": scripted_cloud.url, "username": "demo@example.com", "password": PASSWORD}
    assert "failed" not in carry_out_work(build_task(warnings, environment, **options), work)
    files = list((home / "cache" / "meshfleet.particle").glob("budget-*"))
    assert len(files) == 2
    shown = b"".join(file.name.encode() + file.read_bytes() for file in files)
    canaries = (token(1), PASSWORD, "demo@example.com", "127.0.0.1")
    assert [canary for canary in canaries if canary.encode() in shown] == []


@pytest.mark.parametrize(
    ("options", "environment"), [({"budget_share": 2.0}, {}), ({}, {"PARTICLE_BUDGET_REQUESTS": "plenty"})]
)
def test_invalid_budget_option_fails_before_any_request(
    scripted_cloud: ScriptedCloud, warnings: list[str], options: dict[str, Any], environment: dict[str, str]
) -> None:
    task = build_task(warnings, environment, api_url=scripted_cloud.url, access_token="ready", **options)
    result = carry_out_work(task, work)
    assert (result["failed"], result["error"]["code"]) == (True, "invalid_option")
    assert " must be " in result["error"]["message"]
    assert scripted_cloud.requests == []


def test_login_without_a_usable_cache_folder_is_not_made(warnings: list[str], home: Path) -> None:
    (home / "taken").write_text("a file where a folder should be")
    environment = {"XDG_CACHE_HOME": str(home / "taken")}
    result = carry_out_work(build_task(warnings, environment, username="demo@example.com", password=PASSWORD), work)
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
def test_source_of_credentials_is_shown_without_their_values(
    warnings: list[str], messages: list[str], options: dict[str, str], environment: dict[str, str], source: str
) -> None:
    build_task(warnings, environment, messages, **options).read_settings()
    assert messages == [f"Credentials come from {source}."]


def test_missing_credentials_show_no_message(warnings: list[str], messages: list[str]) -> None:
    build_task(warnings, {}, messages).read_settings()
    assert messages == []


def test_result_names_the_source_of_credentials_if_they_were_read(warnings: list[str]) -> None:
    def find_source(work: Work, **options: Any) -> Any:
        return carry_out_work(build_task(warnings, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, **options), work).get(
            "credentials_source"
        )

    def read_settings(task: Task) -> dict[str, Any]:
        task.read_settings()
        return {}

    def read_settings_and_fail(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ParticleError("conflict", "No.")

    assert find_source(read_settings) == find_source(read_settings_and_fail) == "the environment"
    assert find_source(read_settings, access_token="ready") == "the task's options"
    assert find_source(lambda task: {}) is None
    assert carry_out_work(build_task(warnings, {}), read_settings)["credentials_source"] == "nowhere"


def test_secret_of_the_default_client_is_not_redacted(warnings: list[str]) -> None:
    def fail(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ParticleError("conflict", "api.particle.io says no.")

    options = {"username": "demo@example.com", "password": PASSWORD, "client_id": "particle"}
    result = carry_out_work(build_task(warnings, client_secret="particle", **options), fail)
    assert result["error"]["message"] == "api.particle.io says no."


def test_password_of_the_account_beside_a_token_is_redacted(warnings: list[str]) -> None:
    environment = {"PARTICLE_USERNAME": "demo@example.com", "PARTICLE_PASSWORD": PASSWORD}
    task = build_task(warnings, environment, access_token="ready")
    account = task.read_account()
    assert account is not None
    assert account.username == "demo@example.com"
    assert task.redact(PASSWORD) == "********"
    assert build_task(warnings, access_token="ready").read_account() is None


def test_malformed_password_fails_before_any_connection(warnings: list[str]) -> None:
    result = carry_out_work(build_task(warnings, username="demo@example.com", password="line\n"), work)
    assert result["error"]["code"] == "malformed_password"
    assert "cloud" not in result


@pytest.mark.parametrize("source", ["options", "environment"])
def test_unexpected_error_has_a_traceback_without_secrets(warnings: list[str], source: str) -> None:
    def fail(task: Task) -> dict[str, Any]:
        task.read_settings()
        raise ZeroDivisionError(f"odd: {PASSWORD} hidden-secret HIDDEN2HIDDEN2")

    options: dict[str, Any] = {"username": "demo@example.com", "client_id": "my-client", **SECRETS}
    environment = {f"PARTICLE_{name.upper()}": value for name, value in options.items()}
    task = build_task(warnings, **options) if source == "options" else build_task(warnings, environment)
    result = carry_out_work(task, fail)
    assert result["error"]["code"] == "internal"
    assert result["error"]["message"] == "Unexpected ZeroDivisionError: odd: ******** ******** ********"
    assert "Traceback" in result["exception"]
    assert "hidden" not in str(result).lower()


def test_failure_before_settings_are_read_contains_no_secret(warnings: list[str]) -> None:
    def fail(task: Task) -> dict[str, Any]:
        raise ParticleError("conflict", f"odd: {PASSWORD}")

    result = carry_out_work(build_task(warnings, **SECRETS), fail)
    assert result["error"]["message"] == "odd: ********"
    assert "hidden" not in str(result).lower()


def test_warnings_about_the_connection_reach_the_user(warnings: list[str]) -> None:
    build_task(warnings, api_url="http://cloud.example.com", access_token="ready").read_settings()
    assert len(warnings) == 1
    assert "not encrypted" in warnings[0]


def test_repr_of_a_task_contains_no_secret(warnings: list[str]) -> None:
    task = build_task(warnings, {"PARTICLE_ACCESS_TOKEN": "hidden-token"}, **SECRETS)
    task.redact.add_secret("hidden-thing")
    assert "hidden" not in repr(task)


@pytest.mark.parametrize(("workers", "expected"), [(None, DEFAULT_WORKERS), (1, 1), (3, 3), (256, 256)])
def test_number_of_workers_is_an_option(
    warnings: list[str], workers: int | None, expected: int, no_proxies: None
) -> None:
    task = build_task(warnings, access_token="ready", workers=workers)
    http = task.connect(task.read_settings())
    http.close()
    assert http.workers == expected


@pytest.mark.parametrize("workers", [-1, 0, 257, 10**9])
def test_invalid_number_of_workers_fails_before_any_request(
    scripted_cloud: ScriptedCloud, warnings: list[str], workers: int
) -> None:
    result = carry_out_work(
        build_task(warnings, api_url=scripted_cloud.url, access_token="ready", workers=workers), work
    )
    assert (result["failed"], result["error"]["code"]) == (True, "invalid_option")
    assert result["error"]["message"] == f"workers must be a number from 1 to 256, got {workers}."
    assert scripted_cloud.requests == []


@pytest.mark.parametrize(("more", "code"), [({}, "unreachable"), ({"no_proxy": "127.0.0.1"}, None)])
def test_proxies_are_read_from_the_environment_of_the_task(
    scripted_cloud: ScriptedCloud,
    warnings: list[str],
    no_proxies: None,
    more: dict[str, str],
    code: str | None,
) -> None:
    scripted_cloud.answer("GET", DEVICES, json=[])
    environment = {"http_proxy": "http://127.0.0.1:1", **more}
    options = {"api_url": scripted_cloud.url, "access_token": "ready", "max_wait": 0.1}
    result = carry_out_work(build_task(warnings, environment, **options), work)
    assert result.get("error", {}).get("code") == code
    assert len(scripted_cloud.requests) == (0 if code else 1)


class TestDiff:
    """The return value that shows what a task changes."""

    DIFF = Diff(tuple(ChangedItem(f"P{number:03}", {"notes": (None, f"key canary-{number}")}) for number in range(99)))

    def show(self, **modes: bool) -> dict[str, dict[str, str]]:
        task = Task({}, False, print, print, **modes)
        task.redact.add_secret("canary-1")
        return task.show_diff({"diff": self.DIFF})

    def test_it_is_returned_only_in_diff_mode(self) -> None:
        assert self.show() == self.show(is_verbose=True) == {}
        assert self.show(diff_mode=True)["diff"].keys() == {"prepared"}

    def test_secrets_in_values_are_masked(self) -> None:
        shown = self.show(diff_mode=True)["diff"]["prepared"]
        assert "canary-1" not in shown
        assert "P001: notes null -> 'key ********'" in shown

    def test_it_shows_more_with_v(self) -> None:
        numbers = [
            self.show(diff_mode=True, is_verbose=is_verbose)["diff"]["prepared"].count("\n")
            for is_verbose in (False, True)
        ]
        assert numbers == [MAX_LINES, len(self.DIFF.items)]


def test_default_environment_is_that_of_the_process(warnings: list[str]) -> None:
    assert Task({}, False, warnings.append, warnings.append).environment is os.environ


def test_a_module_has_the_shared_options_and_its_own() -> None:
    spec = build_argument_spec(state={"type": "str"})
    assert spec["state"] == {"type": "str"}
    assert spec["password"] == {"type": "str", "no_log": True}
