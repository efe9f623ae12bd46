# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the legacy registry of mesh networks on a cloud that still has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FOREIGN, FREE, OFFLINE, OTHER, UNKNOWN, WIFI, Cloud, User

NETWORKS = "/v1/networks"
BARN = f"{NETWORKS}/barn"
GATEWAY, NODE = FREE[:2]


@pytest.fixture
def network_owner(cloud_with: Callable[..., Cloud]) -> User:
    """Return the owner of a few Borons and an Argon on a cloud with the registry."""
    user = cloud_with("--mesh", "enabled").user()
    for device in (*FREE, WIFI):
        assert user.post("/v1/devices", {"id": device}).status_code == 200
    return user


def create_network(user: User, name: str = "barn", device: str = GATEWAY, **more: Any) -> requests.Response:
    return user.post(NETWORKS, {"name": name, "device_id": device} | more)


def change_network(user: User, action: str, device: str, network: str = BARN) -> requests.Response:
    return user.put(network, {"action": action, "device_id": device})


def is_refused(answer: requests.Response) -> bool:
    body = answer.json()
    return answer.status_code == 400 and body["ok"] is False and isinstance(body["errors"][0], str)


def list_members(user: User, **query: Any) -> list[str]:
    return [row["id"] for row in user.get(f"{BARN}/devices", **query)]


def test_new_network_is_pending_and_soon_confirmed(network_owner: User) -> None:
    answer = create_network(network_owner)
    network = answer.json()["network"]
    assert (answer.status_code, network["state"], network["type"]) == (200, "pending", "micro_cellular")
    body = network_owner.get(f"{NETWORKS}/{network['id']}")
    assert (body["id"], body["name"], body["state"]) == (network["id"], "barn", "confirmed")
    assert (body["device_count"], body["gateway_count"]) == (1, 1)
    assert (len(body["pan_id"]), len(body["xpan_id"]), 11 <= body["channel"] <= 26) == (4, 16, True)


def test_network_of_an_offline_gateway_is_pending_until_it_connects(network_owner: User) -> None:
    network_owner.cloud.change_device(GATEWAY, online=False)
    create_network(network_owner)
    body = network_owner.get(BARN)
    assert (body["state"], body["pan_id"], body["last_heard"]) == ("pending", None, None)
    assert network_owner.get(NETWORKS) == []
    network_owner.cloud.change_device(GATEWAY, online=True)
    assert [network["state"] for network in network_owner.get(NETWORKS)] == ["confirmed"]


def test_confirmed_network_stays_confirmed_when_its_gateway_is_offline(network_owner: User) -> None:
    create_network(network_owner)
    network_owner.get(BARN)
    network_owner.cloud.change_device(GATEWAY, online=False)
    assert network_owner.get(BARN)["state"] == "confirmed"


@pytest.mark.parametrize(("device", "kind"), [(GATEWAY, "micro_cellular"), (WIFI, "micro_wifi")])
def test_default_network_type_follows_the_platform_of_the_gateway(network_owner: User, device: str, kind: str) -> None:
    assert create_network(network_owner, device=device).json()["network"]["type"] == kind


def test_device_id_spelling_of_the_mobile_apps_is_accepted(network_owner: User) -> None:
    fields = {"name": "barn", "deviceID": GATEWAY, "type": "large_site"}
    assert network_owner.post(NETWORKS, fields).json()["network"]["type"] == "large_site"
    assert network_owner.put(BARN, {"action": "add-device", "deviceID": NODE}).json() == {"ok": True}
    assert list_members(network_owner) == [GATEWAY, NODE]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "x" * 17}, 400),
        ({"name": "ä" * 9}, 400),
        ({"type": "huge"}, 400),
        ({"device_id": None}, 400),
        ({"device_id": UNKNOWN}, 403),
        ({"device_id": FOREIGN}, 403),
        ({"iccid": "1234"}, 400),
    ],
)
def test_malformed_network_is_not_created(network_owner: User, fields: dict[str, Any], status: int) -> None:
    assert network_owner.post(NETWORKS, {"name": "barn", "device_id": GATEWAY} | fields).status_code == status
    assert network_owner.cloud.state()["networks"] == []


def test_network_name_of_sixteen_bytes_is_accepted(network_owner: User) -> None:
    assert create_network(network_owner, "x" * 16).status_code == 200


def test_network_name_is_unique_only_for_its_owner(network_owner: User) -> None:
    create_network(network_owner)
    assert is_refused(create_network(network_owner, device=NODE))
    other = network_owner.cloud.user(OTHER)
    assert create_network(other, device=FOREIGN).status_code == 200


def test_gateway_cannot_create_a_second_network(network_owner: User) -> None:
    create_network(network_owner)
    assert is_refused(create_network(network_owner, "shed"))


def test_network_of_another_user_is_not_found(network_owner: User) -> None:
    create_network(network_owner)
    assert network_owner.cloud.user(OTHER).call("GET", BARN).status_code == 404
    assert network_owner.cloud.user(OTHER).get(NETWORKS) == []


def test_members_are_listed_by_role_and_page(network_owner: User) -> None:
    create_network(network_owner)
    for device in FREE[1:4]:
        change_network(network_owner, "add-device", device)
    assert list_members(network_owner) == FREE[:4]
    assert list_members(network_owner, role="gateway") == [GATEWAY]
    assert list_members(network_owner, role="node", per_page=2, page=2) == [FREE[3]]
    (row,) = network_owner.get(f"{BARN}/devices", role="gateway")
    assert row["network"]["role"] == {"gateway": True, "state": "confirmed"}


def test_device_object_of_a_member_names_its_network(network_owner: User) -> None:
    create_network(network_owner)
    change_network(network_owner, "add-device", NODE)
    network = network_owner.get(f"/v1/devices/{NODE}")["network"]
    assert (network["name"], network["type"], network["role"]["gateway"]) == ("barn", "micro_cellular", False)
    assert "network" not in network_owner.get(f"/v1/devices/{FREE[3]}")


def test_repeated_addition_of_a_member_succeeds(network_owner: User) -> None:
    create_network(network_owner)
    assert [change_network(network_owner, "add-device", NODE).status_code for _unused in range(2)] == [200, 200]
    assert list_members(network_owner) == [GATEWAY, NODE]


def test_member_of_another_network_must_leave_it_before_it_is_added(network_owner: User) -> None:
    create_network(network_owner)
    create_network(network_owner, "shed", FREE[2])
    change_network(network_owner, "add-device", NODE, f"{NETWORKS}/shed")
    assert is_refused(change_network(network_owner, "add-device", NODE))
    assert network_owner.call("DELETE", f"/v1/devices/{NODE}/network").json() == {"ok": True}
    assert change_network(network_owner, "add-device", NODE).status_code == 200


def test_removal_of_a_device_without_a_network_succeeds(network_owner: User) -> None:
    assert network_owner.call("DELETE", f"/v1/devices/{NODE}/network").status_code == 200


def test_unclaimed_device_can_be_added(network_owner: User) -> None:
    create_network(network_owner)
    assert change_network(network_owner, "add-device", OFFLINE).json() == {"ok": True}


def test_micro_network_has_at_most_ten_devices(network_owner: User) -> None:
    network_owner.cloud.user()
    others = [
        row["id"] for row in network_owner.cloud.state()["devices"] if row["platform_id"] == 13 and row["owner"] is None
    ]
    create_network(network_owner)
    for device in [*FREE[1:], *others][:9]:
        assert change_network(network_owner, "add-device", device).status_code == 200
    remaining = [device for device in [*FREE[1:], *others, WIFI] if device not in list_members(network_owner)]
    assert len(list_members(network_owner)) == 10
    assert is_refused(change_network(network_owner, "add-device", remaining[0]))


def test_micro_network_has_at_most_one_gateway(network_owner: User) -> None:
    create_network(network_owner)
    change_network(network_owner, "add-device", NODE)
    assert is_refused(change_network(network_owner, "gateway-enable", NODE))
    change_network(network_owner, "gateway-disable", GATEWAY)
    assert change_network(network_owner, "gateway-enable", NODE).json() == {"ok": True}
    assert list_members(network_owner, role="gateway") == [NODE]


def test_large_network_can_have_several_gateways(network_owner: User) -> None:
    create_network(network_owner, type="large_site")
    change_network(network_owner, "add-device", NODE)
    assert change_network(network_owner, "gateway-enable", NODE).status_code == 200
    assert network_owner.get(BARN)["gateway_count"] == 2


@pytest.mark.parametrize("action", ["remove-device", "gateway-enable", "gateway-disable"])
def test_member_action_for_a_device_outside_the_network_is_refused(network_owner: User, action: str) -> None:
    create_network(network_owner)
    assert is_refused(change_network(network_owner, action, NODE))


def test_unknown_action_is_refused(network_owner: User) -> None:
    create_network(network_owner)
    assert is_refused(change_network(network_owner, "explode", NODE))


def test_removed_device_is_not_a_member(network_owner: User) -> None:
    create_network(network_owner)
    change_network(network_owner, "add-device", NODE)
    assert change_network(network_owner, "remove-device", NODE).json() == {"ok": True}
    assert list_members(network_owner) == [GATEWAY]


def test_deletion_of_a_network_releases_its_gateway(network_owner: User) -> None:
    create_network(network_owner)
    assert network_owner.call("DELETE", BARN).json() == {"ok": True}
    assert network_owner.call("GET", BARN).status_code == 404
    assert create_network(network_owner, "shed").status_code == 200


def test_simulator_state_shows_networks(network_owner: User) -> None:
    create_network(network_owner)
    change_network(network_owner, "add-device", NODE)
    (network,) = network_owner.cloud.state()["networks"]
    assert (network["name"], network["owner"]) == ("barn", "demo@example.com")
    assert network["devices"] == [{"id": GATEWAY, "role": "gateway"}, {"id": NODE, "role": "node"}]


def test_devices_run_the_last_device_os_with_mesh(network_owner: User) -> None:
    network_owner.bring_in(GATEWAY)
    assert network_owner.get(f"{DEVICES}/{GATEWAY}")["system_firmware_version"] == "1.5.2"


def test_registry_requires_a_token(network_owner: User) -> None:
    assert network_owner.cloud.call("GET", NETWORKS).status_code == 400


def test_pricing_impact_of_a_new_network_is_answered(network_owner: User) -> None:
    body = network_owner.get("/v1/pricing-impact", action="create-network", plan="wifi", device_id=WIFI)
    assert (body["allowed"], body["chargeable"]) == (True, False)
    assert network_owner.call("GET", "/v1/pricing-impact").status_code == 400
