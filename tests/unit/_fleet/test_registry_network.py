# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the management of one network of the registry, and the list of all networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fleet_cloud import EXPIRED, RecordingHttp, client, device_id, ids_of, user

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.registry_network import (
    DeclaredNetwork,
    declare_absent_network,
    declare_network,
    reconcile_network,
    show_networks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.simulator import Simulator, running_simulator

CREATE, UPDATE, DELETE = "POST /v1/networks", "PUT /v1/networks/:idOrName", "DELETE /v1/networks/:idOrName"
LEAVE, READ = "DELETE /v1/devices/:id/network", "GET /v1/networks/:idOrName"


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "30", "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


@pytest.fixture
def http(cloud: Simulator, ids: list[str]) -> Iterator[RecordingHttp]:
    """A client of a user who has claimed the first twenty devices."""
    with user(cloud) as logged_in:
        for device in ids[:20]:
            logged_in.send(Request("POST /v1/devices", "claim", json={"id": device}))
        logged_in.sent.clear()
        yield logged_in


@pytest.fixture
def ids(cloud: Simulator) -> list[str]:
    return ids_of(cloud)


def declare_barn(
    gateways: Sequence[str], members: Sequence[str] = (), *, exact: bool = False, **parameters: Any
) -> DeclaredNetwork:
    return declare_network("barn", gateways, members, parameters, exact=exact)


def reconcile(http: RecordingHttp, wanted: DeclaredNetwork, *, check_mode: bool = False) -> dict[str, Any]:
    http.sent.clear()
    return reconcile_network(http, wanted, check_mode=check_mode, warn=list[str]().append)


def read_roles(simulator: Simulator, name: str = "barn") -> dict[str, str]:
    """Read the role of each member of a network."""
    found = [network for network in simulator.state()["networks"] if network["name"] == name]
    return {device["id"]: device["role"] for network in found for device in network["devices"]}


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {device["id"]: device["status"] for device in result["devices"]}


class TestOneNetwork:
    """Declared networks, which a run forms, changes or dissolves."""

    def test_network_is_created_and_second_run_writes_nothing(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        result = reconcile(http, declare_barn(ids[:1], ids[1:4]))
        assert (result["changed"], set(statuses(result).values())) == (True, {"changed"})
        assert (result["network"]["state"], result["network"]["type"]) == ("confirmed", "micro_cellular")
        assert read_roles(cloud) == {ids[0]: "gateway", **dict.fromkeys(ids[1:4], "node")}
        assert http.writes == [CREATE, UPDATE, UPDATE, UPDATE]

        again = reconcile(http, declare_barn(ids[:1], ids[1:4]))
        assert (again["changed"], http.writes, set(statuses(again).values())) == (False, [], {"ok"})

    def test_check_mode_predicts_the_network_without_a_write(self, http: RecordingHttp, ids: list[str]) -> None:
        predicted = reconcile(http, declare_barn(ids[:1], ids[1:4]), check_mode=True)
        assert (http.writes, predicted["network"]) == ([], None)
        real = reconcile(http, declare_barn(ids[:1], ids[1:4]))
        assert [predicted[key] for key in ("changed", "diff", "devices")] == [
            real[key] for key in ("changed", "diff", "devices")
        ]

    def test_unclaimed_devices_join_a_network(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        reconcile(http, declare_barn(ids[:1], ids[25:27]))
        assert read_roles(cloud) == {ids[0]: "gateway", **dict.fromkeys(ids[25:27], "node")}
        assert reconcile(http, declare_barn(ids[:1], ids[25:27]))["changed"] is False

    def test_device_leaves_its_network_before_it_joins_another(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        reconcile(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        result = reconcile(http, declare_barn(ids[:1], ids[7:8]))
        assert http.writes == [CREATE, LEAVE, UPDATE]
        assert result["devices"][1]["changes"]["mesh"]["before"] == {"network": "shed", "role": "node"}
        assert (read_roles(cloud, "shed").keys(), read_roles(cloud)[ids[7]]) == ({ids[5], ids[6]}, "node")

    @pytest.mark.parametrize("exact", [False, True])
    def test_undeclared_members_leave_only_an_exact_network(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], exact: bool
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4]))
        result = reconcile(http, declare_barn(ids[:1], ids[1:2], exact=exact))
        left = {device for device, status in statuses(result).items() if status == "changed"}
        assert left == (set(ids[2:4]) if exact else set())
        assert read_roles(cloud).keys() == set(ids[:2] if exact else ids[:4])

    def test_gateway_is_replaced_before_the_old_one_leaves(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4], type="large_site"))
        reconcile(http, declare_barn(ids[4:5], ids[1:4], exact=True))
        assert http.writes == [UPDATE, UPDATE, LEAVE]
        assert read_roles(cloud) == {ids[4]: "gateway", **dict.fromkeys(ids[1:4], "node")}

    def test_absent_network_is_dissolved(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4]))
        result = reconcile(http, declare_absent_network("barn"))
        assert (result["changed"], result["network"], http.writes) == (True, None, [DELETE])
        assert result["diff"] == Diff(removed={"networks": ("barn",)})
        assert reconcile(http, declare_absent_network("barn"))["changed"] is False

    def test_second_gateway_is_refused_when_the_existing_type_allows_one(
        self, http: RecordingHttp, ids: list[str]
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4]))
        with pytest.raises(ParticleError, match="allows at most 1 gateway, but the network would have 2") as caught:
            reconcile(http, declare_barn(ids[:2], ids[2:4]))
        assert (caught.value.code, http.writes) == ("conflict", [])

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_other_type_of_an_existing_network_is_refused(
        self, http: RecordingHttp, ids: list[str], check_mode: bool
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4], type="micro_cellular"))
        assert reconcile(http, declare_barn(ids[:1], ids[1:4], type="micro_cellular"))["changed"] is False
        with pytest.raises(ParticleError, match="has type micro_cellular, which is fixed") as caught:
            reconcile(http, declare_barn(ids[:1], ids[1:4], type="large_site"), check_mode=check_mode)
        assert (caught.value.code, http.writes) == ("conflict", [])

    def test_invalid_declaration_is_refused_with_all_mistakes(self) -> None:
        with pytest.raises(ParticleError) as caught:
            declare_network("x" * 17, ["no-id"], [device_id(1), device_id(1)], {}, exact=False)
        assert (caught.value.code, len(caught.value.message.splitlines())) == ("invalid_manifest", 4)


class TestFailures:
    """Refused writes and lost answers."""

    def test_refused_device_fails_and_the_others_are_done(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        unknown = device_id(4711)
        result = reconcile(http, declare_barn(ids[:1], [unknown, ids[1]]))
        assert statuses(result) == {ids[0]: "changed", unknown: "failed", ids[1]: "changed"}
        assert (result["failed"], result["error"]["code"]) == (True, "device_not_yours")

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated"])
    @pytest.mark.parametrize("route", [CREATE, UPDATE, LEAVE])
    def test_network_is_formed_despite_a_lost_answer(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        reconcile(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        cloud.set_faults([{"route": route, "effect": effect}])
        result = reconcile(http, declare_barn(ids[:1], [*ids[1:4], ids[7]]))
        assert set(statuses(result).values()) == {"changed"}, result.get("msg")
        assert read_roles(cloud).keys() == {*ids[:4], ids[7]}

    def test_network_that_cannot_be_dissolved_fails_the_task(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:4]))
        cloud.set_faults([{"route": DELETE, "effect": "status", "status": 409}])
        result = reconcile(http, declare_absent_network("barn"))
        assert (result["failed"], result["changed"], result["error"]["code"]) == (True, False, "conflict")

    @pytest.mark.parametrize("exact", [False, True])
    def test_device_that_left_with_a_lost_answer_is_changed(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str], exact: bool
    ) -> None:
        reconcile(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        reconcile(http, declare_barn(ids[:1], ids[1:4]))
        not_found = {"effect": "status", "status": 404, "body": {"ok": False, "error": "Not there."}}
        cloud.set_faults([{"route": LEAVE, "effect": "reset_after"}, {"route": LEAVE, **not_found}])
        wanted = declare_barn(ids[:1], ids[1:3], exact=True) if exact else declare_barn(ids[:1], [*ids[1:4], ids[7]])
        result = reconcile(http, wanted)
        assert (result.get("msg"), result["changed"]) == (None, True)
        assert statuses(result)[ids[3] if exact else ids[7]] == "changed"
        assert read_roles(cloud).keys() == set(ids[:3] if exact else [*ids[:4], ids[7]])

    def test_writes_are_reported_when_the_final_read_is_refused(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:3]))
        cloud.set_faults([{"route": READ, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 9}])
        result = reconcile(http, declare_barn(ids[:1], ids[1:5]))
        assert (result["changed"], result["network"], statuses(result)[ids[4]]) == (True, None, "changed")
        assert {item.key for item in result["diff"].items} == set(ids[3:5])
        assert (result["failed"], result["error"]["code"]) == (True, "forbidden")

    def test_a_token_that_expires_ends_the_run(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        cloud.set_faults([{"route": UPDATE, "effect": "status", "status": 401, "body": EXPIRED, "times": 9}])
        result = reconcile(http, declare_barn(ids[:1], ids[1:4]))
        assert (result["failed"], result["error"]["code"], result["network"]) == (True, "token_expired", None)
        assert statuses(result) == {ids[0]: "changed", **dict.fromkeys(ids[1:4], "pending")}


class TestShowNetworks:
    """The list of networks in the registry."""

    def test_networks_are_shown_with_their_devices(self, cloud: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        reconcile(http, declare_barn(ids[:1], ids[1:3]))
        result = show_networks(http, None, members=True)
        (network,) = result["networks"]
        assert (network["name"], network["state"], network["device_count"], result["count"]) == (
            "barn",
            "confirmed",
            3,
            1,
        )
        assert network["devices"][0] == {
            "id": ids[0],
            "name": None,
            "platform_id": 13,
            "platform": "boron",
            "role": "gateway",
            "state": "confirmed",
        }
        assert [device["role"] for device in network["devices"]] == ["gateway", "node", "node"]

    def test_pending_network_is_shown_only_by_its_name(
        self, cloud: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        cloud.change_device(ids[0], online=False)
        reconcile(http, declare_barn(ids[:1]))
        assert show_networks(http, None, members=False)["networks"] == []
        (network,) = show_networks(http, "barn", members=False)["networks"]
        assert network["state"] == "pending"
        assert "devices" not in network
        assert show_networks(http, "shed", members=True)["count"] == 0

    @pytest.mark.parametrize(
        ("row", "platform", "state"),
        [
            ({"id": "x", "platform_id": 4711, "network": None}, "unknown (4711)", None),
            ({"id": "x"}, None, None),
            ({"id": "x", "platform_id": 14, "network": {"id": "5c", "role": "odd"}}, "xenon", None),
        ],
    )
    def test_incomplete_device_rows_are_shown(
        self, scripted_cloud: ScriptedCloud, row: dict[str, Any], platform: str | None, state: str | None
    ) -> None:
        scripted_cloud.answer("GET", "/v1/networks", json=[{"id": "5c", "name": "barn"}])
        scripted_cloud.answer("GET", "/v1/networks/5c/devices", json=[row])
        with client(scripted_cloud.url) as http:
            (device,) = show_networks(http, None, members=True)["networks"][0]["devices"]
        assert (device["platform"], device["state"], device["role"]) == (platform, state, "node")

    def test_network_without_id_is_a_bad_response(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", "/v1/networks", json=[{"name": "barn"}, {"id": "5c", "name": "shed"}])
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError, match="has no usable id"):
            show_networks(http, None, members=True)

    def test_cloud_without_the_registry_is_reported_as_unsupported(self, simulator: Simulator) -> None:
        with user(simulator) as http:
            for request in (
                lambda: show_networks(http, None, members=True),
                lambda: reconcile(http, declare_absent_network("barn"), check_mode=True),
                lambda: reconcile(http, declare_barn([device_id(1)])),
            ):
                with pytest.raises(ParticleError, match="Particle retired it") as caught:
                    request()
                assert caught.value.code == "unsupported"
        assert simulator.stats()["writes"] == 0
