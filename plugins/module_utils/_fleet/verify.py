# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a run: observe the written devices again, and wait until members have joined. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import (
    ParticleError,
    build_difference_error,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import shorten
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.planning import plan_again
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import JOINED, WRONG_NETWORK

_POLL_SECONDS = 5.0
_MAX_VALUE_LENGTH = 300
"""The maximum number of characters of a value in a message, so that the difference between long values shows."""


@dataclass(frozen=True)
class Verification:
    """The settings of the verification that follows the writes.

    :param verify: ``none``; ``read`` to observe the written devices again; or ``online`` to observe the written devices
        again and then wait until members have joined their networks.
    :param timeout: how long to wait for members to join, in seconds.
    :param strict: whether a member that has not joined after ``timeout`` counts as failed.
    :param clock: returns a monotonic time in seconds.
    :param sleep: waits for a number of seconds.
    """

    verify: str = "read"
    timeout: float = 300.0
    strict: bool = False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def verify_run(run: Run, plan: Plan, verification: Verification, *, check_mode: bool) -> dict[str, str] | None:
    """Verify a run, unless the run ended early. Failures are recorded in the state of the run and not raised.

    In check mode, the states of members are read once, and only if the plan has no changes.

    :returns: the state of each member in its network. The mapping is empty if the run ended before the states were
        read. The result is ``None`` if ``verification`` or check mode requires that no states are read.
    """
    asks_members = verification.verify == "online" and not (check_mode and plan.is_changed)
    timeout = 0.0 if check_mode else verification.timeout
    states: dict[str, str] = {}
    try:
        if run.state.stopped is None and verification.verify != "none":
            read_back_devices(run)
        if run.state.stopped is None and asks_members:
            states = wait_until_joined(run, timeout, verification.clock, verification.sleep)
    except ParticleError as error:
        run.state.stopped = error
    if verification.strict:
        known = run.state.find_errors(WriteState.WAITING)
        for device, reason in _find_unjoined(states, run.manifest).items():
            run.state.mark_device(device, WriteState.FAILED, known.get(device, reason))
    return states if asks_members else None


def read_back_devices(run: Run) -> None:
    """Observe the written devices again, and mark each device that still differs from the manifest as failed."""
    done = run.state.find_devices(WriteState.DONE)
    if not done:
        return
    plan = plan_again(run, done)
    for device in plan.devices:
        if _has_differences(device):
            run.state.mark_device(device.id, WriteState.FAILED, _build_difference_error(device))
    run.note_refusals(plan)


def _has_differences(device: DevicePlan) -> bool:
    """Return whether a device that has been written still differs from its declaration."""
    # A device may have left its network so quickly that a next run could already complete its departure.
    completed = device.mesh.changes.keys() if device.mesh is not None and device.mesh.completes_earlier_run else set()
    return bool(device.changes.keys() - completed)


def wait_until_joined(
    run: Run, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> dict[str, str]:
    """Read the states of members repeatedly until all members have joined or the timeout has passed.

    Members in state :attr:`WriteState.FAILED` or :attr:`WriteState.HELD_BACK` are left out. The wait is not for members
    in state :attr:`WriteState.WAITING`: their backend has already waited.

    :returns: the last state of each member, keyed by device. The mapping is empty if the manifest removes devices.
    """
    left_out = run.state.find_devices(WriteState.FAILED) | run.state.find_devices(WriteState.HELD_BACK)
    wanted = {
        record.id: record.mesh
        for record in run.manifest.devices
        if record.mesh is not None and record.id not in left_out
    }
    if not wanted or run.manifest.absent:
        return {}
    waiting = run.state.find_devices(WriteState.WAITING)
    end = clock() + timeout
    while True:
        states = run.mesh.verify(run.target, run.manifest.networks, wanted)
        left = end - clock()
        if left <= 0 or all(state == JOINED or device in waiting for device, state in states.items()):
            return states
        sleep(min(_POLL_SECONDS, left))


def _find_unjoined(states: Mapping[str, str], manifest: Manifest) -> dict[str, ParticleError]:
    """Return an error, keyed by device, for each member that has not joined in time."""
    errors = {}
    for record in manifest.devices:
        state = states.get(record.id, JOINED)
        if state == JOINED or record.mesh is None:
            continue
        where = "in another network" if state == WRONG_NETWORK else state
        message = f"Device {record.key} has not joined network {record.mesh.network} in time: it is {where}."
        errors[record.id] = ParticleError("conflict" if state == WRONG_NETWORK else "device_offline", message)
    return errors


def _build_difference_error(device: DevicePlan) -> ParticleError:
    differences = ", ".join(
        f"{name} is {_show(shown)} instead of {_show(wanted)}" for name, (shown, wanted) in device.changes.items()
    )
    return build_difference_error(f"device {device.key}", differences, or_else="declare the value that the cloud shows")


def _show(value: object) -> str:
    """Return a value for a message. A plan never contains join keys, so the value is not secret."""
    return shorten(repr(value), _MAX_VALUE_LENGTH)
