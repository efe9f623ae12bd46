# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the reports of simulated devices about the mesh that a ledger declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_client import FREE, OFFLINE, Cloud, User

LEDGERS = "/v1/ledgers"
STATUS = f"{LEDGERS}/mesh-status/instances"
GATEWAY, SECOND_GATEWAY, NODE = FREE[:3]


@pytest.fixture
def ledger_owner(demo: User) -> User:
    """Return the owner of both mesh ledgers and of a product with a few devices, one of them offline."""
    demo.bring_in(*FREE[:4], OFFLINE)
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        definition = {"name": name, "scope": "Device", "direction": direction}
        assert demo.post(LEDGERS, {"ledger": definition}).status_code == 201
    return demo


def declare_membership(user: User, device: str, role: str, gateways: list[str], network: str = "barn") -> None:
    """Write the membership of a device to its instance of the mesh ledger."""
    data = {"network": network, "role": role, "gateways": gateways, "parameters": {"channel": 15}}
    answer = user.put(f"{LEDGERS}/mesh/instances/{device}", {"instance": {"data": data}})
    assert answer.status_code == 201, answer.text


def read_report(user: User, device: str) -> dict[str, Any]:
    """Return the report of a device in the status ledger."""
    return dict(user.get(f"{STATUS}/{device}")["instance"]["data"])


def test_devices_report_nothing_without_a_declared_mesh(ledger_owner: User) -> None:
    assert ledger_owner.get(STATUS)["instances"] == []


def test_online_gateway_joins_at_once(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    expected = {"contract": 1, "network": "barn", "role": "gateway", "state": "joined", "parent": None, "rssi": None}
    assert read_report(ledger_owner, GATEWAY) == expected


def test_node_joins_through_a_joined_gateway(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    declare_membership(ledger_owner, NODE, "node", [GATEWAY])
    body = read_report(ledger_owner, NODE)
    assert (body["state"], body["parent"]) == ("joined", GATEWAY)
    assert -90 <= body["rssi"] <= -40


@pytest.mark.parametrize(
    ("gateway", "network"),
    [(GATEWAY, "shed"), (OFFLINE, "barn")],
    ids=["gateway of another network", "offline gateway"],
)
def test_node_is_joining_while_no_gateway_is_available(ledger_owner: User, gateway: str, network: str) -> None:
    declare_membership(ledger_owner, gateway, "gateway", [gateway], network)
    declare_membership(ledger_owner, NODE, "node", [gateway])
    body = read_report(ledger_owner, NODE)
    assert (body["state"], body["parent"], body["rssi"]) == ("joining", None, None)


def test_node_is_joining_until_its_gateway_is_declared(ledger_owner: User) -> None:
    declare_membership(ledger_owner, NODE, "node", [GATEWAY])
    assert read_report(ledger_owner, NODE)["state"] == "joining"
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    assert read_report(ledger_owner, NODE)["state"] == "joined"


def test_node_joins_through_the_gateway_that_is_online(ledger_owner: User) -> None:
    declare_membership(ledger_owner, SECOND_GATEWAY, "gateway", [])
    declare_membership(ledger_owner, NODE, "node", [OFFLINE, SECOND_GATEWAY])
    assert read_report(ledger_owner, NODE)["parent"] == SECOND_GATEWAY


def test_offline_device_reports_nothing(ledger_owner: User) -> None:
    declare_membership(ledger_owner, OFFLINE, "gateway", [])
    assert ledger_owner.call("GET", f"{STATUS}/{OFFLINE}").status_code == 404


def test_device_that_is_ordered_to_leave_reports_that_it_has_left(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    order = {"instance": {"data": {"contract": 1, "network": None}}}
    ledger_owner.put(f"{LEDGERS}/mesh/instances/{GATEWAY}", order)
    expected = {"contract": 1, "network": None, "role": None, "state": "left", "parent": None, "rssi": None}
    assert read_report(ledger_owner, GATEWAY) == expected


def test_last_report_stays_when_the_instance_is_deleted(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    assert ledger_owner.get(STATUS)["meta"]["total"] == 1
    ledger_owner.call("DELETE", f"{LEDGERS}/mesh/instances/{GATEWAY}")
    assert read_report(ledger_owner, GATEWAY)["state"] == "joined"
    assert ledger_owner.get(STATUS)["meta"]["total"] == 1


def test_old_firmware_leaves_when_its_instance_is_deleted(cloud: Cloud, ledger_owner: User) -> None:
    # Given a device whose firmware follows the contract as it was before version 1
    cloud.change_device(GATEWAY, mesh_firmware="simulated_old")
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    assert "contract" not in read_report(ledger_owner, GATEWAY)

    # When its instance is deleted
    ledger_owner.call("DELETE", f"{LEDGERS}/mesh/instances/{GATEWAY}")

    # Then it reports nothing
    assert ledger_owner.get(STATUS)["instances"] == []


def test_device_removed_from_the_product_reports_nothing(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    ledger_owner.call("DELETE", f"/v1/products/31337/devices/{GATEWAY}")
    assert ledger_owner.call("GET", f"{STATUS}/{GATEWAY}").status_code == 404


def test_reports_are_paged(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    for device in FREE[1:4]:
        declare_membership(ledger_owner, device, "node", [GATEWAY])
    pages = [ledger_owner.get(STATUS, page=page, per_page=3) for page in (1, 2)]
    assert [len(page["instances"]) for page in pages] == [3, 1]
    assert pages[0]["meta"] == {"page": 1, "per_page": 3, "total_pages": 2, "total": 4}
    assert {row["data"]["state"] for page in pages for row in page["instances"]} == {"joined"}


def test_devices_report_nothing_to_a_downstream_status_ledger(demo: User) -> None:
    demo.bring_in(GATEWAY)
    for name in ("mesh", "mesh-status"):
        demo.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": "Downstream"}})
    declare_membership(demo, GATEWAY, "gateway", [])
    assert demo.get(STATUS)["instances"] == []


@pytest.mark.parametrize("data", [{}, {"network": 5, "role": "node"}, {"network": "barn", "role": "king"}])
def test_device_with_unusable_mesh_data_reports_nothing(ledger_owner: User, data: dict[str, Any]) -> None:
    ledger_owner.put(f"{LEDGERS}/mesh/instances/{GATEWAY}", {"instance": {"data": data}})
    assert ledger_owner.get(STATUS)["instances"] == []


def test_simulator_state_shows_reports(cloud: Cloud, ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [])
    ledgers = {ledger["name"]: ledger["instances"] for ledger in cloud.state()["ledgers"]}
    assert ledgers["mesh-status"][0]["data"]["state"] == "joined"


# ---------------------------------------------------------------------- time and power


def test_node_is_lost_when_its_gateway_loses_power(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    declare_membership(ledger_owner, NODE, "node", [GATEWAY])
    ledger_owner.cloud.change_device(GATEWAY, powered=False)
    body = read_report(ledger_owner, NODE)
    assert (body["state"], body["parent"], body["rssi"]) == ("lost", None, None)
    assert ledger_owner.call("GET", f"{STATUS}/{GATEWAY}").status_code == 404


def test_node_joins_again_when_its_gateway_regains_power(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    declare_membership(ledger_owner, NODE, "node", [GATEWAY])
    ledger_owner.cloud.change_device(GATEWAY, powered=False)
    ledger_owner.cloud.change_device(GATEWAY, powered=True)
    assert read_report(ledger_owner, NODE)["state"] == "joined"


def test_node_moves_to_a_second_gateway_when_the_first_loses_power(ledger_owner: User) -> None:
    for gateway in (GATEWAY, SECOND_GATEWAY):
        declare_membership(ledger_owner, gateway, "gateway", [])
    declare_membership(ledger_owner, NODE, "node", [GATEWAY, SECOND_GATEWAY])
    first = read_report(ledger_owner, NODE)["parent"]
    ledger_owner.cloud.change_device(first, powered=False)
    assert (read_report(ledger_owner, NODE)["state"], {first, read_report(ledger_owner, NODE)["parent"]}) == (
        "joined",
        {GATEWAY, SECOND_GATEWAY},
    )


def test_node_declared_after_a_gateway_failure_is_joining_and_not_lost(ledger_owner: User) -> None:
    declare_membership(ledger_owner, GATEWAY, "gateway", [GATEWAY])
    ledger_owner.cloud.change_device(GATEWAY, powered=False)
    ledger_owner.cloud.advance(1)
    declare_membership(ledger_owner, NODE, "node", [GATEWAY])
    assert read_report(ledger_owner, NODE)["state"] == "joining"


def test_slow_joiners_flag_delays_nodes_and_not_gateways(cloud_with: Callable[..., Cloud]) -> None:
    user = cloud_with("--slow-joiners", "1").user()
    user.bring_in(*FREE[:2])
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        user.post(LEDGERS, {"ledger": {"name": name, "scope": "Device", "direction": direction}})
    declare_membership(user, FREE[0], "gateway", [])
    declare_membership(user, FREE[1], "node", [FREE[0]])
    assert [read_report(user, device)["state"] for device in FREE[:2]] == ["joined", "joining"]
    user.cloud.advance(301)
    assert read_report(user, FREE[1])["state"] == "joined"
