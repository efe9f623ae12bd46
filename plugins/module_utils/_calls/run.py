# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call a function on many devices in parallel, on each at most once. Private to this collection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import call_function
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import Call, Outcome, Status
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import Declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import (
    gather_facts,
    select_devices,
    warn_of_missing_product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    build_failure_limit_error,
    is_run_ending,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel

_UNKNOWN_HINT = "Find out on these devices whether the function has run. If it has not, call it on them again."
_OFFLINE_HINT = (
    "Call the function on these devices again when they are online: set filters.ids to them, because the function has "
    "run on other devices. Set offline to skip if they need not be called."
)
_UNEXPECTED_HINT = "Find out in the firmware of the device what this value means."


@dataclass(frozen=True)
class Calls:
    """The outcomes of a run.

    :param outcomes: one outcome for each selected device.
    :param stopped: the error that ended the run early; ``None`` if it did not end early.
    """

    outcomes: tuple[Outcome, ...]
    stopped: ParticleError | None


@dataclass(frozen=True)
class Callbacks:
    """The functions that a run calls.

    :param warn: shows a warning to the user.
    :param report: receives the progress of the run.
    """

    warn: Callable[[str], None]
    report: Report = ignore_progress


def run_calls(http: Http, declared: Declaration, callbacks: Callbacks, *, check_mode: bool) -> Calls:
    """Read the device lists, and call the function on each selected device that is online.

    :raises ParticleError: when the device lists cannot be read. No call was sent in this case.
    """
    sources, filters = declared.sources, declared.filters
    gathered = gather_facts(http, sources, filters.build_queries())
    warn_of_missing_product(http, sources, gathered, callbacks.warn)
    devices = select_devices(gathered, filters, time.time())
    if not gathered.complete:
        callbacks.warn("The list of devices changed while it was read, so the function may not be called on a device.")
    if not devices:
        callbacks.warn(f"No device is selected in {sources.describe()}, so the function is not called.")
    online = [device for device, facts in devices.items() if facts["online"]]
    caller = _Caller(http, declared.call, gathered.products, callbacks.report, len(online))
    called: dict[str, Outcome] = {}
    if not check_mode:
        rows = map_in_parallel(lambda device: caller.call_device(devices[device]), online, http.workers)
        called = {row.id: row for row in rows}
    outcomes = (called.get(device) or _skip_device(facts) for device, facts in devices.items())
    return Calls(tuple(outcomes), caller.stopped)


def _skip_device(facts: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a device to which no call is sent."""
    if facts["online"]:
        return Outcome(facts["id"], facts["name"], Status.NOT_CALLED)
    # The list can show a lost device as online for 46 minutes, but not a connected device as offline
    # (errors-and-limits.md, section 7), so that a call would only wait for the device.
    message = f"Device {facts['id']} is offline, so the function was not called."
    return Outcome(
        facts["id"], facts["name"], Status.OFFLINE, error=ParticleError("device_offline", message, hint=_OFFLINE_HINT)
    )


class _Caller:
    """A caller of a function on devices, which stops after too many failures. Safe to share between threads.

    :ivar stopped: the error that ended the run early.
    """

    def __init__(self, http: Http, call: Call, products: Mapping[str, Product], report: Report, total: int) -> None:
        self._http = http
        self._call = call
        self._products = products
        self._report = report
        self._total = total
        self._lock = threading.Lock()
        self._done = 0
        self._errors: list[ParticleError] = []
        self.stopped: ParticleError | None = None

    def call_device(self, facts: Mapping[str, Any]) -> Outcome:
        """Call the function on a device unless the run has ended, and return the outcome."""
        device, name = facts["id"], facts["name"]
        if self.stopped is not None:
            return Outcome(device, name, Status.NOT_CALLED)
        began = time.monotonic()
        value: int | None = None
        error: ParticleError | None = None
        try:
            value = self._send_call(device)
        except ParticleError as failure:
            # Both kinds of errors say that this call was not carried out: a call whose result is unknown has the code
            # ambiguous_write. A token without the scope is refused for every device.
            if is_run_ending(failure) or failure.code == "missing_scope":
                with self._lock:
                    self.stopped = self.stopped or failure
                return Outcome(device, name, Status.NOT_CALLED)
            error = failure
        status = Status.OK
        if error is not None:
            status, error = _judge_error(error)
        elif self._call.expected is not None and value not in self._call.expected:
            status, error = Status.UNEXPECTED, _build_unexpected_error(self._call, device, value)
        self._note(status, error)
        return Outcome(device, name, status, value, error, round(time.monotonic() - began, 3))

    def _send_call(self, device: str) -> int | None:
        product = self._products[device].id if device in self._products else None
        return call_function(self._http, product, device, self._call.function, self._call.argument)

    def _note(self, status: Status, error: ParticleError | None) -> None:
        """Count an outcome, and end the run after too many failures. A device that is offline is not counted."""
        with self._lock:
            if error is not None and status is not Status.OFFLINE:
                self._errors.append(error)
            else:
                self._done += 1
            most = self._call.max_failures
            if most is not None and len(self._errors) > most and self.stopped is None:
                self.stopped = build_failure_limit_error(self._errors[0])
            self._report(self._done, len(self._errors), self._total)


def _judge_error(error: ParticleError) -> tuple[Status, ParticleError]:
    """Return the status of a device whose call has failed, and the error with the hint for this status."""
    if error.code == "ambiguous_write":
        error.hint = _UNKNOWN_HINT
        return Status.UNKNOWN, error
    if error.code == "device_offline":
        error.hint = _OFFLINE_HINT
        return Status.OFFLINE, error
    return Status.FAILED, error


def _build_unexpected_error(call: Call, device: str, value: int | None) -> ParticleError:
    expected = ", ".join(map(str, sorted(call.expected or ())))
    returned = "no value" if value is None else str(value)
    message = f"Function {call.function} of device {device} returned {returned}, expected {expected}."
    return ParticleError("conflict", message, hint=_UNEXPECTED_HINT, status=200)
