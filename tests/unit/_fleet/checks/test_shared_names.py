# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test how names are compared: between devices, and between the manifest and a cloud that changes them."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from fleet_cloud import DEVICES, PRODUCT, client, device_id, row, run, script

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table
from support.scripted import ScriptedCloud

OLD, ONE, TWO = (device_id(number) for number in (9, 1, 2))
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Caf\u00e9") for form in ("NFC", "NFD"))


def declare(*names: str, **top: Any) -> dict[str, Any]:
    devices = [{"id": device_id(number), "name": name} for number, name in enumerate(names, 1)]
    return {"product": PRODUCT, "devices": devices, **top}


@pytest.mark.parametrize("undeclared", ["report", "ignore"])
def test_name_of_an_undeclared_device_is_a_warning(scripted_cloud: ScriptedCloud, undeclared: str) -> None:
    script(scripted_cloud, [row(ONE), row(OLD, name="barn")])
    scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", json={})
    warnings: list[str] = []
    with client(scripted_cloud.url) as http:
        run(http, declare("barn", undeclared=undeclared), verify="none", warnings=warnings)
    assert any(f"does not declare: barn ({ONE} and {OLD})" in warning for warning in warnings)


def test_names_of_declared_devices_cause_no_warning(scripted_cloud: ScriptedCloud) -> None:
    script(scripted_cloud, [row(ONE, name="b"), row(TWO, name="a")])
    for device in (ONE, TWO):
        scripted_cloud.answer("PUT", f"{DEVICES}/{device}", json={})
    warnings: list[str] = []
    with client(scripted_cloud.url) as http:
        run(http, declare("a", "b"), verify="none", warnings=warnings)
    assert warnings == []


@pytest.mark.parametrize("shown", [COMPOSED, DECOMPOSED, f" {COMPOSED} "])
def test_name_that_the_cloud_composes_or_trims_is_not_written_again(scripted_cloud: ScriptedCloud, shown: str) -> None:
    script(scripted_cloud, [row(ONE, name=shown, notes=f"{shown}\n")])
    data = declare(DECOMPOSED)
    data["devices"][0]["notes"] = DECOMPOSED
    with client(scripted_cloud.url) as http:
        assert run(http, data)["changed"] is False
        assert http.writes == []


def test_persistent_difference_is_reported_with_both_values(scripted_cloud: ScriptedCloud) -> None:
    script(scripted_cloud, [row(ONE, name="barn-gate")])
    scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", json={}, repeat=True)
    with client(scripted_cloud.url) as http:
        (device,) = run(http, declare("barn-gateway"))["devices"]
    assert "name is 'barn-gate' instead of 'barn-gateway'" in device["error"]["message"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("barn\u200b", "contains the invisible character U+200B"),
        ("\u202ebarn", "contains the invisible character U+202E"),
        ("barn\ufeff", "contains the invisible character U+FEFF"),
        ("ba\u200drn", "contains the invisible character U+200D"),
        ("n" * 300, "has 300 characters; use at most 255"),
    ],
)
def test_name_that_cannot_be_seen_is_refused_in_every_form(name: str, fault: str) -> None:
    table, _unused = parse_device_table(f"id,name\n{ONE},{name}\n", "fleet.csv")
    for data in (declare(name), {"product": PRODUCT, **table}):
        with pytest.raises(ParticleError) as caught:
            read_manifest(data)
        assert fault in caught.value.message


@pytest.mark.parametrize("name", [" barn", "barn ", "\tbarn", "barn\u00a0"])
def test_name_with_blank_space_at_its_ends_is_refused(name: str) -> None:
    with pytest.raises(ParticleError, match=r"blank space|control character"):
        read_manifest(declare(name))


@pytest.mark.parametrize("name", ["barn door", "K\u00fche", "\U0001f469\u200d\U0001f527", "x" * 255])
def test_name_of_visible_characters_is_valid(name: str) -> None:
    assert read_manifest(declare(name)).devices[0].fields == {"name": name}


def test_names_that_look_alike_are_duplicates() -> None:
    with pytest.raises(ParticleError, match="is already used at"):
        read_manifest(declare(COMPOSED, DECOMPOSED))
