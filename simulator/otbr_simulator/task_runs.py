# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The work of tasks: joining devices, filling the device cache, asking for diagnostics (otbr-rest.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from otbr_simulator.commissioner import TASKS, Joiner
from otbr_simulator.diagnostics import build_report, build_scan_report
from otbr_simulator.task_forms import COUNTER_RESET, DIAGNOSTIC, JOIN, RLOC16, SCAN, UPDATE

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter
    from otbr_simulator.task_list import Task
    from otbr_simulator.world import World

PENDING, ACTIVE, COMPLETED, STOPPED, FAILED = "pending", "active", "completed", "stopped", "failed"
UNDISCOVERED, ATTEMPTED = "undiscovered", "attempted"
MIN_COLLECTION_SECONDS = 10
MAX_COLLECTION_SECONDS = 100
EXTRA_COLLECTION_SECONDS = 0.25
UNSETTLED_SECONDS = 25.0
"""The time after a restart during which the update of the device cache fails and finds only a part of the devices."""
DIAGNOSTIC_SECONDS = 0.1
SCAN_SECONDS = 0.5


def start_task(world: World, router: BorderRouter, task: Task) -> None:
    """Start a task, unless it must wait."""
    _STARTS[task.type](world, router, task)


def end_at_timeout(router: BorderRouter, task: Task) -> None:
    """End a task whose time is over: `failed` during a handshake, else `stopped`."""
    router.tasks.end(task, FAILED if task.status == ATTEMPTED else STOPPED)


def release_commissioner(router: BorderRouter) -> None:
    """Stop a commissioner that tasks have started, when none of them needs it any more."""
    if router.commissioner.owner == TASKS and not has_commissioner_tasks(router):
        router.commissioner.stop()


def has_commissioner_tasks(router: BorderRouter) -> bool:
    """Return whether a running task needs the commissioner."""
    return any(task.joiner is not None or task.type == SCAN for task in router.tasks.running)


# ---------------------------------------------------------------------- joining


def _start_join(world: World, router: BorderRouter, task: Task) -> None:
    """Put a device on the joiner list, if it has room. Nothing tells the client if it has not."""
    attributes = task.attributes
    if attributes["timeout"] == 0:
        router.tasks.end(task, FAILED)
        return
    if "joinerId" in attributes or _is_repeated(router, task):
        return
    task.status = UNDISCOVERED
    joiner = Joiner(
        attributes.get("eui"),
        attributes.get("discerner"),
        attributes["pskd"],
        task.deadline,
        on_attempt=lambda: _set_attempted(task),
        on_end=lambda: router.tasks.end(task, COMPLETED),
    )
    task.joiner = joiner
    if not router.commissioner.start(TASKS) or not router.commissioner.add(joiner):
        task.joiner = None
        release_commissioner(router)


def _set_attempted(task: Task) -> None:
    task.status = ATTEMPTED


def _is_repeated(router: BorderRouter, task: Task) -> bool:
    """Return whether another task for the same device runs. The later one waits for its end."""
    eui = task.attributes.get("eui")
    others = (each for each in router.tasks.running if each is not task and each.type == JOIN)
    return eui is not None and any(each.attributes.get("eui") == eui and each.status != PENDING for each in others)


# ---------------------------------------------------------------------- the device cache


def _start_update(world: World, router: BorderRouter, task: Task) -> None:
    """Collect the devices of the network. The task takes as long as its timeout, however fast the devices answer."""
    others = [each for each in router.tasks.running if each is not task and each.type == UPDATE]
    if not router.is_attached or any(each.status == ACTIVE for each in others):
        return
    task.status = ACTIVE
    seconds = min(task.attributes["timeout"], MAX_COLLECTION_SECONDS)
    if seconds < MIN_COLLECTION_SECONDS:
        return
    task.ends_itself = True
    is_unsettled = router.restarts > 0 and world.now() - router.booted_at < UNSETTLED_SECONDS
    world.plan(seconds + EXTRA_COLLECTION_SECONDS, lambda: _finish_update(router, task, seconds, is_unsettled))


def _finish_update(router: BorderRouter, task: Task, seconds: float, is_unsettled: bool) -> None:
    if task.has_ended:
        return
    if router.partition is None:
        router.tasks.end(task, STOPPED)
        return
    router.devices.collect(seconds, share=0.3 if is_unsettled else 1.0)
    router.tasks.end(task, STOPPED if is_unsettled else COMPLETED)


# ---------------------------------------------------------------------- diagnostics


def _start_diagnostic(world: World, router: BorderRouter, task: Task) -> None:
    """Ask a device. Only extended addresses of the device cache work."""
    attributes = task.attributes
    if attributes.get("destinationType") == "mleid" or RLOC16.fullmatch(attributes["destination"]):
        _plan_result(world, router, task, DIAGNOSTIC_SECONDS, world.make_uuid)
        return
    address = attributes["destination"].lower()
    if not router.is_attached or address not in router.devices.items:
        return
    task.status = ACTIVE
    member = router.devices.find_member(address)
    if member is None:
        return
    seconds = max(DIAGNOSTIC_SECONDS, member.response_seconds)
    if seconds > attributes["timeout"]:
        return
    _plan_result(
        world,
        router,
        task,
        seconds,
        lambda: router.diagnostics.add(
            world.make_uuid(), "networkDiagnostics", build_report(router, member, attributes["types"]), world.now()
        ),
    )


def _start_scan(world: World, router: BorderRouter, task: Task) -> None:
    """Measure the energy of some channels. The scan needs the commissioner."""
    if not router.commissioner.start(TASKS):
        return
    attributes = task.attributes
    channels, count = attributes["channelMask"], attributes["count"]
    _plan_result(
        world,
        router,
        task,
        SCAN_SECONDS + len(channels) * max(0, count) * SCAN_SECONDS,
        lambda: router.diagnostics.add(
            world.make_uuid(), "energyScanReport", build_scan_report(router, channels, count), world.now()
        ),
        kind="energyScanReport",
    )


def _plan_result(
    world: World, router: BorderRouter, task: Task, seconds: float, make: Callable[[], str], kind: str = "diagnostics"
) -> None:
    """Complete a task after some seconds with the result that `make` stores and whose id it returns."""
    task.status = ACTIVE
    task.ends_itself = True

    def complete() -> None:
        if not task.has_ended:
            task.result = (kind, make())
            router.tasks.end(task, COMPLETED)

    world.plan(seconds, complete)


def _start_counter_reset(world: World, router: BorderRouter, task: Task) -> None:
    """Complete at once: the message is sent, and no device confirms it."""
    router.tasks.end(task, COMPLETED)


_STARTS = {
    JOIN: _start_join,
    UPDATE: _start_update,
    DIAGNOSTIC: _start_diagnostic,
    SCAN: _start_scan,
    COUNTER_RESET: _start_counter_reset,
}
