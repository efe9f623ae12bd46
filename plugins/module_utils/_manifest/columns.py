# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the devices of a manifest from a table (CSV). Private to this collection.

A table has one row for each device. An empty cell declares nothing. If a row names a network, the row also declares
this network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.csv_table import parse_table
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    FLAG,
    ValueKind,
    list_fields,
    list_former_names,
)

# Prefix of the columns for parameters of one member. An example is a key that is printed beside a serial number.
_PARAMETER = "mesh.parameters."
_MESH = "mesh."
_LISTS = ("groups",)


def parse_device_table(text: str, name: str) -> tuple[dict[str, Any], Where]:
    """Return the data of a manifest, and a function that describes a place in the data for messages.

    The data has the key ``devices``. If devices name networks, the data also has the key ``networks`` with these
    networks. The description of a place names the file, the line and the column.

    :param text: the text of the table.
    :param name: the name of the file, for messages.
    :raises ParticleError: ``invalid_manifest`` when lines are not valid rows of the table; the message lists these
        lines.
    """
    table = parse_table(text, name, _find_mistake)
    kinds = {"claimed": FLAG, **{field.name: field.kind for field in list_fields()}}
    kinds.update({former: kinds[name] for former, name in list_former_names().items()})
    devices = [_read_device(row, kinds) for row in table.rows]
    named = [device["mesh"].get("network") for device in devices if "mesh" in device]
    networks: dict[str, Any] = {network: {} for network in named if network is not None}

    def describe_place(place: Place) -> str:
        if len(place) < 2 or place[0] != "devices" or not isinstance(place[1], int):
            return f"{name}:1 {format_place(place)}"
        column = format_place(place[2:]) if len(place) > 2 else "the row"
        return f"{name}:{table.lines[place[1]]} {column}"

    return {"devices": devices, **({"networks": networks} if networks else {})}, describe_place


def _find_mistake(column: str) -> str | None:
    return "has no parameter name after the last dot" if column == _PARAMETER else None


def _read_device(row: Mapping[str, str], kinds: Mapping[str, ValueKind]) -> dict[str, Any]:
    """Convert a row of the table to an item of the manifest key ``devices``.

    :param kinds: the kind of value in each column. In a column without a kind, cells remain strings, which are checked
        when the manifest is read.
    """
    device: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    for column, cell in row.items():
        if column.startswith(_PARAMETER):
            parameters[column.removeprefix(_PARAMETER)] = cell
        elif column.startswith(_MESH):
            device.setdefault("mesh", {})[column.removeprefix(_MESH)] = cell
        elif column in _LISTS:
            device[column] = [part.strip() for part in cell.split(";") if part.strip()]
        else:
            device[column] = kinds[column].from_cell(cell) if column in kinds else cell
    if parameters:
        device.setdefault("mesh", {}).setdefault("parameters", parameters)
    return device
