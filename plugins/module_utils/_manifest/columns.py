# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the manifest key of each column of a table. Private to this collection.

Manufacturers and other programs write the header of a table in many ways. A header is compared without regard to case,
spaces and punctuation, so that ``Serial Number`` and ``SERIAL_NUMBER`` are the key ``serial_number``. The headers of
settings such as ``firmware_lock`` must be exact, because ``Firmware Version`` in the file of a manufacturer is a fact.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID, ICCID, IMEI
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import list_former_names
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import list_device_keys
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_identity_keys, list_rules

MESH = "mesh."
PARAMETER = "mesh.parameters."
"""Prefixes of the columns for the keys of ``mesh``, and for the parameters of one member."""

ENVIRONMENT = "environment."
"""Prefix of the columns for the environment variables of a device."""

_OPEN_PREFIXES = {PARAMETER: "parameter", ENVIRONMENT: "variable"}
"""The prefixes that any name may follow, each with the word for the name."""

_MESH_KEYS = ("network", "role", "state")

# Other names of columns in files of manufacturers and of programs.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("device id", "particle id", "core id"),
    "serial_number": ("serial", "serial no", "device serial number", "sn", "s/n"),
    "iccid": ("sim iccid",),
    "name": ("device name",),
    "notes": ("note", "device notes"),
    "groups": ("group", "device groups"),
}

_LOOSE_KEYS = (*IDENTIFIERS, "name", "notes", "groups")
"""The keys whose headers may have other spellings, besides the keys of ``mesh``."""

_REPORT_KEYS = (*IDENTIFIERS, "name", "groups", "notes")
"""The columns of a report of role ``report`` that declare something. The other columns are facts: ``firmware_version``,
for example, is the version that the device runs, and must not become a lock."""

_MAX_IGNORED = 50
"""The maximum number of columns that a message suggests to ignore. More would not fit on a screen."""

_REPORT_SIGNATURE = frozenset({"id", "last_heard_age", "system_firmware_version", "presence"})
"""Columns that only a report has."""


@dataclass(frozen=True)
class ColumnOptions:
    """The options of the user for the columns of a table.

    :param mapping: the manifest key of a column, keyed by the header of the column. ``None`` ignores the column.
    :param ignored: the headers of more columns to ignore.
    """

    mapping: Mapping[str, str | None] = field(default_factory=dict)
    ignored: Sequence[str] = ()


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    :param keys: for each column, its manifest key, such as ``id`` or ``mesh.network``; ``None`` for an ignored column.
    :param mistakes: what is wrong in the header, one phrase each.
    :param is_report: whether the table is a report of role ``report``.
    """

    keys: Sequence[str | None]
    mistakes: Sequence[str]
    is_report: bool = False


def find_columns(header: Sequence[str], options: ColumnOptions, filled: Sequence[bool]) -> Columns:
    """Find the manifest key of each column.

    :param header: the cells of the first line.
    :param filled: for each column, whether it has a cell that is not empty.
    """
    if values := [cell for cell in header if is_identifier(cell)]:
        return Columns([None] * len(header), [describe_missing_header(values)])
    is_report = set(header) >= _REPORT_SIGNATURE
    given = _read_mapping(options)
    known = list_known_headers()
    keys: list[str | None] = []
    mistakes, unknown = _check_mapping(header, options, known), list[str]()
    for position, cell in enumerate(header):
        simplified = simplify_header(cell)
        if simplified in given:
            keys.append(given[simplified])
        elif is_report:
            keys.append(cell if cell in _REPORT_KEYS else None)
        else:
            keys.append(find_key(cell, known))
            if not cell and filled[position]:
                mistakes.append(f'column {position + 1} has no name; name it, or ignore it with ignore_columns: [""]')
            elif thing := _OPEN_PREFIXES.get(keys[-1] or ""):
                mistakes.append(f"column {cell} has no {thing} name after the last dot")
            elif cell and keys[-1] is None:
                unknown.append(cell)
    mistakes += _find_duplicates(header, keys)
    if unknown:
        mistakes.append(_describe_unknown(list(dict.fromkeys(unknown)), known))
    if not mistakes and not any(key in keys for key in (*IDENTIFIERS, *list_identity_keys())):
        identifiers = ", ".join((*IDENTIFIERS, *list_identity_keys()))
        mistakes.append(f"no column identifies the devices; add one of {identifiers}")
    return Columns(keys, mistakes, is_report)


def describe_missing_header(values: Sequence[str]) -> str:
    """Return the phrase about a first line that has values of a device instead of names of columns."""
    phrase = f"has no header: {values[0]} is the value of a device, not the name of a column"
    return f"{phrase}; insert a first line such as id,name"


def find_key(header: str, known: Mapping[str, str]) -> str | None:
    """Return the manifest key of a column without options of the user; ``None`` for an unknown column.

    :param known: the manifest keys, keyed by simplified header.
    """
    for prefix in _OPEN_PREFIXES:
        if header.lower().startswith(prefix):
            return prefix + header[len(prefix) :]
    key = known.get(simplify_header(header))
    is_loose = key is not None and (key in (*_LOOSE_KEYS, *list_identity_keys()) or key.startswith(MESH))
    return key if is_loose or header.strip() == key else None


def list_known_headers() -> dict[str, str]:
    """Return the manifest key of each known header, keyed by the simplified header."""
    known = {simplify_header(key): key for key in (*list_column_keys(), *list_former_names())}
    return known | {simplify_header(alias): key for key, aliases in _ALIASES.items() for alias in aliases}


def list_column_keys() -> tuple[str, ...]:
    """Return the keys that a column can have, except the parameters of members and the variables of devices."""
    of_mesh = (*_MESH_KEYS, *(key for rules in list_rules() for key in rules.member_keys))
    of_device = (key for key in list_device_keys() if key not in ("mesh", "environment"))
    return (*of_device, *(MESH + key for key in dict.fromkeys(of_mesh)))


def is_identifier(text: str) -> bool:
    """Return whether a text can only be a device id, an ICCID or an IMEI, and not the header of a column."""
    return any(form.match(text.lower()) for form in (DEVICE_ID, ICCID, IMEI))


def simplify_header(header: str) -> str:
    """Return a header without case, spaces and punctuation, unless nothing is left of it, such as of ``#``."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).casefold()) or header.strip()


def _read_mapping(options: ColumnOptions) -> dict[str, str | None]:
    ignored: dict[str, str | None] = {simplify_header(header): None for header in options.ignored}
    return ignored | {simplify_header(header): key for header, key in options.mapping.items()}


def _check_mapping(header: Sequence[str], options: ColumnOptions, known: Mapping[str, str]) -> list[str]:
    """Return a phrase for each mistake in the option ``columns``."""
    mistakes = []
    there = {simplify_header(cell): cell for cell in header}
    for column, key in options.mapping.items():
        if key is None:
            continue
        if key not in known.values() and not _is_open_key(key):
            near = _suggest(key, known)
            mistakes.append(f"columns maps {column} to {key!r}, which is not a valid column{near}; {_list_valid()}")
        elif simplify_header(column) not in there:
            shown = list_names([cell for cell in header if cell])
            mistakes.append(f"columns names {column!r}, which is not in the header; the header has {shown}")
    return mistakes


def _is_open_key(key: str) -> bool:
    """Return whether a key is one of the prefixes that any name may follow, followed by a name."""
    return key.startswith(tuple(_OPEN_PREFIXES)) and key not in _OPEN_PREFIXES


def _find_duplicates(header: Sequence[str], keys: Sequence[str | None]) -> list[str]:
    """Return a phrase for each key that several columns have."""
    found: dict[str, list[str]] = {}
    for cell, key in zip(header, keys, strict=True):
        if key is not None:
            found.setdefault(key, []).append(cell)
    mistakes = []
    for key, cells in found.items():
        if len(cells) > 1 and len(set(cells)) == 1:
            mistakes.append(f"duplicate column {cells[0]}")
        elif len(cells) > 1:
            ignore = json.dumps([cells[-1]], ensure_ascii=False)
            mistakes.append(
                f"columns {' and '.join(cells)} are both {key}; ignore one, for example with ignore_columns: {ignore}"
            )
    return mistakes


def _describe_unknown(unknown: Sequence[str], known: Mapping[str, str]) -> str:
    names = list_names([f"{cell}{_suggest(cell, known)}" for cell in unknown])
    ignore = json.dumps(unknown[:_MAX_IGNORED], ensure_ascii=False)
    return (
        f"unknown {'column' if len(unknown) == 1 else 'columns'} {names}; to ignore, set ignore_columns: {ignore}; "
        f"to use a column, map it, for example columns: {{{json.dumps(unknown[0], ensure_ascii=False)}: notes}}; "
        f"{_list_valid()}"
    )


def _list_valid() -> str:
    return f"valid columns are {', '.join(list_column_keys())}, {PARAMETER}NAME, {ENVIRONMENT}NAME"


def _suggest(header: str, known: Mapping[str, str]) -> str:
    """Return a question that suggests the key of the most similar known header, or an empty string."""
    if simplify_header(header) in known:
        return ""  # a column of another program has the name of a setting, but another meaning
    near = difflib.get_close_matches(simplify_header(header), list(known), n=1, cutoff=0.75)
    return f" (did you mean {known[near[0]]}?)" if near else ""


def read_column_options(columns: Any, ignored: Any) -> ColumnOptions:
    """Return the values of ``columns`` and ``ignore_columns``. The value of a missing key is ``None``.

    :raises ParticleError: ``invalid_manifest`` when ``columns`` is not a mapping, or ``ignore_columns`` is not a list.
    """
    if not isinstance(columns, (Mapping, type(None))):
        message = f"columns must be a mapping from names of columns to keys, got {describe_type(columns)}."
        raise ParticleError("invalid_manifest", message)
    if not isinstance(ignored, (list, tuple, type(None))):
        message = f"ignore_columns must be a list of names of columns, got {describe_type(ignored)}."
        raise ParticleError("invalid_manifest", message)
    mapping = {str(header): None if key is None else str(key).strip() for header, key in (columns or {}).items()}
    return ColumnOptions(mapping, [str(header) for header in ignored or ()])
