# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Twenty networks of fifty, on either backend: from nothing to all joined, changed, and proved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from support.playbooks import PlaybookRun
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

NETWORKS = [f"site-{number:02}" for number in range(20)]
GATEWAYS, NODES = 2, 48
SIZE = GATEWAYS + NODES
SPARE = 1
MOVED = 10

SET_ORDERS = "PUT /v1/ledgers/:name/instances/:scopeValue"
REMOVE_ORDERS = "DELETE /v1/ledgers/:name/instances/:scopeValue"
BATCH = "PUT /v1/products/:p/devices"


def declared(ids: list[str], backend: str) -> dict[str, Any]:
    """Twenty networks, each with two gateways; one device is left over."""
    devices = [
        {
            "id": device,
            "mesh": {"network": NETWORKS[at // SIZE], "role": "gateway" if at % SIZE < GATEWAYS else "node"},
        }
        for at, device in enumerate(ids[: len(NETWORKS) * SIZE])
    ]
    return {"product": PRODUCT_SLUG, "networks": {name: {"backend": backend} for name in NETWORKS}, "devices": devices}


def changed(manifest: Mapping[str, Any], ids: list[str]) -> dict[str, Any]:
    """Ten nodes move from the first network to the second, the third gets another gateway, the last one goes."""
    data: dict[str, Any] = {**manifest, "networks": dict(manifest["networks"])}
    data["networks"][NETWORKS[-1]] = {**data["networks"][NETWORKS[-1]], "state": "absent"}
    devices = []
    for at, record in enumerate(manifest["devices"]):
        mesh: dict[str, Any] | None = record["mesh"]
        if GATEWAYS <= at < GATEWAYS + MOVED:
            mesh = {"network": NETWORKS[1]}
        elif at == 2 * SIZE:
            mesh = {"state": "absent"}
        elif at >= (len(NETWORKS) - 1) * SIZE:
            mesh = None
        devices.append({"id": record["id"], **({"mesh": mesh} if mesh else {})})
    devices.append({"id": ids[-1], "mesh": {"network": NETWORKS[2], "role": "gateway"}})
    return {**data, "devices": devices}


def printed(diff: Mapping[str, Any], backend: str) -> Counter[str]:
    """The writes that a difference stands for, one by one."""
    before, after = diff["before"], diff["after"]
    gone = set(before.get("networks", ()))
    writes: Counter[str] = Counter()
    groups: set[tuple[str, str]] = set()
    for device in before.keys() - {"networks", "groups"}:
        was, becomes = before[device].get("mesh"), after[device].get("mesh")
        if "product" in after[device]:
            groups.add(("import", ""))
        if backend == "networks":
            if was and was["network"] not in gone:
                writes[f"DELETE /v1/devices/:id/network {device}"] += 1
            if becomes:
                writes[f"PUT /v1/networks/:idOrName add-device {device}"] += 1
                if becomes["role"] == "gateway":
                    writes[f"PUT /v1/networks/:idOrName gateway-enable {device}"] += 1
            continue
        leaves = "mesh" in after[device] and becomes is None
        writes[f"{REMOVE_ORDERS if leaves else SET_ORDERS} {device}"] += 1
        for change, here, there in (("add", becomes, was), ("remove", was, becomes)):
            for key in ("network", "role"):
                if here and (there is None or here[key] != there[key]) and here[key] not in gone:
                    groups.add((change, here[key]))
    imports = ("import", "") in groups
    writes["POST /v1/products/:p/devices"] = int(imports)
    writes[BATCH] = len(groups) - imports
    for name in gone:
        writes["DELETE /v1/networks/:idOrName" if backend == "networks" else f"DELETE group mesh-{name}"] += 1
    return +writes


def carried_out(writes: list[dict[str, Any]]) -> Counter[str]:
    """What the cloud has done, in the same words."""
    words: Counter[str] = Counter()
    for write in writes:
        route, path, fields = write["route"], write["path"], write["fields"]
        who = fields.get("device_id") or path.get("scopeValue") or path.get("id") or ""
        if route == "DELETE /v1/products/:p/groups/:name":
            words[f"DELETE group {path['name']}"] += 1
        else:
            words[" ".join(filter(None, [route, fields.get("action") if "device_id" in fields else "", who]))] += 1
    return words


@dataclass(frozen=True)
class Story:
    """Three runs, with what the cloud has carried out in each."""

    backend: str
    ids: list[str]
    first: dict[str, Any]
    second: dict[str, Any]
    third_writes: list[dict[str, Any]]
    predicted: dict[str, Any]
    third: dict[str, Any]
    state: dict[str, Any]


@pytest.fixture(scope="module", params=["networks", "ledger"])
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    with running_simulator("--fleet", str(len(NETWORKS) * SIZE + SPARE), "--mesh", "enabled") as cloud:
        ids = sorted(str(device["id"]) for device in cloud.state()["devices"])
        env = cloud_environment(cloud.url)

        def fleet(manifest: Mapping[str, Any], *args: str) -> dict[str, Any]:
            options = {"manifest": dict(manifest), "verify": "online"}
            return run_task("fleet", options, env, *args).succeeded().result(TASK)

        manifest = declared(ids, request.param)
        first, second = fleet(manifest), fleet(manifest)
        other = changed(manifest, ids)
        before = len(cloud.writes())
        predicted, third = fleet(other, "--check", "--diff"), fleet(other, "--diff")
        yield Story(request.param, ids, first, second, cloud.writes()[before:], predicted, third, cloud.state())


def test_all_networks_form_from_nothing(story: Story) -> None:
    formed = {"gateways": GATEWAYS, "nodes": NODES, "joined": SIZE, "pending": 0, "lost": 0}
    assert story.first["networks"] == dict.fromkeys(NETWORKS, formed)
    assert story.first["summary"]["changed"] == len(NETWORKS) * SIZE
    assert {device["mesh"] for device in story.first["devices"]} == {"joined"}


def test_it_takes_about_a_request_for_each_member(story: Story) -> None:
    members, groups = len(NETWORKS) * SIZE, len(NETWORKS) + 2
    assert story.first["cloud"]["requests"] <= 1.10 * members + 2 * groups + 2 * len(NETWORKS) + 20


def test_the_second_run_writes_nothing(story: Story) -> None:
    assert (story.second["changed"], story.second["cloud"]["writes"]) == (False, 0)
    assert {device["mesh"] for device in story.second["devices"]} == {"joined"}


def test_the_third_run_makes_exactly_the_writes_that_the_plan_has_printed(story: Story) -> None:
    assert story.predicted["diff"] == story.third["diff"]
    assert carried_out(story.third_writes) == printed(story.predicted["diff"], story.backend)
    assert story.third["cloud"]["writes"] == len(story.third_writes)


def test_what_has_changed_is_as_declared_and_joined(story: Story) -> None:
    size = dict.fromkeys(NETWORKS, SIZE)
    size |= {NETWORKS[0]: SIZE - MOVED, NETWORKS[1]: SIZE + MOVED, NETWORKS[-1]: 0}
    assert {name: network["joined"] for name, network in story.third["networks"].items()} == size
    assert {device["mesh"] for device in story.third["devices"]} == {"joined", None}
    if story.backend == "networks":
        assert {network["name"] for network in story.state["networks"]} == set(NETWORKS[:-1])
    else:
        (product,) = (product for product in story.state["products"] if product["slug"] == PRODUCT_SLUG)
        assert f"mesh-{NETWORKS[-1]}" not in product["groups"]


LATE_NETWORK = 300
"""Devices of a network in which five in a hundred join slowly, and two in a hundred never."""


@pytest.fixture
def tardy() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(LATE_NETWORK), "--slow-joiners", "0.05") as simulator:
        yield simulator


def one_network(cloud: Simulator, ids: list[str], backend: str = "ledger", **options: Any) -> PlaybookRun:
    devices = [
        {"id": device, "mesh": {"network": "barn", "role": "node" if at >= GATEWAYS else "gateway"}}
        for at, device in enumerate(ids)
    ]
    manifest = {"product": PRODUCT_SLUG, "networks": {"barn": {"backend": backend}}, "devices": devices}
    more = {"verify": "online", "verify_timeout": 1, **options}
    return run_task("fleet", {"manifest": manifest, **more}, cloud_environment(cloud.url))


def not_joined(run: PlaybookRun) -> set[str]:
    return {device["id"] for device in run.result(TASK)["devices"] if device["mesh"] != "joined"}


def failed(run: PlaybookRun) -> set[str]:
    return {device["id"] for device in run.result(TASK)["devices"] if device["status"] == "failed"}


def out(cloud: Simulator, ids: list[str]) -> set[str]:
    """Those who are not in the mesh, by what the devices themselves report."""
    (reports,) = (ledger for ledger in cloud.state()["ledgers"] if ledger["name"] == "mesh-status")
    return set(ids) - {entry["scope_value"] for entry in reports["instances"] if entry["data"]["state"] == "joined"}


def test_who_has_not_joined_in_time_is_named_and_fails_the_run_only_when_it_is_strict(tardy: Simulator) -> None:
    ids = [str(device["id"]) for device in tardy.state()["devices"]]
    never = set(ids[GATEWAYS :: LATE_NETWORK // 6])
    for device in never:
        tardy.change_device(device, online=False)

    lenient = one_network(tardy, ids)
    assert lenient.rc == 0, lenient.output
    late = out(tardy, ids)
    assert late > never
    assert not_joined(lenient) == late
    assert lenient.result(TASK)["summary"]["pending"] == len(late)

    strict = one_network(tardy, ids, verify_strict=True)
    assert strict.rc != 0
    # Who is slow may come while the run looks, and is named or not.
    assert out(tardy, ids) <= failed(strict) == not_joined(strict) <= late
    assert strict.result(TASK)["error"]["code"] == "device_offline"

    tardy.advance(300)
    last = one_network(tardy, ids, verify_timeout=0)
    assert (last.rc, not_joined(last)) == (0, never)
    assert last.result(TASK)["networks"]["barn"]["pending"] == len(never)


def test_whom_the_registry_has_not_confirmed_in_time_is_named_likewise() -> None:
    with running_simulator("--fleet", "30", "--mesh", "enabled") as cloud:
        ids = [str(device["id"]) for device in cloud.state()["devices"]]
        asleep = set(ids[GATEWAYS::10])
        for device in asleep:
            cloud.change_device(device, online=False)

        lenient = one_network(cloud, ids, "networks")
        assert (lenient.rc, not_joined(lenient)) == (0, asleep), lenient.output
        strict = one_network(cloud, ids, "networks", verify_strict=True)
        assert (strict.rc != 0, failed(strict)) == (True, asleep)

        for device in asleep:
            cloud.change_device(device, online=True)
        assert not_joined(one_network(cloud, ids, "networks", verify_strict=True).succeeded()) == set()
