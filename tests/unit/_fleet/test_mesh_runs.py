# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whole runs over networks of both backends: they form, are proved, change, and are taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from fleet_cloud import (
    PRODUCT,
    RecordingHttp,
    client,
    device_id,
    errors,
    ids_of,
    instance,
    row,
    run,
    script,
    statuses,
    user,
)

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from support.plays import read_counts
from support.scripted import ScriptedCloud
from support.simulator import Simulator, running_simulator

CREATE, UPDATE, DELETE = "POST /v1/networks", "PUT /v1/networks/:idOrName", "DELETE /v1/networks/:idOrName"
LEAVE = "DELETE /v1/devices/:id/network"
SET_ORDERS = "PUT /v1/ledgers/:name/instances/:scopeValue"
REMOVE_ORDERS = "DELETE /v1/ledgers/:name/instances/:scopeValue"
REMOVE_GROUP = "DELETE /v1/products/:p/groups/:name"
BATCH = "PUT /v1/products/:p/devices"
NO = {"ok": False, "error": "No."}


@pytest.fixture(scope="module")
def _registry() -> Iterator[Simulator]:
    with running_simulator("--fleet", "60", "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def meshed(_registry: Simulator) -> Simulator:
    """A cloud that still has the registry of Particle Mesh, with sixty boards of Device OS 1.5.2."""
    _registry.reset()
    return _registry


@pytest.fixture
def http(meshed: Simulator) -> Iterator[RecordingHttp]:
    with user(meshed) as logged_in:
        yield logged_in


@pytest.fixture
def ids(meshed: Simulator) -> list[str]:
    return ids_of(meshed)


def declared(
    product: str | None, backend: str, networks: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> dict[str, Any]:
    """A manifest of networks, each with its gateways and nodes."""
    claimed = {} if product else {"claimed": True}
    devices = [
        {"id": device, "mesh": {"network": name, "role": role}, **claimed}
        for name, (gateways, nodes) in networks.items()
        for role, members in (("gateway", gateways), ("node", nodes))
        for device in members
    ]
    data = {"networks": {name: {"backend": backend} for name in networks}, "devices": devices}
    return {**data, "product": product} if product else data


def registered(simulator: Simulator) -> dict[str, dict[str, str]]:
    """The networks of the registry: the role of each member."""
    return {
        network["name"]: {device["id"]: device["role"] for device in network["devices"]}
        for network in simulator.state()["networks"]
    }


def ordered(simulator: Simulator) -> dict[str, dict[str, str]]:
    """The networks of the ledger: the role of each member."""
    found: dict[str, dict[str, str]] = {}
    for ledger in simulator.state()["ledgers"]:
        for entry in ledger["instances"] if ledger["name"] == "mesh" else ():
            found.setdefault(entry["data"]["network"], {})[entry["scope_value"]] = entry["data"]["role"]
    return found


def keys_told(simulator: Simulator) -> dict[str, str]:
    """The join key that each member was told."""
    (orders,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    return {entry["scope_value"]: entry["data"]["parameters"]["key"] for entry in orders["instances"]}


def gateways_told(simulator: Simulator) -> set[frozenset[str]]:
    """Which gateways the members of ledgers are told, in all variants there are."""
    (orders,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    return {frozenset(entry["data"]["gateways"]) for entry in orders["instances"]}


def refuse(simulator: Simulator, route: str, status: int, times: int = 1) -> None:
    """Let the cloud refuse what comes next on a route."""
    simulator.set_faults([{"route": route, "effect": "status", "status": status, "body": NO, "times": times}])


def of_both(network: Sequence[Sequence[str]]) -> dict[str, str]:
    gateways, nodes = network
    return {**dict.fromkeys(gateways, "gateway"), **dict.fromkeys(nodes, "node")}


def trail(simulator: Simulator, since: int) -> list[str]:
    """What was carried out since a number of writes, in words: route, action and device."""
    words = []
    for write in simulator.writes()[since:]:
        what = write["fields"].get("action") or write["fields"].get("name") or ""
        who = write["fields"].get("device_id") or write["path"].get("scopeValue") or write["path"].get("id") or ""
        words.append(" ".join(filter(None, [write["route"], str(what), str(who)])))
    return words


class Clock:
    """A clock that only sleeping turns, that of the cloud with it."""

    def __init__(self, simulator: Simulator | None = None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._simulator = simulator

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self._simulator is not None:
            self._simulator.advance(seconds)

    def read(self) -> float:
        return self.now


def proved(http: RecordingHttp, data: Mapping[str, Any], clock: Clock, *, strict: bool = False) -> dict[str, Any]:
    """A run that waits for its members by a turned clock."""
    return reconcile(
        http,
        read_manifest(data),
        RunSettings(False, Verification("online", 300, strict, clock=clock.read, sleep=clock.sleep)),
        Callbacks(list[str]().append),
    )


PLACES = pytest.mark.parametrize("product", [None, PRODUCT], ids=["account", "product"])
BACKENDS = pytest.mark.parametrize("backend", ["networks", "ledger"])


class TestTheRegistry:
    """Networks of Particle Mesh, for the account's own devices and for those of a product."""

    @PLACES
    def test_forms_networks_and_then_rests(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], product: str | None
    ) -> None:
        networks = {"barn": (ids[:2], ids[2:20]), "shed": (ids[20:21], ids[21:30])}
        data = declared(product, "networks", networks)
        result = run(http, data, verify="online")
        assert result["summary"]["changed"] == 30, result.get("msg")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert result["networks"]["barn"] == {"gateways": 2, "nodes": 18, "joined": 20, "lost": 0, "pending": 0}
        assert result["summary"]["networks"] == result["networks"]
        assert registered(meshed) == {name: of_both(network) for name, network in networks.items()}
        kinds = {network["name"]: network["type"] for network in meshed.state()["networks"]}
        assert kinds == {"barn": "large_site", "shed": "micro_cellular"}

        before = meshed.stats()["writes"]
        again = run(http, data, verify="online")
        assert (again["changed"], again["summary"]["ok"], meshed.stats()["writes"]) == (False, 30, before)

    @PLACES
    def test_is_predicted_without_a_write(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], product: str | None
    ) -> None:
        data = declared(product, "networks", {"barn": (ids[:1], ids[1:5])})
        predicted = run(http, data, check_mode=True)
        assert meshed.stats()["writes"] == 0
        real = run(http, data)
        assert [predicted[key] for key in ("changed", "diff")] == [real[key] for key in ("changed", "diff")]
        assert predicted["diff"]["after"]["networks"] == ["barn"]

    def test_a_network_takes_one_request_for_each_member_and_one_more_for_each_further_gateway(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids]})
        before = len(meshed.writes())
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:2], ids[2:20])}))
        writes = [write["route"] for write in meshed.writes()[before:]]
        assert (writes[0], writes.count(CREATE), writes.count(UPDATE), len(writes)) == (CREATE, 1, 20, 21)

    def test_a_network_is_confirmed_when_its_gateway_comes_online(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])})
        meshed.change_device(ids[0], online=False)
        waiting = proved(http, data, Clock())
        assert {device["mesh"] for device in waiting["devices"]} == {"pending"}
        assert ("failed" in waiting, waiting["summary"]["pending"]) == (False, 3)

        meshed.change_device(ids[0], online=True)
        formed = proved(http, data, Clock())
        assert (formed["changed"], {device["mesh"] for device in formed["devices"]}) == (False, {"joined"})

    def test_a_node_that_moves_leaves_first(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5]), "shed": (ids[5:6], ids[6:8])}))
        before = len(meshed.writes())
        moved = {"barn": (ids[:1], ids[1:4]), "shed": (ids[5:6], ids[4:5] + ids[6:8])}
        result = run(http, declared(PRODUCT, "networks", moved))
        assert [device["id"] for device in result["devices"] if device["status"] == "changed"] == [ids[4]]
        assert trail(meshed, before) == [f"{LEAVE} {ids[4]}", f"{UPDATE} add-device {ids[4]}"]
        assert registered(meshed) == {name: of_both(network) for name, network in moved.items()}

    def test_a_network_of_one_gateway_exchanges_it(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:10])}))
        before = len(meshed.writes())
        data = declared(PRODUCT, "networks", {"barn": (ids[20:21], ids[1:10])})
        data["devices"].append({"id": ids[0], "mesh": {"state": "absent"}})
        assert run(http, data)["summary"]["changed"] == 2
        assert trail(meshed, before)[1:] == [
            f"{LEAVE} {ids[0]}",
            f"{UPDATE} add-device {ids[20]}",
            f"{UPDATE} gateway-enable {ids[20]}",
        ]

    def test_a_network_that_is_dissolved_takes_one_request(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}))
        before = len(meshed.writes())
        devices = [{"id": ids[0], "mesh": {"state": "absent"}}, {"id": ids[1]}, {"id": ids[2], "name": "kept"}]
        data = {
            "product": PRODUCT,
            "networks": {"barn": {"backend": "networks", "state": "absent"}},
            "devices": devices,
        }
        result = run(http, data)
        assert statuses(result) == dict.fromkeys(ids[:3], "changed")
        assert result["diff"]["before"]["networks"] == ["barn"]
        dissolved, renamed = meshed.writes()[before:]
        assert (dissolved["route"], renamed["fields"], registered(meshed)) == (DELETE, {"name": "kept"}, {})
        assert run(http, data)["changed"] is False

    def test_who_is_not_told_to_stay_stays_in_the_new_networks_of_others(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}))
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[5:7])}))
        assert registered(meshed) == {"barn": of_both((ids[:1], ids[1:7]))}


class TestTheLedger:
    """What only groups and orders know of."""

    def test_a_network_that_is_dissolved_frees_those_too_that_nobody_names(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5]), "shed": (ids[5:6], ids[6:8])}))
        data = declared(PRODUCT, "ledger", {"shed": (ids[5:6], ids[1:2] + ids[6:8])})
        data["networks"]["barn"] = {"state": "absent"}
        data["devices"].append({"id": ids[2], "name": "kept"})
        before = len(meshed.writes())

        result = run(http, data)

        assert {device["id"] for device in result["devices"] if device["status"] == "changed"} == set(ids[:5])
        assert ordered(meshed) == {"shed": of_both((ids[5:6], ids[1:2] + ids[6:8]))}
        groups = {device["id"]: device["groups"] for device in meshed.state()["devices"]}
        assert [groups[device] for device in ids[2:5]] == [[], [], []]
        assert sorted(groups[ids[1]]) == ["mesh-node", "mesh-shed"]
        product = next(product for product in meshed.state()["products"] if product["slug"] == PRODUCT)
        assert sorted(product["groups"]) == ["mesh-gateway", "mesh-node", "mesh-shed"]
        writes = [write["route"] for write in meshed.writes()[before:]]
        assert writes[-1] == REMOVE_GROUP
        assert (writes.count(REMOVE_ORDERS), writes.count(SET_ORDERS), writes.count(BATCH)) == (4, 1, 3)
        assert run(http, data)["changed"] is False

    def test_its_gateway_goes_last(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5])}))
        before = len(meshed.writes())
        run(http, {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []})
        removed = [w["path"]["scopeValue"] for w in meshed.writes()[before:] if w["route"] == REMOVE_ORDERS]
        assert (set(removed), removed[-1]) == (set(ids[:5]), ids[0])

    @pytest.mark.parametrize("left", ["groups", "orders"])
    def test_what_a_killed_run_left_of_a_network_goes_too(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], left: str
    ) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        if left == "orders":
            at = {"p": "31337", "name": "mesh-barn"}
            http.send(Request("DELETE /v1/products/:p/groups/:name", "half", at))
        else:
            for device in ids[:3]:
                at = {"name": "mesh", "scopeValue": device}
                http.send(Request(REMOVE_ORDERS, "half", at))
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        result = run(http, data)
        assert statuses(result) == dict.fromkeys(sorted(ids[:3]), "changed")
        assert ordered(meshed) == {}
        assert [device["groups"] for device in meshed.state()["devices"] if device["id"] in ids[:3]] == [[], [], []]
        assert run(http, data)["changed"] is False

    def test_a_group_that_cannot_be_removed_is_told_and_removed_by_the_next_run(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        meshed.set_faults([{"route": REMOVE_GROUP, "effect": "status", "status": 409}])
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        failed = run(http, data)
        assert errors(failed) == dict.fromkeys(ids[:3], "conflict")
        assert "Could not remove device group mesh-barn" in failed["msg"]
        assert read_counts(run(http, data)) == {"total": 3, "ok": 0, "changed": 3, "failed": 0, "pending": 0}
        assert run(http, data)["changed"] is False

    def test_what_does_not_fit_into_a_ledger_is_refused_before_any_write(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        data["networks"]["barn"]["parameters"] = {"key": "hush" * 5_000}
        with pytest.raises(ParticleError, match="a ledger holds only 16384") as caught:
            run(http, data)
        assert (caught.value.code, "hush" in caught.value.message, http.writes) == ("conflict", False, [])

    def test_what_a_member_alone_is_told_reaches_it_and_stays(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        data["networks"]["barn"]["parameters"] = {"channel": 15, "key": "hush"}
        data["devices"][1]["mesh"]["parameters"] = {"key": "hush-1"}
        run(http, data)
        assert keys_told(meshed) == {ids[0]: "hush", ids[1]: "hush-1", ids[2]: "hush"}
        assert run(http, data)["changed"] is False

        data["devices"][1]["mesh"]["parameters"] = {"key": "hush-2"}
        before = len(meshed.writes())
        result = run(http, data)
        assert (trail(meshed, before), keys_told(meshed)[ids[1]]) == ([f"{SET_ORDERS} {ids[1]}"], "hush-2")
        assert result["diff"]["after"] == {ids[1]: {"mesh.parameters": "key (values are not shown)"}}

    def test_ledgers_may_be_called_otherwise(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        mesh = Mesh({"mesh_ledger": "acme-mesh", "mesh_status_ledger": "acme-reports"})
        data = declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        predicted = run(http, data, check_mode=True, mesh=mesh)
        assert predicted["diff"]["after"]["ledgers"] == ["acme-mesh", "acme-reports"]
        run(http, data, mesh=mesh)
        told = {ledger["name"]: len(ledger["instances"]) for ledger in meshed.state()["ledgers"]}
        assert told == {"acme-mesh": 3, "acme-reports": 0}
        assert run(http, data, mesh=mesh)["changed"] is False

        gone = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        assert len(run(http, gone, mesh=mesh)["devices"]) == 3
        assert {len(ledger["instances"]) for ledger in meshed.state()["ledgers"]} == {0}


class TestBothAtOnce:
    """A manifest may have networks of either kind, and a device goes from one to the other."""

    def test_each_network_is_made_by_its_own(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        data = declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])})
        other = declared(PRODUCT, "ledger", {"shed": (ids[3:4], ids[4:6])})
        data["networks"] |= other["networks"]
        data["devices"] += other["devices"]
        result = run(http, data, verify="online")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert (registered(meshed), ordered(meshed)) == (
            {"barn": of_both((ids[:1], ids[1:3]))},
            {"shed": of_both((ids[3:4], ids[4:6]))},
        )
        assert run(http, data)["changed"] is False

    @pytest.mark.parametrize(("old", "new"), [("networks", "ledger"), ("ledger", "networks")])
    def test_a_network_moves_to_the_other_backend(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], old: str, new: str
    ) -> None:
        members = {"barn": (ids[:1], ids[1:4])}
        run(http, declared(PRODUCT, old, members))
        result = run(http, declared(PRODUCT, new, members), verify="online")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        node = result["devices"][1]["changes"]["mesh"]
        assert node == {"before": {"network": "barn", "role": "node"}, "after": {"network": "barn", "role": "node"}}
        now = {"networks": registered(meshed), "ledger": ordered(meshed)}
        assert now[new] == {"barn": of_both(members["barn"])}
        assert now[old].get("barn", {}) == {}
        groups = {device["id"]: device["groups"] for device in meshed.state()["devices"]}
        assert sorted(groups[ids[1]]) == (["mesh-barn", "mesh-node"] if new == "ledger" else [])
        assert run(http, declared(PRODUCT, new, members))["changed"] is False

    def test_who_leaves_leaves_both(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:2])}))
        body = {"name": "other", "device_id": ids[0]}
        http.send(Request(CREATE, "do by hand", json=body))
        result = run(http, {"product": PRODUCT, "devices": [{"id": d, "mesh": {"state": "absent"}} for d in ids[:2]]})
        assert set(statuses(result).values()) == {"changed"}
        assert (registered(meshed), ordered(meshed)) == ({"other": {}}, {})


class TestChange:
    """Each change is the declared difference and no more, on either backend."""

    @BACKENDS
    def test_a_dead_gateway_is_replaced(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        run(http, declared(PRODUCT, backend, {"barn": (ids[:2], ids[2:20])}))
        meshed.change_device(ids[0], online=False)
        meshed.change_device(ids[1], online=False)
        data = declared(PRODUCT, backend, {"barn": (ids[30:31], ids[2:20])})
        data["devices"] += [{"id": device, "mesh": {"state": "absent"}} for device in ids[:2]]
        before = len(meshed.writes())

        result = run(http, data, verify="online")

        joined = {device["id"] for device in result["devices"] if device["mesh"] == "joined"}
        assert joined == {ids[30], *ids[2:20]}
        where = {"networks": registered, "ledger": ordered}[backend]
        assert where(meshed) == {"barn": of_both((ids[30:31], ids[2:20]))}
        words = trail(meshed, before)
        new = next(at for at, word in enumerate(words) if "gateway-enable" in word or f"{SET_ORDERS} {ids[30]}" == word)
        assert all(new < at for at, word in enumerate(words) if word.startswith((LEAVE, REMOVE_ORDERS)))

    @BACKENDS
    def test_a_member_leaves(self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str) -> None:
        data = declared(PRODUCT, backend, {"barn": (ids[:1], ids[1:5])})
        run(http, data)
        data["devices"][4]["mesh"] = {"state": "absent"}
        before = len(meshed.writes())
        result = run(http, data)
        assert [device["id"] for device in result["devices"] if device["status"] == "changed"] == [ids[4]]
        assert len(meshed.writes()) - before == (1 if backend == "networks" else 3)

    @BACKENDS
    def test_roles_change_in_place(self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str) -> None:
        members = {"barn": (ids[:2], ids[2:15])}
        run(http, declared(PRODUCT, backend, members))
        members = {"barn": (ids[1:3], [ids[0], *ids[3:15]])}
        run(http, declared(PRODUCT, backend, members))
        where = {"networks": registered, "ledger": ordered}[backend]
        assert where(meshed) == {"barn": of_both(members["barn"])}
        assert run(http, declared(PRODUCT, backend, members))["changed"] is False

    @BACKENDS
    def test_gateways_that_change_places_are_refused_before_any_write(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        nodes = [ids[2:14], ids[14:26]]
        data = declared(PRODUCT, backend, {"barn": (ids[:1], nodes[0]), "shed": (ids[1:2], nodes[1])})
        for network in data["networks"].values() if backend == "networks" else ():
            network["parameters"] = {"type": "large_site"}
        run(http, data)
        before = meshed.stats()["writes"]
        for device, network in zip(ids[:2], ("shed", "barn"), strict=True):
            next(record for record in data["devices"] if record["id"] == device)["mesh"]["network"] = network
        with pytest.raises(ParticleError, match="change places") as caught:
            run(http, data)
        assert (caught.value.code, meshed.stats()["writes"]) == ("conflict", before)
        assert all(device in caught.value.message for device in ids[:2])


class TestWhatGoesWrong:
    """A network whose gateway cannot be had keeps its nodes waiting, and they are as good as before."""

    @pytest.mark.parametrize(("backend", "route"), [("networks", CREATE), ("ledger", SET_ORDERS)])
    def test_nodes_do_not_go_where_no_gateway_is(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str, route: str
    ) -> None:
        data = declared(PRODUCT, backend, {"barn": (ids[:1], ids[1:5])})
        data["devices"][1]["name"] = "named all the same"
        refusal = {"ok": False, "error": "No."}
        meshed.set_faults([{"route": route, "effect": "status", "status": 403, "body": refusal}])
        result = run(http, data)
        assert errors(result) == {ids[0]: "forbidden"}
        assert statuses(result) == {ids[0]: "failed", **dict.fromkeys(ids[1:5], "pending")}
        assert registered(meshed) == ordered(meshed) == {}
        assert meshed.device(ids[1])["name"] == "named all the same"

        assert read_counts(run(http, data)) == {"total": 5, "ok": 0, "changed": 5, "failed": 0, "pending": 0}

    def test_a_node_whose_gateway_is_refused_in_the_same_batch_enters_no_group_of_the_network(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        gateway, node = ids[:2]
        run(http, declared(PRODUCT, "ledger", {"barn": ([gateway], [node])}))
        refuse(meshed, BATCH, 400, times=2)  # both together, then the gateway alone
        result = run(http, declared(PRODUCT, "ledger", {"mill": ([gateway], [node])}))
        assert statuses(result) == {gateway: "failed", node: "pending"}
        assert set(meshed.device(node)["groups"]) == {"mesh-barn", "mesh-node"}

    def test_another_gateway_founds_the_network_then(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        refusal = {"ok": False, "errors": ["This device cannot be a gateway"]}
        meshed.set_faults([{"route": CREATE, "effect": "status", "status": 400, "body": refusal}])
        result = run(http, declared(PRODUCT, "networks", {"barn": (ids[:2], ids[2:15])}))
        (failed,) = errors(result)
        assert failed in ids[:2]
        assert registered(meshed)["barn"].keys() == {*ids[:15]} - {failed}

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after", "empty", "truncated"])
    @pytest.mark.parametrize("route", [CREATE, UPDATE])
    def test_an_answer_that_is_lost_leads_to_the_same_end(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        meshed.set_faults([{"route": route, "effect": effect, "times": 2}])
        members = {"barn": (ids[:2], ids[2:15])}
        result = run(http, declared(PRODUCT, "networks", members))
        assert set(statuses(result).values()) == {"changed"}, result.get("msg")
        assert registered(meshed) == {"barn": of_both(members["barn"])}
        assert run(http, declared(PRODUCT, "networks", members))["changed"] is False

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
    @pytest.mark.parametrize("route", [LEAVE, DELETE])
    def test_what_goes_goes_whatever_becomes_of_the_answer(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        data = declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])})
        run(http, data)
        meshed.set_faults([{"route": route, "effect": effect}])
        if route == DELETE:
            data["networks"]["barn"]["state"] = "absent"
        data["devices"] = [{"id": device, "mesh": {"state": "absent"}} for device in ids[:5]]
        assert set(statuses(run(http, data)).values()) == {"changed"}
        assert registered(meshed).get("barn", {}) == {}

    def test_a_network_that_cannot_be_dissolved_fails_its_members(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])}))
        refusal = {"ok": False, "error": "Permission denied"}
        meshed.set_faults([{"route": DELETE, "effect": "status", "status": 409, "body": refusal}])
        data = {
            "product": PRODUCT,
            "networks": {"barn": {"backend": "networks", "state": "absent"}},
            "devices": [{"id": device} for device in ids[:3]],
        }
        assert errors(run(http, data)) == dict.fromkeys(ids[:3], "conflict")
        assert statuses(run(http, data)) == dict.fromkeys(ids[:3], "changed")

    def test_a_network_without_declared_members_that_cannot_be_dissolved_fails_the_run(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])}))
        meshed.set_faults([{"route": DELETE, "effect": "status", "status": 409}])
        networks = {"barn": {"backend": "networks", "state": "absent"}}
        data = {"product": PRODUCT, "networks": networks, "devices": [{"id": ids[5], "name": "kept"}]}
        failed = run(http, data)
        assert (failed["failed"], failed["error"]["code"], statuses(failed)) == (True, "conflict", {ids[5]: "changed"})
        assert "Could not remove mesh network barn" in failed["msg"]
        assert (run(http, data)["changed"], registered(meshed)) == (True, {})

    def test_nobody_waits_for_nodes_that_were_not_sent(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        refusal = {"ok": False, "error": "No."}
        meshed.set_faults([{"route": CREATE, "effect": "status", "status": 403, "body": refusal}])
        clock = Clock()
        result = proved(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}), clock)
        assert statuses(result) == {ids[0]: "failed", **dict.fromkeys(ids[1:5], "pending")}
        assert clock.slept == []


class TestRepeatedRuns:
    """A run that is made again after a failure knows no more of the networks than the cloud does."""

    @pytest.mark.parametrize("parameters", [None, {"channel": 15}])
    def test_a_gateway_that_was_put_into_groups_only_is_none_yet(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], parameters: dict[str, Any] | None
    ) -> None:
        data = declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])})
        if parameters:
            data["networks"]["barn"]["parameters"] = parameters
        for _unused in range(2):
            refuse(meshed, SET_ORDERS, 403)
            assert statuses(run(http, data)) == {ids[0]: "failed", **dict.fromkeys(ids[1:4], "pending")}
            assert ordered(meshed) == {}
        assert set(statuses(run(http, data)).values()) == {"changed"}

    def test_an_old_gateway_stays_and_is_the_one_that_is_told_of_until_the_new_one_is_there(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        old, new, nodes = ids[0], ids[5], ids[1:4]
        run(http, declared(PRODUCT, "ledger", {"barn": ([old], nodes)}))
        data = declared(PRODUCT, "ledger", {"barn": ([new], nodes)})
        data["devices"].append({"id": old, "mesh": {"state": "absent"}})
        for _unused in range(2):
            refuse(meshed, SET_ORDERS, 403)
            result = statuses(run(http, data))
            assert result == {new: "failed", **dict.fromkeys([*nodes, old], "pending")}
            assert ordered(meshed) == {"barn": of_both(([old], nodes))}
            assert gateways_told(meshed) == {frozenset({old})}
        assert "failed" not in run(http, data)
        assert gateways_told(meshed) == {frozenset({new})}

    def test_a_gateway_stays_as_long_as_a_node_knows_of_no_other(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        old, new, nodes = ids[0], ids[5], ids[1:4]
        data = declared(PRODUCT, "ledger", {"barn": ([old], nodes)})
        run(http, {**data, "devices": [*data["devices"], {"id": new}]})
        orders = {"network": "barn", "role": "gateway", "gateways": [new], "parameters": {}}
        put = "PUT /v1/ledgers/mesh/instances/:device"
        http.send(Request(put, "order", {"device": new}, json={"instance": {"data": orders}}))
        data = declared(PRODUCT, "ledger", {"barn": ([new], nodes)})
        data["devices"].append({"id": old, "mesh": {"state": "absent"}})
        refuse(meshed, SET_ORDERS, 403, times=3)
        result = statuses(run(http, data))
        assert {device: result[device] for device in [*nodes, old]} == {
            **dict.fromkeys(nodes, "failed"),
            old: "pending",
        }
        assert ordered(meshed)["barn"][old] == "gateway"
        assert "failed" not in run(http, data)
        assert ordered(meshed) == {"barn": of_both(([new], nodes))}
        assert run(http, data)["changed"] is False

    @pytest.mark.parametrize("backend", ["ledger", "networks"])
    def test_the_second_look_of_a_run_remembers_who_has_failed(
        self, meshed: Simulator, ids: list[str], backend: str
    ) -> None:
        def barn_and_shed(gateway: str, *, others: Sequence[str]) -> dict[str, Any]:
            networks = {"barn": ([gateway], ids[1:4]), "shed": (ids[10:11], [*ids[11:13], *others])}
            data = declared(PRODUCT, backend, networks)
            for network in data["networks"].values():
                network["parameters"] = {"type": "large_site"} if backend == "networks" else {"channel": 15}
            return data

        data = barn_and_shed(ids[5], others=ids[13:14])
        data["devices"].append({"id": ids[0], "mesh": {"state": "absent"}})
        joins = UPDATE if backend == "networks" else SET_ORDERS
        with user(meshed, workers=1) as http:  # the new gateway is the first to be sent
            run(http, barn_and_shed(ids[0], others=[]))
            refuse(meshed, joins, 400)
            meshed.set_faults([{"route": BATCH if backend == "ledger" else joins, "effect": "reset_after"}])
            result = statuses(run(http, data))
        assert (result[ids[5]], result[ids[0]]) == ("failed", "pending")
        seats = registered(meshed) if backend == "networks" else ordered(meshed)
        assert seats["barn"][ids[0]] == "gateway"

    def test_what_a_ledger_orders_is_taken_back_when_a_device_goes_to_the_registry(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])}))
        data = declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:4])})
        refuse(meshed, REMOVE_ORDERS, 409, times=4)
        assert set(statuses(run(http, data)).values()) <= {"failed", "pending"}
        meshed.clear_faults()
        assert "failed" not in run(http, data)
        assert (ordered(meshed), set(registered(meshed))) == ({}, {"barn"})
        assert run(http, data)["changed"] is False

    def test_the_group_of_a_dissolved_network_stays_until_all_are_out(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])}))
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        refuse(meshed, REMOVE_ORDERS, 409)
        found = statuses(run(http, data))
        assert sorted(found.values()) == ["failed", "pending", "pending", "pending"]
        (failed,) = (device for device, status in found.items() if status == "failed")
        assert "mesh-barn" in meshed.device(failed)["groups"]
        assert "failed" not in run(http, data)
        assert (ordered(meshed), meshed.device(failed)["groups"]) == ({}, [])


class TestAFullNetwork:
    """A small network of the registry has ten places."""

    @pytest.mark.parametrize("first", ["who comes", "who goes"])
    def test_takes_in_somebody_when_somebody_has_left(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], first: str
    ) -> None:
        run(http, declared(PRODUCT, "networks", {"barn": (ids[:1], ids[1:10])}))
        data = declared(PRODUCT, "networks", {"barn": (ids[:1], [*ids[1:9], ids[20]])})
        leaves = {"id": ids[9], "mesh": {"state": "absent"}}
        data["devices"].insert(len(data["devices"]) if first == "who comes" else 0, leaves)
        assert "failed" not in run(http, data)
        assert registered(meshed) == {"barn": of_both((ids[:1], [*ids[1:9], ids[20]]))}


class TestARetiredRegistry:
    """What a real user meets today is said before the first write, and the way that is named leads on."""

    @pytest.mark.parametrize("product", [None, PRODUCT])
    def test_is_refused_before_any_write_and_the_hint_works(self, simulator: Simulator, product: str | None) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            data = declared(product, "networks", {"barn": (ids[:1], ids[1:5])})
            with pytest.raises(ParticleError) as caught:
                run(http, data)
            assert (caught.value.code, simulator.stats()["writes"]) == ("unsupported", 0)
            assert "backend ledger" in caught.value.hint
            assert "product" in caught.value.hint

            data = declared(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5])})
            assert run(http, data, verify="online")["networks"]["barn"]["joined"] == 5

    @pytest.mark.parametrize("declared_by", ["id", "serial_number"])
    def test_warns_once_of_devices_too_old_for_its_substitute(self, meshed: Simulator, declared_by: str) -> None:
        """Those that come in this run are among them, also when what is in doubt has the fleet planned anew."""
        found = meshed.state()["devices"][:3]
        data = declared(PRODUCT, "ledger", {"barn": ([found[0]["id"]], [found[1]["id"], found[2]["id"]])})
        data["devices"] = [
            {declared_by: device[declared_by], "mesh": record["mesh"]}
            for device, record in zip(found, data["devices"], strict=True)
        ]
        warnings: list[str] = []
        with user(meshed) as http:
            run(http, {"product": PRODUCT, "devices": [{"id": found[0]["id"]}]})
            meshed.set_faults([{"route": SET_ORDERS, "effect": "truncated", "times": 5}])
            run(http, data, warnings=warnings)
        assert [warning.partition(" and ")[0] for warning in warnings] == ["Devices (3) run a Device OS older than 6.1"]

    def test_need_not_be_left(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        devices = [{"id": ids[0], "name": "kept", "mesh": {"state": "absent"}}]
        with user(simulator) as http:
            assert statuses(run(http, {"product": PRODUCT, "devices": devices})) == {ids[0]: "changed"}

    @pytest.mark.parametrize("leaves", [False, True])
    def test_leaves_notes_that_only_who_must_leave_cares_for(self, scripted_cloud: ScriptedCloud, leaves: bool) -> None:
        one = device_id(1)
        orders = {"network": "barn", "role": "gateway", "gateways": [one], "parameters": {}}
        note = {"id": "5c", "name": "old", "role": {"gateway": True, "state": "confirmed"}}
        groups = ["mesh-barn", "mesh-gateway"]
        script(
            scripted_cloud, [row(one, groups=groups, network=note)], groups=groups, instances=[instance(one, orders)]
        )
        scripted_cloud.answer("GET", "/v1/networks", 404, body="Not Found", headers={"Content-Type": "text/plain"})
        data = declared(PRODUCT, "ledger", {"barn": ([one], [])})
        if leaves:
            data = {"product": PRODUCT, "devices": [{"id": one, "mesh": {"state": "absent"}}]}
        warnings: list[str] = []
        with client(scripted_cloud.url) as http:
            if leaves:
                with pytest.raises(ParticleError, match="Particle retired it"):
                    run(http, data, warnings=warnings)
            else:
                assert run(http, data, warnings=warnings)["changed"] is False
                assert warnings[0].startswith(
                    "Devices (1) join another backend, but cannot leave backend networks: This"
                )
            assert http.writes == []

    def test_cannot_be_told_to_dissolve_anything(self, simulator: Simulator) -> None:
        networks = {"old": {"backend": "networks", "state": "absent"}}
        with user(simulator) as http, pytest.raises(ParticleError) as caught:
            run(http, {"product": PRODUCT, "networks": networks, "devices": []})
        assert (caught.value.code, simulator.stats()["writes"]) == ("unsupported", 0)


class TestTheProof:
    """A run does not call it done until the members say so, and waits no longer than it was told."""

    def test_slow_ones_are_waited_for_by_one_list_a_sweep(self) -> None:
        with running_simulator("--fleet", "100", "--slow-joiners", "0.1") as cloud, user(cloud) as http:
            ids, clock = ids_of(cloud), Clock(cloud)
            result = proved(http, declared(PRODUCT, "ledger", {"barn": (ids[:2], ids[2:])}), clock)
            sweeps = cloud.stats()["by_route"]["GET /v1/ledgers/:name/instances"]
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert sum(clock.slept) <= 300
        assert 0 < len(clock.slept) <= 60
        assert sweeps <= len(clock.slept) + 3

    def test_exactly_those_are_named_who_are_slow_or_never_come(self) -> None:
        with running_simulator("--fleet", "200", "--slow-joiners", "0.05") as cloud, user(cloud) as http:
            ids, clock = ids_of(cloud), Clock()
            silent = set(ids[2::50])
            for device in silent:
                cloud.change_device(device, online=False)
            data = declared(PRODUCT, "ledger", {"barn": (ids[:2], ids[2:])})
            result = reconcile(
                http,
                read_manifest(data),
                RunSettings(False, Verification("online", 10, clock=clock.read, sleep=clock.sleep)),
                Callbacks(list[str]().append),
            )
            (reports,) = (ledger["instances"] for ledger in cloud.state()["ledgers"] if ledger["name"] == "mesh-status")
        joined = {report["scope_value"] for report in reports if report["data"]["state"] == "joined"}
        named = {device["id"] for device in result["devices"] if device["mesh"] != "joined"}
        assert named == set(ids) - joined
        assert 0.02 * len(ids) <= len(named - silent) <= 0.09 * len(ids)
        assert silent < named
        assert {statuses(result)[device] for device in named} == {"pending"}
        counts = {"gateways": 2, "nodes": 198, "joined": 200 - len(named), "lost": 0, "pending": len(named)}
        assert result["summary"]["networks"] == {"barn": counts}
        assert ("failed" in result, sum(clock.slept)) == (False, 10)

    @BACKENDS
    def test_a_dry_run_that_finds_nothing_to_write_looks_once_and_waits_for_nobody(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        data = declared(PRODUCT, backend, {"barn": (ids[:1], ids[1:10])})
        predicted = run(http, data, check_mode=True, verify="online")
        assert predicted["networks"]["barn"] == {"gateways": 1, "nodes": 9}
        meshed.change_device(ids[3], online=False)
        run(http, data)

        writes = meshed.stats()["writes"]
        seen = run(http, data, check_mode=True, verify="online")
        assert seen["networks"]["barn"]["joined"] == 9
        assert statuses(seen) == {device: "pending" if device == ids[3] else "ok" for device in ids[:10]}
        assert (seen["changed"], meshed.stats()["writes"]) == (False, writes)

    @BACKENDS
    @pytest.mark.parametrize("strict", [False, True])
    def test_who_sleeps_is_pending_and_has_failed_only_for_the_strict(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], backend: str, strict: bool
    ) -> None:
        asleep = ids[3:5]
        for device in asleep:
            meshed.change_device(device, online=False)
        clock = Clock()
        result = proved(http, declared(PRODUCT, backend, {"barn": (ids[:1], ids[1:10])}), clock, strict=strict)
        assert {device["id"] for device in result["devices"] if device["mesh"] != "joined"} == set(asleep)
        assert result["networks"]["barn"] == {"gateways": 1, "nodes": 9, "joined": 8, "lost": 0, "pending": 2}
        assert {statuses(result)[device] for device in asleep} == {"failed" if strict else "pending"}
        assert result.get("failed", False) is strict
        assert sum(clock.slept) == 300
        if strict:
            assert errors(result) == dict.fromkeys(asleep, "device_offline")
            assert "has not joined network barn in time: it is pending" in result["msg"]
