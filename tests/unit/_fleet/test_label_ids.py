# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Labels are replaced by device ids, and declarations that turn out to contradict each other are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.labels import find_ids, resolve_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Identifier, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest

ONE, TWO = device_id(1), device_id(2)
SERIAL = Identifier("serial_number", "P046AB000000001")
IMEI = Identifier("imei", "35693803564380")
ICCID = Identifier("iccid", "8934070000000000001")


def declare(*devices: Mapping[str, Any], **more: Any) -> Manifest:
    return read_manifest({"product": "field-logger", "devices": list(devices), **more})


def find(*rows: dict[str, Any], by: tuple[Identifier, ...] = (SERIAL, IMEI, ICCID)) -> dict[Identifier, str]:
    records = [{identifier.kind: identifier.value} for identifier in by]
    return find_ids(rows, declare({"id": device_id(9)}, *records).devices)


class TestFoundIds:
    """A label finds its device, even if only one of both has its check digit."""

    def test_each_label_finds_its_own_device(self) -> None:
        first = {"id": ONE, "serial_number": SERIAL.value.lower(), "imei": f"{IMEI.value}9", "iccid": None}
        second = {"id": TWO, "iccid": f"{ICCID.value}5", "imei": f"{IMEI.value[:-1]}99"}
        assert find(first, second) == {SERIAL: ONE, IMEI: ONE, ICCID: TWO}

    def test_label_that_no_device_shows_has_no_id(self) -> None:
        assert find({"id": ONE, "serial_number": "P046AB000000009"}, {"id": TWO}) == {}

    def test_label_of_another_kind_does_not_count(self) -> None:
        assert find({"id": ONE, "imei": SERIAL.value, "serial_number": IMEI.value}) == {}

    def test_one_device_in_two_rows_is_found_once(self) -> None:
        assert find({"id": ONE, "imei": IMEI.value}, {"id": ONE, "imei": f"{IMEI.value}9"}, by=(IMEI,)) == {IMEI: ONE}

    def test_label_of_several_devices_is_refused(self) -> None:
        with pytest.raises(ParticleError) as caught:
            find({"id": TWO, "iccid": ICCID.value}, {"id": ONE, "iccid": ICCID.value}, {"id": ONE, "imei": IMEI.value})
        assert caught.value.code == "conflict"
        assert caught.value.message == (
            f"The cloud lists several devices for one declared identifier:\n  {ICCID}: {ONE} and {TWO}"
        )
        assert caught.value.hint == "Declare these devices by their ids, then run again."


class TestResolvedManifest:
    """Known device ids replace labels in records and in the gateways of networks."""

    GATEWAY: Mapping[str, Any] = {"serial_number": SERIAL.value, "mesh": {"network": "barn", "role": "gateway"}}

    def test_label_is_replaced_in_records_and_gateways(self) -> None:
        manifest = declare(self.GATEWAY, {"imei": IMEI.value}, networks={"barn": {"gateways": [TWO]}})
        assert manifest.networks["barn"].gateways == tuple(sorted((SERIAL.value, TWO)))
        resolved = resolve_ids(manifest, {SERIAL: ONE})
        assert [(record.id, record.key) for record in resolved.devices] == [(ONE, SERIAL.value), (IMEI.value,) * 2]
        assert resolved.networks["barn"].gateways == (ONE, TWO)

    def test_manifest_is_unchanged_without_ids(self) -> None:
        manifest = declare({"serial_number": SERIAL.value})
        assert resolve_ids(manifest, {}) is manifest

    def test_device_that_is_declared_twice_is_refused(self) -> None:
        manifest = declare({"serial_number": SERIAL.value}, {"id": ONE}, {"imei": IMEI.value}, {"id": TWO})
        with pytest.raises(ParticleError) as caught:
            resolve_ids(manifest, {SERIAL: ONE, IMEI: ONE})
        assert caught.value.code == "invalid_manifest"
        assert caught.value.message == (
            f"The manifest declares a device more than once:\n  {ONE}: {SERIAL} and id {ONE} and {IMEI}"
        )
        assert caught.value.hint == "Keep one record for each device, then run again."

    def test_node_that_is_a_gateway_is_refused(self) -> None:
        node = {"serial_number": SERIAL.value, "mesh": {"network": "barn"}}
        manifest = declare(node, {"id": TWO, "mesh": {"network": "barn"}}, networks={"barn": {"gateways": [ONE]}})
        with pytest.raises(ParticleError) as caught:
            resolve_ids(manifest, {SERIAL: ONE})
        assert caught.value.code == "invalid_manifest"
        assert caught.value.message == (
            f"The manifest contains contradictions:\n  {SERIAL} is node of barn, which names this device ({ONE}) as a "
            "gateway"
        )
        assert caught.value.hint == "Correct role or gateways, then run again."
        assert resolve_ids(manifest, {SERIAL: device_id(3)}).devices[0].id == device_id(3)
