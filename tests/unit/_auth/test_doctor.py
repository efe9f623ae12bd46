# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever is wrong with a login or a token, the doctor names it, and costs at most one of ten refusals."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    USERNAME,
    granting,
    token,
    trail,
    turned_conversation,
)
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.doctor import (
    CHECKS,
    Credentials,
    examine_credentials,
    report_invalid_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client, Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Answer, Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from support.scripted import ScriptedCloud, scripted_cloud
from support.simulator import Simulator

READY = ReadyToken(token(1))
CLIENT = Client("my-client", "s3cret-of-the-client")
NO_TOKEN = {"error": "invalid_request", "error_description": "The access token was not found"}
SECRETS = (PASSWORD, CLIENT.secret, token(1), token(2), "001234")


@pytest.fixture
def turned(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    clock.now = time.time()
    http = turned_conversation(scripted_cloud.url, clock)
    yield http
    http.close()


@pytest.fixture
def store(tmp_path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(tmp_path / "sessions.json", clock)


@pytest.fixture
def cloud(scripted_cloud: ScriptedCloud) -> ScriptedCloud:
    """A cloud that answers; the rest is up to the test."""
    return scripted_cloud.answer("GET", CURRENT, 400, json=NO_TOKEN)


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in result["checks"]}


def messages(result: dict[str, Any]) -> dict[str, str]:
    """What each check says, but for the clock, whose seconds depend on the moment."""
    return {check["name"]: check["message"] for check in result["checks"] if check["name"] != "clock"}


def examined(http: Http, store: SessionStore, login: Login | None, **more: Any) -> dict[str, Any]:
    """The result, after making sure of what holds for all: order, one login, and no secret."""
    if login is not None:
        login.mask_secrets(http.redact)
    result = examine_credentials(http, Credentials(login, **more), store)
    assert tuple(check["name"] for check in result["checks"]) == CHECKS
    assert not [secret for secret in SECRETS if secret in str(result)]
    assert result["changed"] is False
    assert (result["code"] is None) == (result["diagnosis"] == "Everything is in order.")
    return result


def failed_at(result: dict[str, Any], name: str, code: str) -> dict[str, Any]:
    """The one check that failed, after making sure that all after it are skipped."""
    found = statuses(result)
    after = CHECKS[CHECKS.index(name) + 1 :]
    assert [check for check, status in found.items() if status == "fail"] == [name]
    assert {found[check] for check in after} <= {"skipped"}
    assert result["code"] == code
    (check,) = [check for check in result["checks"] if check["name"] == name]
    assert result["diagnosis"] == f"{check['message']} {check['hint']}"
    return dict(check)


def well(cloud: ScriptedCloud, **facts: Any) -> ScriptedCloud:
    """The cloud takes the token and tells whose it is."""
    return cloud.answer("GET", CURRENT, json=facts).answer("GET", "/v1/user", json={"username": USERNAME})


# All is well


def test_a_good_login_is_tried_looked_at_and_ended_again(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    well(granting(cloud, token(1), expires_in=300), expires_at=None).answer("DELETE", CURRENT, json={"ok": True})
    result = examined(turned, store, LOGIN)
    assert result["code"] is None
    assert statuses(result) == {
        "credentials": "ok",
        "host": "ok",
        "tls": "skipped",
        "clock": "ok",
        "login": "ok",
        "token": "ok",
        "scopes": "skipped",
        "listing": "skipped",
    }
    assert trail(cloud) == [
        f"GET {CURRENT}",
        f"POST {GRANT}",
        f"GET {CURRENT}",
        "GET /v1/user",
        f"DELETE {CURRENT}",
    ]
    assert cloud.requests[1].form["expires_in"] == "300"


def test_each_check_says_in_a_sentence_what_it_has_seen(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    well(granting(cloud, token(1)), expires_at=None).answer("DELETE", CURRENT, json={"ok": True})
    host = turned.connection.api_url.removeprefix("http://")
    result = examined(turned, store, LOGIN)
    assert messages(result) == {
        "credentials": "The credentials have the right form.",
        "host": f"{host} answers as a Particle cloud does.",
        "tls": "The connection is not encrypted.",
        "login": "The cloud accepts the credentials.",
        "token": f"A token of {USERNAME}; it does not expire.",
        "scopes": "Set product to check whether the token can read its devices.",
        "listing": "Set list to true to check whether the cloud lists tokens.",
    }
    assert {check["hint"] for check in result["checks"]} == {""}


def test_the_simulator_is_a_healthy_cloud_and_is_left_as_it_was(
    simulator: Simulator, tmp_path: Path, no_proxies: None
) -> None:
    http = Http(Connection(simulator.url))
    store = SessionStore(tmp_path / "sessions.json")
    result = examined(http, store, LOGIN, product="field-logger")
    http.close()
    assert (result["code"], statuses(result)["scopes"]) == (None, "ok")
    assert simulator.state()["accounts"][0]["tokens"] == 0
    assert simulator.stats()["writes"] == 0


def test_what_is_examined_is_not_shared(turned: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    well(granting(cloud, token(1))).answer("DELETE", CURRENT, json={"ok": True})
    examined(turned, store, LOGIN)
    assert store.find_token(identify_login(turned.connection, LOGIN)) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"expires_at": None}, "it does not expire"),
        ({"expires_in": None}, "it does not expire"),
        ({}, "its expiry is unknown"),
        ({"expires_in": 864000}, "it expires in 10 days"),
        ({"expires_in_days": 10}, "it expires in 10 days"),
        ({"expires_in_days": 2.6}, "it expires in 3 days"),
        ({"expires_in_days": 1.9}, "it expires in 45.6 hours"),
        ({"expires_in_days": 0.5}, "it expires in 12.0 hours"),
    ],
)
def test_a_ready_token_is_looked_at_without_a_token_request_and_left_alone(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock, facts: dict[str, Any], words: str
) -> None:
    if "expires_in_days" in facts:
        end = datetime.datetime.fromtimestamp(clock.now + facts["expires_in_days"] * 86400, datetime.UTC)
        facts = {"expires_at": end.isoformat()}
    well(cloud, **facts)
    result = examined(turned, store, READY)
    assert result["checks"][5]["message"] == f"A token of {USERNAME}; {words}."
    assert (statuses(result)["login"], messages(result)["login"]) == ("skipped", "An access token is given.")
    assert trail(cloud) == [f"GET {CURRENT}", f"GET {CURRENT}", "GET /v1/user"]


def test_an_account_may_have_no_name(turned: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    cloud.answer("GET", CURRENT, json={}).answer("GET", "/v1/user", json={})
    result = examined(turned, store, READY)
    assert messages(result)["token"] == "A token of an unnamed account; its expiry is unknown."


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (400, {"error": "unauthorized", "error_description": "No."}, "an API user, or one with limited scope"),
        (403, {"ok": False}, "an API user, or one with limited scope"),
        (400, {"ok": False}, "an account that the cloud does not name"),
        (404, {"ok": False}, "an account that the cloud does not name"),
    ],
)
def test_a_token_that_may_not_say_whose_it_is_is_no_failure(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, status: int, said: dict[str, Any], words: str
) -> None:
    cloud.answer("GET", CURRENT, json={}).answer("GET", "/v1/user", status, json=said)
    result = examined(turned, store, READY)
    assert (result["code"], messages(result)["token"]) == (None, f"A token of {words}; its expiry is unknown.")


def test_without_credentials_only_the_cloud_is_looked_at(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    result = examined(turned, store, None, product="field-logger")
    assert result["code"] is None
    found = statuses(result)
    assert (found.pop("host"), found.pop("clock"), set(found.values())) == ("ok", "ok", {"skipped"})
    assert messages(result)["credentials"] == "No credentials are given, so only the cloud is checked."
    assert messages(result)["login"] == messages(result)["token"] == "No credentials are given."
    assert trail(cloud) == [f"GET {CURRENT}"]


# What is wrong, in the order in which it is looked at


def test_what_can_be_seen_offline_is_told_before_any_request(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    result = examined(turned, store, PasswordLogin(USERNAME, f"{PASSWORD}\n"))
    failed_at(result, "credentials", "malformed_password")
    assert scripted_cloud.requests == []


def test_a_client_secret_in_the_place_of_a_token_is_recognised_at_once(turned: Http, store: SessionStore) -> None:
    result = examined(turned, store, ReadyToken(CLIENT.secret), client=CLIENT)
    check = failed_at(result, "credentials", "not_a_token")
    assert check["message"] == "The value of access_token is the secret of the OAuth client."
    assert turned.usage.requests == 0


def test_a_cloud_that_is_not_there_is_told(store: SessionStore, clock: TurnedClock, no_proxies: None) -> None:
    with scripted_cloud() as gone:
        url = gone.url
    http = turned_conversation(url, clock)
    failed_at(examined(http, store, LOGIN), "host", "unreachable")
    http.close()


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>Welcome</html>"), (404, "<html>nginx</html>"), (302, "")], ids=str
)
def test_what_is_no_cloud_gets_no_password(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, status: int, body: str
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, body=body)
    failed_at(examined(turned, store, LOGIN), "host", "not_a_cloud")
    assert trail(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize("skew", [-301.0, 301.0, 86400.0])
def test_a_clock_that_is_far_off_is_a_failure_and_gets_no_code_tried(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock, skew: float
) -> None:
    clock.now += skew + (2 if skew > 0 else -2)
    check = failed_at(examined(turned, store, LOGIN), "clock", "clock_skew")
    assert ("ahead of" if skew > 0 else "behind") in check["message"]
    assert trail(cloud) == [f"GET {CURRENT}"]


def test_a_clock_that_is_a_little_off_is_a_warning_that_stops_nothing(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    clock.now += 60
    well(cloud)
    result = examined(turned, store, READY)
    assert (statuses(result)["clock"], statuses(result)["token"], result["code"]) == ("warn", "ok", "clock_skew")


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (400, REFUSED, "invalid_credentials"),
        (503, {"error": "server_error", "error_description": "Wrong password"}, "invalid_credentials"),
        (400, {"error": "invalid_client", "error_description": "Client credentials are invalid"}, "unknown_client"),
        (400, {"error": "invalid_client", "error_description": "Missing client_secret"}, "invalid_client_secret"),
        (403, {"error": "mfa_required", "mfa_token": "x"}, "mfa_required"),
        (403, {"error": "sso_user", "error_description": "No."}, "sso_account"),
        (429, {"error": "rate_limit_exceeded"}, "locked_out"),
        (503, {"error": "server_error"}, "cloud_error"),
        (200, {}, "bad_response"),
    ],
)
def test_a_refused_login_is_diagnosed_from_one_token_request(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, status: int, said: dict[str, Any], code: str
) -> None:
    cloud.answer("POST", GRANT, status, json=said)
    check = failed_at(examined(turned, store, replace(LOGIN, client=CLIENT)), "login", code)
    assert check["hint"].startswith(HINTS[code])
    assert trail(cloud) == [f"GET {CURRENT}", f"POST {GRANT}"]


def test_who_asks_the_doctor_again_costs_no_second_refusal(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("POST", GRANT, 400, json=REFUSED).answer("GET", CURRENT, 400, json=NO_TOKEN)
    for _unused in range(2):
        failed_at(examined(turned, store, LOGIN), "login", "invalid_credentials")
    assert len(cloud.seen("POST", GRANT)) == 1


def test_a_wrong_code_is_one_login_and_one_refusal(turned: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    cloud.answer("POST", GRANT, 403, json={"error": "mfa_required", "mfa_token": "x"})
    cloud.answer("POST", GRANT, 400, json={"error": "invalid_grant", "error_description": "Could not validate OTP."})
    failed_at(examined(turned, store, replace(LOGIN, otp="001234")), "login", "otp_refused")
    assert len(cloud.seen("POST", GRANT)) == 2, "the password, and its code"


@pytest.mark.parametrize(("said", "code"), [(INVALID, "token_invalid"), (EXPIRED, "token_expired")])
def test_a_dead_token_is_told_from_one_that_nobody_knows_without_a_token_request(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, said: dict[str, str], code: str
) -> None:
    cloud.answer("GET", CURRENT, 401, json=said)
    failed_at(examined(turned, store, READY), "token", code)
    assert trail(cloud) == [f"GET {CURRENT}"] * 2


def test_a_secret_of_the_client_that_is_given_is_recognised_by_one_token_request_and_its_token_ended(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    granting(cloud.answer("GET", CURRENT, 401, json=INVALID), token(2)).answer("DELETE", CURRENT, json={"ok": True})
    result = examined(turned, store, READY, client=Client("my-client", "another"))
    check = failed_at(result, "token", "not_a_token")
    assert "the secret of OAuth client my-client" in check["message"]
    assert cloud.requests[2].form == {"grant_type": "client_credentials", "expires_in": "300"}
    assert cloud.requests[3].headers["Authorization"] == f"Bearer {token(2)}"


def test_an_unknown_token_that_is_no_secret_either_is_just_unknown(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("GET", CURRENT, 401, json=INVALID).answer("POST", GRANT, 400, json={"error": "invalid_client"})
    failed_at(examined(turned, store, READY, client=CLIENT), "token", "token_invalid")
    assert len(cloud.seen("POST", GRANT)) == 1


def test_on_a_cloud_that_says_little_a_token_that_works_is_enough(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", CURRENT, 404, body="Not Found", repeat=True).answer("GET", DEVICES, json=[])
    result = examined(turned, store, READY)
    assert (statuses(result)["host"], statuses(result)["token"], result["code"]) == ("ok", "ok", None)
    assert messages(result)["token"] == "The cloud accepts the token, but shows no details of it."


def test_a_token_that_is_forbidden_to_look_at_itself_is_told_so_and_tried_nowhere_else(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("GET", CURRENT, 403, json={"ok": False}).answer("GET", DEVICES, json=[])
    failed_at(examined(turned, store, READY), "token", "forbidden")
    assert cloud.seen("GET", DEVICES) == []


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (403, {"ok": False, "error": "Forbidden"}, "forbidden"),
        (400, {"error": "unauthorized", "error_description": "No."}, "missing_scope"),
        (404, {"ok": False, "error": "Product not found"}, "not_found"),
    ],
)
def test_a_token_that_does_not_reach_the_product_is_told_and_ended(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, status: int, said: dict[str, Any], code: str
) -> None:
    well(granting(cloud, token(1))).answer("DELETE", CURRENT, json={"ok": True})
    cloud.answer("GET", "/v1/products/field-logger/devices", status, json=said)
    failed_at(examined(turned, store, LOGIN, product="field-logger"), "scopes", code)
    assert trail(cloud)[-1] == f"DELETE {CURRENT}"


@pytest.mark.parametrize(
    ("account", "status", "code"),
    [
        (None, None, "listing_refused"),
        (LOGIN, 401, "listing_refused"),
        (LOGIN, 404, "listing_retired"),
    ],
)
def test_a_listing_that_is_asked_for_is_explained(
    turned: Http,
    store: SessionStore,
    cloud: ScriptedCloud,
    account: PasswordLogin | None,
    status: int | None,
    code: str,
) -> None:
    well(cloud)
    if status is not None:
        cloud.answer("GET", "/v1/access_tokens", status, json={"ok": False})
    failed_at(examined(turned, store, READY, account=account, lists_tokens=True), "listing", code)


def test_a_listing_that_works_is_counted(turned: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    well(cloud).answer("GET", "/v1/access_tokens", json=[{"token": token(2), "expires_at": None, "client": "x"}])
    result = examined(turned, store, READY, account=replace(LOGIN, otp="001234"), lists_tokens=True)
    assert result["checks"][7]["message"] == "The account has 1 tokens."
    assert cloud.requests[-1].query == {"otp": "001234"}


def test_a_token_that_cannot_be_ended_is_a_warning_of_the_login(
    turned: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    well(granting(cloud, token(1))).answer("DELETE", CURRENT, 403)
    result = examined(turned, store, LOGIN)
    check = result["checks"][CHECKS.index("login")]
    assert (result["code"], check["name"], check["status"]) == ("forbidden", "login", "warn")
    assert check["message"].startswith("The token that this check obtained is not revoked. Could not ")
    assert check["hint"] == "It expires within five minutes if the cloud accepted the requested lifetime."


def test_without_a_place_for_logins_there_is_none_and_the_rest_is_looked_at(turned: Http, cloud: ScriptedCloud) -> None:
    def no_place() -> Path:
        raise ParticleError("unsafe_file", "No folder.")

    failed_at(examined(turned, SessionStore(no_place), LOGIN), "login", "unsafe_file")
    assert trail(cloud) == [f"GET {CURRENT}"]
    well(cloud.answer("GET", CURRENT, 400, json=NO_TOKEN))
    assert examined(turned, SessionStore(no_place), READY)["code"] is None


def test_a_certificate_that_is_not_checked_is_a_warning_of_the_diagnosis(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Http(Connection("https://cloud.example.com", validate_certs=False), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", lambda *_unused, **__: Answer(200, {}))
    result = examined(http, store, None)
    assert (statuses(result)["tls"], result["code"]) == ("warn", "tls_untrusted")
    assert result["diagnosis"] == (
        "The certificate of cloud.example.com is not checked. "
        "Set validate_certs to true, and ca_path if the cloud has its own certificate authority."
    )
    assert messages(result)["tls"] == "The certificate of cloud.example.com is not checked."


def test_a_certificate_that_is_trusted_is_told_so_and_so_is_a_cloud_without_a_clock(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Http(Connection("https://cloud.example.com"), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", lambda *_unused, **__: Answer(200, {}))
    result = examined(http, store, None)
    assert (statuses(result)["tls"], messages(result)["tls"]) == ("ok", "The certificate is trusted.")
    found = result["checks"][CHECKS.index("clock")]
    assert (found["status"], found["message"]) == ("skipped", "The cloud does not send its time.")


def test_a_certificate_that_is_not_trusted_is_no_fault_of_the_host(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrusted(*_unused: Any, **__: Any) -> Answer:
        raise ParticleError("tls_untrusted", "The certificate is self-signed.", hint="Give ca_path.")

    http = Http(Connection("https://cloud.example.com"), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", untrusted)
    result = examined(http, store, LOGIN)
    check = failed_at(result, "tls", "tls_untrusted")
    assert (check["message"], check["hint"]) == ("The certificate is self-signed.", "Give ca_path.")
    assert (statuses(result)["host"], messages(result)["host"]) == ("ok", "cloud.example.com answers.")
    assert messages(result)["login"] == "Not checked, because a previous check failed."


@pytest.mark.parametrize("login", [LOGIN, ClientCredentials(CLIENT), READY])
def test_what_is_broken_on_the_way_leaves_no_token_behind(
    turned: Http, store: SessionStore, cloud: ScriptedCloud, login: Login
) -> None:
    if login is not READY:
        granting(cloud, token(2)).answer("DELETE", CURRENT, json={"ok": True})
    cloud.answer("GET", CURRENT, 500, repeat=True)
    failed_at(examined(turned, store, login), "token", "cloud_error")
    assert (trail(cloud)[-1] == f"DELETE {CURRENT}") is (login is not READY)


# Without a patient


def test_options_that_make_no_sense_are_a_diagnosis_too() -> None:
    result = report_invalid_options(ParticleError("malformed_password", "Only a username is given.", hint="Give both."))
    assert result["code"] == "malformed_password"
    assert result["diagnosis"] == "Only a username is given. Give both."
    assert result["changed"] is False
    after = "Not checked, because a previous check failed."
    assert [tuple(check.values()) for check in result["checks"]] == [
        ("credentials", "fail", "Only a username is given.", "Give both."),
        *((name, "skipped", after, "") for name in CHECKS[1:]),
    ]
    assert {tuple(check) for check in result["checks"]} == {("name", "status", "message", "hint")}


def test_no_secret_is_in_the_representation_of_a_patient() -> None:
    shown = repr(Credentials(LOGIN, LOGIN, CLIENT))
    assert not [secret for secret in SECRETS if secret in shown]
