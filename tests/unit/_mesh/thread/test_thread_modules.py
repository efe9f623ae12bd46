# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The modules thread_network and thread_network_info manage and show one Thread network without a Particle account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.action.thread_network import ActionModule
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.modules import thread_network as network
from ansible_collections.meshfleet.particle.plugins.modules import thread_network_info as info
from support.thread_networks import KEY, ROUTER, ThreadRunner

SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}
FIRST, *_OTHERS = SIX
WRONG_KEY = "not-a-key-0011223344"
WRONG_PSKD = "wr0ngpskd"


def build_options(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a task as Ansible passes them, with their default values."""
    validation = ArgumentSpecValidator(dict(spec)).validate(dict(options))
    assert validation.error_messages == []
    return validation.validated_parameters


def list_routers(urls: Sequence[str]) -> list[dict[str, Any]]:
    return [{"url": url} for url in urls]


def list_members(keys: Mapping[str, str] = SIX) -> list[dict[str, Any]]:
    return [{"eui64": eui64, "joiner": pskd} for eui64, pskd in keys.items()]


def run_network(runner: ThreadRunner, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Return the result of module `thread_network` for network barn."""
    given = {"name": "barn", "border_routers": list_routers(runner.otbr.urls), **options}
    given = {"verify": "online", "verify_timeout": 0, **given}
    task = Task(build_options(network.SPEC, given), check_mode, runner.shown.append, runner.shown.append)
    task.diff_mode, task.environment = True, {"HOME": str(runner.home)}
    action = ActionModule.__new__(ActionModule)  # the work needs nothing but the task
    return carry_out_work(task, action.work)


def run_info(runner: ThreadRunner, urls: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the result of module `thread_network_info` for network barn."""
    monkeypatch.setattr(info, "ThreadBackend", lambda options: runner.build_row().open(options))
    given = {"name": "barn", "border_routers": list_routers(urls)}
    task = Task(build_options(info.SPEC, given), False, runner.shown.append, runner.shown.append)
    return carry_out_work(task, info.thread_network_info)


@pytest.fixture
def formed(runner: ThreadRunner) -> ThreadRunner:
    """Return a runner whose network has six members."""
    result = run_network(runner, members=list_members())
    assert not result.get("failed"), result
    return runner


class TestThreadNetwork:
    def test_declared_boards_join_and_a_second_run_writes_nothing(self, runner: ThreadRunner) -> None:
        first = run_network(runner, members=list_members(), parameters={"channel": 15})
        assert (first["changed"], first["summary"]["changed"]) == (True, 6), first
        assert [(member["eui64"], member["mesh"]) for member in first["members"]] == [(one, "joined") for one in SIX]
        assert set(runner.list_states().values()) == {"in"}
        before = runner.otbr.stats()["writes"]
        second = run_network(runner, members=list_members(), parameters={"channel": 15})
        assert (second["changed"], second["summary"]["ok"], second["network"]["joined"]) == (False, 6, 6)
        assert runner.otbr.stats()["writes"] == before

    def test_check_mode_shows_the_changes_and_writes_nothing(self, runner: ThreadRunner) -> None:
        result = run_network(runner, check_mode=True, members=list_members(), parameters={"channel": 15})
        assert (result["changed"], {member["status"] for member in result["members"]}) == (True, {"changed"})
        assert "barn" in result["diff"]["prepared"]
        assert runner.otbr.stats()["writes"] == 0

    def test_change_of_the_channel_keeps_the_members(self, formed: ThreadRunner) -> None:
        result = run_network(formed, parameters={"channel": 20}, change_delay=60)
        assert result["changed"] is True, result
        assert {row["dataset"]["channel"] for row in formed.otbr.routers()} == {20}
        assert set(formed.list_states().values()) == {"in"}

    def test_all_mistakes_are_reported_together_without_a_secret(self, runner: ThreadRunner) -> None:
        members = [{"eui64": FIRST, "joiner": WRONG_PSKD}, {"eui64": 1, "joiner": 123456}]
        result = run_network(runner, members=members, parameters={"channel": 30, "network_key": WRONG_KEY})
        assert result["error"]["code"] == "invalid_manifest"
        for place in ("parameters.channel", "parameters.network_key", "members[0].joiner", "members[1].eui64"):
            assert place in result["msg"]
        assert not any(secret in repr((result, runner.shown)) for secret in (WRONG_KEY, WRONG_PSKD, "123456"))
        assert runner.otbr.stats()["requests"] == 0

    def test_absent_network_that_still_exists_is_refused(self, formed: ThreadRunner) -> None:
        result = run_network(formed, state="absent")
        assert result["error"]["code"] == "conflict"
        assert "barn: cannot be dissolved over its border routers" in result["msg"]

    def test_members_of_an_absent_network_are_a_mistake(self, runner: ThreadRunner) -> None:
        result = run_network(runner, members=list_members(), state="absent")
        assert result["error"]["code"] == "invalid_manifest"
        assert "members[0]: barn is declared with state absent" in result["msg"]

    def test_absent_network_that_does_not_exist_needs_no_change(self, runner: ThreadRunner) -> None:
        result = run_network(runner, state="absent")
        assert (result.get("failed"), result["changed"]) == (None, False), result

    def test_board_with_another_key_is_pending_with_the_reason(self, runner: ThreadRunner) -> None:
        result = run_network(runner, members=list_members({FIRST: "WR0NGKEY"}), joiner_timeout=60)
        (member,) = result["members"]
        assert (member["status"], member["error"]["code"]) == ("pending", "joiner_refused")

    def test_keys_are_shown_nowhere(self, runner: ThreadRunner) -> None:
        result = run_network(runner, members=list_members(), parameters={"network_key": KEY})
        pskc = [row["dataset"]["pskc"] for row in runner.otbr.routers()]
        shown = repr((result, runner.shown))
        assert [secret for secret in (KEY, KEY.upper(), *SIX.values(), *pskc) if secret in shown] == []
        files = [path.read_text() for path in runner.home.rglob("*") if path.is_file()]
        assert [secret for secret in (KEY, *SIX.values(), *pskc) if secret in repr(files)] == []


class TestThreadNetworkInfo:
    def test_members_are_shown_with_parent_and_link(
        self, formed: ThreadRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = run_info(formed, formed.otbr.urls, monkeypatch)
        assert not result.get("failed"), result
        assert ([member["eui64"] for member in result["members"]], result["count"]) == ([*SIX], 6)
        truth = {row["ext_address"]: row["eui64"] for row in (*formed.otbr.nodes(), *formed.otbr.routers())}
        parents = {node["eui64"]: node["parent"] for node in formed.otbr.nodes()}
        for member in result["members"]:
            parent = parents[member["eui64"]]
            assert member["parent"] in ((None,) if parent is None else (parent, truth[parent]))
            assert (member["link_quality"] is None) is (member["rssi"] is None) is (parent is None)

    def test_settings_are_those_of_the_network_without_its_keys(
        self, formed: ThreadRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = run_info(formed, formed.otbr.urls, monkeypatch)
        dataset = formed.otbr.routers()[0]["dataset"]
        assert result["network"].keys() == {"network_name", "channel", "pan_id", "extended_pan_id"}
        assert result["network"]["extended_pan_id"] == dataset["extPanId"].lower()
        assert {row["extended_pan_id"] for row in result["border_routers"]} == {result["network"]["extended_pan_id"]}
        shown = repr((result, formed.shown)).lower()
        assert [secret for secret in (dataset["networkKey"], dataset["pskc"]) if secret.lower() in shown] == []

    def test_network_that_does_not_exist_is_shown_as_none(
        self, runner: ThreadRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = run_info(runner, runner.otbr.urls, monkeypatch)
        assert (result["network"], result["members"], result["count"]) == (None, [], 0)
        assert {row["state"] for row in result["border_routers"]} == {"disabled"}

    def test_second_border_router_is_used_if_the_first_is_down(
        self, formed: ThreadRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urls = formed.otbr.urls
        formed.otbr.change_router("router1", running=False)
        result = run_info(formed, urls, monkeypatch)
        down, running = result["border_routers"]
        assert (down["state"], running["error"], result["count"]) == (None, None, 6)
        assert f"at border router {urls[0]}" in down["error"]
        assert down["error"] in formed.shown

    def test_network_is_unreachable_only_if_no_border_router_answers(
        self, runner: ThreadRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urls = runner.otbr.urls
        for name in ("router1", "router2"):
            runner.otbr.change_router(name, running=False)
        result = run_info(runner, urls, monkeypatch)
        assert result["error"]["code"] == "unreachable"

    def test_password_of_a_proxy_is_shown_nowhere(self) -> None:
        shown: list[str] = []
        routers = [{"url": f"{ROUTER}/x?", "username": "jane", "password": "pr0xypass"}]
        options = build_options(info.SPEC, {"name": "Barn 1", "border_routers": routers})
        result = carry_out_work(Task(options, False, shown.append, shown.append), info.thread_network_info)
        assert result["error"]["code"] == "invalid_option"
        assert "name: is not a valid network name" in result["msg"]
        assert "pr0xypass" not in repr((result, shown))
