# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The outcome of a device that leaves the product names its SIM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, run, user

from support.simulator import Simulator, running_simulator

DEVICES = 5


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(DEVICES)) as simulator:
        yield simulator


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as http:
        yield http


def test_removed_devices_name_their_sims_without_more_requests(cloud: Simulator, http: RecordingHttp) -> None:
    sims = {device["id"]: device["iccid"] for device in cloud.state()["devices"]}
    data = {"product": PRODUCT, "devices": [{"id": device} for device in sims]}
    imported = run(http, data)
    assert not any("sim" in row for row in imported["devices"])
    assert "SIM" not in imported["msg"]
    predicted = run(http, data, absent=True, confirm=True, check_mode=True)
    http.sent.clear()
    removed = run(http, data, absent=True, confirm=True)
    for result in (predicted, removed):
        assert {row["id"]: row["sim"] for row in result["devices"]} == sims
        first, second, third, *_unused = sims.values()
        sentence = f"SIMs of removed devices, which are not released: {first}, {second}, {third} and 2 more."
        assert result["msg"].endswith(sentence)
    assert not any("sims" in request.route for request in http.sent)
    again = run(http, data, absent=True, confirm=True)
    assert not any("sim" in row for row in again["devices"])
