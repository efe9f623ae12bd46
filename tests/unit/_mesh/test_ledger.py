# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Networks by ledgers: what is read, what is planned, what is written, what members report."""

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
OF_AN_ORG = Product("31337", "field-logger", 13, "acme")
BARN = Network("barn", (ONE,), {"channel": 15, "key": "hush-1"})
NODE = Membership("barn", "node")
FOR_ORDERS, FOR_REPORTS = ledger_plan.build_definitions(DEFAULT_LEDGERS)
NODE_GROUPS = frozenset({"mesh-barn", "mesh-node"})
NODE_ORDERS = {"network": "barn", "role": "node", "gateways": [ONE], "parameters": {"channel": 15, "key": "hush-1"}}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


def observe(http: RecordingHttp, *devices: str, product: Product = OURS) -> tuple[ledger_plan.Observed, list[str]]:
    """What is seen of the devices, and the warnings."""
    warnings: list[str] = []
    hardware_of = dict.fromkeys(devices, Hardware(13))
    return ledger.observe_networks(Target(http, product, warnings.append), {"barn": BARN}, hardware_of), warnings


class TestObserving:
    """Reading is by lists, and nothing that is somebody else's is touched."""

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

    def test_without_the_ledger_there_is_nothing_to_read(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [LEDGER_ROWS[1], {"name": "other"}]})
        seen, _unused = observe(http, ONE)
        assert seen.ledgers == {"mesh-status", "other"}
        assert seen.instructions == {}

    def test_the_key_of_the_javascript_client_is_read_too(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledger_definitions": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": []})
        assert observe(http, ONE)[0].ledgers == {"mesh", "mesh-status"}

    def test_rows_without_data_are_read_singly_with_a_warning(
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
    def test_a_ledger_of_another_kind_is_refused(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, name: str, key: str, found: str | None, words: str
    ) -> None:
        rows = [{**row, key: found} if row["name"] == name else row for row in LEDGER_ROWS]
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": rows})

        with pytest.raises(ParticleError) as caught:
            observe(http, ONE)

        assert caught.value.code == "conflict"
        assert caught.value.message == f"Ledger {name} already exists, but with {words}."
        assert http.writes == []

    def test_the_case_of_a_kind_does_not_matter(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
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
    def test_a_cloud_without_ledgers_is_told_as_that(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: Mapping[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", 404, **answer)
        with pytest.raises(ParticleError, match="this cloud has none") as caught:
            observe(http, ONE)
        assert caught.value.code == "unsupported"

    def test_ledgers_that_may_not_be_seen_are_not_missing(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        with pytest.raises(ParticleError) as caught:
            observe(http, ONE)
        assert caught.value.code == "forbidden"

    @pytest.mark.parametrize("data", [["barn"], "barn", 5, None])
    def test_data_of_another_form_is_none(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, data: object
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": [instance(ONE, None)]})
        scripted_cloud.answer("GET", f"{INSTANCES}/{ONE}", json={"instance": {"data": data}})
        seen, _unused = observe(http, ONE)
        assert seen.instructions == {ONE: {}}

    def test_who_is_ordered_into_what_is_no_name_is_in_no_network(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": ONE}, {"id": TWO}]})
        rows = [instance(ONE, {"network": ["barn"]}), instance(TWO, {"network": "barn"})]
        scripted_cloud.answer("GET", INSTANCES, json={"instances": rows})
        assert ledger.find_members(target_of(http, OURS), {"barn"}, "mesh") == {TWO}


class TestAnOrganisation:
    """A product of an organisation has its ledgers there."""

    def test_is_read_and_written_at_its_own_base(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        base = "/v1/orgs/acme/ledgers"
        scripted_cloud.answer("GET", base, json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", f"{base}/mesh/instances", json={"instances": [instance(ONE, {"role": "node"})]})
        scripted_cloud.answer("GET", f"{base}/mesh-status/instances", json={"instances": []})
        scripted_cloud.answer("POST", base, 201, json={})
        scripted_cloud.answer("PUT", f"{base}/mesh/instances/{ONE}", 201, json={})
        scripted_cloud.answer("DELETE", f"{base}/mesh/instances/{TWO}", 204)

        seen, _unused = observe(http, ONE, product=OF_AN_ORG)
        ledger.verify_members(target_of(http, OF_AN_ORG), {ONE: NODE})
        for write in (
            ledger_plan.CreateLedger(FOR_ORDERS),
            ledger_plan.SetInstructions(ONE, NODE_ORDERS),
            ledger_plan.DeleteInstructions(TWO),
        ):
            ledger.apply_write(target_of(http, OF_AN_ORG), write)

        assert seen.instructions == {ONE: {"role": "node"}}
        assert all(request.path.startswith(base) for request in scripted_cloud.requests)


def plan(
    membership: Membership | None,
    groups: frozenset[str] = frozenset(),
    orders: Mapping[str, Any] | None = None,
    ledgers: frozenset[str] = frozenset({"mesh", "mesh-status"}),
) -> MeshPlan:
    """The plan for one device."""
    seen = ledger_plan.Observed(ledgers, {} if orders is None else {TWO: orders})
    return ledger_plan.plan({"barn": BARN}, {TWO: membership}, {TWO: groups}, seen)


def member(*arguments: Any) -> MemberPlan:
    return plan(*arguments).members[TWO]


class TestPlanning:
    """From what is there to what is declared."""

    def test_who_joins_gets_groups_and_orders(self) -> None:
        found = member(NODE)
        assert (found.add_groups, found.remove_groups) == (NODE_GROUPS, frozenset())
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)
        assert found.changes == {"mesh": (None, {"network": "barn", "role": "node"})}

    def test_who_has_joined_needs_nothing(self) -> None:
        assert member(NODE, NODE_GROUPS | {"north"}, NODE_ORDERS) == MemberPlan(before=NODE)

    def test_who_moves_leaves_the_old_groups(self) -> None:
        old = {"network": "shed", "role": "gateway", "gateways": [TWO], "parameters": BARN.parameters}
        found = member(NODE, frozenset({"mesh-shed", "mesh-gateway"}), old)
        assert found.add_groups == NODE_GROUPS
        assert found.remove_groups == {"mesh-shed", "mesh-gateway"}
        before, after = {"network": "shed", "role": "gateway"}, {"network": "barn", "role": "node"}
        assert found.changes == {"mesh": (before, after)}

    def test_who_leaves_loses_groups_and_orders(self) -> None:
        found = member(None, NODE_GROUPS | {"north"}, NODE_ORDERS)
        assert (found.add_groups, found.remove_groups) == (frozenset(), NODE_GROUPS)
        assert found.writes == (ledger_plan.DeleteInstructions(TWO),)
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"}, None)}

    def test_who_has_left_needs_nothing(self) -> None:
        assert member(None, frozenset({"north"})) == MemberPlan()

    def test_lost_groups_are_given_back(self) -> None:
        found = member(NODE, frozenset({"mesh-barn"}), NODE_ORDERS)
        assert found.add_groups == {"mesh-node"}
        assert found.writes == ()
        assert found.changes == {"mesh": ({"network": "barn", "role": "node"},) * 2}

    def test_other_gateways_are_shown(self) -> None:
        found = member(NODE, NODE_GROUPS, {**NODE_ORDERS, "gateways": [THREE]})
        assert found.changes == {"mesh.gateways": ([THREE], [ONE])}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)

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
    def test_of_other_parameters_only_the_names_are_shown(self, parameters: Any, named: str) -> None:
        found = member(NODE, NODE_GROUPS, {**NODE_ORDERS, "parameters": parameters})
        assert found.changes == {"mesh.parameters": (None, f"{named} (values are not shown)")}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)

    def test_what_nobody_declares_is_removed_and_only_named(self) -> None:
        found = member(NODE, NODE_GROUPS, {**NODE_ORDERS, "psk": "hush-3"})
        assert found.changes == {"mesh.unknown": ("psk", None)}
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)

    def test_orders_with_nothing_in_them_are_filled(self) -> None:
        found = member(NODE, NODE_GROUPS, {})
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)
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
    def test_missing_ledgers_are_created_when_somebody_joins(
        self, membership: Membership | None, present: list[str], created: list[str]
    ) -> None:
        setup = plan(membership, ledgers=frozenset(present)).setup
        assert [shared.write.definition["name"] for shared in setup] == created
        assert all(shared.members == {TWO} for shared in setup)

    def test_nothing_that_is_planned_describes_a_secret(self) -> None:
        assert "hush" not in repr(plan(NODE, NODE_GROUPS, {**NODE_ORDERS, "parameters": {"key": "hush-9"}}))


def told(
    networks: Mapping[str, Network], wanted: Mapping[str, Membership | None], orders: Mapping[str, Any]
) -> dict[str, dict[str, Any] | None]:
    """The parameters that each member is told anew, `None` for who keeps what it has."""
    found = ledger_plan.plan(networks, wanted, {}, ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), orders))
    assert found.refusals == ()
    return {
        device: next((write.data["parameters"] for write in member.writes), None)
        for device, member in found.members.items()
    }


class TestMembersThatCannotReadLedgersYet:
    """Ledgers came with Device OS 6.1, and an older device comes to them by an update: it is named, not refused."""

    @staticmethod
    def plan_of(hardware_of: Mapping[str, Hardware]) -> MeshPlan:
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {}, hardware_of)
        return ledger_plan.plan({"barn": BARN}, dict.fromkeys(hardware_of, NODE), {}, seen)

    def test_are_named_with_what_they_run(self) -> None:
        found = self.plan_of({TWO: Hardware(13, "6.0.2"), THREE: Hardware(13, "6.1.0"), device_id(4): Hardware(13)})
        assert found.refusals == ()
        assert found.warnings == (
            "Devices (1) run a Device OS older than 6.1 and cannot read the instructions of their network of backend "
            f"ledger until they are updated: {TWO} (6.0.2)",
        )

    def test_are_named_up_to_ten(self) -> None:
        (warning,) = self.plan_of({device_id(number): Hardware(13, "4.2.0") for number in range(10, 22)}).warnings
        assert warning.startswith("Devices (12) ")
        assert warning.endswith(f"{device_id(19)} (4.2.0) and 2 more")

    def test_do_not_matter_once_they_leave(self) -> None:
        seen = ledger_plan.Observed(frozenset({"mesh"}), {TWO: NODE_ORDERS}, {TWO: Hardware(13, "4.2.0")})
        assert ledger_plan.plan({}, {TWO: None}, {TWO: NODE_GROUPS}, seen).warnings == ()


class TestParametersOfOneMember:
    """What a device alone is told stands over what its network says, key by key."""

    OWN = Membership("barn", "node", {"key": "hush-2", "power": 8})
    UNSAID = Network("barn", (ONE,))

    def test_they_stand_over_those_of_the_network(self) -> None:
        assert told({"barn": BARN}, {ONE: NODE, TWO: self.OWN}, {}) == {
            ONE: {"channel": 15, "key": "hush-1"},
            TWO: {"channel": 15, "key": "hush-2", "power": 8},
        }

    def test_who_has_been_told_is_not_told_again(self) -> None:
        before = {**NODE_ORDERS, "parameters": {"power": 8, "channel": 15, "key": "hush-2"}}
        assert told({"barn": BARN}, {TWO: self.OWN}, {TWO: before}) == {TWO: None}

    def test_who_has_none_any_more_is_told_those_of_the_network(self) -> None:
        before = {**NODE_ORDERS, "parameters": {"power": 8, "channel": 15, "key": "hush-2"}}
        found = member(NODE, NODE_GROUPS, before)
        assert found.writes == (ledger_plan.SetInstructions(TWO, NODE_ORDERS),)
        assert found.changes == {"mesh.parameters": (None, "key, power (values are not shown)")}

    def test_only_the_names_of_those_that_differ_are_shown(self) -> None:
        found = plan(self.OWN, NODE_GROUPS, NODE_ORDERS).members[TWO]
        assert found.changes == {"mesh.parameters": (None, "key, power (values are not shown)")}
        assert "hush" not in repr(plan(self.OWN, NODE_GROUPS, NODE_ORDERS))

    def test_where_the_network_says_nothing_they_stand_over_what_the_member_has(self) -> None:
        assert told({"barn": self.UNSAID}, {TWO: self.OWN}, {TWO: NODE_ORDERS}) == {
            TWO: {"channel": 15, "key": "hush-2", "power": 8}
        }

    def test_who_is_new_is_told_what_the_others_agree_on(self) -> None:
        orders = {ONE: {**NODE_ORDERS, "parameters": {"channel": 9}}, TWO: NODE_ORDERS}
        wanted = {ONE: Membership("barn", "node", {"channel": 9}), TWO: NODE, THREE: self.OWN}
        assert told({"barn": self.UNSAID}, wanted, orders)[THREE] == {"channel": 15, "key": "hush-2", "power": 8}

    def test_who_is_new_among_members_that_differ_is_refused_rather_than_left_without_a_key(self) -> None:
        orders = {ONE: {**NODE_ORDERS, "parameters": {"key": "hush-3"}}, TWO: NODE_ORDERS}
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), orders)
        (refusal,) = ledger_plan.plan({"barn": self.UNSAID}, dict.fromkeys((ONE, TWO, THREE), NODE), {}, seen).refusals
        assert refusal == (
            f"barn: its members have different parameters, so those of new members are unknown ({THREE}); "
            "declare parameters for the network"
        )
        groups = dict.fromkeys((ONE, TWO), NODE_GROUPS)
        assert ledger_plan.plan({"barn": self.UNSAID}, dict.fromkeys((ONE, TWO), NODE), groups, seen).refusals == ()

    def test_what_does_not_fit_together_is_refused_with_the_device(self) -> None:
        half = {"half": "hush" * 2_200}
        network = Network("barn", (ONE,), half)
        wanted = {ONE: NODE, TWO: Membership("barn", "node", {"other half": "hush" * 2_200})}
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {})
        (refusal,) = ledger_plan.plan({"barn": network}, wanted, {}, seen).refusals
        assert refusal.startswith(f"barn: the instructions for device {TWO} take 17")
        assert "hush" not in refusal

    def test_a_member_that_keeps_much_is_measured_with_its_new_gateways(self) -> None:
        much = {**NODE_ORDERS, "parameters": {"key": "hush" * 4_060}}
        other = {**NODE_ORDERS, "parameters": {}}
        network = Network("barn", tuple(device_id(number) for number in range(20)))
        seen = ledger_plan.Observed(frozenset({"mesh", "mesh-status"}), {ONE: other, TWO: much})
        (refusal,) = ledger_plan.plan({"barn": network}, {ONE: NODE, TWO: NODE}, {}, seen).refusals
        assert refusal.startswith(f"barn: the instructions for device {TWO} take 16")


class TestTheNamesOfTheLedgers:
    """Firmware decides what they are called."""

    OTHER = Ledgers("acme-mesh", "acme-reports")

    def test_all_is_read_and_written_there(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        usual = [{**row, "scope": "Product"} for row in LEDGER_ROWS]  # somebody else's, and none of ours to judge
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [*usual, {"name": "acme-mesh"}]})
        rows = [instance(TWO, NODE_ORDERS, "acme-mesh")]
        scripted_cloud.answer("GET", "/v1/ledgers/acme-mesh/instances", json={"instances": rows})
        scripted_cloud.answer("POST", "/v1/ledgers", 201, json={})
        scripted_cloud.answer("PUT", f"/v1/ledgers/acme-mesh/instances/{ONE}", 201, json={})
        scripted_cloud.answer("DELETE", f"/v1/ledgers/acme-mesh/instances/{TWO}", 204)
        report = instance(ONE, {"network": "barn", "role": "node", "state": "joined"}, "acme-reports")
        scripted_cloud.answer("GET", "/v1/ledgers/acme-reports/instances", json={"instances": [report]})

        hardware_of = dict.fromkeys((ONE, TWO), Hardware(13))
        seen = ledger.observe_networks(target_of(http, OURS), {"barn": BARN}, hardware_of, self.OTHER)
        found = ledger_plan.plan({"barn": BARN}, {ONE: NODE, TWO: None}, {}, seen)
        assert found.created_names == {"ledgers": ("acme-reports",)}
        writes = [shared.write for shared in found.setup]
        writes += [write for member in found.members.values() for write in member.writes]
        for write in writes:
            ledger.apply_write(target_of(http, OURS), write)
        assert len(writes) == 3
        assert ledger.verify_members(target_of(http, OURS), {ONE: NODE}, self.OTHER.reports) == {ONE: "joined"}

    @pytest.mark.parametrize("name", ["", "Mesh", "mesh status", "mesh_status", "x" * 33, "mesh/../x", "mesh\n"])
    def test_are_such_as_the_cloud_takes(self, name: str) -> None:
        for names in ((name, "mesh-status"), ("mesh", name)):
            with pytest.raises(ParticleError, match="is not a valid ledger name") as caught:
                Ledgers(*names)
            assert caught.value.code == "invalid_option"

    def test_are_two(self) -> None:
        with pytest.raises(ParticleError, match="must be different, got mesh for both"):
            Ledgers("mesh", "mesh")


class TestWriting:
    """Each write is one request."""

    def test_a_ledger_is_created_with_its_kind(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 201, json={})
        ledger.apply_write(target_of(http, OURS), ledger_plan.CreateLedger(FOR_REPORTS))
        (request,) = scripted_cloud.requests
        assert {key: request.json["ledger"][key] for key in ("name", "scope", "direction")} == {
            "name": "mesh-status",
            "scope": "Device",
            "direction": "Upstream",
        }

    def test_orders_replace_the_whole_instance(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 201, json={})
        ledger.apply_write(target_of(http, OURS), ledger_plan.SetInstructions(TWO, NODE_ORDERS))
        (request,) = scripted_cloud.requests
        assert request.json == {"instance": {"data": NODE_ORDERS}}
        assert request.query == {}

    def test_a_refusal_of_orders_repeats_nothing_of_them(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        words = {"error": "invalid_request", "error_description": f"too large: {json.dumps(NODE_ORDERS)}"}
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 400, json=words)
        with pytest.raises(ParticleError) as caught:
            ledger.apply_write(target_of(http, OURS), ledger_plan.SetInstructions(TWO, NODE_ORDERS))
        assert "hush" not in caught.value.message

    def test_orders_that_are_said_to_be_gone_are_left_to_another_look(
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

    def test_orders_that_may_not_be_removed_are_not_gone(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("DELETE", f"{INSTANCES}/{TWO}", 403, json={"ok": False, "error": "Permission denied"})
        with pytest.raises(ParticleError) as caught:
            ledger.apply_write(target_of(http, OURS), ledger_plan.DeleteInstructions(TWO))
        assert caught.value.code == "forbidden"


class TestReports:
    """What members say of themselves counts when it is about the network they belong to."""

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
    def test_a_member_has_the_state_it_reports_of_its_own_network(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, report: dict[str, Any] | None, state: str
    ) -> None:
        stranger = instance(THREE, {"network": "barn", "role": "node", "state": "joined"}, "mesh-status")
        rows = [stranger, *([] if report is None else [instance(TWO, report, "mesh-status")])]
        scripted_cloud.answer("GET", REPORTS, json={"instances": rows})
        assert ledger.verify_members(target_of(http, OURS), {TWO: NODE}) == {TWO: state}


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, {"error": "no hush-1"}), (200, {"ok": False, "error": "no hush-1"}), (403, {"errors": ["no hush-1"]})],
)
class TestWordsOfTheCloud:
    """An answer about an instance may quote what stands in it: a join key. What the cloud says of it is kept back."""

    def test_about_all_instances_are_kept_back(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, status, json=body)
        assert "hush-1" not in told_by(lambda: observe(http, ONE))

    def test_about_one_instance_are_kept_back(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS})
        scripted_cloud.answer("GET", INSTANCES, json={"instances": [instance(ONE, None)]})
        scripted_cloud.answer("GET", f"{INSTANCES}/{ONE}", status, json=body)
        assert "hush-1" not in told_by(lambda: observe(http, ONE))

    @pytest.mark.parametrize(
        "write", [ledger_plan.SetInstructions(ONE, NODE_ORDERS), ledger_plan.DeleteInstructions(ONE)]
    )
    def test_about_a_write_are_kept_back(
        self,
        scripted_cloud: ScriptedCloud,
        http: RecordingHttp,
        status: int,
        body: dict[str, Any],
        write: ledger_plan.Write,
    ) -> None:
        method = "PUT" if isinstance(write, ledger_plan.SetInstructions) else "DELETE"
        scripted_cloud.answer(method, f"{INSTANCES}/{ONE}", status, json=body)
        assert "hush-1" not in told_by(lambda: ledger.apply_write(target_of(http, OURS), write))

    def test_about_reports_are_kept_back(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", REPORTS, status, json=body)
        assert "hush-1" not in told_by(lambda: ledger.verify_members(target_of(http, OURS), {ONE: NODE}))


def told_by(action: Callable[[], object]) -> str:
    """All that the error tells in which an action ends."""
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
def test_the_groups_of_a_device_tell_its_membership(groups: list[str], membership: Membership | None) -> None:
    assert read_group_membership(frozenset(groups)) == membership
