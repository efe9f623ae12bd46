# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert the facts of devices to the rows of a report. Private to this collection.

Users of the cloud enter strings that become facts. To make these strings harmless, CSV cells are escaped so that no
spreadsheet evaluates a formula, and JSON for an HTML page is escaped so that a string cannot end the script element.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import CONFIRMED, PROBABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_identity
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import drop_reserved_groups
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report_rollouts import (
    build_rollouts,
    drop_rollout_times,
    summarize_rollout,
)

Facts = Mapping[str, Any]
Row = dict[str, Any]


def _read_fact(name: str) -> Callable[[Facts], Any]:
    return lambda facts: facts.get(name)


def _read_mesh_fact(name: str) -> Callable[[Facts], Any]:
    return lambda facts: (facts.get("mesh") or {}).get(name)


def _read_identity(facts: Facts) -> Any:
    """Return the id of a device, or the identifier of a mesh member that is not a device of the Particle cloud."""
    own = find_identity(facts)
    return facts.get("id") if own is None else own[1]


def _list_groups(facts: Facts) -> list[str]:
    return sorted(drop_reserved_groups(list_texts(facts.get("groups"))))


_COLUMNS: Mapping[str, Callable[[Facts], Any]] = {
    "name": _read_fact("name"),
    "id": _read_identity,
    "mac": _read_fact("mac"),
    "serial_number": _read_fact("serial_number"),
    "platform": _read_fact("platform"),
    "product": _read_fact("product"),
    "groups": _list_groups,
    "network": _read_mesh_fact("network"),
    "role": _read_mesh_fact("role"),
    "state": _read_mesh_fact("state"),
    "firmware_version": _read_fact("firmware_version"),
    "system_firmware_version": _read_fact("system_firmware_version"),
    "presence": _read_fact("presence"),
    "last_heard": _read_fact("last_heard"),
    "last_heard_age": _read_fact("last_heard_age"),
    "owner": _read_fact("owner"),
    "iccid": _read_fact("iccid"),
    "imei": _read_fact("imei"),
    "notes": _read_fact("notes"),
}

_ADVISORY_COLUMNS: Mapping[str, str] = {"advisories": "hit", "advisories_open": "cannot_tell"}
"""The columns that contain ids of advisories. The values are keys in the result of the filter ``advisories``: ``hit``
contains the affected devices, and ``cannot_tell`` contains the devices for which a fact is missing."""

_TIMES = ("last_heard", "last_heard_age")
"""The columns whose values change with time, even if nothing else changes."""

# A spreadsheet evaluates a cell that begins like this as a formula. If it separates cells by semicolons or tabs, quotes
# inside a cell of this file protect nothing, so each part of it may become the beginning of a cell or a line. A text
# that already begins with an apostrophe gets another one, so that the text can be restored when the file is read.
_FORMULA_START = re.compile(r"(?:\A|[;\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029])(?=[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20])")

COLUMNS = (*_COLUMNS, *_ADVISORY_COLUMNS)


def check_devices(devices: Any) -> list[Facts]:
    """Return the input of a filter as a list. :raises AnsibleFilterError: when the input is not a list of devices."""
    if isinstance(devices, (str, Mapping)) or not isinstance(devices, Iterable):
        raise AnsibleFilterError("The input must be a list of devices, such as device_info returns.")
    found = list(devices)
    if not all(isinstance(device, Mapping) for device in found):
        raise AnsibleFilterError("The input must be a list of dictionaries, and at least one item is not a dictionary.")
    return found


def build_rows(devices: Iterable[Facts], advisories: Sequence[Facts] | None = None) -> Iterator[Row]:
    """Yield one flat row for each device, with the keys in :data:`COLUMNS`; an unknown value is ``None``.

    The rows of a large fleet need more memory than its report, so no function of this file keeps them.

    :param advisories: the result of the filter ``advisories``. Without it, the columns for advisories are ``None``.
    """
    advice = (
        {column: _index_by_device(advisories, key) for column, key in _ADVISORY_COLUMNS.items()} if advisories else {}
    )
    for facts in devices:
        yield {
            **{name: _clean_value(read(facts)) for name, read in _COLUMNS.items()},
            **{name: advice[name].get(str(facts.get("id")), []) if advice else None for name in _ADVISORY_COLUMNS},
        }


def _index_by_device(advisories: Iterable[Facts], key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for advisory in advisories:
        for device in advisory[key]:
            found.setdefault(device, []).append(advisory["id"])
    return found


def _clean_value(value: Any) -> Any:
    """Convert a value to a number, a string or a list of strings; an empty string becomes ``None``.

    A character that UTF-8 cannot encode is replaced by a question mark.
    """
    if value is None or value == "" or isinstance(value, (bool, int, float)):
        return None if value == "" else value
    if isinstance(value, list):
        return [_clean_value(str(item)) for item in value]
    return str(value).encode(errors="replace").decode()


def format_csv(rows: Iterable[Row]) -> str:
    """Return the rows as CSV (RFC 4180) with a header line; lists are joined by semicolons."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_format_cell, row.values()) for row in rows)
    return out.getvalue()


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    text = ";".join(map(str, value)) if isinstance(value, list) else str(value)
    return _FORMULA_START.sub(r"\g<0>'", text) if isinstance(value, (str, list)) else text


def _count_devices(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the whole fleet. In each advisory, replace the lists of device ids by their lengths.

    The lists are not needed, because the row of each device contains the advisories of the device.
    """
    advisories = [
        {**found, **{key: len(found[key]) for key in _ADVISORY_COLUMNS.values()}}
        for found in about.get("advisories", ())
    ]
    return {**about, "advisories": advisories}


def compute_digest(about: Mapping[str, Any], rows: Iterable[Row]) -> str:
    """Return a hash of the report that stays the same while only times change.

    The hash does not cover the time of the report, the times of the last contacts, the lifetimes of tokens, and the
    times in the evidence of rollouts. A device changes from ``confirmed`` to ``probable`` and back while it works as
    usual, so these two count as equal. The token in use is left out, because each run may obtain its own.
    """
    digest = _Digest(about)
    for row in rows:
        digest.add_row(row)
    return digest.finish()


class _Digest:
    """The hash that :func:`compute_digest` describes, to which the rows are added one after the other."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        facts = {name: value for name, value in about.items() if name not in ("generated_at", "token")}
        kept = [
            {name: value for name, value in token.items() if name != "days_left"} for token in about.get("kept", ())
        ]
        rollouts = drop_rollout_times(build_rollouts(about.get("rollouts", [])))
        self._hash = hashlib.sha256()
        self._add({**facts, "kept": kept, "rollouts": rollouts})

    def add_row(self, row: Row) -> None:
        """Add the row of the next device."""
        presence = CONFIRMED if row["presence"] == PROBABLE else row["presence"]
        self._add({**row, **dict.fromkeys(_TIMES), "presence": presence})

    def _add(self, value: Mapping[str, Any]) -> None:
        self._hash.update(json.dumps(value, sort_keys=True).encode())

    def finish(self) -> str:
        """Return the hash."""
        return self._hash.hexdigest()


def format_json(about: Mapping[str, Any], rows: Iterable[Row]) -> str:
    """Return a JSON object: the facts about the whole fleet, their digest, and the rows under the key ``devices``.

    Each row has its own line.
    """
    digest = _Digest(about)
    lines = []
    for row in rows:
        digest.add_row(row)
        lines.append(json.dumps(row, ensure_ascii=False))
    rollouts = build_rollouts(about.get("rollouts", []))
    facts = {**_count_devices(about), "rollouts": rollouts, "digest": digest.finish()}
    facts.pop("devices", None)
    head = json.dumps(facts, ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{head},\n "devices": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def format_page_data(about: Mapping[str, Any], rows: Iterable[Row]) -> str:
    """Return the rows and the facts about the whole fleet as JSON. The JSON can be embedded in HTML.

    The names of the columns are written once, not in each row. This halves the size for ten thousand rows.
    """
    found = map(summarize_rollout, build_rollouts(about.get("rollouts", [])))
    rollouts = [rollout for rollout in found if rollout is not None]
    facts = {**_count_devices(about), "rollouts": rollouts, "columns": list(COLUMNS)}
    facts.pop("rows", None)
    head = _format_for_page(facts).removesuffix("}")
    return f'{head},"rows":[{",".join(_format_for_page(list(row.values())) for row in rows)}]}}'


def _format_for_page(value: Any) -> str:
    """Return a value as compact JSON that can be embedded in HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def hash_source(text: str) -> str:
    """Return the hash of a script or style, for the Content Security Policy of a page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
