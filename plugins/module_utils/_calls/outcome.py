# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the result of a run that calls a function. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import MAY_HAVE_RUN, Call, Outcome, Status
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.run import Calls
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import take_fitting
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.failed_items import (
    FailedItem,
    describe_reasons,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count


def build_result(call: Call, calls: Calls, *, check_mode: bool, is_tolerant: bool) -> dict[str, Any]:
    """Return the documented result of module ``device_call``.

    :param is_tolerant: whether the task succeeds although devices have failed, unless the run ended early.
    """
    outcomes = calls.outcomes
    sent = [outcome for outcome in outcomes if outcome.status in (*MAY_HAVE_RUN, Status.FAILED)]
    error = _build_failure(call, calls)
    result: dict[str, Any] = {
        "changed": any(row.status is Status.NOT_CALLED for row in outcomes) if check_mode else bool(sent),
        "msg": _describe_success(call, outcomes, check_mode=check_mode),
        "summary": {"total": len(outcomes), **_count_statuses(outcomes)},
        "devices": [outcome.as_result() for outcome in outcomes],
        "devices_omitted": 0,
        "not_run": [outcome.id for outcome in outcomes if outcome.status not in MAY_HAVE_RUN],
        "managed": {row.id: row.name for row in outcomes if row.status in (Status.OK, Status.UNEXPECTED)},
        "ended_early": calls.stopped is not None,
    }
    if error is None:
        return result
    result.update(error.as_failure())
    if is_tolerant and calls.stopped is None:
        return {**result, "failed": False}
    bad = [row for outcome, row in zip(outcomes, result["devices"], strict=True) if outcome.status is not Status.OK]
    kept = take_fitting(sorted(bad, key=lambda row: row["error"] is None))
    return {**result, "devices": kept, "devices_omitted": len(bad) - len(kept)}


def _count_statuses(outcomes: Sequence[Outcome]) -> dict[str, int]:
    statuses = [outcome.status for outcome in outcomes]
    return {status.value: statuses.count(status) for status in Status}


def _describe_success(call: Call, outcomes: Sequence[Outcome], *, check_mode: bool) -> str:
    counts = _count_statuses(outcomes)
    words = "would be called on" if check_mode else "returned on"
    number = counts["not_called"] if check_mode else counts["ok"]
    text = f"Function {call.function} {words} {format_count(number, 'device')}"
    offline = counts["offline"]
    return f"{text}, and {format_count(offline, 'device is', 'devices are')} offline." if offline else f"{text}."


def _build_failure(call: Call, calls: Calls) -> ParticleError | None:
    """Return the error with which the task fails; ``None`` if the task succeeds.

    The message counts the devices that have failed, and names up to ten of them with their reasons.
    """
    failed = [
        FailedItem(outcome.title, (outcome.id,), outcome.error)
        for outcome in calls.outcomes
        if call.is_failure(outcome.status) and outcome.error is not None
    ]
    stopped = calls.stopped
    if not failed and stopped is None:
        return None
    error = stopped or failed[0].error
    parts = []
    if stopped is not None:
        left = sum(1 for outcome in calls.outcomes if outcome.status is Status.NOT_CALLED)
        parts.append(f"The run ended early, and {format_count(left, 'device was', 'devices were')} not called.")
        # If the run ended because of failed devices, the reasons below contain the message of the first of them.
        parts.append(next(filter(None, (_strip_reason(stopped, item) for item in failed)), stopped.message))
    if failed:
        reasons = "\n".join(describe_reasons(failed, error.hint))
        parts.append(f"{len(failed):,} of {format_count(len(calls.outcomes), 'device')} failed. {reasons}")
    return ParticleError(error.code, " ".join(parts), hint=error.hint, status=error.status, route=error.route)


def _strip_reason(stopped: ParticleError, item: FailedItem) -> str | None:
    """Return the message without the message of a device at its end; ``None`` if it does not end with that message."""
    if not stopped.message.endswith(item.error.message):
        return None
    return stopped.message.removesuffix(item.error.message).strip()
