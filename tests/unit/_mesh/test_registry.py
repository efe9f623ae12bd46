# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Backend `networks` reads the mesh registry, plans and writes memberships, and reports refusals of the cloud."""

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
BARN_GATEWAY, BARN_NODE = Membership("barn", "gateway"), Membership("barn", "node")
GATEWAY_ROLE, NODE_ROLE = {"gateway": True, "state": "confirmed"}, {"gateway": False, "state": "confirmed"}


def build_device_network(name: str, role: Mapping[str, Any], number: str = BARN_ID) -> dict[str, Any]:
    """Return the network of a device as the list of devices shows it."""
    return {"id": number, "name": name, "type": "micro_wifi", "role": dict(role)}


def build_network_row(name: str, number: str, network_type: str = "micro_wifi") -> dict[str, Any]:
    """Return a network as the list of networks shows it."""
    return {"id": number, "name": name, "type": network_type, "state": "confirmed"}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


def observe(http: RecordingHttp, declared: Mapping[str, Network], **hardware_of: Hardware) -> registry_plan.Observed:
    """Return the observations of the backend, which must cause no warning."""
    warnings: list[str] = []
    seen = registry.observe_networks(Target(http, None, warnings.append), declared, hardware_of)
    assert warnings == []
    return seen


class TestObservation:
    """Networks are read as a list; a declared network that the list lacks is read by its name."""

    def test_a_network_is_read_with_its_members(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer(
            "GET", NETWORKS, json=[build_network_row("shed", SHED_ID), build_network_row("barn", BARN_ID)]
        )
        members = [
            {"id": ONE, "network": build_device_network("barn", GATEWAY_ROLE)},
            {"id": TWO, "network": build_device_network("barn", NODE_ROLE)},
        ]
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=members)
        seen = observe(http, {"barn": BARN})
        assert seen.networks == {
            "barn": registry_plan.RegisteredNetwork(BARN_ID, "micro_wifi", {ONE: "gateway", TWO: "node"})
        }
        assert {device: each.membership for device, each in seen.registrations.items()} == {
            ONE: BARN_GATEWAY,
            TWO: BARN_NODE,
        }

    def test_pending_network_is_read_by_its_name(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        scripted_cloud.answer(
            "GET", f"{NETWORKS}/Barn%201", json={**build_network_row("Barn 1", BARN_ID), "state": "pending"}
        )
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=[{"id": ONE, "network": None}])
        seen = observe(http, {"Barn 1": Network("Barn 1", (ONE,), backend="networks")})
        assert seen.networks["Barn 1"].roles == {ONE: "node"}

    @pytest.mark.parametrize("body", [{"json": {"ok": False, "error": "Network not found."}}, {"body": "Not Found"}])
    def test_missing_network_is_not_observed(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, headers={"Content-Type": "text/plain"}, **body)
        assert observe(http, {"barn": BARN}).networks == {}

    def test_undeclared_network_is_read_from_the_row_of_its_device(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[])
        networks = {ONE: build_device_network("shed", GATEWAY_ROLE, SHED_ID), TWO: {"id": None}}
        hardware_of = {device: Hardware(12, row={"network": network}) for device, network in networks.items()}
        seen = observe(http, {}, **hardware_of)
        assert seen.registrations == {ONE: Registration(SHED_ID, Membership("shed", "gateway"))}

    def test_all_pages_of_the_list_are_read(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        pages = [
            [build_network_row(f"net-{number}", f"{number:024x}") for number in range(start, start + 100)]
            for start in (0, 100)
        ]
        for page in (*pages, [build_network_row("barn", BARN_ID)]):
            scripted_cloud.answer("GET", NETWORKS, json=page)
        scripted_cloud.answer("GET", f"{NETWORKS}/{BARN_ID}/devices", json=[])
        assert "barn" in observe(http, {"barn": BARN}).networks
        assert [request.query["page"] for request in scripted_cloud.seen("GET", NETWORKS)] == ["1", "2", "3"]

    def test_reading_ends_if_every_page_is_the_same(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        everything = [build_network_row(f"net-{number}", f"{number:024x}") for number in range(150)]
        scripted_cloud.answer("GET", NETWORKS, json=everything, repeat=True)
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        observe(http, {"barn": BARN})
        assert len(scripted_cloud.seen("GET", NETWORKS)) == 2

    def test_member_without_id_is_a_bad_response(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", NETWORKS, json=[build_network_row("shed", SHED_ID)])
        scripted_cloud.answer("GET", f"{NETWORKS}/{SHED_ID}/devices", json=[{"id": ONE}, {"name": "no id"}])
        with pytest.raises(ParticleError, match="item 2 of the list has no usable id"):
            observe(http, {"shed": Network("shed", (ONE,), backend="networks")})


class TestRetiredRegistry:
    """The error for a cloud without the registry names the reason and backend `ledger` as the alternative."""

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
    def test_error_gives_the_reason_and_the_alternative_backend(
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
    def test_refused_token_is_not_taken_for_a_retired_registry(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("GET", NETWORKS, status, json=body)
        with pytest.raises(ParticleError) as caught:
            observe(http, {"barn": BARN})
        assert caught.value.code == code


def make_plan(
    wanted: Mapping[str, Membership | None],
    observed: registry_plan.Observed | None = None,
    *declared: Network,
) -> MeshPlan:
    """Return the plan for the wanted memberships; network barn is declared unless others are given."""
    known = {network.name: network for network in declared or (BARN,)}
    return registry_plan.plan(known, wanted, {}, observed or registry_plan.Observed({}, {}))


def observe_barn(
    roles: Mapping[str, str], network_type: str = "micro_wifi", hardware_of: Mapping[str, Hardware] | None = None
) -> Any:
    """Return the observation of network barn with these members."""
    registrations = {device: Registration(BARN_ID, Membership("barn", role)) for device, role in roles.items()}
    return registry_plan.Observed(
        {"barn": registry_plan.RegisteredNetwork(BARN_ID, network_type, roles)}, registrations, hardware_of or {}
    )


class TestPlan:
    """The plan changes the observed networks into the declared ones."""

    def test_new_network_is_created_by_its_gateway(self) -> None:
        found = make_plan({ONE: BARN_GATEWAY, TWO: BARN_NODE})
        assert found.created_names == {"networks": ("barn",)}
        network = registry_plan.SharedNetwork("barn")
        assert [found.members[device].writes for device in (ONE, TWO)] == [
            (registry_plan.JoinNetwork(ONE, network, "gateway"),),
            (registry_plan.JoinNetwork(TWO, network, "node"),),
        ]
        assert found.members[TWO].changes == {"mesh": (None, {"network": "barn", "role": "node"})}

    def test_joined_members_need_no_change(self) -> None:
        found = make_plan({ONE: BARN_GATEWAY, TWO: BARN_NODE}, observe_barn({ONE: "gateway", TWO: "node"}))
        assert found.members == {ONE: MemberPlan(before=BARN_GATEWAY), TWO: MemberPlan(before=BARN_NODE)}
        assert (found.setup, found.created_names, found.removed_names) == ((), {}, {})

    def test_moving_member_leaves_before_it_joins(self) -> None:
        observed = registry_plan.Observed({}, {TWO: Registration(SHED_ID, Membership("shed", "node"))})
        found = make_plan({TWO: BARN_NODE}, observed).members[TWO]
        assert found.writes == (
            registry_plan.LeaveNetwork(TWO),
            registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "node"),
        )
        after = {"network": "barn", "role": "node"}
        assert found.changes == {"mesh": ({"network": "shed", "role": "node"}, after)}

    def test_networks_with_the_same_name_are_distinguished_by_id(self) -> None:
        observed = registry_plan.Observed(
            {"barn": registry_plan.RegisteredNetwork(BARN_ID, "large_site", {ONE: "gateway"})},
            {TWO: Registration(SHED_ID, Membership("barn", "node"))},
        )
        found = make_plan({TWO: BARN_NODE}, observed).members[TWO]
        assert [type(write) for write in found.writes] == [registry_plan.LeaveNetwork, registry_plan.JoinNetwork]

    def test_removed_member_leaves_its_network(self) -> None:
        found = make_plan({TWO: None}, observe_barn({ONE: "gateway", TWO: "node"})).members[TWO]
        assert found.writes == (registry_plan.LeaveNetwork(TWO),)
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    @pytest.mark.parametrize(("before", "after"), [("node", "gateway"), ("gateway", "node")])
    def test_role_changes_without_leaving_the_network(self, before: str, after: str) -> None:
        found = make_plan(
            {TWO: Membership("barn", after)}, observe_barn({ONE: "gateway", TWO: before}, "large_site")
        ).members[TWO]
        assert found.writes == (registry_plan.SetRole(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), after),)

    def test_dissolved_network_releases_its_members_with_one_write(self) -> None:
        mill = Network("mill", (ONE,), backend="networks")
        found = make_plan(
            {ONE: Membership("mill", "gateway"), TWO: None},
            observe_barn({ONE: "gateway", TWO: "node", THREE: "node"}),
            Network("barn", (), backend="networks", absent=True),
            mill,
        )
        (shared,) = found.setup
        assert (shared.write, shared.members) == (registry_plan.DeleteNetwork(BARN_ID, "barn"), {ONE, TWO})
        assert found.removed_names == {"networks": ("barn",)}
        assert [type(write) for write in found.members[ONE].writes] == [registry_plan.JoinNetwork]
        assert found.members[TWO].writes == ()
        assert found.members[TWO].changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    def test_missing_network_is_not_dissolved(self) -> None:
        found = make_plan({}, None, Network("barn", (), backend="networks", absent=True))
        assert (found.setup, found.removed_names) == ((), {})

    def test_undeclared_gateways_stay(self) -> None:
        found = make_plan({TWO: BARN_NODE}, observe_barn({ONE: "gateway", THREE: "gateway", TWO: "node"}, "large_site"))
        assert found.staying_gateways == {"barn": 2}
        assert found.one_gateway == frozenset()

    def test_micro_network_can_have_only_one_gateway(self) -> None:
        assert make_plan({TWO: BARN_NODE}, observe_barn({ONE: "gateway", TWO: "node"})).one_gateway == {"barn"}

    @pytest.mark.parametrize(
        ("network", "network_type"),
        [
            (Network("barn", (ONE,), size=10), None),
            (Network("barn", (ONE,), size=11), "large_site"),
            (Network("barn", (ONE, TWO), size=2), "large_site"),
            (Network("barn", (ONE,), {"type": "high_availability"}, size=2), "high_availability"),
            (Network("barn", (ONE,), {"limit": 20}, size=2), None),
        ],
    )
    def test_network_type_follows_from_size_gateways_and_parameters(
        self, network: Network, network_type: str | None
    ) -> None:
        assert registry_plan.find_network_type(network) == network_type


class TestRefusals:
    """Impossible memberships are refused with a reason; unchanged memberships are not checked."""

    def test_existing_micro_network_cannot_exceed_its_limits(self) -> None:
        roles = {device_id(number): "gateway" if number == 1 else "node" for number in range(1, 10)}
        wanted: dict[str, Membership | None] = {device_id(20): BARN_NODE, device_id(21): Membership("barn", "gateway")}
        assert make_plan(wanted, observe_barn(roles)).refusals == (
            "barn: type micro_wifi allows at most 10 devices, but the network would have 11; "
            "its type is fixed: dissolve it and declare it again",
            "barn: type micro_wifi allows at most 1 gateway, but the network would have 2; "
            "its type is fixed: dissolve it and declare it again",
        )

    def test_place_of_a_leaving_member_can_be_taken(self) -> None:
        roles = {device_id(number): "gateway" if number == 1 else "node" for number in range(1, 11)}
        wanted: dict[str, Membership | None] = {device_id(2): None, device_id(20): BARN_NODE}
        assert make_plan(wanted, observe_barn(roles)).refusals == ()

    def test_limit_of_a_large_network_is_a_parameter(self) -> None:
        wanted: dict[str, Membership | None] = {device_id(number): BARN_NODE for number in range(2, 102)}
        wanted[ONE] = BARN_GATEWAY
        (sentence,) = make_plan(wanted, None, Network("barn", (ONE,), backend="networks", size=101)).refusals
        assert sentence == (
            "barn: type large_site allows at most 100 devices, but the network would have 101; "
            "raise its parameter limit if your plan allows more"
        )
        larger = Network("barn", (ONE,), {"limit": 101}, backend="networks", size=101)
        assert make_plan(wanted, None, larger).refusals == ()

    def test_device_without_particle_mesh_is_refused(self) -> None:
        hardware_of = {ONE: Hardware(13, "1.5.2"), TWO: Hardware(32, "6.3.0")}
        found = make_plan({ONE: BARN_GATEWAY, TWO: BARN_NODE}, registry_plan.Observed({}, {}, hardware_of))
        assert found.refusals == (
            f"barn: device {TWO} is of platform p2, which has no Particle Mesh",
            f"barn: device {TWO} runs Device OS 6.3.0, but Particle Mesh ended with 1.5.x",
        )

    def test_unchanged_members_are_not_refused(self) -> None:
        observed = observe_barn({ONE: "gateway", TWO: "node"}, hardware_of={TWO: Hardware(32, "6.3.0")})
        assert make_plan({ONE: BARN_GATEWAY, TWO: BARN_NODE}, observed).refusals == ()


def apply_write(http: RecordingHttp, write: registry_plan.Write) -> None:
    """Carry out a write in a task of its own."""
    registry.RegistryBackend().apply_write(target_of(http, None), write)


class TestWrites:
    """Each write sends the documented requests."""

    @pytest.mark.parametrize(
        ("device", "network_type", "more"),
        [
            ({"cellular": True, "iccid": "8901"}, "micro_cellular", {"iccid": "8901"}),
            ({"cellular": True, "last_iccid": "8902"}, "micro_cellular", {"iccid": "8902"}),
            ({"cellular": True}, "micro_cellular", {}),
            ({"cellular": False, "iccid": None}, "micro_wifi", {}),
        ],
    )
    def test_network_type_follows_from_the_hardware_of_its_gateway(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, device: Any, network_type: str, more: dict[str, str]
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}", json={"id": ONE, **device})
        scripted_cloud.answer("POST", NETWORKS, json={"network": {"id": BARN_ID, "name": "barn"}})
        network = registry_plan.SharedNetwork("barn")
        apply_write(http, registry_plan.JoinNetwork(ONE, network, "gateway"))
        assert network.id == BARN_ID
        (request,) = scripted_cloud.seen("POST", NETWORKS)
        assert request.json == {"name": "barn", "type": network_type, "device_id": ONE, "deviceID": ONE, **more}

    def test_id_of_a_new_network_is_read_if_the_answer_lacks_it(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", 404, json={"ok": False})
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", json=build_network_row("barn", BARN_ID))
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}", json={"id": ONE})
        scripted_cloud.answer("POST", NETWORKS)
        network = registry_plan.SharedNetwork("barn", "large_site")
        apply_write(http, registry_plan.JoinNetwork(ONE, network, "gateway"))
        assert network.id == BARN_ID

    def test_second_gateway_is_added_and_then_enabled_as_gateway(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", f"{NETWORKS}/barn", json=build_network_row("barn", BARN_ID))
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True}, repeat=True)
        apply_write(http, registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "gateway"))
        assert [request.json for request in scripted_cloud.seen("PUT", f"{NETWORKS}/{BARN_ID}")] == [
            {"action": "add-device", "device_id": TWO, "deviceID": TWO},
            {"action": "gateway-enable", "device_id": TWO, "deviceID": TWO},
        ]

    def test_a_node_joins_with_one_request(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True})
        apply_write(
            http,
            registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
        )
        assert len(scripted_cloud.requests) == 1

    def test_node_cannot_join_a_network_that_does_not_exist(self, http: RecordingHttp) -> None:
        with pytest.raises(ParticleError, match="which does not exist yet") as caught:
            apply_write(http, registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn"), "node"))
        assert caught.value.code == "conflict"

    def test_gateway_becomes_node_by_gateway_disable(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", json={"ok": True})
        apply_write(
            http,
            registry_plan.SetRole(ONE, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
        )
        assert scripted_cloud.requests[0].json["action"] == "gateway-disable"

    @pytest.mark.parametrize("status", [200, 204])
    def test_device_leaves_with_an_empty_answer(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        scripted_cloud.answer("DELETE", f"/v1/devices/{ONE}/network", status)
        apply_write(http, registry_plan.LeaveNetwork(ONE))

    def test_repeated_delete_of_a_network_may_return_404(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("DELETE", f"{NETWORKS}/{BARN_ID}", effect="reset")
        scripted_cloud.answer("DELETE", f"{NETWORKS}/{BARN_ID}", 404, json={"ok": False, "error": "Network not found."})
        apply_write(http, registry_plan.DeleteNetwork(BARN_ID, "barn"))
        assert len(scripted_cloud.requests) == 2

    def test_join_with_a_lost_answer_is_ambiguous_and_not_repeated(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", effect="reset")
        with pytest.raises(ParticleError) as caught:
            apply_write(
                http,
                registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
            )
        assert caught.value.code == "ambiguous_write"
        assert len(scripted_cloud.requests) == 1

    @pytest.mark.parametrize("status", [200, 400])
    def test_refusal_quotes_the_message_of_the_cloud(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        body = {"ok": False, "errors": ["This device is already part of a mesh network"]}
        scripted_cloud.answer("PUT", f"{NETWORKS}/{BARN_ID}", status, json=body)
        with pytest.raises(ParticleError) as caught:
            apply_write(
                http,
                registry_plan.JoinNetwork(TWO, registry_plan.SharedNetwork("barn", None, BARN_ID), "node"),
            )
        assert caught.value.message.startswith(f"Could not add device {TWO} to mesh network barn: the cloud ")
        assert "already part of a mesh network" in caught.value.message


class TestStates:
    """The state of a member is read from the list of devices."""

    @pytest.mark.parametrize(
        ("shown", "state"),
        [
            ({"online": True, "network": build_device_network("barn", NODE_ROLE)}, "joined"),
            ({"connected": True, "network": build_device_network("barn", NODE_ROLE)}, "joined"),
            ({"online": False, "network": build_device_network("barn", NODE_ROLE)}, "lost"),
            (
                {"online": True, "network": build_device_network("barn", {"gateway": False, "state": "pending"})},
                "pending",
            ),
            ({"online": True, "network": build_device_network("barn", GATEWAY_ROLE)}, "pending"),
            ({"online": True, "network": build_device_network("shed", NODE_ROLE, SHED_ID)}, "wrong_network"),
            ({"online": True, "network": {"id": BARN_ID, "name": "barn", "role": "node"}}, "pending"),
            ({"online": True, "network": None}, "pending"),
            ({"online": True}, "pending"),
        ],
    )
    @pytest.mark.parametrize("product", [None, Product("31337", "field-logger", 13, None)])
    def test_state_follows_from_the_row_of_the_device(
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
        assert registry.verify_members(target_of(http, product), {TWO: BARN_NODE}) == {TWO: state}

    def test_device_missing_from_the_list_is_pending(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", "/v1/devices", json=[])
        assert registry.verify_members(target_of(http, None), {TWO: BARN_NODE}) == {TWO: "pending"}
