# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the devices of a manifest from a table, or from a list of ids and labels. Private to this collection.

A table has one row for each device. An empty cell declares nothing. If a row names a network, the row also declares
this network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.csv_table import (
    Table,
    find_delimiter,
    parse_table,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.file_forms import is_json
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_list import parse_id_list
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.lines import split_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import Mistake, describe_mistakes
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import (
    ENVIRONMENT,
    MESH,
    PARAMETER,
    ColumnOptions,
    find_columns,
    simplify_header,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    FLAG,
    ValueKind,
    list_fields,
    list_former_names,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.first_line import describe_first_line
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.identifiers import (
    find_identifier_kind,
    has_identifier_form,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import MANIFEST_KEYS

_LISTS = ("groups",)
_CELL_ERRORS = ("#N/A", "#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!")
_YAML_START = re.compile(rf"(?:---|(?:{'|'.join(MANIFEST_KEYS)})\s*:)(?:\s|\Z)")
_NO_OPTIONS = ColumnOptions()

# In a report, an apostrophe precedes a text that a spreadsheet would evaluate as a formula. The apostrophe can stand
# wherever the text, or a part of the text that a spreadsheet could take for a cell, begins.
_ESCAPE = re.compile(r"(\A|[;\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029])'(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def parse_device_table(text: str, name: str, options: ColumnOptions = _NO_OPTIONS) -> tuple[dict[str, Any], Where]:
    """Return the data of a manifest, and a function that describes a place in the data for messages.

    The data has the key ``devices``. If devices name networks, the data also has the key ``networks`` with these
    networks. The description of a place names the file, the line and the column.

    :param text: the text of the table, or of a file with one device id or label per line.
    :param name: the name of the file, for messages.
    :param options: the columns to rename and to ignore.
    :raises ParticleError: ``invalid_manifest`` when the table has a wrong form, a wrong header, or no rows.
    """
    if not text.strip("\ufeff \t\r\n"):
        raise _build_empty_error(f"The file {name} is empty.")
    if is_json(text) or _is_yaml(text):
        hint = "Give the file the extension .yml or .json, and declare the devices under the key devices."
        raise ParticleError("invalid_manifest", f"The file {name} is YAML or JSON, not a table.", hint=hint)
    if _is_id_list(text, name, options):
        return _read_id_list(text, name)
    table = parse_table(text, name)
    filled = [any(len(row) > index and row[index] for row in table.rows) for index in range(len(table.header))]
    columns = find_columns(table.header, options, filled)
    faults, form_mistakes = columns.mistakes, table.mistakes
    if faults and not any(key in IDENTIFIERS for key in columns.keys) and (fault := describe_first_line(text, table)):
        faults, form_mistakes = [fault], []  # the other mistakes are consequences
    mistakes = [Mistake(f"{name}:{table.header_line} the header", fault) for fault in faults]
    mistakes += form_mistakes or _find_cell_errors(table, columns.keys, name)
    if mistakes:
        phrase = ("The manifest is not a valid table", "The manifest is not a valid table: it has {} mistakes")
        raise ParticleError("invalid_manifest", describe_mistakes(phrase, mistakes, "rows"))
    if not table.rows:
        raise _build_empty_error(f"The file {name} has a header, but no devices.")
    kinds = {"claimed": FLAG, **{field.name: field.kind for field in list_fields()}}
    kinds.update({former: kinds[name] for former, name in list_former_names().items()})
    rows = [_name_cells(row, columns.keys, is_report=columns.is_report) for row in table.rows]
    devices = [_read_device(row, kinds) for row in rows]
    named = [device["mesh"].get("network") for device in devices if "mesh" in device]
    networks: dict[str, Any] = {network: {} for network in named if network is not None}
    headers = {key: cell for key, cell in zip(columns.keys, table.header, strict=True) if key is not None}
    data = {"devices": devices, **({"networks": networks} if networks else {})}
    return data, _build_where(name, table, headers)


def _find_cell_errors(table: Table, keys: Sequence[str | None], name: str) -> list[Mistake]:
    """Return a mistake for each cell in which a spreadsheet shows an error instead of a value."""
    phrase = "is an error that a spreadsheet shows instead of a value; correct the formula, and export the table again"
    return [
        Mistake(f"{name}:{line} {key}", f"{cell!r} {phrase}", f"devices[].{key}")
        for line, row in zip(table.lines, table.rows, strict=True)
        for key, cell in zip(keys, row, strict=False)
        if key is not None and cell.upper() in _CELL_ERRORS
    ]


def is_table_text(text: str) -> bool:
    """Return whether a text is a table rather than YAML or JSON: its first line has a delimiter and known columns."""
    if find_delimiter(text) is None or is_json(text) or _is_yaml(text):
        return False
    table = parse_table(text, "")
    keys = find_columns(table.header, _NO_OPTIONS, [False] * len(table.header)).keys
    return any(key in IDENTIFIERS for key in keys)


def _is_yaml(text: str) -> bool:
    """Return whether the first line of a text begins like a manifest in YAML. Comments and empty lines are skipped."""
    lines = (line.lstrip("\ufeff").strip() for line in split_lines(text))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return _YAML_START.match(first) is not None


def _build_empty_error(message: str) -> ParticleError:
    hint = "Add the devices. To declare a fleet without devices on purpose, set devices to an empty list instead."
    return ParticleError("invalid_manifest", message, hint=hint)


def _build_where(name: str, table: Table, headers: Mapping[str, str]) -> Where:
    """Return a function that describes a place in the data of a table.

    :param headers: the header of each column, keyed by its manifest key.
    """

    def describe_place(place: Place) -> str:
        if len(place) < 2 or place[0] != "devices" or not isinstance(place[1], int):
            return f"{name}:{table.header_line} {format_place(place)}"
        column = format_place(place[2:]) if len(place) > 2 else "the row"
        header = headers.get(column, column)
        same = simplify_header(header) == simplify_header(column)
        return f"{name}:{table.lines[place[1]]} {column if same else f'{column} (column {header})'}"

    return describe_place


def _name_cells(row: Sequence[str], keys: Sequence[str | None], *, is_report: bool) -> dict[str, str]:
    """Return the cells of a row that are not empty, keyed by manifest key. Remove the apostrophe that marks a text."""
    cells = {key: cell for key, cell in zip(keys, row, strict=False) if key is not None and cell}
    for key, cell in cells.items():
        if key in IDENTIFIERS:
            cells[key] = cell.removeprefix("'")
        elif is_report:
            cells[key] = _ESCAPE.sub(r"\1", cell)
    return cells


def _read_device(row: Mapping[str, str], kinds: Mapping[str, ValueKind]) -> dict[str, Any]:
    """Convert a row of the table to an item of the manifest key ``devices``.

    :param kinds: the kind of value in each column. In a column without a kind, cells remain strings, which are checked
        when the manifest is read.
    """
    device: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for key, cell in row.items():
        if key.startswith(PARAMETER):
            parameters[key.removeprefix(PARAMETER)] = cell
        elif key.startswith(ENVIRONMENT):
            device.setdefault("environment", {})[key.removeprefix(ENVIRONMENT)] = cell
        elif key.startswith(MESH):
            device.setdefault("mesh", {})[key.removeprefix(MESH)] = cell
        elif key in _LISTS:
            device[key] = [part.strip() for part in cell.split(";") if part.strip()]
        else:
            device[key] = kinds[key].from_cell(cell) if key in kinds else cell
    if parameters:
        device.setdefault("mesh", {}).setdefault("parameters", parameters)
    return device


def _is_id_list(text: str, name: str, options: ColumnOptions) -> bool:
    """Return whether a file has one device id or label per line.

    Only the files with the extension ``.txt`` can have this form. Spreadsheets also save tables with this extension.
    """
    if not name.lower().endswith(".txt"):
        return False
    entries = parse_id_list(text).entries[:1]
    if not entries:
        return True
    return find_delimiter(entries[0]) is None and find_columns(entries, options, [False]).keys == [None]


def _read_id_list(text: str, name: str) -> tuple[dict[str, Any], Where]:
    """Return the data of a manifest for a file with one device id or label per line, and describe its places.

    :raises ParticleError: ``invalid_manifest`` when no line has an id or label, or when the first line seems to be the
        header of a table.
    """
    found = parse_id_list(text)
    if not found.entries:
        raise _build_empty_error(f"The file {name} has no device id or label.")
    first = found.entries[0]
    if not any(character.isdigit() for character in first):
        message = f"{name}:{found.lines[0]} {first!r} looks like the name of a column, not like a device id or label."
        hint = f"Remove this line, or map the column, for example columns: {{{json.dumps(first)}: serial_number}}."
        raise ParticleError("invalid_manifest", message, hint=hint)
    phrase = "has more than an id or label; write one per line, or a table with a first line such as id,name"
    mistakes = [
        Mistake(f"{name}:{line} the line", f"{entry!r} {phrase}", "devices")
        for line, entry in zip(found.lines, found.entries, strict=True)
        if re.search(r"[\s=:]", entry) and not has_identifier_form(entry)
    ]
    if mistakes:
        sentences = (
            "The file is not a list of ids and labels",
            "The file is not a list of ids and labels: {} lines are wrong",
        )
        raise ParticleError("invalid_manifest", describe_mistakes(sentences, mistakes, "rows"))
    devices = [{find_identifier_kind(entry): entry} for entry in found.entries]

    def describe_place(place: Place) -> str:
        if len(place) < 2 or place[0] != "devices" or not isinstance(place[1], int):
            return f"{name}:1 {format_place(place)}"
        return f"{name}:{found.lines[place[1]]} {format_place(place[2:]) if len(place) > 2 else 'the line'}"

    return {"devices": devices}, describe_place
