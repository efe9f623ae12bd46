# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the state of a rollout without changing it. Private to this collection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import read_release
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Next, Phase
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.needs import NeededDeviceOs
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.observe import (
    read_cloud_time,
    read_devices,
    read_releases,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import show_decision, show_nothing
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.settings import (
    TOO_LARGE,
    read_settings,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation


def read_rollout_state(target: Target, store: Store, clock: Clock) -> dict[str, Any]:
    """Return the documented state of the rollout of a product, assessed with the options of its last run.

    :raises ParticleError: ``conflict`` when the record of the rollout is damaged.
    """
    record = store.load()
    if record is None:
        return show_nothing()
    declared = read_settings(record.version, record.settings)
    if record.settings.get("filters") == TOO_LARGE:
        target.warn(
            "The selection of the rollout is too large for its record, so waves that have not begun are shown as if "
            "all devices of the product were selected."
        )
    rollout = declared.rollout
    if record.phase is Phase.PAUSED:
        rollout = replace(rollout, phase=Phase.PAUSED)
    known = list_firmware(target.http, target.required_product.id)
    devices = read_devices(target, declared.filters, record.version)
    now = read_cloud_time(target, clock)
    release = read_release(known.get(record.version, {}))
    situation = Situation(rollout, record, devices, read_releases(known), release, now)
    decision, needs = _decide_without_writes(situation), NeededDeviceOs(target, record.version)
    if needs.read_for(decision.assessments):
        decision = _decide_without_writes(replace(situation, device_os=needs.module_version))
    return show_decision(decision, rollout, devices)


def _decide_without_writes(situation: Situation) -> Decision:
    """Return the decision about a rollout while no run carries out the next step."""
    while True:
        decision = decide(situation)
        if decision.has_writes:
            why = f"The next run continues the rollout: {decision.next.why}" if decision.next else ""
            return replace(decision, next=Next(situation.now, why))
        if decision.record == situation.record:
            return decision
        situation = replace(situation, record=decision.record)
