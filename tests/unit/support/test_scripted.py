# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The scripted cloud gives its answers in order and records the requests."""

from __future__ import annotations

import pytest
import requests

from support.scripted import ScriptedCloud, scripted_cloud


def test_answers_are_given_in_order_and_the_last_one_repeats(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/devices", 503, body="<html>busy</html>")
    scripted_cloud.answer("GET", "/v1/devices", json=[], headers={"X-Extra": "yes"}, repeat=True)

    busy, *fine = [requests.get(f"{scripted_cloud.url}/v1/devices", timeout=5) for _unused in range(3)]

    assert (busy.status_code, busy.text) == (503, "<html>busy</html>")
    assert busy.headers["Content-Type"].startswith("text/html")
    assert [(answer.status_code, answer.json(), answer.headers["X-Extra"]) for answer in fine] == [
        (200, [], "yes"),
        (200, [], "yes"),
    ]


def test_requests_are_recorded_in_order(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={}).answer("PUT", "/v1/devices/1", status=204)

    requests.post(f"{scripted_cloud.url}/oauth/token", params={"a": "b"}, data={"otp": ""}, timeout=5)
    requests.put(f"{scripted_cloud.url}/v1/devices/1", json={"name": "x"}, timeout=5)

    login, rename = scripted_cloud.requests
    assert (login.method, login.path, login.query, login.form) == (
        "POST",
        "/oauth/token",
        {"a": "b"},
        {"otp": ""},
    )
    assert login.headers["content-type"] == "application/x-www-form-urlencoded"
    assert rename.json == {"name": "x"}
    assert scripted_cloud.seen("PUT", "/v1/devices/1") == [rename]


def test_chunked_body_is_read_completely(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/upload")
    requests.post(f"{scripted_cloud.url}/upload", data=iter([b"one ", b"two"]), timeout=5)
    assert scripted_cloud.requests[0].body == b"one two"


def test_session_reuses_its_connection(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/user", json={}, repeat=True)
    with requests.Session() as session:
        for _unused in range(3):
            session.get(f"{scripted_cloud.url}/v1/user", timeout=5)
    assert scripted_cloud.connections == 1


def test_reset_closes_the_connection_without_an_answer(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/user", effect="reset")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{scripted_cloud.url}/v1/user", timeout=5)
    assert len(scripted_cloud.requests) == 1


def test_hanging_answer_times_out(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/user", effect="hang")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{scripted_cloud.url}/v1/user", timeout=0.2)


def test_truncated_answer_ends_in_the_middle_of_its_body(scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", "/v1/user", json={"username": "a"}, effect="truncate")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{scripted_cloud.url}/v1/user", timeout=5)


def test_request_without_a_scripted_answer_fails_the_test() -> None:
    with (
        pytest.raises(AssertionError, match="no scripted answer to GET /v1/nothing"),
        scripted_cloud() as cloud,
    ):
        assert requests.get(f"{cloud.url}/v1/nothing", timeout=5).status_code == 501
