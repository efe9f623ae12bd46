# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries a plan out: batches first, then the devices side by side. Private to this collection.

One device's failure is its own. Only what would fail for all the others too ends the run, and then every device
that was not finished is told apart from those that failed.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import (
    claim_device,
    unclaim_device,
    update_account_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import create_group, list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    change_group_of_devices,
    import_devices,
    remove_product_device,
    unclaim_product_device,
    update_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    ends_the_run,
    import_error,
    is_likely_done,
    may_concern_some_devices,
    too_many,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    Change,
    DevicePlan,
    Plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import batches, turn_of
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, no_report
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import for_cloud
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    RESERVED_GROUPS,
    Writer,
)

CHUNK = 1_000
"""Devices in one import or batch. The cloud's own maximum is not documented: chunks it refuses are halved."""


@dataclass
class Applied:
    """What became of a plan.

    :param done: devices all of whose writes were done; ``errors``: those that failed, with the reason;
        ``waiting``: those that the cloud lets nobody write yet, with the reason.
    :param besides: failures that are those of no device.
    :param held: devices that did not go into their network, because nobody did who had to be there before them, or
        are not wholly out of one, because others are not.
    :param wrote: whether any write was done, be it for a device that failed later.
    :param stopped: what ended the run early, if anything did.
    :param found: changes that only a later look has shown, by what the manifest calls the device; ``unneeded``:
        devices that a later look has shown to be as declared already.
    """

    done: set[str] = field(default_factory=set)
    errors: dict[str, ParticleError] = field(default_factory=dict)
    waiting: dict[str, ParticleError] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    besides: list[ParticleError] = field(default_factory=list)
    wrote: bool = False
    stopped: ParticleError | None = None
    found: dict[str, dict[str, Change]] = field(default_factory=dict)
    unneeded: set[str] = field(default_factory=set)

    def find(self, plan: Plan) -> None:
        """Note the changes of a later plan, which saw what the first one could not see."""
        for device in plan.devices:
            self.found.setdefault(device.key, {}).update(device.changes)

    def add(self, later: Applied) -> None:
        """Add what became of another plan, for other devices or for what was left of these."""
        self.done |= later.done
        self.errors.update(later.errors)
        self.waiting.update(later.waiting)
        self.held = (self.held | later.held) - self.done
        self.besides += later.besides
        self.wrote |= later.wrote
        self.stopped = self.stopped or later.stopped


def apply_plan(
    target: Target,
    plan: Plan,
    mesh: Writer,
    max_failures: int | None = None,
    report: Report = no_report,
) -> Applied:
    """Carry out every write of ``plan``. Raises nothing of its own: failures stand in what it gives back.

    :param mesh: carries out the writes of networks.
    :param max_failures: how many devices may fail before no more is begun; ``None``: all of them.
    :param report: told at the start, and whenever a device is done or fails.
    """
    run = _Run(target, mesh, max_failures, report)
    changing = run.set_up(plan)
    run.import_into_product([device for device in changing if device.imports and not device.claims], None)
    run.import_into_product([device for device in changing if device.claims], plan.claim_user)
    run.create_groups(plan.create_groups, changing)
    run.change_groups(changing)
    run.write_devices(changing)
    run.tear_down(plan)
    return run.applied


class _Run:
    def __init__(self, target: Target, mesh: Writer, max_failures: int | None, report: Report) -> None:
        self._target = target
        self._http = target.http
        self._max_failures = max_failures
        self._report = report
        self._total = 0
        self._failures = 0
        self._mesh = mesh
        self._lock = threading.Lock()
        self._left: set[str] = set()
        """Devices that no further write is sent for."""
        self.applied = Applied()

    # --- phases ---

    def set_up(self, plan: Plan) -> list[DevicePlan]:
        """Ledgers, which members stand on: who needs one that fails, fails with it.

        :returns: the devices that change, with what can still be written for them.
        """
        changing = [device for device in plan.devices if device.changed]
        self._total = len(changing)
        self._tell()
        without = self._set_up_mesh(plan)
        return [_outside_mesh(device) if device.id in without else device for device in changing]

    def _set_up_mesh(self, plan: Plan) -> set[str]:
        """The members of what could not be had; each of them fails, also who was fine until now."""
        without, refused = set[str](), set[str]()
        for shared in plan.setup:
            if self.applied.stopped is not None or (shared.members and shared.members <= refused):
                continue
            try:
                self._mesh.apply(self._target, shared.write)
                self.applied.wrote = True
            except ParticleError as error:
                without |= shared.members
                if not shared.members:  # unless it ends the run, nobody else would tell of it
                    self.applied.besides.append(error)
                # Not left: what they need besides the mesh is written all the same.
                self._fail(shared.members, error, leave=False)
                if error.code != "ambiguous_write":  # what is in doubt may be there, and the next one is needed too
                    refused |= shared.members
        return without

    def tear_down(self, plan: Plan) -> None:
        """What is left of networks that are dissolved, once all their members are out."""
        for shared in plan.teardown:
            if not shared.members <= self.applied.done:
                # Those that are out wait for the others: their group goes with the last of them.
                self.applied.held |= shared.members & self.applied.done
                self.applied.done -= shared.members
                continue
            write = functools.partial(self._mesh.apply, self._target, shared.write)
            if not self._try(sorted(shared.members), write):
                self.applied.done -= shared.members

    def import_into_product(self, devices: Sequence[DevicePlan], claim_user: str | None) -> None:
        """Import; whoever is in the product already and is to be claimed is imported once more, for the claim."""
        if self._target.product is None:
            return
        keys_of = {device.id: device.key for device in devices}
        called = {key.lower(): device for device, key in keys_of.items()}

        def send(chunk: Sequence[str]) -> bool:
            # Only these need no id: what stands on a label is taken as it is.
            keys = [keys_of[device] for device in chunk]
            left_out = import_devices(self._http, self._target.in_product.id, keys, claim_user)
            for key, fate in left_out.items():
                self._fail([called.get(key.lower(), key)], import_error(key, fate, self._target.in_product))
            return len(left_out) < len(keys)

        ids = list(keys_of)
        for start in range(0, len(ids), CHUNK):
            self._halving(send, ids[start : start + CHUNK])

    def create_groups(self, groups: Sequence[str], devices: Sequence[DevicePlan]) -> None:
        """Those that a device which has come asks for; who needs one that fails, fails with it."""
        members: dict[str, list[str]] = {}
        for device in self._alive(devices):
            for group in device.add_groups:
                members.setdefault(group, []).append(device.id)

        def create(group: str) -> None:
            self._try(members[group], lambda: self._create_group(group))

        in_parallel(create, [group for group in groups if group in members], self._http.workers)

    def _create_group(self, group: str) -> None:
        try:
            create_group(self._http, self._target.in_product.id, group)
        except ParticleError as error:
            # Another run beside this one may have been faster (endpoints.yml: group_create, errors).
            if error.status not in (400, 409) or group not in list_groups(self._http, self._target.in_product.id):
                raise

    def change_groups(self, devices: Sequence[DevicePlan]) -> None:
        """Turn after turn, and the calls for one group one after the other: who serves others comes before them."""
        waiting = {device.id: device for device in self._alive(devices)}
        turns: dict[int, dict[tuple[str, str], list[tuple[str, ...]]]] = {}
        for change, group, chunk in batches(waiting.values(), CHUNK):
            turns.setdefault(turn_of(change, group), {}).setdefault((change, group), []).append(chunk)

        def coming(devices: Sequence[str]) -> list[str]:
            lost = self._lost(devices, waiting)
            return [device for device in devices if device not in self._left and device not in lost]

        def change_group(call: tuple[tuple[str, str], list[tuple[str, ...]]]) -> None:
            (change, group), chunks = call
            for chunk in chunks:
                self._halving(functools.partial(self._send_groups, change, group), chunk, coming)

        for _unused, calls in sorted(turns.items()):
            in_parallel(change_group, calls.items(), self._http.workers)

    def _send_groups(self, change: str, group: str, devices: Sequence[str]) -> bool:
        change_group_of_devices(self._http, self._target.in_product.id, group, change, devices)
        return True

    def _lost(self, devices: Iterable[str], plans: Mapping[str, DevicePlan]) -> set[str]:
        """Those of ``devices`` before whom somebody has to be there who will not come: failed, or lost in turn."""
        known: dict[str, bool] = {}

        def comes(device: str) -> bool:
            if device not in known:
                plan = plans.get(device)
                known[device] = plan is not None and device not in self._left and not is_lost(plan)
            return known[device]

        def is_lost(plan: DevicePlan) -> bool:
            return plan.mesh is not None and not all(any(map(comes, need)) for need in plan.mesh.needs)

        return {device for device in devices if is_lost(plans[device])}

    def write_devices(self, devices: Sequence[DevicePlan]) -> None:
        stages: dict[int, list[DevicePlan]] = {}
        for device in self._alive(devices):
            stages.setdefault(device.mesh.stage if device.mesh else 0, []).append(device)
        for _unused, side_by_side in sorted(stages.items()):
            in_parallel(self._write_device, side_by_side, self._http.workers)

    def _write_device(self, device: DevicePlan) -> None:
        needs = device.mesh.needs if device.mesh else ()
        held = any(not need & self.applied.done for need in needs)
        writes = self._writes_of(_outside_mesh(device) if held else device)
        written = all(self._try([device.id], write) for write in writes)
        if written and not self.applied.stopped and device.id not in self.applied.errors:
            with self._lock:
                (self.applied.held if held else self.applied.done).add(device.id)
                self._tell()

    def _writes_of(self, device: DevicePlan) -> Iterator[Callable[[], None]]:
        """The device's own writes, in their order; each stands on the one before it."""
        at_home = self._target.product is None
        if device.claims and at_home:
            yield lambda: claim_device(self._http, device.id)
        body = for_cloud(device.fields)
        if body and not at_home:
            yield lambda: update_product_device(self._http, self._target.in_product.id, device.id, body)
        for name, value in body.items() if at_home else ():
            yield functools.partial(update_account_device, self._http, device.id, name, value)
        for mesh_write in device.mesh.writes if device.mesh is not None else ():
            yield functools.partial(self._mesh.apply, self._target, mesh_write)
        if device.unclaims and at_home:
            yield lambda: unclaim_device(self._http, device.id)
        elif device.unclaims:
            yield lambda: unclaim_product_device(self._http, self._target.in_product.id, device.id)
        if device.removes:
            yield lambda: remove_product_device(self._http, self._target.in_product.id, device.id)

    # --- how each of them fails ---

    def _alive(self, devices: Iterable[DevicePlan]) -> list[DevicePlan]:
        return [device for device in devices if device.id not in self._left]

    def _halving(
        self,
        send: Callable[[Sequence[str]], bool],
        devices: Sequence[str],
        coming: Callable[[Sequence[str]], Sequence[str]] = list,
    ) -> None:
        """Send for all ``devices``; when that is refused, for each half, down to those that are at fault.

        ``send`` tells whether it has changed anything: what is taken may come back with each device left out.
        ``coming`` gives those of a part that can still be sent: the one before it may have held who they need.
        While nothing at all is taken, the fault may be that of no device. The way down to one of them and on to its
        neighbours is about log2 refusals long; after twice as many all devices fail.
        """
        waiting, refusals, taken = [devices], list[ParticleError](), False
        while waiting and self.applied.stopped is None:
            part = coming(waiting.pop())
            if not part:
                continue
            try:
                changed = send(part)
                taken = True
                if changed:
                    self.applied.wrote = True
            except ParticleError as error:
                refusals.append(error)
                if not taken and len(refusals) >= 2 * math.log2(len(devices)) + 4:
                    self._fail(coming(devices), refusals[0])
                    return
                if len(part) > 1 and may_concern_some_devices(error):
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                else:
                    self._fail(part, error)

    def _try(self, devices: Sequence[str], write: Callable[[], None]) -> bool:
        """Whether ``write`` was done; when it fails, ``devices`` fail with it."""
        if self.applied.stopped is not None:
            return False
        try:
            write()
        except ParticleError as error:
            self._fail(devices, error)
            return False
        self.applied.wrote = True
        return True

    def _fail(self, devices: Iterable[str], error: ParticleError, *, leave: bool = True) -> None:
        """Note that ``devices`` fail with ``error``, and with ``leave`` send nothing more for them."""
        with self._lock:
            if ends_the_run(error):
                # These devices are as good as all the others that were not reached.
                self.applied.stopped = self.applied.stopped or error
                return
            for device in devices:
                if device not in self.applied.errors:
                    self.applied.errors[device] = error
                    self._failures += not is_likely_done(error)
                if leave:
                    self._left.add(device)
            if self._max_failures is not None and self._failures > self._max_failures:
                first = next(known for known in self.applied.errors.values() if not is_likely_done(known))
                self.applied.stopped = self.applied.stopped or too_many(self._failures, first)
            self._tell()

    def _tell(self) -> None:
        self._report(len(self.applied.done), self._failures, self._total)


def _outside_mesh(device: DevicePlan) -> DevicePlan:
    """What can be written for a device while its network cannot be had."""
    return replace(
        device,
        mesh=None,
        add_groups=frozenset(group for group in device.add_groups if not group.startswith(RESERVED_GROUPS)),
        remove_groups=frozenset(group for group in device.remove_groups if not group.startswith(RESERVED_GROUPS)),
    )
