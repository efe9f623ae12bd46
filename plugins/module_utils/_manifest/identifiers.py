# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the identifiers of devices: ids, labels, and the identities of mesh members. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    DEVICE_ID,
    ICCID,
    IMEI,
    SERIAL_NUMBER,
    describe_damage,
    simplify_identifier,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import join_words
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Identifier
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_identity_keys, list_rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Network, Rules

LABELS = ("serial_number", "iccid", "imei")
"""The manifest keys of identifiers that are printed on a device or its SIM card."""

_LABEL_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "serial_number": (SERIAL_NUMBER, "serial number: 4 to 40 letters, digits and hyphens"),
    "iccid": (ICCID, "ICCID: 18 to 22 digits"),
    "imei": (IMEI, "IMEI: 14 to 16 digits"),
}


# A text of hexadecimal digits that is this long is a damaged device id rather than a serial number.
_LONG_HEX = re.compile(r"[0-9a-f]{20,}\Z")


@dataclass(frozen=True)
class Identity:
    """The identifiers that a device declares.

    :param value: the identifier by which the device is found.
    :param declared_by: the same identifier; ``None`` if it is the device id.
    :param labels: the other identifiers, each with its place in the manifest for messages.
    """

    value: str
    declared_by: Identifier | None
    labels: Mapping[Identifier, str] = field(default_factory=dict)


def list_identifiers(record: DeviceRecord) -> dict[str, str]:
    """Return all identifiers that a device declares, keyed by manifest key."""
    kind = record.declared_by.kind if record.declared_by else "id"
    return {kind: record.id, **{label.kind: label.value for label in record.labels}}


def find_identifier_kind(text: str) -> str:
    """Return the manifest key of an identifier whose kind is not declared.

    A text that is no valid identifier counts as a device id.
    """
    lower = text.strip().lower()
    plain = simplify_identifier(text)
    if DEVICE_ID.match(plain):
        return "id"
    for kind in ("iccid", "imei"):
        if _LABEL_FORMS[kind][0].match(plain):
            return kind
    return "serial_number" if SERIAL_NUMBER.match(lower.upper()) and not _LONG_HEX.match(lower) else "id"


def has_identifier_form(text: str) -> bool:
    """Return whether a text is a device id, an ICCID or an IMEI, perhaps with other characters between its digits."""
    return any(form.match(simplify_identifier(text)) for form in (DEVICE_ID, ICCID, IMEI))


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
) -> Identity | None:
    """Return the identifier of a device that the Particle cloud does not know.

    :param identities: the values that identify the device to mesh backends, keyed by manifest key.
    :param device_keys: the valid keys of a device.
    :returns: ``None`` if the value is not valid.
    """
    key, value = next(iter(identities.items()))
    for name in device:
        if name in device_keys and name not in ("name", "mesh", *identities):
            phrase = f"requires a device of the Particle cloud; declare {join_words(IDENTIFIERS)} in addition to {key}"
            reader.add_mistake((*place, str(name)), phrase)
    return Identity(value, Identifier(key, value)) if value else None


def read_identifier(reader: ValueReader, device: Mapping[str, Any], place: Place) -> Identity | None:
    """Return the identifiers of a device, or ``None`` if the device has no valid identifier.

    If a device declares several identifiers, the first of ``IDENTIFIERS`` is the one by which the device is found.
    """
    given = [kind for kind in IDENTIFIERS if kind in device]
    if not given:
        reader.add_mistake(place, f"has no identifier; declare {join_words((*IDENTIFIERS, *list_identity_keys()))}")
        return None
    first, *others = given
    values = {kind: _read_one_identifier(reader, kind, device[kind], (*place, kind)) for kind in given}
    value = values[first]
    if value is None:
        return None
    found = ((kind, values[kind]) for kind in others)
    labels = {Identifier(kind, label): reader.describe((*place, kind)) for kind, label in found if label is not None}
    return Identity(value, None if first == "id" else Identifier(first, value), labels)


def _read_one_identifier(reader: ValueReader, kind: str, value: Any, place: Place) -> str | None:
    if kind == "id":
        return reader.read_device_id(value, place)
    label = reader.read_text(value, place).strip().upper()
    shape, words = _LABEL_FORMS[kind]
    if shape.match(label):
        return label
    if isinstance(value, str):
        reader.add_mistake(place, describe_damage(value, shape) or f"{value!r} is not a valid {words}")
    return None
