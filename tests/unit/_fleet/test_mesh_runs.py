# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test whole runs that form, verify, change and dissolve networks of both backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from fleet_cloud import (
    PRODUCT,
    REPORTS,
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
SET_INSTRUCTIONS = "PUT /v1/ledgers/:name/instances/:scopeValue"
DELETE_INSTRUCTIONS = "DELETE /v1/ledgers/:name/instances/:scopeValue"
REMOVE_GROUP = "DELETE /v1/products/:p/groups/:name"
BATCH = "PUT /v1/products/:p/devices"
REFUSAL = {"ok": False, "error": "No."}


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "60", "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with the registry of Particle Mesh, and with sixty devices that run Device OS 1.5.2."""
    _cloud.reset()
    return _cloud


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as logged_in:
        yield logged_in


@pytest.fixture
def ids(cloud: Simulator) -> list[str]:
    return ids_of(cloud)


def declare_networks(
    product: str | None, backend: str, networks: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> dict[str, Any]:
    """Build a manifest of networks, each with its gateways and nodes."""
    claimed = {} if product else {"claimed": True}
    devices = [
        {"id": device, "mesh": {"network": name, "role": role}, **claimed}
        for name, (gateways, nodes) in networks.items()
        for role, members in (("gateway", gateways), ("node", nodes))
        for device in members
    ]
    data = {"networks": {name: {"backend": backend} for name in networks}, "devices": devices}
    return {**data, "product": product} if product else data


def read_registry_roles(simulator: Simulator) -> dict[str, dict[str, str]]:
    """Read the role of each member of each network from the registry."""
    return {
        network["name"]: {device["id"]: device["role"] for device in network["devices"]}
        for network in simulator.state()["networks"]
    }


def read_ledger_roles(simulator: Simulator) -> dict[str, dict[str, str]]:
    """Read the role of each member of each network from the ledger."""
    found: dict[str, dict[str, str]] = {}
    for ledger in simulator.state()["ledgers"]:
        for entry in ledger["instances"] if ledger["name"] == "mesh" else ():
            if entry["data"]["network"] is not None:  # otherwise the device is ordered to leave
                found.setdefault(entry["data"]["network"], {})[entry["scope_value"]] = entry["data"]["role"]
    return found


def read_join_keys(simulator: Simulator) -> dict[str, str]:
    """Read the join key in the instructions of each member."""
    (instructions,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    return {entry["scope_value"]: entry["data"]["parameters"]["key"] for entry in instructions["instances"]}


def read_gateway_lists(simulator: Simulator) -> set[frozenset[str]]:
    """Read the different lists of gateways in the instructions of all members."""
    (instructions,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    joining = (entry["data"] for entry in instructions["instances"] if entry["data"]["network"] is not None)
    return {frozenset(data["gateways"]) for data in joining}


def read_instances(simulator: Simulator, ledger: str = "mesh") -> dict[str, Any]:
    """Read the data of the instances of a ledger, keyed by device."""
    (found,) = (each for each in simulator.state()["ledgers"] if each["name"] == ledger)
    return {entry["scope_value"]: entry["data"] for entry in found["instances"]}


def refuse(simulator: Simulator, route: str, status: int, times: int = 1) -> None:
    """Let the cloud refuse the next requests on a route."""
    simulator.set_faults([{"route": route, "effect": "status", "status": status, "body": REFUSAL, "times": times}])


def build_roles(network: Sequence[Sequence[str]]) -> dict[str, str]:
    """Build the role of each member from the gateways and the nodes of a network."""
    gateways, nodes = network
    return {**dict.fromkeys(gateways, "gateway"), **dict.fromkeys(nodes, "node")}


def list_writes(simulator: Simulator, since: int) -> list[str]:
    """List the writes after the first `since` ones, each as a text with its route, action and device."""
    found = []
    for write in simulator.writes()[since:]:
        action = write["fields"].get("action") or write["fields"].get("name") or ""
        device = write["fields"].get("device_id") or write["path"].get("scopeValue") or write["path"].get("id") or ""
        found.append(" ".join(filter(None, [write["route"], str(action), str(device)])))
    return found


class Clock:
    """A clock that only sleeping advances, together with the clock of the cloud."""

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


def run_until_joined(
    http: RecordingHttp, data: Mapping[str, Any], clock: Clock, *, strict: bool = False
) -> dict[str, Any]:
    """Run a manifest and wait for its members with a clock that only sleeping advances."""
    return reconcile(
        http,
        read_manifest(data),
        RunSettings(False, Verification("online", 300, strict, clock=clock.read, sleep=clock.sleep)),
        Callbacks(list[str]().append),
    )


ACCOUNT_AND_PRODUCT = pytest.mark.parametrize("product", [None, PRODUCT], ids=["account", "product"])
BACKENDS = pytest.mark.parametrize("backend", ["networks", "ledger"])


class TestRegistry:
    """Networks of Particle Mesh, with devices of an account and of a product."""

    @ACCOUNT_AND_PRODUCT
    def test_networks_are_formed_and_second_run_writes_nothing(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], product: str | None
    ) -> None:
        networks = {"barn": (ids[:2], ids[2:20]), "shed": (ids[20:21], ids[21:30])}
        data = declare_networks(product, "networks", networks)
        result = run(http, data, verify="online")
        assert result["summary"]["changed"] == 30, result.get("msg")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert result["networks"]["barn"] == {"gateways": 2, "nodes": 18, "joined": 20, "lost": 0, "pending": 0}
        assert result["summary"]["networks"] == result["networks"]
        assert read_registry_roles(cloud) == {name: build_roles(network) for name, network in networks.items()}
        kinds = {network["name"]: network["type"] for network in cloud.state()["networks"]}
        assert kinds == {"barn": "large_site", "shed": "micro_cellular"}

        before = cloud.stats()["writes"]
        again = run(http, data, verify="online")
        assert (again["changed"], again["summary"]["ok"], cloud.stats()["writes"]) == (False, 30, before)

    @ACCOUNT_AND_PRODUCT
    def test_check_mode_predicts_the_networks_without_a_write(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], product: str | None
    ) -> None:
        data = declare_networks(product, "networks", {"barn": (ids[:1], ids[1:5])})
        predicted = run(http, data, check_mode=True)
        assert cloud.stats()["writes"] == 0
        real = run(http, data)
        assert [predicted[key] for key in ("changed", "diff")] == [real[key] for key in ("changed", "diff")]
        assert predicted["diff"].created["networks"] == ("barn",)

    def test_network_costs_one_request_per_member_and_extra_gateway(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids]})
        before = len(cloud.writes())
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:2], ids[2:20])}))
        writes = [write["route"] for write in cloud.writes()[before:]]
        assert (writes[0], writes.count(CREATE), writes.count(UPDATE), len(writes)) == (CREATE, 1, 20, 21)

    def test_members_are_pending_until_their_gateway_is_online(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])})
        cloud.change_device(ids[0], online=False)
        waiting = run_until_joined(http, data, Clock())
        assert {device["mesh"] for device in waiting["devices"]} == {"pending"}
        assert ("failed" in waiting, waiting["summary"]["pending"]) == (False, 3)

        cloud.change_device(ids[0], online=True)
        formed = run_until_joined(http, data, Clock())
        assert (formed["changed"], {device["mesh"] for device in formed["devices"]}) == (False, {"joined"})

    def test_node_leaves_its_network_before_it_joins_another(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5]), "shed": (ids[5:6], ids[6:8])}))
        before = len(cloud.writes())
        networks = {"barn": (ids[:1], ids[1:4]), "shed": (ids[5:6], ids[4:5] + ids[6:8])}
        result = run(http, declare_networks(PRODUCT, "networks", networks))
        assert [device["id"] for device in result["devices"] if device["status"] == "changed"] == [ids[4]]
        assert list_writes(cloud, before) == [f"{LEAVE} {ids[4]}", f"{UPDATE} add-device {ids[4]}"]
        assert read_registry_roles(cloud) == {name: build_roles(network) for name, network in networks.items()}

    def test_only_gateway_of_a_network_is_replaced(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:10])}))
        before = len(cloud.writes())
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[20:21], ids[1:10])})
        data["devices"].append({"id": ids[0], "mesh": {"state": "absent"}})
        assert run(http, data)["summary"]["changed"] == 2
        assert list_writes(cloud, before)[1:] == [
            f"{LEAVE} {ids[0]}",
            f"{UPDATE} add-device {ids[20]}",
            f"{UPDATE} gateway-enable {ids[20]}",
        ]

    def test_network_is_dissolved_by_one_request(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}))
        before = len(cloud.writes())
        devices = [{"id": ids[0], "mesh": {"state": "absent"}}, {"id": ids[1]}, {"id": ids[2], "name": "kept"}]
        data = {
            "product": PRODUCT,
            "networks": {"barn": {"backend": "networks", "state": "absent"}},
            "devices": devices,
        }
        result = run(http, data)
        assert statuses(result) == dict.fromkeys(ids[:3], "changed")
        assert result["diff"].removed["networks"] == ("barn",)
        deletion, update = cloud.writes()[before:]
        assert (deletion["route"], update["fields"], read_registry_roles(cloud)) == (DELETE, {"name": "kept"}, {})
        assert run(http, data)["changed"] is False

    def test_undeclared_members_stay_in_their_network(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}))
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[5:7])}))
        assert read_registry_roles(cloud) == {"barn": build_roles((ids[:1], ids[1:7]))}


class TestLedger:
    """Networks of the ledger backend, which consist of groups and instructions."""

    def test_undeclared_members_leave_a_network_that_is_dissolved(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5]), "shed": (ids[5:6], ids[6:8])}))
        data = declare_networks(PRODUCT, "ledger", {"shed": (ids[5:6], ids[1:2] + ids[6:8])})
        data["networks"]["barn"] = {"state": "absent"}
        data["devices"].append({"id": ids[2], "name": "kept"})
        before = len(cloud.writes())

        result = run(http, data)

        assert statuses(result) == {
            **dict.fromkeys([ids[0], *ids[2:5]], "pending"),
            ids[1]: "changed",
            **dict.fromkeys(ids[5:8], "ok"),
        }
        assert read_ledger_roles(cloud) == {"shed": build_roles((ids[5:6], ids[1:2] + ids[6:8]))}
        groups = {device["id"]: device["groups"] for device in cloud.state()["devices"]}
        assert [groups[device] for device in ids[2:5]] == [[], [], []]
        assert sorted(groups[ids[1]]) == ["mesh-node", "mesh-shed"]
        product = next(product for product in cloud.state()["products"] if product["slug"] == PRODUCT)
        assert sorted(product["groups"]) == ["mesh-gateway", "mesh-node", "mesh-shed"]
        writes = [write["route"] for write in cloud.writes()[before:]]
        assert writes[-1] == REMOVE_GROUP
        assert (writes.count(DELETE_INSTRUCTIONS), writes.count(SET_INSTRUCTIONS), writes.count(BATCH)) == (0, 5, 3)
        second = statuses(run(http, data))
        assert {second[device] for device in [ids[0], *ids[2:5]]} == {"changed"}
        assert set(read_instances(cloud)) == {ids[1], *ids[5:8]}
        assert run(http, data)["changed"] is False

    def test_instructions_stay_until_the_device_reports_that_it_has_left(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        # Given a member that is offline
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        cloud.change_device(ids[2], powered=False)
        leaving = {"product": PRODUCT, "devices": [{"id": ids[2], "mesh": {"state": "absent"}}]}

        # When it is to leave, and does not come back
        predicted = run(http, leaving, check_mode=True)
        first = run(http, leaving)
        before = len(cloud.writes())
        repeated = [run(http, leaving, check_mode=check) for check in (True, False)]

        # Then it is pending, and nothing more is written
        assert statuses(predicted) == statuses(first) == {ids[2]: "pending"}
        assert first["devices"][0]["changes"]["mesh"]["after"] is None
        assert "has not reported that it has left" in first["devices"][0]["error"]["message"]
        assert [(each["changed"], statuses(each)) for each in repeated] == [(False, {ids[2]: "pending"})] * 2
        assert len(cloud.writes()) == before
        assert read_instances(cloud)[ids[2]] == {"contract": 1, "network": None}

        # And a run after it has left deletes its instructions
        cloud.change_device(ids[2], powered=True)
        last = run(http, leaving)
        assert statuses(last) == {ids[2]: "changed"}
        assert last["devices"][0]["changes"] == {"mesh.instructions": {"before": "leave", "after": None}}
        assert ids[2] not in read_instances(cloud)
        assert run(http, leaving)["changed"] is False

    def test_devices_of_old_and_new_firmware_leave_one_network(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        cloud.change_device(ids[2], mesh_firmware="simulated_old")
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])})
        assert {device["mesh"] for device in run(http, data, verify="online")["devices"]} == {"joined"}
        for record in data["devices"][1:3]:
            record["mesh"] = {"state": "absent"}

        found = statuses(run(http, data))

        assert (found[ids[1]], found[ids[2]]) == ("pending", "changed")
        assert set(read_instances(cloud)) == {ids[0], ids[1], ids[3]}
        assert set(read_instances(cloud, "mesh-status")) == {ids[0], ids[1], ids[3]}

    def test_device_that_leaves_the_product_is_not_waited_for(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        cloud.change_device(ids[2], powered=False)
        data = {"product": PRODUCT, "devices": [{"id": ids[2], "state": "absent"}]}
        assert statuses(run(http, data)) == {ids[2]: "changed"}
        assert set(read_instances(cloud)) == set(ids[:2])

    def test_device_that_was_ordered_to_leave_can_join_again(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        run(http, data)
        run(http, {"product": PRODUCT, "devices": [{"id": ids[2], "mesh": {"state": "absent"}}]})
        result = run(http, data, verify="online")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert result["devices"][2]["changes"] == {
            "mesh": {"before": None, "after": {"network": "barn", "role": "node"}}
        }

    def test_instructions_that_only_lack_the_contract_are_left_alone(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], [])})
        run(http, data)
        instructions = {key: value for key, value in read_instances(cloud)[ids[0]].items() if key != "contract"}
        put = "PUT /v1/ledgers/mesh/instances/:device"
        http.send(Request(put, "order", {"device": ids[0]}, json={"instance": {"data": instructions}}))
        assert run(http, data)["changed"] is False

    def test_new_ledger_is_warned_about_once(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        warnings: list[str] = []
        for _unused in range(2):
            run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], [])}), warnings=warnings)
        assert [warning.partition(".")[0] for warning in warnings if "Ledger" in warning] == ["Ledger mesh is new"]

    def test_gateway_leaves_a_dissolved_network_last(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5])}))
        before = len(cloud.writes())
        run(http, {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []})
        removed = [w["path"]["scopeValue"] for w in cloud.writes()[before:] if w["route"] == SET_INSTRUCTIONS]
        assert (set(removed), removed[-1]) == (set(ids[:5]), ids[0])

    @pytest.mark.parametrize("left", ["groups", "orders"])
    def test_remains_of_a_killed_run_are_removed_with_the_network(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], left: str
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        if left == "orders":
            at = {"p": "31337", "name": "mesh-barn"}
            http.send(Request("DELETE /v1/products/:p/groups/:name", "half", at))
        else:
            for device in ids[:3]:
                at = {"name": "mesh", "scopeValue": device}
                http.send(Request(DELETE_INSTRUCTIONS, "half", at))
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        result = run(http, data)
        assert statuses(result) == dict.fromkeys(sorted(ids[:3]), "pending" if left == "orders" else "changed")
        assert read_ledger_roles(cloud) == {}
        assert [device["groups"] for device in cloud.state()["devices"] if device["id"] in ids[:3]] == [[], [], []]
        run(http, data)
        assert read_instances(cloud) == {}
        assert run(http, data)["changed"] is False

    def test_group_that_cannot_be_removed_fails_and_next_run_removes_it(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])}))
        cloud.set_faults([{"route": REMOVE_GROUP, "effect": "status", "status": 409}])
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        failed = run(http, data)
        assert errors(failed) == dict.fromkeys(ids[:3], "conflict")
        assert "Could not remove device group mesh-barn" in failed["msg"]
        assert read_counts(run(http, data)) == {"total": 3, "ok": 0, "changed": 3, "failed": 0, "pending": 0}
        assert run(http, data)["changed"] is False

    def test_parameters_too_large_for_a_ledger_are_refused_before_any_write(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        data["networks"]["barn"]["parameters"] = {"key": "hush" * 5_000}
        with pytest.raises(ParticleError, match="a ledger holds only 16384") as caught:
            run(http, data)
        assert (caught.value.code, "hush" in caught.value.message, http.writes) == ("conflict", False, [])

    def test_parameters_of_one_member_are_written_to_that_member_only(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        data["networks"]["barn"]["parameters"] = {"channel": 15, "key": "hush"}
        data["devices"][1]["mesh"]["parameters"] = {"key": "hush-1"}
        run(http, data)
        assert read_join_keys(cloud) == {ids[0]: "hush", ids[1]: "hush-1", ids[2]: "hush"}
        assert run(http, data)["changed"] is False

        data["devices"][1]["mesh"]["parameters"] = {"key": "hush-2"}
        before = len(cloud.writes())
        result = run(http, data)
        assert (list_writes(cloud, before), read_join_keys(cloud)[ids[1]]) == (
            [f"{SET_INSTRUCTIONS} {ids[1]}"],
            "hush-2",
        )
        (changed,) = result["diff"].items
        assert (changed.key, changed.changes["mesh.parameters"][1]) == (ids[1], "key (values are not shown)")

    def test_ledgers_have_the_configured_names(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        mesh = Mesh({"mesh_ledger": "acme-mesh", "mesh_status_ledger": "acme-reports"})
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:3])})
        predicted = run(http, data, check_mode=True, mesh=mesh)
        assert predicted["diff"].created["ledgers"] == ("acme-mesh", "acme-reports")
        run(http, data, mesh=mesh)
        counts = {ledger["name"]: len(ledger["instances"]) for ledger in cloud.state()["ledgers"]}
        assert counts == {"acme-mesh": 3, "acme-reports": 0}
        assert run(http, data, mesh=mesh)["changed"] is False

        absent = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        assert len(run(http, absent, mesh=mesh)["devices"]) == 3
        order = {"contract": 1, "network": None}
        assert read_instances(cloud, "acme-mesh") == dict.fromkeys(ids[:3], order)


class TestBothBackends:
    """Manifests with networks of both backends, and devices that move between them."""

    def test_each_network_is_formed_by_its_own_backend(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])})
        other = declare_networks(PRODUCT, "ledger", {"shed": (ids[3:4], ids[4:6])})
        data["networks"] |= other["networks"]
        data["devices"] += other["devices"]
        result = run(http, data, verify="online")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert (read_registry_roles(cloud), read_ledger_roles(cloud)) == (
            {"barn": build_roles((ids[:1], ids[1:3]))},
            {"shed": build_roles((ids[3:4], ids[4:6]))},
        )
        assert run(http, data)["changed"] is False

    @pytest.mark.parametrize(("old", "new"), [("networks", "ledger"), ("ledger", "networks")])
    def test_a_network_moves_to_the_other_backend(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], old: str, new: str
    ) -> None:
        members = {"barn": (ids[:1], ids[1:4])}
        run(http, declare_networks(PRODUCT, old, members))
        result = run(http, declare_networks(PRODUCT, new, members), verify="online")
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        node = result["devices"][1]["changes"]["mesh"]
        assert node == {"before": {"network": "barn", "role": "node"}, "after": {"network": "barn", "role": "node"}}
        roles = {"networks": read_registry_roles(cloud), "ledger": read_ledger_roles(cloud)}
        assert roles[new] == {"barn": build_roles(members["barn"])}
        assert roles[old].get("barn", {}) == {}
        groups = {device["id"]: device["groups"] for device in cloud.state()["devices"]}
        assert sorted(groups[ids[1]]) == (["mesh-barn", "mesh-node"] if new == "ledger" else [])
        if old == "ledger":  # the members have left, so their instructions can be deleted
            assert set(statuses(run(http, declare_networks(PRODUCT, new, members))).values()) == {"changed"}
        assert run(http, declare_networks(PRODUCT, new, members))["changed"] is False

    def test_leaving_device_leaves_both_backends(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:2])}))
        body = {"name": "other", "device_id": ids[0]}
        http.send(Request(CREATE, "do by hand", json=body))
        result = run(http, {"product": PRODUCT, "devices": [{"id": d, "mesh": {"state": "absent"}} for d in ids[:2]]})
        assert set(statuses(result).values()) == {"pending"}
        assert (read_registry_roles(cloud), read_ledger_roles(cloud)) == ({"other": {}}, {})


class TestMembershipChanges:
    """Changes to the members of a network, on both backends."""

    @BACKENDS
    def test_offline_gateways_are_replaced_before_they_leave(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        run(http, declare_networks(PRODUCT, backend, {"barn": (ids[:2], ids[2:20])}))
        cloud.change_device(ids[0], online=False)
        cloud.change_device(ids[1], online=False)
        data = declare_networks(PRODUCT, backend, {"barn": (ids[30:31], ids[2:20])})
        data["devices"] += [{"id": device, "mesh": {"state": "absent"}} for device in ids[:2]]
        before = len(cloud.writes())

        result = run(http, data, verify="online")

        joined = {device["id"] for device in result["devices"] if device["mesh"] == "joined"}
        assert joined == {ids[30], *ids[2:20]}
        read_roles = {"networks": read_registry_roles, "ledger": read_ledger_roles}[backend]
        assert read_roles(cloud) == {"barn": build_roles((ids[30:31], ids[2:20]))}
        writes = list_writes(cloud, before)
        join = next(
            at
            for at, write in enumerate(writes)
            if "gateway-enable" in write or f"{SET_INSTRUCTIONS} {ids[30]}" == write
        )
        leave = LEAVE if backend == "networks" else SET_INSTRUCTIONS
        left = [at for at, write in enumerate(writes) if write.startswith(leave) and write.endswith(tuple(ids[:2]))]
        assert len(left) == 2
        assert join < min(left)

    @BACKENDS
    def test_member_leaves_without_changes_to_the_others(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        data = declare_networks(PRODUCT, backend, {"barn": (ids[:1], ids[1:5])})
        run(http, data)
        data["devices"][4]["mesh"] = {"state": "absent"}
        before = len(cloud.writes())
        result = run(http, data)
        left = "changed" if backend == "networks" else "pending"
        assert [device["id"] for device in result["devices"] if device["status"] == left] == [ids[4]]
        assert len(cloud.writes()) - before == (1 if backend == "networks" else 3)

    @BACKENDS
    def test_roles_change_in_place(self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str) -> None:
        members = {"barn": (ids[:2], ids[2:15])}
        run(http, declare_networks(PRODUCT, backend, members))
        members = {"barn": (ids[1:3], [ids[0], *ids[3:15]])}
        run(http, declare_networks(PRODUCT, backend, members))
        read_roles = {"networks": read_registry_roles, "ledger": read_ledger_roles}[backend]
        assert read_roles(cloud) == {"barn": build_roles(members["barn"])}
        assert run(http, declare_networks(PRODUCT, backend, members))["changed"] is False

    @BACKENDS
    def test_exchange_of_two_gateways_is_refused_before_any_write(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        nodes = [ids[2:14], ids[14:26]]
        data = declare_networks(PRODUCT, backend, {"barn": (ids[:1], nodes[0]), "shed": (ids[1:2], nodes[1])})
        for network in data["networks"].values() if backend == "networks" else ():
            network["parameters"] = {"type": "large_site"}
        run(http, data)
        before = cloud.stats()["writes"]
        for device, network in zip(ids[:2], ("shed", "barn"), strict=True):
            next(record for record in data["devices"] if record["id"] == device)["mesh"]["network"] = network
        with pytest.raises(ParticleError, match="change places") as caught:
            run(http, data)
        assert (caught.value.code, cloud.stats()["writes"]) == ("conflict", before)
        assert all(device in caught.value.message for device in ids[:2])


class TestFailures:
    """Refused writes and lost answers; nodes wait, unchanged, if their gateway failed."""

    @pytest.mark.parametrize(("backend", "route"), [("networks", CREATE), ("ledger", SET_INSTRUCTIONS)])
    def test_nodes_do_not_join_a_network_whose_gateway_failed(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str, route: str
    ) -> None:
        data = declare_networks(PRODUCT, backend, {"barn": (ids[:1], ids[1:5])})
        data["devices"][1]["name"] = "named all the same"
        refusal = {"ok": False, "error": "No."}
        cloud.set_faults([{"route": route, "effect": "status", "status": 403, "body": refusal}])
        result = run(http, data)
        assert errors(result) == {ids[0]: "forbidden"}
        assert statuses(result) == {ids[0]: "failed", **dict.fromkeys(ids[1:5], "pending")}
        assert read_registry_roles(cloud) == read_ledger_roles(cloud) == {}
        assert cloud.device(ids[1])["name"] == "named all the same"

        assert read_counts(run(http, data)) == {"total": 5, "ok": 0, "changed": 5, "failed": 0, "pending": 0}

    def test_node_keeps_its_groups_when_its_gateway_is_refused_in_its_batch(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        gateway, node = ids[:2]
        run(http, declare_networks(PRODUCT, "ledger", {"barn": ([gateway], [node])}))
        refuse(cloud, BATCH, 400, times=2)  # first the batch of both devices, then the gateway alone
        result = run(http, declare_networks(PRODUCT, "ledger", {"mill": ([gateway], [node])}))
        assert statuses(result) == {gateway: "failed", node: "pending"}
        assert set(cloud.device(node)["groups"]) == {"mesh-barn", "mesh-node"}

    def test_second_gateway_creates_the_network_if_the_first_is_refused(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        refusal = {"ok": False, "errors": ["This device cannot be a gateway"]}
        cloud.set_faults([{"route": CREATE, "effect": "status", "status": 400, "body": refusal}])
        result = run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:2], ids[2:15])}))
        (failed,) = errors(result)
        assert failed in ids[:2]
        assert read_registry_roles(cloud)["barn"].keys() == {*ids[:15]} - {failed}

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after", "empty", "truncated"])
    @pytest.mark.parametrize("route", [CREATE, UPDATE])
    def test_networks_are_formed_despite_lost_answers(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        cloud.set_faults([{"route": route, "effect": effect, "times": 2}])
        members = {"barn": (ids[:2], ids[2:15])}
        result = run(http, declare_networks(PRODUCT, "networks", members))
        assert set(statuses(result).values()) == {"changed"}, result.get("msg")
        assert read_registry_roles(cloud) == {"barn": build_roles(members["barn"])}
        assert run(http, declare_networks(PRODUCT, "networks", members))["changed"] is False

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
    @pytest.mark.parametrize("route", [LEAVE, DELETE])
    def test_members_leave_despite_a_lost_answer(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])})
        run(http, data)
        cloud.set_faults([{"route": route, "effect": effect}])
        if route == DELETE:
            data["networks"]["barn"]["state"] = "absent"
        data["devices"] = [{"id": device, "mesh": {"state": "absent"}} for device in ids[:5]]
        assert set(statuses(run(http, data)).values()) == {"changed"}
        assert read_registry_roles(cloud).get("barn", {}) == {}

    def test_a_network_that_cannot_be_dissolved_fails_its_members(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])}))
        refusal = {"ok": False, "error": "Permission denied"}
        cloud.set_faults([{"route": DELETE, "effect": "status", "status": 409, "body": refusal}])
        data = {
            "product": PRODUCT,
            "networks": {"barn": {"backend": "networks", "state": "absent"}},
            "devices": [{"id": device} for device in ids[:3]],
        }
        assert errors(run(http, data)) == dict.fromkeys(ids[:3], "conflict")
        assert statuses(run(http, data)) == dict.fromkeys(ids[:3], "changed")

    def test_run_fails_if_network_without_declared_members_is_not_dissolved(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:3])}))
        cloud.set_faults([{"route": DELETE, "effect": "status", "status": 409}])
        networks = {"barn": {"backend": "networks", "state": "absent"}}
        data = {"product": PRODUCT, "networks": networks, "devices": [{"id": ids[5], "name": "kept"}]}
        failed = run(http, data)
        assert (failed["failed"], failed["error"]["code"], statuses(failed)) == (True, "conflict", {ids[5]: "changed"})
        assert "Could not remove mesh network barn" in failed["msg"]
        assert (run(http, data)["changed"], read_registry_roles(cloud)) == (True, {})

    def test_nodes_without_a_gateway_are_not_waited_for(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        refusal = {"ok": False, "error": "No."}
        cloud.set_faults([{"route": CREATE, "effect": "status", "status": 403, "body": refusal}])
        clock = Clock()
        result = run_until_joined(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:5])}), clock)
        assert statuses(result) == {ids[0]: "failed", **dict.fromkeys(ids[1:5], "pending")}
        assert clock.slept == []


class TestRepeatedRuns:
    """Runs that are repeated after a failure, and know only what the cloud shows."""

    @pytest.mark.parametrize("parameters", [None, {"channel": 15}])
    def test_gateway_without_instructions_does_not_count_as_a_gateway(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], parameters: dict[str, Any] | None
    ) -> None:
        data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])})
        if parameters:
            data["networks"]["barn"]["parameters"] = parameters
        for _unused in range(2):
            refuse(cloud, SET_INSTRUCTIONS, 403)
            assert statuses(run(http, data)) == {ids[0]: "failed", **dict.fromkeys(ids[1:4], "pending")}
            assert read_ledger_roles(cloud) == {}
        assert set(statuses(run(http, data)).values()) == {"changed"}

    def test_old_gateway_stays_in_instructions_until_the_new_one_joins(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        old, new, nodes = ids[0], ids[5], ids[1:4]
        run(http, declare_networks(PRODUCT, "ledger", {"barn": ([old], nodes)}))
        data = declare_networks(PRODUCT, "ledger", {"barn": ([new], nodes)})
        data["devices"].append({"id": old, "mesh": {"state": "absent"}})
        for _unused in range(2):
            refuse(cloud, SET_INSTRUCTIONS, 403)
            result = statuses(run(http, data))
            assert result == {new: "failed", **dict.fromkeys([*nodes, old], "pending")}
            assert read_ledger_roles(cloud) == {"barn": build_roles(([old], nodes))}
            assert read_gateway_lists(cloud) == {frozenset({old})}
        assert "failed" not in run(http, data)
        assert read_gateway_lists(cloud) == {frozenset({new})}

    def test_gateway_stays_until_the_instructions_of_nodes_name_another(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        old, new, nodes = ids[0], ids[5], ids[1:4]
        data = declare_networks(PRODUCT, "ledger", {"barn": ([old], nodes)})
        run(http, {**data, "devices": [*data["devices"], {"id": new}]})
        instructions = {"network": "barn", "role": "gateway", "gateways": [new], "parameters": {}}
        put = "PUT /v1/ledgers/mesh/instances/:device"
        http.send(Request(put, "order", {"device": new}, json={"instance": {"data": instructions}}))
        data = declare_networks(PRODUCT, "ledger", {"barn": ([new], nodes)})
        data["devices"].append({"id": old, "mesh": {"state": "absent"}})
        refuse(cloud, SET_INSTRUCTIONS, 403, times=3)
        result = statuses(run(http, data))
        assert {device: result[device] for device in [*nodes, old]} == {
            **dict.fromkeys(nodes, "failed"),
            old: "pending",
        }
        assert read_ledger_roles(cloud)["barn"][old] == "gateway"
        assert "failed" not in run(http, data)
        assert read_ledger_roles(cloud) == {"barn": build_roles(([new], nodes))}
        run(http, data)
        assert run(http, data)["changed"] is False

    @pytest.mark.parametrize("backend", ["ledger", "networks"])
    def test_second_plan_of_a_run_still_excludes_the_failed_gateway(
        self, cloud: Simulator, ids: list[str], backend: str
    ) -> None:
        def barn_and_shed(gateway: str, *, others: Sequence[str]) -> dict[str, Any]:
            networks = {"barn": ([gateway], ids[1:4]), "shed": (ids[10:11], [*ids[11:13], *others])}
            data = declare_networks(PRODUCT, backend, networks)
            for network in data["networks"].values():
                network["parameters"] = {"type": "large_site"} if backend == "networks" else {"channel": 15}
            return data

        data = barn_and_shed(ids[5], others=ids[13:14])
        data["devices"].append({"id": ids[0], "mesh": {"state": "absent"}})
        joins = UPDATE if backend == "networks" else SET_INSTRUCTIONS
        with user(cloud, workers=1) as http:  # the new gateway is written first
            run(http, barn_and_shed(ids[0], others=[]))
            refuse(cloud, joins, 400)
            cloud.set_faults([{"route": BATCH if backend == "ledger" else joins, "effect": "reset_after"}])
            result = statuses(run(http, data))
        assert (result[ids[5]], result[ids[0]]) == ("failed", "pending")
        roles = read_registry_roles(cloud) if backend == "networks" else read_ledger_roles(cloud)
        assert roles["barn"][ids[0]] == "gateway"

    def test_order_to_leave_is_repeated_when_a_network_moves_to_the_registry(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])}))
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:4])})
        refuse(cloud, SET_INSTRUCTIONS, 409, times=4)
        assert set(statuses(run(http, data)).values()) <= {"failed", "pending"}
        cloud.clear_faults()
        assert "failed" not in run(http, data)
        assert (read_ledger_roles(cloud), set(read_registry_roles(cloud))) == ({}, {"barn"})
        run(http, data)
        assert read_instances(cloud) == {}
        assert run(http, data)["changed"] is False

    def test_group_of_a_dissolved_network_stays_until_all_members_left(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:4])}))
        data = {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": []}
        refuse(cloud, SET_INSTRUCTIONS, 409)
        found = statuses(run(http, data))
        assert sorted(found.values()) == ["failed", "pending", "pending", "pending"]
        (failed,) = (device for device, status in found.items() if status == "failed")
        assert "mesh-barn" in cloud.device(failed)["groups"]
        assert "failed" not in run(http, data)
        assert (read_ledger_roles(cloud), cloud.device(failed)["groups"]) == ({}, [])


class TestFullNetwork:
    """A network of the registry with the maximum of ten members."""

    @pytest.mark.parametrize("first", ["who comes", "who goes"])
    def test_new_member_joins_after_another_has_left(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], first: str
    ) -> None:
        run(http, declare_networks(PRODUCT, "networks", {"barn": (ids[:1], ids[1:10])}))
        data = declare_networks(PRODUCT, "networks", {"barn": (ids[:1], [*ids[1:9], ids[20]])})
        leaving = {"id": ids[9], "mesh": {"state": "absent"}}
        data["devices"].insert(len(data["devices"]) if first == "who comes" else 0, leaving)
        assert "failed" not in run(http, data)
        assert read_registry_roles(cloud) == {"barn": build_roles((ids[:1], [*ids[1:9], ids[20]]))}


class TestRetiredRegistry:
    """A cloud that has retired the registry, as the Particle cloud has today."""

    @pytest.mark.parametrize("product", [None, PRODUCT])
    def test_network_is_refused_before_any_write_and_the_hint_works(
        self, simulator: Simulator, product: str | None
    ) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            data = declare_networks(product, "networks", {"barn": (ids[:1], ids[1:5])})
            with pytest.raises(ParticleError) as caught:
                run(http, data)
            assert (caught.value.code, simulator.stats()["writes"]) == ("unsupported", 0)
            assert "backend ledger" in caught.value.hint
            assert "product" in caught.value.hint

            data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:1], ids[1:5])})
            assert run(http, data, verify="online")["networks"]["barn"]["joined"] == 5

    @pytest.mark.parametrize("declared_by", ["id", "serial_number"])
    def test_devices_too_old_for_the_ledger_backend_are_warned_about_once(
        self, cloud: Simulator, declared_by: str
    ) -> None:
        # The warning counts devices that this run imports, even if an ambiguous write causes a second plan.
        found = cloud.state()["devices"][:3]
        data = declare_networks(PRODUCT, "ledger", {"barn": ([found[0]["id"]], [found[1]["id"], found[2]["id"]])})
        data["devices"] = [
            {declared_by: device[declared_by], "mesh": record["mesh"]}
            for device, record in zip(found, data["devices"], strict=True)
        ]
        warnings: list[str] = []
        with user(cloud) as http:
            run(http, {"product": PRODUCT, "devices": [{"id": found[0]["id"]}]})
            cloud.set_faults([{"route": SET_INSTRUCTIONS, "effect": "truncated", "times": 5}])
            run(http, data, warnings=warnings)
        assert [warning.partition(" and ")[0].partition(".")[0] for warning in warnings] == [
            "Ledger mesh is new",
            "Devices (3) run a Device OS older than 6",
        ]

    def test_absent_mesh_is_accepted_without_a_registry(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        devices = [{"id": ids[0], "name": "kept", "mesh": {"state": "absent"}}]
        with user(simulator) as http:
            assert statuses(run(http, {"product": PRODUCT, "devices": devices})) == {ids[0]: "changed"}

    @pytest.mark.parametrize("leaves", [False, True])
    def test_old_registration_is_an_error_only_when_a_device_must_leave(
        self, scripted_cloud: ScriptedCloud, leaves: bool
    ) -> None:
        one = device_id(1)
        instructions = {"network": "barn", "role": "gateway", "gateways": [one], "parameters": {}}
        registration = {"id": "5c", "name": "old", "role": {"gateway": True, "state": "confirmed"}}
        groups = ["mesh-barn", "mesh-gateway"]
        script(
            scripted_cloud,
            [row(one, groups=groups, network=registration)],
            groups=groups,
            instances=[instance(one, instructions)],
        )
        scripted_cloud.answer("GET", "/v1/networks", 404, body="Not Found", headers={"Content-Type": "text/plain"})
        data = declare_networks(PRODUCT, "ledger", {"barn": ([one], [])})
        if leaves:
            data = {"product": PRODUCT, "devices": [{"id": one, "mesh": {"state": "absent"}}]}
            scripted_cloud.answer("GET", REPORTS, json={"instances": []})
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

    def test_network_of_a_retired_registry_cannot_be_dissolved(self, simulator: Simulator) -> None:
        networks = {"old": {"backend": "networks", "state": "absent"}}
        with user(simulator) as http, pytest.raises(ParticleError) as caught:
            run(http, {"product": PRODUCT, "networks": networks, "devices": []})
        assert (caught.value.code, simulator.stats()["writes"]) == ("unsupported", 0)


class TestVerification:
    """Waiting until the members report that they have joined."""

    def test_slow_members_are_waited_for_with_one_list_per_check(self) -> None:
        with running_simulator("--fleet", "100", "--slow-joiners", "0.1") as cloud, user(cloud) as http:
            ids, clock = ids_of(cloud), Clock(cloud)
            result = run_until_joined(http, declare_networks(PRODUCT, "ledger", {"barn": (ids[:2], ids[2:])}), clock)
            lists = cloud.stats()["by_route"]["GET /v1/ledgers/:name/instances"]
        assert {device["mesh"] for device in result["devices"]} == {"joined"}
        assert sum(clock.slept) <= 300
        assert 0 < len(clock.slept) <= 60
        assert lists <= len(clock.slept) + 3

    def test_exactly_the_slow_and_offline_members_are_pending(self) -> None:
        with running_simulator("--fleet", "200", "--slow-joiners", "0.05") as cloud, user(cloud) as http:
            ids, clock = ids_of(cloud), Clock()
            offline = set(ids[2::50])
            for device in offline:
                cloud.change_device(device, online=False)
            data = declare_networks(PRODUCT, "ledger", {"barn": (ids[:2], ids[2:])})
            result = reconcile(
                http,
                read_manifest(data),
                RunSettings(False, Verification("online", 10, clock=clock.read, sleep=clock.sleep)),
                Callbacks(list[str]().append),
            )
            (reports,) = (ledger["instances"] for ledger in cloud.state()["ledgers"] if ledger["name"] == "mesh-status")
        joined = {report["scope_value"] for report in reports if report["data"]["state"] == "joined"}
        pending = {device["id"] for device in result["devices"] if device["mesh"] != "joined"}
        assert pending == set(ids) - joined
        assert 0.02 * len(ids) <= len(pending - offline) <= 0.09 * len(ids)
        assert offline < pending
        assert {statuses(result)[device] for device in pending} == {"pending"}
        counts = {"gateways": 2, "nodes": 198, "joined": 200 - len(pending), "lost": 0, "pending": len(pending)}
        assert result["summary"]["networks"] == {"barn": counts}
        assert ("failed" in result, sum(clock.slept)) == (False, 10)

    @BACKENDS
    def test_check_mode_without_changes_reads_members_without_waiting(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str
    ) -> None:
        data = declare_networks(PRODUCT, backend, {"barn": (ids[:1], ids[1:10])})
        predicted = run(http, data, check_mode=True, verify="online")
        assert predicted["networks"]["barn"] == {"gateways": 1, "nodes": 9}
        cloud.change_device(ids[3], online=False)
        run(http, data)

        writes = cloud.stats()["writes"]
        result = run(http, data, check_mode=True, verify="online")
        assert result["networks"]["barn"]["joined"] == 9
        assert statuses(result) == {device: "pending" if device == ids[3] else "ok" for device in ids[:10]}
        assert (result["changed"], cloud.stats()["writes"]) == (False, writes)

    @BACKENDS
    @pytest.mark.parametrize("strict", [False, True])
    def test_offline_member_is_pending_and_fails_only_in_strict_mode(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], backend: str, strict: bool
    ) -> None:
        offline = ids[3:5]
        for device in offline:
            cloud.change_device(device, online=False)
        clock = Clock()
        result = run_until_joined(
            http, declare_networks(PRODUCT, backend, {"barn": (ids[:1], ids[1:10])}), clock, strict=strict
        )
        assert {device["id"] for device in result["devices"] if device["mesh"] != "joined"} == set(offline)
        assert result["networks"]["barn"] == {"gateways": 1, "nodes": 9, "joined": 8, "lost": 0, "pending": 2}
        assert {statuses(result)[device] for device in offline} == {"failed" if strict else "pending"}
        assert result.get("failed", False) is strict
        assert sum(clock.slept) == 300
        if strict:
            assert errors(result) == dict.fromkeys(offline, "device_offline")
            assert "has not joined network barn in time: it is pending" in result["msg"]
