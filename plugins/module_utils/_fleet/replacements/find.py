# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the devices that are replaced in the device list of the product. Private to this collection.

The functions of this file send no requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    DEVICE_ID,
    is_same_label,
    strip_check_digit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import (
    normalize_text,
    split_replaced_name,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    observe_approval,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.identifiers import LABELS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Identifier,
    Manifest,
)

Row = Mapping[str, Any]

_HINT = "Name the replaced device by its id, or remove replaces if the replacement is complete."

KEPT_FIELDS = ("name", "notes", "firmware_lock")
"""The fields that a device keeps from the device that it replaces, unless they are declared."""


def find_replaced_devices(rows: Mapping[str, Row], manifest: Manifest, ids: Mapping[Identifier, str]) -> dict[str, str]:
    """Return the ids of the devices that the manifest replaces, keyed by :attr:`DeviceRecord.key` of the replacing
    record.

    A device that is not among ``rows``, or that the product does not accept, has no key: its replacement is complete.

    :param rows: the rows of the product's device list, keyed by device id.
    :param ids: the known device ids of devices that are declared by a label.
    :raises ParticleError: ``conflict`` when a record names several devices.
    """
    records = [] if manifest.absent else [record for record in manifest.devices if record.replaces is not None]
    if not records:
        return {}
    index = _build_index(rows.values())
    found: dict[str, str] = {}
    several: list[str] = []
    for record in records:
        own = ids.get(record.declared_by, record.id) if record.declared_by else record.id
        candidates = _find_candidates(record, own, index)
        if len(candidates) > 1:
            named = record.replaces.device if record.replaces is not None else ""
            several.append(f"{named}: {' and '.join(sorted(candidates))}")
        for device in candidates:
            found[record.key] = device
    if several:
        message = "The product has several devices that replaces may mean:\n  " + "\n  ".join(several)
        raise ParticleError("conflict", message, hint=_HINT)
    return found


def add_replaced_devices(manifest: Manifest, replaced: Iterable[str]) -> Manifest:
    """Return the manifest with a record for each replaced device, so that its name, notes, lock and groups are read.

    :param replaced: the ids of the replaced devices.
    """
    kept = dict.fromkeys(KEPT_FIELDS, "")
    records = {device: DeviceRecord(device, fields=kept, groups=frozenset()) for device in replaced}
    if not records:
        return manifest
    others = tuple(record for record in manifest.devices if record.id not in records)
    return replace(manifest, devices=(*others, *records.values()))


def _build_index(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of the accepted devices, keyed by kind and value of each id, label and name.

    The name of a device that gives up its name is its original name.
    """
    index: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if observe_approval(row) != APPROVED:
            continue
        keys = [("id", str(row["id"]))]
        keys += [(kind, strip_check_digit(kind, str(row[kind]).upper())) for kind in LABELS if row.get(kind)]
        if row.get("name"):
            keys.append(("name", normalize_text(split_replaced_name(str(row["name"]))[0])))
        for key in keys:
            index.setdefault(key, []).append(row)
    return index


def _find_candidates(record: DeviceRecord, own: str, index: Mapping[tuple[str, str], list[Row]]) -> set[str]:
    """Return the ids of the devices, other than the device of the record itself, that the record may replace.

    :param own: the id of the device of the record, or its label while the id is not known.
    """
    named = record.replaces.device if record.replaces is not None else ""
    if DEVICE_ID.match(named.lower()):
        return {str(row["id"]) for row in index.get(("id", named.lower()), ())} - {own}
    found = _find_by_name(index.get(("name", normalize_text(named)), ()), own)
    for kind in LABELS:
        label = named.upper()
        alike = index.get((kind, strip_check_digit(kind, label)), ())
        found |= {str(row["id"]) for row in alike if is_same_label(kind, str(row[kind]).upper(), label)} - {own}
    return found


def _find_by_name(rows: Iterable[Row], own: str) -> set[str]:
    """Return the ids of the devices that have the name.

    A device that has given up the name to the device ``own`` is certainly meant, because an earlier run has marked it.
    If ``own`` has the name itself, it is not known whether another device is meant, or the replacement is complete and
    the other device got the name later. In this case, the result contains both.
    """
    marks = {str(row["id"]): split_replaced_name(str(row["name"]))[1] for row in rows}
    if marked := {device for device, mark in marks.items() if mark == own}:
        return marked
    named = {device for device, mark in marks.items() if mark is None}
    return set() if named == {own} else named
