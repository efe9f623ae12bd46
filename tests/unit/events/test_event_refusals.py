# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source ends with one message when the cloud refuses it, in the words of the rest of the collection."""

from __future__ import annotations

import asyncio
import email.utils
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE, build_refusal
from support.event_source import SOURCE, TurnedClock, run_async, running_source
from support.scripted import ScriptedCloud

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PASSWORD = "canary-password-4711"
STREAM = "/v1/products/field-logger/events"
OAUTH = "/oauth/token"
REVOKE = "/v1/access_tokens/current"

INVALID_TOKEN = {"error": "invalid_token", "error_description": "The access token provided is invalid."}
EXPIRED_TOKEN = {"error": "invalid_token", "error_description": "The access token provided has expired."}
NO_TOKEN = {"error": "invalid_request", "error_description": "The access token was not found"}
PERMISSION = {"error": "Permission Denied", "info": "I didn't recognize that device name or ID, try opening ..."}
NO_PRODUCT = {"ok": False, "error": "Product not found."}
WRONG_PASSWORD = {"error": "invalid_grant", "error_description": "User credentials are invalid"}
MFA = {"error": "mfa_required", "error_description": "MFA required", "mfa_token": "mfa-canary-token"}
SSO = {"error": "sso_user", "error_description": "Sorry, please use SSO"}
PAGE = "<html><head><title>Bad gateway</title></head><body>502 Bad gateway</body></html>"

# Different hints, because the source has fewer options than the modules of the collection.
OWN_HINTS = {"mfa_required", "otp_refused", "unsupported", "cloud_error", "unknown_client", "invalid_client_secret"}

STREAM_REFUSALS: list[tuple[int, Any]] = [
    (401, INVALID_TOKEN),
    (401, EXPIRED_TOKEN),
    (400, NO_TOKEN),
    (401, ""),
    (401, {"ok": False, "errors": ["unknown"]}),
    (403, PERMISSION),
    (403, {"ok": False, "error": "forbidden"}),
    (403, ""),
    (404, NO_PRODUCT),
    (404, {}),
    (404, "Not Found"),
    (404, "<pre>Cannot GET /v1/products/field-logger/events</pre>"),
    (404, PAGE),
    (302, ""),
    (400, {"ok": False, "error": "event prefix filter is required"}),
    (400, {"error": "bad_request", "description": "A value is wrong."}),
    (422, {"message": "invalid", "description": "It is wrong.", "violations": [{"a": 1}]}),
]
LOGIN_REFUSALS: list[tuple[int, Any]] = [
    (400, WRONG_PASSWORD),
    (401, WRONG_PASSWORD),
    (503, {"error": "server_error", "error_description": "Wrong password"}),
    (503, {"ok": False, "error": "User doesn't exist"}),
    (403, MFA),
    (403, SSO),
    (429, {"error": "rate_limit_exceeded"}),
    (404, "Not Found"),
    (404, PAGE),
    (301, ""),
]


def encode(body: Any) -> bytes:
    """Return the bytes of a response body."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def keep_text(text: str) -> str:
    """Mask nothing."""
    return text


def format_date(seconds: float) -> str:
    """Return the time of a number of seconds after the start of the source, as an HTTP date."""
    return email.utils.formatdate(TurnedClock().now() + seconds, usegmt=True)


def receive(cloud: ScriptedCloud, **args: Any) -> Exception:
    """Run the source until it ends, and return its exception."""

    async def story() -> Exception:
        given: dict[str, Any] = {"api_url": cloud.url, "product": "field-logger", **args}
        async with running_source(**given) as source:
            (failure,) = await asyncio.gather(source.task, return_exceptions=True)
            assert isinstance(failure, Exception)
            return failure

    return run_async(story())


def log_in(cloud: ScriptedCloud, **args: Any) -> Exception:
    """Run the source with a username and a password until it ends, and return its exception."""
    return receive(cloud, username="demo@example.com", password=PASSWORD, **args)


@pytest.mark.parametrize(("status", "body"), STREAM_REFUSALS)
def test_refused_stream_ends_the_source_as_it_ends_a_module(
    scripted_cloud: ScriptedCloud, status: int, body: Any
) -> None:
    # given a refusal of the stream
    scripted_cloud.answer("GET", STREAM, status, body=encode(body))
    # when the source opens the stream
    failure = receive(scripted_cloud, access_token=TOKEN)
    # then it ends after one request, with the message that a module would have
    assert len(scripted_cloud.requests) == 1
    action = "open the event stream of product field-logger"
    error = build_refusal(status, encode(body), route="GET /v1/products/:p/events", action=action, redact=keep_text)
    assert str(failure).startswith(error.message)
    if error.code not in OWN_HINTS:
        assert str(failure) == f"{error.message} {error.hint}"


@pytest.mark.parametrize(("status", "body"), LOGIN_REFUSALS)
def test_refused_login_ends_the_source_as_it_ends_a_module(
    scripted_cloud: ScriptedCloud, status: int, body: Any
) -> None:
    scripted_cloud.answer("POST", OAUTH, status, body=encode(body))
    failure = log_in(scripted_cloud)
    assert len(scripted_cloud.requests) == 1
    action = "obtain an access token for demo@example.com"
    error = build_refusal(status, encode(body), route=TOKEN_ROUTE, action=action, redact=keep_text)
    assert str(failure).startswith(error.message)
    if error.code not in OWN_HINTS:
        assert str(failure) == f"{error.message} {error.hint}"


WORDS = st.sampled_from(
    "invalid_token expired_token invalid_grant invalid_client unauthorized insufficient_scope mfa_required sso_user "
    "server_error bad_request".split()
)
SENTENCES = st.sampled_from(
    [
        "The access token was not found",
        "Wrong password",
        "User doesn't exist",
        "I didn't recognize that device",
        "It belongs to someone else",
        "Something failed.",
        "",
    ]
)
BODIES = st.one_of(
    st.builds(lambda word, text: json.dumps({"error": word, "error_description": text}), WORDS, SENTENCES),
    st.builds(lambda text: json.dumps({"ok": False, "errors": [text, [text, 404], {"error": text}]}), SENTENCES),
    st.builds(lambda text: json.dumps({"error": text, "info": text}), SENTENCES),
    st.builds(lambda text: f"<html>{text}</html>", SENTENCES),
    SENTENCES,
)


@given(st.sampled_from([302, 400, 401, 403, 404, 422, 429, 500, 502, 503, 529]), BODIES)
def test_refusals_have_the_same_code_as_in_the_collection(status: int, body: str) -> None:
    refusal = SOURCE.read_refusal(body.encode())
    for route, is_login in (("GET /v1/products/:p/events", False), (TOKEN_ROUTE, True)):
        if not is_login and "password" in body:
            continue  # no stream is refused because of a password
        error = build_refusal(status, body.encode(), route=route, action="do it", redact=keep_text)
        code = SOURCE.classify_refusal(status, refusal, is_login=is_login)
        expected = "invalid_client_secret" if error.code == "unknown_client" else error.code
        assert code == expected
        if code not in ("missing_scope", "invalid_client_secret", "cloud_error"):
            assert SOURCE.describe_refusal("do it", code, status, refusal, keep_text) == error.message


def test_hints_are_those_of_the_collection() -> None:
    own = {*OWN_HINTS, "missing_scope"}
    assert {code: hint for code, hint in SOURCE.HINTS.items() if code not in own} == {
        code: HINTS[code] for code in SOURCE.HINTS if code not in own
    }


# ---------------------------------------------------------------------- what heals by itself


@pytest.mark.parametrize(
    ("status", "body", "headers", "shortest"),
    [
        (502, PAGE, {}, 1.0),
        (500, "", {}, 1.0),
        (429, {"error": "rate_limit_exceeded"}, {}, 60.0),
        (429, {"error": "rate_limit_exceeded"}, {"Retry-After": "120"}, 120.0),
        (429, {"error": "rate_limit_exceeded"}, {"Retry-After": "0"}, 60.0),
        (429, {"error": "rate_limit_exceeded"}, {"Retry-After": format_date(300)}, 300.0),
        (429, {"error": "rate_limit_exceeded"}, {"Retry-After": format_date(-300)}, 60.0),
        (429, {"error": "rate_limit_exceeded"}, {"Retry-After": "soon"}, 60.0),
        (529, "", {}, 60.0),
    ],
)
def test_failures_of_the_cloud_lead_to_another_attempt(
    scripted_cloud: ScriptedCloud, status: int, body: Any, headers: dict[str, str], shortest: float
) -> None:
    scripted_cloud.answer("GET", STREAM, status, body=encode(body), headers=headers)
    scripted_cloud.answer("GET", STREAM, 401, json=INVALID_TOKEN)

    async def story() -> float:
        async with running_source(api_url=scripted_cloud.url, access_token=TOKEN, product="field-logger") as source:
            seconds = await source.clock.turn_to_end_of_pause()
            with pytest.raises(SOURCE.EventsError, match=r"Events are missing since 2025-"):
                await source.take()
            return seconds

    assert shortest <= run_async(story()) <= max(2.0, shortest)


def test_refused_token_leads_to_one_new_login(scripted_cloud: ScriptedCloud) -> None:
    # given a cloud that refuses each new access token
    scripted_cloud.answer("POST", OAUTH, json={"access_token": TOKEN, "expires_in": 3600}, repeat=True)
    scripted_cloud.answer("GET", STREAM, 401, json=INVALID_TOKEN, repeat=True)
    scripted_cloud.answer("DELETE", REVOKE, 401, json=INVALID_TOKEN, repeat=True)
    # when the source logs in
    failure = log_in(scripted_cloud)
    # then it logs in once more, and then ends
    assert "does not accept this access token" in str(failure)
    assert len(scripted_cloud.seen("POST", OAUTH)) == 2
    assert len(scripted_cloud.seen("GET", STREAM)) == 2


def test_one_time_code_is_computed_and_sent(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", OAUTH, 403, json=MFA)
    scripted_cloud.answer("POST", OAUTH, 400, json={"error": "invalid_grant", "error_description": "bad otp"})
    failure = log_in(scripted_cloud, otp_secret="GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ")
    first, second = scripted_cloud.seen("POST", OAUTH)
    assert first.form["password"] == PASSWORD
    expected = SOURCE.compute_otp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", int(TurnedClock().now() // 30))
    assert second.form == {"grant_type": "urn:custom:mfa-otp", "mfa_token": "mfa-canary-token", "otp": expected}
    assert "does not accept the one-time code (HTTP 400: bad otp). Check otp_secret" in str(failure)


def test_one_time_code_is_that_of_the_standard() -> None:
    # The test vector of RFC 6238 for SHA-1 at 59 seconds, shortened to six digits.
    assert SOURCE.compute_otp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59 // 30) == "287082"


# ---------------------------------------------------------------------- arguments


def test_all_mistakes_in_the_arguments_are_reported_at_once() -> None:
    args = {
        "api_url": "ftp://cloud",
        "device": "barn",
        "silence": 5,
        "max_backoff": "soon",
        "catch_up": "maybe",
        "ca_path": "~no-such-user/ca.pem",
        "produkt": "field-logger",
        "access_token": "two words",
        "password": "secret",
    }
    with pytest.raises(ValueError, match="not valid") as caught:
        SOURCE.read_settings(args)
    text = str(caught.value)
    for name in ("api_url", "device", "silence", "max_backoff", "catch_up", "ca_path", "produkt", "access_token"):
        assert f"{name} " in text
    assert "access_token cannot be combined with password" in text
    assert "password needs username" in text
    assert "two words" not in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "credentials are missing"),
        ({"access_token": ""}, "credentials are missing"),
        ({"username": "demo@example.com"}, "username needs password"),
        ({"access_token": TOKEN, "product": "a", "organization": "b"}, "product cannot be combined with organization"),
        ({"access_token": TOKEN, "organization": "b", "catch_up": "yes"}, "catch_up cannot be combined"),
    ],
)
def test_contradicting_arguments_are_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SOURCE.read_settings(args)


def test_arguments_of_a_rulebook_can_be_texts() -> None:
    settings = SOURCE.read_settings(
        {"access_token": TOKEN, "silence": "45", "catch_up": "True", "product": 31337, "prefix": "spark/", "device": ""}
    )
    assert (settings.silence, settings.catch_up, settings.product) == (45.0, True, "31337")
    assert (settings.prefix, settings.device) == (("spark/",), None)


# ---------------------------------------------------------------------- token_file


def write_token_file(folder: Path, *entries: dict[str, Any], mode: int = 0o600) -> Path:
    """Write a token file as the module `access_token` does."""
    path = folder / "tokens.json"
    path.write_text(json.dumps({"tokens": [{"account": "a", "client": "c", "purpose": "p", **one} for one in entries]}))
    path.chmod(mode)
    return path


def test_token_file_gives_the_token_that_expires_last(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    path = write_token_file(
        tmp_path,
        {"api_url": scripted_cloud.url, "access_token": "expired", "expires_at": "2001-01-01T00:00:00Z"},
        {"api_url": scripted_cloud.url, "access_token": "sooner", "expires_at": "2090-01-01T00:00:00Z"},
        {"api_url": scripted_cloud.url, "access_token": "later", "expires_at": "2095-01-01T00:00:00Z"},
        {"api_url": "https://other.example.com", "access_token": "other", "expires_at": None},
    )
    scripted_cloud.answer("GET", STREAM, 401, json=INVALID_TOKEN)
    receive(scripted_cloud, token_file=str(path))
    assert scripted_cloud.requests[0].headers["Authorization"] == "Bearer later"


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ('{"tokens": []}', 0o644, "Other users can read"),
        ('{"tokens": []}', 0o600, "has no valid access token"),
        ("[]", 0o600, "is damaged"),
        ('{"tokens": 5}', 0o600, "is damaged"),
        ("not JSON", 0o600, "is damaged"),
    ],
)
def test_unusable_token_file_ends_the_source_without_a_request(
    scripted_cloud: ScriptedCloud, tmp_path: Path, content: str, mode: int, message: str
) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(content)
    path.chmod(mode)
    failure = receive(scripted_cloud, token_file=str(path))
    assert message in str(failure)
    assert str(path) in str(failure)
    assert scripted_cloud.requests == []


def test_missing_token_file_is_named(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    assert "cannot be read" in str(receive(scripted_cloud, token_file=str(tmp_path / "absent.json")))


def test_replaced_token_of_the_file_is_used_once(scripted_cloud: ScriptedCloud, tmp_path: Path) -> None:
    # given a token file that the cloud no longer accepts, and that another program replaces
    path = write_token_file(tmp_path, {"api_url": scripted_cloud.url, "access_token": "old"})
    scripted_cloud.answer("GET", STREAM, 503)
    scripted_cloud.answer("GET", STREAM, 401, json=EXPIRED_TOKEN, repeat=True)

    async def story() -> None:
        async with running_source(api_url=scripted_cloud.url, token_file=str(path), product="field-logger") as source:
            await source.clock.turn_to_end_of_pause()
            with pytest.raises(SOURCE.EventsError, match="has expired"):
                await source.take()

    run_async(story())
    assert [seen.headers["Authorization"] for seen in scripted_cloud.requests] == ["Bearer old"] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_token_replaced_during_a_refused_request_is_used(tmp_path: Path) -> None:
    async def story() -> str | None:
        path = write_token_file(tmp_path, {"api_url": "https://cloud.example.com", "access_token": "old"})
        settings = SOURCE.Settings(api_url="https://cloud.example.com", token_file=str(path))
        tokens = SOURCE.TokenFile(settings, SOURCE.Clock(), SOURCE.Redactor())
        refused = await tokens.get()
        # given a file that was replaced, and read for another request, before the cloud refused the old access token
        write_token_file(tmp_path, {"api_url": "https://cloud.example.com", "access_token": "new"})
        await tokens.get()
        token: str | None = await tokens.replace(refused)
        return token

    assert run_async(story()) == "new"
