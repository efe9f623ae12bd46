# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the writes of a plan, and record the result for each device. Private to this collection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.batches import Batches
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import Failures
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    MemberPending,
    Writer,
)


class Sender:
    """An object that sends the writes of one plan, and records failures instead of raising them.

    :param mesh: sends the writes of networks.
    :param max_failures: the maximum number of failed devices. After one more failure, nothing more is sent. ``None``
        means no limit.
    :param report: called at the start, and whenever a device is done or fails.
    :ivar state: the resulting state of each device.
    :ivar dropped: the devices for which no further write is sent.
    :ivar batches: sends requests for many devices.
    """

    def __init__(self, target: Target, mesh: Writer, max_failures: int | None, report: Report) -> None:
        self.target = target
        self.http = target.http
        self.mesh = mesh
        self.state = RunState()
        self.dropped: set[str] = set()
        self.batches = Batches(self.fail_devices, lambda: self.state.stopped is not None, self._note_write)
        self._failures = Failures(self.state, max_failures)
        self._report = report
        self._lock = threading.Lock()
        self._total = 0
        self._of_replacements: set[str] = set()

    def begin(self, devices: Sequence[DevicePlan]) -> None:
        """Report that the writes for these devices begin."""
        # The steps of a replacement are recorded, so that an error can tell which of them are done.
        self._of_replacements = {device.id for device in devices if device.replaces or device.replaced_by}
        self._total = len(devices)
        self._report_progress()

    def list_remaining(self, devices: Iterable[DevicePlan]) -> list[DevicePlan]:
        """Return the plans of the devices for which further writes are sent."""
        return [device for device in devices if device.id not in self.dropped]

    def try_write(self, devices: Sequence[str], write: Callable[[], None]) -> bool:
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
            self.fail_devices(devices, error)
            return False
        self._note_write()
        return True

    def try_step(self, device: DevicePlan, step: str, write: Callable[[], None]) -> bool:
        """Send a write of one device, and record its step if it succeeded. Return whether the write succeeded."""
        written = self.try_write([device.id], write)
        if written:
            self.note_step([device.id], step)
        return written

    def note_step(self, devices: Iterable[str], step: str) -> None:
        """Record a step of replacements that is done. Other devices are ignored."""
        for device in self._of_replacements.intersection(devices):
            self.state.done_steps.setdefault(device, set()).add(step)

    def mark_device(self, device: str, state: WriteState) -> None:
        """Set the state of a device, and report the progress if the device is done."""
        with self._lock:
            self.state.mark_device(device, state)
            if state is WriteState.DONE:
                self._report_progress()

    def fail_devices(self, devices: Sequence[str], error: ParticleError) -> None:
        """If the error does not end the run, mark devices as failed and send no further writes for these devices."""
        if self.note_failure(devices, error):
            self.dropped.update(devices)

    def note_failure(self, devices: Iterable[str], error: ParticleError) -> bool:
        """If the error does not end the run, mark devices as failed. Return whether the devices were marked."""
        with self._lock:
            noted = self._failures.note_failure(devices, error)
            if noted:
                self._report_progress()
        return noted

    def _note_write(self) -> None:
        self.state.wrote = True

    def _report_progress(self) -> None:
        self._report(self.state.count_devices(WriteState.DONE), self._failures.count, self._total)
