# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of devices to what a report shows of them. Private to this collection.

All text in here was typed into a cloud by somebody. It leaves as data: as JSON that cannot end the element it stands
in, and as CSV that no spreadsheet takes for a formula.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import identity_of
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RESERVED_GROUPS

Facts = Mapping[str, Any]
Row = dict[str, Any]


def _own(name: str) -> Callable[[Facts], Any]:
    return lambda facts: facts.get(name)


def _mesh(name: str) -> Callable[[Facts], Any]:
    return lambda facts: (facts.get("mesh") or {}).get(name)


def _identity(facts: Facts) -> Any:
    """Return the id, or what identifies a member of a network that the Particle cloud does not know."""
    own = identity_of(facts)
    return facts.get("id") if own is None else own[1]


def _groups(facts: Facts) -> list[str]:
    return sorted(name for name in texts_of(facts.get("groups")) if not name.startswith(RESERVED_GROUPS))


_COLUMNS: Mapping[str, Callable[[Facts], Any]] = {
    "name": _own("name"),
    "id": _identity,
    "mac": _own("mac"),
    "serial_number": _own("serial_number"),
    "platform": _own("platform"),
    "product": _own("product"),
    "groups": _groups,
    "network": _mesh("network"),
    "role": _mesh("role"),
    "state": _mesh("state"),
    "firmware_version": _own("firmware_version"),
    "system_firmware_version": _own("system_firmware_version"),
    "presence": _own("presence"),
    "last_heard": _own("last_heard"),
    "last_heard_age": _own("last_heard_age"),
    "owner": _own("owner"),
    "iccid": _own("iccid"),
    "imei": _own("imei"),
    "notes": _own("notes"),
}

_ADVICE: Mapping[str, str] = {"advisories": "hit", "advisories_open": "cannot_tell"}
"""The notices that hit a device, and those of which nobody can tell; each with its key in what was found."""

# A spreadsheet would calculate what begins so, wherever the file comes from. Where it separates cells by semicolons or
# tabs, quotes in the midst of one of ours protect nothing, and each part of it is the beginning of a cell or a line.
_CALCULATED = re.compile(r"(?:\A|[;\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029])(?=[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20])")

COLUMNS = (*_COLUMNS, *_ADVICE)


def facts_in(devices: Any) -> list[Facts]:
    """What a filter was given. :raises AnsibleFilterError: when that is no list of devices."""
    if isinstance(devices, (str, Mapping)) or not isinstance(devices, Iterable):
        raise AnsibleFilterError("A list of devices is wanted, such as device_info returns.")
    found = list(devices)
    if not all(isinstance(device, Mapping) for device in found):
        raise AnsibleFilterError("A list of devices is wanted, and one of them is no dictionary.")
    return found


def rows_of(devices: Iterable[Facts], advisories: Sequence[Facts] | None = None) -> list[Row]:
    """A flat row for each device, of all :data:`COLUMNS` in that order; ``None`` is what nobody has told.

    :param advisories: which devices each notice hits, as the filter ``advisories`` finds it; ``None`` or none at all
        when nobody has asked for that.
    """
    advice = {column: _by_device(advisories, key) for column, key in _ADVICE.items()} if advisories else {}
    return [
        {
            **{name: _told(read(facts)) for name, read in _COLUMNS.items()},
            **{name: advice[name].get(str(facts.get("id")), []) if advice else None for name in _ADVICE},
        }
        for facts in devices
    ]


def _by_device(advisories: Iterable[Facts], key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for advisory in advisories:
        for device in advisory[key]:
            found.setdefault(device, []).append(advisory["id"])
    return found


def _told(value: Any) -> Any:
    """A number, a list of texts, or a text that can be written to a file; an empty text tells nothing."""
    if value is None or value == "" or isinstance(value, (bool, int, float)):
        return None if value == "" else value
    if isinstance(value, list):
        return [_told(str(item)) for item in value]
    return str(value).encode(errors="replace").decode()


def csv_of(rows: Sequence[Row]) -> str:
    """The rows as CSV (RFC 4180) with a line of heads; lists are joined by semicolons."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_cell, row.values()) for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = ";".join(map(str, value)) if isinstance(value, list) else str(value)
    return _CALCULATED.sub(r"\g<0>'", text) if isinstance(value, (str, list)) else text


def _counted(about: Mapping[str, Any]) -> dict[str, Any]:
    """What is said about all devices, with numbers of devices for the lists of them, which the rows have already."""
    advisories = [
        {**found, **{key: len(found[key]) for key in _ADVICE.values()}} for found in about.get("advisories", ())
    ]
    return {**about, "advisories": advisories}


def json_of(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The rows as JSON below ``devices``, beside what is to be said about all of them."""
    return json.dumps({**_counted(about), "devices": rows}, ensure_ascii=False, indent=1) + "\n"


def page_data_of(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The same for the inside of a page: JSON that means nothing to the HTML around it.

    Each column is named once, which of ten thousand rows is the half.
    """
    table = {"columns": list(COLUMNS), "rows": [list(row.values()) for row in rows]}
    text = json.dumps({**_counted(about), **table}, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def source_hash(text: str) -> str:
    """How a Content Security Policy names a script or a style that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
