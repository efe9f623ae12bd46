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
    :raises ParticleError: ``conflict`` when the device that a record names is ambiguous.
    """
    records = [] if manifest.absent else [record for record in manifest.devices if record.replaces is not None]
    if not records:
        return {}
    index = _build_index(rows.values())
    found: dict[str, str] = {}
    uncertain: list[str] = []
    for record in records:
        own = ids.get(record.declared_by, record.id) if record.declared_by else record.id
        named = record.replaces.device if record.replaces is not None else ""
        candidates = _find_candidates(named, own, index)
        if len(candidates) > 1:
            uncertain.append(f"{named}: {' and '.join(sorted(candidates))}")
        elif not candidates:
            uncertain += [f"{named}: {mark}" for mark in _describe_other_marks(named, own, index)]
        elif _may_be_complete(record, rows.get(own), _read_marks(named, index)):
            device = next(iter(candidates))
            uncertain.append(f"{named}: {device}, although {own} already has its declared name")
        for device in candidates:
            found[record.key] = device
    if uncertain:
        message = "It is not certain which device replaces means:\n  " + "\n  ".join(uncertain)
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


def _find_candidates(named: str, own: str, index: Mapping[tuple[str, str], list[Row]]) -> set[str]:
    """Return the ids of the devices that ``named`` may mean: an empty set, or the set of all of them.

    :param named: the id, a label or the name of the replaced device.
    :param own: the id of the device that replaces it, or its label while the id is not known.
    """
    if DEVICE_ID.match(named.lower()):
        return {str(row["id"]) for row in index.get(("id", named.lower()), ())} - {own}
    found: set[str] = set()
    for kind in LABELS:
        label = named.upper()
        alike = index.get((kind, strip_check_digit(kind, label)), ())
        found |= {str(row["id"]) for row in alike if is_same_label(kind, str(row[kind]).upper(), label)}
    return (found - {own}) | _find_by_name(_read_marks(named, index), own)


def _find_by_name(marks: Mapping[str, str | None], own: str) -> set[str]:
    """Return the ids of the devices that have the name.

    A device that an earlier run has marked as giving up the name to ``own`` is certainly the replaced device. If
    ``own`` has the name itself, another device of this name may be the replaced device, or it may have got the name
    after the replacement was complete. In this case, the result contains both.
    """
    marked = {device for device, mark in marks.items() if mark == own}
    holders = {device for device, mark in marks.items() if mark is None}
    return marked or (holders if holders != {own} else set())


def _read_marks(named: str, index: Mapping[tuple[str, str], list[Row]]) -> dict[str, str | None]:
    """Return, for each device of the name, the id of the device to which it gives up the name, or ``None``."""
    rows = index.get(("name", normalize_text(named)), ())
    return {str(row["id"]): split_replaced_name(str(row["name"]))[1] for row in rows}


def _may_be_complete(record: DeviceRecord, own: Row | None, marks: Mapping[str, str | None]) -> bool:
    """Return whether the device of the name may have got the name after the replacement was complete.

    A run marks the replaced device before it gives the replacing device the name that the record declares. If the
    replacing device has its declared name, but no device has the mark, either an earlier run has completed the
    replacement, or the replacing device has always had this name.

    :param own: the row of the replacing device; ``None`` if it is not in the product.
    :param marks: see :func:`_read_marks`; empty if the replaced device is named by its id or a label.
    """
    declared = record.fields.get("name")
    if not declared or own is None or not marks or own["id"] in marks.values():
        return False
    return normalize_text(str(own.get("name") or "")) == normalize_text(str(declared))


def _describe_other_marks(named: str, own: str, index: Mapping[tuple[str, str], list[Row]]) -> list[str]:
    """Describe the devices that an interrupted run has begun to replace by another device than ``own``.

    The result is empty if ``own`` has the name, because its replacement is complete.
    """
    marks = _read_marks(named, index)
    if own in marks:
        return []
    return [f"{device}, which is being replaced by {mark}" for device, mark in sorted(marks.items()) if mark]
