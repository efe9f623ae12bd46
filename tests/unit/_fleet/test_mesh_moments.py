# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test after each write of a run between two topologies that a declared network with nodes has a gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import pytest
from fleet_cloud import PRODUCT, ids_of, run, user
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.counts import count
from support.mesh_observer import Membership, MeshObserver
from support.simulator import Simulator, running_simulator

DEVICES = 8
NETWORKS = ("barn", "shed", "mill")
EXAMPLES = count(quick=5, full=500)

Topology = tuple[Membership, ...]

MEMBERSHIPS: st.SearchStrategy[Membership] = st.none() | st.tuples(
    st.sampled_from(NETWORKS), st.sampled_from(["gateway", "node"])
)
DECLARED = st.tuples(*[st.booleans()] * DEVICES)
"""Whether the second manifest declares each device."""


def add_missing_gateways(memberships: Iterable[Membership]) -> Topology:
    """Turn the first node of each network without a gateway into one."""
    found = list(memberships)
    for network in NETWORKS:
        members = [at for at, membership in enumerate(found) if membership is not None and membership[0] == network]
        if members and (network, "gateway") not in found:
            found[members[0]] = (network, "gateway")
    return tuple(found)


TOPOLOGIES = st.tuples(*[MEMBERSHIPS] * DEVICES).map(add_missing_gateways)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(DEVICES), "--mesh", "enabled") as simulator:
        yield simulator


def keep_one_gateway(memberships: Topology) -> Topology:
    """Turn all gateways of a network except the first one into nodes."""
    found = list(memberships)
    for network in NETWORKS:
        for at in [at for at, membership in enumerate(found) if membership == (network, "gateway")][1:]:
            found[at] = (network, "node")
    return tuple(found)


def find_gateways(memberships: Topology) -> dict[str, set[int]]:
    """Find the positions of the gateways of each network that has members."""
    return {
        network: {at for at, membership in enumerate(memberships) if membership == (network, "gateway")}
        for network in {membership[0] for membership in memberships if membership is not None}
    }


def build_manifest(
    ids: list[str],
    topology: Topology,
    backend: str,
    declared_flags: Iterable[bool] = (True,) * DEVICES,
    absent: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    used = {membership[0] for membership in topology if membership is not None}
    networks: dict[str, Any] = {name: {"backend": backend} for name in sorted(used)}
    for network in networks.values():
        if parameters:
            network["parameters"] = dict(parameters)
    networks |= {name: {"backend": backend, "state": "absent"} for name in set(absent) - used}
    devices = [
        {"id": device, "mesh": {"network": membership[0], "role": membership[1]} if membership else {"state": "absent"}}
        for device, membership, is_declared in zip(ids, topology, declared_flags, strict=True)
        if is_declared
    ]
    return {"product": PRODUCT, "networks": networks, "devices": devices}


def assert_gateways_stay(observer: MeshObserver, writes: Iterable[Mapping[str, Any]], declared: Set[str]) -> None:
    """Assert that no network of `declared` has nodes but no gateway after any of `writes`."""
    for write in writes:
        observer.apply_write(write)
        missing = {network for _unused, network in observer.find_networks_without_gateway()}
        assert not missing & declared, (write, observer.find_networks_without_gateway())


def try_run(http: Http, data: Mapping[str, Any]) -> dict[str, Any]:
    """Run a manifest; if the run ends without a result, return its message as one."""
    try:
        return run(http, data)
    except ParticleError as error:
        return {"changed": False, "msg": error.message}


def is_exchange_refused(result: Mapping[str, Any]) -> bool:
    """Return whether a run was refused because no gateway can leave before another one joins."""
    return "change places" in result.get("msg", "")


TWO_GATEWAYS_ALLOWED = {"networks": {"type": "large_site"}, "ledger": None}
"""Parameters with which a network may have two gateways for a moment, by backend."""


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["networks", "ledger"])
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES, second=TOPOLOGIES, declared_flags=DECLARED, absent=st.sets(st.sampled_from(NETWORKS)))
def test_declared_network_with_nodes_always_has_a_gateway(
    cloud: Simulator,
    backend: str,
    first: Topology,
    second: Topology,
    declared_flags: tuple[bool, ...],
    absent: set[str],
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    # Undeclared devices have no membership in the second topology, so that its gateways are declared devices.
    second = add_missing_gateways(
        membership if is_declared else None for membership, is_declared in zip(second, declared_flags, strict=True)
    )
    declared_flags = tuple(
        is_declared or membership is not None for membership, is_declared in zip(second, declared_flags, strict=True)
    )
    observer = MeshObserver(cloud, NETWORKS)
    observer.declared_memberships = dict(zip(ids, first, strict=True))
    with user(cloud) as http:
        run(http, build_manifest(ids, first, backend, parameters=TWO_GATEWAYS_ALLOWED[backend]))
        before = len(cloud.writes())
        assert_gateways_stay(observer, cloud.writes(), set(find_gateways(first)))
        declared = set(find_gateways(second))
        data = build_manifest(ids, second, backend, declared_flags, absent, TWO_GATEWAYS_ALLOWED[backend])
        result = try_run(http, data)
        if is_exchange_refused(result):
            assert len(cloud.writes()) == before
            return
        assert "failed" not in result, result["msg"]
        observer.declared_memberships = dict(zip(ids, second, strict=True))
        assert_gateways_stay(observer, cloud.writes()[before:], declared)
        memberships = observer.registry if backend == "networks" else observer.instructions
        for device, membership, old, is_declared in zip(ids, second, first, declared_flags, strict=True):
            kept = None if old is None or old[0] in absent - declared else old
            assert memberships.get(device) == (membership if is_declared else kept)
        run(http, data)  # deletes the instructions of the devices that have left
        assert run(http, data)["changed"] is False


REFUSAL = {"ok": False, "error": "No."}
REFUSALS = st.lists(
    st.fixed_dictionaries(
        {
            "route": st.sampled_from(
                [
                    "POST /v1/networks",
                    "PUT /v1/networks/:idOrName",
                    "DELETE /v1/devices/:id/network",
                    "PUT /v1/ledgers/:name/instances/:scopeValue",
                    "DELETE /v1/ledgers/:name/instances/:scopeValue",
                    "PUT /v1/products/:p/devices",
                ]
            ),
            "times": st.integers(1, 4),
        }
    ).flatmap(
        lambda fault: st.sampled_from(
            [
                {**fault, "effect": "reset_after"},
                *({**fault, "effect": "status", "status": status, "body": REFUSAL} for status in (400, 403, 404, 409)),
            ]
        )
    ),
    min_size=1,
    max_size=4,
)
"""Refused writes and lost answers."""


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("backend", "parameters"),
    [
        pytest.param("networks", TWO_GATEWAYS_ALLOWED["networks"], id="networks"),
        pytest.param("ledger", None, id="ledger without parameters"),
        pytest.param("ledger", {"channel": 15}, id="ledger with parameters"),
    ],
)
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES, second=TOPOLOGIES, faults=st.tuples(REFUSALS, REFUSALS))
def test_nodes_keep_a_gateway_when_writes_fail_and_runs_are_repeated(
    cloud: Simulator,
    backend: str,
    parameters: dict[str, Any] | None,
    first: Topology,
    second: Topology,
    faults: tuple[list[dict[str, Any]], ...],
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    declared = set(find_gateways(second))
    data = build_manifest(ids, second, backend, parameters=parameters)
    with user(cloud) as http:
        run(http, build_manifest(ids, first, backend, parameters=parameters))
        observer = MeshObserver(cloud, NETWORKS)
        observer.declared_memberships = dict(zip(ids, second, strict=True))
        for refusals in (*faults, []):
            before = len(cloud.writes())
            cloud.set_faults(refusals)
            result = try_run(http, data)
            cloud.clear_faults()
            assert_gateways_stay(observer, cloud.writes()[before:], declared)
        if not is_exchange_refused(result):
            assert "failed" not in result, result["msg"]
            run(http, data)  # deletes the instructions of the devices that have left
            assert run(http, data)["changed"] is False
            memberships = observer.registry if backend == "networks" else observer.instructions
            assert {device: memberships.get(device) for device in ids} == dict(zip(ids, second, strict=True))


@pytest.mark.full
@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES.map(keep_one_gateway), second=TOPOLOGIES.map(keep_one_gateway))
def test_small_network_lacks_a_gateway_only_while_it_is_replaced(
    cloud: Simulator, first: Topology, second: Topology
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    with user(cloud) as http:
        run(http, build_manifest(ids, first, "networks"))
        observer, before = MeshObserver(cloud, NETWORKS), len(cloud.writes())
        result = try_run(http, build_manifest(ids, second, "networks"))
    if is_exchange_refused(result):
        return
    assert "failed" not in result, result["msg"]
    old, new = find_gateways(first), find_gateways(second)
    exchanged = {network for network in old.keys() & new.keys() if old[network] != new[network]}
    assert_gateways_stay(observer, cloud.writes()[before:], new.keys() - exchanged)
    assert observer.find_networks_without_gateway() == set()
    assert observer.registry == {
        device: membership for device, membership in zip(ids, second, strict=True) if membership is not None
    }
