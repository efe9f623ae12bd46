# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a plan contains exactly the writes that lead from the observed to the declared state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Observed,
    ObservedDevice,
    Plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import (
    add_later_changes,
    batch_group_changes,
    build_diff,
    keep_only_import,
    list_removals,
    make_plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Identifier,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    RESERVED_GROUPS,
    MemberPlan,
    Membership,
    MeshPlan,
    SharedWrite,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import plan as ledger_plan

IDS = [device_id(number) for number in range(1, 7)]
GATEWAY_ELSEWHERE = device_id(99)
ONE, TWO = IDS[:2]


@dataclass
class Row:
    """A device of `SmallCloud`."""

    name: str | None = None
    notes: str | None = None
    groups: set[str] = field(default_factory=set)


@dataclass
class SmallCloud:
    """A product in memory. It refuses the same writes as a real cloud, so that a plan in the wrong order fails."""

    devices: dict[str, Row] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    ledgers: set[str] = field(default_factory=set)
    instructions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def plan(self, manifest: Manifest) -> Plan:
        """Observe the product and plan its writes, as a run does."""
        seen = {
            device: ObservedDevice(device, {"name": row.name, "notes": row.notes}, frozenset(row.groups))
            for device, row in self.devices.items()
        }
        wanted = {record.id: record.mesh for record in manifest.devices if record.has_mesh_declaration}
        groups_of = {device: found.groups for device, found in seen.items()}
        mesh = ledger_plan.plan(
            manifest.networks, wanted, groups_of, ledger_plan.Observed(frozenset(self.ledgers), self.instructions)
        )
        return make_plan(manifest, Observed(seen, frozenset(self.groups)), mesh)

    def apply(self, plan: Plan) -> None:
        """Apply the writes of a plan."""
        for shared in plan.setup:
            assert shared.write.definition["name"] not in self.ledgers
            self.ledgers.add(shared.write.definition["name"])
        for group in plan.create_groups:
            assert group not in self.groups
            self.groups.add(group)
        changing = [device for device in plan.devices if device.is_changed]
        for device in changing:
            if device.imports:
                assert device.id not in self.devices
                self.devices[device.id] = Row()
        for change, group, ids in batch_group_changes(changing, 2):
            assert group in self.groups
            for member in ids:
                groups = self.devices[member].groups
                groups.add(group) if change == "add" else groups.remove(group)
        for device in changing:
            row = self.devices[device.id]
            for name, value in device.fields.items():
                setattr(row, name, value)
            for write in device.mesh.writes if device.mesh is not None else ():
                self._write_instructions(write)

    def _write_instructions(self, write: ledger_plan.Write) -> None:
        assert "mesh" in self.ledgers
        if isinstance(write, ledger_plan.SetInstructions):
            self.instructions[write.device] = json.loads(json.dumps(write.data))
        else:
            assert isinstance(write, ledger_plan.DeleteInstructions)
            del self.instructions[write.device]


def build_declared_cloud(manifest: Manifest) -> SmallCloud:
    """Build a cloud that is as a manifest declares, without a plan."""
    cloud = SmallCloud(ledgers={"mesh", "mesh-status"})
    for record in manifest.devices:
        row = Row(record.fields.get("name"), record.fields.get("notes") or None, set(record.groups or ()))
        if record.mesh is not None:
            network = manifest.networks[record.mesh.network]
            row.groups |= {f"mesh-{network.name}", f"mesh-{record.mesh.role}"}
            cloud.instructions[record.id] = {
                "contract": 1,
                "network": network.name,
                "role": record.mesh.role,
                "gateways": sorted(network.gateways),
                "parameters": dict(network.parameters),
            }
        cloud.devices[record.id] = row
        cloud.groups |= row.groups
    return cloud


TEXTS = st.sampled_from(["a", "B c", "ü", "north wall"])
OWN_GROUPS = st.sets(st.sampled_from(["north", "south", "beta"]))
MESH_GROUPS = st.sets(st.sampled_from(["mesh-barn", "mesh-shed", "mesh-old", "mesh-gateway", "mesh-node"]))
SECRETS = st.sampled_from(["hush-1", "hush-2", None])
PARAMETERS = st.dictionaries(st.sampled_from(["key", "pan", "channel"]), SECRETS)
MESHES = st.just({"state": "absent"}) | st.fixed_dictionaries(
    {"network": st.sampled_from(["barn", "shed"])}, optional={"role": st.sampled_from(["gateway", "node"])}
)
RECORDS = st.fixed_dictionaries(
    {"id": st.sampled_from(IDS)},
    optional={"name": TEXTS, "notes": TEXTS | st.just(""), "groups": OWN_GROUPS.map(sorted), "mesh": MESHES},
)
MANIFESTS = st.fixed_dictionaries(
    {
        "product": st.just("field-logger"),
        "unique_names": st.just(False),
        "groups_mode": st.sampled_from(["add", "exact"]),
        "devices": st.lists(RECORDS, max_size=6, unique_by=lambda record: str(record["id"])),
        "networks": st.fixed_dictionaries(
            {
                name: st.fixed_dictionaries({"gateways": st.just([gateway]), "parameters": PARAMETERS})
                for name, gateway in (("barn", GATEWAY_ELSEWHERE), ("shed", device_id(98)))
            }
        ),
    }
).map(read_manifest)
INSTRUCTIONS = st.fixed_dictionaries(
    {},
    optional={
        "network": st.sampled_from(["barn", "shed", "old"]),
        "role": st.sampled_from(["gateway", "node"]),
        "gateways": st.lists(st.sampled_from([GATEWAY_ELSEWHERE, ONE]), unique=True) | st.none(),
        "parameters": PARAMETERS | st.sampled_from([None, "hush-1", ["hush-2"]]),
        "psk": st.just("hush-3"),
    },
)


@st.composite
def clouds(draw: st.DrawFn) -> SmallCloud:
    """Draw any state that a product may be in."""
    rows = st.builds(Row, st.none() | TEXTS, st.none() | TEXTS, st.builds(set.union, OWN_GROUPS, MESH_GROUPS))
    devices = draw(st.dictionaries(st.sampled_from(IDS), rows, max_size=6))
    used = {group for row in devices.values() for group in row.groups}
    ledgers = draw(st.sets(st.sampled_from(["mesh", "mesh-status"])))
    instructions = draw(st.dictionaries(st.sampled_from(IDS), INSTRUCTIONS, max_size=4)) if "mesh" in ledgers else {}
    return SmallCloud(devices, used | draw(OWN_GROUPS), ledgers, instructions)


def list_refusals(plan: Plan) -> dict[str, str]:
    """Return the reason of each refusal of a plan, without the device at the start and the full stop."""
    return {
        device: error.message.removeprefix(f"Device {device} ").removesuffix(".")
        for device, error in plan.refusals.items()
    }


class TestAnyFleet:
    """Properties of plans for every manifest and every state of the cloud."""

    @given(MANIFESTS)
    def test_declared_state_needs_no_write(self, manifest: Manifest) -> None:
        plan = build_declared_cloud(manifest).plan(manifest)
        assert (plan.create_groups, plan.setup, dict(plan.refusals)) == ((), (), {})
        assert [device.changes for device in plan.devices if device.is_changed] == []
        assert batch_group_changes(plan.devices, 10) == []

    @given(MANIFESTS, clouds())
    def test_second_plan_is_empty(self, manifest: Manifest, cloud: SmallCloud) -> None:
        cloud.apply(cloud.plan(manifest))
        again = cloud.plan(manifest)
        assert (again.create_groups, again.setup) == ((), ())
        assert [device.changes for device in again.devices if device.is_changed] == []

    @given(MANIFESTS, clouds())
    def test_applied_plan_reaches_the_declared_state(self, manifest: Manifest, cloud: SmallCloud) -> None:
        instructed = set(cloud.instructions)
        cloud.apply(cloud.plan(manifest))
        wanted = build_declared_cloud(manifest)
        for record in manifest.devices:
            row, declared = cloud.devices[record.id], wanted.devices[record.id]
            assert {name: getattr(row, name) or "" for name in record.fields} == dict(record.fields)
            assert row.groups >= declared.groups
            if record.has_mesh_declaration:
                found = cloud.instructions.get(record.id)
                leaves = record.id in instructed and record.mesh is None  # without a report, the order to leave stays
                declared_instructions = {"network": None} if leaves else wanted.instructions.get(record.id)
                assert (found and {"contract": 1, **found}) == (
                    declared_instructions and {"contract": 1, **declared_instructions}
                )
                assert select_mesh_groups(row.groups) == select_mesh_groups(declared.groups)
            if record.groups is not None and manifest.exact_groups:
                assert row.groups - select_mesh_groups(row.groups) == record.groups

    @given(MANIFESTS, clouds())
    def test_device_is_changed_exactly_if_it_needs_a_write(self, manifest: Manifest, cloud: SmallCloud) -> None:
        for device in cloud.plan(manifest).devices:
            writes = [device.imports, device.add_groups, device.remove_groups, device.fields]
            writes.append(device.mesh is not None and device.mesh.writes)
            assert device.is_changed == any(writes)

    @given(MANIFESTS, clouds())
    def test_plan_is_changed_exactly_if_its_diff_is_not_empty(self, manifest: Manifest, cloud: SmallCloud) -> None:
        plan = cloud.plan(manifest)
        assert plan.is_changed == (build_diff(plan) != Diff())
        assert [shared.write.definition["name"] for shared in plan.setup] == list(plan.created_names.get("ledgers", ()))

    @given(MANIFESTS, clouds())
    def test_undeclared_state_is_not_written(self, manifest: Manifest, cloud: SmallCloud) -> None:
        records = {record.id: record for record in manifest.devices}
        plan = cloud.plan(manifest)
        assert {device.id for device in plan.devices} == set(records)
        for device in plan.devices:
            record = records[device.id]
            touched = device.add_groups | device.remove_groups
            assert device.fields.items() <= record.fields.items()
            if not record.has_mesh_declaration:
                assert device.mesh is None
                assert not select_mesh_groups(touched)
            if record.groups is None:
                assert touched == select_mesh_groups(touched)
            if not manifest.exact_groups:
                assert device.remove_groups == select_mesh_groups(device.remove_groups)

    @given(MANIFESTS, clouds(), st.integers(1, 4))
    def test_batches_contain_exactly_the_group_changes(self, manifest: Manifest, cloud: SmallCloud, size: int) -> None:
        plans = cloud.plan(manifest).devices
        calls = batch_group_changes(plans, size)
        assert all(1 <= len(devices) <= size for _unused, _unused, devices in calls)
        sent = [(change, group, device) for change, group, devices in calls for device in devices]
        wanted = {("add", group, device.id) for device in plans for group in device.add_groups}
        wanted |= {("remove", group, device.id) for device in plans for group in device.remove_groups}
        assert sorted(sent) == sorted(wanted)
        changes = [change for change, _unused, _unused in calls]
        assert changes == sorted(changes), "groups are removed last"

    @given(MANIFESTS, clouds())
    def test_parameter_values_are_never_shown(self, manifest: Manifest, cloud: SmallCloud) -> None:
        plan = cloud.plan(manifest)
        assert "hush" not in repr(build_diff(plan))
        assert "hush" not in repr(plan)
        assert "hush" not in repr(manifest)

    @given(MANIFESTS, clouds())
    def test_gateways_are_planned_before_all_other_devices(self, manifest: Manifest, cloud: SmallCloud) -> None:
        roles = {record.id: record.mesh.role if record.mesh else None for record in manifest.devices}
        order = [roles[device.id] != "gateway" for device in cloud.plan(manifest).devices]
        assert order == sorted(order)


def select_mesh_groups(groups: set[str] | frozenset[str]) -> set[str]:
    """Return only the groups that belong to the mesh."""
    return {group for group in groups if group.startswith(RESERVED_GROUPS)}


def plan_device(record: DeviceRecord, observed: Mapping[str, Any] | None, *, exact: bool = False) -> DevicePlan:
    """Plan one device of a product."""
    manifest = Manifest("field-logger", exact, {}, (record,))
    devices = {} if observed is None else {ONE: ObservedDevice(ONE, **observed)}
    (device,) = make_plan(manifest, Observed(devices)).devices
    return device


class TestOneDevice:
    """Plans of one device: the shown changes and the writes."""

    def test_new_device_is_imported(self) -> None:
        device = plan_device(DeviceRecord(ONE, {"name": "a"}), None)
        assert device.changes == {"product": (None, "field-logger"), "name": (None, "a")}
        assert (device.imports, device.claims) == (True, False)

    @pytest.mark.parametrize(
        ("declared", "observed", "written"),
        [
            ({"name": "a"}, {"name": "b"}, {"name": "a"}),
            ({"name": "a"}, {"name": "a"}, {}),
            ({"name": "a"}, {"name": None}, {"name": "a"}),
            ({"notes": ""}, {"notes": None}, {}),
            ({"notes": ""}, {}, {}),
            ({"notes": ""}, {"notes": "old"}, {"notes": ""}),
            ({}, {"name": "b", "notes": "c"}, {}),
        ],
    )
    def test_a_field_is_written_when_it_differs(
        self, declared: dict[str, str], observed: dict[str, str | None], written: dict[str, str]
    ) -> None:
        device = plan_device(DeviceRecord(ONE, declared), {"fields": observed})
        assert device.fields == written
        assert device.changes == {name: (observed.get(name), value) for name, value in written.items()}

    @pytest.mark.parametrize(
        ("declared", "exact", "add", "remove", "change"),
        [
            (None, True, set(), set(), None),
            (["north"], False, set(), set(), None),
            (["beta"], False, {"beta"}, set(), (["north"], ["beta", "north"])),
            (["beta"], True, {"beta"}, {"north"}, (["north"], ["beta"])),
            ([], True, set(), {"north"}, (["north"], [])),
            ([], False, set(), set(), None),
        ],
    )
    def test_declared_groups_are_planned_and_mesh_groups_are_kept(
        self,
        declared: list[str] | None,
        exact: bool,
        add: set[str],
        remove: set[str],
        change: tuple[list[str], list[str]] | None,
    ) -> None:
        groups = None if declared is None else frozenset(declared)
        seen = {"fields": {}, "groups": frozenset({"north", "mesh-barn", "mesh-node"})}
        device = plan_device(DeviceRecord(ONE, groups=groups), seen, exact=exact)
        assert device.add_groups == add
        assert device.remove_groups == remove
        assert device.changes.get("groups") == change


class TestAccount:
    """Plans without a product, for devices of an account."""

    @staticmethod
    def plan(record: DeviceRecord, *seen: ObservedDevice) -> Plan:
        return make_plan(Manifest(None, False, {}, (record,)), Observed({device.id: device for device in seen}))

    def test_missing_device_is_claimed_when_that_is_declared(self) -> None:
        (device,) = self.plan(DeviceRecord(ONE, {"name": "a"}, claimed=True)).devices
        assert (device.claims, device.imports) == (True, False)
        assert device.changes == {"claimed": (False, True), "name": (None, "a")}

    def test_a_claimed_device_is_not_claimed_again(self) -> None:
        (device,) = self.plan(DeviceRecord(ONE, claimed=True), ObservedDevice(ONE, {})).devices
        assert not device.is_changed

    def test_missing_device_is_refused_without_a_declared_claim(self) -> None:
        plan = self.plan(DeviceRecord(ONE, {"name": "a"}))
        missing = "is not among the devices of the account"
        assert (plan.devices, list_refusals(plan)) == ((), {ONE: missing})

    def test_missing_device_is_claimed_by_its_serial_number(self) -> None:
        by_serial = Identifier("serial_number", "PH-SN-0001")
        (device,) = self.plan(DeviceRecord("PH-SN-0001", claimed=True, declared_by=by_serial)).devices
        assert (device.claims, device.declared_by) == (True, by_serial)

    def test_missing_device_cannot_be_claimed_by_its_iccid(self) -> None:
        plan = self.plan(DeviceRecord("8901", claimed=True, declared_by=Identifier("iccid", "8901")))
        missing = "is not among the devices of the account, and the cloud cannot look up a device by iccid"
        assert (plan.devices, list_refusals(plan)) == ((), {"8901": missing})

    def test_missing_device_need_not_be_unclaimed(self) -> None:
        plan = self.plan(DeviceRecord(ONE, claimed=False))
        assert (plan.is_changed, plan.refusals) == (False, {})

    def test_claimed_device_is_unclaimed_when_that_is_declared(self) -> None:
        (device,) = self.plan(DeviceRecord(ONE, claimed=False), ObservedDevice(ONE, {})).devices
        assert (device.unclaims, device.changes) == (True, {"claimed": (True, False)})


class TestProductClaim:
    """Claims to devices of a product."""

    @staticmethod
    def plan(claimed: bool, *seen: ObservedDevice) -> Plan:
        observed = Observed({device.id: device for device in seen}, account="me@example.com")
        return make_plan(Manifest("p", False, {}, (DeviceRecord(ONE, claimed=claimed),)), observed)

    def test_new_device_is_claimed_by_its_import(self) -> None:
        plan = self.plan(True)
        (device,) = plan.devices
        assert (device.imports, device.claims, plan.claim_user) == (True, True, "me@example.com")
        assert device.changes == {"product": (None, "p"), "claimed": (False, True)}

    def test_device_in_the_product_is_claimed(self) -> None:
        (device,) = self.plan(True, ObservedDevice(ONE, {})).devices
        assert (device.imports, device.claims, device.changes) == (False, True, {"claimed": (False, True)})

    def test_claimed_device_keeps_its_claim(self) -> None:
        (device,) = self.plan(True, ObservedDevice(ONE, {}, owner="me@example.com")).devices
        assert not device.is_changed

    @pytest.mark.parametrize("claimed", [True, False])
    def test_claim_of_another_account_is_refused(self, claimed: bool) -> None:
        plan = self.plan(claimed, ObservedDevice(ONE, {}, owner="you@example.com"))
        assert (plan.devices, list_refusals(plan)) == ((), {ONE: "is claimed by another account"})

    def test_product_device_is_unclaimed_when_that_is_declared(self) -> None:
        (device,) = self.plan(False, ObservedDevice(ONE, {}, owner="me@example.com")).devices
        assert (device.unclaims, device.changes) == (True, {"claimed": (True, False)})

    def test_unclaimed_device_needs_no_change(self) -> None:
        (device,) = self.plan(False, ObservedDevice(ONE, {})).devices
        assert not device.is_changed


class TestAbsentDevices:
    """Plans that remove devices from their product or unclaim them."""

    @staticmethod
    def plan(record: DeviceRecord, *seen: ObservedDevice, product: str | None = "p") -> DevicePlan:
        manifest = Manifest(product, False, {}, (record,), absent=True)
        observed = Observed({device.id: device for device in seen}, account="me@example.com")
        (device,) = make_plan(manifest, observed).devices
        return device

    def test_a_device_leaves_its_groups_and_the_product(self) -> None:
        seen = ObservedDevice(ONE, {"name": "a"}, frozenset({"north"}), owner="me@example.com")
        device = self.plan(DeviceRecord(ONE, {"name": "b"}), seen)
        assert (device.removes, device.unclaims, device.remove_groups) == (True, False, {"north"})
        assert device.changes == {"product": ("p", None), "groups": (["north"], [])}

    def test_claim_is_removed_when_that_is_declared(self) -> None:
        device = self.plan(DeviceRecord(ONE, claimed=False), ObservedDevice(ONE, {}, owner="me@example.com"))
        assert (device.removes, device.unclaims) == (True, True)
        assert device.changes["claimed"] == (True, False)

    def test_removal_of_a_claim_of_another_account_is_refused(self) -> None:
        manifest = Manifest("p", False, {}, (DeviceRecord(ONE, claimed=False),), absent=True)
        plan = make_plan(manifest, Observed({ONE: ObservedDevice(ONE, {}, owner="you@example.com")}, account="me"))
        assert (plan.devices, list_refusals(plan)) == ((), {ONE: "is claimed by another account"})

    def test_account_device_is_unclaimed(self) -> None:
        device = self.plan(DeviceRecord(ONE, claimed=False), ObservedDevice(ONE, {}), product=None)
        assert (device.removes, device.unclaims, device.changes) == (False, True, {"claimed": (True, False)})

    def test_missing_device_needs_no_change(self) -> None:
        assert not self.plan(DeviceRecord(ONE)).is_changed

    def test_nodes_leave_before_their_gateway(self) -> None:
        records = (
            DeviceRecord(ONE, mesh=Membership("barn", "gateway")),
            DeviceRecord(TWO, mesh=Membership("barn", "node")),
        )
        plan = make_plan(Manifest("p", False, {}, records, absent=True), Observed({}))
        assert [device.id for device in plan.devices] == [TWO, ONE]

    def test_member_leaves_its_mesh_its_groups_and_the_product(self) -> None:
        member = MemberPlan(changes={"mesh": ("barn", None)})
        seen = ObservedDevice(ONE, {}, frozenset({"south", "mesh-barn", "north"}))
        manifest = Manifest("p", False, {}, (DeviceRecord(ONE, declared_by=Identifier("imei", "35")),), absent=True)
        (device,) = make_plan(manifest, Observed({ONE: seen}), MeshPlan({ONE: member})).devices
        changes = {"product": ("p", None), "groups": (["north", "south"], []), "mesh": ("barn", None)}
        assert device == DevicePlan(
            ONE,
            changes,
            removes=True,
            remove_groups=frozenset({"south", "mesh-barn", "north"}),
            mesh=member,
            declared_by=Identifier("imei", "35"),
        )

    def test_removals_are_the_removed_and_the_unclaimed_devices(self) -> None:
        devices = (DevicePlan(ONE, {}, removes=True), DevicePlan(TWO, {}, unclaims=True), DevicePlan(IDS[2], {}))
        assert [device.key for device in list_removals(Plan((), (), devices, {}))] == [ONE, TWO]


class TestLaterObservations:
    """Changes that only a later observation shows, after the import of a device."""

    PLAN = Plan(
        ("north",),
        (),
        (
            DevicePlan("35", {"name": ("a", "b")}, fields={"name": "b"}, declared_by=Identifier("imei", "35")),
            DevicePlan(ONE, {"notes": (None, "n")}),
            DevicePlan(TWO, {}),
        ),
        {},
    )

    def test_found_changes_are_added_and_planned_changes_win(self) -> None:
        found = {"35": {"groups": ([], ["north"]), "name": ("z", "b")}}
        plan = add_later_changes(self.PLAN, found, frozenset())
        first, *others = plan.devices
        assert first.changes == {"groups": ([], ["north"]), "name": ("a", "b")}
        assert (first.fields, first.declared_by) == ({"name": "b"}, Identifier("imei", "35"))
        assert (plan.create_groups, others) == (("north",), list(self.PLAN.devices[1:]))

    def test_found_changes_are_ignored_for_an_unchanged_device(self) -> None:
        assert add_later_changes(self.PLAN, {TWO: {"groups": ([], ["north"])}}, frozenset()) == self.PLAN

    def test_device_found_to_be_as_declared_is_unchanged(self) -> None:
        plan = add_later_changes(self.PLAN, {"35": {"groups": ([], ["north"])}}, {"35"})
        assert [dict(device.changes) for device in plan.devices] == [{}, {"notes": (None, "n")}, {}]

    def test_import_is_kept_without_the_other_writes(self) -> None:
        label = Identifier("imei", "35")
        changes = {"product": (None, "p"), "name": (None, "a")}
        groups = frozenset({"north"})
        device = DevicePlan(
            "35", changes, imports=True, claims=True, add_groups=groups, fields={"name": "a"}, declared_by=label
        )
        assert keep_only_import(device) == DevicePlan("35", changes, imports=True, claims=True, declared_by=label)


def test_diff_shows_only_changed_devices() -> None:
    devices = (DevicePlan(ONE, {"name": ("a", "b")}), DevicePlan(TWO, {}))
    assert build_diff(Plan((), (), devices, {})) == Diff((ChangedItem(ONE, {"name": ("a", "b")}),))


def test_diff_shows_created_groups_and_ledgers() -> None:
    plan = Plan(("north",), (SharedWrite("write", frozenset()),), (), {}, {"ledgers": ("mesh-status",)})
    assert build_diff(plan) == Diff(created={"groups": ("north",), "ledgers": ("mesh-status",)})


def test_diff_shows_removed_networks() -> None:
    plan = Plan((), (), (), {}, removed_names={"networks": ("barn",)}, teardown=(SharedWrite("write", frozenset()),))
    assert plan.is_changed
    assert build_diff(plan) == Diff(removed={"networks": ("barn",)})


def test_group_changes_are_in_the_order_of_their_stages() -> None:
    groups = frozenset({"mesh-barn", "mesh-gateway", "mesh-node", "north"})
    calls = batch_group_changes([DevicePlan(ONE, {}, add_groups=groups, remove_groups=groups)], 10)
    assert [f"{change} {group}" for change, group, _unused in calls] == [
        *("add mesh-gateway", "add mesh-barn", "add north", "add mesh-node"),
        *("remove mesh-node", "remove mesh-barn", "remove north", "remove mesh-gateway"),
    ]


def test_devices_of_group_changes_are_in_the_order_of_their_mesh_stages() -> None:
    plans = [
        DevicePlan(device, {}, add_groups=frozenset({"mesh-barn"}), mesh=MemberPlan(stage=stage))
        for device, stage in ((ONE, 2), (TWO, 0))
    ]
    assert batch_group_changes(plans, 1) == [("add", "mesh-barn", (TWO,)), ("add", "mesh-barn", (ONE,))]


@pytest.mark.parametrize("approval", ["quarantined", "denied"])
@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"name": "a"},
        {"groups": ["north"], "claimed": True},
        {"environment": {"A": "1"}},
        {"from_product": "pump-watch"},
        {"replaces": "pump"},
        {"state": "absent"},
        {"approval": "denied"},
        {"approval": "approved"},
    ],
    ids=str,
)
@pytest.mark.parametrize("absent", [False, True])
def test_unapproved_device_is_imported_only_if_approval_is_declared(
    declared: dict[str, Any], approval: str, *, absent: bool
) -> None:
    device = "e00fce68aabbccddeeff0022"
    manifest = read_manifest({"product": "field-logger", "devices": [{"id": device, **declared}]}, absent=absent)
    plan = make_plan(manifest, Observed({}, unapproved={device: approval}))
    imported = [found.id for found in plan.devices if found.imports or found.claims]
    expects_import = declared.get("approval") == "approved" and not absent
    assert imported == ([device] if expects_import else [])
    is_refused = not absent and "approval" not in declared and "state" not in declared
    assert list(plan.refusals) == ([device] if is_refused else [])
    hint = "Declare approval: approved for the device to let it into the product, or approval: denied to keep it out."
    assert [error.hint for error in plan.refusals.values()] == ([hint] if is_refused else [])


@pytest.mark.parametrize(
    ("shown", "refusal"),
    [
        ({"iccid": "89014103211118510720"}, None),
        ({"iccid": "8901410321111851072"}, None),
        ({}, None),
        (
            {"iccid": "89014103211118519990"},
            "89014103211118510720 is declared, but the cloud shows 89014103211118519990",
        ),
    ],
)
def test_device_with_another_label_than_declared_is_refused(shown: dict[str, str], refusal: str | None) -> None:
    device = {"id": ONE, "iccid": "89014103211118510720", "notes": "east"}
    manifest = read_manifest({"product": "field-logger", "devices": [device]})
    plan = make_plan(manifest, Observed({ONE: ObservedDevice(ONE, {}, labels=shown)}))
    assert [device.is_changed for device in plan.devices] == ([True] if refusal is None else [])
    messages = [f"{error.code}: {error.message}" for error in plan.refusals.values()]
    beginning = f"conflict: Device {ONE} has another label than its declaration. devices[0].iccid: "
    assert messages == ([] if refusal is None else [f"{beginning}{refusal}."])
