# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The virtual devices: what they report about the mesh that a ledger declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_client import FREE, OFFLINE, Cloud, User

LEDGERS = "/v1/ledgers"
STATUS = f"{LEDGERS}/mesh-status/instances"
GATEWAY, SECOND_GATEWAY, NODE = FREE[:3]


@pytest.fixture
def mesh(demo: User) -> User:
    """Return a user with both mesh ledgers and a few devices in the product, one of them offline."""
    demo.bring_in(*FREE[:4], OFFLINE)
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        definition = {"name": name, "scope": "Device", "direction": direction}
        assert demo.post(LEDGERS, {"ledger": definition}).status_code == 201
    return demo


def join(user: User, device: str, role: str, gateways: list[str], network: str = "barn") -> None:
    data = {"network": network, "role": role, "gateways": gateways, "parameters": {"channel": 15}}
    answer = user.put(f"{LEDGERS}/mesh/instances/{device}", {"instance": {"data": data}})
    assert answer.status_code == 201, answer.text


def report(user: User, device: str) -> dict[str, Any]:
    return dict(user.get(f"{STATUS}/{device}")["instance"]["data"])


def test_given_no_declared_mesh_then_nobody_reports(mesh: User) -> None:
    assert mesh.get(STATUS)["instances"] == []


def test_given_an_online_gateway_then_it_has_joined_at_once(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    expected = {"network": "barn", "role": "gateway", "state": "joined", "parent": None, "rssi": None}
    assert report(mesh, GATEWAY) == expected


def test_given_a_joined_gateway_then_its_node_joins_through_it(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    join(mesh, NODE, "node", [GATEWAY])
    body = report(mesh, NODE)
    assert (body["state"], body["parent"]) == ("joined", GATEWAY)
    assert -90 <= body["rssi"] <= -40


@pytest.mark.parametrize(
    ("gateway", "network"),
    [(GATEWAY, "shed"), (OFFLINE, "barn")],
    ids=["gateway of another network", "offline gateway"],
)
def test_given_no_gateway_to_join_then_the_node_is_joining(mesh: User, gateway: str, network: str) -> None:
    join(mesh, gateway, "gateway", [gateway], network)
    join(mesh, NODE, "node", [gateway])
    body = report(mesh, NODE)
    assert (body["state"], body["parent"], body["rssi"]) == ("joining", None, None)


def test_given_a_gateway_without_its_own_instance_then_its_node_is_joining(mesh: User) -> None:
    join(mesh, NODE, "node", [GATEWAY])
    assert report(mesh, NODE)["state"] == "joining"
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    assert report(mesh, NODE)["state"] == "joined"


def test_given_one_of_two_gateways_is_up_then_the_node_joins_through_that_one(mesh: User) -> None:
    join(mesh, SECOND_GATEWAY, "gateway", [])
    join(mesh, NODE, "node", [OFFLINE, SECOND_GATEWAY])
    assert report(mesh, NODE)["parent"] == SECOND_GATEWAY


def test_given_an_offline_device_then_it_reports_nothing(mesh: User) -> None:
    join(mesh, OFFLINE, "gateway", [])
    assert mesh.call("GET", f"{STATUS}/{OFFLINE}").status_code == 404


def test_given_a_removed_instance_then_the_report_disappears(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [])
    assert mesh.get(STATUS)["meta"]["total"] == 1
    mesh.call("DELETE", f"{LEDGERS}/mesh/instances/{GATEWAY}")
    assert mesh.call("GET", f"{STATUS}/{GATEWAY}").status_code == 404
    assert mesh.get(STATUS)["instances"] == []


def test_given_a_device_that_left_the_product_then_it_reports_nothing(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [])
    mesh.call("DELETE", f"/v1/products/31337/devices/{GATEWAY}")
    assert mesh.call("GET", f"{STATUS}/{GATEWAY}").status_code == 404


def test_given_many_members_then_their_reports_are_paged(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [])
    for device in FREE[1:4]:
        join(mesh, device, "node", [GATEWAY])
    pages = [mesh.get(STATUS, page=page, per_page=3) for page in (1, 2)]
    assert [len(page["instances"]) for page in pages] == [3, 1]
    assert pages[0]["meta"] == {"page": 1, "per_page": 3, "total_pages": 2, "total": 4}
    assert {row["data"]["state"] for page in pages for row in page["instances"]} == {"joined"}


def test_given_a_status_ledger_that_firmware_cannot_write_then_nobody_reports(demo: User) -> None:
    demo.bring_in(GATEWAY)
    for name in ("mesh", "mesh-status"):
        demo.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": "Downstream"}})
    join(demo, GATEWAY, "gateway", [])
    assert demo.get(STATUS)["instances"] == []


@pytest.mark.parametrize("data", [{}, {"network": 5, "role": "node"}, {"network": "barn", "role": "king"}])
def test_given_data_that_firmware_cannot_use_then_the_device_reports_nothing(mesh: User, data: dict[str, Any]) -> None:
    mesh.put(f"{LEDGERS}/mesh/instances/{GATEWAY}", {"instance": {"data": data}})
    assert mesh.get(STATUS)["instances"] == []


def test_given_reports_then_the_state_of_the_simulator_shows_them(cloud: Cloud, mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [])
    ledgers = {ledger["name"]: ledger["instances"] for ledger in cloud.state()["ledgers"]}
    assert ledgers["mesh-status"][0]["data"]["state"] == "joined"


# ---------------------------------------------------------------------- time and power


def test_given_a_gateway_that_dies_then_its_nodes_are_lost_and_it_says_nothing(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    join(mesh, NODE, "node", [GATEWAY])
    mesh.cloud.change_device(GATEWAY, powered=False)
    body = report(mesh, NODE)
    assert (body["state"], body["parent"], body["rssi"]) == ("lost", None, None)
    assert mesh.call("GET", f"{STATUS}/{GATEWAY}").status_code == 404


def test_given_a_gateway_that_comes_back_then_its_nodes_join_again(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    join(mesh, NODE, "node", [GATEWAY])
    mesh.cloud.change_device(GATEWAY, powered=False)
    mesh.cloud.change_device(GATEWAY, powered=True)
    assert report(mesh, NODE)["state"] == "joined"


def test_given_a_second_gateway_then_the_nodes_of_a_dead_one_move_there(mesh: User) -> None:
    for gateway in (GATEWAY, SECOND_GATEWAY):
        join(mesh, gateway, "gateway", [])
    join(mesh, NODE, "node", [GATEWAY, SECOND_GATEWAY])
    first = report(mesh, NODE)["parent"]
    mesh.cloud.change_device(first, powered=False)
    assert (report(mesh, NODE)["state"], {first, report(mesh, NODE)["parent"]}) == ("joined", {GATEWAY, SECOND_GATEWAY})


def test_given_a_node_that_came_after_its_gateway_died_then_it_is_joining_not_lost(mesh: User) -> None:
    join(mesh, GATEWAY, "gateway", [GATEWAY])
    mesh.cloud.change_device(GATEWAY, powered=False)
    mesh.cloud.advance(1)
    join(mesh, NODE, "node", [GATEWAY])
    assert report(mesh, NODE)["state"] == "joining"


def test_given_slow_joiners_then_a_node_takes_minutes_and_a_gateway_none(cloud_with: Callable[..., Cloud]) -> None:
    user = cloud_with("--slow-joiners", "1").user()
    user.bring_in(*FREE[:2])
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        user.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": direction}})
    join(user, FREE[0], "gateway", [])
    join(user, FREE[1], "node", [FREE[0]])
    assert [report(user, device)["state"] for device in FREE[:2]] == ["joined", "joining"]
    user.cloud.advance(301)
    assert report(user, FREE[1])["state"] == "joined"
