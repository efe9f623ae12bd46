# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Tests can start, query and reset the simulator."""

from __future__ import annotations

import pytest
import requests

from support.processes import ProcessFailed
from support.simulator import PASSWORD, PRODUCT_ID, USERNAME, Simulator, running_simulator


def log_in(simulator: Simulator) -> requests.Response:
    """Request a token with the password of the user."""
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    return requests.post(f"{simulator.url}/oauth/token", auth=("particle", "particle"), data=form, timeout=10)


def test_simulator_starts_with_a_product_and_twenty_devices(simulator: Simulator) -> None:
    state = simulator.state()
    assert [product["id"] for product in state["products"]] == [PRODUCT_ID]
    assert len(state["devices"]) == 20
    first = state["devices"][0]
    assert simulator.device(first["id"]) == first


def test_reset_clears_the_statistics(simulator: Simulator) -> None:
    assert log_in(simulator).status_code == 200
    assert simulator.stats()["grants"] == 1
    simulator.reset()
    assert simulator.stats()["grants"] == 0


def test_scheduled_fault_affects_its_route_once(simulator: Simulator) -> None:
    simulator.set_faults([{"route": "POST /oauth/token", "effect": "status", "status": 503}])
    assert [log_in(simulator).status_code for _unused in range(2)] == [503, 200]
    assert [fault["fired"] for fault in simulator.faults()] == [1]


def test_unknown_flag_fails_with_the_message_of_the_simulator() -> None:
    with pytest.raises(ProcessFailed, match="--no-such-flag"), running_simulator("--no-such-flag"):
        pass
