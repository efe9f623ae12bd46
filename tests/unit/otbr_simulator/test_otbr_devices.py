# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The device list is a cache that only an update fills and no update empties (otbr-rest.md, section 5)."""

from __future__ import annotations

from hashlib import sha256

from support.otbr_client import NODES, Router


def get_address(router: Router, node: int) -> str:
    """Return the extended address that a node of the fixture has at present."""
    return str(router.otbr.node(NODES[node])["ext_address"])


def test_own_item_has_zeros_before_the_first_update(leader: Router) -> None:
    attributes = leader.get("/api/node")["data"]["attributes"]
    assert (attributes["role"], attributes["networkName"]) == ("", "")
    assert set(attributes["extAddress"]) == {"0"}


def test_nothing_appears_without_an_update(leader: Router) -> None:
    leader.join(0)
    leader.after(600)
    assert get_address(leader, 0) not in leader.devices()


def test_update_lists_the_members_and_the_border_router(leader: Router) -> None:
    leader.join(0, 1)
    assert leader.refresh() == "completed"
    own = leader.get("/node")["extAddress"]
    devices = leader.devices()
    assert set(devices) == {own, get_address(leader, 0), get_address(leader, 1)}
    assert devices[own]["type"] == "threadBorderRouter"
    assert devices[own]["attributes"]["networkName"] == "barn"
    assert devices[own]["attributes"]["role"] == "router"
    member = devices[get_address(leader, 0)]
    assert member["type"] == "threadDevice"
    assert not {"eui", "rloc16", "parent"} & set(member["attributes"])
    assert len(member["attributes"]["mlEidIid"]) == 16
    assert isinstance(member["attributes"]["omrIpv6Address"], str)
    assert leader.get("/api/node")["data"]["id"] == own


def test_eui_is_not_listed_even_after_a_diagnostic_has_asked(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    assert leader.ask(get_address(leader, 0), "eui") == {"eui": NODES[0]}
    leader.refresh()
    assert NODES[0] not in leader.call("GET", "/api/devices").text


def test_device_that_was_switched_off_stays_listed(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    address = get_address(leader, 0)
    leader.otbr.change_node(NODES[0], powered=False)
    before = leader.devices()[address]
    leader.refresh()
    assert leader.devices()[address] == before


def test_reset_device_is_listed_twice_after_it_joined_again(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    old = get_address(leader, 0)
    leader.otbr.change_node(NODES[0], reset=True)
    leader.join(0)
    leader.refresh()
    assert {old, get_address(leader, 0)} < set(leader.devices())
    assert leader.ask(get_address(leader, 0), "eui") == {"eui": NODES[0]}
    assert leader.ask(old, "eui") is None


def test_deleting_the_list_is_the_only_way_to_an_honest_one(leader: Router) -> None:
    leader.join(0, 1)
    leader.refresh()
    leader.otbr.change_node(NODES[0], powered=False)
    assert leader.call("DELETE", "/api/devices").status_code == 204
    assert leader.devices() == {}
    assert leader.call("GET", "/api/node").status_code == 404
    leader.refresh()
    assert set(leader.devices()) == {leader.get("/node")["extAddress"], get_address(leader, 1)}


def test_deleted_device_is_still_a_member(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    leader.call("DELETE", f"/api/devices/{get_address(leader, 0)}")
    assert get_address(leader, 0) not in leader.devices()
    leader.refresh()
    assert get_address(leader, 0) in leader.devices()


def test_statuses_of_a_deletion_are_upside_down(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    path = f"/api/devices/{get_address(leader, 0)}"
    assert leader.call("GET", path).status_code == 200
    assert [leader.call("DELETE", path).status_code for _unused in range(2)] == [404, 204]
    assert leader.call("GET", path).status_code == 404


def test_mode_of_a_child_is_wrong_from_the_second_update_on(leader: Router) -> None:
    child = "18b4300000000100"
    leader.otbr.add_nodes([{"eui64": child, "pskd": "J01NME", "kind": "mtd"}])
    leader.start("addThreadDeviceTask", {"eui": child, "pskd": "J01NME"})
    address = leader.after(15).otbr.node(child)["ext_address"]
    modes = []
    for _unused in range(2):
        leader.refresh()
        modes.append(leader.devices()[address]["attributes"]["mode"])
    assert [mode["rxOnWhenIdle"] for mode in modes] == [True, False]
    answer = leader.ask(address, "mode")
    assert answer is not None
    assert answer["mode"]["rxOnWhenIdle"] is True


def test_updated_item_has_a_second_time(leader: Router) -> None:
    leader.join(0)
    leader.refresh()
    assert "updated" not in leader.devices()[get_address(leader, 0)]["attributes"]
    leader.refresh()
    attributes = leader.devices()[get_address(leader, 0)]["attributes"]
    assert attributes["created"] < attributes["updated"]


def test_address_of_a_member_does_not_follow_from_its_eui(leader: Router) -> None:
    derived = bytearray(sha256(bytes.fromhex(NODES[0])).digest()[:8])
    derived[0] |= 2
    assert get_address(leader, 0) == derived.hex()
    leader.join(0)
    assert get_address(leader, 0) != derived.hex()


def test_sleepy_device_that_does_not_poll_in_time_is_missed(leader: Router) -> None:
    sleepy = "18b4300000000100"
    leader.otbr.add_nodes([{"eui64": sleepy, "pskd": "J01NME", "kind": "sleepy", "poll_seconds": 60}])
    leader.start("addThreadDeviceTask", {"eui": sleepy, "pskd": "J01NME"})
    leader.after(15)
    leader.refresh()
    address = leader.otbr.node(sleepy)["ext_address"]
    assert address not in leader.devices()
    answer = leader.ask(leader.get("/node")["extAddress"], "children")
    assert answer is not None
    assert [child["extAddress"] for child in answer["children"]] == [address]
