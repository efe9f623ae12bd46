# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether too many devices are bad to continue a rollout. Private to this collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Assessment, Brake, Share, State


@dataclass(frozen=True)
class Tally:
    """The targeted devices of a rollout, as the brake counts them.

    :param total: the number of targeted devices that are not pending.
    :param failed: ids of the devices whose update has failed.
    :param gone: ids of the devices that are gone.
    """

    total: int
    failed: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def bad(self) -> tuple[str, ...]:
        """Return the ids of all bad devices."""
        return self.failed + self.gone


def count_devices(
    assessments: Mapping[str, Assessment], accepted: Collection[str], also_failed: Collection[str] = ()
) -> Tally:
    """Count the targeted devices.

    :param assessments: the assessments of the targeted devices, keyed by device id.
    :param accepted: ids of devices whose failure does not count.
    :param also_failed: ids of devices that count as failed although their assessment says otherwise.
    """
    skipped = (State.SKIPPED_DEVELOPMENT, State.SKIPPED_LOCKED)
    counted = {device: each.state for device, each in assessments.items() if each.state not in skipped}
    return Tally(
        sum(not state.is_pending for state in counted.values()),
        tuple(
            device
            for device, state in counted.items()
            if (state.is_failed or device in also_failed) and device not in accepted
        ),
        tuple(device for device, state in counted.items() if state is State.GONE and device not in accepted),
    )


def is_tripped(brake: Brake, tally: Tally) -> bool:
    """Return whether the brake stops the rollout."""
    return _is_over(brake, brake.failed, tally.failed, tally.total) or _is_over(
        brake, brake.offline, tally.gone, tally.total
    )


def _is_over(brake: Brake, share: Share, bad: Collection[str], total: int) -> bool:
    return bool(bad) and len(bad) >= brake.at_least and share.is_reached(len(bad), total)


def describe_trip(brake: Brake, tally: Tally) -> str:
    """Return why the brake has stopped the rollout, such as ``3 of 40 updates failed (limit 5%)``."""
    targeted = f"{tally.total:,} targeted {'device' if tally.total == 1 else 'devices'}"
    parts = []
    if _is_over(brake, brake.failed, tally.failed, tally.total):
        parts.append(f"the update of {len(tally.failed):,} of {targeted} failed (limit {brake.failed})")
    if _is_over(brake, brake.offline, tally.gone, tally.total):
        verb = "is" if len(tally.gone) == 1 else "are"
        parts.append(f"{len(tally.gone):,} of {targeted} {verb} gone (limit {brake.offline})")
    return " and ".join(parts)


def show_tally(brake: Brake, tally: Tally) -> dict[str, Any]:
    """Return the counts of the brake as the modules show them."""
    return {
        "tripped": is_tripped(brake, tally),
        "devices": tally.total,
        "failed": len(tally.failed),
        "offline": len(tally.gone),
        **{"failed_limit": str(brake.failed), "offline_limit": str(brake.offline), "at_least": brake.at_least},
    }


def count_states(assessments: Mapping[str, Assessment]) -> dict[str, int]:
    """Return the number of devices in each state, keyed by the name of the state. All states are keys."""
    counts = Counter(assessment.state for assessment in assessments.values())
    return {state.value: counts[state] for state in State}
