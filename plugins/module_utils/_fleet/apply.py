# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: first the requests for many devices, then the writes of single devices. Private to this collection.

After the failure of one device, the writes of the other devices continue. The run ends early if too many devices fail,
or if every further request would fail in the same way. A device that the run did not reach has no state, and does not
count as failed.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import (
    claim_device,
    unclaim_device,
    update_account_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    build_device_scope,
    edit_variables,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import create_group, list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    change_group_of_devices,
    deny_product_device,
    import_devices,
    remove_product_device,
    unclaim_product_device,
    update_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.batches import (
    MAX_BATCH_ITEMS,
    Batches,
    split_items,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import describe_kept_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.environment.apply import roll_out_variables
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    Failures,
    build_import_error,
    is_in_doubt,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import batch_group_changes, find_stage
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import (
    FIELDS,
    GROUPS,
    IMPORT,
    LEAVING,
    MEMBERSHIP,
    REMOVAL,
    RENAMING,
    VARIABLES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import build_put_body
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    RESERVED_GROUPS,
    MemberPending,
    Writer,
)


def apply_plan(
    target: Target,
    plan: Plan,
    mesh: Writer,
    max_failures: int | None = None,
    report: Report = ignore_progress,
) -> RunState:
    """Carry out every write of a plan. Failures are recorded in the returned state and not raised.

    :param mesh: sends the writes of networks.
    :param max_failures: the maximum number of failed devices. After one more failure, nothing more is sent. ``None``
        means no limit.
    :param report: called at the start, and whenever a device is done or fails.
    :returns: the states of the devices.
    """
    writes = _Writes(target, mesh, max_failures, report)
    changing = writes.set_up(plan)
    writes.leave_other_products(changing)
    writes.import_into_product([device for device in changing if device.imports and not device.claims], None)
    writes.import_into_product([device for device in changing if device.claims], plan.claim_user)
    writes.keep_undeclared_devices(changing)
    writes.keep_replaced_devices(changing)
    writes.create_groups(plan.create_groups, changing)
    writes.change_groups(changing)
    writes.write_devices(changing)
    writes.remove_replaced_devices(changing, {device.key for device in plan.devices if not device.is_changed})
    writes.tear_down(plan)
    return writes.state


class _Writes:
    """An object that sends the writes of one plan. Each public method sends the writes of one step.

    :ivar state: the resulting state of each device.
    """

    def __init__(self, target: Target, mesh: Writer, max_failures: int | None, report: Report) -> None:
        self._target = target
        self._http = target.http
        self._mesh = mesh
        self._report = report
        self._total = 0
        self._lock = threading.Lock()
        self._of_replacements: set[str] = set()
        """Devices that replace another device, or that are replaced. Their steps are recorded."""
        self._dropped: set[str] = set()
        """Devices for which no further write is sent."""
        self.state = RunState()
        self._failures = Failures(self.state, max_failures)
        self._batches = Batches(self._fail_devices, lambda: self.state.stopped is not None, self._note_write)

    def set_up(self, plan: Plan) -> list[DevicePlan]:
        """Create the resources of networks. If a resource cannot be created, the members that need the resource fail.

        :returns: the plans of the devices that change. The plan of a failed member contains no writes for its network.
        """
        changing = [device for device in plan.devices if device.is_changed]
        self._of_replacements = {device.id for device in changing if device.replaces or device.replaced_by}
        self._total = len(changing)
        self._report_progress()
        without = self._set_up_mesh(plan)
        return [_drop_mesh_writes(device) if device.id in without else device for device in changing]

    def _set_up_mesh(self, plan: Plan) -> set[str]:
        """Create the resources of networks. Return the members whose resources could not be created."""
        without, refused = set[str](), set[str]()
        for shared in plan.setup:
            if self.state.stopped is not None or (shared.members and shared.members <= refused):
                continue
            try:
                self._mesh.apply_write(self._target, shared.write)
                self.state.wrote = True
            except ParticleError as error:
                without |= shared.members
                if not shared.members:  # no device can report the error
                    self.state.other_errors.append(error)
                # Only the writes of networks are left out: the other writes of these members are still sent.
                self._note_failure(shared.members, error)
                if error.code != "ambiguous_write":  # after ambiguous_write, the resource may exist
                    refused |= shared.members
        return without

    def tear_down(self, plan: Plan) -> None:
        """Remove the resources of networks that all members have left."""
        for shared in plan.teardown:
            out = {member for member in shared.members if self.state.is_in(member, WriteState.DONE)}
            if out < shared.members:
                # The resource is removed when its last member has left. Until then, the other members are held back.
                self.state.mark_devices(out, WriteState.HELD_BACK)
                continue
            write = functools.partial(self._mesh.apply_write, self._target, shared.write)
            if not self._try_write(sorted(shared.members), write):
                self.state.forget_devices(
                    member for member in shared.members if self.state.is_in(member, WriteState.DONE)
                )

    def leave_other_products(self, devices: Sequence[DevicePlan]) -> None:
        """Remove the devices that are moved from their other products."""

        def leave(device: DevicePlan) -> None:
            if device.leaves is None:
                return
            product, notes = device.leaves.id, device.marked_notes
            is_marked = notes is None or self._try_write(
                [device.id], lambda: update_product_device(self._http, product, device.id, {"notes": notes})
            )
            if is_marked:
                self._try_write([device.id], lambda: remove_product_device(self._http, product, device.id))

        map_in_parallel(leave, [device for device in devices if device.leaves is not None], self._http.workers)

    def import_into_product(self, devices: Sequence[DevicePlan], claim_user: str | None) -> None:
        """Import devices into the product.

        A device that is already in the product but must be claimed is imported again, because an import claims devices.

        :param claim_user: the username for which the devices are claimed; ``None`` to claim no device.
        """
        if self._target.product is None:
            return
        keys_of = {device.id: device.key for device in self._list_remaining(devices)}
        called = {key.lower(): device for device, key in keys_of.items()}

        def send(chunk: Sequence[str]) -> bool:
            # An import accepts either device ids or identifiers on labels.
            keys = [keys_of[device] for device in chunk]
            left_out = import_devices(self._http, self._target.required_product.id, keys, claim_user)
            self._note_step([device for device in chunk if keys_of[device] not in left_out], IMPORT)
            for key, reason in left_out.items():
                self._fail_devices(
                    [called.get(key.lower(), key)], build_import_error(key, reason, self._target.required_product)
                )
            return len(left_out) < len(keys)

        for chunk in split_items(list(keys_of)):
            self._batches.send(send, chunk)

    def create_groups(self, groups: Sequence[str], devices: Sequence[DevicePlan]) -> None:
        """Create the device groups. If a group cannot be created, each device that needs this group fails."""
        members: dict[str, list[str]] = {}
        for device in self._list_remaining(devices):
            for group in device.add_groups:
                members.setdefault(group, []).append(device.id)

        def create(group: str) -> None:
            self._try_write(members[group], lambda: self._create_group(group))

        map_in_parallel(create, [group for group in groups if group in members], self._http.workers)

    def _create_group(self, group: str) -> None:
        try:
            create_group(self._http, self._target.required_product.id, group)
        except ParticleError as error:
            if not may_exist_already(error) or group not in list_groups(self._http, self._target.required_product.id):
                raise

    def change_groups(self, devices: Sequence[DevicePlan]) -> None:
        """Change the device groups of devices in stages, so that gateways join before nodes and leave after nodes.

        The requests for one group are sent one after the other.
        """
        waiting = {device.id: device for device in self._list_remaining(devices)}
        stages: dict[int, dict[tuple[str, str], list[tuple[str, ...]]]] = {}
        for change, group, chunk in batch_group_changes(waiting.values(), MAX_BATCH_ITEMS):
            stages.setdefault(find_stage(change, group), {}).setdefault((change, group), []).append(chunk)

        def select_coming(devices: Sequence[str]) -> list[str]:
            lost = self._find_lost(devices, waiting)
            return [device for device in devices if device not in self._dropped and device not in lost]

        def change_group(call: tuple[tuple[str, str], list[tuple[str, ...]]]) -> None:
            (change, group), parts = call
            for part in parts:
                self._batches.send(functools.partial(self._send_groups, change, group), part, select_coming)

        for _unused, calls in sorted(stages.items()):
            map_in_parallel(change_group, calls.items(), self._http.workers)

    def _send_groups(self, change: str, group: str, devices: Sequence[str]) -> bool:
        change_group_of_devices(self._http, self._target.required_product.id, group, change, devices)
        self._note_step(devices, GROUPS)
        return True

    def _find_lost(self, devices: Iterable[str], plans: Mapping[str, DevicePlan]) -> set[str]:
        """Return the lost devices: devices that cannot change their network because other devices have failed.

        :attr:`MemberPlan.needs` of a device contains sets of other devices. The device is lost if, in one of these
        sets, every device has failed or is lost.

        :param plans: the plan of each device that had not failed before the device groups were changed, keyed by
            device.
        """
        known: dict[str, bool] = {}

        def is_coming(device: str) -> bool:
            if device not in known:
                plan = plans.get(device)
                known[device] = plan is not None and device not in self._dropped and not is_lost(plan)
            return known[device]

        def is_lost(plan: DevicePlan) -> bool:
            return plan.mesh is not None and not all(any(map(is_coming, need)) for need in plan.mesh.needs)

        return {device for device in devices if is_lost(plans[device])}

    def write_devices(self, devices: Sequence[DevicePlan]) -> None:
        """Send the writes of single devices.

        Undeclared devices of an account come last, because failed claims decide whether these devices are kept.
        """
        if self._target.product is not None:
            staying = [device for device in devices if device.replaced_by is None]
            freeing = [replace(device, removes=False, unclaims=False) for device in devices if _frees_place(device)]
            self._write_in_stages([*staying, *freeing])
            return
        self._write_in_stages([device for device in devices if not device.is_undeclared])
        self.keep_undeclared_devices(devices)
        self._write_in_stages([device for device in devices if device.is_undeclared])

    def keep_replaced_devices(self, devices: Sequence[DevicePlan]) -> None:
        """Do not remove replaced devices if the devices that replace them could not be imported."""
        failed = self.state.find_errors()
        refused = {
            device.key for device in devices if (error := failed.get(device.id)) is not None and not is_in_doubt(error)
        }
        kept = {device.id for device in devices if device.replaced_by in refused}
        self._dropped |= kept
        self.state.kept |= kept

    def remove_replaced_devices(self, devices: Sequence[DevicePlan], unchanged: Set[str]) -> None:
        """Remove each replaced device from its network and the product, after another device has taken its place.

        :param unchanged: the keys of the devices that need no writes.
        """
        done = {device.key for device in devices if self.state.is_in(device.id, WriteState.DONE)}
        planned = {device.key for device in devices} | unchanged
        removals = []
        for device in self._list_remaining(device for device in devices if device.replaced_by is not None):
            if _frees_place(device):
                has_left = self.state.is_in(device.id, WriteState.DONE)
                self.state.forget_device(device.id)
                device = replace(device, mesh=None if has_left else device.mesh)
            if self.state.stopped is not None:
                continue
            if device.replaced_by in done | unchanged:
                removals.append(device)
            elif device.replaced_by in planned:
                self.state.mark_device(device.id, WriteState.HELD_BACK)
            else:  # the product refuses the device that replaces it
                self.state.kept.add(device.id)
        # A replaced node may know only a gateway that is replaced, too.
        self._write_in_stages([device for device in removals if not _is_gateway(device)])
        self._write_in_stages([device for device in removals if _is_gateway(device)])

    def _write_in_stages(self, devices: Sequence[DevicePlan]) -> None:
        """Send the writes of single devices. The devices of one stage are written in parallel."""
        stages: dict[int, list[DevicePlan]] = {}
        for device in self._list_remaining(devices):
            stages.setdefault(device.mesh.stage if device.mesh else 0, []).append(device)
        for _unused, side_by_side in sorted(stages.items()):
            map_in_parallel(self._write_device, side_by_side, self._http.workers)

    def keep_undeclared_devices(self, devices: Sequence[DevicePlan]) -> None:
        """Do not remove undeclared devices if a device could not be imported or claimed.

        The identifier of the failed device may be wrong, and the declared device may be one of the undeclared devices.
        """
        removals = {device.id for device in devices if device.is_undeclared} - self._dropped
        coming = {device.id: device.key for device in devices if device.imports or device.claims}
        failed = coming.keys() & self.state.find_devices(WriteState.FAILED)
        if removals and failed:
            self._dropped |= removals
            self.state.kept |= removals
            self._target.warn(describe_kept_devices(removals, [coming[device] for device in failed]))

    def _write_device(self, device: DevicePlan) -> None:
        needs = device.mesh.needs if device.mesh else ()
        held = any(not any(self.state.is_in(other, WriteState.DONE) for other in need) for need in needs)
        if held and device.replaced_by is not None:
            with self._lock:
                self.state.mark_device(device.id, WriteState.HELD_BACK)
            return
        writes = self._list_writes(_drop_mesh_writes(device) if held else device)
        written = all(self._try_step(device, step, write) for step, write in writes)
        if written and not self.state.stopped and not self.state.is_in(device.id, WriteState.FAILED):
            with self._lock:
                self.state.mark_device(device.id, WriteState.HELD_BACK if held else WriteState.DONE)
                self._report_progress()

    def _try_step(self, device: DevicePlan, step: str, write: Callable[[], None]) -> bool:
        """Send a write of one device, and record its step if it succeeded. Return whether the write succeeded."""
        written = self._try_write([device.id], write)
        if written:
            self._note_step([device.id], step)
        return written

    def _note_step(self, devices: Iterable[str], step: str) -> None:
        """Record a step of replacements that is done. Other devices are ignored."""
        for device in self._of_replacements.intersection(devices):
            self.state.done_steps.setdefault(device, set()).add(step)

    def _list_writes(self, device: DevicePlan) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield the writes of a device in order, each with the name of its step in a replacement.

        The caller must stop when a write fails.
        """
        at_home = self._target.product is None
        if device.claims and at_home:
            yield "", lambda: claim_device(self._http, device.id)
        body = build_put_body(device.fields)
        if device.replaces is not None and device.replaces.new_name is not None:
            renamed = {"name": device.replaces.new_name}
            yield RENAMING, functools.partial(self._update_device, device.replaces.id, renamed)
        if body and not at_home:
            yield FIELDS, functools.partial(self._update_device, device.id, body)
        for name, value in body.items() if at_home else ():
            yield FIELDS, functools.partial(update_account_device, self._http, device.id, name, value)
        for mesh_write in device.mesh.writes if device.mesh is not None else ():
            step = LEAVING if device.replaced_by is not None else MEMBERSHIP
            yield step, functools.partial(self._mesh.apply_write, self._target, mesh_write)
        if device.edits:
            yield "", functools.partial(edit_variables, self._http, build_device_scope(device.id), device.edits)
        if device.edits is not None:
            yield VARIABLES, functools.partial(roll_out_variables, self._http, device.id)
        if device.unclaims and at_home:
            yield "", lambda: unclaim_device(self._http, device.id)
        elif device.unclaims:
            yield "", lambda: unclaim_product_device(self._http, self._target.required_product.id, device.id)
        if device.denies:
            yield "", lambda: deny_product_device(self._http, self._target.required_product.id, device.id)
        if device.removes:
            yield REMOVAL, lambda: remove_product_device(self._http, self._target.required_product.id, device.id)

    def _update_device(self, device: str, body: Mapping[str, Any]) -> None:
        update_product_device(self._http, self._target.required_product.id, device, body)

    def _list_remaining(self, devices: Iterable[DevicePlan]) -> list[DevicePlan]:
        return [device for device in devices if device.id not in self._dropped]

    def _try_write(self, devices: Sequence[str], write: Callable[[], None]) -> bool:
        """Send a write, and return whether the write succeeded. If the write fails, mark ``devices`` as failed.

        Nothing is sent if the run has ended early.
        """
        if self.state.stopped is not None:
            return False
        try:
            write()
        except MemberPending as error:
            with self._lock:
                for device in devices:
                    self.state.mark_device(device, WriteState.WAITING, error)
            return False
        except ParticleError as error:
            self._fail_devices(devices, error)
            return False
        self._note_write()
        return True

    def _note_write(self) -> None:
        self.state.wrote = True

    def _fail_devices(self, devices: Sequence[str], error: ParticleError) -> None:
        """If the error does not end the run, mark devices as failed and send no further writes for these devices."""
        if self._note_failure(devices, error):
            self._dropped.update(devices)

    def _note_failure(self, devices: Iterable[str], error: ParticleError) -> bool:
        """If the error does not end the run, mark devices as failed. Return whether the devices were marked."""
        with self._lock:
            noted = self._failures.note_failure(devices, error)
            if noted:
                self._report_progress()
        return noted

    def _report_progress(self) -> None:
        self._report(self.state.count_devices(WriteState.DONE), self._failures.count, self._total)


def _frees_place(device: DevicePlan) -> bool:
    """Return whether a replaced device must leave its network before the other device can join."""
    return device.replaced_by is not None and device.mesh is not None and device.mesh.frees_place


def _is_gateway(device: DevicePlan) -> bool:
    """Return whether a device leaves a network in which it is a gateway."""
    before = device.mesh.before if device.mesh is not None else None
    return before is not None and before.role == GATEWAY


def _drop_mesh_writes(device: DevicePlan) -> DevicePlan:
    """Return a copy of the plan of a device, without the writes for its network."""
    return replace(
        device,
        mesh=None,
        add_groups=frozenset(group for group in device.add_groups if not group.startswith(RESERVED_GROUPS)),
        remove_groups=frozenset(group for group in device.remove_groups if not group.startswith(RESERVED_GROUPS)),
    )
