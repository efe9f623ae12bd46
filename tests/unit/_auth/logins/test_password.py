# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""From e-mail and password to a token, with as few of the ten allowed refusals as possible."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from token_cloud import GRANT, turned_conversation
from turned_clock import TurnedClock

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

USERNAME, PASSWORD = "demo@example.com", "demo-password"
LOGIN = PasswordLogin(USERNAME, PASSWORD)
MY_CLIENT = Client("my-client", "s3cret")
HOUR = {"expires_in": "3600"}
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"


def codes(login: PasswordLogin | ReadyToken) -> list[str]:
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
def test_credentials_that_may_work_have_no_problems(username: str, password: str) -> None:
    assert codes(PasswordLogin(username, password)) == []


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
def test_a_username_that_cannot_be_meant_is_shown_with_what_is_wrong(username: str, words: str) -> None:
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
def test_a_password_that_cannot_be_meant_is_refused_and_not_shown(password: str, words: str) -> None:
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
def test_a_client_is_well_formed(client_id: str, client_secret: str, expected: list[str]) -> None:
    login = PasswordLogin(USERNAME, PASSWORD, Client(client_id, client_secret))
    assert codes(login) == expected
    assert "s3cret" not in str([problem.as_failure() for problem in login.find_problems()])


def test_all_mistakes_are_told_at_once() -> None:
    login = PasswordLogin("", "line\n", Client("x", ""), otp="12345", otp_secret="?")
    assert codes(login) == [
        "malformed_username",
        "malformed_password",
        "unknown_client",
        "invalid_client_secret",
        "otp_refused",
        "otp_refused",
    ]


def test_what_is_wrong_is_told_in_whole_sentences_with_what_to_do_next() -> None:
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
        "Put all digits in quotes: without quotes, leading zeros are lost.",
        "Give the secret that was shown as text beside the QR code for two-factor login.",
    ]
    assert [PasswordLogin("a b", password).find_problems()[0].message for password in ("x\n", "x")] == [
        "The username 'a b' contains spaces, line breaks or control characters."
    ] * 2
    assert [PasswordLogin(USERNAME, password).find_problems()[0].message for password in ("x\n", "x\ty")] == [
        "The password ends with a line break.",
        "The password contains a control character.",
    ]


def test_the_customary_client_is_used_when_none_is_given() -> None:
    assert LOGIN.client.basic_auth == ("particle", "particle")
    assert PasswordLogin(USERNAME, PASSWORD, MY_CLIENT).client.basic_auth == ("my-client", "s3cret")


def test_no_secret_is_in_a_representation(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN})
    login = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT, otp="123456", otp_secret=OTP_SECRET)
    shown = repr([login, ReadyToken(TOKEN), login.obtain_grant(http, {}, {}), http, http.redact])
    assert USERNAME in shown
    assert not [secret for secret in (PASSWORD, "s3cret", TOKEN, "123456", OTP_SECRET) if secret in shown]


def test_what_a_login_holds_is_hidden_also_as_basic_header() -> None:
    redact = Redactor()
    PasswordLogin(USERNAME, PASSWORD, MY_CLIENT).mask_secrets(redact)
    basic = [base64.b64encode(pair.encode()).decode() for pair in (f"{USERNAME}:{PASSWORD}", "my-client:s3cret")]
    assert redact(f"{PASSWORD} s3cret {' '.join(basic)} {USERNAME} my-client") == (
        f"******** ******** ******** ******** {USERNAME} my-client"
    )


def test_the_public_client_is_no_secret_or_the_name_of_the_cloud_would_be_hidden_everywhere() -> None:
    redact = Redactor()
    PasswordLogin(USERNAME, PASSWORD, Client("particle", "particle")).mask_secrets(redact)
    LOGIN.mask_secrets(redact)
    assert redact("api.particle.io") == "api.particle.io"


def test_a_login_is_one_request_with_the_account_in_the_form_and_the_client_in_the_header(
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


def test_the_life_is_left_to_the_cloud_when_nobody_wishes_one(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN})
    LOGIN.obtain_grant(http, {}, {})
    assert "expires_in" not in scripted_cloud.requests[0].form


@pytest.mark.parametrize(
    ("said", "expires_in"),
    [({"expires_in": 3600}, 3600), ({"expires_in": "3600"}, 3600), ({"expires_in": 0}, 0), ({}, None)],
)
def test_the_life_is_read_as_number_or_text_and_may_be_missing(
    http: Http, scripted_cloud: ScriptedCloud, said: dict[str, object], expires_in: int | None
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN, **said})
    grant = LOGIN.obtain_grant(http, {}, {})
    assert (grant.expires_in, grant.token_type) == (expires_in, "bearer")


def test_both_fresh_tokens_are_hidden_from_then_on(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": "fresh-one", "refresh_token": "fresh-two"})
    LOGIN.obtain_grant(http, {}, {})
    assert http.redact("fresh-one fresh-two") == "******** ********"


@pytest.mark.parametrize("answer", [{}, {"access_token": None}, {"access_token": ""}, {"access_token": 7}, [], "ok"])
def test_a_success_without_a_token_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud, answer: object) -> None:
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
def test_a_refused_login_is_sent_once_and_never_again(
    http: Http, scripted_cloud: ScriptedCloud, status: int, body: str, code: str
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", status, body=body, headers={"Retry-After": "1"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, HOUR, {})
    assert (caught.value.code, caught.value.status) == (code, status)
    assert len(scripted_cloud.requests) == 1
    assert (http.usage.requests, http.usage.retries, http.usage.writes) == (1, 0, 0)


def test_a_login_whose_connection_breaks_is_not_repeated_either(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", effect="reset")
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, HOUR, {})
    assert caught.value.code == "unreachable"
    assert len(scripted_cloud.requests) == 1


def test_a_password_that_the_cloud_repeats_is_not_shown(http: Http, scripted_cloud: ScriptedCloud) -> None:
    LOGIN.mask_secrets(http.redact)
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": f"No such password: {PASSWORD}"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert caught.value.message == (
        "Could not obtain an access token for demo@example.com: the cloud refused the request "
        "(HTTP 400: No such password: ********)."
    )


@pytest.mark.parametrize("token", [TOKEN, "a", "eyJhbGciOiJIUzI1NiJ9.e30.sig-_~+/="])
def test_a_ready_token_is_opaque(token: str) -> None:
    assert codes(ReadyToken(token)) == []


@pytest.mark.parametrize("token", ["", " ", f"{TOKEN}\n", f"{TOKEN}\r\n", f" {TOKEN}", "a b", "a\tb", "a\x00", "tökén"])
def test_a_ready_token_that_cannot_be_one_is_refused_before_any_request(token: str) -> None:
    (problem,) = ReadyToken(token).find_problems()
    assert problem.code == "token_invalid"
    assert TOKEN not in f"{problem.as_failure()}"


def test_a_ready_token_costs_no_request(http: Http) -> None:
    grant = ReadyToken(TOKEN).obtain_grant(http, HOUR, {})
    assert (grant.access_token, grant.expires_in) == (TOKEN, None)
    assert http.usage.requests == 0


# Two-factor login


MFA_TOKEN = "eyJhbGciOiJub25lIn0.the-first-step"
MFA_REQUIRED = {"error": "mfa_required", "error_description": "Multifactor required", "mfa_token": MFA_TOKEN}


@pytest.fixture
def turned(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    """A conversation in the year of the test vectors."""
    clock.now = 1111111111.0
    http = turned_conversation(scripted_cloud.url, clock)
    yield http
    http.close()


def asking_for_a_code(cloud: ScriptedCloud, logins: int = 1) -> ScriptedCloud:
    for _unused in range(logins):
        cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED)
        cloud.answer("POST", GRANT, json={"access_token": TOKEN, "expires_in": 3600})
    return cloud


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"otp": "001234"}, "001234"),
        ({"otp_secret": OTP_SECRET}, "050471"),
        ({"otp": "001234", "otp_secret": OTP_SECRET}, "050471"),
    ],
    ids=["code", "secret", "both"],
)
def test_an_account_with_a_second_factor_gets_its_code_with_the_token_of_the_first_step(
    turned: Http, scripted_cloud: ScriptedCloud, given: dict[str, str], sent: str
) -> None:
    asking_for_a_code(scripted_cloud)
    grant = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT, **given).obtain_grant(turned, HOUR, {})
    first, second = scripted_cloud.requests
    assert (first.form["grant_type"], first.form["expires_in"]) == ("password", "3600")
    assert second.form == {"grant_type": "urn:custom:mfa-otp", "mfa_token": MFA_TOKEN, "otp": sent}
    assert first.headers["Authorization"] == second.headers["Authorization"]
    assert (grant.access_token, grant.expires_in) == (TOKEN, 3600)
    assert turned.redact(f"{MFA_TOKEN} {TOKEN}") == "******** ********"


def test_a_code_is_kept_back_while_nobody_asks_for_it(turned: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", GRANT, json={"access_token": TOKEN})
    memory: dict[str, object] = {}
    PasswordLogin(USERNAME, PASSWORD, otp="001234", otp_secret=OTP_SECRET).obtain_grant(turned, {}, memory)
    assert set(scripted_cloud.requests[0].form) == {"grant_type", "username", "password"}
    assert memory == {}


@pytest.mark.parametrize("answer", [MFA_REQUIRED, {"error": "mfa_required"}, {"error": "mfa_required", "mfa_token": 7}])
def test_without_a_code_or_a_way_to_send_it_the_login_ends_with_what_to_give(
    turned: Http, scripted_cloud: ScriptedCloud, answer: dict[str, object]
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=answer)
    login = PasswordLogin(
        USERNAME, PASSWORD, otp=None if "mfa_token" in answer and answer["mfa_token"] != 7 else "123456"
    )
    with pytest.raises(ParticleError) as caught:
        login.obtain_grant(turned, {}, {})
    assert caught.value.code == "mfa_required"
    assert "otp_secret" in caught.value.hint
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
def test_a_wrong_code_is_told_as_such_and_sent_once(
    turned: Http, scripted_cloud: ScriptedCloud, status: int, body: str
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED).answer("POST", GRANT, status, body=body)
    with pytest.raises(ParticleError) as caught:
        PasswordLogin(USERNAME, PASSWORD, otp="001234").obtain_grant(turned, {}, {})
    assert (caught.value.code, caught.value.status, caught.value.route) == ("otp_refused", status, TOKEN_ROUTE)
    assert caught.value.message == (
        "Could not obtain an access token for demo@example.com: "
        f"the cloud does not accept the one-time code (HTTP {status})."
    )
    assert "clock" in caught.value.hint
    assert not [secret for secret in ("001234", MFA_TOKEN) if secret in f"{caught.value.as_failure()}"]
    assert len(scripted_cloud.requests) == 2


@pytest.mark.parametrize(("status", "code"), [(429, "locked_out"), (503, "cloud_error")])
def test_a_failure_of_the_second_step_that_is_not_about_the_code_is_not_blamed_on_it(
    turned: Http, scripted_cloud: ScriptedCloud, status: int, code: str
) -> None:
    scripted_cloud.answer("POST", GRANT, 403, json=MFA_REQUIRED).answer("POST", GRANT, status)
    with pytest.raises(ParticleError) as caught:
        PasswordLogin(USERNAME, PASSWORD, otp="001234").obtain_grant(turned, {}, {})
    assert caught.value.code == code
    assert len(scripted_cloud.requests) == 2


def test_a_code_is_never_sent_twice_the_second_login_waits_for_the_next(
    turned: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    asking_for_a_code(scripted_cloud, logins=3)
    login, memory, begin = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object](), clock.now
    for _unused in range(3):
        login.obtain_grant(turned, {}, memory)
    sent = [request.form["otp"] for request in scripted_cloud.requests[1::2]]
    assert sent == [compute_code(OTP_SECRET, find_period(begin) + number) for number in range(3)]
    assert clock.now - begin < 60
    assert clock.now % 30 == 0, "no longer than it has to"


@pytest.mark.parametrize(("used", "waits"), [(-1, False), (0, True), (1, True), (2, False)])
def test_a_code_of_this_half_minute_or_of_the_next_is_used_up_and_one_from_further_on_is_of_another_clock(
    turned: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, used: int, waits: bool
) -> None:
    asking_for_a_code(scripted_cloud)
    now = find_period(clock.now)
    memory: dict[str, object] = {"otp_period": now + used}
    PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET).obtain_grant(turned, {}, memory)
    sent = now + used + 1 if waits else now
    assert scripted_cloud.requests[1].form["otp"] == compute_code(OTP_SECRET, sent)
    assert bool(clock.slept) is waits
    assert memory == {"otp_period": sent, "keep_until": (sent + 1) * 30}


def test_in_the_next_half_minute_nobody_waits(turned: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    asking_for_a_code(scripted_cloud, logins=2)
    login, memory = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object]()
    login.obtain_grant(turned, {}, memory)
    clock.now += 30
    login.obtain_grant(turned, {}, memory)
    assert clock.slept == []


def test_a_clock_that_was_set_back_makes_nobody_wait_for_the_future(
    turned: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    asking_for_a_code(scripted_cloud, logins=2)
    login, memory = PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET), dict[str, object]()
    login.obtain_grant(turned, {}, memory)
    clock.now -= 365 * 86400
    login.obtain_grant(turned, {}, memory)
    assert sum(clock.slept) <= 30


@pytest.mark.parametrize("otp", ["", "12345", "1234567", "12345a", "\uff11" * 6, " 12345", "12345\n"])
def test_what_is_no_code_is_refused_before_any_request_and_not_shown(otp: str) -> None:
    (problem,) = PasswordLogin(USERNAME, PASSWORD, otp=otp).find_problems()
    assert problem.code == "otp_refused"
    assert "in quotes" in problem.hint
    assert not otp or otp not in f"{problem.as_failure()}"


@pytest.mark.parametrize("secret", ["", "no base32!", "GEZDGNB1", "é" * 8])
def test_what_is_no_secret_of_codes_is_refused_before_any_request_and_not_shown(secret: str) -> None:
    (problem,) = PasswordLogin(USERNAME, PASSWORD, otp_secret=secret).find_problems()
    assert problem.code == "otp_refused"
    assert not secret or secret not in f"{problem.as_failure()}"


def test_the_secret_behind_the_codes_is_hidden() -> None:
    redact = Redactor()
    PasswordLogin(USERNAME, PASSWORD, otp_secret=OTP_SECRET).mask_secrets(redact)
    assert redact(OTP_SECRET) == "********"


def test_a_login_tells_whose_it_is_and_nothing_else() -> None:
    login = PasswordLogin(USERNAME, PASSWORD, MY_CLIENT)
    assert login.display_names == (USERNAME, "my-client")
    assert login.account == (USERNAME, PASSWORD)
    assert login.get_identity() == ("password", USERNAME, "my-client", "s3cret", PASSWORD, "", "")
    assert ReadyToken(TOKEN).display_names == ("", "")
    assert ReadyToken(TOKEN).account is None


@pytest.mark.parametrize("other", [{"otp": "001234"}, {"otp_secret": OTP_SECRET}, {"client": MY_CLIENT}])
def test_another_code_secret_or_client_is_another_login(other: dict[str, Any]) -> None:
    assert replace(LOGIN, **other).get_identity() != LOGIN.get_identity()
