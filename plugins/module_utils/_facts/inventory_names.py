# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the names of inventory hosts and groups from the facts of devices. Private to this collection.

In the cloud, users can enter any string as the name of a device, device group or network. In an inventory, names decide
on which hosts a task runs. An inventory name must therefore never act as a host pattern, and never be equal to the name
of another host or group.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import split_replaced_name
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import is_silent, was_never_heard
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import is_identity
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RESERVED_GROUPS

Facts = Mapping[str, Any]

HOSTNAMES = ("name", "id", "serial_number")

_RESERVED_HOSTS = frozenset(["localhost", "127.0.0.1", "::1", "all", "ungrouped"])
_MAX_LENGTH = 253
_HASHED_NAME = re.compile(r"device-[0-9a-f]{24}")


def build_host_names(
    devices: Mapping[str, Facts],
    preference: Sequence[str],
    taken: Mapping[str, str | None],
    groups: Set[str] = frozenset(),
) -> dict[str, str]:
    """Return the host name of each device, keyed by device id.

    The name comes from the first fact in ``preference`` that gives the device a unique name. If no fact gives a unique
    name, the name is the device id. An id that has neither the form of Particle device ids nor that of the identities
    of a mesh backend, or that is the name of a group, is replaced by ``device-`` and a hash. If two devices would get
    the same name, neither device gets the name. The result therefore does not depend on the order of the devices.

    :param preference: names of facts; an earlier fact takes precedence.
    :param taken: mapping from the names of existing hosts to device ids. The value is ``None`` for a name that belongs
        to no device.
    :param groups: the names of all groups. No device gets one of these names.
    """
    last = {device: _build_last_name(device, groups) for device in devices}
    kept = _RESERVED_HOSTS | set(last.values())
    names: dict[str, str] = {}
    for attribute in preference:
        if attribute == "id":
            break
        candidates = _list_candidates(devices, attribute, names)
        counts = Counter(candidates.values())
        given = kept | set(names.values())
        for device, name in candidates.items():
            is_free = name not in given and name not in groups and taken.get(name, device) == device
            if name and counts[name] == 1 and is_free:
                names[device] = name
    return {device: names.get(device, last[device]) for device in devices}


def _list_candidates(devices: Mapping[str, Facts], attribute: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return the host name that a fact would give to each device that has no name yet, keyed by device id.

    A device that is marked as replaced keeps its host name until another device has the name.
    """
    texts = {device: str(facts.get(attribute) or "") for device, facts in devices.items() if device not in names}
    candidates = {device: _build_host_name(text) for device, text in texts.items()}
    if attribute != "name":
        return candidates
    originals = {device: split_replaced_name(text) for device, text in texts.items()}
    marked = {device: _build_host_name(name) for device, (name, successor) in originals.items() if successor}
    taken = {name for device, name in candidates.items() if device not in marked}
    return {**candidates, **{device: "" if name in taken else name for device, name in marked.items()}}


def find_names_of_groups(
    devices: Mapping[str, Facts], preference: Sequence[str], groups: Set[str], names: Mapping[str, str]
) -> dict[str, str]:
    """Return the host names that devices did not get because groups have these names, keyed by device id.

    :param names: the result of :func:`build_host_names` for the same devices, preference and groups.
    """
    attributes = list(itertools.takewhile(lambda attribute: attribute != "id", preference))
    found: dict[str, str] = {}
    for device, facts in devices.items():
        candidates = [*(_build_host_name(str(facts.get(attribute) or "")) for attribute in attributes), device]
        for name in candidates:
            if name == names[device]:
                break
            if name in groups:
                found.setdefault(device, name)
    return found


def _build_last_name(device: str, groups: Set[str]) -> str:
    """Return the host name of a device to which no fact gives a name."""
    return device if _is_id(device) and device not in groups else f"device-{_hash_text(device, 24)}"


def _is_id(text: str) -> bool:
    """Return whether a text identifies a device of the Particle cloud, or a member that the cloud does not know."""
    return DEVICE_ID.match(text) is not None or is_identity(text)


def _build_host_name(text: str) -> str:
    """Convert ``text`` to a valid host name. If no host name can be made from ``text``, return an empty string.

    The form of the last names is for the devices themselves: a device that is named like the id of another device would
    otherwise take its place when that device is in another inventory source, or filtered out.
    """
    name = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFKC", text).strip()).lstrip("_.-")
    is_last_name = _is_id(name) or _is_id(name.lower()) or _HASHED_NAME.fullmatch(name.lower())
    return "" if is_last_name or len(name) > _MAX_LENGTH else name


def _list_value(value: Any) -> Iterable[str]:
    if value is None or value == "":
        return ()
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _list_mesh_value(facts: Facts, key: str) -> Iterable[str]:
    return _list_value((facts.get("mesh") or {}).get(key))


def _list_silence(facts: Facts, days: int) -> Iterable[str]:
    """Return the values of the key ``silent``. A device that was never heard is silent, and also has its own value."""
    return (*_list_value(is_silent(facts, days)), *(("never",) if was_never_heard(facts) else ()))


_GROUP_VALUES: Mapping[str, Callable[[Facts], Iterable[str]]] = {
    "product": lambda facts: _list_value(facts.get("product")),
    "platform": lambda facts: _list_value(facts.get("platform")),
    "device_group": lambda facts: (
        name for name in list_texts(facts.get("groups")) if not name.startswith(RESERVED_GROUPS)
    ),
    "network": lambda facts: _list_mesh_value(facts, "network"),
    "mesh_role": lambda facts: _list_mesh_value(facts, "role"),
    "online": lambda facts: _list_value(facts.get("online")),
    "firmware_version": lambda facts: _list_value(facts.get("firmware_version")),
    "firmware_lock": lambda facts: _list_value(facts.get("firmware_lock")),
    "development": lambda facts: _list_value(facts.get("development")),
    "quarantined": lambda facts: _list_value(facts.get("quarantined")),
}

GROUP_KEYS = (*_GROUP_VALUES, "silent")

DEFAULT_SILENT_DAYS = 7
"""The number of days after which a device counts as silent in groups, unless the user sets another number."""


def build_host_groups(
    devices: Mapping[str, Facts], keys: Sequence[str], silent_days: int = DEFAULT_SILENT_DAYS
) -> dict[str, list[str]]:
    """Return the inventory groups: a mapping from group names to lists of device ids.

    A group name is ``<key>_<value>`` in lower case, with ``_`` in place of each character other than a-z, 0-9 and
    ``_``. If several values would give the same group name, digits of a hash are added to each of these names, because
    a group must not mix devices with different values. Nothing is added to the name of a value that contains only a-z,
    0-9 and ``_``.

    :param keys: names from :data:`GROUP_KEYS`. For the key ``silent``, the facts must contain ``last_heard_age``.
    :param silent_days: the number of days after which a device counts as silent.
    """

    def list_silence(facts: Facts) -> Iterable[str]:
        return _list_silence(facts, silent_days)

    readers = {**_GROUP_VALUES, "silent": list_silence}
    groups: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        members: dict[str, list[str]] = {}
        for device, facts in devices.items():
            for value in readers[key](facts):
                members.setdefault(value, []).append(device)
        for value, name in _build_group_names(key, members.keys()).items():
            groups[name] = members[value]
    return groups


def _build_group_names(key: str, values: Set[str]) -> dict[str, str]:
    plain = {value: f"{key}_{re.sub(r'[^a-z0-9_]', '_', value.lower())}" for value in values}
    counts = Counter(plain.values())
    names = {value: name for value, name in plain.items() if counts[name] == 1 or name == f"{key}_{value}"}
    used = set(names.values())
    for value in sorted(values - names.keys()):
        # A user can compute the hash and give this group name to another value. Therefore further hashes are tried
        # until a group name is free.
        tries = (f"{plain[value]}_{_hash_text(value + '#' * number, 12)}" for number in itertools.count())
        names[value] = next(name for name in tries if name not in used)
        used.add(names[value])
    return names


def _hash_text(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:digits]
