# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Secrets are masked in every spelling and at every place of an answer."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE, build_refusal

USERNAME = "demo@example.com"
TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"


def encode_uri_component(text: str) -> str:
    """Percent-encode a text as JavaScript does."""
    return urllib.parse.quote(text, safe="!'()*")


def lower_digits(encoded: str) -> str:
    """Write the digits of percent-encoding in lower case, which is equivalent."""
    return re.sub("%..", lambda found: found[0].lower(), encoded)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a path": lambda secret: urllib.parse.quote(secret, safe=""),
    "in a path, lower case": lambda secret: lower_digits(urllib.parse.quote(secret, safe="")),
    "in a form": urllib.parse.quote_plus,
    "by JavaScript": encode_uri_component,
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in JSON of other languages": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "in a Basic header": lambda secret: base64.b64encode(f"{USERNAME}:{secret}".encode()).decode(),
}

BODIES: dict[str, Callable[[str], Any]] = {
    "E1": lambda text: {"error": "invalid_grant", "error_description": text},
    "E1-word": lambda text: {"error": text},
    "E2": lambda text: {"error": "mfa_required", "error_description": text, "mfa_token": text},
    "E3": lambda text: {"error": "Permission Denied", "info": f"try opening https://x/?access_token={text}"},
    "E4": lambda text: {"ok": False, "error": text},
    "E6": lambda text: {"ok": False, "errors": ["No.", text]},
    "E7": lambda text: {"ok": False, "errors": [[text, 404]]},
    "E8": lambda text: {"ok": False, "code": 500, "errors": [{"error": text}]},
    "E8-status": lambda text: {"errors": [{"error": {"status": text}}]},
    "E9": lambda text: {"errors": [text]},
    "E10": lambda text: {"error": "bad_request", "description": text},
    "E11": lambda text: {"message": text, "description": text, "violations": [{"value": text, text: 1}]},
    "E11-text": lambda text: {"message": "m", "description": "d", "violations": text},
    "E13": lambda text: {"ok": False, "output": text, "stdout": text, "errors": [text]},
    "E14-text": lambda text: f"Could not read: {text}".encode(),
    "E14-end": lambda text: text.encode(),
    "E14-page": lambda text: f"<html><pre>Cannot GET /{text}</pre></html>".encode(),
    "E14-cut": lambda text: json.dumps({"error": text}).encode()[:-1],
    "E14-cut-unicode": lambda text: json.dumps({"error": text}, ensure_ascii=False).encode()[:-1],
    "JSON in JSON": lambda text: {"error": "upstream said " + json.dumps({"error": json.dumps(text)})},
}

SECRETS = st.text(
    st.sampled_from("\"'\\/%&+=?#<>!()*:;, éß€🔑") | st.characters(exclude_categories=("Cs", "Cc")),
    min_size=8,
    max_size=24,
)


def format_refusal(body: Any, redact: Redactor) -> str:
    """Return the message and the hint about a refused login."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = build_refusal(400, content, route=TOKEN_ROUTE, action="log in", redact=redact)
    return f"{error.message} {error.hint}"


def list_traces(secret: str, spelled: str) -> Iterator[str]:
    """Yield the texts that must not be shown: the secret, its spelling, its first characters, and the secret with
    single spaces.
    """
    yield from (secret, spelled, secret[:7], " ".join(secret.split()))


@given(
    secret=SECRETS,
    spelling=st.sampled_from(sorted(SPELLINGS)),
    body=st.sampled_from(sorted(BODIES)),
    padding=st.integers(0, 320),
)
@example(secret='cana"ry pé  ss/%41', spelling="in JSON of other languages", body="E14-cut-unicode", padding=0)
@example(secret="two  spaces  in it", spelling="as it is", body="E1", padding=0)
@example(secret="ends with a space ", spelling="as it is", body="E14-end", padding=0)
@example(secret="0123456789abcdefgh", spelling="as it is", body="E1", padding=290)
@example(secret='quo"ted \\ twice', spelling="in JSON", body="E11", padding=0)
def test_secret_is_masked_in_every_body_and_spelling(secret: str, spelling: str, body: str, padding: int) -> None:
    redact = Redactor()
    redact.add_secret(secret, username=USERNAME)
    build, spelled = BODIES[body], SPELLINGS[spelling](secret)
    without = format_refusal(build("." * padding), Redactor()) + MASK + json.dumps(MASK)
    assume(all(trace.strip() not in without for trace in list_traces(secret, spelled)))

    seen = format_refusal(build("." * padding + spelled), redact)

    for trace in list_traces(secret, spelled):
        assert trace not in seen


@given(secret=SECRETS, spelling=st.sampled_from(sorted(SPELLINGS)))
def test_secret_is_masked_in_nested_results(secret: str, spelling: str) -> None:
    redact = Redactor()
    redact.add_secret(secret, username=USERNAME)
    assume(secret not in MASK)
    spelled = SPELLINGS[spelling](secret)
    cleaned = redact.mask_values({"msg": [f"<{spelled}>", {spelled: (spelled, 1)}], "changed": False})
    assert cleaned == {"msg": [f"<{MASK}>", {MASK: [MASK, 1]}], "changed": False}


def test_names_of_devices_in_a_result_are_not_taken_for_secrets() -> None:
    redact = Redactor()
    redact.add_secret("correct horse battery staple 12345")
    names = ["Basic Pump-3", "basic 12V supply", "bearer: gw2", "eyJohnson-sensor", "The correct horse battery is low"]
    assert redact.mask_values(dict.fromkeys(names, names)) == dict.fromkeys(names, names)
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    assert redact.mask_values([token]) == [MASK]


def test_secret_that_contains_another_secret_is_masked_whole() -> None:
    redact = Redactor()
    redact.add_secrets(["horse", "correct horse battery"])
    assert redact("correct horse battery, horse") == f"{MASK}, {MASK}"


@pytest.mark.parametrize("empty", [None, "", " "])
def test_empty_secret_masks_nothing(empty: str | None) -> None:
    redact = Redactor()
    redact.add_secret(empty, username=USERNAME)
    assert redact.secrets == frozenset()
    assert redact("as it was") == "as it was"


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()])
def test_text_that_looks_like_an_access_token_is_masked(token: str) -> None:
    assert Redactor()(f"Bearer {token}, again") == f"Bearer {MASK}, again"


def test_token_in_a_query_is_masked_in_any_form() -> None:
    assert Redactor()("see https://x/v1/devices?access_token=short&page=2") == (
        f"see https://x/v1/devices?access_token={MASK}&page=2"
    )


def test_device_ids_and_longer_digests_are_not_masked() -> None:
    text = f"device e00fce68aabbccddeeff0022, digest {'ab' * 32}"
    assert Redactor()(text) == text


def test_password_that_is_not_valid_utf_8_is_masked() -> None:
    password = b"p\xe4ssw\xf6rd".decode(errors="surrogateescape")
    redact = Redactor()
    redact.add_secret(password, username=USERNAME)
    assert redact(f"It is {password}.") == f"It is {MASK}."


# What servers echo of a long token

LONG_TOKEN = "eyJhbGciOiJSUzI1NiJ9." + "".join(chr(97 + number % 26) + str(number % 10) for number in range(4500))
GAPS = [" ", "  ", "\t", "%20", "+", "\\u0020", "&nbsp;", ": ", ' "', ' \\"', "%20%22"]


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Basic", "basic"])
@pytest.mark.parametrize("token", [LONG_TOKEN, LONG_TOKEN[:40], "abc123", "ZGVtbzpzM2NyZXQ=", "a%2Fb-c_d.e~f"])
def test_value_after_an_authentication_scheme_is_masked(scheme: str, gap: str, token: str) -> None:
    text = Redactor()(f"Malformed header Authorization: {scheme}{gap}{token} in this request")
    assert token not in text
    assert token[:6] not in text
    assert text.startswith("Malformed header Authorization: ")
    assert text.endswith(" in this request")


@pytest.mark.parametrize(
    "sentence",
    [
        "You must send username and password in HTTP Basic Auth to view your access tokens.",
        "Send the bearer token in the header.",
        "Basic authentication is required",
        "The basic, free plan allows 100 devices.",
        "Bearer",
    ],
)
def test_sentence_about_authentication_is_not_masked(sentence: str) -> None:
    assert Redactor()(sentence) == sentence


@pytest.mark.parametrize("length", [20, 100, 300, 8000])
@pytest.mark.parametrize("token", [LONG_TOKEN, "x" + LONG_TOKEN[3:], "p@ss word/" * 20])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_beginning_of_a_long_secret_is_masked(spelling: str, token: str, length: int) -> None:
    redact = Redactor()
    redact.add_secret(token, username=USERNAME)
    shown = SPELLINGS[spelling](token)[:length]
    text = redact(f"The value {shown}... is not valid")
    assert shown[:16] not in text
    assert text.startswith("The value ")


def test_json_web_token_is_masked_although_it_is_not_known() -> None:
    assert Redactor()(f"jwt malformed: {LONG_TOKEN[:200]}") == f"jwt malformed: {MASK}"
