# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The environment variables of devices in manifests and tables: their values, and every mistake with its place."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import ColumnOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table

ONE = device_id(1)


def read_variables(environment: Any) -> dict[str, str | None]:
    """Return the variables of a device in a manifest."""
    (record,) = read_manifest({"product": "p", "devices": [{"id": ONE, "environment": environment}]}).devices
    return dict(record.environment)


def find_mistakes(environment: Any, **more: Any) -> list[str]:
    """Return the mistakes of a manifest with one device, one sentence each."""
    with pytest.raises(ParticleError) as caught:
        read_manifest({"product": "p", "devices": [{"id": ONE, "environment": environment, **more}]})
    assert caught.value.code == "invalid_manifest"
    _unused, *sentences = caught.value.message.replace(" mistake: ", " mistake:\n  ").split("\n  ")
    return sentences


def test_numbers_and_booleans_become_text() -> None:
    declared = {"A": "a b", "B": 30, "C": 1.5, "D": True, "E": False, "F": "", "_G1": "two\nlines"}
    assert read_variables(declared) == {
        "A": "a b",
        "B": "30",
        "C": "1.5",
        "D": "true",
        "E": "false",
        "F": "",
        "_G1": "two\nlines",
    }


def test_state_absent_removes_a_variable() -> None:
    assert read_variables({"A": {"state": "absent"}}) == {"A": None}
    assert read_variables({}) == {}


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("poll_s", "'poll_s' is not a valid name"),
        ("1A", "'1A' is not a valid name"),
        ("PARTICLE_ID", "PARTICLE_ID is reserved"),
        (7, "must be a string; put it in quotes"),
    ],
)
def test_invalid_name_is_a_mistake(name: Any, phrase: str) -> None:
    (sentence,) = find_mistakes({name: "1"})
    assert f"environment.{name}: {phrase}" in sentence
    assert f"environment.{name}: {phrase}" in find_mistakes({name: {"state": "absent"}})[0]


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (None, "must be a text, number or boolean, got nothing; declare {state: absent} to remove the variable"),
        (["a"], "must be a text, number or boolean, got a list"),
        (datetime.date(2026, 1, 1), "must be a text, number or boolean, got a date; put it in quotes"),
        (float("nan"), "must be a text, number or boolean, got a number"),
        ({"value": "a"}, "is a mapping; declare a value, or {state: absent} to remove the variable"),
        ({"state": "absent", "value": "a"}, "is a mapping"),
        ({"state": "present"}, "is a mapping"),
    ],
)
def test_invalid_value_is_a_mistake(value: Any, phrase: str) -> None:
    (sentence,) = find_mistakes({"A": value})
    assert f"environment.A: {phrase}" in sentence


@pytest.mark.parametrize("value", ["A=1", ["A"], None, 7])
def test_environment_must_be_a_mapping(value: Any) -> None:
    (sentence,) = find_mistakes(value)
    assert "environment: must be a mapping from the names of variables to their values, got" in sentence


def test_limits_of_one_device_are_mistakes() -> None:
    (sentence,) = find_mistakes({f"V{number}": "" for number in range(101)})
    assert "environment: 101 variables are more than the 100 that the cloud accepts" in sentence
    (sentence,) = find_mistakes({"A": "x" * 16_384})
    assert "environment: the variables have 16,392 bytes as JSON, but the cloud accepts at most 16,384" in sentence
    (sentence,) = find_mistakes({"A": "\ud800" * 6_000})
    assert "environment: the variables have 18,008 bytes as JSON" in sentence
    removed: Any = {f"V{number}": {"state": "absent"} for number in range(101)}
    assert len(read_variables(removed)) == 101


def test_denied_device_cannot_have_variables() -> None:
    (sentence,) = find_mistakes({"A": "1"}, approval="denied")
    assert "approval: is denied, which cannot be combined with environment" in sentence


def test_all_mistakes_of_a_file_have_their_lines() -> None:
    text = f"product: p\ndevices:\n  - id: {ONE}\n    environment:\n      a: 1\n      B:\n      C: {{}}\n      D: 4\n"
    with pytest.raises(ParticleError) as caught:
        read_manifest(*parse_yaml(text, "fleet.yml"))
    places = [sentence.partition(": ")[0] for sentence in caught.value.message.split("\n  ")[1:]]
    assert places == [
        "fleet.yml:5 devices[0].environment.a",
        "fleet.yml:6 devices[0].environment.B",
        "fleet.yml:7 devices[0].environment.C",
    ]


def test_variables_require_a_product() -> None:
    with pytest.raises(ParticleError, match=r"devices\[0\].environment: requires a product") as caught:
        read_manifest({"devices": [{"id": ONE, "environment": {"A": "1"}}]})
    assert caught.value.code == "unsupported"


# --- tables ---


def test_each_variable_has_a_column_in_a_table() -> None:
    text = f"id,environment.POLL_S,Environment.DEBUG\n{ONE},30,\n{device_id(2)},030,TRUE\n"
    data, _unused = parse_device_table(text, "fleet.csv")
    assert [device.get("environment") for device in data["devices"]] == [
        {"POLL_S": "30"},
        {"POLL_S": "030", "DEBUG": "TRUE"},
    ]


def test_column_can_be_mapped_to_a_variable() -> None:
    options = ColumnOptions({"Interval": "environment.POLL_S"})
    data, _unused = parse_device_table(f"id,Interval\n{ONE},30\n", "fleet.csv", options)
    assert data["devices"] == [{"id": ONE, "environment": {"POLL_S": "30"}}]


@pytest.mark.parametrize(
    ("header", "phrase"),
    [
        ("environment.", "column environment. has no variable name after the last dot"),
        ("environment", "unknown column environment"),
    ],
)
def test_column_without_the_name_of_a_variable_is_refused(header: str, phrase: str) -> None:
    with pytest.raises(ParticleError) as caught:
        parse_device_table(f"id,{header}\n{ONE},1\n", "fleet.csv")
    assert phrase in caught.value.message


def test_invalid_variable_of_a_table_has_its_line_and_column() -> None:
    data, where = parse_device_table(f"id,environment.poll\n{ONE},1\n", "fleet.csv")
    with pytest.raises(ParticleError, match=r"fleet.csv:2 environment.poll: 'poll' is not a valid name"):
        read_manifest({"product": "p", **data}, where, items="rows")
