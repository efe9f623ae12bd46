# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test tokens in playbooks: how they are obtained, stored, renewed, shared by many hosts, and revoked."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

HOSTS = count(quick=12, full=50)
MFA = {"username": "mfa@example.com", "password": PASSWORD}
MFA_SECRET = "JBSWY3DPEHPK3PXP"
CLIENT = {"id": "line-2-4711", "secret": "0123456789abcdef0123456789abcdef01234567"}
TIMEOUT = 30


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(
        json.dumps(
            [
                {"username": USERNAME, "password": PASSWORD, "clients": [CLIENT]},
                {**MFA, "otp_secret": MFA_SECRET},
            ]
        )
    )
    flags = ("--session-login", "/ide/login", "--session-token", "/ide/token")
    # The collection computes one-time codes with the clock of the machine.
    with running_simulator("--fleet", "3", "--accounts", str(accounts), *flags, clock="real") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


def is_alive(cloud: Simulator, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{cloud.url}/v1/access_tokens/current", headers=headers, timeout=TIMEOUT).ok


def read_tokens(file: Path) -> list[str]:
    return [entry["access_token"] for entry in json.loads(file.read_text())["tokens"]]


def advance(cloud: Simulator, seconds: float) -> None:
    requests.post(f"{cloud.url}/_simulator/clock", json={"advance": seconds}, timeout=TIMEOUT).raise_for_status()


# --- grants ---


@pytest.mark.parametrize(
    "options",
    [
        {"username": USERNAME, "password": PASSWORD},
        {**MFA, "otp_secret": MFA_SECRET},
        {"grant": "client_credentials", "client_id": CLIENT["id"], "client_secret": CLIENT["secret"]},
        {
            "grant": "session",
            "username": USERNAME,
            "password": PASSWORD,
            "session_login_url": "/ide/login",
            "session_token_url": "/ide/token",
        },
    ],
    ids=["password", "one-time code", "client credentials", "two-step session"],
)
def test_every_grant_stores_a_valid_token(cloud: Simulator, tmp_path: Path, options: dict[str, Any]) -> None:
    file = tmp_path / "tokens.json"
    run = run_task("access_token", {**options, "token_file": str(file)}, {"PARTICLE_API_URL": cloud.url}).succeeded()
    assert run.task(TASK).status == "changed"
    (token,) = read_tokens(file)
    assert is_alive(cloud, token)


def test_refresh_token_works_only_once(cloud: Simulator) -> None:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    client = (CLIENT["id"], CLIENT["secret"])
    refresh = requests.post(f"{cloud.url}/oauth/token", data=form, auth=client, timeout=TIMEOUT).json()["refresh_token"]
    options = {
        "grant": "refresh_token",
        "refresh_token": refresh,
        "client_id": CLIENT["id"],
        "client_secret": CLIENT["secret"],
    }
    env = {"PARTICLE_API_URL": cloud.url}
    assert run_task("access_token", options, env).task(TASK).status == "changed"
    again = run_task("access_token", options, env)
    assert again.result(TASK)["error"]["code"] == "invalid_credentials"
    assert refresh not in again.output


def test_stored_refresh_token_is_used_and_replaced_by_a_rotation(cloud: Simulator, tmp_path: Path) -> None:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    client = (CLIENT["id"], CLIENT["secret"])
    refresh = requests.post(f"{cloud.url}/oauth/token", data=form, auth=client, timeout=TIMEOUT).json()["refresh_token"]
    file = tmp_path / "tokens.json"
    options = {
        "grant": "refresh_token",
        "client_id": CLIENT["id"],
        "client_secret": CLIENT["secret"],
        "token_file": str(file),
    }
    env = {"PARTICLE_API_URL": cloud.url}
    grants = cloud.stats()["grants"]
    dry = run_task("access_token", {**options, "refresh_token": refresh}, env, "--check").succeeded()
    assert (dry.task(TASK).status, cloud.stats()["grants"]) == ("changed", grants)
    run_task("access_token", {**options, "refresh_token": refresh}, env).succeeded()
    (first,) = json.loads(file.read_text())["tokens"]
    run = run_task("access_token", {**options, "state": "rotated"}, env, "-vvvv").succeeded()
    (second,) = json.loads(file.read_text())["tokens"]
    assert is_alive(cloud, second["access_token"])
    assert len({refresh, first["refresh_token"], second["refresh_token"]}) == 3
    assert second["refresh_token"] not in run.output


@pytest.mark.parametrize(
    "lifetime", [{"expires_in": 60}, {"expires_at": "2030-01-01T00:00:00Z"}, {"never_expires": True}]
)
@pytest.mark.parametrize("grant", ["refresh_token", "session"])
def test_unsupported_lifetime_is_refused_before_any_request(
    cloud: Simulator, grant: str, lifetime: dict[str, Any]
) -> None:
    options = {
        "refresh_token": {"refresh_token": "0" * 40, "client_id": CLIENT["id"], "client_secret": CLIENT["secret"]},
        "session": {"session_login_url": "/ide/login", "session_token_url": "/ide/token"},
    }[grant]
    run = run_task("access_token", {"grant": grant, **options, **lifetime}, cloud_environment(cloud.url))
    assert run.result(TASK)["error"]["code"] == "invalid_option"
    assert next(iter(lifetime)) in run.result(TASK)["msg"]
    assert cloud.stats()["requests"] == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"grant": "session", "session_token_url": "/ide/token"}, "Give session_login_url."),
        ({"grant": "session", "session_login_url": "/ide/login"}, "Give session_token_url."),
        ({"grant": "client_credentials"}, "Give client_id and client_secret."),
        (
            {"grant": "refresh_token", "client_id": CLIENT["id"], "client_secret": CLIENT["secret"]},
            "Give refresh_token.",
        ),
    ],
)
def test_grant_without_a_required_option_is_refused(cloud: Simulator, options: dict[str, Any], hint: str) -> None:
    error = run_task("access_token", options, cloud_environment(cloud.url)).result(TASK)["error"]
    assert (error["code"], error["hint"]) == ("invalid_option", hint)
    assert cloud.stats()["requests"] == 0


def test_unencrypted_session_url_causes_a_warning(cloud: Simulator) -> None:
    urls = {"session_login_url": "http://0.0.0.0:1/login", "session_token_url": "/ide/token"}
    run = run_task("access_token", {"grant": "session", **urls}, cloud_environment(cloud.url))
    assert run.result(TASK)["error"]["code"] == "unreachable"
    assert "http://0.0.0.0:1/login is not encrypted" in " ".join(run.output.split())


def test_second_login_waits_for_the_next_one_time_code(cloud: Simulator, tmp_path: Path) -> None:
    obtain = {"meshfleet.particle.access_token": {**MFA, "otp_secret": MFA_SECRET}}
    tasks = [{"name": name, **obtain} for name in ("First", "Second")]
    run = run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env={"PARTICLE_API_URL": cloud.url}
    ).succeeded()
    assert [task.status for task in run.tasks] == ["changed", "changed"]
    assert cloud.stats()["refusals"] == 0


def test_login_of_the_official_tool_is_used(cloud: Simulator, tmp_path: Path) -> None:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    token = requests.post(
        f"{cloud.url}/oauth/token", data=form, auth=("particle-cli", "particle-cli"), timeout=TIMEOUT
    ).json()["access_token"]
    folder = tmp_path / ".particle"
    folder.mkdir()
    profile = {"access_token": token, "username": USERNAME, "apiUrl": cloud.url}
    (folder / "particle.config.json").write_text(json.dumps(profile))
    run_task("device_info", {"product": PRODUCT_SLUG}, {"HOME": str(tmp_path)}).succeeded()
    assert cloud.stats()["grants"] == 1  # the login of this test


def test_revocation_without_a_given_token_fails_and_revokes_none(cloud: Simulator, tmp_path: Path) -> None:
    env = cloud_environment(cloud.url)
    file = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(file)}, env).succeeded()
    (token,) = read_tokens(file)
    (tmp_path / ".particle").mkdir()
    profile = {"access_token": token, "username": USERNAME, "apiUrl": cloud.url}
    (tmp_path / ".particle" / "particle.config.json").write_text(json.dumps(profile))
    before = cloud.stats()
    for places in ({}, {"PARTICLE_TOKEN_FILE": str(file)}, {"PARTICLE_ACCESS_TOKEN": token}):
        options = {"state": "absent", "access_token": "{{ never_obtained | default(omit) }}"}
        run = run_task("access_token", options, {**env, "HOME": str(tmp_path), **places})
        assert run.result(TASK)["error"]["code"] == "invalid_option"
        assert "The token to revoke is not given" in run.result(TASK)["msg"]
    assert cloud.stats() == before
    assert is_alive(cloud, token)


def test_given_token_is_used_without_a_session_folder(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(file)}, cloud_environment(cloud.url)).succeeded()
    (token,) = read_tokens(file)
    (tmp_path / "file").write_text("a file where a folder should be")
    env = {"PARTICLE_API_URL": cloud.url, "XDG_CACHE_HOME": str(tmp_path / "file")}
    given = {"access_token": token}
    run_task("device_info", {**given, "product": PRODUCT_SLUG}, env).succeeded()
    assert run_task("access_token_info", given, env).succeeded().result(TASK)["current"]["alive"] is True
    predicted = run_task("access_token", {**given, "state": "absent"}, env, "--check").succeeded()
    assert (predicted.task(TASK).status, is_alive(cloud, token)) == ("changed", True)
    run_task("access_token", {**given, "state": "absent"}, env).succeeded()
    assert not is_alive(cloud, token)
    doctor = run_task("auth_doctor", {"username": USERNAME, "password": PASSWORD}, env).succeeded().result(TASK)
    assert doctor["code"] == "unsafe_file"
    assert [check["name"] for check in doctor["checks"] if check["status"] == "fail"] == ["login"]


def test_otp_option_with_an_account_of_the_environment_is_refused(cloud: Simulator) -> None:
    run = run_task("device_info", {"otp": "123456"}, cloud_environment(cloud.url))
    assert run.result(TASK)["error"]["code"] == "malformed_username"
    assert all(place in run.result(TASK)["msg"] for place in ("the task's options", "the environment"))
    assert cloud.stats()["requests"] == 0


def test_username_selects_one_of_the_stored_tokens(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    store_token(cloud, file, "mine", 4, {"username": USERNAME, "password": PASSWORD})
    store_token(cloud, file, "longer", 8, {**MFA, "otp_secret": MFA_SECRET})
    fingerprints = {}
    for name in (USERNAME, MFA["username"]):
        options = {"username": name, "token_file": str(file)}
        result = run_task("access_token_info", options, {"PARTICLE_API_URL": cloud.url}).succeeded().result(TASK)
        fingerprints[name] = result["current"]["fingerprint"]
        assert result["credentials_source"] == str(file)
        assert {token["account"]: token["fingerprint"] for token in result["kept"]}[name] == fingerprints[name]
    assert len(set(fingerprints.values())) == 2


def test_verbose_output_names_the_source_of_the_credentials(cloud: Simulator) -> None:
    run = run_task("fleet", {"product": PRODUCT_SLUG, "devices": []}, cloud_environment(cloud.url), "-v").succeeded()
    assert "Credentials come from the environment." in run.output
    assert PASSWORD not in run.output
    for module in ("device_info", "access_token_info", "auth_doctor"):
        run = run_task(module, {}, cloud_environment(cloud.url), "-v").succeeded()
        assert '"credentials_source": "the environment"' in run.output


# --- storage, renewal, revocation ---


def test_stored_token_is_reused_until_it_is_renewed_or_revoked(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    env = cloud_environment(cloud.url)
    options = {"token_file": str(file), "purpose": "nightly report"}

    first = run_task("access_token", options, env).succeeded()
    again = run_task("access_token", options, env).succeeded()
    assert (first.task(TASK).status, again.task(TASK).status) == ("changed", "ok")
    (old,) = read_tokens(file)

    run_task("access_token", {**options, "renew_before": 91}, env).succeeded()
    (new,) = read_tokens(file)
    assert new != old
    assert (is_alive(cloud, old), is_alive(cloud, new)) == (False, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    run_task("access_token", {"state": "absent", "which": "current", "token_file": str(file)},
             {"PARTICLE_API_URL": cloud.url}).succeeded()  # fmt: skip
    assert not is_alive(cloud, new)
    assert read_tokens(file) == []

    env = {"PARTICLE_API_URL": cloud.url, "HOME": str(tmp_path)}
    again = run_task("access_token", {"state": "absent", "which": "current", "token_file": str(file)}, env)
    assert f"{file} contains no unexpired token for {cloud.url}." in again.result(TASK)["msg"]


def test_rotation_in_check_mode_rotates_nothing(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    env = cloud_environment(cloud.url)
    run_task("access_token", {"token_file": str(file)}, env).succeeded()
    before = file.read_bytes()
    dry = run_task("access_token", {"token_file": str(file), "state": "rotated"}, env, "--check").succeeded()
    assert dry.task(TASK).status == "changed"
    assert file.read_bytes() == before
    assert cloud.stats()["grants"] == 1
    run_task("access_token", {"token_file": str(file), "state": "rotated"}, env).succeeded()
    assert cloud.stats()["grants"] == 2


def test_token_file_that_others_can_read_is_refused(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{}")
    os.chmod(file, 0o644)
    run = run_task("access_token", {"token_file": str(file)}, cloud_environment(cloud.url))
    assert run.task(TASK).status == "failed"
    assert "0644" in run.result(TASK)["msg"]
    assert cloud.stats()["requests"] == 0


def test_revocation_of_all_tokens_requires_confirm(cloud: Simulator) -> None:
    env = cloud_environment(cloud.url)
    refused = run_task("access_token", {"state": "absent", "which": "all"}, env)
    assert refused.task(TASK).status == "failed"
    assert cloud.stats()["requests"] == 0
    run_task("access_token", {"state": "absent", "which": "all", "confirm": True}, env).succeeded()
    assert cloud.stats()["by_route"]["DELETE /v1/access_tokens"] == 1


def test_token_info_shows_the_current_and_the_stored_tokens(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(file), "purpose": "report"}, cloud_environment(cloud.url)).succeeded()
    run = run_task("access_token_info", {"token_file": str(file), "list": True}, {"PARTICLE_API_URL": cloud.url})
    result = run.succeeded().result(TASK)
    assert result["current"]["alive"] is True
    assert result["current"]["days_left"] in (89, 90)
    assert [(token["purpose"], token["account"], token["days_left"]) for token in result["kept"]] == [
        ("report", USERNAME, 89)
    ]
    assert result["kept"][0]["fingerprint"] == result["current"]["fingerprint"]
    assert result["listing_error"]["code"] == "listing_refused"
    assert read_tokens(file)[0] not in run.output + json.dumps(result)


def run_token_health(cloud: Simulator, file: Path, **extra: Any) -> PlaybookRun:
    return run_playbook(
        "meshfleet.particle.token_health",
        env=cloud_environment(cloud.url),
        extra_vars={"token_file": str(file), **extra},
    )


def store_token(cloud: Simulator, file: Path, purpose: str, days: int, account: dict[str, str]) -> None:
    options = {"token_file": str(file), "purpose": purpose, "expires_in": days * 86400 + 600, "renew_before": 1}
    run_task("access_token", {**options, **account}, {"PARTICLE_API_URL": cloud.url}).succeeded()


def test_token_health_fails_below_the_threshold_and_renews_on_request(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    store_token(cloud, file, "ci-bot", 4, {"username": USERNAME, "password": PASSWORD})

    failed = run_token_health(cloud, file, threshold="", renew="")
    assert failed.rc != 0
    assert "ci-bot: 4 days left (renew below 5)" in failed.output

    (old,) = read_tokens(file)
    renewed = run_token_health(cloud, file, renew=True).succeeded()
    assert not is_alive(cloud, old)
    assert "ci-bot: 89 days left" in renewed.output


def test_token_health_does_not_renew_the_token_of_another_account(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    store_token(cloud, file, "line-2", 4, {**MFA, "otp_secret": MFA_SECRET})
    run = run_token_health(cloud, file, renew=True)
    assert run.rc != 0
    assert "line-2 of mfa@example.com" in run.output
    assert len(read_tokens(file)) == 1


def test_token_health_does_not_renew_the_token_of_another_client(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    client = {"client_id": CLIENT["id"], "client_secret": CLIENT["secret"]}
    store_token(cloud, file, "line-2", 4, {"username": USERNAME, "password": PASSWORD, **client})
    run = run_token_health(cloud, file, renew=True)
    assert run.rc != 0
    assert f"obtained with the OAuth clients {CLIENT['id']}" in run.output
    assert len(read_tokens(file)) == 1


def test_token_health_sends_no_password_to_the_cloud_of_another_token(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    with running_simulator() as other:
        store_token(other, file, "line-2", 4, {"username": USERNAME, "password": PASSWORD})
        before = other.stats()["requests"]
        run = run_token_health(cloud, file, renew=True)
        assert other.stats()["requests"] == before
    assert run.rc != 0
    assert f"of {USERNAME} for {other.url}," in run.output
    assert len(read_tokens(file)) == 1


def test_token_health_fails_if_the_token_file_is_missing(cloud: Simulator, tmp_path: Path) -> None:
    run = run_token_health(cloud, tmp_path / "mistyped.json")
    assert run.rc != 0
    assert "The token file contains no token" in run.output


# --- sharing ---

HOST_NAMES = [f"line-{number}" for number in range(HOSTS)]


def run_on_many_hosts(cloud: Simulator | ScriptedCloud, defaults: dict[str, Any], **env: str) -> PlaybookRun:
    """Run one task on many hosts at the same time, with one process per host."""
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"ansible_connection": "local"},
        "module_defaults": {"group/meshfleet.particle.particle": {"api_url": cloud.url, **defaults}},
        "tasks": [{"name": TASK, "meshfleet.particle.device_info": {"product": PRODUCT_SLUG}}],
    }
    inventory = ",".join(HOST_NAMES) + ","
    return run_playbook([play], env=env, args=["-i", inventory, "--forks", str(HOSTS)], timeout=280)


LOOKUP = "{{ lookup('meshfleet.particle.access_token', api_url=%r, username=%r, password=%r) }}"


@pytest.mark.parametrize("source", ["credentials", "lookup"])
def test_many_hosts_share_one_login(cloud: Simulator, source: str) -> None:
    defaults: dict[str, Any] = {"username": USERNAME, "password": PASSWORD}
    if source == "lookup":
        defaults = {"access_token": LOOKUP % (cloud.url, USERNAME, PASSWORD)}
    run_on_many_hosts(cloud, defaults).succeeded()
    stats = cloud.stats()
    assert (stats["grants"], stats["refusals"]) == (1, 0)


@pytest.mark.parametrize("source", ["credentials", "lookup"])
def test_many_hosts_send_a_wrong_password_only_once(cloud: Simulator, source: str) -> None:
    defaults: dict[str, Any] = {"username": USERNAME, "password": "wrong-canary"}
    if source == "lookup":
        defaults = {"access_token": LOOKUP % (cloud.url, USERNAME, "wrong-canary")}
    run = run_on_many_hosts(cloud, defaults)
    assert run.rc != 0
    stats = cloud.stats()
    assert (stats["grants"], stats["refusals"]) == (0, 1)
    assert "does not accept this username and password" in run.output


def test_many_hosts_send_one_login_to_a_cloud_that_fails(scripted_cloud: ScriptedCloud) -> None:
    failure = {"error": "server_error", "error_description": "The token service is full"}
    scripted_cloud.answer("POST", "/oauth/token", 503, json=failure, repeat=True)
    run = run_on_many_hosts(scripted_cloud, {"username": USERNAME, "password": PASSWORD})
    assert run.rc != 0
    assert len(scripted_cloud.requests) == 1
    assert {task.result["error"]["code"] for task in run.tasks} == {"cloud_error"}
    assert all("The token service is full" in task.result["msg"] for task in run.tasks)


def test_expired_session_leads_to_one_new_login(cloud: Simulator, tmp_path: Path) -> None:
    env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(tmp_path)}
    run_task("device_info", {"product": PRODUCT_SLUG}, env).succeeded()
    advance(cloud, 2 * 3600)  # only the clock of the cloud, so the session still looks valid
    again = run_task("device_info", {"product": PRODUCT_SLUG}, env).succeeded()
    assert cloud.stats()["grants"] == 2
    assert "logging in again" in again.output
