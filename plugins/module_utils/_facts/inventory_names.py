# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of devices to the names of hosts and groups: pure functions. Private to this collection.

Names of devices, groups and networks are what somebody typed into a cloud. In an inventory a name decides what runs
where, so none of them may become more than a name: not a pattern, not another host, not another group.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RESERVED_GROUPS

Facts = Mapping[str, Any]

HOSTNAMES = ("name", "id", "serial_number")

_RESERVED_HOSTS = frozenset(["localhost", "127.0.0.1", "::1", "all", "ungrouped"])
_LONGEST = 253


def host_names(
    devices: Mapping[str, Facts], preference: Sequence[str], taken: Mapping[str, str | None]
) -> dict[str, str]:
    """A name for each device, by id: the first of ``preference`` that is there and is its alone, else its id.

    Where two devices would have the same name, neither has it: who is meant must not depend on their order.

    :param taken: the names that are there already, of groups and hosts, each with the id of the device that it is.
    """
    last = {device: device if DEVICE_ID.match(device) else f"device-{_hash(device, 24)}" for device in devices}
    kept = _RESERVED_HOSTS | set(last.values())
    names: dict[str, str] = {}
    for attribute in preference:
        if attribute == "id":
            break
        wished = {
            device: _host_name(str(facts.get(attribute) or ""))
            for device, facts in devices.items()
            if device not in names
        }
        often = Counter(wished.values())
        given = kept | set(names.values())
        for device, name in wished.items():
            if name and often[name] == 1 and name not in given and taken.get(name, device) == device:
                names[device] = name
    return {device: names.get(device, last[device]) for device in devices}


def _host_name(text: str) -> str:
    """``text`` as the name of a host, empty when there is none in it."""
    name = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFKC", text).strip()).lstrip("_.-")
    return name if len(name) <= _LONGEST else ""


def _one(value: Any) -> Iterable[str]:
    if value is None or value == "":
        return ()
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _mesh(facts: Facts, key: str) -> Iterable[str]:
    return _one((facts.get("mesh") or {}).get(key))


_VALUES: Mapping[str, Callable[[Facts], Iterable[str]]] = {
    "product": lambda facts: _one(facts.get("product")),
    "platform": lambda facts: _one(facts.get("platform")),
    "device_group": lambda facts: (
        name for name in texts_of(facts.get("groups")) if not name.startswith(RESERVED_GROUPS)
    ),
    "network": lambda facts: _mesh(facts, "network"),
    "mesh_role": lambda facts: _mesh(facts, "role"),
    "online": lambda facts: _one(facts.get("online")),
    "firmware_version": lambda facts: _one(facts.get("firmware_version")),
    "development": lambda facts: _one(facts.get("development")),
}

GROUP_KEYS = tuple(_VALUES)


def host_groups(devices: Mapping[str, Facts], keys: Sequence[str]) -> dict[str, list[str]]:
    """The groups by ``keys`` with the ids of their devices: ``<key>_<value>`` in a-z, 0-9 and ``_``.

    Values that would look the same that way get a few digits of their hash each, so that no group holds devices of
    two of them; one that needed no change keeps its plain name.
    """
    groups: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        members: dict[str, list[str]] = {}
        for device, facts in devices.items():
            for value in _VALUES[key](facts):
                members.setdefault(value, []).append(device)
        for value, name in _group_names(key, members.keys()).items():
            groups[name] = members[value]
    return groups


def _group_names(key: str, values: Set[str]) -> dict[str, str]:
    plain = {value: f"{key}_{re.sub(r'[^a-z0-9_]', '_', value.lower())}" for value in values}
    often = Counter(plain.values())
    names = {value: name for value, name in plain.items() if often[name] == 1 or name == f"{key}_{value}"}
    used = set(names.values())
    for value in sorted(values - names.keys()):
        # Anybody can reckon the hash and name a group so, hence the second try.
        tries = (f"{plain[value]}_{_hash(value + '#' * number, 12)}" for number in itertools.count())
        names[value] = next(name for name in tries if name not in used)
        used.add(names[value])
    return names


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:digits]
