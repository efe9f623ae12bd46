# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Restarts, power cuts, and two border routers in one network (otbr-rest.md, section 7)."""

from __future__ import annotations

from collections import Counter

import pytest
import requests

from support.otbr_client import NODES, UPDATE, Router


@pytest.fixture
def second(leader: Router) -> Router:
    """The second border router, which has attached to the network of the first one."""
    other = Router(leader.otbr, leader.otbr.urls[1])
    answer = other.call("PUT", "/node/dataset/active", leader.tlvs(), Content_Type="text/plain")
    assert answer.status_code == 201
    assert other.put("/node/state", "enable") == 200
    return other


class TestOneBorderRouter:
    """The state that survives a stop of the program, and the state that does not."""

    def test_connections_are_refused_while_the_program_is_stopped(self, leader: Router) -> None:
        leader.otbr.change_router(running=False)
        with pytest.raises(requests.ConnectionError):
            leader.state()
        leader.otbr.change_router(running=True)
        assert leader.state() == "detached"

    def test_datasets_and_identity_survive(self, leader: Router) -> None:
        before = leader.get("/node")
        dataset = leader.tlvs()
        leader.otbr.change_router(restart=True)
        after = leader.get("/node")
        assert [after[name] for name in ("baId", "extAddress")] == [before[name] for name in ("baId", "extAddress")]
        assert leader.tlvs() == dataset

    def test_tasks_devices_and_diagnostics_do_not_survive(self, leader: Router) -> None:
        leader.join(0)
        leader.refresh()
        leader.ask(leader.get("/node")["extAddress"], "eui")
        task = leader.start_join(1)
        leader.otbr.change_router(restart=True)
        assert leader.call("GET", f"/api/actions/{task}").status_code == 404
        assert leader.otbr.node(NODES[0])["ext_address"] not in leader.devices()
        assert leader.get("/api/diagnostics")["data"] == []
        leader.after(60)
        assert leader.otbr.node(NODES[1])["state"] == "joining"

    def test_lonely_border_router_leads_again_after_seconds(self, leader: Router) -> None:
        leader.otbr.change_router(restart=True)
        assert leader.after(13).state() == "detached"
        assert leader.after(2).state() == "leader"

    def test_border_router_with_members_leads_again_at_once(self, leader: Router) -> None:
        leader.join(0, 1)
        leader.otbr.change_router(running=False)
        leader.after(60)
        assert [node["state"] for node in leader.otbr.nodes()[:2]] == ["in", "in"]
        leader.otbr.change_router(running=True)
        assert leader.state() == "leader"

    def test_border_router_without_a_network_stays_disabled(self, router: Router) -> None:
        router.otbr.change_router(restart=True)
        assert router.after(60).state() == "disabled"

    def test_update_soon_after_a_restart_is_stopped_with_few_devices(self, leader: Router) -> None:
        leader.join(*range(6))
        leader.otbr.change_router(restart=True)
        leader.after(20)
        assert leader.refresh() == "stopped"
        assert len(leader.devices()) < 7
        assert leader.refresh(30) == "completed"
        assert len(leader.devices()) == 7

    def test_members_keep_a_leader_when_the_border_router_is_gone(self, leader: Router) -> None:
        leader.join(0, 1)
        leader.after(130)
        leader.otbr.change_router(running=False)
        leader.after(130)
        assert "leader" in {node["role"] for node in leader.otbr.nodes()}
        leader.otbr.change_router(running=True)
        assert leader.after(3).state() == "child"
        assert leader.after(20).state() == "router"

    def test_power_cut_of_a_parent_moves_its_children(self, leader: Router) -> None:
        leader.join(*range(6))
        leader.after(130)
        leader.otbr.change_node(NODES[0], powered=False)
        leader.after(10)
        leader.call("DELETE", "/api/devices")
        leader.refresh()
        assert len(leader.devices()) == 6
        leader.otbr.change_node(NODES[0], powered=True)
        leader.after(5)
        leader.refresh()
        assert len(leader.devices()) == 7


class TestTwoBorderRouters:
    """Two border routers share the network, and nothing else."""

    def test_second_one_becomes_a_child_and_then_a_router(self, second: Router, leader: Router) -> None:
        assert second.after(1).state() == "detached"
        assert second.after(1).state() == "child"
        assert second.after(18).state() == "router"
        assert leader.state() == "leader"
        assert leader.get("/node")["routerCount"] == 2

    def test_each_calls_only_itself_a_border_router(self, second: Router, leader: Router) -> None:
        leader.after(25)
        leader.join(0)
        for router in (leader, second):
            router.refresh()
            kinds = {key: item["type"] for key, item in router.devices().items()}
            assert len(kinds) == 3
            own = router.get("/node")["extAddress"]
            assert [key for key, kind in kinds.items() if kind == "threadBorderRouter"] == [own]

    def test_each_has_its_own_cache_and_tasks(self, second: Router, leader: Router) -> None:
        leader.after(25)
        leader.refresh()
        assert len(leader.devices()) == 2
        assert leader.get("/node")["extAddress"] not in second.devices()
        assert second.get("/api/actions")["data"] == []

    def test_change_through_either_reaches_both(self, second: Router, leader: Router) -> None:
        leader.after(25)
        dataset = leader.active() | {"channel": 26, "activeTimestamp": {"seconds": 2}}
        assert second.put("/node/dataset/pending", {"activeDataset": dataset, "delay": 30000}) == 201
        assert leader.get("/node/dataset/pending") is not None
        leader.after(31)
        assert [router.active()["channel"] for router in (leader, second)] == [26, 26]
        assert [router.get("/node/dataset/pending") for router in (leader, second)] == [None, None]
        assert [router.state() for router in (leader, second)] == ["leader", "router"]

    def test_devices_can_join_through_both_at_the_same_time(self, second: Router, leader: Router) -> None:
        leader.after(25)
        tasks = [leader.start_join(0), second.start_join(1)]
        leader.after(60)
        assert [leader.status(tasks[0]), second.status(tasks[1])] == ["completed"] * 2
        assert [node["state"] for node in leader.otbr.nodes()[:2]] == ["in", "in"]

    def test_router_leads_only_two_minutes_after_the_leader_died(self, second: Router, leader: Router) -> None:
        leader.after(25)
        leader.otbr.change_router("router1", running=False)
        assert second.after(120).state() == "router"
        assert second.after(7).state() == "leader"
        leader.otbr.change_router("router1", running=True)
        assert leader.after(3).state() == "child"
        assert leader.after(20).state() == "router"

    def test_third_one_can_be_added(self, second: Router, leader: Router) -> None:
        leader.after(25)
        third = Router(leader.otbr, leader.otbr.add_router())
        third.call("PUT", "/node/dataset/active", leader.tlvs(), Content_Type="text/plain")
        third.put("/node/state", "enable")
        assert third.after(3).state() == "child"

    def test_two_networks_do_not_see_each_other(self, leader: Router) -> None:
        other = Router(leader.otbr, leader.otbr.urls[1])
        other.form(networkName="house")
        leader.join(0)
        other.refresh()
        assert len(other.devices()) == 1
        assert {network["name"] for network in leader.otbr.state()["networks"]} == {"barn", "house"}


def test_large_network_is_not_listed_whole(leader: Router) -> None:
    nodes = [{"eui64": f"{number:016x}", "pskd": "J01NME"} for number in range(1, 221)]
    leader.otbr.add_nodes(nodes)
    for first in range(0, 220, 4):
        leader.post(*(("addThreadDeviceTask", {"eui": n["eui64"], "pskd": "J01NME"}) for n in nodes[first : first + 4]))
        leader.after(100).get("/node")
        leader.call("DELETE", "/api/actions")
    joined = [node for node in leader.otbr.nodes() if node["state"] == "in"]
    leader.after(130)
    leader.start("updateDeviceCollectionTask", {**UPDATE, "timeout": 30})
    leader.after(31)
    assert len(joined) > 205
    parents = Counter(node["parent"] for node in leader.otbr.nodes() if node["parent"])
    assert max(parents.values()) <= 64
    assert len(leader.devices()) == 200
