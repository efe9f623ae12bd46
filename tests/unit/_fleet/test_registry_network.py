# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One network of the registry as declared, and all of them as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fleet_cloud import EXPIRED, RecordingHttp, client, device_id, ids_of, user

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
def _registry() -> Iterator[Simulator]:
    with running_simulator("--fleet", "30", "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def meshed(_registry: Simulator) -> Simulator:
    _registry.reset()
    return _registry


@pytest.fixture
def http(meshed: Simulator, ids: list[str]) -> Iterator[RecordingHttp]:
    """A user who has claimed the first twenty devices."""
    with user(meshed) as logged_in:
        for device in ids[:20]:
            logged_in.send(Request("POST /v1/devices", "claim", json={"id": device}))
        logged_in.sent.clear()
        yield logged_in


@pytest.fixture
def ids(meshed: Simulator) -> list[str]:
    return ids_of(meshed)


def barn(
    gateways: Sequence[str], members: Sequence[str] = (), *, exact: bool = False, **parameters: Any
) -> DeclaredNetwork:
    return declare_network("barn", gateways, members, parameters, exact=exact)


def keep(http: RecordingHttp, wanted: DeclaredNetwork, *, check_mode: bool = False) -> dict[str, Any]:
    http.sent.clear()
    return reconcile_network(http, wanted, check_mode=check_mode, warn=list[str]().append)


def roles(simulator: Simulator, name: str = "barn") -> dict[str, str]:
    """The members of one network."""
    found = [network for network in simulator.state()["networks"] if network["name"] == name]
    return {device["id"]: device["role"] for network in found for device in network["devices"]}


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {device["id"]: device["status"] for device in result["devices"]}


class TestOneNetwork:
    """It is brought to what is declared, and then it rests."""

    def test_is_made_with_its_gateway_and_confirmed(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        result = keep(http, barn(ids[:1], ids[1:4]))
        assert (result["changed"], set(statuses(result).values())) == (True, {"changed"})
        assert (result["network"]["state"], result["network"]["type"]) == ("confirmed", "micro_cellular")
        assert roles(meshed) == {ids[0]: "gateway", **dict.fromkeys(ids[1:4], "node")}
        assert http.writes == [CREATE, UPDATE, UPDATE, UPDATE]

        again = keep(http, barn(ids[:1], ids[1:4]))
        assert (again["changed"], http.writes, set(statuses(again).values())) == (False, [], {"ok"})

    def test_is_predicted_without_a_write(self, http: RecordingHttp, ids: list[str]) -> None:
        predicted = keep(http, barn(ids[:1], ids[1:4]), check_mode=True)
        assert (http.writes, predicted["network"]) == ([], None)
        real = keep(http, barn(ids[:1], ids[1:4]))
        assert [predicted[key] for key in ("changed", "diff", "devices")] == [
            real[key] for key in ("changed", "diff", "devices")
        ]

    def test_takes_in_devices_that_nobody_has_claimed(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        keep(http, barn(ids[:1], ids[25:27]))
        assert roles(meshed) == {ids[0]: "gateway", **dict.fromkeys(ids[25:27], "node")}
        assert keep(http, barn(ids[:1], ids[25:27]))["changed"] is False

    def test_takes_a_device_out_of_another_one_first(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        keep(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        result = keep(http, barn(ids[:1], ids[7:8]))
        assert http.writes == [CREATE, LEAVE, UPDATE]
        assert result["devices"][1]["changes"]["mesh"]["before"] == {"network": "shed", "role": "node"}
        assert (roles(meshed, "shed").keys(), roles(meshed)[ids[7]]) == ({ids[5], ids[6]}, "node")

    @pytest.mark.parametrize("exact", [False, True])
    def test_keeps_others_unless_it_is_to_be_exact(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], exact: bool
    ) -> None:
        keep(http, barn(ids[:1], ids[1:4]))
        result = keep(http, barn(ids[:1], ids[1:2], exact=exact))
        left = {device for device, status in statuses(result).items() if status == "changed"}
        assert left == (set(ids[2:4]) if exact else set())
        assert roles(meshed).keys() == set(ids[:2] if exact else ids[:4])

    def test_replaces_a_dead_gateway(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        keep(http, barn(ids[:1], ids[1:4], type="large_site"))
        keep(http, barn(ids[4:5], ids[1:4], exact=True))
        assert http.writes == [UPDATE, UPDATE, LEAVE]
        assert roles(meshed) == {ids[4]: "gateway", **dict.fromkeys(ids[1:4], "node")}

    def test_is_dissolved(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        keep(http, barn(ids[:1], ids[1:4]))
        result = keep(http, declare_absent_network("barn"))
        assert (result["changed"], result["network"], http.writes) == (True, None, [DELETE])
        assert result["diff"] == {"before": {"networks": ["barn"]}, "after": {}}
        assert keep(http, declare_absent_network("barn"))["changed"] is False

    def test_of_another_type_stays_what_it_is(self, http: RecordingHttp, ids: list[str]) -> None:
        keep(http, barn(ids[:1], ids[1:4]))
        with pytest.raises(ParticleError, match="allows at most 1 gateway, but the network would have 2") as caught:
            keep(http, barn(ids[:2], ids[2:4], type="large_site"))
        assert (caught.value.code, http.writes) == ("conflict", [])

    def test_that_cannot_be_declared_is_told_with_all_mistakes(self) -> None:
        with pytest.raises(ParticleError) as caught:
            declare_network("x" * 17, ["no-id"], [device_id(1), device_id(1)], {}, exact=False)
        assert (caught.value.code, len(caught.value.message.splitlines())) == ("invalid_manifest", 4)


class TestWhatGoesWrong:
    """One device's failure is its own, and what is in doubt is looked at again."""

    def test_a_device_that_is_refused_fails_alone(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        stranger = device_id(4711)
        result = keep(http, barn(ids[:1], [stranger, ids[1]]))
        assert statuses(result) == {ids[0]: "changed", stranger: "failed", ids[1]: "changed"}
        assert (result["failed"], result["error"]["code"]) == (True, "device_not_yours")

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated"])
    @pytest.mark.parametrize("route", [CREATE, UPDATE, LEAVE])
    def test_a_lost_answer_changes_nothing(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        keep(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        meshed.set_faults([{"route": route, "effect": effect}])
        result = keep(http, barn(ids[:1], [*ids[1:4], ids[7]]))
        assert set(statuses(result).values()) == {"changed"}, result.get("msg")
        assert roles(meshed).keys() == {*ids[:4], ids[7]}

    def test_a_network_that_cannot_be_dissolved_is_told(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        keep(http, barn(ids[:1], ids[1:4]))
        meshed.set_faults([{"route": DELETE, "effect": "status", "status": 409}])
        result = keep(http, declare_absent_network("barn"))
        assert (result["failed"], result["changed"], result["error"]["code"]) == (True, False, "conflict")

    @pytest.mark.parametrize("exact", [False, True])
    def test_a_device_that_has_left_with_a_lost_answer_has_left(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str], exact: bool
    ) -> None:
        keep(http, declare_network("shed", ids[5:6], ids[6:8], {}, exact=False))
        keep(http, barn(ids[:1], ids[1:4]))
        gone = {"effect": "status", "status": 404, "body": {"ok": False, "error": "Not there."}}
        meshed.set_faults([{"route": LEAVE, "effect": "reset_after"}, {"route": LEAVE, **gone}])
        wanted = barn(ids[:1], ids[1:3], exact=True) if exact else barn(ids[:1], [*ids[1:4], ids[7]])
        result = keep(http, wanted)
        assert (result.get("msg"), result["changed"]) == (None, True)
        assert statuses(result)[ids[3] if exact else ids[7]] == "changed"
        assert roles(meshed).keys() == set(ids[:3] if exact else [*ids[:4], ids[7]])

    def test_what_was_written_is_told_though_the_last_look_is_refused(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        keep(http, barn(ids[:1], ids[1:3]))
        meshed.set_faults([{"route": READ, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 9}])
        result = keep(http, barn(ids[:1], ids[1:5]))
        assert (result["changed"], result["network"], statuses(result)[ids[4]]) == (True, None, "changed")
        assert result["diff"]["after"].keys() == set(ids[3:5])
        assert (result["failed"], result["error"]["code"]) == (True, "forbidden")

    def test_a_token_that_expires_ends_the_run(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        meshed.set_faults([{"route": UPDATE, "effect": "status", "status": 401, "body": EXPIRED, "times": 9}])
        result = keep(http, barn(ids[:1], ids[1:4]))
        assert (result["failed"], result["error"]["code"], result["network"]) == (True, "token_expired", None)
        assert statuses(result) == {ids[0]: "changed", **dict.fromkeys(ids[1:4], "pending")}


class TestLooking:
    """What the registry holds, in one shape."""

    def test_shows_networks_with_their_devices(self, meshed: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        keep(http, barn(ids[:1], ids[1:3]))
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

    def test_finds_by_name_what_waits_for_its_gateway(
        self, meshed: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        meshed.change_device(ids[0], online=False)
        keep(http, barn(ids[:1]))
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
    def test_makes_the_best_of_odd_rows(
        self, scripted_cloud: ScriptedCloud, row: dict[str, Any], platform: str | None, state: str | None
    ) -> None:
        scripted_cloud.answer("GET", "/v1/networks", json=[{"id": "5c", "name": "barn"}])
        scripted_cloud.answer("GET", "/v1/networks/5c/devices", json=[row])
        with client(scripted_cloud.url) as asking:
            (device,) = show_networks(asking, None, members=True)["networks"][0]["devices"]
        assert (device["platform"], device["state"], device["role"]) == (platform, state, "node")

    def test_passes_over_what_has_no_id(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", "/v1/networks", json=[{"name": "barn"}, {"id": "5c", "name": "shed"}])
        scripted_cloud.answer("GET", "/v1/networks/5c/devices", json=[])
        with client(scripted_cloud.url) as asking:
            result = show_networks(asking, None, members=True)
        assert result["networks"] == [{"id": "5c", "name": "shed", "devices": []}]

    def test_a_cloud_without_the_registry_says_so(self, simulator: Simulator) -> None:
        with user(simulator) as asking:
            for look in (
                lambda: show_networks(asking, None, members=True),
                lambda: keep(asking, declare_absent_network("barn"), check_mode=True),
                lambda: keep(asking, barn([device_id(1)])),
            ):
                with pytest.raises(ParticleError, match="Particle retired it") as caught:
                    look()
                assert caught.value.code == "unsupported"
        assert simulator.stats()["writes"] == 0
