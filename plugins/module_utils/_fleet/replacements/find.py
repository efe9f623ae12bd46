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

_HINT = "Remove replaces if the replacement is complete. Otherwise, name the replaced device by its id."

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
        identified, marks = _find_by_identifier(named, own, index), _read_marks(named, index)
        candidates = identified | _find_by_name(marks, own)
        if len(candidates) > 1:
            uncertain.append(f"{named}: {' and '.join(sorted(candidates))}")
        elif not candidates:
            uncertain += [f"{named}: {mark}" for mark in _describe_other_marks(marks, own)]
        elif not identified and own not in marks.values() and _has_declared_name(record, index.get(("id", own), ())):
            # A run marks the replaced device before it gives the other device its declared name. The other device has
            # this name, but there is no mark, so an earlier run may have completed the replacement.
            device, reason = next(iter(candidates)), f"because {own} already has its declared name"
            uncertain.append(f"{named}: {device}, or no device, {reason}, as after a complete replacement")
        for device in candidates:
            found[record.key] = device
    if uncertain:
        message = "It is not certain which device replaces means:\n  " + "\n  ".join(uncertain)
        raise ParticleError("conflict", message, hint=_HINT)
    return found


def _has_declared_name(record: DeviceRecord, rows: Iterable[Row]) -> bool:
    """Return whether a device has the name that its record declares.

    :param rows: the row of the device; empty if the product has not accepted the device.
    """
    declared = normalize_text(str(record.fields.get("name") or ""))
    return any(declared and normalize_text(str(row.get("name") or "")) == declared for row in rows)


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

    The name of a device that is marked as replaced is its original name.
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


def _find_by_identifier(named: str, own: str, index: Mapping[tuple[str, str], list[Row]]) -> set[str]:
    """Return the ids of the devices, other than ``own``, that have the id or the label ``named``."""
    found = {str(row["id"]) for row in index.get(("id", named.lower()), ())}
    for kind in LABELS:
        label = named.upper()
        alike = index.get((kind, strip_check_digit(kind, label)), ())
        found |= {str(row["id"]) for row in alike if is_same_label(kind, str(row[kind]).upper(), label)}
    return found - {own}


def _find_by_name(marks: Mapping[str, str | None], own: str) -> set[str]:
    """Return the ids of the devices that have the name.

    A device that an earlier run has marked as replaced by ``own`` is certainly the replaced device. If
    ``own`` has the name itself, another device of this name may be the replaced device, or it may have got the name
    after the replacement was complete. In this case, the result contains both.
    """
    marked = {device for device, mark in marks.items() if mark == own}
    holders = {device for device, mark in marks.items() if mark is None}
    return marked or (holders if holders != {own} else set())


def _read_marks(named: str, index: Mapping[tuple[str, str], list[Row]]) -> dict[str, str | None]:
    """Return, for each device of the name, the id of the device that replaces it according to its mark, or ``None``.

    The result is empty if ``named`` is a device id.
    """
    if DEVICE_ID.match(named.lower()):
        return {}
    rows = index.get(("name", normalize_text(named)), ())
    return {str(row["id"]): split_replaced_name(str(row["name"]))[1] for row in rows}


def _describe_other_marks(marks: Mapping[str, str | None], own: str) -> list[str]:
    """Describe the devices that an interrupted run has begun to replace by another device than ``own``.

    The result is empty if ``own`` has the name, because its replacement is complete.
    """
    if own in marks:
        return []
    return [f"{device}, which is being replaced by {mark}" for device, mark in sorted(marks.items()) if mark]
