# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever keeps people from logging in, the doctor names it, and asks for a token at most once."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

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
    # The collection computes one-time codes by the machine's clock.
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


def grant(cloud: Simulator, **form: str) -> str:
    fields = {"grant_type": "password", **ACCOUNT, **form}
    answer = requests.post(f"{cloud.url}/oauth/token", data=fields, auth=("particle", "particle"), timeout=TIMEOUT)
    return str(answer.json()["access_token"])


def api_user_without_scope(cloud: Simulator) -> dict[str, Any]:
    """The token of an API user that may see the product, and none of its devices."""
    answer = requests.post(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/team",
        headers={"Authorization": f"Bearer {grant(cloud)}"},
        json={"friendly_name": "night watch", "scopes": ["products:get"]},
        timeout=TIMEOUT,
    )
    return {"access_token": answer.json()["created"]["tokens"][0]["token"], "product": PRODUCT_SLUG}


def expired(cloud: Simulator) -> dict[str, Any]:
    token = grant(cloud, expires_in="60")
    requests.post(f"{cloud.url}/_simulator/clock", json={"advance": 120}, timeout=TIMEOUT).raise_for_status()
    return {"access_token": token}


def expired_by_400(cloud: Simulator) -> dict[str, Any]:
    """Some answers say it with 400 and the word of a refused login."""
    body = {"error": "invalid_grant", "error_description": "The access token provided has expired."}
    fault = {"route": "GET /v1/access_tokens/current", "times": 5, "effect": "status", "status": 400, "body": body}
    cloud.set_faults([fault])
    return {"access_token": "5" * 40}


def locked_out(cloud: Simulator) -> dict[str, Any]:
    for _unused in range(10):
        form = {"grant_type": "password", "username": USERNAME, "password": "wrong"}
        requests.post(f"{cloud.url}/oauth/token", data=form, auth=("particle", "particle"), timeout=TIMEOUT)
    return dict(ACCOUNT)


def beside_a_good_token(cloud: Simulator, **options: Any) -> dict[str, Any]:
    return {"access_token": grant(cloud), "list": True, **options}


@dataclass(frozen=True)
class Situation:
    """What is wrong, what the user gives, and what the doctor has to call it."""

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
    Situation("only one of the two", "malformed_password", {"username": USERNAME}, "credentials"),
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
    Situation("address locked out", "locked_out", locked_out, "login", words=("30 minutes",)),
    Situation("unknown token", "token_invalid", {"access_token": "7" * 40}, "token"),
    Situation("mangled token", "token_invalid", {"access_token": "7" * 20 + "\n" + "7" * 20}, "credentials"),
    Situation("expired token", "token_expired", expired, "token"),
    Situation("expired token, said with 400", "token_expired", expired_by_400, "token"),
    Situation("API user without the scope", "missing_scope", api_user_without_scope, "scopes"),
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
        lambda cloud: beside_a_good_token(cloud, username=USERNAME, password="wrong"),
        "listing",
        "listing",
    ),
    Situation(
        "listing with the client's pair",
        "listing_refused",
        lambda cloud: beside_a_good_token(cloud, username="particle", password="particle"),
        "listing",
        "listing",
        ("OAuth client",),
    ),
    Situation("listing with a token", "listing_refused", beside_a_good_token, "listing", "listing", ("not a token",)),
    Situation("listing retired", "listing_retired", lambda cloud: beside_a_good_token(cloud, **ACCOUNT), "listing"),
    Situation(
        "listing where there is one", None, lambda cloud: beside_a_good_token(cloud, **ACCOUNT), "listing", "listing"
    ),
    Situation(
        "listing with two-factor login",
        None,
        {**MFA, "otp_secret": MFA_SECRET, "list": True},
        "listing",
        "listing",
    ),
]  # fmt: skip


def examined(options: dict[str, Any], url: str, **env: str) -> dict[str, Any]:
    """What the doctor says. The task succeeds whatever that is."""
    run = run_task("auth_doctor", {"api_url": url, **options}, env).succeeded()
    assert "Traceback" not in run.output
    result = run.result(TASK)
    names = [check["name"] for check in result["checks"]]
    assert names == ["credentials", "host", "tls", "clock", "login", "token", "scopes", "listing"]
    return result


def failing(result: dict[str, Any]) -> list[str]:
    return [check["name"] for check in result["checks"] if check["status"] == "fail"]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_the_doctor_names_it(clouds: dict[str, Simulator], situation: Situation) -> None:
    cloud = clouds[situation.cloud]
    options = situation.options(cloud) if callable(situation.options) else situation.options
    before = cloud.stats()

    result = examined(options, cloud.url)

    assert result["code"] == situation.code, result
    assert failing(result) == ([situation.check] if situation.code else [])
    assert all(word in result["diagnosis"] for word in situation.words)
    after = cloud.stats()
    requests_for_tokens = after["grants"] + after["refusals"] - before["grants"] - before["refusals"]
    assert requests_for_tokens <= 1
    assert after["revocations"] - before["revocations"] == after["grants"] - before["grants"], "a token was left behind"


def test_a_host_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        result = examined({**ACCOUNT, "max_wait": 0.1}, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (result["code"], failing(result)) == ("unreachable", ["host"])


def test_a_web_page_is_not_a_cloud(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/access_tokens/current", body="<html>Log in to the hotel</html>")
    result = examined(ACCOUNT, scripted_cloud.url)
    assert (result["code"], failing(result)) == ("not_a_cloud", ["host"])
    assert scripted_cloud.seen("POST", "/oauth/token") == []


def test_a_clock_that_is_off_is_told_before_any_login(scripted_cloud: ScriptedCloud) -> None:
    nobody = {"error": "invalid_request", "error_description": "The access token was not found"}
    headers = {"Date": "Sun, 01 Mar 2026 00:00:00 GMT"}
    scripted_cloud.answer("GET", "/v1/access_tokens/current", 400, json=nobody, headers=headers)
    result = examined(ACCOUNT, scripted_cloud.url)
    assert (result["code"], failing(result)) == ("clock_skew", ["clock"])
    assert "ahead of" in result["diagnosis"]
    assert scripted_cloud.seen("POST", "/oauth/token") == []


def test_a_certificate_that_nobody_trusts_is_told_from_a_host_that_is_down(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True, timeout=TIMEOUT,
    )  # fmt: skip
    with running_simulator("--tls-cert", str(certificate), "--tls-key", str(key)) as cloud:
        url = cloud.url.replace("http:", "https:")
        untrusted = examined(ACCOUNT, url)
        trusted = examined({**ACCOUNT, "ca_path": str(certificate)}, url)
    assert (untrusted["code"], failing(untrusted)) == ("tls_untrusted", ["tls"])
    assert trusted["code"] is None


@pytest.mark.real_server
def test_a_wrong_password_is_named_on_a_server_that_calls_it_a_fault(real_server: RealServer) -> None:
    real_server.create_user("doctor@example.com", PASSWORD)
    result = examined({"username": "doctor@example.com", "password": "wrong"}, real_server.url)
    assert (result["code"], failing(result)) == ("invalid_credentials", ["login"])


def test_the_task_fails_only_when_that_is_wanted(clouds: dict[str, Simulator]) -> None:
    options = {"api_url": clouds["today"].url, "access_token": "7" * 40, "fail": True}
    run = run_task("auth_doctor", options, {})
    assert run.task(TASK).status == "failed"
    assert run.result(TASK)["error"]["code"] == "token_invalid"
