# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the devices and the releases of a product for a rollout. Private to this collection."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions, Watch
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import parse_time
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Row, read_release
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    observe_approval,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_row_keys
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Device, Releases, Rollout

_KEPT = frozenset(
    "id name firmware_version desired_firmware_version online connected last_heard last_handshake_at status "
    "development firmware_updates_enabled firmware_updates_forced cellular platform_id product_id quarantined denied "
    "groups system_firmware_version serial_number iccid last_iccid".split()
)


def read_devices(target: Target, filters: Filters, version: int) -> dict[str, Device]:
    """Read the device list of the product, without devices that are denied or wait for approval.

    Sends one request per hundred devices, and one more.

    :param filters: the selection of the rollout.
    :param version: the version of the rollout.
    """
    slug, is_whole = target.required_product.slug, filters == Filters()
    others = dataclasses.replace(filters, firmware_versions=None)
    devices = {}
    for row in _read_rows(target):
        if observe_approval(row) != APPROVED:
            continue
        facts = {} if is_whole else build_facts(row, slug)
        is_selected = is_whole or filters.matches(facts)
        device = read_device(row, is_selected=is_selected)
        if not is_selected and device.version == version and others.matches(facts):
            device = dataclasses.replace(device, was_selected=True)
        devices[device.id] = device
    return devices


def _read_rows(target: Target) -> tuple[dict[str, Any], ...]:
    http, product = target.http, target.required_product
    options = ListOptions(watch=Watch.PAGES, keep=_KEPT.union(list_row_keys()))
    listing = list_product_devices(http, product.id, options=options)
    if not listing.complete:
        again = list_product_devices(http, product.id, options=options)
        return (*listing.rows, *again.rows)  # a device that is missing in one reading is in the other one
    return listing.rows


def read_device(row: Mapping[str, Any], *, is_selected: bool) -> Device:
    """Return a device as a row of the device list shows it (errors-and-limits.md, section 7)."""
    online, name = row.get("online"), row.get("name")
    device_os = row.get("system_firmware_version")
    return Device(
        id=str(row["id"]),
        name=str(name) if name else None,
        version=_read_version(row.get("firmware_version")),
        lock=_read_version(row.get("desired_firmware_version")),
        groups=frozenset(list_texts(row.get("groups"))),
        online=bool(row.get("connected") if online is None else online),
        heard=parse_time(row.get("last_heard")),
        handshake=parse_time(row.get("last_handshake_at")),
        in_safe_mode=row.get("status") == "safe_mode",
        in_development=row.get("development") is True,
        accepts_updates=row.get("firmware_updates_enabled") is not False or row.get("firmware_updates_forced") is True,
        is_cellular=row.get("cellular") is True,
        device_os=device_os if isinstance(device_os, str) else None,
        is_selected=is_selected,
    )


def _read_version(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def find_groups_without_devices(rollout: Rollout, devices: Mapping[str, Device]) -> list[str]:
    """Return the device groups that the rollout names but that contain no device. They may not exist."""
    named = {group for wave in rollout.waves for group in wave.groups}
    named |= set((rollout.release or {}).get("groups") or ())
    return sorted(named - {group for device in devices.values() for group in device.groups})


def read_releases(known: Mapping[int, Row]) -> Releases:
    """Return what the releases of a product give to its devices.

    :param known: the firmware versions of the product, keyed by version.
    """
    default, by_group = None, dict[str, int]()
    for version, row in sorted(known.items()):
        release = read_release(row)
        default = version if release.default else default
        by_group |= dict.fromkeys(release.groups, version)
    return Releases(default, by_group)


def read_cloud_time(target: Target, clock: Clock) -> float:
    """Return the time of the cloud in whole seconds since 1970, rounded up.

    The cloud tells its time in whole seconds, rounded down. Rounded up, it is not before the last event in the list
    that was just read, and an update that begins afterwards ends later.
    """
    return math.floor(clock.now() + (target.http.clock_skew or 0.0)) + 1.0
