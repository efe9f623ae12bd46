# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Lost responses and refusals of a border router lead to a correct network, or to an error in words."""

from __future__ import annotations

from typing import Any

import pytest

from support.thread_networks import ThreadRunner, build_manifest

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
        (502, "cloud_error", "the border router refused the request (HTTP 502)"),
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


def test_server_that_is_not_a_border_router_is_named(runner: ThreadRunner) -> None:
    runner.otbr.set_faults([{"route": "GET /node", "effect": "html", "status": 404}])
    result = runner.run(build_manifest({}, urls=runner.otbr.urls))
    assert (result["failed"], result["error"]["code"]) == (True, "not_a_cloud")
    assert "the server is not an OpenThread border router" in result["msg"]
