# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The replaced device is found by its id, a label or its name, or the manifest is refused as uncertain."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.find import (
    add_replaced_devices,
    find_replaced_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Identifier
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest

OLD, NEW, OTHER = (device_id(number) for number in (1, 2, 3))
SERIAL_NUMBER, IMEI = "P046AB000000001", "35693803564380"


def find(named: str, *rows: dict[str, Any], by: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    """Return the devices that a record of NEW replaces in a product with these rows."""
    manifest = read_manifest(
        {"product": "field-logger", "devices": [{**(by or {"id": NEW}), "replaces": named}]}, **more
    )
    ids = {Identifier(kind, value): NEW for kind, value in (by or {}).items()}
    return find_replaced_devices({row["id"]: row for row in rows}, manifest, ids)


def row(device: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": device, "name": name, **more}


@pytest.mark.parametrize("named", [OLD, OLD.upper(), SERIAL_NUMBER.lower(), IMEI, f"{IMEI}9", "pu\u0308mp"])
def test_device_is_found_by_id_label_and_name(named: str) -> None:
    old = row(OLD, "pümp ", serial_number=SERIAL_NUMBER.lower(), imei=f"{IMEI}9")
    others = row(OTHER, "well", serial_number="P046AB000000003", imei=f"{IMEI[:-1]}19"), row(NEW, None)
    assert find(named, *others, old) == {NEW: OLD}


def test_record_is_found_by_the_label_that_declares_it() -> None:
    assert find("pump", row(OLD, "pump"), row(NEW, "pump (replaced by x)"), by={"imei": IMEI}) == {IMEI: OLD}


@pytest.mark.parametrize("named", [OLD, "pump", SERIAL_NUMBER])
@pytest.mark.parametrize("mark", ["denied", "quarantined"])
def test_device_that_the_product_does_not_accept_is_not_found(named: str, mark: str) -> None:
    assert find(named, row(OLD, "pump", serial_number=SERIAL_NUMBER, **{mark: True})) == {}


@pytest.mark.parametrize("named", [OLD, "pump", SERIAL_NUMBER])
def test_replacement_is_complete_without_another_device(named: str) -> None:
    assert find(named, row(NEW, "pump", serial_number=SERIAL_NUMBER)) == {}
    assert find(named) == {}


def test_manifest_that_removes_devices_replaces_none() -> None:
    assert find("pump", row(OLD, "pump"), absent=True) == {}


def test_marked_device_is_certain_beside_devices_of_the_name() -> None:
    marked = row(OLD, f"pump (replaced by {NEW})")
    assert find("pump", row(NEW, "pump"), marked, row(OTHER, "pump")) == {NEW: OLD}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(OTHER, "pump"), row(OLD, "pump")], f"{OLD} and {OTHER}"),
        ([row(NEW, "pump"), row(OLD, "pump")], f"{OLD} and {NEW}"),
        ([row(OLD, f"pump (replaced by {OTHER})")], f"{OLD}, which is being replaced by {OTHER}"),
    ],
)
def test_uncertain_name_is_refused(rows: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ParticleError) as caught:
        find("pump", *rows)
    assert caught.value.code == "conflict"
    assert caught.value.message == f"It is not certain which device replaces means:\n  pump: {reason}"
    assert (
        caught.value.hint
        == "Remove replaces if the replacement is complete. Otherwise, name the replaced device by its id."
    )


def find_for_well(named: str, *rows: dict[str, Any]) -> dict[str, str]:
    """Return the devices that a record of NEW replaces that declares the name `well`."""
    devices = [{"id": NEW, "name": "well", "replaces": named}]
    manifest = read_manifest({"product": "field-logger", "devices": devices})
    return find_replaced_devices({row["id"]: row for row in rows}, manifest, {})


@pytest.mark.parametrize("others", [[], [row(OTHER, f"pump (replaced by {device_id(4)})")]])
def test_device_of_the_name_is_uncertain_if_the_new_device_has_another(others: list[dict[str, Any]]) -> None:
    with pytest.raises(ParticleError) as caught:
        find_for_well("pump", row(NEW, "well "), row(OLD, "pump"), *others)
    reason = f"because {NEW} already has its declared name, as after a complete replacement"
    assert caught.value.code == "conflict"
    assert caught.value.message.endswith(f"\n  pump: {OLD}, or no device, {reason}")


@pytest.mark.parametrize("named", [OLD, SERIAL_NUMBER, IMEI])
def test_id_and_labels_are_certain_if_the_new_device_has_its_name(named: str) -> None:
    old = row(OLD, SERIAL_NUMBER, serial_number=SERIAL_NUMBER, imei=IMEI)
    assert find_for_well(named, row(NEW, "well"), old) == {NEW: OLD}


@pytest.mark.parametrize(
    "rows",
    [
        [row(OLD, "pump")],
        [row(NEW, None), row(OLD, "pump")],
        [row(NEW, "spare"), row(OLD, "pump")],
        [row(NEW, "well", quarantined=True), row(OLD, "pump")],
        [row(NEW, "well"), row(OLD, f"pump (replaced by {NEW})")],
        [row(NEW, "well"), row(OLD, f"pump (replaced by {NEW})"), row(OTHER, "pump")],
    ],
)
def test_replacement_that_is_not_complete_continues_under_another_name(rows: list[dict[str, Any]]) -> None:
    assert find_for_well("pump", *rows) == {NEW: OLD}


def test_mark_of_another_device_does_not_matter_after_the_replacement() -> None:
    assert find("pump", row(NEW, "pump"), row(OLD, f"pump (replaced by {OTHER})")) == {}


def test_all_values_of_replaced_devices_are_read() -> None:
    manifest = read_manifest({"product": "field-logger", "devices": [{"id": NEW}, {"id": OLD, "name": "pump"}]})
    new, old = add_replaced_devices(manifest, [OLD]).devices
    assert (new, old.id, old.groups) == (manifest.devices[0], OLD, frozenset())
    assert old.fields.keys() == {"name", "notes", "firmware_lock"}
    assert add_replaced_devices(manifest, []) is manifest
