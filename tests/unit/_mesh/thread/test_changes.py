# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A running network is changed as a whole, its members stay, and its keys are never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.otbr import BorderRouters, running_border_routers
from support.thread_networks import KEY, Killed, ThreadRunner, build_manifest

SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}
GENERATIONS = ("middle", "current", "newer")


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> Iterator[BorderRouters]:
    """Run two border routers of one generation of the API."""
    with running_border_routers("--routers=2", "--nodes=6", f"--generation={request.param}") as otbr:
        yield otbr


def list_keys(otbr: BorderRouters) -> list[str]:
    """Return the keys of all networks, in both spellings of hexadecimal digits."""
    datasets = [router["dataset"] for router in otbr.routers() if router["dataset"]]
    keys = [dataset[name] for dataset in datasets for name in ("networkKey", "pskc")]
    return [spelling for key in keys for spelling in (key.lower(), key.upper())]


def kill_while_waiting(runner: ThreadRunner, data: dict[str, Any]) -> None:
    """Reconcile a manifest, and kill the process when a change of the network is pending."""

    def die_while_pending() -> None:
        if any(router["pending"] for router in runner.otbr.routers()):
            raise Killed

    runner.before_wait = die_while_pending
    with pytest.raises(Killed):
        runner.run(data)
    runner.before_wait = lambda: None


def test_channel_and_name_change_and_all_members_stay(
    generation: BorderRouters, make_runner: Callable[[BorderRouters], ThreadRunner]
) -> None:
    runner = make_runner(generation)
    data = build_manifest(SIX, urls=generation.urls, parameters={"channel": 15})
    runner.run(data)
    before = [router["dataset"] for router in generation.routers()]
    data["networks"]["barn"]["parameters"] = {"channel": 21, "network_name": "shed"}
    check = runner.run(data, check_mode=True)
    assert check["diff"].changed == {"thread parameters": ("barn: channel, network_name",)}
    result = runner.run(data)
    assert not result.get("failed"), result
    after = [router["dataset"] for router in generation.routers()]
    changed = {"activeTimestamp", "channel", "networkName"}
    for old, new in zip(before, after, strict=True):
        assert {key for key in new if new[key] != old[key]} == changed
    assert {(node["state"], node["network"]) for node in generation.nodes()} == {("in", "shed")}
    assert runner.run(data)["changed"] is False
    (pending,) = [entry for entry in generation.writes() if entry["route"] == "PUT /node/dataset/pending"]
    assert '"delay":300000' in pending["body"]


def test_second_change_while_one_is_pending_is_refused(runner: ThreadRunner) -> None:
    data = build_manifest({}, urls=runner.otbr.urls, parameters={"channel": 15})
    runner.run(data)
    data["networks"]["barn"]["parameters"] = {"channel": 21}
    kill_while_waiting(runner, data)
    data["networks"]["barn"]["parameters"] = {"channel": 22}
    result = runner.run(data)
    assert result["failed"] is True
    assert "another change of this network takes effect in" in result["msg"]


def test_change_of_a_killed_run_is_awaited_and_not_repeated(runner: ThreadRunner) -> None:
    data = build_manifest({}, urls=runner.otbr.urls, parameters={"channel": 15})
    runner.run(data)
    data["networks"]["barn"]["parameters"] = {"channel": 21}
    kill_while_waiting(runner, data)
    result = runner.run(data)
    assert not result.get("failed"), result
    assert {router["dataset"]["channel"] for router in runner.otbr.routers()} == {21}
    assert [entry["route"] for entry in runner.otbr.writes()].count("PUT /node/dataset/pending") == 1


def test_old_border_router_forms_and_changes_a_network_without_members(
    make_runner: Callable[[BorderRouters], ThreadRunner],
) -> None:
    with running_border_routers("--generation=old") as otbr:
        runner = make_runner(otbr)
        data = build_manifest({}, urls=otbr.urls, parameters={"channel": 15, "pan_id": "4F2A"})
        runner.run(data)
        data["networks"]["barn"]["parameters"]["channel"] = 21
        result = runner.run(data)
        assert not result.get("failed"), result
        (router,) = otbr.routers()
        assert (router["dataset"]["channel"], router["dataset"]["panId"]) == (21, 0x4F2A)
        assert runner.run(data)["changed"] is False


def test_keys_are_in_no_result_message_or_file(runner: ThreadRunner, tmp_path: Path) -> None:
    key = KEY[::-1]
    wrong = "WR0NGKEY"
    data = build_manifest({**SIX, next(iter(SIX)): wrong}, urls=runner.otbr.urls, parameters={"network_key": key})
    shown: list[Any] = [runner.run(data, check_mode=True), runner.run(data), runner.run(data)]
    data["networks"]["barn"]["parameters"]["channel"] = 12
    shown += [runner.run(data, check_mode=True), runner.run(data)]
    data["networks"]["barn"]["parameters"]["network_key"] = KEY  # which is refused
    shown += [runner.run(data), runner.shown]
    text = repr(shown) + "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    secrets = [key, key.upper(), KEY, KEY.upper(), wrong, *SIX.values(), *list_keys(runner.otbr)]
    assert [secret for secret in secrets if secret in text] == []


def test_addresses_are_kept_in_a_private_file(runner: ThreadRunner, tmp_path: Path) -> None:
    data = build_manifest(SIX, urls=runner.otbr.urls)
    runner.run(data)
    (file,) = tmp_path.rglob("thread-members.json")
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("damaged")
    result = runner.run(data)
    assert result["changed"] is False
    assert {device["mesh"] for device in result["devices"]} == {"joined"}


def test_foreign_commissioner_is_respected(runner: ThreadRunner) -> None:
    one, *_unused = runner.otbr.urls
    runner.run(build_manifest({}, urls=[one]))
    answer = runner.put(f"{one}/node/commissioner/state", '"enable"')
    assert answer == 200
    result = runner.run(build_manifest(SIX, urls=[one]))
    assert "another program lets devices join" in result["msg"]
