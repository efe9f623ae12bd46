# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The legacy registry of mesh networks, where a cloud still has it."""

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
def meshed(cloud_with: Callable[..., Cloud]) -> User:
    """Return a user who owns a few Borons and an Argon, on a cloud with the registry."""
    user = cloud_with("--mesh", "enabled").user()
    for device in (*FREE, WIFI):
        assert user.post("/v1/devices", {"id": device}).status_code == 200
    return user


def create(user: User, name: str = "barn", device: str = GATEWAY, **more: Any) -> requests.Response:
    return user.post(NETWORKS, {"name": name, "device_id": device} | more)


def change(user: User, action: str, device: str, network: str = BARN) -> requests.Response:
    return user.put(network, {"action": action, "device_id": device})


def is_refused(answer: requests.Response) -> bool:
    body = answer.json()
    return answer.status_code == 400 and body["ok"] is False and isinstance(body["errors"][0], str)


def members(user: User, **query: Any) -> list[str]:
    return [row["id"] for row in user.get(f"{BARN}/devices", **query)]


def test_given_a_network_when_it_is_created_then_it_is_pending_and_soon_confirmed(meshed: User) -> None:
    answer = create(meshed)
    network = answer.json()["network"]
    assert (answer.status_code, network["state"], network["type"]) == (200, "pending", "micro_cellular")
    body = meshed.get(f"{NETWORKS}/{network['id']}")
    assert (body["id"], body["name"], body["state"]) == (network["id"], "barn", "confirmed")
    assert (body["device_count"], body["gateway_count"]) == (1, 1)
    assert (len(body["pan_id"]), len(body["xpan_id"]), 11 <= body["channel"] <= 26) == (4, 16, True)


def test_given_an_offline_gateway_then_its_network_stays_pending_and_unlisted_until_it_connects(meshed: User) -> None:
    meshed.cloud.change_device(GATEWAY, online=False)
    create(meshed)
    body = meshed.get(BARN)
    assert (body["state"], body["pan_id"], body["last_heard"]) == ("pending", None, None)
    assert meshed.get(NETWORKS) == []
    meshed.cloud.change_device(GATEWAY, online=True)
    assert [network["state"] for network in meshed.get(NETWORKS)] == ["confirmed"]


def test_given_a_confirmed_network_when_its_gateway_goes_then_it_stays_confirmed(meshed: User) -> None:
    create(meshed)
    meshed.get(BARN)
    meshed.cloud.change_device(GATEWAY, online=False)
    assert meshed.get(BARN)["state"] == "confirmed"


@pytest.mark.parametrize(("device", "kind"), [(GATEWAY, "micro_cellular"), (WIFI, "micro_wifi")])
def test_given_no_type_then_it_follows_from_the_platform_of_the_gateway(meshed: User, device: str, kind: str) -> None:
    assert create(meshed, device=device).json()["network"]["type"] == kind


def test_given_the_spelling_of_the_mobile_apps_then_it_works_the_same(meshed: User) -> None:
    fields = {"name": "barn", "deviceID": GATEWAY, "type": "large_site"}
    assert meshed.post(NETWORKS, fields).json()["network"]["type"] == "large_site"
    assert meshed.put(BARN, {"action": "add-device", "deviceID": NODE}).json() == {"ok": True}
    assert members(meshed) == [GATEWAY, NODE]


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
def test_given_a_malformed_network_then_it_is_not_created(meshed: User, fields: dict[str, Any], status: int) -> None:
    assert meshed.post(NETWORKS, {"name": "barn", "device_id": GATEWAY} | fields).status_code == status
    assert meshed.cloud.state()["networks"] == []


def test_given_a_name_of_sixteen_bytes_then_it_is_taken(meshed: User) -> None:
    assert create(meshed, "x" * 16).status_code == 200


def test_given_a_taken_name_then_it_is_refused_to_its_owner_only(meshed: User) -> None:
    create(meshed)
    assert is_refused(create(meshed, device=NODE))
    other = meshed.cloud.user(OTHER)
    assert create(other, device=FOREIGN).status_code == 200


def test_given_a_gateway_of_a_network_then_it_cannot_found_another(meshed: User) -> None:
    create(meshed)
    assert is_refused(create(meshed, "shed"))


def test_given_a_network_of_somebody_else_then_it_is_not_found(meshed: User) -> None:
    create(meshed)
    assert meshed.cloud.user(OTHER).call("GET", BARN).status_code == 404
    assert meshed.cloud.user(OTHER).get(NETWORKS) == []


def test_given_members_then_they_are_listed_by_role_and_page(meshed: User) -> None:
    create(meshed)
    for device in FREE[1:4]:
        change(meshed, "add-device", device)
    assert members(meshed) == FREE[:4]
    assert members(meshed, role="gateway") == [GATEWAY]
    assert members(meshed, role="node", per_page=2, page=2) == [FREE[3]]
    (row,) = meshed.get(f"{BARN}/devices", role="gateway")
    assert row["network"]["role"] == {"gateway": True, "state": "confirmed"}


def test_given_a_member_then_its_device_object_names_the_network(meshed: User) -> None:
    create(meshed)
    change(meshed, "add-device", NODE)
    network = meshed.get(f"/v1/devices/{NODE}")["network"]
    assert (network["name"], network["type"], network["role"]["gateway"]) == ("barn", "micro_cellular", False)
    assert "network" not in meshed.get(f"/v1/devices/{FREE[3]}")


def test_given_a_member_when_it_is_added_again_then_it_is_fine(meshed: User) -> None:
    create(meshed)
    assert [change(meshed, "add-device", NODE).status_code for _unused in range(2)] == [200, 200]
    assert members(meshed) == [GATEWAY, NODE]


def test_given_a_member_of_another_network_then_it_must_leave_that_first(meshed: User) -> None:
    create(meshed)
    create(meshed, "shed", FREE[2])
    change(meshed, "add-device", NODE, f"{NETWORKS}/shed")
    assert is_refused(change(meshed, "add-device", NODE))
    assert meshed.call("DELETE", f"/v1/devices/{NODE}/network").json() == {"ok": True}
    assert change(meshed, "add-device", NODE).status_code == 200


def test_given_a_device_in_no_network_when_it_leaves_then_it_is_fine(meshed: User) -> None:
    assert meshed.call("DELETE", f"/v1/devices/{NODE}/network").status_code == 200


def test_given_an_unclaimed_joiner_then_it_may_be_added(meshed: User) -> None:
    create(meshed)
    assert change(meshed, "add-device", OFFLINE).json() == {"ok": True}


def test_given_a_micro_network_then_it_has_ten_devices_at_most(meshed: User) -> None:
    meshed.cloud.user()
    others = [row["id"] for row in meshed.cloud.state()["devices"] if row["platform_id"] == 13 and row["owner"] is None]
    create(meshed)
    for device in [*FREE[1:], *others][:9]:
        assert change(meshed, "add-device", device).status_code == 200
    left = [device for device in [*FREE[1:], *others, WIFI] if device not in members(meshed)]
    assert len(members(meshed)) == 10
    assert is_refused(change(meshed, "add-device", left[0]))


def test_given_a_micro_network_then_it_has_one_gateway_at_most(meshed: User) -> None:
    create(meshed)
    change(meshed, "add-device", NODE)
    assert is_refused(change(meshed, "gateway-enable", NODE))
    change(meshed, "gateway-disable", GATEWAY)
    assert change(meshed, "gateway-enable", NODE).json() == {"ok": True}
    assert members(meshed, role="gateway") == [NODE]


def test_given_a_large_network_then_it_may_have_several_gateways(meshed: User) -> None:
    create(meshed, type="large_site")
    change(meshed, "add-device", NODE)
    assert change(meshed, "gateway-enable", NODE).status_code == 200
    assert meshed.get(BARN)["gateway_count"] == 2


@pytest.mark.parametrize("action", ["remove-device", "gateway-enable", "gateway-disable"])
def test_given_a_device_outside_the_network_then_what_is_for_members_is_refused(meshed: User, action: str) -> None:
    create(meshed)
    assert is_refused(change(meshed, action, NODE))


def test_given_an_unknown_action_then_it_is_refused(meshed: User) -> None:
    create(meshed)
    assert is_refused(change(meshed, "explode", NODE))


def test_given_a_member_when_it_is_removed_then_it_is_in_no_network(meshed: User) -> None:
    create(meshed)
    change(meshed, "add-device", NODE)
    assert change(meshed, "remove-device", NODE).json() == {"ok": True}
    assert members(meshed) == [GATEWAY]


def test_given_a_network_when_it_is_deleted_then_its_members_are_free(meshed: User) -> None:
    create(meshed)
    assert meshed.call("DELETE", BARN).json() == {"ok": True}
    assert meshed.call("GET", BARN).status_code == 404
    assert create(meshed, "shed").status_code == 200


def test_given_networks_then_the_state_of_the_simulator_shows_them(meshed: User) -> None:
    create(meshed)
    change(meshed, "add-device", NODE)
    (network,) = meshed.cloud.state()["networks"]
    assert (network["name"], network["owner"]) == ("barn", "demo@example.com")
    assert network["devices"] == [{"id": GATEWAY, "role": "gateway"}, {"id": NODE, "role": "node"}]


def test_given_the_registry_then_devices_run_the_last_device_os_with_mesh(meshed: User) -> None:
    meshed.bring_in(GATEWAY)
    assert meshed.get(f"{DEVICES}/{GATEWAY}")["system_firmware_version"] == "1.5.2"


def test_given_no_token_then_the_registry_asks_for_one(meshed: User) -> None:
    assert meshed.cloud.call("GET", NETWORKS).status_code == 400


def test_given_a_planned_network_then_its_price_is_told(meshed: User) -> None:
    body = meshed.get("/v1/pricing-impact", action="create-network", plan="wifi", device_id=WIFI)
    assert (body["allowed"], body["chargeable"]) == (True, False)
    assert meshed.call("GET", "/v1/pricing-impact").status_code == 400
