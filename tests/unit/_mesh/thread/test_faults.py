# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Lost responses and refusals of a border router lead to a correct network, or to an error in words."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import BorderRouter
from support.thread_networks import ThreadRunner, build_manifest

READS = (
    *("GET /.well-known/thread/br-rest", "GET /node", "GET /node/state", "GET /node/dataset/active"),
    *("GET /node/dataset/pending", "GET /node/commissioner/state", "GET /api/actions", "GET /api/devices"),
)
UNEXPECTED = ("null", "[]", "5", '{"data": [3]}', '{"data": {"attributes": []}, "activeDataset": []}')
SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}


@pytest.mark.parametrize(
    "route", ["PUT /node/dataset/active", "PUT /node/state", "POST /api/actions", "DELETE /api/actions/:id"]
)
def test_write_with_a_lost_response_is_not_repeated_blindly(runner: ThreadRunner, route: str) -> None:
    runner.otbr.set_faults([{"route": route, "effect": "reset_after", "times": 2}])
    data = build_manifest(SIX, urls=runner.otbr.urls[:1], parameters={"channel": 15})
    runner.run(data)
    runner.otbr.clear_faults()
    result = runner.run(data)
    assert {device["mesh"] for device in result["devices"]} == {"joined"}
    assert {node["joins"] for node in runner.otbr.nodes()} == {1}
    assert [entry["route"] for entry in runner.otbr.writes()].count("PUT /node/dataset/active") == 1
    assert runner.count_leftovers() == 0


@pytest.mark.parametrize("probability", [0.05, 0.1])
def test_reads_that_fail_now_and_then_are_repeated(runner: ThreadRunner, probability: float) -> None:
    reads = ("GET /node", "GET /node/state", "GET /api/actions", "GET /api/devices", "GET /node/commissioner/joiner")
    faults: list[dict[str, Any]] = [
        {"route": route, "effect": "reset_before", "probability": probability} for route in reads
    ]
    runner.otbr.set_faults(faults)
    result = runner.run(build_manifest(SIX, urls=runner.otbr.urls))
    assert {device["mesh"] for device in result["devices"]} == {"joined"}


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "forbidden", "the proxy before the border router does not accept the login (HTTP 401)"),
        (502, "unreachable", "the proxy before the border router does not reach it (HTTP 502)"),
        (500, "cloud_error", "the border router refused the request (HTTP 500)"),
    ],
)
def test_refusal_names_the_border_router_and_not_a_cloud(
    runner: ThreadRunner, status: int, code: str, words: str
) -> None:
    runner.otbr.set_faults([{"route": "GET /node", "effect": "status", "status": status, "times": 9}])
    result = runner.run(build_manifest({}, urls=runner.otbr.urls))
    assert (result["failed"], result["error"]["code"]) == (True, code)
    assert words in result["msg"]
    assert f"at border router {runner.otbr.urls[0]}" in result["msg"]
    assert "cloud" not in result["msg"].lower()


def test_incomplete_response_is_not_called_a_refusal(runner: ThreadRunner) -> None:
    runner.otbr.set_faults([{"route": "GET /node", "effect": "truncated", "times": 9}])
    result = runner.run(build_manifest({}, urls=runner.otbr.urls[:1]))
    assert (result["failed"], result["error"]["code"]) == (True, "bad_response")
    assert "the response is not complete JSON (HTTP 200)" in result["msg"]


def test_server_that_is_not_a_border_router_is_named(runner: ThreadRunner) -> None:
    runner.otbr.set_faults([{"route": "GET /node", "effect": "html", "status": 404}])
    result = runner.run(build_manifest({}, urls=runner.otbr.urls))
    assert (result["failed"], result["error"]["code"]) == (True, "not_a_cloud")
    assert "the server is not an OpenThread border router" in result["msg"]


@pytest.mark.parametrize("route", READS)
def test_response_of_an_unexpected_form_is_an_error_in_words(runner: ThreadRunner, route: str) -> None:
    data = build_manifest({}, urls=runner.otbr.urls[:1], parameters={"channel": 15})
    runner.run(data)
    before = runner.otbr.stats()["writes"]
    for body in UNEXPECTED:
        runner.otbr.set_faults([{"route": route, "effect": "status", "status": 200, "body": body}])
        result = runner.run(data)
        runner.otbr.clear_faults()
        if result.get("failed"):
            assert result["error"]["code"] in ("bad_response", "not_a_cloud"), (body, result)
            assert f"border router {runner.otbr.urls[0]}" in result["msg"] or "server at" in result["msg"]
    assert runner.otbr.stats()["writes"] == before


def test_missing_dataset_of_a_running_router_is_not_taken_for_a_fresh_one(runner: ThreadRunner) -> None:
    data = build_manifest({}, urls=runner.otbr.urls[:1])
    runner.run(data)
    (before,) = runner.otbr.state()["networks"]
    runner.otbr.set_faults([{"route": "GET /node/dataset/active", "effect": "status", "status": 204, "times": 99}])
    result = runner.run(data)
    assert (result["failed"], result["error"]["code"]) == (True, "conflict"), result
    assert "shows no dataset, but its state is leader, so nothing was changed" in repr(result)
    assert runner.otbr.state()["networks"] == [before]


def test_binary_dataset_without_all_fields_changes_nothing(runner: ThreadRunner) -> None:
    data = build_manifest({}, urls=runner.otbr.urls[:1], parameters={"channel": 15})
    runner.run(data)
    data["networks"]["barn"]["parameters"] = {"channel": 21}
    with mock.patch.object(BorderRouter, "_send", send_without_fields):
        result = runner.run(data)
    assert (result["failed"], result["error"]["code"]) == (True, "bad_response"), result
    assert "PUT /node/dataset/pending" not in [entry["route"] for entry in runner.otbr.writes()]


def send_without_fields(router: BorderRouter, *arguments: Any, headers: Any, **named: Any) -> Any:
    """Send a request, and answer one for a binary dataset with a channel only."""
    return b"000300000f" if named.get("binary") else SEND(router, *arguments, headers=headers, **named)


SEND = BorderRouter._send


@pytest.mark.parametrize("task", ["updateDeviceCollectionTask", "getNetworkDiagnosticTask"])
def test_lost_response_to_a_question_does_not_end_the_run(runner: ThreadRunner, task: str) -> None:
    left = iter([True])

    def post(router: BorderRouter, kind: str, *arguments: Any) -> Any:
        tasks = POST_TASKS(router, kind, *arguments)
        if kind == task and next(left, False):
            raise ParticleError("ambiguous_write", "The response is lost.")
        return tasks

    with mock.patch.object(BorderRouter, "post_tasks", post):
        result = runner.run(build_manifest(SIX, urls=runner.otbr.urls[:1]))
    assert {device["mesh"] for device in result["devices"]} == {"joined"}, result


POST_TASKS = BorderRouter.post_tasks
