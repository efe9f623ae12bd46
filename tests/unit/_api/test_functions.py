# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The call of a function: what is sent, and which answers leave open whether the function has run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import call_function
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from support.scripted import Effect, ScriptedCloud

DEVICE = "e00fce68aabbccddeeff0022"
OF_PRODUCT = f"/v1/products/31337/devices/{DEVICE}/led"
OF_ACCOUNT = f"/v1/devices/{DEVICE}/led"
CANARY = "argument-canary-4711"


def fail_to_call(http: Http, argument: str | None = None) -> ParticleError:
    """Call the function, and return the error."""
    with pytest.raises(ParticleError) as raised:
        call_function(http, "31337", DEVICE, "led", argument)
    return raised.value


@pytest.mark.parametrize(("product", "path"), [("31337", OF_PRODUCT), (None, OF_ACCOUNT)])
@pytest.mark.parametrize(("argument", "body"), [(None, {}), ("on", {"arg": "on"}), ("", {"arg": ""})])
def test_call_sends_the_argument_and_returns_the_value(
    scripted_cloud: ScriptedCloud, http: Http, product: str | None, path: str, argument: str | None, body: Any
) -> None:
    scripted_cloud.answer("POST", path, json={"id": DEVICE, "connected": True, "return_value": -1})
    assert call_function(http, product, DEVICE, "led", argument) == -1
    assert scripted_cloud.requests[-1].json == body


@pytest.mark.parametrize("value", [None, "1", True])
def test_answer_without_a_number_is_not_a_value(scripted_cloud: ScriptedCloud, http: Http, value: Any) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, json={"id": DEVICE, "return_value": value})
    assert call_function(http, "31337", DEVICE, "led") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"ok": False, "error": "Timed out."}),
        (200, {"ok": False, "error": "Timed out."}),
        (408, {"error": "Timed out."}),
        (500, {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]}),
        (502, {"error": "Bad gateway"}),
        (504, None),
        (200, None),
        (204, None),
        (200, []),
    ],
)
def test_silence_leaves_open_whether_the_function_has_run(
    scripted_cloud: ScriptedCloud, http: Http, status: int, body: Any
) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, status, json=body)
    assert fail_to_call(http).code == "ambiguous_write"
    assert len(scripted_cloud.requests) == 1


@pytest.mark.parametrize("effect", ["reset", "truncate", "hang"])
def test_lost_answer_leaves_open_whether_the_function_has_run(scripted_cloud: ScriptedCloud, effect: Effect) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, json={"return_value": 1}, effect=effect)
    error = fail_to_call(Http(Connection(scripted_cloud.url, timeout=0.5)))
    assert error.code == "ambiguous_write"
    assert len(scripted_cloud.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, {"ok": False, "error": "Function led not found"}, "not_found"),
        (404, {"ok": False, "error": "Device is not connected"}, "device_offline"),
        (404, {"ok": False, "errors": [["Core isn't online", 404]]}, "device_offline"),
        (403, {"error": "Permission Denied", "info": "I didn't recognize that device name or ID"}, "device_not_yours"),
        (400, {"error": "invalid_request", "error_description": "arg is too long"}, "cloud_error"),
    ],
)
@pytest.mark.parametrize("argument", [None, CANARY])
def test_refused_call_has_not_run(
    scripted_cloud: ScriptedCloud, http: Http, argument: str | None, status: int, body: Any, code: str
) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, status, json=body)
    assert fail_to_call(http, argument).code == code
    assert len(scripted_cloud.requests) == 1


def test_call_over_the_rate_limit_is_sent_again(scripted_cloud: ScriptedCloud, http: Http) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, 429, json={"error": "Too many requests"})
    scripted_cloud.answer("POST", OF_PRODUCT, json={"return_value": 1})
    assert call_function(http, "31337", DEVICE, "led") == 1
    assert len(scripted_cloud.requests) == 2


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_argument_that_the_cloud_quotes_is_not_shown(scripted_cloud: ScriptedCloud, http: Http, status: int) -> None:
    scripted_cloud.answer("POST", OF_PRODUCT, status, json={"ok": False, "error": f"Function led({CANARY}) failed"})
    error = fail_to_call(http, CANARY)
    assert CANARY not in f"{error.message}{error.hint}{error.words}"
