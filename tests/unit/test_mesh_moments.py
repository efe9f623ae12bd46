# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""From any topology to any other, seen at every moment through what the cloud has carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from fleet_cloud import PRODUCT, ids_of, run, user
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
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


def manifest(ids: list[str], topology: Topology, backend: str, said: Iterable[bool], absent: set[str]) -> Any:
    used = {seat[0] for seat in topology if seat is not None}
    networks: dict[str, Any] = {name: {"backend": backend} for name in sorted(used)}
    if backend == "networks":  # a small one cannot have two gateways even for a moment
        for network in networks.values():
            network["parameters"] = {"type": "large_site"}
    networks |= {name: {"backend": backend, "state": "absent"} for name in absent - used}
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
        self.orders = {
            entry["scope_value"]: (entry["data"]["network"], entry["data"]["role"])
            for ledger in state["ledgers"]
            for entry in (ledger["instances"] if ledger["name"] == "mesh" else ())
        }
        self.groups = {device["id"]: set(device["groups"]) for device in state["devices"]}

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
                data = fields["instance"]["data"]
                self.orders[path["scopeValue"]] = (data["network"], data["role"])
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
        return {
            (view, network)
            for view, seats in views.items()
            for network, role in seats
            if role == "node" and (network, "gateway") not in seats
        }


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
    with user(cloud) as http:
        run(http, manifest(ids, first, backend, [True] * DEVICES, set()))
        watch, before = Watch(cloud), len(cloud.writes())
        assert watch.without_gateway() == set()
        declared = {seat[0] for seat in second if seat is not None}
        data = manifest(ids, second, backend, said, absent)
        result, refusal = None, ""
        try:
            result = run(http, data)
        except ParticleError as error:
            refusal = error.message
        if result is None:
            assert "change places" in refusal
            assert len(cloud.writes()) == before
            return
        assert "failed" not in result, result["msg"]
        for write in cloud.writes()[before:]:
            watch.follow(write)
            alone = {network for _unused, network in watch.without_gateway()}
            assert not alone & declared, (write, watch.without_gateway())

        seats = watch.registry if backend == "networks" else watch.orders
        for device, seat, old, speaks in zip(ids, second, first, said, strict=True):
            stays = None if old is None or old[0] in absent - declared else old
            assert seats.get(device) == (seat if speaks else stays)
        assert run(http, data)["changed"] is False
