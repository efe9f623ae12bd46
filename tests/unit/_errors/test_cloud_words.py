# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The sentence with which the cloud refuses a request is passed on, whatever else the collection concludes from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product, get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import list_account_tokens, request_grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE, build_refusal
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.backend import observe_networks
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.backend import list_registered_networks
from support.scripted import ScriptedCloud

WORDS = "The moon is in the wrong house for s3cret-value"
SHOWN = f"The moon is in the wrong house for {MASK}"
STATUSES = [300, 302, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 422, 423, 429, 451]
STATUSES += [500, 501, 502, 503, 504, 529, 599]
BODIES: dict[str, Any] = {
    "E1": {"error": "invalid_grant", "error_description": WORDS},
    "E1 invalid_token": {"error": "invalid_token", "error_description": WORDS},
    "E1 expired_token": {"error": "expired_token", "error_description": WORDS},
    "E1 invalid_client": {"error": "invalid_client", "error_description": WORDS},
    "E1 unauthorized": {"error": "unauthorized", "error_description": WORDS},
    "E1 sso_user": {"error": "sso_user", "error_description": WORDS},
    "E2": {"error": "mfa_required", "error_description": WORDS, "mfa_token": "x"},
    "E3": {"error": "Permission Denied", "info": WORDS},
    "E4": {"ok": False, "error": WORDS},
    "E5": {"error": WORDS},
    "E6": {"ok": False, "errors": [WORDS]},
    "E7": {"ok": False, "errors": [[WORDS, 404]]},
    "E8": {"ok": False, "code": 500, "errors": [{"error": WORDS}]},
    "E8 text": {"ok": False, "code": 500, "errors": [WORDS]},
    "E8 status": {"errors": [{"error": {"status": WORDS}}]},
    "E9": {"errors": [WORDS]},
    "E9 several": {"errors": ["No.", "Not at all.", WORDS]},
    "E10": {"error": "bad_request", "description": WORDS},
    "E11": {"message": "Invalid", "description": WORDS, "violations": []},
    "E11 violations": {"message": "Invalid", "description": "Schema", "violations": [WORDS]},
    "E13": {"ok": False, "output": "x", "stdout": "y", "errors": [WORDS]},
    "E14 text": WORDS,
    "word and message": {"error": "bad_request", "message": WORDS},
    "message beside a sentence": {"error": "Refused.", "message": WORDS},
    "info beside errors": {"errors": ["Refused."], "info": WORDS},
}


@pytest.mark.parametrize("route", ["GET /v1/devices/:id", "PUT /v1/devices/:id", TOKEN_ROUTE])
@pytest.mark.parametrize("shape", BODIES)
def test_sentence_in_every_shape_of_body_is_passed_on(shape: str, route: str) -> None:
    body = BODIES[shape]
    redact = Redactor()
    redact.add_secret("s3cret-value")
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    for status in STATUSES:
        error = build_refusal(status, content, route=route, action="test", redact=redact)
        assert SHOWN in error.message, (status, error.message)
        assert SHOWN in error.words


def log_in(login: Any) -> Callable[[Http], object]:
    return lambda http: login.obtain_grant(http, {}, {})


def observe_ledgers(http: Http) -> object:
    target = Target(http, Product("7", "field-logger", 13, None), lambda sentence: None)
    return observe_networks(target, {}, {})


CLIENT = Client("our-client", "our-secret")
CONCLUSIONS: dict[str, tuple[int, str, str, Callable[[Http], object], str]] = {
    "product": (403, "GET", "/v1/products/7", lambda http: get_product(http, "7"), "not_found"),
    "product 404": (404, "GET", "/v1/products/7", lambda http: get_product(http, "7"), "not_found"),
    "list of tokens": (
        *(401, "GET", "/v1/access_tokens"),
        *(lambda http: list_account_tokens(http, "a@b.c", "pw"), "listing_refused"),
    ),
    "retired list of tokens": (
        *(410, "GET", "/v1/access_tokens"),
        *(lambda http: list_account_tokens(http, "a@b.c", "pw"), "listing_retired"),
    ),
    "registry": (410, "GET", "/v1/networks", list_registered_networks, "unsupported"),
    "ledgers": (404, "GET", "/v1/ledgers", observe_ledgers, "unsupported"),
    "client": (400, "POST", "/oauth/token", log_in(ClientCredentials(CLIENT)), "unknown_client"),
    "refresh token": (400, "POST", "/oauth/token", log_in(RefreshToken("old", CLIENT)), "invalid_credentials"),
    "public client": (
        *(400, "POST", "/oauth/token"),
        *(lambda http: request_grant(http, {}, ("particle", "wrong"), "log in"), "invalid_client_secret"),
    ),
}


@pytest.mark.parametrize("name", CONCLUSIONS)
def test_sentence_is_passed_on_beside_a_conclusion(http: Http, scripted_cloud: ScriptedCloud, name: str) -> None:
    status, method, path, call, code = CONCLUSIONS[name]
    word = "invalid_client" if name == "public client" else "invalid_grant" if "oauth" in path else "refused"
    scripted_cloud.answer(method, path, status, json={"error": word, "error_description": WORDS})
    if code == "not_found":
        scripted_cloud.answer("GET", "/v1/user/products", json=[])
    http.redact.add_secret("s3cret-value")
    with pytest.raises(ParticleError) as caught:
        call(http)
    assert caught.value.code == code
    assert f"(HTTP {status}: {SHOWN})" in caught.value.message


def test_sentence_about_a_one_time_code_is_passed_on(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 403, json={"error": "mfa_required", "mfa_token": "mfa-token-1"})
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant", "error_description": WORDS})
    http.redact.add_secret("s3cret-value")
    with pytest.raises(ParticleError) as caught:
        log_in(PasswordLogin("a@b.c", "pw", CLIENT, otp="123456"))(http)
    assert caught.value.code == "otp_refused"
    assert SHOWN in caught.value.message


@pytest.mark.parametrize("wait", ["9999", None])
def test_sentence_of_a_rate_limit_is_passed_on(http: Http, scripted_cloud: ScriptedCloud, wait: str | None) -> None:
    headers = {} if wait is None else {"Retry-After": wait}
    scripted_cloud.answer("GET", "/v1/products/7", 429, json={"error": WORDS}, headers=headers, repeat=True)
    http.redact.add_secret("s3cret-value")
    with pytest.raises(ParticleError, match="HTTP 429: The moon") as caught:
        get_product(http, "7")
    assert caught.value.code == "rate_limited"
