# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that replacements of random fleets reach the declared state from every moment at which a run can end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import Killed, MortalHttp, device_id, log_in, run
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.replaced_fleet import OldDevice, ReplacedFleet, check_replaced, check_writes
from support.simulator import Simulator, running_simulator

SIZE = 7
EXAMPLES = count(quick=8, full=400)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NETWORKS = ("barn", "shed")


def build_row(number: int) -> dict[str, Any]:
    return {"id": device_id(number), "serial_number": f"P046AB{number:09}", "online": False}


ROWS = [build_row(number) for number in range(2 * SIZE)]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    file = tmp_path_factory.mktemp("cloud") / "fleet.json"
    file.write_text(json.dumps(ROWS))
    with running_simulator("--fleet", str(file)) as simulator:
        yield simulator


@st.composite
def fleets(draw: st.DrawFn) -> ReplacedFleet:
    """Draw a fleet in which each network has a gateway, and at least one device is replaced."""
    devices = []
    for number in range(draw(st.integers(1, SIZE))):
        record: dict[str, Any] = {}
        if draw(st.booleans()):
            record["name"] = f"unit-{number}"
        if draw(st.booleans()):
            record["notes"] = draw(st.sampled_from(["east", "north wall"]))
        if groups := draw(st.sets(st.sampled_from(["north", "pumps"]))):
            record["groups"] = sorted(groups)
        if draw(st.booleans()):
            record["firmware_lock"] = 7
        if draw(st.integers(0, 3)) == 3:
            record["environment"] = {"SITE": str(number)}
        mesh: dict[str, Any] = {}
        if network := draw(st.sampled_from([None, *NETWORKS])):
            known = any(device.mesh.get("network") == network for device in devices)
            role = draw(st.sampled_from(["gateway", "node"])) if known else "gateway"
            mesh = {"network": network, "role": role}
            if draw(st.integers(0, 3)) == 3:
                mesh["parameters"] = {"power": number}
        devices.append(
            OldDevice(
                record,
                mesh,
                is_replaced=number == 0 or draw(st.booleans()),
                named_by=draw(st.sampled_from(["id", "serial_number", "name"])),
                declares_new_by=draw(st.sampled_from(["id", "serial_number"])),
                declares_mesh=mesh.get("role") == "gateway" or draw(st.booleans()),
                new_name=f"new-{number}" if draw(st.integers(0, 3)) == 3 else "",
            )
        )
    return ReplacedFleet(devices, ROWS[: len(devices)], ROWS[SIZE : SIZE + len(devices)])


ENDS = st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=3)
"""For each interrupted run, the number of its last request, and whether this request reaches the cloud."""


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(fleet=fleets(), ends=ENDS, workers=st.sampled_from([1, 4]))
def test_interrupted_replacements_are_completed(
    cloud: Simulator, fleet: ReplacedFleet, ends: list[tuple[int, bool]], workers: int
) -> None:
    check_interrupted_replacements(cloud, fleet, ends, workers)


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("left", range(1, 13))
def test_interrupted_replacement_under_another_name_is_completed(cloud: Simulator, left: int, is_sent: bool) -> None:
    old = OldDevice({"name": "pump"}, is_replaced=True, named_by="name", new_name="well")
    check_interrupted_replacements(cloud, ReplacedFleet([old], ROWS[:1], ROWS[SIZE : SIZE + 1]), [(left, is_sent)], 1)


def check_interrupted_replacements(
    cloud: Simulator, fleet: ReplacedFleet, ends: list[tuple[int, bool]], workers: int
) -> None:
    """Interrupt runs that replace devices at their requests in `ends`, and check the cloud after one more run."""
    cloud.reset()
    cloud.add_firmware(7)
    connection, clock = Connection(cloud.url, timeout=10), Clock(sleep=lambda seconds: None)
    http = MortalHttp(connection, workers=workers, clock=clock)
    http.use_token(log_in(http))
    run(http, fleet.declare_before())
    before, observer, seen = cloud.state(), fleet.observe(cloud), len(cloud.writes())
    data = fleet.declare_after()
    for left, is_sent in ends:
        http.left, http.is_sent = left, is_sent
        try:
            run(http, data)
        except Killed:
            continue
    http.left = 10**9
    result = run(http, data)
    assert "failed" not in result, result["msg"]
    assert result["summary"]["pending"] == 0
    check_writes(observer, cloud.writes()[seen:])
    check_replaced(before, cloud.state(), fleet)
    read_variables = [device.record.get("environment") for device in fleet.devices if device.is_replaced]
    for device, variables in zip(fleet.pairs.values(), read_variables, strict=True):
        latest = http.send(Request("GET /v1/env/:deviceId", "look", {"deviceId": device})).data["last_snapshot"]
        own = {name: item["value"] for name, item in (latest or {"own": {}})["own"].items()}
        assert own == (variables or {})
    writes = cloud.stats()["writes"]
    assert run(http, data)["changed"] is False
    assert cloud.stats()["writes"] == writes
    http.close()
