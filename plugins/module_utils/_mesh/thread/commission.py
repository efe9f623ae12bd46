# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let devices join a Thread network through one border router. Private to this collection.

A border router has room for about four joiners. It accepts further joiners without an error, but ignores them. The
state ``completed`` of a task does not prove that its device has joined (otbr-rest.md, section 4.2). Therefore, each
task is checked against the list of joiners, and only the list of members proves that a device has joined.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import MemberPending
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import LOST_CODES, BorderRouter
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import Joiner
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.responses import Task

JOINER_TASK = "addThreadDeviceTask"

MAX_JOINERS = 4
"""Maximum number of devices that join at the same time. The list of joiners can have less room."""

_LISTED_SECONDS = 2.0
"""Number of seconds in which a border router adds a device to its list of joiners while other devices join."""
_FIRST_LISTED_SECONDS = 20.0
"""Number of seconds in which it adds the first device: it checks its tasks after up to 10 seconds (otbr-rest.md,
section 4.1), and must first become the commissioner of the network.
"""
_MARGIN_SECONDS = 15
"""Number of seconds that a task may take beyond its timeout, because the border router checks its tasks only at
intervals.
"""
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0


class Attempt(enum.Enum):
    """The state of the attempt of a device to join. Each value completes "The device …"."""

    FINISHED = "has finished its attempt"
    """The device has exchanged messages with the border router. It may have joined, or may have another key."""
    UNSEEN = "was not seen"
    NOT_LISTED = "was not listed by the border router"
    LOST = "was forgotten by the border router"
    """The task is gone, for example because the border router has restarted."""
    NOT_STARTED = "was not started"


@dataclass
class _Running:
    """A joiner task that runs.

    :ivar has_tried: whether the device was seen.
    """

    joiner: Joiner
    task: str
    end: float
    has_tried: bool = False


class Commissioner:
    """A commissioner that lets devices join through one border router.

    :param joiner_timeout: how long to wait for one device, in seconds.
    :param time_limit: how long to wait for all devices together, in seconds from now on.
    """

    def __init__(self, router: BorderRouter, joiner_timeout: float, time_limit: float) -> None:
        self._router = router
        self._joiner_timeout = joiner_timeout
        self._end = router.now() + time_limit
        self._places = MAX_JOINERS
        self._running: dict[str, _Running] = {}
        self._attempts: dict[str, Attempt] = {}

    def commission(self, joiners: Sequence[Joiner]) -> Mapping[str, Attempt]:
        """Let devices join. The number of simultaneous attempts is limited by the room in the border router.

        Every started task is deleted, even after an error, because it shows the key of its device. If the border router
        stops answering, the devices that have not finished their attempt count as forgotten.

        :returns: the state of the attempt of each device, keyed by EUI-64.
        """
        self._attempts = {joiner.eui64: Attempt.NOT_STARTED for joiner in joiners}
        waiting = deque(joiners)
        try:
            self._commission_all(waiting)
        except ParticleError as error:
            if error.code not in LOST_CODES:
                raise
            for eui64 in (*self._running, *(joiner.eui64 for joiner in waiting)):
                self._attempts[eui64] = Attempt.LOST
        finally:
            self._delete_running()
        return self._attempts

    def _commission_all(self, waiting: deque[Joiner]) -> None:
        pause = _PAUSE_SECONDS
        while self._running or (waiting and self._router.now() < self._end):
            while waiting and len(self._running) < self._places and self._router.now() < self._end:
                joiner = waiting[0]
                is_listed = self._start(joiner)
                waiting.popleft()
                if not is_listed:
                    self._keep_waiting(waiting, joiner)
            before = self._describe_running()
            self._check_tasks()
            is_moving = before != self._describe_running()
            pause = _PAUSE_SECONDS if is_moving else min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            if self._running and not is_moving:
                self._router.pause(pause)

    def _describe_running(self) -> dict[str, bool]:
        return {eui64: running.has_tried for eui64, running in self._running.items()}

    def _keep_waiting(self, waiting: deque[Joiner], joiner: Joiner) -> None:
        """Let a device wait for a place, unless no other running device could free one."""
        self._places = max(1, len(self._running))
        if self._running:
            waiting.appendleft(joiner)
        else:
            self._attempts[joiner.eui64] = Attempt.NOT_LISTED

    def _start(self, joiner: Joiner) -> bool:
        """Start the task of a device. Return whether the border router has added the device to its joiners."""
        attributes = {"eui": joiner.eui64, "pskd": joiner.pskd, "timeout": int(self._joiner_timeout)}
        try:
            (task,) = self._router.post_tasks(JOINER_TASK, [attributes], "let a device join")
        except ParticleError as error:
            if error.code != "ambiguous_write":
                raise
            found = find_joiner_tasks(self._router.list_tasks().values(), {joiner.eui64})
            if not found:  # the request did not arrive
                raise
            task = found[0]
        end = self._router.now() + self._joiner_timeout + _MARGIN_SECONDS
        running = _Running(joiner, task.id, end)
        self._running[joiner.eui64] = running
        is_first = len(self._running) == 1
        seconds = _FIRST_LISTED_SECONDS if is_first else _LISTED_SECONDS
        if self._router.wait_until(lambda: self._is_listed(running), seconds):
            return True
        self._stop(running)
        return False

    def _is_listed(self, running: _Running) -> bool:
        """Return whether the border router waits for a device, or has already exchanged messages with it."""
        if running.joiner.eui64 in self._router.list_joiners():
            return True
        task = self._router.list_tasks().get(running.task)
        # A task that has already ended was listed: a device that is awake joins within seconds.
        return task is None or task.status in ("attempted", "completed")

    def _check_tasks(self) -> None:
        """Read all tasks once, and stop the running tasks that have ended."""
        if not self._running:
            return
        tasks = self._router.list_tasks()
        for running in list(self._running.values()):
            task = tasks.get(running.task)
            if task is None:
                self._running.pop(running.joiner.eui64)
                self._attempts[running.joiner.eui64] = Attempt.LOST
                continue
            running.has_tried |= task.status in ("attempted", "completed", "failed")
            if task.has_ended or self._router.now() > running.end:
                self._attempts[running.joiner.eui64] = Attempt.FINISHED if running.has_tried else Attempt.UNSEEN
                self._stop(running)

    def _stop(self, running: _Running) -> None:
        self._router.delete_task(running.task)
        self._running.pop(running.joiner.eui64, None)

    def _delete_running(self) -> None:
        for running in list(self._running.values()):
            try:
                self._stop(running)
            except ParticleError:  # the error that ended the commissioning is more important
                self._running.pop(running.joiner.eui64, None)


def find_joiner_tasks(tasks: Iterable[Task], euis: Iterable[str]) -> list[Task]:
    """Return the joiner tasks of the devices in ``euis``."""
    wanted = set(euis)
    return [
        task for task in tasks if task.kind == JOINER_TASK and str(task.attributes.get("eui") or "").lower() in wanted
    ]


def explain_attempt(joiner: Joiner, network: str, attempt: Attempt, timeout: float) -> MemberPending:
    """Return the reason why a device has not joined, with a hint."""
    about = f"Device {joiner.eui64} has not joined network {network}"
    if attempt is Attempt.FINISHED:
        return MemberPending(
            "joiner_refused",
            f"{about}: it has answered the border router, but is not in the network. Its joiner key (PSKd) is most "
            "likely another one than declared.",
            hint="Compare mesh.joiner with the key on the device, correct it, and run again. If the key is right and "
            "the device sleeps, keep it awake during the run: only an awake device can tell its EUI-64.",
        )
    if attempt is Attempt.UNSEEN:
        return MemberPending(
            "device_offline",
            f"{about}: the border router has waited {timeout:g} seconds, and the device was never seen.",
            hint="Power the device near the border router, let it search for a network, and run again.",
        )
    if attempt is Attempt.NOT_LISTED:
        return MemberPending(
            "conflict",
            f"{about}: the border router did not add it to its list of joiners, so it was not tried.",
            hint="Check whether another program lets devices join at this border router, and run again.",
        )
    if attempt is Attempt.LOST:
        return MemberPending(
            "device_offline",
            f"{about}: the border router has forgotten its task, most likely because it has restarted.",
            hint="Run again.",
        )
    return MemberPending(
        "device_offline",
        f"{about}: the time for all devices of the network was over before it was tried.",
        hint="Run again, or raise commissioning_timeout of the network.",
    )
