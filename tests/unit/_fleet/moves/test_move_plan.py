# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A moved device declares what it keeps, and the notes remember its groups while it is in no product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import OURS, device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Observed,
    ObservedDevice,
    Source,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.marks import (
    MarkedNotes,
    add_mark,
    read_mark,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.plan import (
    find_move_obstacle,
    keep_values,
    plan_move,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest

PUMP = device_id(1)
OTHER = Product("99", "pump-watch", 13, None)
MARK = f"(moving to product {OURS.id} with groups north, south)"
GROUP_NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=9)


def declare(**record: Any) -> Manifest:
    devices = [{"id": PUMP, "from_product": "pump-watch", **record}]
    return read_manifest({"product": "field-logger", "devices": devices})


def see(fields: Mapping[str, Any], *groups: str, owner: str | None = None) -> ObservedDevice:
    return ObservedDevice(PUMP, fields, frozenset(groups), owner)


def keep(manifest: Manifest, observed: Observed, product: str | None = OURS.id) -> DeviceRecord:
    (record,) = keep_values(manifest, observed, product).devices
    return record


class TestMark:
    """A mark keeps the notes and the groups until the device is in its product."""

    @given(st.text(max_size=30), st.sets(GROUP_NAMES, min_size=1, max_size=4))
    def test_mark_is_read_as_it_was_written(self, notes: str, groups: set[str]) -> None:
        assert read_mark(add_mark(notes, OURS.id, groups), OURS.id) == MarkedNotes(notes, frozenset(groups))

    def test_mark_is_the_last_line_of_the_notes(self) -> None:
        assert add_mark("east", OURS.id, ["south", "north"]) == f"east\n{MARK}"
        assert add_mark("", OURS.id, {"north", "south"}) == MARK

    @pytest.mark.parametrize("notes", ["", "east", f"{MARK} east", MARK.replace(OURS.id, OTHER.id)])
    def test_notes_without_a_mark_for_the_product_are_only_text(self, notes: str) -> None:
        assert read_mark(notes, OURS.id) == MarkedNotes(notes, frozenset())

    def test_missing_notes_are_empty(self) -> None:
        assert read_mark(None, OURS.id) == MarkedNotes("")


class TestKeptValues:
    """A device keeps its name, its notes and the groups that the product of the run has."""

    def test_undeclared_values_and_known_groups_are_kept(self) -> None:
        source = Source(OTHER, see({"name": "pump", "notes": ""}, "north", "pumps", "mesh-barn"))
        groups = frozenset({"north", "south", "mesh-barn"})
        record = keep(declare(), Observed({}, groups, sources={PUMP: source}))
        assert (record.fields, record.groups) == ({"name": "pump"}, {"north"})

    def test_declared_values_are_not_replaced(self) -> None:
        source = Source(OTHER, see({"name": "pump", "notes": "east"}, "north"))
        observed = Observed({}, frozenset({"north"}), sources={PUMP: source})
        record = keep(declare(name="well", groups=[]), observed)
        assert (record.fields, record.groups) == ({"name": "well", "notes": "east"}, frozenset())

    def test_groups_that_the_product_lacks_are_not_declared(self) -> None:
        source = Source(OTHER, see({}, "pumps"))
        assert keep(declare(), Observed({}, frozenset({"north"}), sources={PUMP: source})).groups is None

    def test_marked_groups_are_kept_after_an_interrupted_run(self) -> None:
        present = see({"name": "pump", "notes": f"east\n{MARK}"}, "spare", "mesh-barn")
        record = keep(declare(), Observed({PUMP: present}, frozenset({"north", "spare"})))
        assert (record.fields, record.groups) == ({"notes": "east"}, {"north", "spare"})
        record = keep(declare(notes="west", groups=["south"]), Observed({PUMP: present}, frozenset({"north"})))
        assert (record.fields, record.groups) == ({"notes": "west"}, {"south"})
        assert keep(declare(), Observed({PUMP: see({"notes": MARK})})).groups is None

    @pytest.mark.parametrize("notes", [None, "east"])
    def test_device_that_has_arrived_keeps_its_record(self, notes: str | None) -> None:
        manifest = declare()
        assert keep(manifest, Observed({PUMP: see({"notes": notes}, "north")})) == manifest.devices[0]

    def test_mark_is_ignored_if_the_device_is_not_to_be_moved(self) -> None:
        manifest = read_manifest({"product": "field-logger", "devices": [{"id": PUMP}]})
        assert keep(manifest, Observed({PUMP: see({"notes": MARK})}, frozenset({"north"}))) == manifest.devices[0]

    def test_nothing_is_kept_in_an_account_or_for_a_removal(self) -> None:
        observed = Observed({}, sources={PUMP: Source(OTHER, see({"name": "pump"}))})
        manifest = declare()
        assert keep(manifest, observed, product=None) == manifest.devices[0]
        assert keep(replace(manifest, absent=True), observed) == manifest.devices[0]


class TestObstacle:
    """A member of a network stays in its product until its network is declared."""

    MEMBER = Source(OTHER, see({}, "north", "mesh-barn"))

    def test_member_is_refused_with_a_remedy(self) -> None:
        error = find_move_obstacle(declare().devices[0], self.MEMBER)
        assert error is not None
        assert error.code == "conflict"
        assert error.message == f"Device {PUMP} is a member of a network in product pump-watch, so it was not moved."
        assert error.hint == "Declare mesh for the device: the network that it joins, or state: absent."

    def test_other_devices_are_moved(self) -> None:
        leaving = declare(mesh={"state": "absent"}).devices[0]
        assert find_move_obstacle(leaving, self.MEMBER) is None
        assert find_move_obstacle(declare().devices[0], Source(OTHER, see({}, "north"))) is None
        assert find_move_obstacle(declare().devices[0], None) is None


class TestPlan:
    """The changes are shown from the values in the other product."""

    def plan(self, device: ObservedDevice, plan: DevicePlan, *, is_marked: bool = False) -> DevicePlan:
        return plan_move(plan, declare().devices[0], Source(OTHER, device, is_marked), OURS.id)

    def test_only_values_that_differ_are_shown_and_all_are_written(self) -> None:
        changes = {"product": (None, "field-logger"), "name": (None, "pump"), "notes": (None, "west")}
        plan = DevicePlan(PUMP, changes, imports=True, fields={"name": "pump", "notes": "west"}, name="well")
        moved = self.plan(see({"name": "pump", "notes": "east"}), plan)
        assert moved.changes == {"product": ("pump-watch", "field-logger"), "notes": ("east", "west")}
        assert (moved.fields, moved.leaves, moved.marked_notes) == (plan.fields, OTHER, None)
        assert (moved.imports, moved.name) == (True, "pump")

    def test_device_without_a_name_is_called_as_declared(self) -> None:
        plan = DevicePlan(PUMP, {"product": (None, "field-logger")}, name="well")
        assert self.plan(see({}), plan).name == "well"

    def test_kept_groups_are_written_into_the_notes(self) -> None:
        changes = {"product": (None, "field-logger"), "groups": ([], ["north", "south", "wells"])}
        add = frozenset({"north", "south", "wells"})
        moved = self.plan(
            see({"notes": "east"}, "north", "south", "mesh-barn"), DevicePlan(PUMP, changes, add_groups=add)
        )
        assert moved.changes["groups"] == (["north", "south"], ["north", "south", "wells"])
        assert (moved.marked_notes, moved.fields) == (f"east\n{MARK}", {"notes": "east"})

    def test_declared_notes_replace_the_mark(self) -> None:
        changes = {"product": (None, "field-logger"), "groups": ([], ["north", "south"])}
        add = frozenset({"north", "south"})
        moved = self.plan(see({}, "north", "south"), DevicePlan(PUMP, changes, fields={"notes": "w"}, add_groups=add))
        assert "groups" not in moved.changes
        assert (moved.marked_notes, moved.fields) == (MARK, {"notes": "w"})

    def test_lost_groups_are_shown(self) -> None:
        moved = self.plan(see({}, "pumps"), DevicePlan(PUMP, {"product": (None, "field-logger")}))
        assert moved.changes["groups"] == (["pumps"], [])
        assert (moved.marked_notes, moved.fields) == (None, {})

    def test_mark_of_an_interrupted_run_is_removed(self) -> None:
        moved = self.plan(see({"notes": "east"}), DevicePlan(PUMP, {"product": (None, "p")}), is_marked=True)
        assert moved.fields == {"notes": "east"}

    @pytest.mark.parametrize(
        ("owner", "claim", "is_shown"),
        [("me", (False, True), False), (None, (False, True), True), ("me", (True, False), True)],
    )
    def test_claim_that_the_device_has_is_not_shown(
        self, owner: str | None, claim: tuple[bool, bool], is_shown: bool
    ) -> None:
        changes = {"product": (None, "p"), "claimed": claim, "environment": ({}, {"A": "1"})}
        moved = self.plan(see({}, owner=owner), DevicePlan(PUMP, changes))
        assert moved.changes.get("claimed") == (claim if is_shown else None)
        assert moved.changes["environment"] == ({}, {"A": "1"})

    @pytest.mark.parametrize("imports", [True, False])
    @pytest.mark.parametrize("from_product", [None, "pump-watch"])
    def test_device_that_left_its_product_is_read_after_its_import(
        self, imports: bool, from_product: str | None
    ) -> None:
        plan = DevicePlan(PUMP, {}, imports=imports)
        planned = plan_move(plan, DeviceRecord(PUMP, from_product=from_product), None, OURS.id)
        assert planned == replace(plan, is_read_after_import=imports and from_product is not None)
