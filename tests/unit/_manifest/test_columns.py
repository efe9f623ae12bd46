# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A CSV table is read as a manifest with one row for each device."""

from __future__ import annotations

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import parse_device_table
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def mistakes(text: str) -> list[str]:
    """Return the mistakes of a table of a product, one sentence each."""

    def read() -> None:
        data, where = parse_device_table(text, "fleet.csv")
        read_manifest({"product": "p", **data}, where)

    with pytest.raises(ParticleError) as caught:
        read()
    assert caught.value.code == "invalid_manifest"
    return caught.value.message.split("\n  ")[1:]


def test_columns_are_read_like_the_keys_of_a_manifest() -> None:
    text = (
        "serial_number,name,notes,groups,development,firmware_lock,claimed,mesh.network,mesh.role\n"
        "P046AB1,a,north wall,north;beta,no,42,yes,barn,gateway\n"
    )
    data, _unused = parse_device_table(text, "fleet.csv")
    assert data == {
        "devices": [
            {
                "serial_number": "P046AB1",
                "name": "a",
                "notes": "north wall",
                "groups": ["north", "beta"],
                "development": False,
                "firmware_lock": "42",
                "claimed": True,
                "mesh": {"network": "barn", "role": "gateway"},
            }
        ],
        "networks": {"barn": {}},
    }


def test_member_parameters_have_a_column_each_and_stay_text() -> None:
    head = "serial_number,mesh.network,mesh.parameters.join_key,mesh.parameters.channel"
    data, _unused = parse_device_table(f"{head}\nP046AB1,barn,007,15\nP046AB2,barn,,\n", "fleet.csv")
    assert [device["mesh"] for device in data["devices"]] == [
        {"network": "barn", "parameters": {"join_key": "007", "channel": "15"}},
        {"network": "barn"},
    ]


@pytest.mark.parametrize(
    ("head", "cells"), [("mesh.parameters", "hush"), ("mesh.parameters,mesh.parameters.key", "hush,hush")]
)
def test_parameter_column_without_a_name_is_refused_without_its_value(head: str, cells: str) -> None:
    text = f"id,mesh.network,mesh.role,{head}\n{ONE},barn,gateway,{cells}\n"
    assert mistakes(text) == ["fleet.csv:2 mesh.parameters: must be a mapping, got a string"]


def test_member_parameter_without_a_network_is_refused() -> None:
    assert mistakes(f"id,mesh.network,mesh.parameters.key\n{ONE},,hush\n") == ["fleet.csv:2 mesh: has no network"]


def test_empty_cell_declares_nothing() -> None:
    data, _unused = parse_device_table(f"id,name,groups,mesh.network\n{ONE},,,\n", "fleet.csv")
    assert data == {"devices": [{"id": ONE}]}


def test_missing_cells_of_a_short_row_declare_nothing() -> None:
    data, _unused = parse_device_table(f"id,name\n{ONE}\n", "fleet.csv")
    assert data == {"devices": [{"id": ONE}]}


def test_empty_lines_are_skipped() -> None:
    data, _unused = parse_device_table(f"id\n\n{ONE}\n,\n", "fleet.csv")
    assert data["devices"] == [{"id": ONE}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_detected_in_the_first_line(delimiter: str) -> None:
    text = delimiter.join(("id", "name")) + "\n" + delimiter.join((ONE, "a")) + "\n"
    assert parse_device_table(text, "fleet.csv")[0]["devices"] == [{"id": ONE, "name": "a"}]


def test_byte_order_mark_and_crlf_line_ends_are_ignored() -> None:
    assert parse_device_table(f"\ufeffid,name\r\n{ONE},a\r\n", "fleet.csv")[0]["devices"] == [{"id": ONE, "name": "a"}]


def test_quoted_cell_may_contain_line_breaks_commas_and_quotes() -> None:
    data, _unused = parse_device_table(f'id,notes\n{ONE},"two\nlines, and a ""word"""\n', "fleet.csv")
    assert data["devices"][0]["notes"] == 'two\nlines, and a "word"'


def test_firmware_version_may_be_unlocked() -> None:
    data, _unused = parse_device_table(f"id,firmware_lock\n{ONE},unlocked\n", "t.csv")
    assert data["devices"][0]["firmware_lock"] == "unlocked"


def test_mistakes_have_their_line_even_after_a_cell_of_two_lines() -> None:
    text = f'id,notes,development,groups\n{ONE},"two\nlines",,\ne00f,,maybe,North\n{TWO},,,\n{ONE},,,\n'
    assert mistakes(text) == [
        "fleet.csv:4 id: 'e00f' is not a device id (24 hexadecimal digits)",
        "fleet.csv:4 development: must be true or false, got a string",
        "fleet.csv:4 groups[0]: 'North' is not a valid group name: use only a-z, 0-9, _ and -",
        f"fleet.csv:6 id: '{ONE}' is already used at fleet.csv:2 id",
    ]


def test_unknown_column_is_reported_for_the_rows_that_use_it() -> None:
    (sentence,) = mistakes(f"id,colour\n{ONE},red\n{TWO},\n")
    assert sentence.startswith("fleet.csv:2 colour: unknown key; valid keys are id, ")


def test_invalid_table_is_reported() -> None:
    assert mistakes(f"id,,name,name,mesh.parameters.\n{ONE},a,b,c,d,e\n") == [
        "fleet.csv:1 column 2 has no name",
        "fleet.csv:1 column mesh.parameters. has no parameter name after the last dot",
        "fleet.csv:1 duplicate column name",
        "fleet.csv:2 has 6 cells, but the first line has 5",
    ]
    (sentence,) = mistakes(f'id,name\n{ONE},"open\n')
    assert sentence.startswith("fleet.csv:")


def test_network_without_a_gateway_is_reported() -> None:
    (sentence,) = mistakes(f"id,mesh.network\n{ONE},barn\n")
    assert sentence == (
        "fleet.csv:1 networks.barn: has nodes but no gateway; declare role gateway for one of its devices"
    )


def test_empty_file_declares_no_devices() -> None:
    assert parse_device_table("", "fleet.csv")[0] == {"devices": []}
