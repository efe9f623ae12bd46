# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that `auth_doctor` names the cause of each login problem and requests at most one token."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from support.certificates import create_certificate
from support.plays import TASK, run_task
from support.real_server import RealServer
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

MFA_SECRET = "JBSWY3DPEHPK3PXP"
CLIENT = {"id": "line-2-4711", "secret": "0123456789abcdef0123456789abcdef01234567"}
ACCOUNTS = [
    {"username": USERNAME, "password": PASSWORD, "clients": [CLIENT]},
    {"username": "mfa@example.com", "password": PASSWORD, "otp_secret": MFA_SECRET},
    {"username": "sso@example.com", "password": PASSWORD, "sso": True},
]
ACCOUNT = {"username": USERNAME, "password": PASSWORD}
TIMEOUT = 30


@pytest.fixture(scope="module")
def _clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Simulator]]:
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(json.dumps(ACCOUNTS))
    # The collection computes one-time codes with the clock of the machine.
    with (
        running_simulator("--fleet", "2", "--accounts", str(accounts), clock="real") as today,
        running_simulator("--accounts", str(accounts), "--token-listing", "enabled", clock="real") as listing,
    ):
        yield {"today": today, "listing": listing}


@pytest.fixture
def clouds(_clouds: dict[str, Simulator]) -> dict[str, Simulator]:
    for cloud in _clouds.values():
        cloud.reset()
    return _clouds


def request_token(cloud: Simulator, **form: str) -> str:
    fields = {"grant_type": "password", **ACCOUNT, **form}
    answer = requests.post(f"{cloud.url}/oauth/token", data=fields, auth=("particle", "particle"), timeout=TIMEOUT)
    return str(answer.json()["access_token"])


def create_api_user(cloud: Simulator, *scopes: str) -> dict[str, Any]:
    """Create an API user of the product with these scopes; return options with its token."""
    answer = requests.post(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/team",
        headers={"Authorization": f"Bearer {request_token(cloud)}"},
        json={"friendly_name": "night watch", "scopes": scopes},
        timeout=TIMEOUT,
    )
    return {"access_token": answer.json()["created"]["tokens"][0]["token"], "product": PRODUCT_SLUG}


def create_expired_token(cloud: Simulator) -> dict[str, Any]:
    """Return options with a token that has expired."""
    token = request_token(cloud, expires_in="60")
    requests.post(f"{cloud.url}/_simulator/clock", json={"advance": 120}, timeout=TIMEOUT).raise_for_status()
    return {"access_token": token}


def refuse_token_with_400(cloud: Simulator) -> dict[str, Any]:
    """Make the cloud report an expired token with status 400 and the error of a refused login."""
    body = {"error": "invalid_grant", "error_description": "The access token provided has expired."}
    fault = {"route": "GET /v1/access_tokens/current", "times": 5, "effect": "status", "status": 400, "body": body}
    cloud.set_faults([fault])
    return {"access_token": "5" * 40}


def lock_out_address(cloud: Simulator) -> dict[str, Any]:
    """Send so many wrong passwords that the cloud refuses further logins; return options with the right one."""
    for _unused in range(10):
        form = {"grant_type": "password", "username": USERNAME, "password": "wrong"}
        requests.post(f"{cloud.url}/oauth/token", data=form, auth=("particle", "particle"), timeout=TIMEOUT)
    return dict(ACCOUNT)


def list_with_token(cloud: Simulator, **options: Any) -> dict[str, Any]:
    """Return options that list the tokens of the account with a valid token."""
    return {"access_token": request_token(cloud), "list": True, **options}


@dataclass(frozen=True)
class Situation:
    """A problem, the options that the user sets, and the expected diagnosis."""

    name: str
    code: str | None
    options: dict[str, Any] | Callable[[Simulator], dict[str, Any]]
    check: str
    cloud: str = "today"
    words: tuple[str, ...] = field(default=())


MFA = {"username": "mfa@example.com", "password": PASSWORD}
SITUATIONS = [
    Situation("everything is in order", None, ACCOUNT, "token"),
    Situation("spaces in the e-mail", "malformed_username", {**ACCOUNT, "username": "demo @x.com"}, "credentials"),
    Situation("line break after the password", "malformed_password", {**ACCOUNT, "password": "x\n"}, "credentials"),
    Situation("username without password", "malformed_password", {"username": USERNAME}, "credentials"),
    Situation("wrong password", "invalid_credentials", {**ACCOUNT, "password": "wrong"}, "login"),
    Situation(
        "unknown client",
        "unknown_client",
        {**ACCOUNT, "client_id": "no-such-client-1", "client_secret": "x"},
        "login",
    ),
    Situation(
        "wrong secret of a known client",
        "invalid_client_secret",
        {**ACCOUNT, "client_id": "particle-cli", "client_secret": "wrong"},
        "login",
    ),
    Situation("half a client", "invalid_client_secret", {**ACCOUNT, "client_id": "particle-cli"}, "credentials"),
    Situation("two-factor login and no code", "mfa_required", MFA, "login", words=("otp_secret",)),
    Situation("wrong one-time code", "otp_refused", {**MFA, "otp": "000000"}, "login"),
    Situation("single sign-on", "sso_account", {"username": "sso@example.com", "password": PASSWORD}, "login"),
    Situation("address locked out", "locked_out", lock_out_address, "login", words=("30 minutes",)),
    Situation("unknown token", "token_invalid", {"access_token": "7" * 40}, "token"),
    Situation("mangled token", "token_invalid", {"access_token": "7" * 20 + "\n" + "7" * 20}, "credentials"),
    Situation("expired token", "token_expired", create_expired_token, "token"),
    Situation("expired token, reported with 400", "token_expired", refuse_token_with_400, "token"),
    Situation(
        "API user that cannot list devices",
        "missing_scope",
        lambda cloud: create_api_user(cloud, "products:get"),
        "scopes",
        words=("Add the scope devices:list to the API user",),
    ),
    Situation(
        "API user that cannot read the product",
        "missing_scope",
        lambda cloud: create_api_user(cloud, "devices:list", "devices:import"),
        "scopes",
        words=("Add the scope products:get to the API user",),
    ),
    Situation(
        "API user that can only read",
        None,
        lambda cloud: create_api_user(cloud, "devices:list", "products:get"),
        "scopes",
        words=("Everything is in order.",),
    ),
    Situation(
        "secret of a client used as token",
        "not_a_token",
        {"access_token": CLIENT["secret"], "client_id": CLIENT["id"], "client_secret": "x"},
        "token",
    ),
    Situation(
        "its own secret used as token",
        "not_a_token",
        {"access_token": CLIENT["secret"], "client_id": CLIENT["id"], "client_secret": CLIENT["secret"]},
        "credentials",
    ),
    Situation(
        "listing with a wrong pair",
        "listing_refused",
        lambda cloud: list_with_token(cloud, username=USERNAME, password="wrong"),
        "listing",
        "listing",
    ),
    Situation(
        "listing with the client's pair",
        "listing_refused",
        lambda cloud: list_with_token(cloud, username="particle", password="particle"),
        "listing",
        "listing",
        ("OAuth client",),
    ),
    Situation("listing with a token", "listing_refused", list_with_token, "listing", "listing", ("not a token",)),
    Situation("listing retired", "listing_retired", lambda cloud: list_with_token(cloud, **ACCOUNT), "listing"),
    Situation(
        "listing available", None, lambda cloud: list_with_token(cloud, **ACCOUNT), "listing", "listing"
    ),
    Situation(
        "listing with two-factor login",
        None,
        {**MFA, "otp_secret": MFA_SECRET, "list": True},
        "listing",
        "listing",
    ),
]  # fmt: skip


def run_doctor(options: dict[str, Any], url: str, **env: str) -> dict[str, Any]:
    """Run `auth_doctor`, which succeeds with every diagnosis, and return its result."""
    run = run_task("auth_doctor", {"api_url": url, **options}, env).succeeded()
    assert "Traceback" not in run.output
    result = run.result(TASK)
    names = [check["name"] for check in result["checks"]]
    assert names == ["credentials", "host", "tls", "clock", "login", "token", "scopes", "listing"]
    return result


def list_failed_checks(result: dict[str, Any]) -> list[str]:
    return [check["name"] for check in result["checks"] if check["status"] == "fail"]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_doctor_names_the_cause_of_each_login_problem(clouds: dict[str, Simulator], situation: Situation) -> None:
    cloud = clouds[situation.cloud]
    options = situation.options(cloud) if callable(situation.options) else situation.options
    before = cloud.stats()

    result = run_doctor(options, cloud.url)

    assert result["code"] == situation.code, result
    assert list_failed_checks(result) == ([situation.check] if situation.code else [])
    assert all(word in result["diagnosis"] for word in situation.words)
    after = cloud.stats()
    token_requests = after["grants"] + after["refusals"] - before["grants"] - before["refusals"]
    assert token_requests <= 1
    assert after["revocations"] - before["revocations"] == after["grants"] - before["grants"], "a token was left behind"


def test_closed_port_is_reported_as_unreachable() -> None:
    with socket.socket() as bound:  # bound and not listening
        bound.bind(("127.0.0.1", 0))
        result = run_doctor({**ACCOUNT, "max_wait": 0.1}, f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert (result["code"], list_failed_checks(result)) == ("unreachable", ["host"])


def test_web_page_is_reported_as_not_a_cloud(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/access_tokens/current", body="<html>Log in to the hotel</html>")
    result = run_doctor(ACCOUNT, scripted_cloud.url)
    assert (result["code"], list_failed_checks(result)) == ("not_a_cloud", ["host"])
    assert scripted_cloud.seen("POST", "/oauth/token") == []


def test_clock_skew_is_reported_before_any_login(scripted_cloud: ScriptedCloud) -> None:
    unknown_token = {"error": "invalid_request", "error_description": "The access token was not found"}
    headers = {"Date": "Sun, 01 Mar 2026 00:00:00 GMT"}
    scripted_cloud.answer("GET", "/v1/access_tokens/current", 400, json=unknown_token, headers=headers)
    result = run_doctor(ACCOUNT, scripted_cloud.url)
    assert (result["code"], list_failed_checks(result)) == ("clock_skew", ["clock"])
    assert "ahead of" in result["diagnosis"]
    assert scripted_cloud.seen("POST", "/oauth/token") == []


def test_untrusted_certificate_is_reported_unless_ca_path_names_it(tmp_path: Path) -> None:
    certificate, key = create_certificate(tmp_path)
    with running_simulator("--tls-cert", str(certificate), "--tls-key", str(key)) as cloud:
        url = cloud.url.replace("http:", "https:")
        untrusted = run_doctor(ACCOUNT, url)
        trusted = run_doctor({**ACCOUNT, "ca_path": str(certificate)}, url)
    assert (untrusted["code"], list_failed_checks(untrusted)) == ("tls_untrusted", ["tls"])
    assert trusted["code"] is None


@pytest.mark.real_server
def test_wrong_password_is_recognized_in_a_server_error(real_server: RealServer) -> None:
    real_server.create_user("doctor@example.com", PASSWORD)
    result = run_doctor({"username": "doctor@example.com", "password": "wrong"}, real_server.url)
    assert (result["code"], list_failed_checks(result)) == ("invalid_credentials", ["login"])


def test_task_fails_on_a_problem_if_fail_is_set(clouds: dict[str, Simulator]) -> None:
    options = {"api_url": clouds["today"].url, "access_token": "7" * 40, "fail": True}
    run = run_task("auth_doctor", options, {})
    assert run.task(TASK).status == "failed"
    assert run.result(TASK)["error"]["code"] == "token_invalid"
