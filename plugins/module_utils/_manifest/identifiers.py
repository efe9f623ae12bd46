# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the identifiers of devices: ids, labels, and the identities of mesh members. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import ICCID, IMEI, SERIAL_NUMBER
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Identifier
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_identity_keys, list_rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Network, Rules

_IDENTIFIER_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "serial_number": (SERIAL_NUMBER, "serial number: 4 to 40 letters, digits and hyphens"),
    "iccid": (ICCID, "ICCID: 18 to 22 digits"),
    "imei": (IMEI, "IMEI: 14 to 16 digits"),
}


def get_identifier_kind(record: DeviceRecord) -> str:
    """Return the manifest key that identifies a device, such as ``id``."""
    return record.declared_by.kind if record.declared_by else "id"


def read_mesh_identities(
    reader: ValueReader,
    device: Mapping[str, Any],
    place: Place,
    networks: Mapping[str, Network],
    *,
    needs_mesh: bool,
) -> dict[str, str]:
    """Return the values that identify a device to mesh backends, keyed by manifest key.

    A value that is not valid becomes an empty string.

    :param needs_mesh: whether a device with such a value must declare ``mesh``.
    """
    found = {}
    for rules in list_rules():
        for key in (key for key in rules.identities if key in device):
            found[key] = rules.read_identity(reader, key, device[key], (*place, key)) or ""
            if needs_mesh and "mesh" not in device:
                reader.add_mistake((*place, key), "identifies a member of a network; declare mesh too")
            elif not any(kind in device for kind in IDENTIFIERS):
                _refuse_other_backend(reader, rules, device.get("mesh"), (*place, key), networks)
    return found


def _refuse_other_backend(
    reader: ValueReader, rules: Rules, mesh: Any, place: Place, networks: Mapping[str, Network]
) -> None:
    """Report a mistake if the network in ``mesh`` belongs to another backend than ``rules``.

    :param rules: the rules of the only backend that knows the device.
    """
    network = networks.get(str(mesh.get("network"))) if isinstance(mesh, Mapping) else None
    if network is not None and network.backend != rules.name:
        reader.add_mistake(
            place, f"identifies members of backend {rules.name}; declare a network of this backend in mesh"
        )


def read_mesh_identifier(
    reader: ValueReader,
    identities: Mapping[str, str],
    device: Mapping[str, Any],
    place: Place,
    device_keys: Sequence[str],
) -> tuple[str, Identifier] | None:
    """Return the identifier of a device that the Particle cloud does not know.

    :param identities: the values that identify the device to mesh backends, keyed by manifest key.
    :param device_keys: the valid keys of a device.
    :returns: the value, and the same value as an :class:`Identifier`; ``None`` if the value is not valid.
    """
    key, value = next(iter(identities.items()))
    for name in device:
        if name in device_keys and name not in ("name", "mesh", *identities):
            said = f"requires a device of the Particle cloud; declare {_join_words(IDENTIFIERS)} in addition to {key}"
            reader.add_mistake((*place, str(name)), said)
    return (value, Identifier(key, value)) if value else None


def read_identifier(
    reader: ValueReader, device: Mapping[str, Any], place: Place
) -> tuple[str, Identifier | None] | None:
    """Return the value that identifies a device, or ``None`` if the device has no valid identifier.

    :returns: the value, and the same value as an :class:`Identifier`. If the value is the device id, the second
        value is ``None``.
    """
    given = [kind for kind in IDENTIFIERS if kind in device]
    if not given:
        reader.add_mistake(place, f"has no identifier; declare {_join_words((*IDENTIFIERS, *list_identity_keys()))}")
        return None
    for extra in given[1:]:
        reader.add_mistake((*place, extra), f"cannot be combined with {given[0]}: identify a device by one of them")
    kind = given[0]
    if kind == "id":
        identifier = reader.read_device_id(device["id"], (*place, "id"))
        return None if identifier is None else (identifier, None)
    label = reader.read_text(device[kind], (*place, kind)).strip().upper()
    shape, words = _IDENTIFIER_FORMS[kind]
    if not shape.match(label):
        if isinstance(device[kind], str):
            reader.add_mistake((*place, kind), f"{device[kind]!r} is not a valid {words}")
        return None
    return label, Identifier(kind, label)


def _join_words(words: Sequence[str]) -> str:
    """Return words as a phrase such as ``a, b or c``."""
    return f"{', '.join(words[:-1])} or {words[-1]}"
