# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A secret is never shown, however a cloud spells it and wherever it puts it."""

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
    """Percent-encoding as JavaScript does it."""
    return urllib.parse.quote(text, safe="!'()*")


def lower_digits(encoded: str) -> str:
    """Percent-encoding with the other case of its digits, which means the same."""
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
    "E1": lambda said: {"error": "invalid_grant", "error_description": said},
    "E1-word": lambda said: {"error": said},
    "E2": lambda said: {"error": "mfa_required", "error_description": said, "mfa_token": said},
    "E3": lambda said: {"error": "Permission Denied", "info": f"try opening https://x/?access_token={said}"},
    "E4": lambda said: {"ok": False, "error": said},
    "E6": lambda said: {"ok": False, "errors": ["No.", said]},
    "E7": lambda said: {"ok": False, "errors": [[said, 404]]},
    "E8": lambda said: {"ok": False, "code": 500, "errors": [{"error": said}]},
    "E8-status": lambda said: {"errors": [{"error": {"status": said}}]},
    "E9": lambda said: {"errors": [said]},
    "E10": lambda said: {"error": "bad_request", "description": said},
    "E11": lambda said: {"message": said, "description": said, "violations": [{"value": said, said: 1}]},
    "E11-text": lambda said: {"message": "m", "description": "d", "violations": said},
    "E13": lambda said: {"ok": False, "output": said, "stdout": said, "errors": [said]},
    "E14-text": lambda said: f"Could not read: {said}".encode(),
    "E14-end": lambda said: said.encode(),
    "E14-page": lambda said: f"<html><pre>Cannot GET /{said}</pre></html>".encode(),
    "E14-cut": lambda said: json.dumps({"error": said}).encode()[:-1],
    "E14-cut-unicode": lambda said: json.dumps({"error": said}, ensure_ascii=False).encode()[:-1],
    "JSON in JSON": lambda said: {"error": "upstream said " + json.dumps({"error": json.dumps(said)})},
}

SECRETS = st.text(
    st.sampled_from("\"'\\/%&+=?#<>!()*:;, éß€🔑") | st.characters(exclude_categories=("Cs", "Cc")),
    min_size=8,
    max_size=24,
)


def shown(body: Any, redact: Redactor) -> str:
    """Everything that is said about a refused login."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = build_refusal(400, content, route=TOKEN_ROUTE, action="log in", redact=redact)
    return f"{error.message} {error.hint}"


def traces(secret: str, spelled: str) -> Iterator[str]:
    """What must not be seen: the secret, its spelling, a part that is long enough to help, and it respaced."""
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
def test_no_body_of_any_shape_brings_a_secret_out(secret: str, spelling: str, body: str, padding: int) -> None:
    redact = Redactor()
    redact.add_secret(secret, username=USERNAME)
    build, spelled = BODIES[body], SPELLINGS[spelling](secret)
    without = shown(build("." * padding), Redactor()) + MASK + json.dumps(MASK)
    assume(all(trace.strip() not in without for trace in traces(secret, spelled)))

    seen = shown(build("." * padding + spelled), redact)

    for trace in traces(secret, spelled):
        assert trace not in seen


@given(secret=SECRETS, spelling=st.sampled_from(sorted(SPELLINGS)))
def test_results_are_cleaned_to_their_depths(secret: str, spelling: str) -> None:
    redact = Redactor()
    redact.add_secret(secret, username=USERNAME)
    assume(secret not in MASK)
    spelled = SPELLINGS[spelling](secret)
    cleaned = redact.mask_values({"msg": [f"<{spelled}>", {spelled: (spelled, 1)}], "changed": False})
    assert cleaned == {"msg": [f"<{MASK}>", {MASK: [MASK, 1]}], "changed": False}


def test_a_secret_inside_another_one_does_not_uncover_it() -> None:
    redact = Redactor()
    redact.add_secrets(["horse", "correct horse battery"])
    assert redact("correct horse battery, horse") == f"{MASK}, {MASK}"


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_secret_hides_nothing(nothing: str | None) -> None:
    redact = Redactor()
    redact.add_secret(nothing, username=USERNAME)
    assert redact.secrets == frozenset()
    assert redact("as it was") == "as it was"


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()])
def test_what_looks_like_an_access_token_is_hidden_although_nobody_named_it(token: str) -> None:
    assert Redactor()(f"Bearer {token}, again") == f"Bearer {MASK}, again"


def test_a_token_in_a_query_is_hidden_whatever_it_looks_like() -> None:
    assert Redactor()("see https://x/v1/devices?access_token=short&page=2") == (
        f"see https://x/v1/devices?access_token={MASK}&page=2"
    )


def test_ids_of_devices_and_longer_digests_stay_readable() -> None:
    text = f"device e00fce68aabbccddeeff0022, digest {'ab' * 32}"
    assert Redactor()(text) == text


def test_a_password_from_an_environment_that_is_no_utf_8_is_hidden_too() -> None:
    password = b"p\xe4ssw\xf6rd".decode(errors="surrogateescape")
    redact = Redactor()
    redact.add_secret(password, username=USERNAME)
    assert redact(f"It is {password}.") == f"It is {MASK}."
