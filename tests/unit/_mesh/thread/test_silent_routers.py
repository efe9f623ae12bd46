# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A run uses the other border routers of a network if one of them does not answer, and never forms a second network."""

from __future__ import annotations

import pytest

from support.thread_networks import ThreadRunner, build_manifest

SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}
LATE = "18b43000000000bb"
LATE_KEY = "1ATEC0MER"


@pytest.fixture
def formed(runner: ThreadRunner) -> ThreadRunner:
    """Return a runner whose first border router is down. The network has two border routers and six members."""
    urls = runner.otbr.urls
    result = runner.run(build_manifest(SIX, urls=urls))
    assert not result.get("failed"), result
    runner.otbr.change_router("router1", running=False)
    runner.shown.clear()
    return runner


def test_second_border_router_is_used_with_a_warning(formed: ThreadRunner) -> None:
    before = formed.otbr.stats()["writes"]
    result = formed.run(build_manifest(SIX, urls=formed.otbr.urls))
    assert (result.get("failed"), result["changed"], result["summary"]["ok"]) == (None, False, 6), result
    assert [text for text in formed.shown if f"border router {formed.otbr.urls[0]} does not answer" in text]
    assert formed.otbr.stats()["writes"] == before


def test_board_joins_through_the_second_border_router(formed: ThreadRunner) -> None:
    formed.otbr.add_nodes([{"eui64": LATE, "pskd": LATE_KEY}])
    result = formed.run(build_manifest({**SIX, LATE: LATE_KEY}, urls=formed.otbr.urls))
    assert {device["mesh"] for device in result["devices"]} == {"joined"}, result
    assert formed.list_states()[LATE] == "in"


def test_change_that_a_silent_border_router_would_miss_is_refused(formed: ThreadRunner) -> None:
    before = formed.otbr.stats()["writes"]
    result = formed.run(build_manifest(SIX, urls=formed.otbr.urls, parameters={"channel": 20}))
    assert result["error"]["code"] == "conflict"
    assert "does not answer and would miss the change of channel" in result["msg"]
    assert formed.otbr.stats()["writes"] == before


def test_second_network_is_not_formed_beside_a_silent_border_router(runner: ThreadRunner) -> None:
    first, second = runner.otbr.urls
    runner.run(build_manifest(SIX, urls=[first]))
    runner.otbr.change_router("router1", running=False)
    result = runner.run(build_manifest(SIX, urls=[first, second]))
    assert result["error"]["code"] == "unreachable"
    assert f"at border router {first}" in result["msg"]
    assert runner.otbr.routers()[1]["dataset"] is None


def test_network_is_unreachable_if_no_border_router_answers(formed: ThreadRunner) -> None:
    urls = formed.otbr.urls
    formed.otbr.change_router("router2", running=False)
    result = formed.run(build_manifest(SIX, urls=urls))
    assert (result["failed"], result["error"]["code"]) == (True, "unreachable")
