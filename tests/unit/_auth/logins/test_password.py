# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the login with username and password, with and without a second factor."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.one_time_code import (
    compute_code,
    find_period,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import GRANT
from support.turned_clock import TurnedClock

USERNAME, PASSWORD = "demo@example.com", "demo-password"
LOGIN = PasswordLogin(USERNAME, PASSWORD)
MY_CLIENT = Client("my-client", "s3cret")
HOUR = {"expires_in": "3600"}
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"


def list_problem_codes(login: PasswordLogin | ReadyToken) -> list[str]:
    return [problem.code for problem in login.find_problems()]


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (USERNAME, PASSWORD),
        (USERNAME, "correct horse battery"),
        (USERNAME, " with spaces around "),
        (USERNAME, "pä\"ss'w\\ord/%41+€🔑"),
        ("plus+tag@example.com", "x"),
        ("jörg@example.com", PASSWORD),
        ("__admin__", PASSWORD),
    ],
)
def test_plausible_credentials_have_no_problems(username: str, password: str) -> None:
    assert list_problem_codes(PasswordLogin(username, password)) == []


@pytest.mark.parametrize(
    ("username", "words"),
    [
        ("", "is empty"),
        (f"{USERNAME}\n", r"'demo@example.com\n'"),
        (f"{USERNAME}\r\n", r"\r\n'"),
        (f" {USERNAME}", "' demo@example.com'"),
        (f"{USERNAME} ", "'demo@example.com '"),
        ("demo @example.com", "'demo @example.com'"),
        ("demo\t@example.com", r"demo\t@"),
        ("demo\x00@example.com", r"demo\x00@"),
        ("demo\u200b@example.com", r"demo\u200b@"),
        ("demo\u00a0@example.com", r"demo\xa0@"),
    ],
)
def test_malformed_username_is_refused_with_an_explanation(username: str, words: str) -> None:
    (problem,) = PasswordLogin(username, PASSWORD).find_problems()
    assert problem.code == "malformed_username"
    assert words in problem.message


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "is empty"),
        ("demo-password\n", "ends with a line break"),
        ("demo-password\r\n", "ends with a line break"),
        ("demo-password\r", "ends with a line break"),
        ("\n", "ends with a line break"),
        ("demo\npassword", "control character"),
        ("demo\tpassword", "control character"),
        ("demo\x00password", "control character"),
        ("demo\x1bpassword", "control character"),
        ("demo-passw\udcf6rd", "control character"),
    ],
)
def test_malformed_password_is_refused_and_not_shown(password: str, words: str) -> None:
    (problem,) = PasswordLogin(USERNAME, password).find_problems()
    assert problem.code == "malformed_password"
    assert words in problem.message
    assert "demo" not in f"{problem.as_failure()}"


@pytest.mark.parametrize(
    ("client_id", "client_secret", "expected"),
    [
        ("particle", "particle", []),
        ("my-client_1", "s3cret", []),
        ("CLI2", "client_secret_here", []),
        ("abc", "s3cret", []),
        ("a" * 40, "s3cret", []),
        ("my-client", "", ["invalid_client_secret"]),
        ("my-client", "s3cret\n", ["invalid_client_secret"]),
        ("my-client", "s3cret s3cret", ["invalid_client_secret"]),
        ("my-client", "s3cret\x00", ["invalid_client_secret"]),
        ("ab", "s3cret", ["unknown_client"]),
        ("a" * 41, "s3cret", ["unknown_client"]),
        ("", "s3cret", ["unknown_client"]),
        ("my client", "s3cret", ["unknown_client"]),
        ("my-client\n", "s3cret", ["unknown_client"]),
        ("my client", "", ["unknown_client", "invalid_client_secret"]),
    ],
)
def test_format_of_client_id_and_secret_is_checked(client_id: str, client_secret: str, expected: list[str]) -> None:
    login = PasswordLogin(USERNAME, PASSWORD, Client(client_id, client_secret))
    assert list_problem_codes(login) == expected
    assert "s3cret" not in str([problem.as_failure() for problem in login.find_problems()])


def test_all_problems_are_reported_at_once() -> None:
    login = PasswordLogin("", "line\n", Client("x", ""), otp="12345", otp_secret="?")
    assert list_problem_codes(login) == [
        "malformed_username",
        "malformed_password",
        "unknown_client",
        "invalid_client_secret",
        "otp_refused",
        "otp_refused",
    ]


def test_each_problem_has_its_message_and_hint() -> None:
    empty = PasswordLogin("", "", Client("x", ""), otp="12345", otp_secret="?").find_problems()
    assert [problem.message for problem in empty] == [
        "The username is empty.",
        "The password is empty.",
        "client_id 'x' is not valid: use 3 to 40 letters, digits, hyphens or underscores.",
        "client_secret is empty, or contains spaces or control characters.",
        "otp is not a code of 6 digits.",
        "otp_secret cannot be used: the secret is not valid base32.",
    ]
    assert [problem.hint for problem in empty[-2:]] == [
        "Put the code in quotes, because leading zeros are lost without quotes.",
        "Give the secret that was shown as text beside the QR code for two-factor login.",
    ]
    assert [PasswordLogin("a b", password).find_problems()[0].message for password in ("x\n", "x")] == [
        "The username 'a b' contains spaces, line breaks or control characters."
    ] * 2
    assert [PasswordLogin(USERNAME, password).find_problems()[0].message for password in ("x\n", "x\ty")] == [
        "The password ends with a line break.",
        "The password contains a control character.",
    ]


def test_default_client_is_used_if_none_is_given() -> None:
    assert LOGIN.client.basic_auth == ("particle", "particle")
    assert PasswordLogin(USERNAME, PASSWORD, MY_CLIENT).client.basic_auth == ("my-client", "s3cret")


def test_repr_of_logins_and_grants_shows_no_secret(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN})
    login = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT, otp="123456", otp_secret=OTP_SECRET)
    shown = repr([login, ReadyToken(TOKEN), login.obtain_grant(http, {}, {}), http, http.redact])
    assert USERNAME in shown
    assert not [secret for secret in (PASSWORD, "s3cret", TOKEN, "123456", OTP_SECRET) if secret in shown]


def test_secrets_of_a_login_are_masked_also_in_basic_headers() -> None:
    redact = Redactor()
    PasswordLogin(USERNAME, PASSWORD, MY_CLIENT).mask_secrets(redact)
    basic = [base64.b64encode(pair.encode()).decode() for pair in (f"{USERNAME}:{PASSWORD}", "my-client:s3cret")]
    assert redact(f"{PASSWORD} s3cret {' '.join(basic)} {USERNAME} my-client") == (
        f"******** ******** ******** ******** {USERNAME} my-client"
    )


def test_secret_of_the_public_client_is_not_masked() -> None:
    redact = Redactor()
    # This secret is also a part of the host name of the cloud.
    PasswordLogin(USERNAME, PASSWORD, Client("particle", "particle")).mask_secrets(redact)
    LOGIN.mask_secrets(redact)
    assert redact("api.particle.io") == "api.particle.io"


def test_login_sends_the_account_as_form_and_the_client_in_the_header(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer(
        "POST", "/oauth/token", json={"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600}
    )
    login = PasswordLogin("plus+tag@example.com", "pä ss&w=rd", Client("my-client", "s3cret€"))
    grant = login.obtain_grant(http, HOUR, {})

    (request,) = scripted_cloud.requests
    assert request.form == {
        "grant_type": "password",
        "username": "plus+tag@example.com",
        "password": "pä ss&w=rd",
        "expires_in": "3600",
    }
    assert request.query == {}
    client = base64.b64encode("my-client:s3cret€".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {client}"
    assert (grant.access_token, grant.token_type, grant.expires_in) == (TOKEN, "bearer", 3600)
    assert (http.usage.requests, http.usage.writes) == (1, 0)


def test_lifetime_is_not_sent_if_none_is_requested(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN})
    LOGIN.obtain_grant(http, {}, {})
    assert "expires_in" not in scripted_cloud.requests[0].form


@pytest.mark.parametrize(
    ("fields", "expires_in"),
    [({"expires_in": 3600}, 3600), ({"expires_in": "3600"}, 3600), ({"expires_in": 0}, 0), ({}, None)],
)
def test_granted_lifetime_is_a_number_or_a_text_or_missing(
    http: Http, scripted_cloud: ScriptedCloud, fields: dict[str, object], expires_in: int | None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN, **fields})
    grant = LOGIN.obtain_grant(http, {}, {})
    assert (grant.expires_in, grant.token_type) == (expires_in, "bearer")


def test_access_and_refresh_token_of_a_grant_are_masked(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": "fresh-one", "refresh_token": "fresh-two"})
    LOGIN.obtain_grant(http, {}, {})
    assert http.redact("fresh-one fresh-two") == "******** ********"


@pytest.mark.parametrize("answer", [{}, {"access_token": None}, {"access_token": ""}, {"access_token": 7}, [], "ok"])
def test_success_without_a_token_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud, answer: object) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json=answer)
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert (caught.value.code, caught.value.route) == ("bad_response", TOKEN_ROUTE)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, '{"error": "invalid_grant", "error_description": "User credentials are invalid"}', "invalid_credentials"),
        (503, '{"error": "server_error", "error_description": "Wrong password"}', "invalid_credentials"),
        (503, '{"error": "server_error", "error_description": "Try again later"}', "cloud_error"),
        (500, "", "cloud_error"),
        (502, "<html>Bad Gateway</html>", "cloud_error"),
        (408, "", "cloud_error"),
        (429, '{"error": "rate_limit_exceeded"}', "locked_out"),
        (529, "", "locked_out"),
        (200, "", "bad_response"),
        (200, '{"access_token": "1f0c5d', "bad_response"),
        (200, "<html>Log in to the hotel</html>", "not_a_cloud"),
        (302, "", "not_a_cloud"),
    ],
)
def test_failed_login_is_not_retried(
    http: Http, scripted_cloud: ScriptedCloud, status: int, body: str, code: str
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", status, body=body, headers={"Retry-After": "1"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, HOUR, {})
    assert (caught.value.code, caught.value.status) == (code, status)
    assert len(scripted_cloud.requests) == 1
    assert (http.usage.requests, http.usage.retries, http.usage.writes) == (1, 0, 0)


def test_login_is_not_retried_after_a_broken_connection(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", effect="reset")
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, HOUR, {})
    assert caught.value.code == "unreachable"
    assert len(scripted_cloud.requests) == 1


def test_password_quoted_by_the_cloud_is_masked(http: Http, scripted_cloud: ScriptedCloud) -> None:
    LOGIN.mask_secrets(http.redact)
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": f"No such password: {PASSWORD}"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert caught.value.message == (
        "Could not obtain an access token for demo@example.com: the cloud refused the request "
        "(HTTP 400: No such password: ********)."
    )


@pytest.mark.parametrize("token", [TOKEN, "a", "eyJhbGciOiJIUzI1NiJ9.e30.sig-_~+/="])
def test_access_token_in_any_common_format_has_no_problems(token: str) -> None:
    assert list_problem_codes(ReadyToken(token)) == []


@pytest.mark.parametrize("token", ["", " ", f"{TOKEN}\n", f"{TOKEN}\r\n", f" {TOKEN}", "a b", "a\tb", "a\x00", "tökén"])
def test_malformed_access_token_is_refused_and_not_shown(token: str) -> None:
    (problem,) = ReadyToken(token).find_problems()
    assert problem.code == "token_invalid"
    assert TOKEN not in f"{problem.as_failure()}"


def test_given_access_token_needs_no_request(http: Http) -> None:
    grant = ReadyToken(TOKEN).obtain_grant(http, HOUR, {})
    assert (grant.access_token, grant.expires_in) == (TOKEN, None)
    assert http.usage.requests == 0


# Two-factor login


MFA_TOKEN = "eyJhbGciOiJub25lIn0.the-first-step"
MFA_REQUIRED = {"error": "mfa_required", "error_description": "Multifactor required", "mfa_token": MFA_TOKEN}


@pytest.fixture
def clocked_http(http: Http, clock: TurnedClock) -> Http:
    """Provide an HTTP client whose clock shows the time of a test vector of RFC 6238."""
    clock.now = 1111111111.0
    return http


def require_code(cloud: ScriptedCloud, logins: int = 1) -> ScriptedCloud:
    """Script a cloud that requires a one-time code for each login, and grants a token for it."""
    for _unused in range(logins):
        cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED)
        cloud.answer("POST", GRANT, json={"access_token": TOKEN, "expires_in": 3600})
    return cloud


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"otp": "001234"}, "001234"),
        ({"otp_secret": OTP_SECRET}, "050471"),
        ({"otp": "001234", "otp_secret": OTP_SECRET}, "050471"),
    ],
    ids=["code", "secret", "both"],
)
def test_one_time_code_is_sent_with_the_token_of_the_first_step(
    clocked_http: Http, scripted_cloud: ScriptedCloud, options: dict[str, str], sent: str
) -> None:
    require_code(scripted_cloud)
    grant = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT, **options).obtain_grant(clocked_http, HOUR, {})
    first, second = scripted_cloud.requests
    assert (first.form["grant_type"], first.form["expires_in"]) == ("password", "3600")
    assert second.form == {"grant_type": "urn:custom:mfa-otp", "mfa_token": MFA_TOKEN, "otp": sent}
    assert first.headers["Authorization"] == second.headers["Authorization"]
    assert (grant.access_token, grant.expires_in) == (TOKEN, 3600)
    assert clocked_http.redact(f"{MFA_TOKEN} {TOKEN}") == "******** ********"


def test_one_time_code_is_not_sent_unless_the_cloud_requires_it(
    clocked_http: Http, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("POST", GRANT, json={"access_token": TOKEN})
    memory: dict[str, object] = {}
    PasswordLogin(USERNAME, PASSWORD, otp="001234", otp_secret=OTP_SECRET).obtain_grant(clocked_http, {}, memory)
    assert set(scripted_cloud.requests[0].form) == {"grant_type", "username", "password"}
    assert memory == {}


@pytest.mark.parametrize("answer", [MFA_REQUIRED, {"error": "mfa_required"}, {"error": "mfa_required", "mfa_token": 7}])
def test_two_factor_login_without_code_or_mfa_token_fails_with_a_hint(
    clocked_http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, object]
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=answer)
    login = PasswordLogin(
        USERNAME, PASSWORD, otp=None if "mfa_token" in answer and answer["mfa_token"] != 7 else "123456"
    )
    with pytest.raises(ParticleError) as caught:
        login.obtain_grant(clocked_http, {}, {})
    assert caught.value.code == "mfa_required"
    assert {"otp_secret", "PARTICLE_OTP", "PARTICLE_OTP_SECRET"} <= set(re.findall(r"\w+", caught.value.hint))
    assert MFA_TOKEN not in f"{caught.value.as_failure()}"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"error": "invalid_grant", "error_description": "Could not validate OTP."}'),
        (401, '{"error": "invalid_token", "error_description": "Could not validate OTP."}'),
        (400, '{"error": "invalid_request", "error_description": "You must provide otp and mfa token."}'),
        (401, ""),
    ],
)
def test_wrong_one_time_code_is_reported_and_sent_once(
    clocked_http: Http, scripted_cloud: ScriptedCloud, status: int, body: str
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED).answer("POST", GRANT, status, body=body)
    with pytest.raises(ParticleError) as caught:
        PasswordLogin(USERNAME, PASSWORD, otp="001234").obtain_grant(clocked_http, {}, {})
    assert (caught.value.code, caught.value.status, caught.value.route) == ("otp_refused", status, TOKEN_ROUTE)
    said = f": {json.loads(body)['error_description']}" if body else ""
    assert caught.value.message == (
        "Could not obtain an access token for demo@example.com: "
        f"the cloud does not accept the one-time code (HTTP {status}{said})."
    )
    assert "clock" in caught.value.hint
    assert not [secret for secret in ("001234", MFA_TOKEN) if secret in f"{caught.value.as_failure()}"]
    assert len(scripted_cloud.requests) == 2


@pytest.mark.parametrize(("status", "code"), [(429, "locked_out"), (503, "cloud_error")])
def test_other_failures_of_the_second_step_do_not_blame_the_code(
    clocked_http: Http, scripted_cloud: ScriptedCloud, status: int, code: str
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED).answer("POST", GRANT, status)
    with pytest.raises(ParticleError) as caught:
        PasswordLogin(USERNAME, PASSWORD, otp="001234").obtain_grant(clocked_http, {}, {})
    assert caught.value.code == code
    assert len(scripted_cloud.requests) == 2


def test_login_waits_for_a_new_code_instead_of_sending_one_twice(
    clocked_http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    require_code(scripted_cloud, logins=3)
    login, memory, start = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object](), clock.now
    for _unused in range(3):
        login.obtain_grant(clocked_http, {}, memory)
    sent = [request.form["otp"] for request in scripted_cloud.requests[1::2]]
    assert sent == [compute_code(OTP_SECRET, find_period(start) + number) for number in range(3)]
    assert clock.now - start < 60
    assert clock.now % 30 == 0, "the login must not wait longer than to the start of the period"


@pytest.mark.parametrize(("used", "waits"), [(-1, False), (0, True), (1, True), (2, False)])
def test_login_waits_if_the_current_or_next_code_was_already_used(
    clocked_http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, used: int, waits: bool
) -> None:
    require_code(scripted_cloud)
    # A period further ahead was recorded before the clock was set back, and is ignored.
    now = find_period(clock.now)
    memory: dict[str, object] = {"otp_period": now + used}
    PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET).obtain_grant(clocked_http, {}, memory)
    sent = now + used + 1 if waits else now
    assert scripted_cloud.requests[1].form["otp"] == compute_code(OTP_SECRET, sent)
    assert bool(clock.slept) is waits
    assert memory == {"otp_period": sent, "keep_until": (sent + 1) * 30}


def test_login_in_the_next_period_does_not_wait(
    clocked_http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    require_code(scripted_cloud, logins=2)
    login, memory = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object]()
    login.obtain_grant(clocked_http, {}, memory)
    clock.now += 30
    login.obtain_grant(clocked_http, {}, memory)
    assert clock.slept == []


def test_clock_that_was_set_back_causes_no_long_wait(
    clocked_http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    require_code(scripted_cloud, logins=2)
    login, memory = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object]()
    login.obtain_grant(clocked_http, {}, memory)
    clock.now -= 365 * 86400
    login.obtain_grant(clocked_http, {}, memory)
    assert sum(clock.slept) <= 30


@pytest.mark.parametrize("otp", ["", "12345", "1234567", "12345a", "\uff11" * 6, " 12345", "12345\n"])
def test_malformed_one_time_code_is_refused_and_not_shown(otp: str) -> None:
    (problem,) = PasswordLogin(USERNAME, PASSWORD, otp=otp).find_problems()
    assert problem.code == "otp_refused"
    assert "in quotes" in problem.hint
    assert not otp or otp not in f"{problem.as_failure()}"


@pytest.mark.parametrize("secret", ["", "no base32!", "GEZDGNB1", "é" * 8])
def test_malformed_otp_secret_is_refused_and_not_shown(secret: str) -> None:
    (problem,) = PasswordLogin(USERNAME, PASSWORD, otp_secret=secret).find_problems()
    assert problem.code == "otp_refused"
    assert not secret or secret not in f"{problem.as_failure()}"


def test_otp_secret_is_masked() -> None:
    redact = Redactor()
    PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET).mask_secrets(redact)
    assert redact(OTP_SECRET) == "********"


def test_login_has_display_names_account_and_identity() -> None:
    login = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT)
    assert login.display_names == (USERNAME, "my-client")
    assert login.account == (USERNAME, PASSWORD)
    assert login.get_identity() == ("password", USERNAME, "my-client", "s3cret", PASSWORD, "", "")
    assert ReadyToken(TOKEN).display_names == ("", "")
    assert ReadyToken(TOKEN).account is None


@pytest.mark.parametrize("other", [{"otp": "001234"}, {"otp_secret": OTP_SECRET}, {"client": MY_CLIENT}])
def test_code_secret_and_client_are_part_of_the_identity(other: dict[str, Any]) -> None:
    assert replace(LOGIN, **other).get_identity() != LOGIN.get_identity()
