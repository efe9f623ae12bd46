# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Networks are formed and devices join, and no device is reported as joined that is not in the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread import members
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import BorderRouter
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.members import ask_devices
from support.counts import count
from support.otbr import BorderRouters, running_border_routers
from support.thread_networks import ThreadRunner, build_manifest

SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}
FIRST, SECOND, *OTHERS = SIX
FEW = {FIRST: SIX[FIRST], SECOND: SIX[SECOND]}
WRONG = "WR0NGKEY"


def find_device(result: dict[str, Any], eui64: str) -> dict[str, Any]:
    """Return the outcome of a device."""
    return next(device for device in result["devices"] if device["identifier"] == eui64)


def list_network_writes(otbr: BorderRouters) -> Counter[str]:
    """Return how often each route that may change a network was called."""
    return Counter(entry["route"] for entry in otbr.writes() if entry["kind"] == "write")


class TestFirstRun:
    """A network is formed at fresh border routers, and all devices join."""

    def test_all_devices_join_and_nothing_is_left_at_the_border_routers(self, runner: ThreadRunner) -> None:
        data = build_manifest(SIX, urls=runner.otbr.urls, parameters={"channel": 15, "network_name": "barn"})
        result = runner.run(data)
        assert not result.get("failed"), result
        assert set(runner.list_states().values()) == {"in"}
        assert {(device["status"], device["mesh"]) for device in result["devices"]} == {("changed", "joined")}
        (network,) = runner.otbr.state()["networks"]
        assert (network["name"], network["channel"]) == ("barn", 15)
        assert sorted(router["state"] for router in runner.otbr.routers()) == ["leader", "router"]
        assert runner.count_leftovers() == 0

    def test_second_run_writes_nothing_and_asks_no_device(self, runner: ThreadRunner) -> None:
        data = build_manifest(SIX, urls=runner.otbr.urls)
        runner.run(data)
        before = runner.otbr.stats()
        result = runner.run(data)
        after = runner.otbr.stats()
        assert result["changed"] is False
        assert after["writes"] == before["writes"]
        assert after["tasks"]["updateDeviceCollectionTask"] == before["tasks"]["updateDeviceCollectionTask"] + 1
        assert after["tasks"]["getNetworkDiagnosticTask"] == before["tasks"]["getNetworkDiagnosticTask"]

    def test_check_mode_shows_the_plan_and_writes_nothing(self, runner: ThreadRunner) -> None:
        result = runner.run(build_manifest(FEW, urls=runner.otbr.urls), check_mode=True)
        assert result["changed"] is True
        assert result["diff"].created["thread networks"] == ("barn",)
        assert [item.key for item in result["diff"].items] == list(FEW)
        assert runner.otbr.stats()["writes"] == 0

    def test_network_without_members_is_formed_without_a_login(self, runner: ThreadRunner) -> None:
        result = runner.run(build_manifest({}, urls=runner.otbr.urls))
        assert result["changed"] is True
        assert result["cloud"]["requests"] == 0
        assert len(runner.otbr.state()["networks"]) == 1

    def test_existing_network_is_adopted_with_its_members(self, runner: ThreadRunner) -> None:
        one, two = runner.otbr.urls
        runner.run(build_manifest(FEW, urls=[one]))
        (before,) = runner.otbr.state()["networks"]
        result = runner.run(build_manifest(SIX, urls=[two, one]))
        assert [find_device(result, eui64)["status"] for eui64 in FEW] == ["ok", "ok"]
        (after,) = runner.otbr.state()["networks"]
        assert (after["name"], after["leader"]) == (before["name"], before["leader"])
        assert set(runner.list_states().values()) == {"in"}


class TestDevicesThatDoNotJoin:
    """A device that does not join is pending, with the reason and the remedy."""

    def test_wrong_key_and_silent_device_have_different_reasons(self, runner: ThreadRunner) -> None:
        runner.otbr.change_node(SECOND, powered=False)
        data = build_manifest({**SIX, FIRST: WRONG}, urls=runner.otbr.urls)
        result = runner.run(data)
        wrong, silent = find_device(result, FIRST), find_device(result, SECOND)
        assert (wrong["status"], wrong["mesh"], wrong["error"]["code"]) == ("pending", "pending", "joiner_refused")
        assert "Its joiner key (PSKd) is most likely another one than declared" in wrong["error"]["message"]
        assert (silent["status"], silent["error"]["code"]) == ("pending", "device_offline")
        assert "the device was never seen" in silent["error"]["message"]
        assert [find_device(result, eui64)["mesh"] for eui64 in OTHERS] == ["joined"] * 4
        assert result["summary"]["pending"] == 2
        assert WRONG not in repr(result)

    def test_next_run_starts_tasks_only_for_missing_devices(self, runner: ThreadRunner) -> None:
        data = build_manifest({**SIX, FIRST: WRONG}, urls=runner.otbr.urls)
        runner.run(data)
        data["devices"][0]["mesh"]["joiner"] = SIX[FIRST]
        before = runner.otbr.stats()["tasks"]["addThreadDeviceTask"]
        assert find_device(runner.run(data), FIRST)["status"] == "changed"
        assert runner.otbr.stats()["tasks"]["addThreadDeviceTask"] == before + 1
        assert list_network_writes(runner.otbr)["PUT /node/dataset/active"] == 2

    def test_run_that_only_repeats_a_failed_attempt_changes_nothing(self, runner: ThreadRunner) -> None:
        data = build_manifest({**SIX, FIRST: WRONG}, urls=runner.otbr.urls)
        assert runner.run(data)["changed"] is True
        repeated = runner.run(data)
        assert (repeated["changed"], find_device(repeated, FIRST)["status"]) == (False, "pending")

    def test_missing_device_without_a_joiner_key_is_pending(self, runner: ThreadRunner) -> None:
        data = build_manifest(FEW, urls=runner.otbr.urls)
        del data["devices"][0]["mesh"]["joiner"]
        result = runner.run(data)
        assert find_device(result, FIRST)["status"] == "pending"
        assert "declares no joiner key" in find_device(result, FIRST)["error"]["message"]
        assert find_device(result, SECOND)["mesh"] == "joined"

    def test_member_without_power_is_lost_and_not_joined(self, runner: ThreadRunner) -> None:
        data = build_manifest(FEW, urls=runner.otbr.urls)
        runner.run(data)
        runner.otbr.change_node(FIRST, powered=False)
        device = find_device(runner.run(data), FIRST)
        assert (device["status"], device["mesh"]) == ("pending", "lost")

    def test_member_without_power_is_not_joined_although_its_parent_lists_it(self, runner: ThreadRunner) -> None:
        data = build_manifest(FEW, urls=runner.otbr.urls[:1])
        runner.run(data)
        address = runner.otbr.node(FIRST)["ext_address"]
        runner.otbr.change_node(FIRST, powered=False)

        def ask(router: BorderRouter, addresses: Any, types: Any) -> Any:
            found = {each: dict(answer) for each, answer in ask_devices(router, addresses, types).items()}
            for answer in found.values():
                answer["children"] = [*answer.get("children", []), {"extAddress": address, "rxOnWhenIdle": True}]
            return found

        with mock.patch(f"{members.__name__}.ask_devices", ask):
            device = find_device(runner.run(data), FIRST)
        assert (device["status"], device["mesh"]) == ("pending", "lost")

    def test_reset_board_joins_again_under_a_new_address(self, runner: ThreadRunner) -> None:
        data = build_manifest(FEW, urls=runner.otbr.urls)
        runner.run(data)
        runner.otbr.change_node(FIRST, reset=True)
        assert find_device(runner.run(data), FIRST)["status"] == "changed"
        assert runner.run(data)["changed"] is False

    def test_sleeping_member_is_known_by_its_parent(self, runner: ThreadRunner) -> None:
        sleeper = "18b43000000000aa"
        runner.otbr.add_nodes([{"eui64": sleeper, "pskd": "S1EEPER", "kind": "sleepy"}])
        data = build_manifest({**FEW, sleeper: "S1EEPER"}, urls=runner.otbr.urls)
        assert find_device(runner.run(data), sleeper)["mesh"] == "joined"
        runner.otbr.change_node(sleeper, poll_seconds=600)
        result = runner.run(data)
        assert (result["changed"], find_device(result, sleeper)["mesh"]) == (False, "joined")


class TestBorderRouterInItsMeasure:
    """The collection keeps to the room of the border router, and survives its restarts."""

    @pytest.mark.parametrize("places", [2, 3])
    def test_more_devices_than_places_join_one_after_the_other(
        self, places: int, make_runner: Callable[[BorderRouters], ThreadRunner]
    ) -> None:
        with running_border_routers(f"--joiners={places}", "--nodes=6") as otbr:
            runner = make_runner(otbr)
            result = runner.run(build_manifest(SIX, urls=otbr.urls))
            assert {device["mesh"] for device in result["devices"]} == {"joined"}
            tasks = otbr.stats()["tasks"]["addThreadDeviceTask"]
            assert tasks <= len(SIX) + 1  # the first task that finds no place shows how many places there are
            assert runner.count_leftovers() == 0

    def test_restart_of_the_border_router_is_survived(self, runner: ThreadRunner) -> None:
        restarts = iter((40, 80))
        moment = next(restarts)

        def restart() -> None:
            nonlocal moment
            if runner.now > moment:
                moment = next(restarts, 1_000_000)
                runner.otbr.change_router("router1", restart=True)

        runner.before_wait = restart
        result = runner.run(build_manifest(SIX, urls=runner.otbr.urls[:1]))
        assert moment == 1_000_000
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert {node["joins"] for node in runner.otbr.nodes()} == {1}
        assert list_network_writes(runner.otbr)["PUT /node/dataset/active"] == 1

    def test_border_router_that_is_away_for_a_minute_is_awaited(self, runner: ThreadRunner) -> None:
        def stop_and_start() -> None:
            if 40 < runner.now < 100:
                runner.otbr.change_router("router1", running=False)
            elif runner.now > 100:
                runner.before_wait = lambda: None
                runner.otbr.change_router("router1", running=True)

        runner.before_wait = stop_and_start
        result = runner.run(build_manifest(SIX, urls=runner.otbr.urls[:1]))
        assert runner.now > 100
        assert {device["mesh"] for device in result["devices"]} == {"joined"}, result

    def test_first_device_is_awaited_while_the_commissioner_starts(self, runner: ThreadRunner) -> None:
        list_joiners = BorderRouter.list_joiners
        first: list[float] = []

        def list_late(router: BorderRouter) -> set[str]:
            first.append(runner.now)
            return list_joiners(router) if runner.now > first[0] + 4 else set()

        with mock.patch.object(BorderRouter, "list_joiners", list_late):
            result = runner.run(build_manifest(SIX, urls=runner.otbr.urls[:1]))
        assert {device["mesh"] for device in result["devices"]} == {"joined"}, result

    def test_time_limit_of_all_devices_leaves_the_others_pending(self, runner: ThreadRunner) -> None:
        runner.otbr.change_node("*", powered=False)
        times = {"joiner_timeout": 20, "commissioning_timeout": 12}
        result = runner.run(build_manifest(SIX, urls=runner.otbr.urls, **times))
        reasons = Counter("was over before it was tried" in each["error"]["message"] for each in result["devices"])
        assert reasons == {False: 4, True: 2}

    def test_border_router_that_does_not_answer_fails_before_the_first_write(self, runner: ThreadRunner) -> None:
        runner.otbr.change_router("router2", running=False)
        result = runner.run(build_manifest(FEW, urls=runner.otbr.urls))
        assert (result["failed"], result["error"]["code"]) == (True, "unreachable")
        assert f"at border router {runner.otbr.urls[1]}" in result["msg"]
        assert runner.otbr.stats()["writes"] == 0


class TestKilledRun:
    """A run that was killed is finished by the next run."""

    @pytest.mark.parametrize("part", range(1, count(quick=3, full=20) + 1))
    def test_next_run_finishes_a_killed_run(self, runner: ThreadRunner, part: int) -> None:
        data = build_manifest(SIX, urls=runner.otbr.urls)
        requests = 6 + part * 120 // count(quick=3, full=20)
        runner.run_until_killed(data, requests)
        result = runner.run(data)
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert {node["joins"] for node in runner.otbr.nodes()} == {1}
        assert list_network_writes(runner.otbr)["PUT /node/dataset/active"] <= 2
        assert runner.count_leftovers() == 0
        assert runner.run(data)["changed"] is False


class TestManyDevices:
    """A hundred devices join through one of two border routers."""

    def test_each_of_a_hundred_devices_has_a_true_outcome(
        self, make_runner: Callable[[BorderRouters], ThreadRunner]
    ) -> None:
        number = count(quick=24, full=100)
        keys = {f"18b43000{each:08x}": f"J01NME{each:04d}" for each in range(1, number + 1)}
        silent, wrong = list(keys)[: number // 10], list(keys)[number // 10 : number // 10 + number // 20]
        with running_border_routers("--routers=2", f"--nodes={number}") as otbr:
            runner = make_runner(otbr)
            for eui64 in silent:
                otbr.change_node(eui64, powered=False)
            data = build_manifest({**keys, **dict.fromkeys(wrong, WRONG)}, urls=otbr.urls)
            result = runner.run(data)
            truth = runner.list_states()
            for device in result["devices"]:
                assert (device["mesh"] == "joined") is (truth[device["identifier"]] == "in")
                assert (device["status"] == "pending") is (device["error"] is not None)
            pending = {device["identifier"] for device in result["devices"] if device["status"] == "pending"}
            # A device that found the border router busy again and again may have had no turn.
            assert pending >= {*silent, *wrong}
            assert len(pending) <= len(silent) + len(wrong) + number // 20
            stats = otbr.stats()
            assert stats["tasks"]["addThreadDeviceTask"] == number
            others = sum(1 for entry in otbr.writes() if "addThreadDeviceTask" not in entry["tasks"])
            assert others <= 4 * number
            assert runner.count_leftovers() == 0
            runner.run(data)
            again = otbr.stats()
            assert again["tasks"]["addThreadDeviceTask"] == number + len(pending)
            assert again["writes"] == stats["writes"] + len(pending)
