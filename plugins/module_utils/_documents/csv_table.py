# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of a table (CSV) to the data of a manifest, remembering the line of every device.

Private to this collection. A table has one row for each device. An empty cell declares nothing, and a network that a
row names is thereby declared.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, dotted
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_PARAMETER = "mesh.parameters."
"""Begins the columns of what a member alone is told: a key, say, that stands beside its serial number."""
_DELIMITERS = ",;\t"
_LISTS = ("groups",)
_TRUTHS = ("development", "claimed")
_NUMBERS = ("firmware_version",)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_table(text: str, name: str) -> tuple[dict[str, Any], Where]:
    """Read a table. Its delimiter is the one of comma, semicolon and tab that its first line has most of.

    :param name: of the file, for messages.
    :returns: ``devices`` and the ``networks`` that these name; what else is declared stands elsewhere.
    :raises ParticleError: ``invalid_manifest`` with every line that is no row of the table.
    """
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    devices: list[dict[str, Any]] = []
    lines: list[int] = []
    mistakes: list[str] = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        mistakes += _mistakes_of_head(columns, name)
        begins = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(columns):
                    mistakes.append(f"{name}:{begins} has {len(cells)} cells, and the first line {len(columns)}")
                devices.append(_device(dict(zip(columns, cells, strict=False))))
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        mistakes.append(f"{name}:{reader.line_num} {error}")
    if mistakes:
        raise ParticleError("invalid_manifest", "The manifest is not a valid table:\n  " + "\n  ".join(mistakes))
    named = [device["mesh"].get("network") for device in devices if "mesh" in device]
    networks: dict[str, Any] = {network: {} for network in named if network is not None}

    def where(place: Place) -> str:
        if len(place) < 2 or place[0] != "devices" or not isinstance(place[1], int):
            return f"{name}:1 {dotted(place)}"
        column = dotted(place[2:]) if len(place) > 2 else "the row"
        return f"{name}:{lines[place[1]]} {column}"

    return {"devices": devices, **({"networks": networks} if networks else {})}, where


def _mistakes_of_head(columns: list[str], name: str) -> list[str]:
    mistakes = [f"{name}:1 column {index} has no name" for index, column in enumerate(columns, 1) if not column]
    mistakes += [f"{name}:1 column {column} names no parameter" for column in columns if column == _PARAMETER]
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    return mistakes + [f"{name}:1 column {column} stands twice" for column in twice]


def _device(row: dict[str, str]) -> dict[str, Any]:
    """One device as a manifest has it; what a cell cannot mean is left as it is, for the manifest to judge."""
    device: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for column, cell in row.items():
        value = cell.strip()
        if not value:
            continue
        if column.startswith(_PARAMETER):
            parameters[column.removeprefix(_PARAMETER)] = value
        elif column.startswith("mesh."):
            device.setdefault("mesh", {})[column.removeprefix("mesh.")] = value
        elif column in _LISTS:
            device[column] = [part.strip() for part in value.split(";") if part.strip()]
        elif column in _TRUTHS:
            device[column] = _WORDS.get(value.lower(), value)
        elif column in _NUMBERS and value.isascii() and value.isdigit():
            device[column] = int(value)
        else:
            device[column] = value
    if parameters:
        device.setdefault("mesh", {}).setdefault("parameters", parameters)
    return device
