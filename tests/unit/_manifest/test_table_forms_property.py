# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Tables in any form are understood row by row, or each kind of mistake is reported once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fleet_cloud import device_id
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Where
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import ColumnOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.tables import parse_device_table
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import build_rows, format_csv

SPELLINGS = {
    "id": ("id", "ID", "Device ID", "DEVICEID", "device_id", "Device-Id", " id ", "Device\u00a0ID", "\uff49\uff44"),
    "serial_number": ("serial_number", "Serial Number", "SERIALNUMBER", "serial-number", "Serial No."),
    "iccid": ("iccid", "ICCID", "Iccid"),
    "imei": ("imei", "IMEI"),
    "name": ("name", "NAME", "Device Name"),
    "notes": ("notes", "Notes"),
    "groups": ("groups", "Groups"),
}
"""Spellings of each column."""

# A table cannot have the error of a spreadsheet as a value, such as `#NAME?`. A text in the form by which spreadsheets
# mark a text is read without its mark.
TEXT = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=8)
    .map(str.strip)
    .filter(lambda text: not text.startswith(("#", '="')))
)
LINES = st.text(st.sampled_from("a,;\t\"'=\n-@ ä"), max_size=8).map(str.strip)
PLAIN_LINES = LINES.filter(lambda text: not text.startswith('="'))
GROUPS = st.lists(st.sampled_from(["north", "beta", "x-1"]), unique=True, max_size=3)


@st.composite
def list_devices(draw: st.DrawFn, notes: st.SearchStrategy[str] = PLAIN_LINES) -> list[dict[str, Any]]:
    """Build devices, each with an id and other keys."""
    devices = []
    for number in range(1, draw(st.integers(2, 6))):
        labels = {"serial_number": f"P046AB{number}", "iccid": f"{number:020}", "imei": f"{number:015}"}
        given_labels = {key: labels[key] for key in draw(st.sets(st.sampled_from(sorted(labels))))}
        others = {"name": draw(TEXT), "notes": draw(notes), "groups": draw(GROUPS)}
        devices.append({"id": device_id(number), **given_labels, **{key: of for key, of in others.items() if of}})
    return devices


@dataclass(frozen=True)
class Form:
    """The form in which a table is written."""

    delimiter: str
    line_end: str
    quoting: Any
    mark: str
    declares_delimiter: bool
    spellings: dict[str, str]
    extra: tuple[str, ...]
    empty_columns: int
    joined: str | None
    end: str

    def write(self, devices: list[dict[str, Any]]) -> str:
        """Return the table of `devices`."""
        out = io.StringIO()
        # A line break in a cell is written unchanged, so the cell must have quotes. Before Python 3.13, `csv` adds them
        # only for the characters of its own line end.
        has_line_breaks = any(set("\r\n") & set(str(device.get("notes", ""))) for device in devices)
        quoting = csv.QUOTE_ALL if has_line_breaks else self.quoting
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator=self.line_end, quoting=quoting)
        header = [self.spellings[key] for key in SPELLINGS] + list(self.extra) + [""] * self.empty_columns
        writer.writerow(header)
        for number, device in enumerate(devices):
            if number == 1 and self.joined is not None:
                out.write(self.joined)
                writer.writerow(header)
            cells = [";".join(device.get(key, [])) if key == "groups" else device.get(key, "") for key in SPELLINGS]
            writer.writerow(cells + ["1"] * len(self.extra) + [""] * self.empty_columns)
        first = f"sep={self.delimiter}{self.line_end}" if self.declares_delimiter else ""
        return self.mark + first + out.getvalue() + self.end


FORMS = st.builds(
    Form,
    delimiter=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.sampled_from(["", "\ufeff"]),
    declares_delimiter=st.booleans(),
    spellings=st.fixed_dictionaries({key: st.sampled_from(words) for key, words in SPELLINGS.items()}),
    extra=st.sampled_from([(), ("Box",), ("Box", "QC Result")]),
    empty_columns=st.integers(0, 3),
    joined=st.sampled_from([None, "", "\ufeff"]),
    end=st.sampled_from(["", "\x1a"]),
)


@given(list_devices(), FORMS)
def test_any_form_of_a_table_declares_the_same_devices(devices: list[dict[str, Any]], form: Form) -> None:
    data, where = parse_device_table(form.write(devices), "t.csv", ColumnOptions(ignored=form.extra))
    assert data["devices"] == devices
    assert read_manifest({"product": "p", "unique_names": False, **data}, where).devices


@given(list_devices(), FORMS, st.integers(10, 40))
def test_mistakes_of_a_table_are_reported_once(devices: list[dict[str, Any]], form: Form, rows: int) -> None:
    wrong = [{"id": f"x{number}", "groups": ["North"]} for number in range(rows)]
    text = form.write([*devices, *wrong])
    try:
        data, where = parse_device_table(text, "t.csv")
        read_manifest({"product": "p", "unique_names": False, **data}, where, items="rows")
    except ParticleError as error:
        lines = error.message.splitlines()[1:]
    else:
        lines = []
    kinds = 1 if form.extra else 2
    assert len(lines) == kinds
    assert all(name in lines[0] for name in form.extra)
    assert form.extra or all(f"(on {rows} rows, first at line " in line for line in lines)


DAMAGES: dict[str, Callable[[str], str]] = {
    "has other characters": lambda found: f"0x{found}",
    "has other characters than": lambda found: f"{found[:4]}-{found[4:]}",
    "remove spaces": lambda found: f"{found[:4]} {found[4:]}",
    "remove spaces, punctuation": lambda found: f"{found}\u200b",
    "has shortened": lambda found: f"{int(found[-4:], 16)}E+23",
    "read as a decimal number": lambda found: f"{int(found, 16)}.0",
    "shows instead of a value": lambda found: "#N/A",
    "is not a device id": lambda found: f"x{found}",
}
"""Functions that damage an id, keyed by words of the message."""


@given(list_devices(), FORMS, st.sampled_from(sorted(DAMAGES)))
def test_damaged_ids_are_reported_once_with_the_cause(devices: list[dict[str, Any]], form: Form, cause: str) -> None:
    wrong = [{"id": DAMAGES[cause](device_id(number))} for number in range(100, 120)]
    with pytest.raises(ParticleError) as refused:
        read_manifest(*read_table(form.write([*devices, *wrong]), form.extra), items="rows")
    _unused, *lines = refused.value.message.splitlines()
    assert len(lines) == 1
    assert cause in lines[0]
    assert "(on 20 rows, first at line " in lines[0]


@given(list_devices(), FORMS, st.lists(st.sampled_from(["Batch", "# 2026-01-01", "", "a;b", "Total: 7,,"]), max_size=4))
def test_lines_before_the_header_are_reported_once(devices: list[dict[str, Any]], form: Form, title: list[str]) -> None:
    written = replace(form, declares_delimiter=False, mark="").write(devices)
    text = form.mark + "".join(line + form.line_end for line in title) + written
    try:
        data, _unused = read_table(text, form.extra)
    except ParticleError as error:
        _unused, *lines = error.message.splitlines()
        assert [line.partition(": ")[2] for line in lines] == [
            f"seems to be in line {len(title) + 1}, and not in this line; remove the lines before line {len(title) + 1}"
        ]
    else:
        assert not any(title)
        assert data["devices"] == devices


def read_table(text: str, ignored: Sequence[str]) -> tuple[dict[str, Any], Where]:
    """Return the data of a manifest for a product, and a function that describes a place in the data."""
    data, where = parse_device_table(text, "t.csv", ColumnOptions(ignored=ignored))
    return {"product": "p", "unique_names": False, **data}, where


JUNK = st.text(st.sampled_from("id,;\t\"'=\r\n\0 ns01e\ufeff"), max_size=60)


@example("'", "t.txt")
@given(JUNK, st.sampled_from(["t.csv", "t.tsv", "t.txt"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    code, lines, devices = None, 0, 0
    try:
        data, where = parse_device_table(text, name)
        devices = len(read_manifest({"product": "p", **data}, where).devices)
    except ParticleError as error:
        code, lines = error.code, len(error.message.splitlines())
    assert (code, bool(devices)) in ((None, True), ("invalid_manifest", False))
    assert lines <= 22


@given(list_devices(notes=LINES))
def test_report_declares_the_devices_that_it_shows(devices: list[dict[str, Any]]) -> None:
    facts = [{"firmware_version": 7, "presence": "online", "state": "joined", **device} for device in devices]
    data, _unused = parse_device_table(format_csv(build_rows(facts)), "fleet.csv")
    ordered = [{**device, **({"groups": sorted(device["groups"])} if "groups" in device else {})} for device in devices]
    assert data["devices"] == ordered
