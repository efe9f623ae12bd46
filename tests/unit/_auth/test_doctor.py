# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the diagnosis of logins and tokens, which causes at most one refused login."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

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
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from support.scripted import ScriptedCloud, scripted_cloud
from support.simulator import Simulator
from support.token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    USERNAME,
    list_requests,
    script_grants,
    token,
)
from support.turned_clock import TurnedClock, conversation

READY = ReadyToken(token(1))
CLIENT = Client("my-client", "s3cret-of-the-client")
NO_TOKEN = {"error": "invalid_request", "error_description": "The access token was not found"}
SECRETS = (PASSWORD, CLIENT.secret, token(1), token(2), "001234")


@pytest.fixture
def clocked_http(http: Http, clock: TurnedClock) -> Http:
    """Provide an HTTP client whose clock shows the current time."""
    clock.now = time.time()
    return http


@pytest.fixture
def store(tmp_path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(tmp_path / "sessions.json", clock)


@pytest.fixture
def cloud(scripted_cloud: ScriptedCloud) -> ScriptedCloud:
    """Provide a cloud that refuses requests without a token. The test scripts its other answers."""
    return scripted_cloud.answer("GET", CURRENT, 400, json=NO_TOKEN)


def get_statuses(result: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in result["checks"]}


def get_messages(result: dict[str, Any]) -> dict[str, str]:
    """Return the message of each check except that of the clock, whose seconds vary."""
    return {check["name"]: check["message"] for check in result["checks"] if check["name"] != "clock"}


def examine(http: Http, store: SessionStore, login: Login | None, **more: Any) -> dict[str, Any]:
    """Run the diagnosis, and verify the order of the checks, that no secret is shown and that nothing changes."""
    if login is not None:
        login.mask_secrets(http.redact)
    result = examine_credentials(http, Credentials(login, **more), store)
    assert tuple(check["name"] for check in result["checks"]) == CHECKS
    assert not [secret for secret in SECRETS if secret in str(result)]
    assert result["changed"] is False
    assert (result["code"] is None) == (result["diagnosis"] == "Everything is in order.")
    return result


def expect_failure(result: dict[str, Any], name: str, code: str) -> dict[str, Any]:
    """Return the only failed check, after verifying that all later checks are skipped."""
    found = get_statuses(result)
    after = CHECKS[CHECKS.index(name) + 1 :]
    assert [check for check, status in found.items() if status == "fail"] == [name]
    assert {found[check] for check in after} <= {"skipped"}
    assert result["code"] == code
    (check,) = [check for check in result["checks"] if check["name"] == name]
    assert result["diagnosis"] == f"{check['message']} {check['hint']}"
    return dict(check)


def script_valid_token(cloud: ScriptedCloud, **facts: Any) -> ScriptedCloud:
    """Script a cloud that accepts the token and names its account."""
    return cloud.answer("GET", CURRENT, json=facts).answer("GET", "/v1/user", json={"username": USERNAME})


# Without failures


def test_valid_login_is_checked_once_and_its_token_revoked(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    script_valid_token(script_grants(cloud, token(1), expires_in=300), expires_at=None).answer(
        "DELETE", CURRENT, json={"ok": True}
    )
    result = examine(clocked_http, store, LOGIN)
    assert result["code"] is None
    assert get_statuses(result) == {
        "credentials": "ok",
        "host": "ok",
        "tls": "skipped",
        "clock": "ok",
        "login": "ok",
        "token": "ok",
        "scopes": "skipped",
        "listing": "skipped",
    }
    assert list_requests(cloud) == [
        f"GET {CURRENT}",
        f"POST {GRANT}",
        f"GET {CURRENT}",
        "GET /v1/user",
        f"DELETE {CURRENT}",
    ]
    assert cloud.requests[1].form["expires_in"] == "300"


def test_each_check_reports_its_result_in_a_message(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    script_valid_token(script_grants(cloud, token(1)), expires_at=None).answer("DELETE", CURRENT, json={"ok": True})
    host = clocked_http.connection.api_url.removeprefix("http://")
    result = examine(clocked_http, store, LOGIN)
    assert get_messages(result) == {
        "credentials": "The credentials have the right form.",
        "host": f"{host} answers as a Particle cloud does.",
        "tls": "The connection is not encrypted.",
        "login": "The cloud accepts the credentials.",
        "token": f"A token of {USERNAME}; it does not expire.",
        "scopes": "To check whether the token can read the devices of a product, set the option product.",
        "listing": "Set the option list to true to check whether the cloud lists tokens.",
    }
    assert {check["hint"] for check in result["checks"]} == {""}


def test_diagnosis_of_the_simulator_succeeds_and_leaves_no_token(
    simulator: Simulator, tmp_path: Path, no_proxies: None
) -> None:
    http = Http(Connection(simulator.url))
    store = SessionStore(tmp_path / "sessions.json")
    result = examine(http, store, LOGIN, product="field-logger")
    http.close()
    assert (result["code"], get_statuses(result)["scopes"]) == (None, "ok")
    assert simulator.state()["accounts"][0]["tokens"] == 0
    assert simulator.stats()["writes"] == 0


def test_token_of_the_diagnosis_is_not_shared(clocked_http: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    script_valid_token(script_grants(cloud, token(1))).answer("DELETE", CURRENT, json={"ok": True})
    examine(clocked_http, store, LOGIN)
    assert store.find_token(identify_login(clocked_http.connection, LOGIN)) is None


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
        ({"expires_in": 300}, "it expires in 5 minutes"),
        ({"expires_in": 60}, "it expires in 1 minute"),
    ],
)
def test_given_token_is_checked_without_token_request_or_revocation(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock, facts: dict[str, Any], words: str
) -> None:
    if "expires_in_days" in facts:
        end = datetime.datetime.fromtimestamp(clock.now + facts["expires_in_days"] * 86400, datetime.UTC)
        facts = {"expires_at": end.isoformat()}
    script_valid_token(cloud, **facts)
    result = examine(clocked_http, store, READY)
    assert result["checks"][5]["message"] == f"A token of {USERNAME}; {words}."
    assert (get_statuses(result)["login"], get_messages(result)["login"]) == ("skipped", "An access token is given.")
    assert list_requests(cloud) == [f"GET {CURRENT}", f"GET {CURRENT}", "GET /v1/user"]


def test_account_without_username_is_reported_as_unnamed(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("GET", CURRENT, json={}).answer("GET", "/v1/user", json={})
    result = examine(clocked_http, store, READY)
    assert get_messages(result)["token"] == "A token of an unnamed account; its expiry is unknown."


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (400, {"error": "unauthorized", "error_description": "No."}, "an API user, or one with limited scope"),
        (403, {"ok": False}, "an API user, or one with limited scope"),
        (400, {"ok": False}, "an account that the cloud does not name"),
        (404, {"ok": False}, "an account that the cloud does not name"),
    ],
)
def test_token_that_cannot_read_its_account_is_not_a_failure(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, status: int, answer: dict[str, Any], words: str
) -> None:
    cloud.answer("GET", CURRENT, json={}).answer("GET", "/v1/user", status, json=answer)
    result = examine(clocked_http, store, READY)
    assert (result["code"], get_messages(result)["token"]) == (None, f"A token of {words}; its expiry is unknown.")


def test_only_the_cloud_is_checked_without_credentials(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    result = examine(clocked_http, store, None, product="field-logger")
    assert result["code"] is None
    found = get_statuses(result)
    assert (found.pop("host"), found.pop("clock"), set(found.values())) == ("ok", "ok", {"skipped"})
    assert get_messages(result)["credentials"] == "No credentials are given, so only the cloud is checked."
    assert get_messages(result)["login"] == get_messages(result)["token"] == "No credentials are given."
    assert list_requests(cloud) == [f"GET {CURRENT}"]


# Failures and warnings, in the order of the checks


def test_malformed_password_is_reported_before_any_request(
    clocked_http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    result = examine(clocked_http, store, PasswordLogin(USERNAME, f"{PASSWORD}\n"))
    expect_failure(result, "credentials", "malformed_password")
    assert scripted_cloud.requests == []


def test_client_secret_given_as_token_is_recognised_without_a_request(clocked_http: Http, store: SessionStore) -> None:
    result = examine(clocked_http, store, ReadyToken(CLIENT.secret), client=CLIENT)
    check = expect_failure(result, "credentials", "not_a_token")
    assert check["message"] == "The value of access_token is the secret of the OAuth client."
    assert clocked_http.usage.requests == 0


def test_unreachable_cloud_fails_the_host_check(store: SessionStore, clock: TurnedClock, no_proxies: None) -> None:
    with scripted_cloud() as closed_cloud:
        url = closed_cloud.url
    http = conversation(url, clock)
    expect_failure(examine(http, store, LOGIN), "host", "unreachable")
    http.close()


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>Welcome</html>"), (404, "<html>nginx</html>"), (302, "")], ids=str
)
def test_password_is_not_sent_to_a_host_that_is_not_a_cloud(
    clocked_http: Http, store: SessionStore, scripted_cloud: ScriptedCloud, status: int, body: str
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, body=body)
    expect_failure(examine(clocked_http, store, LOGIN), "host", "not_a_cloud")
    assert list_requests(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize("skew", [-301.0, 301.0, 86400.0])
def test_large_clock_skew_fails_before_the_login(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock, skew: float
) -> None:
    clock.now += skew + (2 if skew > 0 else -2)
    check = expect_failure(examine(clocked_http, store, LOGIN), "clock", "clock_skew")
    assert ("ahead of" if skew > 0 else "behind") in check["message"]
    assert list_requests(cloud) == [f"GET {CURRENT}"]


def test_small_clock_skew_is_only_a_warning(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    clock.now += 60
    script_valid_token(cloud)
    result = examine(clocked_http, store, READY)
    assert (get_statuses(result)["clock"], get_statuses(result)["token"], result["code"]) == (
        "warn",
        "ok",
        "clock_skew",
    )


@pytest.mark.parametrize(
    ("status", "answer", "code"),
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
def test_refused_login_is_diagnosed_with_one_token_request(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, status: int, answer: dict[str, Any], code: str
) -> None:
    cloud.answer("POST", GRANT, status, json=answer)
    check = expect_failure(examine(clocked_http, store, replace(LOGIN, client=CLIENT)), "login", code)
    assert check["hint"].startswith(HINTS[code])
    assert list_requests(cloud) == [f"GET {CURRENT}", f"POST {GRANT}"]


def test_repeated_diagnosis_causes_no_second_refusal(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("POST", GRANT, 400, json=REFUSED).answer("GET", CURRENT, 400, json=NO_TOKEN)
    for _unused in range(2):
        expect_failure(examine(clocked_http, store, LOGIN), "login", "invalid_credentials")
    assert len(cloud.seen("POST", GRANT)) == 1


def test_wrong_one_time_code_is_tried_once(clocked_http: Http, store: SessionStore, cloud: ScriptedCloud) -> None:
    cloud.answer("POST", GRANT, 403, json={"error": "mfa_required", "mfa_token": "x"})
    cloud.answer("POST", GRANT, 400, json={"error": "invalid_grant", "error_description": "Could not validate OTP."})
    expect_failure(examine(clocked_http, store, replace(LOGIN, otp="001234")), "login", "otp_refused")
    assert len(cloud.seen("POST", GRANT)) == 2, "one request with the password, one with the code"


@pytest.mark.parametrize(("answer", "code"), [(INVALID, "token_invalid"), (EXPIRED, "token_expired")])
def test_expired_and_invalid_token_have_different_error_codes(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, answer: dict[str, str], code: str
) -> None:
    cloud.answer("GET", CURRENT, 401, json=answer)
    expect_failure(examine(clocked_http, store, READY), "token", code)
    assert list_requests(cloud) == [f"GET {CURRENT}"] * 2


def test_unknown_token_is_recognised_as_client_secret_by_one_login(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    script_grants(cloud.answer("GET", CURRENT, 401, json=INVALID), token(2)).answer(
        "DELETE", CURRENT, json={"ok": True}
    )
    result = examine(clocked_http, store, READY, client=Client("my-client", "another"))
    check = expect_failure(result, "token", "not_a_token")
    assert "the secret of OAuth client my-client" in check["message"]
    assert cloud.requests[2].form == {"grant_type": "client_credentials", "expires_in": "300"}
    assert cloud.requests[3].headers["Authorization"] == f"Bearer {token(2)}"


def test_token_that_is_not_a_client_secret_is_reported_as_invalid(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("GET", CURRENT, 401, json=INVALID).answer("POST", GRANT, 400, json={"error": "invalid_client"})
    expect_failure(examine(clocked_http, store, READY, client=CLIENT), "token", "token_invalid")
    assert len(cloud.seen("POST", GRANT)) == 1


@pytest.mark.parametrize("body", ["Not Found", "<pre>Cannot GET /v1/access_tokens/current</pre>"])
def test_refused_token_is_invalid_on_a_cloud_without_details(
    clocked_http: Http, store: SessionStore, scripted_cloud: ScriptedCloud, body: str
) -> None:
    scripted_cloud.answer("GET", CURRENT, 404, body=body, repeat=True).answer("GET", DEVICES, 401, body="")
    expect_failure(examine(clocked_http, store, READY), "token", "token_invalid")


def test_valid_token_passes_if_the_cloud_shows_no_details(
    clocked_http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", CURRENT, 404, body="Not Found", repeat=True).answer("GET", DEVICES, json=[])
    result = examine(clocked_http, store, READY)
    assert (get_statuses(result)["host"], get_statuses(result)["token"], result["code"]) == ("ok", "ok", None)
    assert get_messages(result)["token"] == "The cloud accepts the token, but shows no details of it."


def test_token_forbidden_to_read_its_details_fails_the_token_check(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    cloud.answer("GET", CURRENT, 403, json={"ok": False}).answer("GET", DEVICES, json=[])
    expect_failure(examine(clocked_http, store, READY), "token", "forbidden")
    assert cloud.seen("GET", DEVICES) == []


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (403, {"ok": False, "error": "Forbidden"}, "forbidden"),
        (400, {"error": "unauthorized", "error_description": "No."}, "missing_scope"),
        (404, {"ok": False, "error": "Product not found"}, "not_found"),
    ],
)
def test_token_without_access_to_the_product_fails_and_is_revoked(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, status: int, answer: dict[str, Any], code: str
) -> None:
    script_valid_token(script_grants(cloud, token(1))).answer("DELETE", CURRENT, json={"ok": True})
    cloud.answer("GET", "/v1/products/field-logger/devices", status, json=answer)
    expect_failure(examine(clocked_http, store, LOGIN, product="field-logger"), "scopes", code)
    assert list_requests(cloud)[-1] == f"DELETE {CURRENT}"


@pytest.mark.parametrize(
    ("account", "status", "code"),
    [
        (None, None, "listing_refused"),
        (LOGIN, 401, "listing_refused"),
        (LOGIN, 404, "listing_retired"),
    ],
)
def test_failure_of_a_requested_listing_is_explained(
    clocked_http: Http,
    store: SessionStore,
    cloud: ScriptedCloud,
    account: PasswordLogin | None,
    status: int | None,
    code: str,
) -> None:
    script_valid_token(cloud)
    if status is not None:
        cloud.answer("GET", "/v1/access_tokens", status, json={"ok": False})
    expect_failure(examine(clocked_http, store, READY, account=account, lists_tokens=True), "listing", code)


def test_requested_listing_reports_the_number_of_tokens(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    script_valid_token(cloud).answer(
        "GET", "/v1/access_tokens", json=[{"token": token(2), "expires_at": None, "client": "x"}]
    )
    result = examine(clocked_http, store, READY, account=replace(LOGIN, otp="001234"), lists_tokens=True)
    assert result["checks"][7]["message"] == "The account has 1 token."
    assert cloud.requests[-1].query == {"otp": "001234"}


def test_token_that_cannot_be_revoked_is_a_warning_of_the_login_check(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud
) -> None:
    script_valid_token(script_grants(cloud, token(1))).answer("DELETE", CURRENT, 403)
    result = examine(clocked_http, store, LOGIN)
    check = result["checks"][CHECKS.index("login")]
    assert (result["code"], check["name"], check["status"]) == ("forbidden", "login", "warn")
    assert check["message"].startswith("The token that this check obtained could not be revoked. Could not ")
    assert check["hint"] == "It expires within five minutes if the cloud accepted the requested lifetime."


def test_missing_folder_fails_a_login_but_not_a_given_token(clocked_http: Http, cloud: ScriptedCloud) -> None:
    def refuse_folder() -> Path:
        raise ParticleError("unsafe_file", "No folder.")

    expect_failure(examine(clocked_http, SessionStore(refuse_folder), LOGIN), "login", "unsafe_file")
    assert list_requests(cloud) == [f"GET {CURRENT}"]
    script_valid_token(cloud.answer("GET", CURRENT, 400, json=NO_TOKEN))
    assert examine(clocked_http, SessionStore(refuse_folder), READY)["code"] is None


def test_disabled_certificate_validation_is_a_warning(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Http(Connection("https://cloud.example.com", validate_certs=False), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", lambda *_unused, **__: Response(200, {}))
    result = examine(http, store, None)
    assert (get_statuses(result)["tls"], result["code"]) == ("warn", "tls_untrusted")
    assert result["diagnosis"] == (
        "The certificate of cloud.example.com is not checked. "
        "Set validate_certs to true, and ca_path if the cloud has its own certificate authority."
    )
    assert get_messages(result)["tls"] == "The certificate of cloud.example.com is not checked."


def test_trusted_certificate_passes_and_missing_date_skips_the_clock(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = Http(Connection("https://cloud.example.com"), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", lambda *_unused, **__: Response(200, {}))
    result = examine(http, store, None)
    assert (get_statuses(result)["tls"], get_messages(result)["tls"]) == ("ok", "The certificate is trusted.")
    found = result["checks"][CHECKS.index("clock")]
    assert (found["status"], found["message"]) == ("skipped", "The cloud does not send its time.")


def test_untrusted_certificate_fails_the_tls_check_but_not_the_host(
    store: SessionStore, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_untrusted(*_unused: Any, **__: Any) -> Response:
        raise ParticleError("tls_untrusted", "The certificate is self-signed.", hint="Give ca_path.")

    http = Http(Connection("https://cloud.example.com"), clock=Clock(clock.sleep, clock))
    monkeypatch.setattr(http, "send", raise_untrusted)
    result = examine(http, store, LOGIN)
    check = expect_failure(result, "tls", "tls_untrusted")
    assert (check["message"], check["hint"]) == ("The certificate is self-signed.", "Give ca_path.")
    assert (get_statuses(result)["host"], get_messages(result)["host"]) == ("ok", "cloud.example.com answers.")
    assert get_messages(result)["login"] == "Not checked, because a previous check failed."


@pytest.mark.parametrize("login", [LOGIN, ClientCredentials(CLIENT), READY])
def test_failed_diagnosis_revokes_only_the_token_it_obtained(
    clocked_http: Http, store: SessionStore, cloud: ScriptedCloud, login: Login
) -> None:
    if login is not READY:
        script_grants(cloud, token(2)).answer("DELETE", CURRENT, json={"ok": True})
    cloud.answer("GET", CURRENT, 500, repeat=True)
    expect_failure(examine(clocked_http, store, login), "token", "cloud_error")
    assert (list_requests(cloud)[-1] == f"DELETE {CURRENT}") is (login is not READY)


# Invalid options, and the representation of credentials


def test_invalid_options_are_reported_as_a_diagnosis() -> None:
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


def test_repr_of_credentials_shows_no_secret() -> None:
    shown = repr(Credentials(LOGIN, LOGIN, CLIENT))
    assert not [secret for secret in SECRETS if secret in shown]
