# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A table, or a list of ids and labels, is read as a manifest with one device for each row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import (
    ColumnOptions,
    read_column_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def read_devices(text: str, name: str = "fleet.csv", **options: Any) -> list[dict[str, Any]]:
    """Return the devices of a table.

    :param options: the arguments of `ColumnOptions`.
    """
    data, _unused = parse_device_table(text, name, ColumnOptions(**options))
    devices: list[dict[str, Any]] = data["devices"]
    return devices


def mistakes(text: str, name: str = "fleet.csv", **options: Any) -> list[str]:
    """Return the mistakes of a table of a product, one sentence each."""

    def read() -> None:
        data, where = parse_device_table(text, name, ColumnOptions(**options))
        read_manifest({"product": "p", **data}, where, items="rows")

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


def test_parameter_column_without_a_name_is_refused_without_its_value() -> None:
    (sentence,) = mistakes(f"id,mesh.network,mesh.role,mesh.parameters\n{ONE},barn,gateway,hush\n")
    assert sentence.startswith("fleet.csv:1 the header: unknown column mesh.parameters;")
    assert "hush" not in sentence


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


def test_unknown_columns_are_refused_once_with_the_remedy() -> None:
    rows = "".join(f"{device_id(index)},1,ok,a\n" for index in range(1, 1001))
    (sentence,) = mistakes(f"id,Box,QC Result,nmae\n{rows}")
    assert sentence.startswith(
        "fleet.csv:1 the header: unknown columns Box, QC Result, nmae (did you mean name?); to ignore, set "
        'ignore_columns: ["Box", "QC Result", "nmae"]; to use a column, map it, for example columns: {"Box": notes}; '
        "valid columns are id, serial_number, "
    )


@pytest.mark.parametrize(("count", "suggested"), [(30, 30), (80, 50)])
def test_all_unknown_columns_of_a_table_can_be_ignored_at_once(count: int, suggested: int) -> None:
    others = [f"Test {number}" for number in range(count)]
    (sentence,) = mistakes(f"id,{','.join(others)}\n{ONE}{',1' * count}\n")
    ignored = json.loads(sentence.partition("ignore_columns: ")[2].partition(";")[0])
    assert ignored == others[:suggested]


@pytest.mark.parametrize("options", [{"ignored": ["box", "QC Result"]}, {"mapping": {"Box": None, "QC_RESULT": None}}])
def test_columns_can_be_ignored(options: dict[str, Any]) -> None:
    assert read_devices(f"id,Box,QC Result\n{ONE},1,ok\n", **options) == [{"id": ONE}]


def test_column_of_punctuation_is_ignored_without_columns_of_no_name() -> None:
    text = f"#,,id\n1,a,{ONE}\n"
    assert mistakes(text, ignored=["#"]) == [
        'fleet.csv:1 the header: column 2 has no name; name it, or ignore it with ignore_columns: [""]'
    ]
    assert read_devices(text, ignored=["#", ""]) == [{"id": ONE}]
    assert read_devices(f"#,%,id\n1,2,{ONE}\n", mapping={"#": "notes", "%": None}) == [{"id": ONE, "notes": "1"}]


def test_columns_can_be_mapped_to_keys() -> None:
    text = "Nr. of series;Label;Net;Key\nP046AB1;barn 1;barn;007\n"
    mapping = {
        "nr of series": "serial_number",
        "Label": "name",
        "Net": "mesh.network",
        "Key": "mesh.parameters.join_key",
    }
    assert read_devices(text, mapping=mapping) == [
        {
            "serial_number": "P046AB1",
            "name": "barn 1",
            "mesh": {"network": "barn", "parameters": {"join_key": "007"}},
        }
    ]


def test_invalid_mapping_of_columns_is_refused() -> None:
    first, second = mistakes(f"id,Box\n{ONE},1\n", mapping={"Box": "nmae", "Carton": "notes"})
    assert first.startswith(
        "fleet.csv:1 the header: columns maps Box to 'nmae', which is not a valid column (did you mean name?); valid"
    )
    assert second == (
        "fleet.csv:1 the header: columns names 'Carton', which is not in the header; the header has id, Box"
    )


@pytest.mark.parametrize(
    ("columns", "ignored", "message"),
    [
        (["Box"], None, "columns must be a mapping from names of columns to keys, got a list."),
        (None, "Box", "ignore_columns must be a list of names of columns, got a string."),
    ],
)
def test_column_options_of_a_wrong_type_are_refused(columns: Any, ignored: Any, message: str) -> None:
    with pytest.raises(ParticleError, match=message):
        read_column_options(columns, ignored)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("DEVICEID", "id"), ("Device ID", "id"), ("device_id", "id"), ("ID", "id"), ("device-id", "id"),
        ("Serial Number", "serial_number"), ("SERIAL-NUMBER", "serial_number"), ("Serial No.", "serial_number"),
        ("ICCID", "iccid"), ("IMEI", "imei"), (" Imei ", "imei"),
    ],
)  # fmt: skip
def test_identifier_columns_have_many_spellings(header: str, key: str) -> None:
    value = {"id": ONE, "serial_number": "P046AB1", "iccid": "8" * 20, "imei": "352753000000001"}[key]
    assert read_devices(f"{header}\n{value}\n") == [{key: value}]


@pytest.mark.parametrize(
    ("header", "key"),
    [("NAME", "name"), ("Device Name", "name"), ("Notes", "notes"), ("Mesh Network", "mesh"), ("Groups", "groups")],
)
def test_other_columns_have_many_spellings(header: str, key: str) -> None:
    (device,) = read_devices(f"id,{header}\n{ONE},a\n")
    assert key in device


@pytest.mark.parametrize(
    "header", ["Firmware Version", "FIRMWARE_LOCK", "Approval", "Claimed", "Development", "firmware-version"]
)
def test_column_of_a_setting_must_be_exact_or_mapped(header: str) -> None:
    text = f"id,{header}\n{ONE},7\n{TWO},7\n"
    (sentence,) = mistakes(text)
    ignore = f'unknown column {header}; to ignore, set ignore_columns: ["{header}"]; to use a column, map it'
    assert ignore in sentence
    assert read_devices(text, mapping={header: "firmware_lock"})[0] == {"id": ONE, "firmware_lock": "7"}
    assert read_devices(text, ignored=[header]) == [{"id": ONE}, {"id": TWO}]


def test_mistake_in_a_renamed_column_names_its_header() -> None:
    assert mistakes("DEVICEID,NAME\ne00f,a\n") == [
        "fleet.csv:2 id (column DEVICEID): 'e00f' is not a device id (24 hexadecimal digits)"
    ]


def test_two_columns_for_one_key_are_refused() -> None:
    (sentence,) = mistakes(f"id,Device ID,name\n{ONE},{ONE},a\n")
    assert sentence == (
        "fleet.csv:1 the header: columns id and Device ID are both id; ignore one, for example with ignore_columns: "
        '["Device ID"]'
    )


def test_table_without_a_column_for_identifiers_is_refused_once() -> None:
    assert mistakes("name,notes\na,b\nc,d\n") == [
        "fleet.csv:1 the header: no column identifies the devices; add one of id, serial_number, iccid, imei, eui64"
    ]


@pytest.mark.parametrize("value", [ONE, ONE.upper(), "8" * 20, "352753000000001"])
def test_table_without_a_header_is_refused_as_such(value: str) -> None:
    (sentence,) = mistakes(f"{value},name1\n{TWO},name2\n")
    assert sentence.startswith(f"fleet.csv:1 the header: has no header: {value} is the value of a device")


def test_invalid_table_is_reported() -> None:
    assert mistakes(f"id,,name,name,mesh.parameters.\n{ONE},a,b,c,d,e\n{TWO},a,b,c,d,e\n") == [
        'fleet.csv:1 the header: column 2 has no name; name it, or ignore it with ignore_columns: [""]',
        "fleet.csv:1 the header: column mesh.parameters. has no parameter name after the last dot",
        "fleet.csv:1 the header: duplicate column name",
        "fleet.csv:2 the row: has 6 cells, but the header has 5 (on 2 rows, first at line 2)",
    ]


def test_column_without_name_and_cells_is_ignored() -> None:
    assert read_devices(f"id,,name\n{ONE},,a\n") == [{"id": ONE, "name": "a"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file fleet.csv is empty."),
        ("\ufeff\r\n \r\n", "The file fleet.csv is empty."),
        ("id,name\r\n,\r\n", "The file fleet.csv has a header, but no devices."),
    ],
)
def test_table_without_devices_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParticleError) as caught:
        parse_device_table(text, "fleet.csv")
    assert (caught.value.code, caught.value.message) == ("invalid_manifest", message)


def test_damage_by_a_spreadsheet_is_named_once() -> None:
    (sentence,) = mistakes("iccid\n8.90141E+19\n8.90142E+19\n")
    assert sentence == (
        "fleet.csv:2 iccid: '8.90141E+19' is a number that a spreadsheet such as Excel has shortened, so its last "
        "digits are lost; export the file again from its source, and open it with this column as text "
        "(on 2 rows, first at line 2; also '8.90142E+19' at line 3)"
    )


@pytest.mark.parametrize("cell", ["'89014103000000000001", '="89014103000000000001"', '"=""89014103000000000001"""'])
def test_marks_of_a_text_are_removed_from_labels(cell: str) -> None:
    assert read_devices(f"iccid\n{cell}\n") == [{"iccid": "89014103000000000001"}]


class TestIdList:
    """A text file has one id or label per line, or is a table."""

    def test_kind_of_each_entry_is_found_by_its_form(self) -> None:
        text = f"{ONE}\r\n\r\n{'8' * 20}\r\n352753000000001\r\nb40hab000000001\r\n"
        assert read_devices(text, "list.txt") == [
            {"id": ONE}, {"iccid": "8" * 20}, {"imei": "352753000000001"}, {"serial_number": "b40hab000000001"}
        ]  # fmt: skip

    def test_damaged_entries_are_reported_with_their_line(self) -> None:
        assert mistakes(f"{ONE}\n\n{ONE[:-1]}\n8.9E+19\n", "list.txt") == [
            f"list.txt:3 id: '{ONE[:-1]}' is not a device id (24 hexadecimal digits)",
            "list.txt:4 id: '8.9E+19' is a number that a spreadsheet such as Excel has shortened, so its last digits "
            "are lost; export the file again from its source, and open it with this column as text",
        ]

    @pytest.mark.parametrize("text", [f"id\tname\n{ONE}\ta\n", f"id,name\n{ONE},a\n"])
    def test_table_with_the_extension_of_a_text_is_a_table(self, text: str) -> None:
        assert read_devices(text, "list.txt") == [{"id": ONE, "name": "a"}]

    def test_list_may_begin_with_the_name_of_its_only_column(self) -> None:
        assert read_devices(f"Device ID\n{ONE}\n", "list.txt") == [{"id": ONE}]

    def test_name_of_the_only_column_can_be_mapped(self) -> None:
        text = "Barcode\nP046AB000000001\n"
        devices = read_devices(text, "list.txt", mapping={"barcode": "serial_number"})
        assert devices == [{"serial_number": "P046AB000000001"}]

    @pytest.mark.parametrize("ignored", [[], ["Barcode"]])
    def test_unknown_name_of_the_only_column_is_refused(self, ignored: list[str]) -> None:
        with pytest.raises(ParticleError, match=r"list\.txt:2 'Barcode' looks like the name of a column") as refused:
            parse_device_table("\nBarcode\nP046AB000000001\n", "list.txt", ColumnOptions({}, ignored))
        assert refused.value.hint is not None
        assert 'columns: {"Barcode": serial_number}' in refused.value.hint

    def test_empty_list_is_refused(self) -> None:
        with pytest.raises(ParticleError, match=r"The file list\.txt is empty"):
            parse_device_table("\n", "list.txt")


def test_network_without_a_gateway_is_reported() -> None:
    (sentence,) = mistakes(f"id,mesh.network\n{ONE},barn\n")
    assert sentence == (
        "fleet.csv:1 networks.barn: has nodes but no gateway; declare role gateway for one of its devices"
    )


def test_replaced_device_has_a_column() -> None:
    text = "id,replaces\ne00fce68aabbccddeeff0022,pump\ne00fce68aabbccddeeff0023,\n"
    devices = parse_device_table(text, "fleet.csv")[0]["devices"]
    assert [device.get("replaces") for device in devices] == ["pump", None]
