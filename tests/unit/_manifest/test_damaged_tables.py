# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Tables that programs and people have damaged are refused once, with the cause and the remedy."""

from __future__ import annotations

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table

ONE, TWO = device_id(1), device_id(2)
ICCID = "89014103000000000001"
FULL_WIDTH = {ord(character): ord(character) + 0xFEE0 for character in "0123456789abcdef"}


def mistakes(text: str, name: str = "t.csv") -> list[str]:
    """Return the mistakes of a table of a product, one sentence each."""

    def read() -> None:
        data, where = parse_device_table(text, name)
        read_manifest({"product": "p", **data}, where, items="rows")

    with pytest.raises(ParticleError) as caught:
        read()
    assert caught.value.code == "invalid_manifest"
    return caught.value.message.split("\n  ")[1:]


@pytest.mark.parametrize("title", ["Batch 0711 of Acme", "Export; 2026-01-01", "# new", "Batch,,", '"Batch\n0711"'])
@pytest.mark.parametrize("row", [f"id,name\n{ONE},a", f"Box;Serial No\n1;{ICCID}"])
def test_header_after_a_title_is_named(title: str, row: str) -> None:
    line = 1 + len(title.splitlines())
    assert mistakes(f"{title}\n{row}\n{TWO},b\n") == [
        f"t.csv:1 the header: seems to be in line {line}, and not in this line; remove the lines before line {line}"
    ]


@pytest.mark.parametrize("delimiter", ["|", " ", "  ", "~"])
def test_unknown_delimiter_is_named(delimiter: str) -> None:
    (sentence,) = mistakes(f"id{delimiter}name\n{ONE}{delimiter}a\n")
    assert sentence.startswith("t.csv:1 the header: has no commas, semicolons or tabs between its columns; save")


@pytest.mark.parametrize("pair", ["serial_number=P046AB1", "SN: P046AB1"])
def test_names_of_columns_in_each_cell_are_named(pair: str) -> None:
    (sentence,) = mistakes(f"{pair};Box=7\n{pair};Box=8\n")
    assert sentence == (
        f"t.csv:1 the header: has the name of a column beside a value, as in {pair!r}; "
        "write the names in a first line instead"
    )


def test_serial_number_in_the_first_line_is_a_missing_header() -> None:
    (sentence,) = mistakes("P046AB100000001,a\nP046AB100000002,b\n")
    assert sentence.startswith("t.csv:1 the header: has no header: P046AB100000001 is the value of a device")


@pytest.mark.parametrize("text", ['{"id": "a"}\n{"id": "b"}\n', '["a",\n"b"]', "---\na: b\n", "# id,x\ndevices: [a]\n"])
@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
def test_json_and_yaml_are_not_read_as_tables(text: str, name: str) -> None:
    with pytest.raises(ParticleError, match=rf"The file {name} is YAML or JSON, not a table"):
        parse_device_table(text, name)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (f"0x{ONE}", "has other characters than letters and digits; remove spaces, punctuation and a prefix"),
        (f"{ONE[:8]} {ONE[8:]}", "has other characters than letters and digits"),
        (f"{ONE[:8]}-{ONE[8:]}", "has other characters than letters and digits"),
        (f"\u200b{ONE}", "has other characters than letters and digits"),
        (ONE.translate(FULL_WIDTH), "has other characters than letters and digits"),
        ("1.2E+23", "is a number that a spreadsheet such as Excel has shortened"),
        ("1.2e23", "is a number that a spreadsheet such as Excel has shortened"),
        ("123456789012345678901234.0", "was read as a decimal number by another program"),
        ("#N/A", "is an error that a spreadsheet shows instead of a value"),
    ],
)
def test_cause_of_a_damaged_id_is_named(cell: str, words: str) -> None:
    (sentence,) = mistakes(f"id\n{cell}\n")
    assert sentence.startswith(f"t.csv:2 id: {cell!r} {words}")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("iccid", f"{ICCID[:19]}F", "ends with the filler F, which is not a digit of an ICCID; remove the F"),
        ("iccid", "8901 4103 0000 0000 0001", "has other characters than letters and digits"),
        ("imei", "352753000000001.0", "was read as a decimal number by another program"),
        ("serial_number", "1234567.0", "was read as a decimal number by another program"),
        ("serial_number", "P046 AB1", "is not a valid serial number: 4 to 40 letters, digits and hyphens"),
    ],
)
def test_cause_of_a_damaged_label_is_named(column: str, cell: str, words: str) -> None:
    (sentence,) = mistakes(f"{column}\n{cell}\n")
    assert sentence.startswith(f"t.csv:2 {column}: {cell!r} {words}")


def test_error_of_a_spreadsheet_is_not_a_name() -> None:
    (sentence,) = mistakes(f"id,name\n{ONE},#NAME?\n{TWO},#REF!\n")
    assert sentence.startswith("t.csv:2 name: '#NAME?' is an error that a spreadsheet shows instead of a value")
    assert sentence.endswith("(on 2 rows, first at line 2; also '#REF!' at line 3)")


@pytest.mark.parametrize("entry", ["serial_number=P046AB1", "SN: P046AB1", f"{ONE} barn", f"1. {ONE}", "// new"])
def test_line_of_a_list_with_other_text_is_named(entry: str) -> None:
    assert mistakes(f"{ONE}\n{entry}\n", "t.txt") == [
        f"t.txt:2 the line: {entry!r} has more than an id or label; write one per line, or a table with a first line "
        "such as id,name"
    ]


def test_id_of_a_list_with_other_characters_has_its_kind() -> None:
    first, second = mistakes(f"- {ONE}\n8901 4103 0000 0000 0001\n", "t.txt")
    assert first.startswith(f"t.txt:1 id: '- {ONE}' has other characters")
    assert second.startswith("t.txt:2 iccid: '8901 4103 0000 0000 0001' has other characters")


@pytest.mark.parametrize("cell", ["42.0", "1e3", "1.5"])
def test_decimal_version_is_refused_with_the_remedy(cell: str) -> None:
    (sentence,) = mistakes(f"id,firmware_lock\n{ONE},{cell}\n")
    assert sentence.endswith(
        f"got {cell!r}; write it without a decimal point or exponent, or add the filter '| int' if it comes from a "
        "template"
    )


def test_known_forms_are_read() -> None:
    text = f'"\uff49\uff44","Device\nName",firmware_lock,development\n{ONE},a, 042 ,ON\n'
    assert parse_device_table(text, "t.csv")[0]["devices"] == [
        {"id": ONE, "name": "a", "firmware_lock": "042", "development": True}
    ]
