# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the state of a rollout without changing it. Private to this collection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import read_release
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Phase
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.observe import (
    read_cloud_time,
    read_devices,
    read_releases,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import read_settings
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import show_decision, show_nothing
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation


def read_rollout_state(target: Target, store: Store, clock: Clock) -> dict[str, Any]:
    """Return the documented state of the rollout of a product, judged with the options of its last run.

    The selection of the rollout is not stored, so all devices of the product count as selected.
    """
    record = store.load()
    if record is None:
        return show_nothing()
    rollout = read_settings(record.version, record.settings)
    if record.phase is Phase.PAUSED:
        rollout = replace(rollout, phase=Phase.PAUSED)
    known = list_firmware(target.http, target.required_product.id)
    devices = read_devices(target, Filters())
    now = read_cloud_time(target, clock)
    release = read_release(known.get(record.version, {}))
    decision = decide(Situation(rollout, record, devices, read_releases(known), release, now))
    return show_decision(decision, rollout, devices)
