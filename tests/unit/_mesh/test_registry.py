# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Networks of the registry: what is read, what is planned, what is written, and how the cloud says no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fleet_cloud import EXPIRED, RecordingHttp, client, device_id, target_of

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry import backend as registry
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry import plan as registry_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import Registration
from support.scripted import ScriptedCloud

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)
BARN_ID, SHED_ID = "5c11aa22bb33cc44dd55ee66", "5c11aa22bb33cc44dd55ee77"
NETWORKS = "/v1/networks"
BARN = Network("barn", (ONE,), backend="networks", size=2)
AT_BARN, IN_BARN = Membership("barn", "gateway"), Membership("barn", "node")
GATEWAY, NODE = {"gateway": True, "state": "confirmed"}, {"gateway": False, "state": "confirmed"}


def note(name: str, role: Mapping[str, Any], number: str = BARN_ID) -> dict[str, Any]:
    """What the registry notes at a device."""
    return {"id": number, "name": name, "type": "micro_wifi", "role": dict(role)}


def row(name: str, number: str, kind: str = "micro_wifi") -> dict[str, Any]:
    """A network as the list has it."""
    return {"id": number, "name": name, "type": kind, "state": "confirmed"}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


def observe(http: RecordingHttp, declared: Mapping[str, Network], **hardware_of: Hardware) -> registry_plan.Observed:
    warnings: list[str] = []
    seen = registry.observe_networks(Target(http, None, warnings.append), declared, hardware_of)
    assert warnings == []
    return seen


class TestObserving:
    """Networks are read by lists, and one by one only where the list may be silent."""

    def test_a_network_is_read_with_its_members(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[row("shed", SHED_ID), row("barn", BARN_ID)])
        members = [{"id": ONE, "network": note("barn", GATEWAY)}, {"id": TWO, "network": note("barn", NODE)}]
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=members)
        seen = observe(http, {"barn": BARN})
        assert seen.networks == {
            "barn": registry_plan.RegisteredNetwork(BARN_ID, "micro_wifi", {ONE: "gateway", TWO: "node"})
        }
        assert {device: seat.membership for device, seat in seen.registrations.items()} == {ONE: AT_BARN, TWO: IN_BARN}

    def test_a_network_that_waits_for_its_gateway_is_asked_for_by_name(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        scripted_cloud.answer("GET", f"{NETWORKS}/Barn%201", json={**row("Barn 1", BARN_ID), "state": "pending"})
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=[{"id": ONE, "network": None}])
        seen = observe(http, {"Barn 1": Network("Barn 1", (ONE,), backend="networks")})
        assert seen.networks["Barn 1"].roles == {ONE: "node"}

    @pytest.mark.parametrize("body", [{"json": {"ok": False, "error": "Network not found."}}, {"body": "Not Found"}])
    def test_a_network_that_is_not_there_is_none(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, headers={"Content-Type": "text/plain"}, **body)
        assert observe(http, {"barn": BARN}).networks == {}

    def test_the_note_at_a_device_tells_of_networks_that_are_not_declared(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        notes = {ONE: note("shed", GATEWAY, SHED_ID), TWO: {"id": None}}
        hardware_of = {device: Hardware(12, row={"network": of_it}) for device, of_it in notes.items()}
        seen = observe(http, {}, **hardware_of)
        assert seen.registrations == {ONE: Registration(SHED_ID, Membership("shed", "gateway"))}

    def test_lists_are_read_to_their_end(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        pages = [[row(f"net-{number}", f"{number:024x}") for number in range(start, start + 100)] for start in (0, 100)]
        for page in (*pages, [row("barn", BARN_ID)]):
            scripted_cloud.answer("GET", NETWORKS, json=page)
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=[])
        assert "barn" in observe(http, {"barn": BARN}).networks
        assert [request.query["page"] for request in scripted_cloud.seen("GET", NETWORKS)] == ["1", "2", "3"]

    def test_a_list_that_knows_no_pages_ends_too(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        everything = [row(f"net-{number}", f"{number:024x}") for number in range(150)]
        scripted_cloud.answer("GET", NETWORKS, json=everything, repeat=True)
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        observe(http, {"barn": BARN})
        assert len(scripted_cloud.seen("GET", NETWORKS)) == 2

    def test_what_has_no_id_is_no_network_and_no_member(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[{"name": "barn"}, row("shed", SHED_ID)])
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={})
        scripted_cloud.answer("GET", f"{NETWORKS}/{SHED_ID}/devices", json=[{"id": ONE}, {"name": "no id"}])
        seen = observe(http, {"barn": BARN, "shed": Network("shed", (ONE,), backend="networks")})
        assert {name: set(found.roles) for name, found in seen.networks.items()} == {"shed": {ONE}}


class TestARetiredRegistry:
    """A cloud that has it no more is told as that, with the way that is left."""

    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            (404, {"body": "Not Found", "headers": {"Content-Type": "text/plain"}}),
            (404, {"body": "<pre>Cannot GET /v1/networks</pre>"}),
            (404, {"json": {"ok": False, "error": "Not found."}}),
            (410, {"json": {"error": "gone"}}),
            (403, {"json": {"ok": False, "error": "Permission denied"}}),
            (400, {"json": {"error": "bad_request", "error_description": "Mesh is not supported"}}),
        ],
    )
    def test_is_told_with_its_reason_and_the_other_backend(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, answer: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, status, **answer)
        with pytest.raises(ParticleError) as caught:
            observe(http, {"barn": BARN})
        error = caught.value
        assert (error.code, error.status, error.route) == ("unsupported", status, "GET /v1/networks")
        assert "Particle retired it" in error.message
        assert error.message.endswith("Declared with backend networks: barn.")
        assert "backend ledger" in error.hint

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (401, EXPIRED, "token_expired"),
            (400, {"error": "invalid_request", "error_description": "The access token was not found"}, "token_invalid"),
            (400, {"error": "unauthorized", "error_description": "No."}, "missing_scope"),
        ],
    )
    def test_is_not_what_a_bad_token_means(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, status, json=body)
        with pytest.raises(ParticleError) as caught:
            observe(http, {"barn": BARN})
        assert caught.value.code == code


def plan(
    wanted: Mapping[str, Membership | None],
    observed: registry_plan.Observed | None = None,
    *declared: Network,
) -> MeshPlan:
    known = {network.name: network for network in declared or (BARN,)}
    return registry_plan.plan(known, wanted, {}, observed or registry_plan.Observed({}, {}))


def seen(roles: Mapping[str, str], kind: str = "micro_wifi", hardware_of: Mapping[str, Hardware] | None = None) -> Any:
    """Network barn, with its members."""
    seats = {device: Registration(BARN_ID, Membership("barn", role)) for device, role in roles.items()}
    return registry_plan.Observed(
        {"barn": registry_plan.RegisteredNetwork(BARN_ID, kind, roles)}, seats, hardware_of or {}
    )


class TestPlanning:
    """From what is there to what is declared."""

    def test_a_new_network_is_made_with_its_gateway(self) -> None:
        found = plan({ONE: AT_BARN, TWO: IN_BARN})
        assert found.created_names == {"networks": ("barn",)}
        handle = registry_plan.SharedNetwork("barn")
        assert [found.members[device].writes for device in (ONE, TWO)] == [
            (registry_plan.JoinNetwork(ONE, handle, "gateway"),),
            (registry_plan.JoinNetwork(TWO, handle, "node"),),
        ]
        assert found.members[TWO].changes == {"mesh": (None, {"network": "barn", "role": "node"})}

    def test_who_is_there_needs_nothing(self) -> None:
        found = plan({ONE: AT_BARN, TWO: IN_BARN}, seen({ONE: "gateway", TWO: "node"}))
        assert found.members == {ONE: MemberPlan(before=AT_BARN), TWO: MemberPlan(before=IN_BARN)}
        assert (found.setup, found.created_names, found.removed_names) == ((), {}, {})

    def test_who_moves_leaves_first(self) -> None:
        observed = registry_plan.Observed({}, {TWO: Registration(SHED_ID, Membership("shed", "node"))})
        found = plan({TWO: IN_BARN}, observed).members[TWO]
        assert found.writes == (
            registry_plan.LeaveNetwork(TWO),
            registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "node"),
        )
        after = {"network": "barn", "role": "node"}
        assert found.changes == {"mesh": ({"network": "shed", "role": "node"}, after)}

    def test_another_network_of_the_same_name_is_another_network(self) -> None:
        observed = registry_plan.Observed(
            {"barn": registry_plan.RegisteredNetwork(BARN_ID, "large_site", {ONE: "gateway"})},
            {TWO: Registration(SHED_ID, Membership("barn", "node"))},
        )
        found = plan({TWO: IN_BARN}, observed).members[TWO]
        assert [type(write) for write in found.writes] == [registry_plan.LeaveNetwork, registry_plan.JoinNetwork]

    def test_who_leaves_leaves(self) -> None:
        found = plan({TWO: None}, seen({ONE: "gateway", TWO: "node"})).members[TWO]
        assert found.writes == (registry_plan.LeaveNetwork(TWO),)
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    @pytest.mark.parametrize(("before", "after"), [("node", "gateway"), ("gateway", "node")])
    def test_a_role_changes_in_place(self, before: str, after: str) -> None:
        found = plan({TWO: Membership("barn", after)}, seen({ONE: "gateway", TWO: before}, "large_site")).members[TWO]
        assert found.writes == (registry_plan.SetRole(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), after),)

    def test_a_network_that_is_dissolved_frees_its_members_at_once(self) -> None:
        mill = Network("mill", (ONE,), backend="networks")
        found = plan(
            {ONE: Membership("mill", "gateway"), TWO: None},
            seen({ONE: "gateway", TWO: "node", THREE: "node"}),
            Network("barn", (), backend="networks", absent=True),
            mill,
        )
        (first,) = found.setup
        assert (first.write, first.members) == (registry_plan.DeleteNetwork(BARN_ID, "barn"), {ONE, TWO})
        assert found.removed_names == {"networks": ("barn",)}
        assert [type(write) for write in found.members[ONE].writes] == [registry_plan.JoinNetwork]
        assert found.members[TWO].writes == ()
        assert found.members[TWO].changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    def test_a_network_that_is_gone_need_not_be_dissolved(self) -> None:
        found = plan({}, None, Network("barn", (), backend="networks", absent=True))
        assert (found.setup, found.removed_names) == ((), {})

    def test_gateways_that_nobody_declares_stay(self) -> None:
        found = plan({TWO: IN_BARN}, seen({ONE: "gateway", THREE: "gateway", TWO: "node"}, "large_site"))
        assert found.staying_gateways == {"barn": 2}
        assert found.one_gateway == frozenset()

    def test_a_small_network_has_room_for_one_gateway(self) -> None:
        assert plan({TWO: IN_BARN}, seen({ONE: "gateway", TWO: "node"})).one_gateway == {"barn"}

    @pytest.mark.parametrize(
        ("network", "kind"),
        [
            (Network("barn", (ONE,), size=10), None),
            (Network("barn", (ONE,), size=11), "large_site"),
            (Network("barn", (ONE, TWO), size=2), "large_site"),
            (Network("barn", (ONE,), {"type": "high_availability"}, size=2), "high_availability"),
            (Network("barn", (ONE,), {"limit": 20}, size=2), None),
        ],
    )
    def test_the_type_follows_from_the_size(self, network: Network, kind: str | None) -> None:
        assert registry_plan.find_network_type(network) == kind


class TestRefusals:
    """What cannot be is said in sentences, and nothing is planned for devices that stay as they are."""

    def test_a_small_network_stays_small(self) -> None:
        there = {device_id(number): "gateway" if number == 1 else "node" for number in range(1, 10)}
        wanted: dict[str, Membership | None] = {device_id(20): IN_BARN, device_id(21): Membership("barn", "gateway")}
        assert plan(wanted, seen(there)).refusals == (
            "barn: type micro_wifi allows at most 10 devices, but the network would have 11; "
            "its type is fixed: dissolve it and declare it again",
            "barn: type micro_wifi allows at most 1 gateway, but the network would have 2; "
            "its type is fixed: dissolve it and declare it again",
        )

    def test_a_place_that_becomes_free_counts(self) -> None:
        there = {device_id(number): "gateway" if number == 1 else "node" for number in range(1, 11)}
        wanted: dict[str, Membership | None] = {device_id(2): None, device_id(20): IN_BARN}
        assert plan(wanted, seen(there)).refusals == ()

    def test_the_limit_of_a_large_one_is_a_parameter(self) -> None:
        wanted: dict[str, Membership | None] = {device_id(number): IN_BARN for number in range(2, 102)}
        wanted[ONE] = AT_BARN
        (sentence,) = plan(wanted, None, Network("barn", (ONE,), backend="networks", size=101)).refusals
        assert sentence == (
            "barn: type large_site allows at most 100 devices, but the network would have 101; "
            "raise its parameter limit if your plan allows more"
        )
        roomy = Network("barn", (ONE,), {"limit": 101}, backend="networks", size=101)
        assert plan(wanted, None, roomy).refusals == ()

    def test_a_board_without_the_radio_is_named(self) -> None:
        hardware_of = {ONE: Hardware(13, "1.5.2"), TWO: Hardware(32, "6.3.0")}
        found = plan({ONE: AT_BARN, TWO: IN_BARN}, registry_plan.Observed({}, {}, hardware_of))
        assert found.refusals == (
            f"barn: device {TWO} is of platform 32, which has no Particle Mesh",
            f"barn: device {TWO} runs Device OS 6.3.0, but Particle Mesh ended with 1.5.x",
        )

    def test_what_is_so_already_is_let_be(self) -> None:
        observed = seen({ONE: "gateway", TWO: "node"}, hardware_of={TWO: Hardware(32, "6.3.0")})
        assert plan({ONE: AT_BARN, TWO: IN_BARN}, observed).refusals == ()


class TestWriting:
    """What goes over the wire."""

    @pytest.mark.parametrize(
        ("device", "kind", "more"),
        [
            ({"cellular": True, "iccid": "8901"}, "micro_cellular", {"iccid": "8901"}),
            ({"cellular": True, "last_iccid": "8902"}, "micro_cellular", {"iccid": "8902"}),
            ({"cellular": True}, "micro_cellular", {}),
            ({"cellular": False, "iccid": None}, "micro_wifi", {}),
        ],
    )
    def test_a_network_is_founded_as_its_gateway_is(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, device: Any, kind: str, more: dict[str, str]
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}", json={"id": ONE, **device})
        scripted_cloud.answer("POST", NETWORKS, json={"network": {"id": BARN_ID, "name": "barn"}})
        handle = registry_plan.SharedNetwork("barn")
        registry.apply_write(target_of(http, None), registry_plan.JoinNetwork(ONE, handle, "gateway"))
        assert handle.id == BARN_ID
        (request,) = scripted_cloud.seen("POST", NETWORKS)
        assert request.json == {"name": "barn", "type": kind, "device_id": ONE, "deviceID": ONE, **more}

    def test_a_cloud_that_does_not_tell_the_new_id_is_asked_for_it(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", json=row("barn", BARN_ID))
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}", json={"id": ONE})
        scripted_cloud.answer("POST", NETWORKS)
        handle = registry_plan.SharedNetwork("barn", "large_site")
        registry.apply_write(target_of(http, None), registry_plan.JoinNetwork(ONE, handle, "gateway"))
        assert handle.id == BARN_ID

    def test_a_second_gateway_finds_the_network_and_becomes_one_of_it(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", json=row("barn", BARN_ID))
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True}, repeat=True)
        registry.apply_write(
            target_of(http, None), registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "gateway")
        )
        assert [request.json for request in scripted_cloud.seen("PUT", f"{NETWORKS}/{BARN_ID}")] == [
            {"action": "add-device", "device_id": TWO, "deviceID": TWO},
            {"action": "gateway-enable", "device_id": TWO, "deviceID": TWO},
        ]

    def test_a_node_joins_with_one_request(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True})
        registry.apply_write(
            target_of(http, None),
            registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
        )
        assert len(scripted_cloud.requests) == 1

    def test_a_node_waits_for_a_network(self, http: RecordingHttp) -> None:
        with pytest.raises(ParticleError, match="which does not exist yet") as caught:
            registry.apply_write(
                target_of(http, None), registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "node")
            )
        assert caught.value.code == "conflict"

    def test_a_gateway_becomes_a_node(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True})
        registry.apply_write(
            target_of(http, None),
            registry_plan.SetRole(ONE, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
        )
        assert scripted_cloud.requests[0].json["action"] == "gateway-disable"

    @pytest.mark.parametrize("status", [200, 204])
    def test_a_device_leaves_whatever_the_answer_is(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        scripted_cloud.answer("DELETE", f"/v1/devices/{ONE}/network", status)
        registry.apply_write(target_of(http, None), registry_plan.LeaveNetwork(ONE))

    def test_a_network_that_went_with_a_lost_answer_is_gone(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("DELETE", f"{NETWORKS}/{BARN_ID}", effect="reset")
        scripted_cloud.answer("DELETE", f"{NETWORKS}/{BARN_ID}", 404, json={"ok": False, "error": "Network not found."})
        registry.apply_write(target_of(http, None), registry_plan.DeleteNetwork(BARN_ID, "barn"))
        assert len(scripted_cloud.requests) == 2

    def test_a_command_whose_answer_is_lost_is_not_given_twice(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", effect="reset")
        with pytest.raises(ParticleError) as caught:
            registry.apply_write(
                target_of(http, None),
                registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
            )
        assert caught.value.code == "ambiguous_write"
        assert len(scripted_cloud.requests) == 1

    @pytest.mark.parametrize("status", [200, 400])
    def test_a_refusal_is_told_in_the_clouds_words(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        said = {"ok": False, "errors": ["This device is already part of a mesh network"]}
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", status, json=said)
        with pytest.raises(ParticleError) as caught:
            registry.apply_write(
                target_of(http, None),
                registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
            )
        assert caught.value.message.startswith(f"Could not add device {TWO} to mesh network barn: the cloud ")
        assert "already part of a mesh network" in caught.value.message


class TestStates:
    """What has become of a member is in the list of devices."""

    @pytest.mark.parametrize(
        ("shown", "state"),
        [
            ({"online": True, "network": note("barn", NODE)}, "joined"),
            ({"connected": True, "network": note("barn", NODE)}, "joined"),
            ({"online": False, "network": note("barn", NODE)}, "lost"),
            ({"online": True, "network": note("barn", {"gateway": False, "state": "pending"})}, "pending"),
            ({"online": True, "network": note("barn", GATEWAY)}, "pending"),
            ({"online": True, "network": note("shed", NODE, SHED_ID)}, "wrong_network"),
            ({"online": True, "network": {"id": BARN_ID, "name": "barn", "role": "node"}}, "pending"),
            ({"online": True, "network": None}, "pending"),
            ({"online": True}, "pending"),
        ],
    )
    @pytest.mark.parametrize("product", [None, Product("31337", "field-logger", 13, None)])
    def test_each_has_one(
        self,
        scripted_cloud: ScriptedCloud,
        http: RecordingHttp,
        shown: dict[str, Any],
        state: str,
        product: Product | None,
    ) -> None:
        rows = [{"id": TWO, **shown}, {"id": THREE}]
        if product is None:
            scripted_cloud.answer("GET", "/v1/devices", json=rows)
        else:
            scripted_cloud.answer("GET", "/v1/products/31337/devices", json={"devices": rows})
        assert registry.verify_members(target_of(http, product), {TWO: IN_BARN}) == {TWO: state}

    def test_who_is_not_in_the_list_is_not_there_yet(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[])
        assert registry.verify_members(target_of(http, None), {TWO: IN_BARN}) == {TWO: "pending"}
