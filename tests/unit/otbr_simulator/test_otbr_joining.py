# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Nodes join a network of simulated border routers as real ones do (otbr-rest.md, section 4.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otbr_simulator.settings import Settings, make_nodes
from otbr_simulator.simulation import Simulation
from support.otbr import running_border_routers
from support.otbr_client import NODES, PSKDS, UNKNOWN_NODE, Router

JOIN = "addThreadDeviceTask"
DISCERNER = {"discerner": "0xabc/12", "pskd": "J01NME"}


def follow(router: Router, task: str, seconds: int) -> list[str]:
    """Return the different statuses of a task in their order, polled each second."""
    statuses: list[str] = []
    for _unused in range(seconds):
        status = router.after(1).status(task)
        if status not in statuses:
            statuses.append(status)
    return statuses


class TestOneDevice:
    """The states of one joiner task, and the state of its device."""

    def test_device_joins_within_seconds(self, leader: Router) -> None:
        task = leader.start_join(0)
        assert leader.task(task)["attributes"]["status"] == "undiscovered"
        assert leader.joiners() == [NODES[0]]
        assert follow(leader, task, 15)[-2:] == ["attempted", "completed"]
        node = leader.otbr.node(NODES[0])
        assert (node["state"], node["network"], node["role"], node["last_join"]) == ("in", "barn", "child", "ok")
        assert leader.joiners() == []

    def test_completed_does_not_prove_that_a_device_joined(self, leader: Router) -> None:
        task = leader.start_join(0, pskd="WR0NGKEY")
        assert follow(leader, task, 15)[-2:] == ["attempted", "completed"]
        node = leader.otbr.node(NODES[0])
        assert (node["state"], node["last_join"]) == ("joining", "security")

    def test_second_attempt_needs_a_new_task(self, leader: Router) -> None:
        leader.start_join(0, pskd="WR0NGKEY")
        leader.after(120)
        assert leader.otbr.node(NODES[0])["state"] == "joining"
        leader.join(0)

    @pytest.mark.parametrize("change", [{"powered": False}, {"in_reach": False}, {"joining": False}])
    def test_silent_device_ends_as_stopped(self, leader: Router, change: dict[str, Any]) -> None:
        leader.otbr.change_node(NODES[0], **change)
        task = leader.start_join(0, timeout=30)
        assert follow(leader, task, 40) == ["undiscovered", "stopped"]

    def test_device_without_a_node_ends_as_stopped(self, leader: Router) -> None:
        task = leader.start(JOIN, {"eui": UNKNOWN_NODE, "pskd": "J01NME"})
        assert follow(leader, task, 70) == ["undiscovered", "stopped"]

    def test_device_switched_on_later_joins(self, leader: Router) -> None:
        leader.otbr.change_node(NODES[0], powered=False)
        task = leader.start_join(0)
        leader.after(40)
        leader.otbr.change_node(NODES[0], powered=True)
        leader.after(15)
        assert (leader.status(task), leader.otbr.node(NODES[0])["state"]) == ("completed", "in")

    def test_member_is_not_disturbed(self, leader: Router) -> None:
        leader.join(0)
        before = leader.otbr.node(NODES[0])
        task = leader.start_join(0, timeout=20)
        assert follow(leader, task, 25) == ["undiscovered", "stopped"]
        assert leader.otbr.node(NODES[0])["ext_address"] == before["ext_address"]

    def test_each_join_gives_a_new_random_address(self, leader: Router) -> None:
        addresses = [leader.otbr.node(NODES[0])["ext_address"]]
        for _unused in range(2):
            leader.join(0)
            addresses.append(leader.otbr.node(NODES[0])["ext_address"])
            leader.otbr.change_node(NODES[0], reset=True)
        assert leader.otbr.node(NODES[0])["ext_address"] == addresses[0]
        assert len(set(addresses)) == 3

    def test_timeout_during_a_handshake_ends_as_failed(self, leader: Router) -> None:
        # Find out when the handshake begins, and let the same seed do it again with a timeout inside it.
        task = leader.start_join(0)
        begin = next(second for second in range(1, 12) if leader.after(1).status(task) == "attempted")
        leader.otbr.reset()
        leader.form()
        task = leader.start_join(0, timeout=begin)
        leader.after(begin + 0.5).status(task)
        assert leader.status(task) == "failed"
        assert leader.after(5).otbr.node(NODES[0])["state"] == "joining"

    def test_child_becomes_a_router_with_another_rloc16(self, leader: Router) -> None:
        leader.join(0)
        child = leader.otbr.node(NODES[0])
        assert int(child["rloc16"], 16) & 0xFE00 == leader.get("/node/rloc16")
        node = leader.after(120).otbr.node(NODES[0])
        assert (node["role"], int(node["rloc16"], 16) & 0x1FF) == ("router", 0)
        assert node["ext_address"] == child["ext_address"]


@pytest.mark.parametrize("seed", range(10))
def test_device_alone_joins_as_fast_as_a_real_one(seed: int) -> None:
    # 7.1 to 10.5 s were observed (otbr-rest.md, section 9).
    simulation = Simulation(Settings(seed=seed, nodes=make_nodes(1), clock="still"))
    world, router = simulation.world, simulation.world.routers["router1"]
    router.put_active(lambda base: {})
    router.enable()
    world.clock.advance(10)
    world.run_due()
    attributes = {"eui": NODES[0], "pskd": PSKDS[0], "timeout": 60}
    (task,) = router.tasks.add({"data": [{"type": JOIN, "attributes": attributes}]})
    seconds = 0.0
    while task.status != "completed":
        seconds += 0.1
        world.clock.advance(0.1)
        world.run_due()
    assert 7 <= seconds <= 10.7


class TestJoinerTable:
    """The table has few places, and refuses silently."""

    def test_fifth_joiner_is_never_tried_and_not_refused(self, leader: Router) -> None:
        answer = leader.post(*((JOIN, {"eui": NODES[n], "pskd": PSKDS[n], "timeout": 150}) for n in range(6)))
        tasks = [item["id"] for item in answer.json()["data"]]
        assert {item["attributes"]["status"] for item in answer.json()["data"]} == {"undiscovered"}
        assert leader.joiners() == NODES[:4]
        leader.after(145)
        assert [leader.status(task) for task in tasks] == ["completed"] * 4 + ["undiscovered"] * 2
        for _unused in range(2):
            leader.after(6).get("/api/actions")
        assert [leader.status(task) for task in tasks[4:]] == ["stopped"] * 2
        assert [node["state"] for node in leader.otbr.nodes()] == ["in"] * 4 + ["joining"] * 2

    def test_place_that_became_free_is_used_by_the_next_task(self, leader: Router) -> None:
        tasks = [leader.start_join(node) for node in range(4)]
        leader.call("DELETE", f"/api/actions/{tasks[0]}")
        assert leader.joiners() == NODES[1:4]
        leader.start_join(4)
        assert leader.joiners() == NODES[1:5]

    def test_size_of_the_table_is_a_setting(self) -> None:
        with running_border_routers("--joiners=2", "--nodes=3") as otbr:
            router = Router(otbr, otbr.url)
            router.form()
            for node in range(3):
                router.start_join(node)
            assert router.joiners() == NODES[:2]

    @pytest.mark.parametrize("pskd", ["j01nme", "J01-NME"])
    def test_pskd_that_breaks_the_rule_is_never_listed(self, leader: Router, pskd: str) -> None:
        task = leader.start_join(0, pskd=pskd, timeout=30)
        assert leader.status(task) == "undiscovered"
        assert leader.joiners() == []
        assert follow(leader, task, 40)[-1] == "stopped"

    def test_handshakes_follow_each_other(self, leader: Router) -> None:
        tasks = [leader.start_join(node) for node in range(3)]
        attempted = []
        for _unused in range(150):
            leader.after(0.5)
            attempted.append([leader.status(task) for task in tasks].count("attempted"))
        assert max(attempted) == 1
        assert [leader.status(task) for task in tasks] == ["completed"] * 3

    def test_pskd_is_shown_in_clear_also_after_completion(self, leader: Router) -> None:
        task = leader.start_join(0)
        assert leader.get("/node/commissioner/joiner")[0]["pskd"] == PSKDS[0]
        leader.after(15)
        assert leader.task(task)["attributes"]["pskd"] == PSKDS[0]
        leader.call("DELETE", f"/api/actions/{task}")
        assert PSKDS[0] not in leader.call("GET", "/api/actions").text

    def test_joiner_list_counts_down_in_milliseconds(self, leader: Router) -> None:
        leader.otbr.change_node(NODES[0], powered=False)
        leader.start_join(0, timeout=60)
        (joiner,) = leader.after(20).get("/node/commissioner/joiner")
        assert joiner == {"pskd": PSKDS[0], "eui": NODES[0], "timeout": pytest.approx(40000, abs=50)}


class TestForms:
    """The form of a joiner task."""

    @pytest.mark.parametrize(
        "attributes",
        [
            {"pskd": "J01NME"},
            {"eui": NODES[0]},
            {"eui": NODES[0][1:], "pskd": "J01NME"},
            {"eui": "18:b4:30:00:00:00:00:01", "pskd": "J01NME"},
            {"eui": NODES[0], "pskd": "J01NM"},
            {"eui": NODES[0], "pskd": "A" * 33},
            {"eui": NODES[0], "pskd": "J0INME"},
            {"eui": NODES[0], "pskd": 123456},
            {"eui": NODES[0], "pskd": "J01NME", "timeout": "60"},
            {"eui": NODES[0], "discerner": "0xabc/12", "pskd": "J01NME"},
        ],
    )
    def test_wrong_form_is_refused_without_a_detail(self, leader: Router, attributes: dict[str, Any]) -> None:
        answer = leader.post((JOIN, attributes))
        assert (answer.status_code, answer.json()["detail"]) == (422, "")

    def test_eui_is_answered_in_lower_case(self, leader: Router) -> None:
        answer = leader.post((JOIN, {"eui": NODES[0].upper(), "pskd": "J01NME", "note": "x"}))
        (item,) = answer.json()["data"]
        assert (item["attributes"]["eui"], item["attributes"]["timeout"]) == (NODES[0], 60)
        assert "note" not in item["attributes"]

    @pytest.mark.parametrize("identity", [{"joinerId": "*"}, {"discerner": "xyz"}, {"joinerId": "xyz"}])
    def test_any_device_waits_until_it_is_stopped(self, leader: Router, identity: dict[str, str]) -> None:
        task = leader.start(JOIN, {**identity, "pskd": "J01NME", "timeout": 20})
        assert leader.task(task)["attributes"]["joinerId"] == "*"
        assert follow(leader, task, 25) == ["pending", "stopped"]

    def test_discerner_is_listed(self, leader: Router) -> None:
        leader.start(JOIN, DISCERNER)
        assert leader.get("/node/commissioner/joiner")[0]["discerner"] == "0xabc/12"

    def test_timeout_of_zero_fails_at_once(self, leader: Router) -> None:
        (item,) = leader.post((JOIN, {"eui": NODES[0], "pskd": "J01NME", "timeout": 0})).json()["data"]
        assert item["attributes"]["status"] == "failed"

    def test_negative_timeout_is_shown_as_zero(self, leader: Router) -> None:
        (item,) = leader.post((JOIN, {"eui": NODES[0], "pskd": "J01NME", "timeout": -1})).json()["data"]
        assert item["attributes"]["timeout"] == 0


class TestOrder:
    """Tasks before a network, tasks for one device twice, and the commissioner."""

    def test_task_before_a_network_is_useless(self, router: Router) -> None:
        task = router.start_join(0)
        assert router.status(task) == "undiscovered"
        assert router.get("/node/commissioner/state") == "disabled"
        assert router.joiners() == []

    def test_second_task_for_a_device_waits(self, leader: Router) -> None:
        leader.otbr.change_node(NODES[0], powered=False)
        first, second = leader.start_join(0), leader.start_join(0)
        assert [leader.status(first), leader.status(second)] == ["undiscovered", "pending"]
        leader.call("DELETE", f"/api/actions/{first}")
        assert leader.status(second) == "undiscovered"
        assert leader.joiners() == [NODES[0]]

    def test_both_tasks_for_a_silent_device_are_stopped(self, leader: Router) -> None:
        leader.otbr.change_node(NODES[0], powered=False)
        tasks = [leader.start_join(0, timeout=30) for _unused in range(2)]
        for _unused in range(2):
            leader.after(31).get("/node")
        assert [leader.status(task) for task in tasks] == ["stopped"] * 2

    def test_commissioner_starts_and_stops_with_the_tasks(self, leader: Router) -> None:
        assert leader.get("/node/commissioner/state") == "disabled"
        leader.start_join(0)
        assert leader.after(0.1).get("/node/commissioner/state") == "active"
        assert leader.after(20).get("/node/commissioner/state") == "disabled"

    def test_tasks_are_dead_while_the_legacy_commissioner_is_on(self, leader: Router) -> None:
        assert leader.put("/node/commissioner/state", "enable") == 200
        task = leader.after(1).start_join(0, timeout=30)
        assert leader.joiners() == []
        assert follow(leader, task, 35) == ["undiscovered", "stopped"]

    def test_tasks_start_a_commissioner_again(self, leader: Router) -> None:
        leader.start_join(0)
        leader.after(0.1)
        assert leader.put("/node/commissioner/state", "disable") == 200
        assert leader.get("/node/commissioner/state") == "disabled"
        assert leader.after(2).get("/node/commissioner/state") == "active"
        leader.after(15)
        assert leader.otbr.node(NODES[0])["state"] == "in"

    def test_deleted_task_stops_a_joiner(self, leader: Router) -> None:
        task = leader.start_join(0)
        assert leader.call("DELETE", f"/api/actions/{task}").status_code == 204
        leader.after(60)
        assert leader.otbr.node(NODES[0])["state"] == "joining"


class TestLegacyList:
    """The joiner list of old border routers (otbr-rest.md, section 4.6)."""

    PATH = "/node/commissioner/joiner"

    @pytest.fixture
    def commissioner(self, leader: Router) -> Router:
        """The leader with its commissioner switched on."""
        assert leader.put("/node/commissioner/state", "enable") == 200
        assert leader.after(1).get("/node/commissioner/state") == "active"
        return leader

    def add(self, router: Router, node: int, **more: Any) -> int:
        """Add a node of the fixture to the list."""
        body = {"eui": NODES[node], "pskd": PSKDS[node], **more}
        return router.call("POST", self.PATH, json.dumps(body)).status_code

    def test_commissioner_needs_a_network(self, router: Router) -> None:
        assert router.put("/node/commissioner/state", "enable") == 409

    def test_commissioner_refuses_other_words(self, leader: Router) -> None:
        assert leader.put("/node/commissioner/state", "on") == 400

    def test_device_joins(self, commissioner: Router) -> None:
        assert self.add(commissioner, 0) == 200
        commissioner.after(15)
        assert commissioner.otbr.node(NODES[0])["state"] == "in"
        assert commissioner.get("/node/commissioner/state") == "active"

    def test_fifth_joiner_is_refused(self, commissioner: Router) -> None:
        assert [self.add(commissioner, node) for node in range(5)] == [200] * 4 + [507]

    def test_same_device_again_replaces_key_and_time(self, commissioner: Router) -> None:
        commissioner.otbr.change_node(NODES[0], powered=False)
        assert [self.add(commissioner, 0, timeout=seconds) for seconds in (60, 120)] == [200, 200]
        (joiner,) = commissioner.get(self.PATH)
        assert joiner["timeout"] == 120_000

    def test_joiner_leaves_the_list_after_its_time(self, commissioner: Router) -> None:
        commissioner.otbr.change_node(NODES[0], powered=False)
        self.add(commissioner, 0)
        assert len(commissioner.after(59).get(self.PATH)) == 1
        assert commissioner.after(2).get(self.PATH) == []

    def test_joiner_is_refused_while_the_commissioner_is_off(self, leader: Router) -> None:
        assert self.add(leader, 0) == 409

    @pytest.mark.parametrize("change", [{"eui": "abc"}, {"pskd": "short"}, {"pskd": "J0INME"}, {"timeout": "60"}])
    def test_bad_joiner_is_refused(self, commissioner: Router, change: dict[str, Any]) -> None:
        assert self.add(commissioner, 0, **change) == 400

    def test_joiner_is_removed(self, commissioner: Router) -> None:
        self.add(commissioner, 0)
        for body, status in ((f'"{NODES[0]}"', 200), (f'"{NODES[0]}"', 200), ("", 400), ('"*"', 200)):
            assert commissioner.call("DELETE", self.PATH, body).status_code == status
        assert commissioner.get(self.PATH) == []

    def test_star_removes_no_named_joiner(self, commissioner: Router) -> None:
        self.add(commissioner, 0)
        commissioner.call("DELETE", self.PATH, '"*"')
        assert len(commissioner.get(self.PATH)) == 1
