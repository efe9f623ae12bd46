# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Pending datasets change a running network, or destroy it (otbr-rest.md, section 3.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otbr_simulator.tlvs import (
    ACTIVE_TIMESTAMP,
    CHANNEL,
    DELAY,
    NETWORK_KEY,
    PENDING_TIMESTAMP,
    decode_tlvs,
    encode_channel,
    encode_timestamp,
    encode_tlvs,
)
from support.otbr import running_border_routers
from support.otbr_client import NODES, Router

PATH = "/node/dataset/pending"
KEPT = ("networkName", "networkKey", "panId", "extPanId", "meshLocalPrefix", "pskc")


def change(router: Router, seconds: int = 2, **more: Any) -> dict[str, Any]:
    """Return the body of a safe change: the complete active dataset as TLVs with another channel."""
    tlvs = decode_tlvs(router.tlvs())
    tlvs |= {ACTIVE_TIMESTAMP: encode_timestamp(seconds), CHANNEL: encode_channel(26)} | more.pop("tlvs", {})
    return {"activeDataset": encode_tlvs(tlvs), "delay": 30000, "pendingTimestamp": {"seconds": seconds}, **more}


class TestSafeChange:
    """A complete dataset with a later timestamp changes only the values that differ."""

    def test_change_is_applied_when_its_delay_ends(self, leader: Router) -> None:
        before = leader.active()
        assert leader.put(PATH, change(leader)) == 201
        assert leader.after(29).active() == before
        assert leader.get(PATH)["delay"] == pytest.approx(1000, abs=50)
        assert leader.after(2).get(PATH) is None
        after = leader.active()
        assert (after["channel"], after["activeTimestamp"]["seconds"]) == (26, 2)
        assert [after[name] for name in KEPT] == [before[name] for name in KEPT]
        assert leader.state() == "leader"

    def test_tlv_body_keeps_the_wakeup_channel(self, leader: Router) -> None:
        before = decode_tlvs(leader.tlvs())
        pending = before | {
            ACTIVE_TIMESTAMP: encode_timestamp(2),
            CHANNEL: encode_channel(26),
            PENDING_TIMESTAMP: encode_timestamp(2),
            DELAY: (30000).to_bytes(4, "big"),
        }
        answer = leader.call("PUT", PATH, encode_tlvs(pending), Content_Type="text/plain")
        assert (answer.status_code, answer.content) == (201, b"")
        leader.after(31)
        after = decode_tlvs(leader.tlvs())
        assert {kind for kind in after if after[kind] != before[kind]} == {ACTIVE_TIMESTAMP, CHANNEL}

    def test_json_dataset_gets_another_wakeup_channel(self, leader: Router) -> None:
        # The base is a new random network. With this seed, its wake-up channel differs.
        before = decode_tlvs(leader.tlvs())[0x4A]
        dataset = leader.active() | {"activeTimestamp": {"seconds": 2}}
        leader.put(PATH, {"activeDataset": dataset, "delay": 1000})
        leader.after(2)
        assert leader.active()["networkKey"] == dataset["networkKey"]
        assert decode_tlvs(leader.tlvs())[0x4A] != before

    def test_members_follow(self, leader: Router) -> None:
        leader.join(0, 1)
        leader.put(PATH, change(leader))
        leader.after(31)
        assert [node["state"] for node in leader.otbr.nodes()[:2]] == ["in", "in"]
        leader.call("DELETE", "/api/devices")
        assert leader.refresh() == "completed"
        assert len(leader.devices()) == 3

    def test_pending_dataset_has_a_tlv_form(self, leader: Router) -> None:
        leader.put(PATH, change(leader))
        leader.after(10)
        tlvs = decode_tlvs(leader.tlvs("pending"))
        assert int.from_bytes(tlvs[DELAY], "big") == pytest.approx(20000, abs=50)
        assert PENDING_TIMESTAMP in tlvs


class TestDangers:
    """The four ways to lose a network or a change without an error."""

    def test_partial_dataset_replaces_the_whole_network(self, leader: Router) -> None:
        before = leader.active()
        answer = leader.put(PATH, {"activeDataset": {"channel": 21}, "delay": 5000})
        assert answer == 201
        after = leader.after(6).active()
        assert after["channel"] == 21
        assert all(after[name] != before[name] for name in KEPT)
        assert after["activeTimestamp"]["seconds"] == 1

    def test_short_delay_is_not_refused(self, leader: Router) -> None:
        leader.put(PATH, change(leader, delay=5000))
        assert leader.after(6).active()["channel"] == 26

    def test_dataset_without_a_delay_stays_for_ever(self, leader: Router) -> None:
        answer = leader.call("PUT", PATH, leader.tlvs(), Content_Type="text/plain")
        assert answer.status_code == 201
        assert leader.after(86400).get(PATH) is not None
        assert leader.call("DELETE", PATH).status_code == 404
        assert leader.put(PATH, change(leader, delay=1000)) == 200
        assert leader.after(2).get(PATH) is None

    @pytest.mark.parametrize("seconds", [0, 1])
    def test_timestamp_that_is_not_later_changes_nothing(self, leader: Router, seconds: int) -> None:
        before = leader.active()
        assert leader.put(PATH, change(leader, seconds)) == 201
        assert leader.get(PATH) is not None
        assert leader.after(31).get(PATH) is None
        assert leader.active() == before

    def test_earlier_timestamp_with_another_key_is_applied(self, leader: Router) -> None:
        body = change(leader, 0, tlvs={NETWORK_KEY: bytes(16)})
        leader.put(PATH, body)
        assert leader.after(31).active()["networkKey"] == "0" * 32

    def test_second_dataset_is_laid_over_the_pending_one(self, leader: Router) -> None:
        before = leader.active()
        assert leader.put(PATH, change(leader)) == 201
        body = {"activeDataset": {"channel": 12}, "delay": 1000}
        assert leader.put(PATH, body) == 200
        after = leader.after(31).active()
        assert (after["channel"], after["networkName"]) == (12, before["networkName"])

    def test_active_content_with_a_short_delay_cancels(self, leader: Router) -> None:
        before = leader.active()
        leader.put(PATH, change(leader))
        body = {"activeDataset": leader.tlvs(), "delay": 1000, "pendingTimestamp": {"seconds": 3}}
        assert leader.put(PATH, body) == 200
        assert leader.after(31).get(PATH) is None
        assert leader.active() == before


class TestForm:
    """Only the form of a pending dataset is checked."""

    @pytest.mark.parametrize(
        "content",
        [
            {},
            [],
            {"delay": 5000},
            {"activeDataset": {}},
            {"activeDataset": {}, "delay": "5000"},
            {"activeDataset": {}, "delay": 5000, "pendingTimestamp": 3},
            {"activeDataset": [], "delay": 5000},
            {"activeDataset": "xyz", "delay": 5000},
            {"activeDataset": {"networkKey": "short"}, "delay": 5000},
        ],
    )
    def test_wrong_form_is_refused(self, leader: Router, content: Any) -> None:
        assert leader.put(PATH, content) == 400
        assert leader.get(PATH) is None

    def test_pending_dataset_is_accepted_without_a_network(self, router: Router) -> None:
        assert router.put(PATH, {"activeDataset": {"networkName": "barn"}, "delay": 1000}) == 201
        assert router.after(2).active()["networkName"] == "barn"
        assert router.state() == "disabled"

    def test_condition_is_ignored(self, leader: Router) -> None:
        for status in (201, 200):
            body = json.dumps(change(leader))
            assert leader.call("PUT", PATH, body, If_None_Match="*").status_code == status


class TestKeyRotation:
    """A new key reaches the members that listen, and strands the others (otbr-rest.md, section 6)."""

    def rotate(self, leader: Router) -> None:
        """Change the network key with a delay of 30 s."""
        assert leader.put(PATH, change(leader, tlvs={NETWORK_KEY: bytes(range(16))})) == 201

    def test_device_without_power_comes_back_alone(self, leader: Router) -> None:
        leader.join(0, 1)
        old = leader.active()
        leader.otbr.change_node(NODES[1], powered=False)
        self.rotate(leader)
        leader.after(31)
        leader.otbr.change_node(NODES[1], powered=True)
        leader.after(60)
        assert leader.state() == "leader"
        assert leader.otbr.node(NODES[1])["role"] == "leader"
        networks = {network["channel"]: network["members"] for network in leader.otbr.state()["networks"]}
        assert networks == {26: 2, old["channel"]: 1}
        leader.call("DELETE", "/api/devices")
        leader.refresh()
        assert leader.otbr.node(NODES[1])["ext_address"] not in leader.devices()

    def test_device_that_returns_before_the_change_follows(self, leader: Router) -> None:
        leader.join(0)
        leader.otbr.change_node(NODES[0], powered=False)
        self.rotate(leader)
        leader.otbr.change_node(NODES[0], powered=True)
        leader.after(31)
        (network,) = leader.otbr.state()["networks"]
        assert (network["channel"], network["members"]) == (26, 2)

    def test_sleepy_device_that_polls_too_seldom_is_stranded(self, leader: Router) -> None:
        leader.otbr.add_nodes([{"eui64": "18b4300000000100", "pskd": "J01NME", "kind": "sleepy", "poll_seconds": 60}])
        task = leader.start("addThreadDeviceTask", {"eui": "18b4300000000100", "pskd": "J01NME", "timeout": 60})
        leader.after(12)
        assert leader.status(task) == "completed"
        self.rotate(leader)
        leader.after(31)
        assert leader.otbr.node("18b4300000000100")["role"] == "detached"

    def test_stranded_device_can_be_reset_and_joined_again(self, leader: Router) -> None:
        leader.join(0)
        leader.otbr.change_node(NODES[0], powered=False)
        self.rotate(leader)
        leader.after(31)
        leader.otbr.change_node(NODES[0], powered=True, reset=True)
        leader.join(0)
        assert leader.otbr.node(NODES[0])["joins"] == 2


class TestNewerVersion:
    """Announced rules of newer border routers."""

    @pytest.fixture
    def newer(self) -> Any:
        """Run a border router of the newer generation as the leader of a network."""
        with running_border_routers("--generation=newer") as otbr:
            router = Router(otbr, otbr.url)
            router.form()
            yield router

    def test_condition_protects_what_is_in_place(self, newer: Router) -> None:
        body = json.dumps(change(newer))
        statuses = [newer.call("PUT", PATH, body, If_None_Match=value).status_code for value in ("x", "*", "*")]
        assert statuses == [400, 201, 412]
        assert newer.call("PUT", "/node/dataset/active", "{}", If_None_Match="*").status_code == 412

    def test_leader_rejects_a_timestamp_that_does_not_advance(self, newer: Router) -> None:
        answer = newer.call("PUT", PATH, json.dumps(change(newer, 1)))
        assert (answer.status_code, answer.json()["detail"]) == (409, "rejected by leader")

    def test_detached_border_router_refuses_without_a_reason(self, newer: Router) -> None:
        body = json.dumps(change(newer))
        newer.put("/node/state", "disable")
        answer = newer.call("PUT", PATH, body)
        assert (answer.status_code, answer.json()["detail"]) == (409, "")

    def test_minimum_delay_is_enforced(self, newer: Router) -> None:
        assert newer.put(PATH, change(newer, delay=5000)) == 201
        assert newer.get(PATH)["delay"] == 30000
        assert newer.put(PATH, change(newer, 3, tlvs={NETWORK_KEY: bytes(16)})) == 200
        assert newer.get(PATH)["delay"] == 300_000
