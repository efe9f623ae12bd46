# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Devices are moved between two products of the account, even if the run is interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from fleet_cloud import (
    PRODUCT,
    Killed,
    MortalHttp,
    RecordingHttp,
    barn,
    device_id,
    errors,
    log_in,
    run,
    statuses,
    user,
)

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.simulator import PRODUCT_ID, Simulator, running_simulator

OTHER = "pump-watch"
THIRD = "barn-watch"
COUNT = 100
SPARE = f"e00fce68{COUNT - 1:016x}"
LEAVE, IMPORT, LIST = (
    "DELETE /v1/products/:p/devices/:id",
    "POST /v1/products/:p/devices",
    "GET /v1/products/:p/devices",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    file = tmp_path_factory.mktemp("cloud") / "fleet.json"
    file.write_text(json.dumps([{"id": device_id(n), "serial_number": f"P046AB{n:09}"} for n in range(COUNT)]))
    with running_simulator("--fleet", str(file)) as simulator:
        yield simulator


@pytest.fixture
def cloud(server: Simulator) -> Simulator:
    server.reset()
    return server


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as http:
        for name in (OTHER, THIRD):
            product = {"product": {"name": name, "platform_id": 13}}
            http.send(Request("POST /v1/user/products", "set up", json=product))
        http.sent.clear()
        yield http


def fill(http: RecordingHttp, count: int, **more: Any) -> list[str]:
    """Import devices into the other product, and return their ids."""
    ids = [device_id(number) for number in range(count)]
    devices = [{"id": device, "name": f"pump-{n}", "notes": "east", **more} for n, device in enumerate(ids)]
    run(http, {"product": OTHER, "devices": devices})
    http.sent.clear()
    return ids


def move(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": [{"from_product": OTHER, **device} for device in devices], **more}


def list_members(cloud: Simulator) -> set[str]:
    return {str(row["id"]) for row in cloud.state()["devices"] if row["product"] == PRODUCT_ID}


def count_requests(http: RecordingHttp, route: str) -> int:
    return sum(request.route == route for request in http.sent)


def test_moved_device_keeps_name_notes_and_known_groups(cloud: Simulator, http: RecordingHttp) -> None:
    run(http, {"product": PRODUCT, "devices": [{"id": device_id(99), "groups": ["north"]}]})
    one, two = fill(http, 2, groups=["north", "pumps"])
    data = move({"id": one}, {"serial_number": "P046AB000000001", "name": "well", "groups": ["wells"]})
    predicted = run(http, data, check_mode=True)
    assert http.writes == []
    result = run(http, data)
    assert result["devices"] == predicted["devices"]
    assert result["changed"]
    assert predicted["changed"]
    changes = [device["changes"] for device in result["devices"]]
    assert changes[0] == {
        "product": {"before": OTHER, "after": PRODUCT},
        "groups": {"before": ["north", "pumps"], "after": ["north"]},
    }
    assert changes[1]["name"] == {"before": "pump-1", "after": "well"}
    shown = [cloud.device(device) for device in (one, two)]
    assert [(row["name"], row["notes"], row["groups"]) for row in shown] == [
        ("pump-0", "east", ["north"]),
        ("well", "east", ["wells"]),
    ]
    assert {one, two} <= list_members(cloud)
    http.sent.clear()
    assert run(http, data)["changed"] is False
    assert http.writes == []


def test_whole_product_is_moved_with_one_list_and_one_import(cloud: Simulator, http: RecordingHttp) -> None:
    ids = fill(http, COUNT)
    result = run(http, move(*({"id": device} for device in ids)), verify="none")
    assert result["summary"]["changed"] == COUNT
    assert list_members(cloud) == set(ids)
    assert (count_requests(http, LEAVE), count_requests(http, IMPORT)) == (COUNT, 1)
    assert count_requests(http, LIST) <= 2
    assert len(http.sent) <= 2 * COUNT + 10


@pytest.mark.parametrize("left", [0, 1, 57, COUNT])
def test_interrupted_move_is_completed_by_the_next_run(cloud: Simulator, http: RecordingHttp, left: int) -> None:
    ids = fill(http, COUNT)
    other = http.send(Request("GET /v1/products/:p", "look", {"p": OTHER})).data["product"]["id"]
    for device in ids[:left]:
        http.send(Request(LEAVE, "interrupt", {"p": str(other), "id": device}))
    data = move(*({"id": device} for device in ids))
    assert run(http, data)["summary"]["changed"] == COUNT
    assert list_members(cloud) == set(ids)
    assert [cloud.device(device)["name"] for device in ids] == [f"pump-{n}" for n in range(COUNT)]
    http.sent.clear()
    assert run(http, data)["changed"] is False
    assert (http.writes, count_requests(http, "GET /v1/products/:p")) == ([], 1)


@pytest.mark.parametrize("kill", range(count(quick=2, full=40)))
def test_killed_move_keeps_names_notes_and_known_groups(cloud: Simulator, kill: int) -> None:
    random = Random(f"kill {kill}")
    with user(cloud) as http:
        http.send(Request("POST /v1/user/products", "set up", json={"product": {"name": OTHER, "platform_id": 13}}))
        run(http, {"product": PRODUCT, "devices": [{"id": SPARE, "groups": ["north", "south"]}]})
        ids = fill(http, COUNT - 1, groups=["north", "pumps"])
    data = move(*({"id": device} for device in ids))
    http = MortalHttp(Connection(cloud.url, timeout=10), workers=4, clock=Clock(sleep=lambda seconds: None))
    http.use_token(log_in(http))
    # A run without a kill marks 99 devices, takes them out, imports them, and names them.
    for _run in range(random.randint(1, 3)):
        http.left, http.is_sent = random.randint(1, 320), random.choice([False, True])
        with suppress(Killed):
            run(http, data)
    http.left = 10**9
    assert run(http, data)["summary"]["failed"] == 0
    assert list_members(cloud) == {*ids, SPARE}
    shown = [cloud.device(device) for device in ids]
    assert [(row["name"], row["notes"]) for row in shown] == [(f"pump-{n}", "east") for n in range(COUNT - 1)]
    assert {tuple(row["groups"]) for row in shown} == {("north",)}
    assert run(http, data)["changed"] is False
    http.close()


@pytest.mark.parametrize("notes", [None, "east"])
def test_mark_in_the_notes_is_removed_with_declared_groups(
    cloud: Simulator, http: RecordingHttp, notes: str | None
) -> None:
    run(http, {"product": PRODUCT, "devices": [{"id": SPARE, "groups": ["north", "south"]}]})
    device = device_id(0)
    record = {"id": device, "groups": ["north"], **({"notes": notes} if notes else {})}
    run(http, {"product": OTHER, "devices": [record]})
    cloud.set_faults([{"route": LEAVE, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 9}])
    assert set(statuses(run(http, move({"id": device}))).values()) == {"failed"}
    cloud.clear_faults()
    assert "with groups north" in cloud.device(device)["notes"]
    assert run(http, move({"id": device, "groups": ["south"]}))["summary"]["changed"] == 1
    assert (cloud.device(device)["notes"] or None, cloud.device(device)["groups"]) == (notes, ["south"])


@pytest.mark.parametrize("route", [LEAVE, IMPORT])
def test_lost_answer_of_a_move_is_settled(cloud: Simulator, http: RecordingHttp, route: str) -> None:
    ids = fill(http, 3)
    cloud.set_faults([{"route": route, "effect": "reset_after", "times": 1}])
    result = run(http, move(*({"id": device} for device in ids)))
    assert set(statuses(result).values()) == {"changed"}
    assert list_members(cloud) == set(ids)
    assert [cloud.device(device)["name"] for device in ids] == ["pump-0", "pump-1", "pump-2"]


def test_device_that_is_in_no_product_is_imported(cloud: Simulator, http: RecordingHttp) -> None:
    assert run(http, move({"id": device_id(7)}))["summary"]["changed"] == 1
    assert list_members(cloud) == {device_id(7)}
    assert count_requests(http, LEAVE) == 0


def test_device_in_a_third_product_is_refused(cloud: Simulator, http: RecordingHttp) -> None:
    device = device_id(5)
    run(http, {"product": THIRD, "devices": [{"id": device}]})
    http.sent.clear()
    predicted = run(http, move({"id": device}), check_mode=True)
    assert f"it is in product {THIRD}" in predicted["devices"][0]["error"]["message"]
    assert errors(run(http, move({"id": device}))) == {device: "device_not_yours"}
    assert LEAVE not in http.writes


@pytest.mark.parametrize(("name", "code"), [("pump-wach", "not_found"), (PRODUCT, "invalid_manifest")])
def test_wrong_product_is_refused_before_the_first_write(http: RecordingHttp, name: str, code: str) -> None:
    with pytest.raises(ParticleError, match=name) as caught:
        run(http, move({"id": device_id(5), "from_product": name}))
    assert caught.value.code == code
    assert http.writes == []


def test_removed_devices_are_not_moved(cloud: Simulator, http: RecordingHttp) -> None:
    (device,) = fill(http, 1)
    assert run(http, move({"id": device}), absent=True)["changed"] is False
    assert run(http, move({"id": device, "state": "absent"}))["changed"] is False
    assert http.writes == []


def test_member_of_a_network_is_moved_only_with_a_declared_mesh(cloud: Simulator, http: RecordingHttp) -> None:
    ids = [device_id(number) for number in range(2)]
    run(http, {**barn(ids), "product": OTHER})
    assert errors(run(http, move({"id": ids[1]}))) == {ids[1]: "conflict"}
    leaving = move({"id": ids[1], "mesh": {"state": "absent"}})
    assert run(http, leaving)["summary"]["pending"] == 1  # until it has reported that it has left its network
    assert run(http, leaving)["summary"]["changed"] == 1
    rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
    assert [row["scope"]["value"] for row in rows] == ids[:1]
