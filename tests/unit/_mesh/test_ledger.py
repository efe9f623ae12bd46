# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Backend `ledger` reads ledgers, plans memberships, writes instances and reads the reports of members."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from fleet_cloud import (
    DEVICES,
    INSTANCES,
    LEDGER_ROWS,
    OURS,
    REPORTS,
    RecordingHttp,
    client,
    device_id,
    instance,
    target_of,
)

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
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import backend as ledger
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import plan as ledger_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import (
    DEFAULT_LEDGERS,
    Ledgers,
    read_group_membership,
)
from support.scripted import ScriptedCloud

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)
ORG_PRODUCT = Product("31337", "field-logger", 13, "acme")
BARN = Network("barn", (ONE,), {"channel": 15, "key": "hush-1"})
NODE = Membership("barn", "node")
MESH_LEDGER, STATUS_LEDGER = ledger_plan.build_definitions(DEFAULT_LEDGERS)
NODE_GROUPS = frozenset({"mesh-barn", "mesh-node"})
NODE_INSTRUCTIONS = {
    "contract": 1,
    "network": "barn",
    "role": "node",
    "gateways": [ONE],
    "parameters": {"channel": 15, "key": "hush-1"},
}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


def observe(http: RecordingHttp, *devices: str, product: Product = OURS) -> tuple[ledger_plan.Observed, list[str]]:
    """Return the observations of the backend about the devices, and the warnings."""
    warnings: list[str] = []
    hardware_of = dict.fromkeys(devices, Hardware(13))
    return ledger.observe_networks(Target(http, product, warnings.append), {"barn": BARN}, hardware_of), warnings


class TestObservation:
    """Ledgers and instances are read as lists, and those of other devices are ignored."""

    def test_the_instances_of_other_devices_are_ignored(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        rows = [instance(ONE, {"network": "barn"}), instance(THREE, {"network": "elsewhere"})]
        scripted_cloud.answer("GET", INSTANCES, json={"instances": rows})

        seen, warnings = observe(http, ONE, TWO)

        assert seen.instructions == {ONE: {"network": "barn"}}
        assert seen.ledgers == {"mesh", "mesh-status"}
        assert warnings == []

    def test_missing_ledger_gives_no_instructions(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [LEDGER_ROWS[1], {"name": "other"}]})
        seen, _unused = observe(http, ONE)
        assert seen.ledgers == {"mesh-status", "other"}
        assert seen.instructions == {}

    def test_list_under_key_ledger_definitions_is_read(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledger_definitions": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": []})
        assert observe(http, ONE)[0].ledgers == {"mesh", "mesh-status"}

    def test_instances_are_found_when_their_device_ids_are_in_upper_case(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        rows = [instance(ONE.upper(), {"network": "barn"})]
        scripted_cloud.answer("GET", INSTANCES, json={"instances": rows})
        assert observe(http, ONE)[0].instructions == {ONE: {"network": "barn"}}

    def test_rows_without_data_are_read_one_by_one_with_a_warning(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        rows = [instance(device, None) for device in (ONE, TWO, THREE)]
        scripted_cloud.answer("GET", INSTANCES, json={"instances": rows})
        for device in (ONE, TWO):
            row = instance(device, {"network": "barn", "role": device})
            scripted_cloud.answer("GET", f"{INSTANCES}/{device}", json={"instance": row})

        seen, warnings = observe(http, ONE, TWO)

        assert seen.instructions == {device: {"network": "barn", "role": device} for device in (ONE, TWO)}
        assert warnings == ["The list of ledger mesh lacks its data: 2 devices are read one by one."]

    @pytest.mark.parametrize(
        ("name", "key", "found", "words"),
        [
            ("mesh", "scope", "Product", "scope Product instead of Device"),
            ("mesh", "direction", "Upstream", "direction Upstream instead of Downstream"),
            ("mesh", "direction", None, "direction None instead of Downstream"),
            ("mesh-status", "direction", "Downstream", "direction Downstream instead of Upstream"),
        ],
    )
    def test_ledger_with_another_scope_or_direction_is_refused(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, name: str, key: str, found: str | None, words: str
    ) -> None:
        rows = [{**row, key: found} if row["name"] == name else row for row in LEDGER_ROWS]
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": rows})

        with pytest.raises(ParticleError) as caught:
            observe(http, ONE)

        assert caught.value.code == "conflict"
        assert caught.value.message == f"Ledger {name} already exists, but with {words}."
        assert http.writes == []

    def test_case_of_scope_and_direction_is_ignored(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        rows = [{"name": "mesh", "scope": "device", "direction": "downstream"}]
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": rows})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": []})
        assert observe(http, ONE)[0].ledgers == {"mesh"}

    @pytest.mark.parametrize(
        "answer",
        [
            {"json": {"ok": False, "error": "Not found."}},
            {"body": "Not Found", "headers": {"Content-Type": "text/plain"}},
            {"body": "<pre>Cannot GET /v1/ledgers</pre>"},
        ],
    )
    def test_cloud_without_ledgers_is_unsupported(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: Mapping[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", 404, **answer)
        with pytest.raises(ParticleError, match="this cloud has none") as caught:
            observe(http, ONE)
        assert caught.value.code == "unsupported"

    def test_missing_permission_to_list_ledgers_is_forbidden(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        with pytest.raises(ParticleError) as caught:
            observe(http, ONE)
        assert caught.value.code == "forbidden"

    @pytest.mark.parametrize("data", [["barn"], "barn", 5, None])
    def test_data_that_is_not_a_mapping_counts_as_empty(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, data: object
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": [instance(ONE, None)]})
        scripted_cloud.answer("GET", f"{INSTANCES}/{ONE}", json={"instance": {"data": data}})
        seen, _unused = observe(http, ONE)
        assert seen.instructions == {ONE: {}}

    def test_instance_with_invalid_network_name_is_ignored(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": ONE}, {"id": TWO}]})
        rows = [instance(ONE, {"network": ["barn"]}), instance(TWO, {"network": "barn"})]
        scripted_cloud.answer("GET", INSTANCES, json={"instances": rows})
        assert ledger.find_members(target_of(http, OURS), {"barn"}, "mesh") == {TWO}


class TestOrganizationLedgers:
    """The ledgers for a product of an organization are in the organization."""

    def test_all_requests_use_the_path_of_the_organization(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        base = "/v1/orgs/acme/ledgers"
        scripted_cloud.answer("GET", base, json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", f"{base}/mesh/instances", json={"instances": [instance(ONE, {"role": "node"})]})
        scripted_cloud.answer("GET", f"{base}/mesh-status/instances", json={"instances": []})
        scripted_cloud.answer("POST", base, 201, json={})
        scripted_cloud.answer("PUT", f"{base}/mesh/instances/{ONE}", 201, json={})
        scripted_cloud.answer("DELETE", f"{base}/mesh/instances/{TWO}", 204)

        seen, _unused = observe(http, ONE, product=ORG_PRODUCT)
        ledger.verify_members(target_of(http, ORG_PRODUCT), {ONE: NODE})
        for write in (
            ledger_plan.CreateLedger(MESH_LEDGER),
            ledger_plan.SetInstructions(ONE, NODE_INSTRUCTIONS),
            ledger_plan.DeleteInstructions(TWO),
        ):
            ledger.apply_write(target_of(http, ORG_PRODUCT), write)

        assert seen.instructions == {ONE: {"role": "node"}}
        assert all(request.path.startswith(base) for request in scripted_cloud.requests)


def make_plan(
    membership: Membership | None,
    groups: frozenset[str] = frozenset(),
    instructions: Mapping[str, Any] | None = None,
    ledgers: frozenset[str] = frozenset({"mesh", "mesh-status"}),
) -> MeshPlan:
    """Return the plan for device TWO."""
    seen = ledger_plan.Observed(ledgers, {} if instructions is None else {TWO: instructions})
    return ledger_plan.plan({"barn": BARN}, {TWO: membership}, {TWO: groups}, seen)


def plan_leaving(
    instructions: Mapping[str, Any], report: Mapping[str, Any] | None, *, is_removed: bool = False
) -> MemberPlan:
    """Return the changes with which device TWO leaves its network."""
    seen = ledger_plan.Observed(
        frozenset({"mesh", "mesh-status"}),
        {TWO: instructions},
        {TWO: Hardware(is_removed=is_removed)},
        reports={} if report is None else {TWO: report},
    )
    return ledger_plan.plan({}, {TWO: None}, {}, seen).members[TWO]


def name_write(write: ledger_plan.Write) -> str:
    """Return `order` for the order to leave, and `deletion` for the deletion of instructions."""
    if isinstance(write, ledger_plan.DeleteInstructions):
        return "deletion"
    assert write == ledger_plan.SetInstructions(TWO, {"contract": 1, "network": None})
    return "order"


def plan_member(*arguments: Any) -> MemberPlan:
    """Return the changes that the plan makes to device TWO."""
    return make_plan(*arguments).members[TWO]


class TestPlan:
    """The plan changes the observed membership into the declared one."""

    def test_joining_member_gets_groups_and_instructions(self) -> None:
        found = plan_member(NODE)
        assert (found.add_groups, found.remove_groups) == (NODE_GROUPS, frozenset())
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)
        assert found.changes == {"mesh": (None, {"network": "barn", "role": "node"})}

    def test_joined_member_needs_no_change(self) -> None:
        assert plan_member(NODE, NODE_GROUPS | {"north"}, NODE_INSTRUCTIONS) == MemberPlan(before=NODE)

    def test_moving_member_leaves_the_old_groups(self) -> None:
        old = {"network": "shed", "role": "gateway", "gateways": [TWO], "parameters": BARN.parameters}
        found = plan_member(NODE, frozenset({"mesh-shed", "mesh-gateway"}), old)
        assert found.add_groups == NODE_GROUPS
        assert found.remove_groups == {"mesh-shed", "mesh-gateway"}
        before, after = {"network": "shed", "role": "gateway"}, {"network": "barn", "role": "node"}
        assert found.changes == {"mesh": (before, after)}

    def test_leaving_member_loses_groups_and_instructions(self) -> None:
        found = plan_member(None, NODE_GROUPS | {"north"}, NODE_INSTRUCTIONS)
        assert (found.add_groups, found.remove_groups) == (frozenset(), NODE_GROUPS)
        assert found.writes == (ledger_plan.SetInstructions(TWO, {"contract": 1, "network": None}),)
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    @pytest.mark.parametrize(
        ("report", "is_removed", "writes"),
        [
            (None, False, ["order"]),
            ({"contract": 1, "network": "barn", "state": "joined"}, False, ["order"]),
            ({"network": "barn", "state": "joined"}, False, ["deletion"]),
            ({"contract": 1, "network": "barn", "state": "joined"}, True, ["deletion"]),
        ],
        ids=["no report", "version 1", "old contract", "removed from the product"],
    )
    def test_member_is_ordered_to_leave_if_it_can_follow_the_order(
        self, report: dict[str, Any] | None, is_removed: bool, writes: list[str]
    ) -> None:
        found = plan_leaving(NODE_INSTRUCTIONS, report, is_removed=is_removed)
        assert [name_write(write) for write in found.writes] == writes
        assert bool(found.pending) is (writes == ["order"])

    @pytest.mark.parametrize(
        ("report", "writes"),
        [
            (None, []),
            ({"contract": 1, "network": "barn", "state": "joined"}, []),
            ({"contract": 1, "network": None, "state": "left"}, ["deletion"]),
        ],
    )
    def test_order_to_leave_is_deleted_after_the_member_has_left(
        self, report: dict[str, Any] | None, writes: list[str]
    ) -> None:
        found = plan_leaving({"contract": 1, "network": None}, report)
        assert [name_write(write) for write in found.writes] == writes
        assert bool(found.pending) is not bool(writes)
        assert bool(found.changes) is bool(writes)

    def test_device_without_membership_needs_no_change(self) -> None:
        assert plan_member(None, frozenset({"north"})) == MemberPlan()

    def test_missing_group_of_a_member_is_added(self) -> None:
        found = plan_member(NODE, frozenset({"mesh-barn"}), NODE_INSTRUCTIONS)
        assert found.add_groups == {"mesh-node"}
        assert found.writes == ()
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"},) * 2}

    def test_changed_gateways_are_shown(self) -> None:
        found = plan_member(NODE, NODE_GROUPS, {**NODE_INSTRUCTIONS, "gateways": [THREE]})
        assert found.changes == {"mesh.gateways": ([THREE], [ONE])}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)

    @pytest.mark.parametrize(
        ("parameters", "named"),
        [
            ({"channel": 15, "key": "hush-2"}, "key"),
            ({"channel": 11}, "channel, key"),
            ({"channel": 15, "key": "hush-1", "psk": None}, "psk"),
            (None, "channel, key"),
            ("hush-2", "channel, key"),
            (["hush-2"], "channel, key"),
        ],
    )
    def test_changed_parameters_are_shown_by_name_only(self, parameters: Any, named: str) -> None:
        found = plan_member(NODE, NODE_GROUPS, {**NODE_INSTRUCTIONS, "parameters": parameters})
        assert found.changes == {"mesh.parameters": (None, f"{named} (values are not shown)")}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)

    def test_unknown_key_is_removed_and_shown_by_name_only(self) -> None:
        found = plan_member(NODE, NODE_GROUPS, {**NODE_INSTRUCTIONS, "psk": "hush-3"})
        assert found.changes == {"mesh.unknown": ("psk", None)}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)

    def test_empty_instructions_are_filled(self) -> None:
        found = plan_member(NODE, NODE_GROUPS, {})
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)
        assert found.changes["mesh"] == ({"network": "barn", "role": "node"},) * 2

    @pytest.mark.parametrize(
        ("membership", "present", "created"),
        [
            (NODE, [], ["mesh", "mesh-status"]),
            (NODE, ["mesh"], ["mesh-status"]),
            (NODE, ["mesh", "mesh-status"], []),
            (None, [], []),
        ],
    )
    def test_missing_ledgers_are_created_for_a_joining_member(
        self, membership: Membership | None, present: list[str], created: list[str]
    ) -> None:
        setup = make_plan(membership, ledgers=frozenset(present)).setup
        assert [shared.write.definition["name"] for shared in setup] == created
        assert all(shared.members == {TWO} for shared in setup)

    def test_repr_of_a_plan_contains_no_secret(self) -> None:
        assert "hush" not in repr(make_plan(NODE, NODE_GROUPS, {**NODE_INSTRUCTIONS, "parameters": {"key": "hush-9"}}))


def plan_parameters(
    networks: Mapping[str, Network], wanted: Mapping[str, Membership | None], instructions: Mapping[str, Any]
) -> dict[str, dict[str, Any] | None]:
    """Return the parameters that the plan writes for each member, `None` for a member without a write."""
    found = ledger_plan.plan(
        networks, wanted, {}, ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), instructions)
    )
    assert found.refusals == ()
    return {
        device: next((write.data["parameters"] for write in member.writes), None)
        for device, member in found.members.items()
    }


class TestOldDeviceOs:
    """Ledgers require Device OS 6.1; an older device is not refused, but a warning names it until it is updated."""

    @staticmethod
    def plan_nodes(hardware_of: Mapping[str, Hardware]) -> MeshPlan:
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {}, hardware_of)
        return ledger_plan.plan({"barn": BARN}, dict.fromkeys(hardware_of, NODE), {}, seen)

    def test_warning_names_each_old_device_with_its_version(self) -> None:
        found = self.plan_nodes({TWO: Hardware(13, "6.0.2"), THREE: Hardware(13, "6.1.0"), device_id(4): Hardware(13)})
        assert found.refusals == ()
        assert found.warnings == (
            "Devices (1) run a Device OS older than 6.1 and cannot read the instructions of their network of backend "
            f"ledger until they are updated: {TWO} (6.0.2)",
        )

    def test_warning_names_at_most_ten_devices(self) -> None:
        (warning,) = self.plan_nodes({device_id(number): Hardware(13, "4.2.0") for number in range(10, 22)}).warnings
        assert warning.startswith("Devices (12) ")
        assert warning.endswith(f"{device_id(19)} (4.2.0) and 2 more")

    def test_leaving_device_causes_no_warning(self) -> None:
        seen = ledger_plan.Observed(frozenset({"mesh"}), {TWO: NODE_INSTRUCTIONS}, {TWO: Hardware(13, "4.2.0")})
        assert ledger_plan.plan({}, {TWO: None}, {TWO: NODE_GROUPS}, seen).warnings == ()


class TestMemberParameters:
    """The parameters of a member override those of its network, key by key."""

    WITH_PARAMETERS = Membership("barn", "node", {"key": "hush-2", "power": 8})
    WITHOUT_PARAMETERS = Network("barn", (ONE,))

    def test_member_parameters_override_network_parameters(self) -> None:
        assert plan_parameters({"barn": BARN}, {ONE: NODE, TWO: self.WITH_PARAMETERS}, {}) == {
            ONE: {"channel": 15, "key": "hush-1"},
            TWO: {"channel": 15, "key": "hush-2", "power": 8},
        }

    def test_unchanged_parameters_are_not_written_again(self) -> None:
        before = {**NODE_INSTRUCTIONS, "parameters": {"power": 8, "channel": 15, "key": "hush-2"}}
        assert plan_parameters({"barn": BARN}, {TWO: self.WITH_PARAMETERS}, {TWO: before}) == {TWO: None}

    def test_removed_member_parameters_revert_to_network_parameters(self) -> None:
        before = {**NODE_INSTRUCTIONS, "parameters": {"power": 8, "channel": 15, "key": "hush-2"}}
        found = plan_member(NODE, NODE_GROUPS, before)
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS),)
        assert found.changes == {"mesh.parameters": (None, "key, power (values are not shown)")}

    def test_differing_parameters_are_shown_by_name_only(self) -> None:
        found = make_plan(self.WITH_PARAMETERS, NODE_GROUPS, NODE_INSTRUCTIONS).members[TWO]
        assert found.changes == {"mesh.parameters": (None, "key, power (values are not shown)")}
        assert "hush" not in repr(make_plan(self.WITH_PARAMETERS, NODE_GROUPS, NODE_INSTRUCTIONS))

    def test_member_parameters_override_observed_parameters(self) -> None:
        assert plan_parameters(
            {"barn": self.WITHOUT_PARAMETERS}, {TWO: self.WITH_PARAMETERS}, {TWO: NODE_INSTRUCTIONS}
        ) == {TWO: {"channel": 15, "key": "hush-2", "power": 8}}

    def test_new_member_gets_the_parameters_that_other_members_share(self) -> None:
        instructions = {ONE: {**NODE_INSTRUCTIONS, "parameters": {"channel": 9}}, TWO: NODE_INSTRUCTIONS}
        wanted = {ONE: Membership("barn", "node", {"channel": 9}), TWO: NODE, THREE: self.WITH_PARAMETERS}
        assert plan_parameters({"barn": self.WITHOUT_PARAMETERS}, wanted, instructions)[THREE] == {
            "channel": 15,
            "key": "hush-2",
            "power": 8,
        }

    def test_new_member_is_refused_if_parameters_of_others_differ(self) -> None:
        instructions = {ONE: {**NODE_INSTRUCTIONS, "parameters": {"key": "hush-3"}}, TWO: NODE_INSTRUCTIONS}
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), instructions)
        (refusal,) = ledger_plan.plan(
            {"barn": self.WITHOUT_PARAMETERS}, dict.fromkeys((ONE, TWO, THREE), NODE), {}, seen
        ).refusals
        assert refusal == (
            f"barn: its members have different parameters, so those of new members are unknown ({THREE}); "
            "declare parameters for the network"
        )
        groups = dict.fromkeys((ONE, TWO), NODE_GROUPS)
        assert (
            ledger_plan.plan({"barn": self.WITHOUT_PARAMETERS}, dict.fromkeys((ONE, TWO), NODE), groups, seen).refusals
            == ()
        )

    def test_instructions_over_the_size_limit_are_refused_with_the_device(self) -> None:
        half = {"half": "hush" * 2_200}
        network = Network("barn", (ONE,), half)
        wanted = {ONE: NODE, TWO: Membership("barn", "node", {"other half": "hush" * 2_200})}
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {})
        (refusal,) = ledger_plan.plan({"barn": network}, wanted, {}, seen).refusals
        assert refusal.startswith(f"barn: the instructions for device {TWO} take 17")
        assert "hush" not in refusal

    def test_size_limit_counts_observed_parameters_and_new_gateways(self) -> None:
        large = {**NODE_INSTRUCTIONS, "parameters": {"key": "hush" * 4_060}}
        small = {**NODE_INSTRUCTIONS, "parameters": {}}
        network = Network("barn", tuple(device_id(number) for number in range(20)))
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {ONE: small, TWO: large})
        (refusal,) = ledger_plan.plan({"barn": network}, {ONE: NODE, TWO: NODE}, {}, seen).refusals
        assert refusal.startswith(f"barn: the instructions for device {TWO} take 16")


class TestLedgerNames:
    """Both ledgers can have other names, because the firmware chooses them."""

    CUSTOM = Ledgers("acme-mesh", "acme-reports")

    def test_custom_ledgers_are_read_and_written(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        default_ledgers = [{**row, "scope": "Product"} for row in LEDGER_ROWS]  # of another application, so not checked
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [*default_ledgers, {"name": "acme-mesh"}]})
        rows = [instance(TWO, NODE_INSTRUCTIONS, "acme-mesh")]
        scripted_cloud.answer("GET", "/v1/ledgers/acme-mesh/instances", json={"instances": rows})
        scripted_cloud.answer("POST", "/v1/ledgers", 201, json={})
        scripted_cloud.answer("PUT", f"/v1/ledgers/acme-mesh/instances/{ONE}", 201, json={})
        scripted_cloud.answer("PUT", f"/v1/ledgers/acme-mesh/instances/{TWO}", 201, json={})
        report = instance(ONE, {"network": "barn", "role": "node", "state": "joined"}, "acme-reports")
        scripted_cloud.answer("GET", "/v1/ledgers/acme-reports/instances", json={"instances": [report]})

        hardware_of = dict.fromkeys((ONE, TWO), Hardware(13))
        seen = ledger.observe_networks(target_of(http, OURS), {"barn": BARN}, hardware_of, self.CUSTOM)
        found = ledger_plan.plan({"barn": BARN}, {ONE: NODE, TWO: None}, {}, seen)
        assert found.created_names == {"ledgers": ("acme-reports",)}
        writes = [shared.write for shared in found.setup]
        writes += [write for member in found.members.values() for write in member.writes]
        for write in writes:
            ledger.apply_write(target_of(http, OURS), write)
        assert len(writes) == 3
        scripted_cloud.answer("GET", DEVICES, json={"devices": []})
        assert ledger.verify_members(target_of(http, OURS), {ONE: NODE}, self.CUSTOM.reports) == {ONE: "joined"}

    @pytest.mark.parametrize("name", ["", "Mesh", "mesh status", "mesh_status", "x" * 33, "mesh/../x", "mesh\n"])
    def test_invalid_ledger_name_is_refused(self, name: str) -> None:
        for names in ((name, "mesh-status"), ("mesh", name)):
            with pytest.raises(ParticleError, match="is not a valid ledger name") as caught:
                Ledgers(*names)
            assert caught.value.code == "invalid_option"

    def test_equal_ledger_names_are_refused(self) -> None:
        with pytest.raises(ParticleError, match="must be different, got mesh for both"):
            Ledgers("mesh", "mesh")


class TestWrites:
    """Each write is one request."""

    def test_ledger_is_created_with_scope_and_direction(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 201, json={})
        ledger.apply_write(target_of(http, OURS), ledger_plan.CreateLedger(STATUS_LEDGER))
        (request,) = scripted_cloud.requests
        assert {key: request.json["ledger"][key] for key in ("name", "scope", "direction")} == {
            "name": "mesh-status",
            "scope": "Device",
            "direction": "Upstream",
        }

    def test_instructions_replace_the_whole_instance(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 201, json={})
        ledger.apply_write(target_of(http, OURS), ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS))
        (request,) = scripted_cloud.requests
        assert request.json == {"instance": {"data": NODE_INSTRUCTIONS}}
        assert request.query == {}

    def test_error_of_refused_instructions_does_not_quote_them(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        answer = {"error": "invalid_request", "error_description": f"too large: {json.dumps(NODE_INSTRUCTIONS)}"}
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 400, json=answer)
        with pytest.raises(ParticleError) as caught:
            ledger.apply_write(target_of(http, OURS), ledger_plan.SetInstructions(TWO, NODE_INSTRUCTIONS))
        assert "hush" not in caught.value.message

    def test_repeated_delete_of_a_missing_instance_raises_not_found(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        path = f"{INSTANCES}/{TWO}"
        scripted_cloud.answer("DELETE", path, effect="reset")
        scripted_cloud.answer("DELETE", path, 404, json={"ok": False, "error": "Ledger instance not found."})
        with pytest.raises(ParticleError) as caught:
            ledger.apply_write(target_of(http, OURS), ledger_plan.DeleteInstructions(TWO))
        assert (caught.value.code, caught.value.route) == (
            "not_found",
            "DELETE /v1/ledgers/:name/instances/:scopeValue",
        )

    def test_delete_without_permission_is_forbidden(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("DELETE", f"{INSTANCES}/{TWO}", 403, json={"ok": False, "error": "Permission denied"})
        with pytest.raises(ParticleError) as caught:
            ledger.apply_write(target_of(http, OURS), ledger_plan.DeleteInstructions(TWO))
        assert caught.value.code == "forbidden"


class TestReports:
    """The report of a member counts only if it is about the network of the member."""

    @pytest.mark.parametrize(
        ("report", "state"),
        [
            ({"network": "barn", "role": "node", "state": "joined"}, "joined"),
            ({"network": "barn", "role": "node", "state": "joining"}, "pending"),
            ({"network": "barn", "role": "node", "state": "lost"}, "lost"),
            ({"network": "barn", "role": "node", "state": "dancing"}, "pending"),
            ({"network": "barn", "role": "node", "state": ["joined"]}, "pending"),
            ({"network": "barn", "role": "node"}, "pending"),
            ({"network": "shed", "role": "node", "state": "joined"}, "wrong_network"),
            ({"network": "barn", "role": "gateway", "state": "joined"}, "pending"),
            ({"network": "shed", "role": "node", "state": "lost"}, "pending"),
            ({}, "pending"),
            (None, "pending"),
        ],
    )
    def test_member_has_the_state_that_it_reports_for_its_network(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, report: dict[str, Any] | None, state: str
    ) -> None:
        other_device = instance(THREE, {"network": "barn", "role": "node", "state": "joined"}, "mesh-status")
        rows = [other_device, *([] if report is None else [instance(TWO, report, "mesh-status")])]
        scripted_cloud.answer("GET", REPORTS, json={"instances": rows})
        if state == "joined":
            scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": TWO, "online": True}]})
        assert ledger.verify_members(target_of(http, OURS), {TWO: NODE}) == {TWO: state}

    @pytest.mark.parametrize(("online", "state"), [(True, "joined"), (None, "joined"), (False, "pending")])
    def test_report_of_an_offline_device_that_it_has_joined_is_not_believed(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, online: bool | None, state: str
    ) -> None:
        report = {"contract": 1, "network": "barn", "role": "node", "state": "joined"}
        scripted_cloud.answer("GET", REPORTS, json={"instances": [instance(TWO, report, "mesh-status")]})
        scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": TWO, "online": online}]})
        assert ledger.verify_members(target_of(http, OURS), {TWO: NODE}) == {TWO: state}


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "no hush-1"}), (200, {"ok": False, "error": "no hush-1"}), (403, {"errors": ["no hush-1"]})],
)
class TestErrorTexts:
    """An answer about an instance can quote a join key, so errors do not contain the text of the answer."""

    def test_text_about_the_list_of_instances_is_withheld(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, status, json=body)
        assert "hush-1" not in get_failure(lambda: observe(http, ONE))

    def test_text_about_one_instance_is_withheld(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": [instance(ONE, None)]})
        scripted_cloud.answer("GET", f"{INSTANCES}/{ONE}", status, json=body)
        assert "hush-1" not in get_failure(lambda: observe(http, ONE))

    @pytest.mark.parametrize(
        "write", [ledger_plan.SetInstructions(ONE, NODE_INSTRUCTIONS), ledger_plan.DeleteInstructions(ONE)]
    )
    def test_text_about_a_write_is_withheld(
        self,
        scripted_cloud: ScriptedCloud,
        http: RecordingHttp,
        status: int,
        body: dict[str, Any],
        write: ledger_plan.Write,
    ) -> None:
        method = "PUT" if isinstance(write, ledger_plan.SetInstructions) else "DELETE"
        scripted_cloud.answer(method, f"{INSTANCES}/{ONE}", status, json=body)
        assert "hush-1" not in get_failure(lambda: ledger.apply_write(target_of(http, OURS), write))

    def test_text_about_reports_is_withheld(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", REPORTS, status, json=body)
        assert "hush-1" not in get_failure(lambda: ledger.verify_members(target_of(http, OURS), {ONE: NODE}))


def get_failure(action: Callable[[], object]) -> str:
    """Return the failure in which an action ends, as a text."""
    with pytest.raises(ParticleError) as caught:
        action()
    return repr(caught.value.as_failure())


@pytest.mark.parametrize(
    ("groups", "membership"),
    [
        (["mesh-barn", "mesh-node", "north"], NODE),
        (["mesh-a", "mesh-gateway"], Membership("a", "gateway")),
        (["north"], None),
        (["mesh-node"], None),
        (["mesh-barn"], None),
        (["mesh-barn", "mesh-shed", "mesh-node"], None),
        (["mesh-barn", "mesh-gateway", "mesh-node"], None),
    ],
)
def test_membership_is_read_from_the_groups_of_a_device(groups: list[str], membership: Membership | None) -> None:
    assert read_group_membership(frozenset(groups)) == membership
