# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Answers of a cloud become errors with a code, a message and a hint."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import (
    TOKEN_ROUTE,
    Refusal,
    build_refusal,
    read_refusal,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import withhold_text

DEVICE_ROUTE = "PUT /v1/devices/:idOrName"
CLOSED_LIST = set(
    "unreachable tls_untrusted not_a_cloud clock_skew malformed_username malformed_password invalid_credentials "
    "unknown_client invalid_client_secret mfa_required otp_refused sso_account locked_out token_invalid "
    "token_expired not_a_token missing_scope listing_refused listing_retired forbidden not_found device_offline "
    "device_not_yours conflict twins invalid_manifest unsupported rate_limited budget_exhausted "
    "cloud_error bad_response ambiguous_write too_many_removals run_in_progress invalid_option "
    "unsafe_file quarantined wrong_binary braked joiner_refused internal".split()
)


def error_for(status: int, body: Any, route: str = DEVICE_ROUTE) -> ParticleError:
    """Return the error for an answer whose body is bytes, text, or data to write as JSON."""
    if isinstance(body, str):
        body = body.encode()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return build_refusal(status, content, route=route, action="rename device x", redact=Redactor())


RECOGNIZE = "I didn't recognize that device name or ID, try opening https://api.particle.io/v1/devices"
EXPRESS_PAGE = "<!DOCTYPE html>\n<html><body><pre>Cannot PUT /v1/devices/x</pre></body></html>"
GATEWAY_PAGE = "<html><head><title>504 Gateway Time-out</title></head><body>upstream timed out</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "code", "text"),
    [
        pytest.param(
            401,
            {"error": "invalid_token", "error_description": "The access token provided is invalid."},
            "token_invalid",
            "The access token provided is invalid.",
            id="E1",
        ),
        pytest.param(
            401,
            {"error": "invalid_token", "error_description": "The access token provided has expired."},
            "token_expired",
            "The access token provided has expired.",
            id="E1-expired",
        ),
        pytest.param(
            400,
            {"error": "invalid_request", "error_description": "The access token was not found"},
            "token_invalid",
            "The access token was not found",
            id="E1-no-token",
        ),
        pytest.param(
            403,
            {"error": "Permission Denied", "info": RECOGNIZE},
            "device_not_yours",
            f"Permission Denied; {RECOGNIZE}",
            id="E3",
        ),
        pytest.param(404, {"ok": False, "error": "Variable not found"}, "not_found", "Variable not found", id="E4"),
        pytest.param(400, {"ok": False, "error": "Timed out."}, "device_offline", "Timed out.", id="E4-offline"),
        pytest.param(408, {"error": "Timed out."}, "device_offline", "Timed out.", id="E5"),
        pytest.param(
            401, {"ok": False, "errors": ["Bad password"]}, "invalid_credentials", "Bad password", id="E6-password"
        ),
        pytest.param(
            400, {"ok": False, "errors": ["Unknown user"]}, "invalid_credentials", "Unknown user", id="E6-user"
        ),
        pytest.param(
            404,
            {"ok": False, "errors": ["device does not exist"]},
            "not_found",
            "device does not exist",
            id="E6-device",
        ),
        pytest.param(
            404,
            {"ok": False, "errors": [["Core isn't online", 404]]},
            "device_offline",
            "Core isn't online",
            id="E7",
        ),
        pytest.param(
            500,
            {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]},
            "device_offline",
            "Timed out, didn't hear back from device service",
            id="E8",
        ),
        pytest.param(
            500,
            {"ok": False, "code": 500, "errors": ["Timed out, didn't hear back from device service"]},
            "device_offline",
            "Timed out, didn't hear back from device service",
            id="E8-text",
        ),
        pytest.param(
            403,
            {"errors": ["That belongs to someone else."]},
            "device_not_yours",
            "That belongs to someone else.",
            id="E9",
        ),
        pytest.param(
            400,
            {"error": "bad_request", "description": "start_date must be a date"},
            "cloud_error",
            "start_date must be a date",
            id="E10",
        ),
        pytest.param(
            422,
            {"message": "Invalid", "description": "Schema says no", "violations": [{"path": "/a"}, "b"]},
            "cloud_error",
            'Invalid; Schema says no; {"path": "/a"}; "b"',
            id="E11",
        ),
        pytest.param(404, {}, "not_found", "", id="E12"),
        pytest.param(
            200,
            {"ok": False, "output": "App code was invalid", "stdout": "", "errors": ["make: no rule"]},
            "cloud_error",
            "make: no rule",
            id="E13-with-200",
        ),
        pytest.param(
            406,
            {"ok": False, "output": "App code was invalid", "stdout": "", "errors": ["make: no rule"]},
            "cloud_error",
            "make: no rule",
            id="E13-with-406",
        ),
        pytest.param(404, "Not Found", "unsupported", "Not Found", id="E14-text"),
        pytest.param(401, "", "token_invalid", "", id="E14-empty"),
    ],
)
def test_known_error_body_gives_its_code_and_text(status: int, body: Any, code: str, text: str) -> None:
    error = error_for(status, body)
    assert (error.code, error.status, error.route) == (code, status, DEVICE_ROUTE)
    assert error.message.startswith("Could not rename device x: ")
    assert f"(HTTP {status}" in error.message
    if text:
        assert error.message.endswith(f": {text}).")
    else:
        assert error.message.endswith(f"(HTTP {status}).") or "empty body" in error.message


@pytest.mark.parametrize(
    ("status", "page", "code"),
    [
        (200, "<html>Welcome to the hotel</html>", "not_a_cloud"),
        (302, "<html>Moved</html>", "not_a_cloud"),
        (403, "<html>Blocked by policy</html>", "not_a_cloud"),
        (404, "<html>nginx</html>", "not_a_cloud"),
        (404, EXPRESS_PAGE, "unsupported"),
        (408, "<html>Request Time-out</html>", "cloud_error"),
        (429, "<html>Slow down</html>", "rate_limited"),
        (529, "<html>Slow down</html>", "rate_limited"),
        (500, "<html>Oops</html>", "cloud_error"),
        (504, GATEWAY_PAGE, "cloud_error"),
    ],
)
def test_web_page_gives_a_code_by_its_status_and_is_not_quoted(status: int, page: str, code: str) -> None:
    error = error_for(status, page)
    assert error.code == code
    assert error.message.endswith(f"(HTTP {status} with a web page instead of data).")


@pytest.mark.parametrize("body", ["<html>413 Request Entity Too Large</html>", "", {"error": "PayloadTooLargeError"}])
def test_too_large_request_is_named_with_any_body(body: Any) -> None:
    error = error_for(413, body)
    assert error.code == "cloud_error"
    assert "the request is too large for the cloud, or for a proxy before it (HTTP 413" in error.message
    assert error.hint.startswith("Send less at once")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (302, {}, "not_a_cloud"),
        (429, {"error": "Too many requests"}, "rate_limited"),
        (529, "", "rate_limited"),
        (401, {"error": "expired_token"}, "token_expired"),
        (403, {"error": "invalid_token"}, "token_invalid"),
        (401, {"ok": False, "error": "who are you"}, "token_invalid"),
        (400, {"error": "unauthorized"}, "missing_scope"),
        (403, {"error": "invalid_scope"}, "missing_scope"),
        (403, {"error": "insufficient_scope"}, "missing_scope"),
        (400, {"ok": False, "error": "The device belongs to someone else."}, "device_not_yours"),
        (400, {"ok": False, "error": "User doesn't have access"}, "device_not_yours"),
        (400, {"ok": False, "error": "The device is already claimed."}, "conflict"),
        (400, {"ok": False, "error": "A group of that name already exists"}, "conflict"),
        (403, {"error": "Permission Denied"}, "forbidden"),
        (403, "", "forbidden"),
        (404, {"error": "Product not found"}, "not_found"),
        (404, "", "not_found"),
        (408, "", "device_offline"),
        (409, {}, "conflict"),
        (412, {}, "conflict"),
        (400, {"error": "nonsense"}, "cloud_error"),
        (500, {}, "cloud_error"),
        (503, {"error": "server_error"}, "cloud_error"),
    ],
)
def test_code_depends_on_the_error_text_and_then_on_the_status(status: int, body: Any, code: str) -> None:
    assert error_for(status, body).code == code


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": "invalid_grant", "error_description": "User credentials are invalid"}, "invalid_credentials"),
        (401, {"ok": False, "errors": ["User credentials are invalid"]}, "invalid_credentials"),
        (503, {"error": "server_error", "error_description": "Wrong password"}, "invalid_credentials"),
        (503, {"error": "server_error", "error_description": "User doesn't exist"}, "invalid_credentials"),
        (
            503,
            {"error": "server_error", "error_description": "User a@b.com not found."},
            "invalid_credentials",
        ),
        (500, {"error": "server_error", "error_description": "No such account"}, "invalid_credentials"),
        (500, {"error": "Unknown user"}, "invalid_credentials"),
        (503, {"error": "server_error", "error_description": "User database does not answer"}, "cloud_error"),
        (401, "", "invalid_credentials"),
        (503, {"error": "server_error", "error_description": "Try again"}, "cloud_error"),
        (500, "", "cloud_error"),
        (502, "<html>Bad gateway</html>", "cloud_error"),
        (400, {"error": "invalid_client", "error_description": "Client credentials are invalid"}, "unknown_client"),
        (
            400,
            {"error": "invalid_client", "error_description": "Invalid or missing client_id parameter"},
            "unknown_client",
        ),
        (
            400,
            {"error": "invalid_client", "error_description": "Missing client_secret parameter"},
            "invalid_client_secret",
        ),
        (401, {"error": "invalid_client"}, "unknown_client"),
        (400, {"error": "unauthorized_client"}, "unknown_client"),
        (400, {"error": "invalid_scope"}, "missing_scope"),
        (403, {"error": "mfa_required", "error_description": "Multi-factor", "mfa_token": "eyJhb"}, "mfa_required"),
        (403, {"error": "sso_user", "error_description": "Use SSO"}, "sso_account"),
        (429, {"error": "rate_limit_exceeded"}, "locked_out"),
        (429, "<html>Slow down</html>", "locked_out"),
        (529, "", "locked_out"),
        (404, {"error": "Not found"}, "not_a_cloud"),
        (404, "Not Found", "not_a_cloud"),
        (404, "<html><pre>Cannot POST /oauth/token</pre></html>", "not_a_cloud"),
        (405, "<html>Method not allowed</html>", "not_a_cloud"),
    ],
)
def test_token_route_has_its_own_codes(status: int, body: Any, code: str) -> None:
    assert error_for(status, body, TOKEN_ROUTE).code == code


def test_mfa_token_is_not_quoted() -> None:
    body = {"error": "mfa_required", "error_description": "Multi-factor", "mfa_token": "eyJhbGciOi"}
    assert "eyJ" not in str(error_for(403, body, TOKEN_ROUTE).as_failure())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error_description": "first", "error": "second", "errors": ["third"]}, "first"),
        ({"error": "second", "errors": ["third"]}, "second"),
        ({"errors": ["third", {"error": "fourth"}, ["fifth", 404]], "info": "sixth"}, "third; fourth; fifth"),
        ({"errors": [{"error": {"status": "inner"}}]}, "inner"),
        ({"errors": [{"message": "worded otherwise"}]}, "worded otherwise"),
        ({"errors": [], "info": "sixth"}, "sixth"),
        ({"description": "seventh", "message": ""}, "seventh"),
        ({"message": "eighth"}, "eighth"),
        ({"ok": False}, ""),
        (["no", "object"], ""),
        (None, ""),
    ],
)
def test_error_text_is_searched_in_the_order_of_the_official_client(body: Any, text: str) -> None:
    assert read_refusal(json.dumps(body).encode()).text == text


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", Refusal("", "", "empty")),
        (b" \r\n", Refusal("", "", "empty")),
        (b"Not Found", Refusal("", "Not Found", "text")),
        (b'{"error": "cut', Refusal("", '{"error": "cut', "text")),
        (b"K\xfcche", Refusal("", "K\ufffdche", "text")),
        (b"\n<p>Bad</p> gateway", Refusal("", "\n Bad  gateway", "html")),
        (b"<SCRIPT>\nvar a = 1\n</SCRIPT>Log in<style>p{}</style>", Refusal("", " Log in ", "html")),
        (b"[1]", Refusal("", "", "json")),
        (b'{"error": "invalid_grant"}', Refusal("invalid_grant", "invalid_grant", "json", {"error": "invalid_grant"})),
        (b'{"error": "Not a word"}', Refusal("", "Not a word", "json", {"error": "Not a word"})),
    ],
)
def test_form_and_text_of_a_body_are_recognized(body: bytes, refusal: Refusal) -> None:
    assert read_refusal(body) == refusal


def test_message_states_the_cause_and_the_answer() -> None:
    empty, page = error_for(503, b""), error_for(502, "<html>Bad Gateway</html>")
    assert empty.message.endswith(": the cloud failed (HTTP 503 with an empty body).")
    assert page.message.endswith(": the cloud failed (HTTP 502 with a web page instead of data).")
    assert error_for(503, {"error": "oops"}).message.endswith(": the cloud failed (HTTP 503: oops).")
    refused = error_for(400, {"error": "name must be shorter"})
    assert refused.message.endswith(": the cloud refused the request (HTTP 400: name must be shorter).")
    assert refused.hint == "Correct the named value; if none is named, ask the operator of the cloud."


def test_error_contains_the_answer_of_the_cloud() -> None:
    assert error_for(400, {"error": "oops", "more": 1}).response == {"error": "oops", "more": 1}
    assert error_for(400, b"").response == ParticleError("internal", "No answer.").response == {}


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("netwrok", " (did you mean network?)"),
        ("NETWORK", " (did you mean network?)"),
        ("network_", " (did you mean network?)"),
        ("zzz", ""),
        (37, ""),
        (None, " (did you mean none?)"),
    ],
)
def test_misspelled_word_gets_a_suggestion(word: Any, suggestion: str) -> None:
    assert suggest_similar(word, ["networks", "network", "name", "none"]) == suggestion


def test_cloud_fault_and_refusal_have_different_messages_and_hints() -> None:
    fault, refusal = error_for(500, {"error": "oops"}), error_for(422, {"error": "oops"})
    assert fault.code == refusal.code == "cloud_error"
    assert "the cloud failed" in fault.message
    assert "the cloud refused" in refusal.message
    assert fault.hint == HINTS["cloud_error"]
    assert "Run again later" not in refusal.hint


def test_hint_explains_a_route_that_the_cloud_does_not_have() -> None:
    assert error_for(404, EXPRESS_PAGE).hint.startswith("This cloud does not have this API route. ")


def test_long_error_text_is_cut_and_made_printable() -> None:
    message = error_for(400, {"error": "word \n\t\x1b[31m" * 1000}).message
    assert message.isprintable()
    assert message.endswith("...).")
    assert len(message) < 400


def test_hostile_bodies_are_read_quickly() -> None:
    started = time.process_time()
    assert error_for(403, "<script>" * 200_000).code == "not_a_cloud"
    assert error_for(400, "[" * 200_000).code == "cloud_error"
    assert time.process_time() - started < 2


@given(status=st.integers(200, 599), body=st.binary(max_size=100))
def test_any_bytes_give_a_known_code(status: int, body: bytes) -> None:
    assert error_for(status, body).code in HINTS


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
KEYS = st.sampled_from("error error_description errors info description message violations ok status code".split())
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@given(
    status=st.integers(200, 599),
    body=st.dictionaries(KEYS, JSON, max_size=5) | JSON,
    route=st.sampled_from([DEVICE_ROUTE, TOKEN_ROUTE]),
)
def test_any_json_gives_a_known_code(status: int, body: Any, route: str) -> None:
    error = error_for(status, json.dumps(body).encode(), route)
    assert error.code in HINTS
    assert error.message.isprintable()


def test_list_of_error_codes_is_closed() -> None:
    assert set(HINTS) == CLOSED_LIST


@pytest.mark.parametrize("code", HINTS)
def test_every_code_has_a_hint_written_as_a_sentence(code: str) -> None:
    hint = HINTS[code]
    assert hint[0].isupper()
    assert hint.isprintable()
    assert hint.endswith(".")
    assert ParticleError(code, "Something failed.").hint == hint


def test_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        raise ParticleError("made_up", "Something failed.")


def test_error_becomes_the_documented_failure() -> None:
    error = ParticleError("conflict", "It is taken.", hint="Take another.", status=409, route="POST /v1/products")
    assert error.as_failure() == {
        "failed": True,
        "msg": "It is taken. Take another.",
        "error": {
            "code": "conflict",
            "status": 409,
            "message": "It is taken.",
            "hint": "Take another.",
            "route": "POST /v1/products",
        },
    }


def test_hint_has_its_own_line_after_a_list_of_mistakes() -> None:
    error = ParticleError("invalid_manifest", "The manifest has 2 mistakes:\n  one\n  two", hint="Correct them.")
    assert error.as_failure()["msg"].splitlines()[-2:] == ["  two", "Correct them."]


def test_empty_refusal_of_a_private_request_does_not_mention_a_text() -> None:
    error = build_refusal(500, b"", route="GET /v1/secrets", action="read a secret", redact=withhold_text)
    assert error.message == "Could not read a secret: the cloud failed (HTTP 500 with an empty body)."
