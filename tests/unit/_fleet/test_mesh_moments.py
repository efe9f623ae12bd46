# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""From any topology to any other, seen at every moment through what the cloud has carried out."""

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
from support.simulator import Simulator, running_simulator

DEVICES = 8
NETWORKS = ("barn", "shed", "mill")
EXAMPLES = count(quick=25, full=500)

Seat = tuple[str, str] | None
"""Network and role of a device."""
Topology = tuple[Seat, ...]

SEATS: st.SearchStrategy[Seat] = st.none() | st.tuples(st.sampled_from(NETWORKS), st.sampled_from(["gateway", "node"]))
SAID = st.tuples(*[st.booleans()] * DEVICES)
"""Of which devices the second manifest says anything at all."""


def with_gateways(seats: Iterable[Seat]) -> Topology:
    """The same, where the first node of a network that has no gateway is one."""
    found = list(seats)
    for network in NETWORKS:
        members = [at for at, seat in enumerate(found) if seat is not None and seat[0] == network]
        if members and (network, "gateway") not in found:
            found[members[0]] = (network, "gateway")
    return tuple(found)


TOPOLOGIES = st.tuples(*[SEATS] * DEVICES).map(with_gateways)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(DEVICES), "--mesh", "enabled") as simulator:
        yield simulator


def with_one_gateway(seats: Topology) -> Topology:
    """The same, where all further gateways of a network are nodes."""
    found = list(seats)
    for network in NETWORKS:
        for at in [at for at, seat in enumerate(found) if seat == (network, "gateway")][1:]:
            found[at] = (network, "node")
    return tuple(found)


def gateways_in(seats: Topology) -> dict[str, set[int]]:
    """Which devices are gateways of a network, for each network in use."""
    return {
        network: {at for at, seat in enumerate(seats) if seat == (network, "gateway")}
        for network in {seat[0] for seat in seats if seat is not None}
    }


def manifest(
    ids: list[str],
    topology: Topology,
    backend: str,
    said: Iterable[bool] = (True,) * DEVICES,
    absent: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    used = {seat[0] for seat in topology if seat is not None}
    networks: dict[str, Any] = {name: {"backend": backend} for name in sorted(used)}
    for network in networks.values():
        if parameters:
            network["parameters"] = dict(parameters)
    networks |= {name: {"backend": backend, "state": "absent"} for name in set(absent) - used}
    devices = [
        {"id": device, "mesh": {"network": seat[0], "role": seat[1]} if seat else {"state": "absent"}}
        for device, seat, speaks in zip(ids, topology, said, strict=True)
        if speaks
    ]
    return {"product": PRODUCT, "networks": networks, "devices": devices}


class Watch:
    """Follows the writes of a cloud, and knows after each of them who is in which network."""

    def __init__(self, cloud: Simulator) -> None:
        state = cloud.state()
        self.names = {network["id"]: network["name"] for network in state["networks"]}
        self.registry = {
            device["id"]: (network["name"], device["role"])
            for network in state["networks"]
            for device in network["devices"]
        }
        instances = [
            entry for ledger in state["ledgers"] for entry in (ledger["instances"] if ledger["name"] == "mesh" else ())
        ]
        self.orders: dict[str, Any] = {}
        self.told: dict[str, set[str]] = {}
        for entry in instances:
            self._order(entry["scope_value"], entry["data"])
        self.groups = {device["id"]: set(device["groups"]) for device in state["devices"]}
        self.belongs: Mapping[str, Seat] = {}
        """Where devices are declared to be. Who is on the way elsewhere acts upon what it was told until it goes."""

    def _order(self, device: str, data: Mapping[str, Any]) -> None:
        self.orders[device] = (data["network"], data["role"])
        self.told[device] = set(data["gateways"])

    def follow(self, write: Mapping[str, Any]) -> None:
        path, fields = write["path"], write["fields"]
        match write["route"]:
            case "POST /v1/networks":
                self.names[write["answer"]["network"]["id"]] = fields["name"]
                self.registry[fields["device_id"]] = (fields["name"], "gateway")
            case "PUT /v1/networks/:idOrName":
                role = "gateway" if fields["action"] == "gateway-enable" else "node"
                self.registry[fields["device_id"]] = (self.names[path["idOrName"]], role)
            case "DELETE /v1/networks/:idOrName":
                gone = self.names[path["idOrName"]]
                self.registry = {device: seat for device, seat in self.registry.items() if seat[0] != gone}
            case "DELETE /v1/devices/:id/network":
                self.registry.pop(path["id"], None)
            case "PUT /v1/ledgers/:name/instances/:scopeValue":
                self._order(path["scopeValue"], fields["instance"]["data"])
            case "DELETE /v1/ledgers/:name/instances/:scopeValue":
                self.orders.pop(path["scopeValue"], None)
            case "PUT /v1/products/:p/devices":
                for device in fields["devices"]:
                    self.groups[device] |= set(fields["metadata"].get("add", ()))
                    self.groups[device] -= set(fields["metadata"].get("remove", ()))
            case "DELETE /v1/products/:p/groups/:name":
                for groups in self.groups.values():
                    groups.discard(path["name"])

    def without_gateway(self) -> set[tuple[str, str]]:
        """The networks that have nodes and no gateway, each with where that shows."""
        views = {
            "registry": set(self.registry.values()),
            "orders": set(self.orders.values()),
            "groups": {
                (network, role)
                for groups in self.groups.values()
                for network in NETWORKS
                for role in ("gateway", "node")
                if {f"mesh-{network}", f"mesh-{role}"} <= groups
            },
        }
        alone = {
            (view, network)
            for view, seats in views.items()
            for network, role in seats
            if role == "node" and (network, "gateway") not in seats
        }
        # What a node acts upon are the gateways that it was told.
        gateways = {device for device, (_unused, role) in self.orders.items() if role == "gateway"}
        return alone | {
            ("told", network)
            for device, (network, role) in self.orders.items()
            if self.belongs.get(device) == (network, role)
            and role == "node"
            and not any(self.orders[other][0] == network for other in self.told[device] & gateways)
        }


def assert_never_alone(watch: Watch, writes: Iterable[Mapping[str, Any]], declared: Set[str]) -> None:
    """No network of ``declared`` has nodes and no gateway after any of ``writes``."""
    for write in writes:
        watch.follow(write)
        alone = {network for _unused, network in watch.without_gateway()}
        assert not alone & declared, (write, watch.without_gateway())


def attempt(http: Http, data: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run; of one that ended before it had a result, its words alone."""
    try:
        return run(http, data)
    except ParticleError as error:
        return {"changed": False, "msg": error.message}


def change_places(result: Mapping[str, Any]) -> bool:
    """Whether a run was refused because no gateway could be the first to go."""
    return "change places" in result.get("msg", "")


LARGE = {"networks": {"type": "large_site"}, "ledger": None}
"""What lets a network have two gateways for a moment."""


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["networks", "ledger"])
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES, second=TOPOLOGIES, said=SAID, absent=st.sets(st.sampled_from(NETWORKS)))
def test_no_network_is_ever_left_with_nodes_and_no_gateway_while_one_is_declared(
    cloud: Simulator, backend: str, first: Topology, second: Topology, said: tuple[bool, ...], absent: set[str]
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    # Nothing that is said of nobody may ask for a gateway that is not among those that are spoken of.
    second = with_gateways(seat if speaks else None for seat, speaks in zip(second, said, strict=True))
    said = tuple(speaks or seat is not None for seat, speaks in zip(second, said, strict=True))
    watch = Watch(cloud)
    watch.belongs = dict(zip(ids, first, strict=True))
    with user(cloud) as http:
        run(http, manifest(ids, first, backend, parameters=LARGE[backend]))
        before = len(cloud.writes())
        assert_never_alone(watch, cloud.writes(), set(gateways_in(first)))
        declared = set(gateways_in(second))
        data = manifest(ids, second, backend, said, absent, LARGE[backend])
        result = attempt(http, data)
        if change_places(result):
            assert len(cloud.writes()) == before
            return
        assert "failed" not in result, result["msg"]
        watch.belongs = dict(zip(ids, second, strict=True))
        assert_never_alone(watch, cloud.writes()[before:], declared)
        seats = watch.registry if backend == "networks" else watch.orders
        for device, seat, old, speaks in zip(ids, second, first, said, strict=True):
            stays = None if old is None or old[0] in absent - declared else old
            assert seats.get(device) == (seat if speaks else stays)
        assert run(http, data)["changed"] is False


REFUSED = {"ok": False, "error": "No."}
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
                *({**fault, "effect": "status", "status": status, "body": REFUSED} for status in (400, 403, 404, 409)),
            ]
        )
    ),
    min_size=1,
    max_size=4,
)
"""What the cloud does not do, and answers that are lost."""


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("parameters", [None, {"channel": 15}], ids=["undeclared", "declared"])
@pytest.mark.parametrize("backend", ["networks", "ledger"])
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES, second=TOPOLOGIES, faults=st.tuples(REFUSALS, REFUSALS))
def test_nor_is_one_when_the_cloud_refuses_and_the_run_is_repeated(
    cloud: Simulator,
    backend: str,
    parameters: dict[str, Any] | None,
    first: Topology,
    second: Topology,
    faults: tuple[list[dict[str, Any]], ...],
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    parameters = {**(LARGE[backend] or {}), **({} if backend == "networks" else parameters or {})}
    declared = set(gateways_in(second))
    data = manifest(ids, second, backend, parameters=parameters)
    with user(cloud) as http:
        run(http, manifest(ids, first, backend, parameters=parameters))
        watch = Watch(cloud)
        watch.belongs = dict(zip(ids, second, strict=True))
        for refusals in (*faults, []):
            before = len(cloud.writes())
            cloud.set_faults(refusals)
            result = attempt(http, data)
            cloud.clear_faults()
            assert_never_alone(watch, cloud.writes()[before:], declared)
        if not change_places(result):
            assert "failed" not in result, result["msg"]
            assert run(http, data)["changed"] is False
            seats = watch.registry if backend == "networks" else watch.orders
            assert {device: seats.get(device) for device in ids} == dict(zip(ids, second, strict=True))


@pytest.mark.full
@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES)
@given(first=TOPOLOGIES.map(with_one_gateway), second=TOPOLOGIES.map(with_one_gateway))
def test_a_small_network_is_left_so_only_while_its_one_gateway_is_exchanged(
    cloud: Simulator, first: Topology, second: Topology
) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    with user(cloud) as http:
        run(http, manifest(ids, first, "networks"))
        watch, before = Watch(cloud), len(cloud.writes())
        result = attempt(http, manifest(ids, second, "networks"))
    if change_places(result):
        return
    assert "failed" not in result, result["msg"]
    old, new = gateways_in(first), gateways_in(second)
    exchanged = {network for network in old.keys() & new.keys() if old[network] != new[network]}
    assert_never_alone(watch, cloud.writes()[before:], new.keys() - exchanged)
    assert watch.without_gateway() == set()
    assert watch.registry == {device: seat for device, seat in zip(ids, second, strict=True) if seat is not None}
