# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test mesh networks of both backends in successive runs, and members that join late."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from support.counts import count
from support.playbooks import PlaybookRun
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

NETWORKS = [f"site-{number:02}" for number in range(count(quick=6, full=20))]
GATEWAYS, NODES = 2, 48
SIZE = GATEWAYS + NODES
SPARE = 1
MOVED_NODES = 10

SET_INSTRUCTIONS = "PUT /v1/ledgers/:name/instances/:scopeValue"
BATCH = "PUT /v1/products/:p/devices"


def build_manifest(ids: list[str], backend: str) -> dict[str, Any]:
    """Build a manifest of networks with two gateways each; one device is left over."""
    devices = [
        {
            "id": device,
            "mesh": {"network": NETWORKS[at // SIZE], "role": "gateway" if at % SIZE < GATEWAYS else "node"},
        }
        for at, device in enumerate(ids[: len(NETWORKS) * SIZE])
    ]
    return {"product": PRODUCT_SLUG, "networks": {name: {"backend": backend} for name in NETWORKS}, "devices": devices}


def change_manifest(manifest: Mapping[str, Any], ids: list[str]) -> dict[str, Any]:
    """Move ten nodes from the first network to the second, add a gateway to the third, and remove the last one."""
    data: dict[str, Any] = {**manifest, "networks": dict(manifest["networks"])}
    data["networks"][NETWORKS[-1]] = {**data["networks"][NETWORKS[-1]], "state": "absent"}
    devices = []
    for at, record in enumerate(manifest["devices"]):
        mesh: dict[str, Any] | None = record["mesh"]
        if GATEWAYS <= at < GATEWAYS + MOVED_NODES:
            mesh = {"network": NETWORKS[1]}
        elif at == 2 * SIZE:
            mesh = {"state": "absent"}
        elif at >= (len(NETWORKS) - 1) * SIZE:
            mesh = None
        devices.append({"id": record["id"], **({"mesh": mesh} if mesh else {})})
    devices.append({"id": ids[-1], "mesh": {"network": NETWORKS[2], "role": "gateway"}})
    return {**data, "devices": devices}


def list_changes(result: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """List the id and the changes of each device that changes."""
    return [(device["id"], device["changes"]) for device in result["devices"] if device["changes"]]


def count_predicted_writes(predicted: Mapping[str, Any], backend: str) -> Counter[str]:
    """Count the writes that the result of check mode predicts, in the form of `count_actual_writes`.

    The changes come from the outcomes of the devices, because the diff shows only some of them.
    """
    found = re.search("^remove networks: (.*)$", predicted["diff"]["prepared"], re.MULTILINE)
    removed_networks = found[1].split(", ") if found else []
    writes: Counter[str] = Counter()
    groups: set[tuple[str, str]] = set()
    for device, changes in list_changes(predicted):
        old, new = (changes.get("mesh", {}).get(side) for side in ("before", "after"))
        if "product" in changes:
            groups.add(("import", ""))
        if backend == "networks":
            if old and old["network"] not in removed_networks:
                writes[f"DELETE /v1/devices/:id/network {device}"] += 1
            if new:
                writes[f"PUT /v1/networks/:idOrName add-device {device}"] += 1
                if new["role"] == "gateway":
                    writes[f"PUT /v1/networks/:idOrName gateway-enable {device}"] += 1
            continue
        writes[f"{SET_INSTRUCTIONS} {device}"] += 1  # also for a device that leaves, as the order to do so
        for change, here, there in (("add", new, old), ("remove", old, new)):
            for key in ("network", "role"):
                if here and (there is None or here[key] != there[key]) and here[key] not in removed_networks:
                    groups.add((change, here[key]))
    imports = ("import", "") in groups
    writes["POST /v1/products/:p/devices"] = int(imports)
    writes[BATCH] = len(groups) - imports
    for name in removed_networks:
        writes["DELETE /v1/networks/:idOrName" if backend == "networks" else f"DELETE group mesh-{name}"] += 1
    return +writes


def count_actual_writes(writes: list[dict[str, Any]]) -> Counter[str]:
    """Count the writes that the cloud has carried out, in the form of `count_predicted_writes`."""
    counts: Counter[str] = Counter()
    for write in writes:
        route, path, fields = write["route"], write["path"], write["fields"]
        device = fields.get("device_id") or path.get("scopeValue") or path.get("id") or ""
        if route == "DELETE /v1/products/:p/groups/:name":
            counts[f"DELETE group {path['name']}"] += 1
        else:
            counts[" ".join(filter(None, [route, fields.get("action") if "device_id" in fields else "", device]))] += 1
    return counts


@dataclass(frozen=True)
class Runs:
    """The results of three runs, the third of which has a changed manifest, and the writes of the third."""

    backend: str
    ids: list[str]
    first: dict[str, Any]
    second: dict[str, Any]
    changing_writes: list[dict[str, Any]]
    predicted: dict[str, Any]
    changing: dict[str, Any]
    state: dict[str, Any]


@pytest.fixture(scope="module", params=["networks", "ledger"])
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    with running_simulator("--fleet", str(len(NETWORKS) * SIZE + SPARE), "--mesh", "enabled") as cloud:
        ids = sorted(str(device["id"]) for device in cloud.state()["devices"])
        env = cloud_environment(cloud.url)

        def fleet(manifest: Mapping[str, Any], *args: str) -> dict[str, Any]:
            options = {"manifest": dict(manifest), "verify": "online", "result": "all"}
            return run_task("fleet", options, env, *args).succeeded().result(TASK)

        manifest = build_manifest(ids, request.param)
        first, second = fleet(manifest), fleet(manifest)
        changed = change_manifest(manifest, ids)
        before = len(cloud.writes())
        predicted, changing = fleet(changed, "--check", "--diff"), fleet(changed, "--diff")
        yield Runs(request.param, ids, first, second, cloud.writes()[before:], predicted, changing, cloud.state())


def test_first_run_forms_all_networks(runs: Runs) -> None:
    formed = {"gateways": GATEWAYS, "nodes": NODES, "joined": SIZE, "pending": 0, "lost": 0}
    assert runs.first["networks"] == dict.fromkeys(NETWORKS, formed)
    assert runs.first["summary"]["changed"] == len(NETWORKS) * SIZE
    assert {device["mesh"] for device in runs.first["devices"]} == {"joined"}


def test_first_run_takes_about_one_request_per_member(runs: Runs) -> None:
    members, groups = len(NETWORKS) * SIZE, len(NETWORKS) + 2
    assert runs.first["cloud"]["requests"] <= 1.10 * members + 2 * groups + 2 * len(NETWORKS) + 20


def test_second_run_writes_nothing(runs: Runs) -> None:
    assert (runs.second["changed"], runs.second["cloud"]["writes"]) == (False, 0)
    assert {device["mesh"] for device in runs.second["devices"]} == {"joined"}


def test_changing_run_makes_exactly_the_predicted_writes(runs: Runs) -> None:
    certain = re.sub("^uncertain for .*\n", "", runs.predicted["diff"]["prepared"], flags=re.MULTILINE)
    assert certain == runs.changing["diff"]["prepared"]
    assert list_changes(runs.predicted) == list_changes(runs.changing)
    assert count_actual_writes(runs.changing_writes) == count_predicted_writes(runs.predicted, runs.backend)
    assert runs.changing["cloud"]["writes"] == len(runs.changing_writes)


def test_changed_networks_are_as_declared_and_joined(runs: Runs) -> None:
    size = dict.fromkeys(NETWORKS, SIZE)
    size |= {NETWORKS[0]: SIZE - MOVED_NODES, NETWORKS[1]: SIZE + MOVED_NODES, NETWORKS[-1]: 0}
    assert {name: network["joined"] for name, network in runs.changing["networks"].items()} == size
    assert {device["mesh"] for device in runs.changing["devices"]} == {"joined", None}
    if runs.backend == "networks":
        assert {network["name"] for network in runs.state["networks"]} == set(NETWORKS[:-1])
    else:
        (product,) = (product for product in runs.state["products"] if product["slug"] == PRODUCT_SLUG)
        assert f"mesh-{NETWORKS[-1]}" not in product["groups"]


LATE_SIZE = count(quick=120, full=300)
"""Devices of a network in which 5 % join slowly, and 2 % never."""


@pytest.fixture
def slow_cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(LATE_SIZE), "--slow-joiners", "0.05") as simulator:
        yield simulator


def provision_network(cloud: Simulator, ids: list[str], backend: str = "ledger", **options: Any) -> PlaybookRun:
    devices = [
        {"id": device, "mesh": {"network": "barn", "role": "node" if at >= GATEWAYS else "gateway"}}
        for at, device in enumerate(ids)
    ]
    manifest = {"product": PRODUCT_SLUG, "networks": {"barn": {"backend": backend}}, "devices": devices}
    all_options = {"verify": "online", "verify_timeout": 1, **options}
    return run_task("fleet", {"manifest": manifest, **all_options}, cloud_environment(cloud.url))


def list_unjoined(run: PlaybookRun) -> set[str]:
    return {device["id"] for device in run.result(TASK)["devices"] if device["mesh"] != "joined"}


def list_failed(run: PlaybookRun) -> set[str]:
    return {device["id"] for device in run.result(TASK)["devices"] if device["status"] == "failed"}


def list_reported_unjoined(cloud: Simulator, ids: list[str]) -> set[str]:
    """List the devices that do not report the state joined in the status ledger."""
    (reports,) = (ledger for ledger in cloud.state()["ledgers"] if ledger["name"] == "mesh-status")
    return set(ids) - {entry["scope_value"] for entry in reports["instances"] if entry["data"]["state"] == "joined"}


def test_late_members_are_pending_and_fail_only_a_strict_run(slow_cloud: Simulator) -> None:
    ids = [str(device["id"]) for device in slow_cloud.state()["devices"]]
    never = set(ids[GATEWAYS :: LATE_SIZE // 6])
    for device in never:
        slow_cloud.change_device(device, online=False)

    lenient = provision_network(slow_cloud, ids)
    assert lenient.rc == 0, lenient.output
    late = list_reported_unjoined(slow_cloud, ids)
    assert late > never
    assert list_unjoined(lenient) == late
    assert lenient.result(TASK)["summary"]["pending"] == len(late)

    strict = provision_network(slow_cloud, ids, verify_strict=True)
    assert strict.rc != 0
    # Slow members can join during the verification, so the run may list them or not.
    assert list_reported_unjoined(slow_cloud, ids) <= list_failed(strict) == list_unjoined(strict) <= late
    assert strict.result(TASK)["error"]["code"] == "device_offline"

    slow_cloud.advance(300)
    final = provision_network(slow_cloud, ids, verify_timeout=0)
    assert (final.rc, list_unjoined(final)) == (0, never)
    assert final.result(TASK)["networks"]["barn"]["pending"] == len(never)


def test_unconfirmed_registry_members_fail_only_a_strict_run() -> None:
    with running_simulator("--fleet", "30", "--mesh", "enabled") as cloud:
        ids = [str(device["id"]) for device in cloud.state()["devices"]]
        offline = set(ids[GATEWAYS::10])
        for device in offline:
            cloud.change_device(device, online=False)

        lenient = provision_network(cloud, ids, "networks")
        assert (lenient.rc, list_unjoined(lenient)) == (0, offline), lenient.output
        strict = provision_network(cloud, ids, "networks", verify_strict=True)
        assert (strict.rc != 0, list_failed(strict)) == (True, offline)

        for device in offline:
            cloud.change_device(device, online=True)
        assert list_unjoined(provision_network(cloud, ids, "networks", verify_strict=True).succeeded()) == set()
