# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse to replace devices that are online, and read the properties of replaced devices that no list shows. Private to
this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import ping_device
from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import build_device_scope, read_level
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.plan import Inheritance
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import REPLACE_ONLINE, Run
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import read_rollout_locks

_LOCK = "firmware_lock"


def refuse_online_devices(run: Run) -> None:
    """Refuse to replace devices that answer a ping, unless the user has confirmed it. Sends one request per device.

    :raises ParticleError: ``conflict`` when a device answers.
    """
    if REPLACE_ONLINE in run.bounds.confirmed:
        return
    http, product = run.target.http, run.target.required_product
    replaced = sorted(run.observed.replaced.values())
    answers = map_in_parallel(lambda device: ping_device(http, product.id, device), replaced, http.workers)
    online = [device for device, is_online in zip(replaced, answers, strict=True) if is_online]
    if not online:
        return
    names = list_names([_describe_device(run, device) for device in online])
    count = format_count(len(online), "device is", "devices are")
    message = f"{count} online and would be replaced and removed: {names}."
    hint = "Check which device replaces names, or set confirm to [replace_online] to replace a device that is online."
    raise ParticleError("conflict", message, hint=hint)


def warn_of_missing_devices(run: Run) -> None:
    """Warn of devices that are imported to replace a device that is not in the product.

    The replacement counts as complete, but the name of the replaced device may be misspelt.
    """
    observed = run.observed
    missing = [
        f"{record.replaces.device} ({record.key})"
        for record in run.manifest.devices
        if record.replaces is not None
        and not run.manifest.absent
        and record.key not in observed.replaced
        and record.id not in observed.devices
    ]
    if missing:
        count = format_count(len(missing), "device that replaces names is", "devices that replaces names are")
        run.target.warn(
            f"{count} not among the accepted devices of the product: {list_names(missing)}. The devices in parentheses "
            "are imported without the values of another device. Check the spelling if you expected otherwise."
        )


def observe_inheritance(run: Run) -> Inheritance:
    """Find the locks of replaced devices that belong to a rollout, and read the variables to keep.

    Sends one request if a lock might be kept, and one request for each device whose variables are kept.
    """
    records = [record for record in run.manifest.devices if record.key in run.observed.replaced]
    return Inheritance(
        _find_rollout_locks(run, [record.key for record in records if _LOCK not in record.fields]),
        _read_variables(
            run, [record.key for record in records if record.replaces is not None and record.replaces.environment]
        ),
    )


def _find_rollout_locks(run: Run, keys: list[str]) -> frozenset[str]:
    """Return the keys of the records whose old or new device has a lock that belongs to a rollout, and warn of them."""
    devices = {device.id: device for device in run.observed.devices.values()}
    pairs = {
        record.key: [found for id in (run.observed.replaced[record.key], record.id) if (found := devices.get(id))]
        for record in run.manifest.devices
        if record.key in keys and isinstance(devices[run.observed.replaced[record.key]].fields.get(_LOCK), int)
    }
    if not pairs:
        return frozenset()
    locks = read_rollout_locks(run.target)
    owned = [key for key, pair in pairs.items() if any(locks.owns(one.id, one.fields.get(_LOCK)) for one in pair)]
    if owned and not run.labels_known:
        count = format_count(len(owned), "device does", "devices do")
        run.target.warn(
            f"{count} not keep the firmware_lock of the replaced device, because it belongs to {locks.describe()}: "
            f"{list_names(owned)}."
        )
    return frozenset(owned)


def _read_variables(run: Run, keys: list[str]) -> dict[str, dict[str, str]]:
    """Return the variables of replaced devices as of their last rollout, keyed by the key of the replacing record."""
    http, devices = run.target.http, [run.observed.replaced[key] for key in keys]
    levels = map_in_parallel(lambda device: read_level(http, build_device_scope(device)), devices, http.workers)
    return {key: dict(level.rolled_out) for key, level in zip(keys, levels, strict=True)}


def _describe_device(run: Run, device: str) -> str:
    name = run.observed.devices[device].fields.get("name")
    return f"{name} ({device})" if name else device
