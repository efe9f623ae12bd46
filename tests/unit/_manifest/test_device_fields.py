# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Every row of ``DEVICE_FIELDS`` defines a field of a device, everywhere in the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec
from typing import Any

import pytest
import yaml
from fleet_cloud import DEVICES, PRODUCT, client, device_id, row, run, script

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest import device_fields
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    DEVICE_FIELDS,
    FIRMWARE_LOCK,
    FLAG,
    TEXT,
    DeviceField,
    StoredField,
    StoredKind,
    Value,
    build_put_body,
    check_fields,
    export_fields,
    is_different,
    observe_fields,
    read_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.export import export_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table
from support.scripted import ScriptedCloud

ONE = device_id(1)
QUOTES = "; put it in quotes, or add the filter '| string' if it comes from a template"
LOCK = "here.firmware_lock: must be a version number from 1 to 65534 or unlocked, got "
BOOL = "; remove the quotes, or add the filter '| bool' if it comes from a template"
PUT = "PUT /v1/products/:p/devices/:id"
FULL_ROW = {"name": "barn", "notes": "north wall", "development": True, "desired_firmware_version": 42, "online": True}


def test_observed_fields_have_the_names_of_the_manifest() -> None:
    assert observe_fields(FULL_ROW) == {
        "name": "barn",
        "notes": "north wall",
        "development": True,
        "firmware_lock": 42,
    }


def test_omitted_fields_are_not_observed() -> None:
    assert observe_fields({"name": "barn", "id": "e00f"}) == {"name": "barn"}


@pytest.mark.parametrize(
    ("shown", "observed"),
    [
        ({"name": None, "notes": None}, {"name": None, "notes": None}),
        ({"name": 7}, {"name": "7"}),
        ({"development": None}, {"development": False}),
        ({"development": "yes"}, {"development": False}),
        ({"desired_firmware_version": None}, {"firmware_lock": "unlocked"}),
        ({"desired_firmware_version": True}, {"firmware_lock": "unlocked"}),
        ({"desired_firmware_version": 0}, {"firmware_lock": 0}),
        ({"desired_firmware_version": "42"}, {"firmware_lock": 42}),
        ({"desired_firmware_version": "null"}, {"firmware_lock": "unlocked"}),
    ],
)
def test_unusual_values_of_the_cloud_are_normalized(shown: dict[str, Any], observed: dict[str, Any]) -> None:
    assert observe_fields(shown) == observed


def test_put_body_has_the_field_names_of_the_cloud() -> None:
    fields: dict[str, Value] = {"name": "barn", "notes": "", "development": False, "firmware_lock": 42}
    assert build_put_body(fields) == {"name": "barn", "notes": "", "development": False, "desired_firmware_version": 42}


def test_put_body_keeps_the_order_of_the_fields() -> None:
    assert list(build_put_body({"notes": "b", "name": "a"})) == ["notes", "name"]


def test_unlocked_removes_the_lock_but_is_also_a_valid_device_name() -> None:
    fields: dict[str, Value] = {"name": "unlocked", "firmware_lock": "unlocked"}
    assert build_put_body(fields) == {"name": "unlocked", "desired_firmware_version": None}


@pytest.mark.parametrize(
    ("declared", "observed", "expected"),
    [("a", "a", False), ("a", "b", True), ("a", None, True), ("", None, False), (False, None, True), (42, 42, False)],
)
def test_is_different_treats_missing_text_as_empty(declared: Value, observed: Value | None, expected: bool) -> None:
    assert is_different(declared, observed) is expected


@pytest.mark.parametrize(
    ("declared", "mistake"),
    [
        ({"name": "barn", "notes": " ", "development": True, "firmware_lock": 1}, None),
        ({"firmware_lock": "unlocked", "colour": 1}, None),
        ({"name": " "}, "here.name: is empty"),
        ({"name": 7}, "here.name: must be a string, got the number 7" + QUOTES),
        ({"development": "no"}, "here.development: must be true or false, got a string" + BOOL),
        (
            {"firmware_lock": -1},
            LOCK + "-1",
        ),
        (
            {"firmware_lock": True},
            LOCK + "True",
        ),
        (
            {"firmware_lock": "latest"},
            LOCK + "'latest'",
        ),
        (
            {"firmware_lock": 65536},
            LOCK + "65536",
        ),
        (
            {"firmware_lock": "65536"},
            LOCK + "'65536'",
        ),
        ({"firmware_lock": 65_534}, None),
        ({"firmware_lock": 0}, LOCK + "0"),
        ({"firmware_lock": 65_535}, LOCK + "65535"),
        (
            {"firmware_lock": 42.0},
            LOCK + "42.0; write it without a decimal point or exponent, or add the filter '| int' if it comes from a "
            "template",
        ),
        ({"name": "a\nb"}, "here.name: contains the control character U+000A; remove it"),
        ({"name": "b\u0007"}, "here.name: contains the control character U+0007; remove it"),
        ({"notes": "a\nb"}, None),
        ({"replaces": " "}, "here.replaces: is empty; declare the id, a label or the name of the replaced device"),
        (
            {"replaces": {"environment": True}},
            "here.replaces: has no device; declare the id, a label or the name of the replaced device",
        ),
        (
            {"replaces": {"device": "pump", "environment": "no"}},
            "here.replaces.environment: must be true or false, got a string" + BOOL,
        ),
    ],
)
def test_invalid_field_is_reported_with_its_place(declared: dict[str, Any], mistake: str | None) -> None:
    reader = ValueReader(format_place)
    fields = check_fields(reader, declared, ("here",))
    assert reader.mistakes == ([] if mistake is None else [mistake])
    if mistake is None:
        assert fields == {name: value for name, value in declared.items() if name != "colour"}


def test_only_given_options_become_declared_fields() -> None:
    options = {"name": "7", "notes": None, "development": False, "firmware_lock": "42", "id": ONE}
    assert read_options(options) == {"name": "7", "development": False, "firmware_lock": "42"}


@pytest.mark.parametrize("version", [42, "42"])
def test_version_may_be_a_number_or_a_string_of_digits(version: Any) -> None:
    reader = ValueReader(format_place)
    assert check_fields(reader, {"firmware_lock": version}, ()) == {"firmware_lock": 42}
    assert reader.mistakes == []


@pytest.mark.parametrize(
    ("facts", "exported"),
    [
        (FULL_ROW, {"name": "barn", "notes": "north wall", "development": True, "firmware_lock": 42}),
        ({"name": " ", "notes": " ", "desired_firmware_version": 1}, {"notes": " ", "firmware_lock": 1}),
        ({"desired_firmware_version": 0}, {}),
        ({"desired_firmware_version": 65_535}, {}),
        ({"name": None, "notes": "", "development": False, "desired_firmware_version": None}, {}),
        ({}, {}),
    ],
)
def test_export_omits_the_values_of_a_new_device(facts: dict[str, Any], exported: dict[str, Any]) -> None:
    anywhere, in_product = (export_fields(facts, product_only=product_only) for product_only in (False, True))
    assert {**anywhere, **in_product} == exported
    assert set(anywhere) <= {"name", "notes"}
    assert set(in_product) <= {"development", "firmware_lock"}


@dataclass(frozen=True)
class Sample:
    """A field value in all forms that the tests need.

    :param cell: the value in a table.
    :param option: the argument spec of the module option.
    :param given: the value of the module option.
    :param shown: the value that the cloud shows for a new device.
    :param before: the value that the diff shows for a new device.
    :param sent: the value that the PUT sends.
    """

    kind: StoredKind
    value: Value
    cell: str
    option: Mapping[str, str]
    given: Any
    shown: Any
    before: Value | None
    sent: Any
    invalid: Any


SAMPLES = {
    "text": Sample(TEXT, "north", "north", {"type": "str"}, "north", None, None, "north", 7),
    "flag": Sample(FLAG, True, "Yes", {"type": "bool"}, True, False, False, True, "perhaps"),
    "lock": Sample(FIRMWARE_LOCK, 42, "42", {"type": "str"}, "42", None, "unlocked", 42, "latest"),
}


class TestAdditionalRow:
    """An additional row in ``DEVICE_FIELDS`` makes its field available everywhere."""

    @pytest.fixture(params=SAMPLES)
    def sample(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sample:
        """Add a row for the field ``site_label``, which the cloud calls ``siteLabel``."""
        sample = SAMPLES[request.param]
        extra = StoredField("site_label", "siteLabel", sample.kind, product_only=True)
        monkeypatch.setattr(device_fields, "DEVICE_FIELDS", (*DEVICE_FIELDS, extra))
        return sample

    def test_manifest_accepts_the_field(self, sample: Sample) -> None:
        (record,) = read_manifest(product_manifest(site_label=sample.value)).devices
        assert record.fields == {"site_label": sample.value}

    def test_manifest_refuses_an_invalid_value_of_the_field(self, sample: Sample) -> None:
        assert "devices[0].site_label: must be " in refusal(product_manifest(site_label=sample.invalid)).message

    def test_manifest_without_product_refuses_the_field(self, sample: Sample) -> None:
        error = refusal({"devices": [{"id": ONE, "site_label": sample.value}]})
        assert (error.code, "devices[0].site_label: requires a product" in error.message) == ("unsupported", True)

    def test_table_has_a_column_for_the_field(self, sample: Sample) -> None:
        data, _unused = parse_device_table(f"id,site_label\n{ONE},{sample.cell}\n", "fleet.csv")
        (record,) = read_manifest({"product": PRODUCT, **data}).devices
        assert record.fields == {"site_label": sample.value}

    def test_field_is_observed_compared_and_written(self, sample: Sample, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(ONE, siteLabel=sample.shown)])
        scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", json={})
        with client(scripted_cloud.url) as http:
            result = run(http, product_manifest(site_label=sample.value), verify="none")
            bodies = [request.json for request in http.sent if request.route == PUT]
        assert bodies == [{"siteLabel": sample.sent}]
        (changed,) = result["diff"].items
        assert (changed.key, changed.changes) == (ONE, {"site_label": (sample.before, sample.value)})

    def test_field_is_not_written_when_the_cloud_shows_its_value(
        self, sample: Sample, scripted_cloud: ScriptedCloud
    ) -> None:
        script(scripted_cloud, [row(ONE, siteLabel=sample.sent)])
        with client(scripted_cloud.url) as http:
            assert run(http, product_manifest(site_label=sample.value))["changed"] is False

    def test_field_missing_from_the_list_is_read_from_the_device(
        self, sample: Sample, scripted_cloud: ScriptedCloud
    ) -> None:
        script(scripted_cloud, [row(ONE)])
        scripted_cloud.answer("GET", f"{DEVICES}/{ONE}", json={"id": ONE, "siteLabel": sample.sent}, repeat=True)
        with client(scripted_cloud.url) as http:
            assert run(http, product_manifest(site_label=sample.value))["changed"] is False

    def test_export_declares_the_field(self, sample: Sample) -> None:
        devices = {ONE: build_facts({"id": ONE, "siteLabel": sample.sent}, PRODUCT)}
        manifest = export_manifest(PRODUCT, devices, [ONE], [].append)
        assert manifest["devices"] == [{"id": ONE, "site_label": sample.value}]
        assert read_manifest(manifest).devices[0].fields == {"site_label": sample.value}

    def test_export_omits_the_field_of_a_new_device(self, sample: Sample) -> None:
        devices = {ONE: build_facts({"id": ONE, "siteLabel": sample.shown}, PRODUCT)}
        assert export_manifest(PRODUCT, devices, [ONE], [].append)["devices"] == [{"id": ONE}]

    def test_module_device_has_an_option_for_the_field(self, sample: Sample) -> None:
        assert run_module("device")["SPEC"]["site_label"] == sample.option
        assert read_options({"site_label": sample.given}) == {"site_label": sample.given}

    def test_field_without_its_row_is_unknown(self) -> None:
        assert "devices[0].site_label: unknown key" in refusal(product_manifest(site_label="north")).message
        assert "site_label" not in run_module("device")["SPEC"]


@pytest.mark.parametrize("field", DEVICE_FIELDS, ids=lambda field: field.name)
def test_option_texts_cover_every_row(field: DeviceField) -> None:
    documented = yaml.safe_load(run_module("device")["DOCUMENTATION"])["options"][field.name]
    assert {key: documented[key] for key in ("type", "choices") if key in documented} == field.kind.option
    assert ("O(product)" in str(documented["description"])) is field.product_only
    key = yaml.safe_load(run_module("fleet")["DOCUMENTATION"])["options"]["devices"]["suboptions"][field.name]
    assert ("O(product)" in str(key["description"])) is field.product_only


def product_manifest(**declared: Any) -> dict[str, Any]:
    """Return the manifest of a product with one device."""
    return {"product": PRODUCT, "devices": [{"id": ONE, **declared}]}


def refusal(manifest: Mapping[str, Any]) -> ParticleError:
    """Return the error that a manifest is refused with."""
    with pytest.raises(ParticleError) as caught:
        read_manifest(manifest)
    return caught.value


def run_module(name: str) -> dict[str, Any]:
    """Run the file of a module, as its first import does, and return the names that it defines."""
    found = find_spec(f"ansible_collections.meshfleet.particle.plugins.modules.{name}")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return vars(module)
