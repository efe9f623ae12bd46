# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A replacing device declares what it keeps, and contradictions are refused before the first request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Observed,
    ObservedDevice,
    Replaced,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.plan import (
    Inheritance,
    keep_replaced_values,
    plan_replacement,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import (
    FIELDS,
    GROUPS,
    IMPORT,
    LEAVING,
    MEMBERSHIP,
    REMOVAL,
    RENAMING,
    VARIABLES,
    explain_failure,
    list_steps,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Replacement
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware, MemberPlan, Membership

OLD, NEW, OTHER = (device_id(number) for number in (1, 2, 3))
SERIAL_NUMBER = "P046AB000000001"
PUMP = {"name": "pump", "notes": "east", "firmware_lock": 7}
NODE_GROUPS = ("mesh-barn", "mesh-node")
GATEWAY_GROUPS = ("mesh-barn", "mesh-gateway")


def declare(*devices: Mapping[str, Any], **more: Any) -> Manifest:
    return read_manifest({"product": "field-logger", "devices": list(devices), **more})


def see(device: str, fields: Mapping[str, Any], *groups: str, **row: Any) -> ObservedDevice:
    return ObservedDevice(device, fields, frozenset(groups), hardware=Hardware(row=row), labels={"iccid": "89"})


def keep(
    manifest: Manifest,
    *devices: ObservedDevice,
    without_lock: Collection[str] = (),
    variables: Mapping[str, Mapping[str, str]] | None = None,
) -> list[DeviceRecord]:
    """Return the records after the first of ``devices`` has been found to be the one that NEW replaces."""
    observed = Observed({device.id: device for device in devices}, replaced={NEW: devices[0].id})
    inheritance = Inheritance(frozenset(without_lock), variables or {})
    return list(keep_replaced_values(manifest, observed, inheritance).devices)


def find_mistakes(manifest: Manifest, *devices: ObservedDevice) -> list[str]:
    """Return the lines of the error without the record and the device that each of them names first."""
    with pytest.raises(ParticleError) as caught:
        keep(manifest, *devices)
    headline, *mistakes = caught.value.message.split("\n  ")
    assert (caught.value.code, headline) == (
        "invalid_manifest",
        "The manifest contains replacements that are impossible:",
    )
    assert caught.value.hint == "Correct these records, then run again."
    return [mistake.removeprefix(f"{NEW} (devices[0]) replaces {OLD}") for mistake in mistakes]


class TestKeptValues:
    """A declared value takes precedence over the value of the replaced device."""

    def test_undeclared_values_are_kept_and_the_old_device_is_removed(self) -> None:
        new, old = keep(declare({"id": NEW, "replaces": OLD}), see(OLD, PUMP, "north", "pumps"))
        assert (new.fields, new.groups, new.mesh) == (PUMP, {"north", "pumps"}, None)
        assert old == DeviceRecord(OLD, leaves_mesh=True, is_removed=True, replaced_by=NEW)

    def test_declared_values_are_not_replaced(self) -> None:
        record = {"id": NEW, "replaces": OLD, "name": "well", "notes": "", "firmware_lock": 8, "groups": ["south"]}
        new, _old = keep(declare(record), see(OLD, PUMP, "north"))
        assert (new.fields, new.groups) == ({"name": "well", "notes": "", "firmware_lock": 8}, {"south"})

    @pytest.mark.parametrize("fields", [{}, {"name": None, "notes": "", "firmware_lock": "unlocked"}])
    def test_missing_values_are_not_declared(self, fields: dict[str, Any]) -> None:
        new, _old = keep(declare({"id": NEW, "replaces": OLD}), see(OLD, fields))
        assert (new.fields, new.groups, new.environment) == ({}, None, {})

    def test_only_the_lock_of_a_rollout_is_not_kept(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD})
        new, _old = keep(manifest, see(OLD, PUMP), without_lock=[NEW])
        assert new.fields == {"name": "pump", "notes": "east"}
        new, _old = keep(manifest, see(OLD, PUMP), without_lock=[OTHER])
        assert new.fields == PUMP

    def test_declared_variables_win_over_kept_variables(self) -> None:
        record = {"id": NEW, "replaces": {"device": OLD, "environment": True}, "environment": {"B": "3"}}
        new, _old = keep(declare(record), see(OLD, {}), variables={NEW: {"A": "1", "B": "2"}, OTHER: {"C": "4"}})
        assert new.environment == {"A": "1", "B": "3"}

    def test_name_is_kept_without_the_mark_of_an_interrupted_run(self) -> None:
        new, _old = keep(declare({"id": NEW, "replaces": OLD}), see(OLD, {"name": f"pump (replaced by {NEW})"}))
        assert new.fields["name"] == "pump"

    def test_device_of_the_product_also_keeps_its_own_groups(self) -> None:
        spare = see(NEW, {}, "spare", "mesh-shed")
        new, _old = keep(declare({"id": NEW, "replaces": OLD}), see(OLD, {}, "north"), spare)
        assert new.groups == {"north", "spare"}

    def test_other_records_stay_and_a_declared_removal_waits(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, {"id": OTHER, "name": "well"}, {"id": OLD, "state": "absent"})
        new, other, old = keep(manifest, see(OLD, PUMP))
        assert (new.fields["name"], other, old.id) == ("pump", manifest.devices[1], OLD)
        assert (old.is_removed, old.replaced_by) == (True, NEW)

    def test_device_without_a_replaced_device_is_unchanged(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, {"id": OTHER})
        kept = keep_replaced_values(manifest, Observed({}), Inheritance())
        assert kept == declare({"id": NEW}, {"id": OTHER})


class TestKeptMembership:
    """The replacing device takes the place in the network, unless that is not possible."""

    BARN: Mapping[str, Any] = {"networks": {"barn": {"gateways": [OTHER]}}}

    def test_membership_is_kept_with_all_parameters(self) -> None:
        new, _old = keep(declare({"id": NEW, "replaces": OLD}, **self.BARN), see(OLD, {}, *NODE_GROUPS))
        assert new.groups is None
        assert new.mesh == Membership("barn", "node")
        assert new.mesh is not None
        assert (new.mesh.replaces, new.mesh.keeps_parameters) == (OLD, True)

    def test_declared_membership_names_the_device_whose_place_it_takes(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD, "mesh": {"network": "barn"}}, **self.BARN)
        new, _old = keep(manifest, see(OLD, {}, "mesh-shed", "mesh-node"))
        assert new.mesh == Membership("barn", "node")
        assert new.mesh is not None
        assert (new.mesh.replaces, new.mesh.keeps_parameters) == (OLD, False)

    def test_device_that_must_be_in_no_network_keeps_none(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD, "mesh": {"state": "absent"}})
        new, _old = keep(manifest, see(OLD, {}, *NODE_GROUPS))
        assert (new.mesh, new.leaves_mesh) == (None, True)

    @pytest.mark.parametrize(
        ("networks", "groups", "sentence"),
        [
            (
                {},
                NODE_GROUPS,
                ", which is node of network barn; declare this network with its gateways under networks, or declare "
                "mesh for the device",
            ),
            (
                {"barn": {"state": "absent"}},
                NODE_GROUPS,
                ", which is node of network barn; declare this network with its gateways under networks, or declare "
                "mesh for the device",
            ),
            (
                {"barn": {"gateways": [OTHER]}},
                GATEWAY_GROUPS,
                ", which is gateway of network barn; declare mesh with this network and role for the device",
            ),
            (
                {"barn": {}},
                NODE_GROUPS,
                ", which is node of network barn, but no gateway of this network is declared; declare its gateways "
                "under networks",
            ),
        ],
    )
    def test_membership_that_cannot_be_kept_is_refused(
        self, networks: dict[str, Any], groups: tuple[str, ...], sentence: str
    ) -> None:
        assert find_mistakes(declare({"id": NEW, "replaces": OLD}, networks=networks), see(OLD, {}, *groups)) == [
            sentence
        ]

    def test_membership_of_a_backend_that_forgets_members_is_refused(self) -> None:
        manifest = declare(
            {"id": NEW, "replaces": OLD}, networks={"barn": {"backend": "networks", "gateways": [OTHER]}}
        )
        row = {"network": {"id": "1", "name": "barn", "role": {"gateway": False, "state": "confirmed"}}}
        (mistake,) = find_mistakes(manifest, see(OLD, {}, **row))
        assert mistake == (
            ", which is node of network barn of backend networks, which does not show members that have left; declare "
            "mesh"
        )

    def test_declared_gateway_keeps_its_place(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, networks={"barn": {"gateways": [NEW]}})
        new, _old = keep(manifest, see(OLD, {}, *GATEWAY_GROUPS))
        assert new.mesh == Membership("barn", "gateway")


class TestContradictions:
    """A replacement contradicts a declaration that keeps the old device, or that takes its name."""

    def test_old_device_that_is_declared_to_stay_is_refused(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, {"id": OLD}, networks={"barn": {"gateways": [OLD]}})
        assert find_mistakes(manifest, see(OLD, {})) == [
            ", which devices[1] declares as a device to keep; remove that record, or declare state: absent for it, or "
            "remove replaces if the replacement is complete"
        ]

    def test_old_device_that_stays_a_gateway_is_refused(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, networks={"barn": {"gateways": [OLD]}})
        assert find_mistakes(manifest, see(OLD, {})) == [
            ", which network barn names as a gateway; remove it from gateways"
        ]

    def test_device_that_two_records_replace_is_refused(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, {"id": OTHER, "replaces": "pump"})
        observed = Observed({OLD: see(OLD, {})}, replaced={OTHER: OLD, NEW: OLD})
        with pytest.raises(ParticleError) as caught:
            keep_replaced_values(manifest, observed, Inheritance())
        mistake = caught.value.message.split("\n  ")[1]
        assert mistake == f"{NEW} and {OTHER} both replace {OLD}; keep replaces in one of these records"

    @pytest.mark.parametrize("name", ["pümp", "  pu\u0308mp"])
    def test_kept_name_of_another_record_is_refused(self, name: str) -> None:
        manifest = declare({"id": NEW, "replaces": OLD}, {"id": OTHER, "name": "pümp"})
        assert find_mistakes(manifest, see(OLD, {"name": name})) == [
            " and would keep its name, which devices[1] declares for another device; declare name for the device"
        ]

    def test_declared_name_is_not_compared_with_other_records(self) -> None:
        records = {"id": NEW, "replaces": OLD, "name": "pump"}, {"id": OTHER, "name": "pump"}
        new, *_others = keep(declare(*records, unique_names=False), see(OLD, PUMP))
        assert new.fields["name"] == "pump"

    def test_name_of_a_removed_record_can_be_kept(self) -> None:
        removed = {"id": OTHER, "name": "pump", "state": "absent"}
        new, _other, _old = keep(declare({"id": NEW, "replaces": OLD}, removed), see(OLD, PUMP))
        assert new.fields["name"] == "pump"

    def test_kept_name_leaves_room_for_the_mark(self) -> None:
        manifest = declare({"id": NEW, "replaces": OLD})
        new, _old = keep(manifest, see(OLD, {"name": "x" * 216}))
        assert new.fields["name"] == "x" * 216
        assert find_mistakes(manifest, see(OLD, {"name": "x" * 217})) == [
            ", whose name has 217 characters. The name would get a mark, which leaves room for 216 characters; declare "
            "another name for the device"
        ]

    @pytest.mark.parametrize(
        ("named", "name", "remedies"),
        [
            (OLD, "x" * 217, ["declare another name for the device"]),
            ("x" * 217, "well", ["name the old device by its id"]),
            ("x" * 217, "x" * 217, ["name the old device by its id", "declare another name for the device"]),
        ],
    )
    def test_name_that_must_be_marked_leaves_room(self, named: str, name: str, remedies: list[str]) -> None:
        manifest = declare({"id": NEW, "replaces": named, "name": name})
        (mistake,) = find_mistakes(manifest, see(OLD, {"name": "x" * 217}))
        assert mistake.partition("; ")[2] == " and ".join(remedies)

    @pytest.mark.parametrize(("name", "present"), [("well", "spare"), ("x" * 217, "x" * 217)])
    def test_name_that_needs_no_mark_can_be_long(self, name: str, present: str) -> None:
        manifest = declare({"id": NEW, "replaces": OLD, "name": name})
        devices = see(OLD, {"name": "x" * 217}), see(NEW, {"name": present})
        assert keep(manifest, *devices)[0].fields["name"] == name


class TestFoundDevices:
    """After the first plan of a run, no other device can be taken for the replaced one."""

    @pytest.mark.parametrize(("named", "found_by_name"), [("pump", True), (SERIAL_NUMBER, False), (OLD, False)])
    @pytest.mark.parametrize("name", ["pump ", f"pump (replaced by {NEW})"])
    def test_replaced_device_is_named_by_its_id(self, named: str, name: str, found_by_name: bool) -> None:
        manifest = declare({"id": NEW, "replaces": {"device": named, "environment": True}})
        for _plan in range(2):
            record = keep(manifest, see(OLD, {"name": name}))[0]
            assert record.replaces == Replacement(OLD, True, found_by_name)
            manifest = replace(manifest, devices=(record,))

    def test_device_that_was_not_found_is_not_searched_again(self) -> None:
        manifest = declare({"id": OTHER, "replaces": "pump"}, {"id": NEW, "replaces": OLD})
        first, second, _old = keep(manifest, see(OLD, {"name": "well"}))
        assert (first.replaces, second.replaces) == (None, Replacement(OLD))


class TestPlan:
    """The old device is marked if the new device gets its name, or if the record names it by its name."""

    RECORD = declare({"id": NEW, "replaces": OLD}).devices[0]

    @pytest.mark.parametrize(
        ("wanted", "new_name"),
        [({"name": "pump"}, f"pump (replaced by {NEW})"), ({"name": "well"}, None), ({"notes": "east"}, None)],
    )
    def test_old_device_gives_up_a_name_that_is_taken(self, wanted: dict[str, str], new_name: str | None) -> None:
        plan = plan_replacement(DevicePlan(NEW, {}, fields=wanted), self.RECORD, see(OLD, {"name": " pump"}))
        assert plan.replaces == Replaced(OLD, "89", new_name and f" {new_name}")
        assert (plan.fields, plan.is_read_after_import) == (wanted, False)

    @pytest.mark.parametrize("wanted", [{"name": "well"}, {}])
    @pytest.mark.parametrize(
        ("name", "new_name"),
        [("pump", f"pump (replaced by {NEW})"), (f"pump (replaced by {NEW})", None), ("", None)],
    )
    def test_old_device_that_is_named_by_its_name_is_marked(
        self, name: str, wanted: dict[str, str], new_name: str | None
    ) -> None:
        record = replace(self.RECORD, replaces=Replacement(OLD, found_by_name=True))
        plan = plan_replacement(DevicePlan(NEW, {}, fields=wanted), record, see(OLD, {"name": name}))
        assert plan.replaces == Replaced(OLD, "89", new_name)

    def test_old_device_without_a_name_gives_up_none(self) -> None:
        plan = plan_replacement(DevicePlan(NEW, {}, fields={"name": "pump"}), self.RECORD, see(OLD, {}))
        assert plan.replaces == Replaced(OLD, "89", None)

    @pytest.mark.parametrize(
        ("keeps_variables", "imports", "is_read", "expected"),
        [
            (True, True, False, True),
            (True, False, False, False),
            (False, True, False, False),
            (False, False, True, True),
        ],
    )
    def test_kept_variables_are_planned_after_the_import(
        self, keeps_variables: bool, imports: bool, is_read: bool, expected: bool
    ) -> None:
        record = declare({"id": NEW, "replaces": {"device": OLD, "environment": keeps_variables}}).devices[0]
        plan = DevicePlan(NEW, {}, imports=imports, is_read_after_import=is_read)
        assert plan_replacement(plan, record, see(OLD, {})).is_read_after_import is expected

    def test_device_that_replaces_no_device_keeps_its_plan(self) -> None:
        plan = DevicePlan(NEW, {}, imports=True)
        assert plan_replacement(plan, self.RECORD, None) == plan
        assert plan_replacement(plan, DeviceRecord(NEW), see(OLD, {})) == plan


class TestFailure:
    """The error of a failed replacement tells what is done and what is left."""

    NEW_PLAN = DevicePlan(
        NEW,
        {"environment": ({}, {"A": "1"})},
        imports=True,
        add_groups=frozenset({"north"}),
        fields={"name": "pump"},
        mesh=MemberPlan(writes=("join",)),
        replaces=Replaced(OLD, new_name="pump (replaced)"),
    )
    OLD_PLAN = DevicePlan(OLD, {}, removes=True, mesh=MemberPlan(writes=("leave",)), replaced_by=NEW)
    ERROR = ParticleError("forbidden", "The cloud refused it.", hint="Ask.", status=403, route="PUT /x")

    def test_steps_are_in_the_order_of_their_writes(self) -> None:
        assert list(list_steps(self.NEW_PLAN)) == [IMPORT, GROUPS, RENAMING, FIELDS, MEMBERSHIP, VARIABLES]
        assert list(list_steps(self.OLD_PLAN)) == [LEAVING, REMOVAL]
        assert list(list_steps(DevicePlan(NEW, {}, edits={}))) == [VARIABLES]
        assert list(list_steps(DevicePlan(NEW, {}, mesh=MemberPlan(), replaces=Replaced(OLD)))) == []

    def test_error_names_the_done_steps_and_the_rest(self) -> None:
        self.ERROR.words = "No."
        explained = explain_failure(self.ERROR, self.NEW_PLAN, self.OLD_PLAN, {IMPORT, GROUPS})
        assert explained.message == (
            f"The cloud refused it. The replacement of device {OLD} is not complete. Done: import, device groups. "
            "Left: new name of the replaced device, name and other fields, membership in the network, environment "
            "variables, removal of the replaced device from its network, removal of the replaced device from the "
            "product. The next run continues it."
        )
        assert (explained.code, explained.hint, explained.words) == ("forbidden", "Ask.", "No.")
        assert (explained.status, explained.route) == (403, "PUT /x")

    def test_error_does_not_mention_an_empty_list_of_steps(self) -> None:
        only_import = DevicePlan(NEW, {}, imports=True, replaces=Replaced(OLD))
        done = explain_failure(self.ERROR, only_import, None, {IMPORT})
        assert "Left" not in done.message
        left = explain_failure(self.ERROR, only_import, None, set())
        assert "Done" not in left.message
