# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the data of a manifest into a :class:`Manifest`, or report all mistakes in the data. Private to this collection.

This module sends no requests. A manifest is therefore fully checked before the first request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    GROUP_NAME,
    ICCID,
    IMEI,
    SERIAL_NUMBER,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    check_fields,
    list_fields,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Identifier,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import (
    IDENTIFIERS,
    Part,
    build_name,
    read_template,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.networks import read_networks
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import (
    get_rules,
    list_identity_keys,
    list_rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    RESERVED_GROUPS,
    ROLES,
    Membership,
    Network,
    Rules,
)

MANIFEST_KEYS = ("product", "groups_mode", "unique_names", "name_template", "networks", "devices")
"""The top-level keys of a manifest."""

_MESH_KEYS = ("network", "role", "parameters", "state")

_MAX_MISTAKES = 100

_IDENTIFIER_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "serial_number": (SERIAL_NUMBER, "serial number: 4 to 40 letters, digits and hyphens"),
    "iccid": (ICCID, "ICCID: 18 to 22 digits"),
    "imei": (IMEI, "IMEI: 14 to 16 digits"),
}


def list_device_keys() -> tuple[str, ...]:
    """Return the keys that a device may have in a manifest, in the order in which messages list these keys."""
    fields = (field.name for field in list_fields(product_only=False))
    return (*IDENTIFIERS, *fields, *_list_product_keys(), "claimed", "mesh", *list_identity_keys())


def _list_product_keys() -> tuple[str, ...]:
    """Return the keys that only devices of a product may have.

    The key ``mesh`` is not in the result, because the backend of the network decides whether ``mesh`` requires a
    product.
    """
    return ("groups", *(field.name for field in list_fields(product_only=True)))


def read_manifest(data: Any, where: Where = format_place, *, absent: bool = False, ordered: bool = True) -> Manifest:
    """Validate the data of a manifest, and return a :class:`Manifest`.

    :param where: function that describes a place in the data for messages, such as ``fleet.yml:12 devices[3].id``.
    :param absent: whether the declared devices must be removed from the fleet.
    :param ordered: whether a device has the same position in the list in every run. ``{index}`` requires a stable
        position.
    :raises ParticleError: ``invalid_manifest`` when the data contains mistakes; the message lists each mistake with its
        place. ``unsupported`` when a device or network needs a product, but no product is declared.
    """
    reader = _Reader(where, absent=absent, ordered=ordered)
    manifest = reader.read(data)
    if reader.mistakes:
        raise _build_error("invalid_manifest", "has a mistake", "has {} mistakes", reader.mistakes)
    if manifest.product is None and reader.product_only:
        raise _build_error(
            "unsupported",
            "declares an item that requires a product",
            "declares {} items that require a product",
            reader.product_only,
        )
    return manifest


def _get_identifier_kind(record: DeviceRecord) -> str:
    return record.declared_by.kind if record.declared_by else "id"


def _build_error(code: str, one: str, many: str, places: list[str]) -> ParticleError:
    said = one if len(places) == 1 else many.format(len(places))
    shown = places[:_MAX_MISTAKES]
    if len(places) > len(shown):
        shown.append(f"and {len(places) - len(shown)} more")
    hint = "Set product, or remove these items." if code == "unsupported" else None
    return ParticleError(code, f"The manifest {said}:\n  " + "\n  ".join(shown), hint=hint)


def _join_words(words: Sequence[str]) -> str:
    """Return words as a phrase such as ``a, b or c``."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _needs_login(networks: Mapping[str, Network], records: Sequence[DeviceRecord]) -> bool:
    """Return whether a device or network needs the Particle cloud. Return ``True`` if no networks are declared."""
    if not all(record.is_outside_cloud for record in records):
        return True
    return not networks or any(get_rules(network.backend).needs_login for network in networks.values())


def _find_rules(mesh: Any, networks: Mapping[str, Network]) -> list[Rules]:
    """Return the backend rules that may apply to the ``mesh`` of a device.

    If the manifest declares the network that ``mesh`` names, only the rules of this network's backend apply. Otherwise
    the rules of all backends may apply.
    """
    network = networks.get(str(mesh.get("network"))) if isinstance(mesh, Mapping) else None
    return list(list_rules()) if network is None else [get_rules(network.backend)]


Devices = list[tuple[Place, DeviceRecord]]


class _Reader(ValueReader):
    """A reader that validates one manifest and collects mistakes.

    :ivar product_only: one message, with its place, for each declaration that is valid only with a product.
    """

    def __init__(self, where: Where, *, absent: bool, ordered: bool) -> None:
        super().__init__(where)
        self._absent = absent
        self._ordered = ordered
        self._has_gateway: set[str] = set()
        self._device_keys, self._product_keys = list_device_keys(), _list_product_keys()
        self.product_only: list[str] = []

    def read(self, data: Any) -> Manifest:
        """Return the manifest. The manifest is valid only if no mistakes were collected."""
        top = self.read_mapping(data, (), MANIFEST_KEYS)
        product = self._read_product(top["product"]) if "product" in top else None
        mode = self.read_choice(top.get("groups_mode", "add"), ("groups_mode",), ("add", "exact"))
        unique = self.read_boolean(top.get("unique_names", True), ("unique_names",))
        raw_networks = read_networks(self, top.get("networks"))
        for name, network in raw_networks.items():
            if get_rules(network.backend).needs_product:
                self.product_only.append(f"{self._where(('networks', name))}: a network of backend {network.backend}")
        if "devices" not in top and isinstance(data, Mapping):
            self.add_mistake((), "the key devices is missing")
        devices = [
            found
            for index, item in enumerate(self.read_list(top.get("devices", []), ("devices",)))
            if (found := self._read_device(item, ("devices", index), raw_networks)) is not None
        ]
        self._refuse_same_devices(devices)
        if product is None:
            self._check_claims(devices)
        if "name_template" in top:
            devices = self._name_devices(devices, top["name_template"], product)
        if unique:
            self._refuse_shared_names(devices)
        networks = self._complete_networks(raw_networks, devices)
        records = tuple(record for _unused, record in devices)
        needs_login = product is not None or _needs_login(networks, records)
        return Manifest(product, mode == "exact", networks, records, self._absent, needs_login)

    def _read_product(self, value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            self.add_mistake(("product",), f"must be the id or slug of a product, got {describe_type(value)}")
            return None
        return value.strip()

    def _read_device(
        self, value: Any, place: Place, networks: Mapping[str, Network]
    ) -> tuple[Place, DeviceRecord] | None:
        before = len(self.mistakes)
        device = self.read_mapping(value, place, self._device_keys)
        if not isinstance(value, Mapping):
            return None
        identities = self._read_identities(device, place, networks)
        is_outside_cloud = bool(identities) and not any(kind in device for kind in IDENTIFIERS)
        identity = (
            self._read_mesh_identifier(identities, device, place)
            if is_outside_cloud
            else self._read_identifier(device, place)
        )
        fields = check_fields(self, device, place)
        groups = self._read_groups(device["groups"], (*place, "groups")) if "groups" in device else None
        claimed = self.read_boolean(device["claimed"], (*place, "claimed")) if "claimed" in device else None
        mesh, leaves = None, False
        if "mesh" in device:
            mesh, leaves = self._read_mesh(device["mesh"], (*place, "mesh"), networks)
        if mesh is not None and identities:
            mesh = replace(mesh, extra={**mesh.extra, **identities})
        for key in self._product_keys:
            if key in device:
                self.product_only.append(f"{self._where((*place, key))}: {key}")
        if identity is None:
            return None
        identifier, declared_by = identity
        if len(self.mistakes) > before:
            # Return what the search for duplicates and for gateways needs, although the device has mistakes.
            return place, DeviceRecord(
                identifier, fields, mesh=mesh, declared_by=declared_by, is_outside_cloud=is_outside_cloud
            )
        return place, DeviceRecord(
            identifier, fields, groups, claimed, mesh, leaves, declared_by, identities, is_outside_cloud
        )

    def _read_identities(
        self, device: Mapping[str, Any], place: Place, networks: Mapping[str, Network]
    ) -> dict[str, str]:
        """Return the values that identify a device to mesh backends, keyed by manifest key.

        A value that is not valid becomes an empty string.
        """
        found = {}
        for rules in list_rules():
            for key in (key for key in rules.identities if key in device):
                found[key] = rules.read_identity(self, key, device[key], (*place, key)) or ""
                if "mesh" not in device and not self._absent:
                    self.add_mistake((*place, key), "identifies a member of a network; declare mesh too")
                elif not any(kind in device for kind in IDENTIFIERS):
                    self._refuse_other_backend(rules, device.get("mesh"), (*place, key), networks)
        return found

    def _refuse_other_backend(self, rules: Rules, mesh: Any, place: Place, networks: Mapping[str, Network]) -> None:
        """Report a mistake if the network in ``mesh`` belongs to another backend than ``rules``.

        :param rules: the rules of the only backend that knows the device.
        """
        network = networks.get(str(mesh.get("network"))) if isinstance(mesh, Mapping) else None
        if network is not None and network.backend != rules.name:
            self.add_mistake(
                place, f"identifies members of backend {rules.name}; declare a network of this backend in mesh"
            )

    def _read_mesh_identifier(
        self, identities: Mapping[str, str], device: Mapping[str, Any], place: Place
    ) -> tuple[str, Identifier] | None:
        """Return the identifier of a device that the Particle cloud does not know.

        :param identities: the values that identify the device to mesh backends, keyed by manifest key.
        :returns: the value, and the same value as an :class:`Identifier`; ``None`` if the value is not valid.
        """
        key, value = next(iter(identities.items()))
        for name in device:
            if name in self._device_keys and name not in ("name", "mesh", *identities):
                said = (
                    f"requires a device of the Particle cloud; declare {_join_words(IDENTIFIERS)} in addition to {key}"
                )
                self.add_mistake((*place, str(name)), said)
        return (value, Identifier(key, value)) if value else None

    def _read_identifier(self, device: Mapping[str, Any], place: Place) -> tuple[str, Identifier | None] | None:
        """Return the value that identifies a device, or ``None`` if the device has no valid identifier.

        :returns: the value, and the same value as an :class:`Identifier`. If the value is the device id, the second
            value is ``None``.
        """
        given = [kind for kind in IDENTIFIERS if kind in device]
        if not given:
            self.add_mistake(place, f"has no identifier; declare {_join_words((*IDENTIFIERS, *list_identity_keys()))}")
            return None
        for extra in given[1:]:
            self.add_mistake((*place, extra), f"cannot be combined with {given[0]}: identify a device by one of them")
        kind = given[0]
        if kind == "id":
            identifier = self.read_device_id(device["id"], (*place, "id"))
            return None if identifier is None else (identifier, None)
        label = self.read_text(device[kind], (*place, kind)).strip().upper()
        shape, words = _IDENTIFIER_FORMS[kind]
        if not shape.match(label):
            if isinstance(device[kind], str):
                self.add_mistake((*place, kind), f"{device[kind]!r} is not a valid {words}")
            return None
        return label, Identifier(kind, label)

    def _read_groups(self, value: Any, place: Place) -> frozenset[str]:
        groups = self.read_list(value, place)
        for index, group in enumerate(groups):
            name = self.read_text(group, (*place, index))
            if isinstance(group, str) and not GROUP_NAME.match(name):
                self.add_mistake((*place, index), f"{group!r} is not a valid group name: use only a-z, 0-9, _ and -")
            elif name.startswith(RESERVED_GROUPS):
                self.add_mistake((*place, index), f"{group} is reserved: declare the device's mesh instead")
        return frozenset(str(group) for group in groups)

    def _read_mesh(self, value: Any, place: Place, networks: Mapping[str, Network]) -> tuple[Membership | None, bool]:
        rules = _find_rules(value, networks)
        mesh = self.read_mapping(value, place, (*_MESH_KEYS, *(key for one in rules for key in one.member_keys)))
        if not isinstance(value, Mapping):
            return None, False
        state = self.read_choice(mesh.get("state", "present"), (*place, "state"), ("present", "absent"))
        if state == "absent":
            for key in ("network", "role", "parameters"):
                if key in mesh:
                    said = "cannot be combined with state absent, which removes the device from its network"
                    self.add_mistake((*place, key), said)
            return None, True
        role = self.read_choice(mesh.get("role", NODE), (*place, "role"), ROLES)
        if "network" not in mesh:
            self.add_mistake(place, "has no network")
            return None, False
        name = mesh["network"]
        extra: Mapping[str, Any] = {}
        if role == GATEWAY:
            self._has_gateway.add(str(name))
        if not isinstance(name, str) or name not in networks:
            known = f"declared are {', '.join(networks)}" if networks else "no networks are declared"
            self.add_mistake(
                (*place, "network"),
                f"{name!r} is not declared under networks{suggest_similar(name, networks)}; {known}",
            )
        elif networks[name].absent:
            self.add_mistake((*place, "network"), f"{name} is declared with state absent")
        else:
            extra = get_rules(networks[name].backend).read_member(self, mesh, place)
        return Membership(str(name), role, self._read_parameters(mesh, place), extra), False

    def _read_parameters(self, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the parameters of one member. Messages never contain a value, because a value can be a join key."""
        parameters = mesh.get("parameters", {})
        self.check_json(parameters, (*place, "parameters"))
        if isinstance(parameters, Mapping):
            return parameters
        self.add_mistake((*place, "parameters"), f"must be a mapping, got {describe_type(parameters)}")
        return {}

    # --- checks that need all devices ---

    def _refuse_same_devices(self, devices: Devices) -> None:
        for kind in (*IDENTIFIERS, *list_identity_keys()):
            alike = [found for found in devices if _get_identifier_kind(found[1]) == kind]
            self.refuse_duplicates([(place, record.id) for place, record in alike], kind)

    def _name_devices(self, devices: Devices, template: Any, product: str | None) -> Devices:
        """Return the devices, and give each device without a declared name a name from ``template``.

        A device gets no name if the Particle cloud does not know the device. A device of the account also gets no name
        if the device declares ``claimed: false``.
        """
        try:
            parts = read_template(self.read_text(template, ("name_template",)))
        except ValueError as error:
            if isinstance(template, str):
                self.add_mistake(("name_template",), str(error))
            return devices
        if not self._ordered and any(part[1] == "index" for part in parts):
            said = "{index} cannot be combined with from_inventory, because the index of a device depends on the batch"
            self.add_mistake(("name_template",), f"{said} of hosts; use an identifier such as {{id}} instead")
        of_account = product is None
        return [
            (place, record)
            if "name" in record.fields or record.is_outside_cloud or (of_account and record.claimed is False)
            else (place, self._name_device(place, record, parts))
            for place, record in devices
        ]

    def _name_device(self, place: Place, record: DeviceRecord, template: tuple[Part, ...]) -> DeviceRecord:
        values: dict[str, str | int] = {"index": int(place[-1]) + 1, _get_identifier_kind(record): record.id}
        if record.mesh is not None:
            values.update(record.mesh.as_result())
        try:
            return replace(record, fields={**record.fields, "name": build_name(template, values)})
        except KeyError as missing:
            self.add_mistake(place, f"has no {missing.args[0]}, which name_template requires")
            return record

    def _refuse_shared_names(self, devices: Devices) -> None:
        self.refuse_duplicates(
            [(place, str(record.fields["name"])) for place, record in devices if record.fields.get("name")], "name"
        )

    def _check_claims(self, devices: Devices) -> None:
        """Report contradictions between ``claimed`` and the other declarations of each device of the account."""
        for place, record in devices:
            if record.is_outside_cloud:
                continue
            if self._absent and record.claimed is not False:
                said = "a device of the account can only be removed by giving up its claim; declare claimed: false too"
                self.add_mistake(place, said)
            elif record.claimed is False and record.fields and not self._absent:
                said = f"is false, but an unclaimed device cannot have {' or '.join(record.fields)}"
                self.add_mistake((*place, "claimed"), said)

    def _complete_networks(self, networks: Mapping[str, Network], devices: Devices) -> dict[str, Network]:
        """Return the networks, completed with all gateways and with the number of devices.

        The gateways of a network are the devices that the network lists under ``gateways``, and the devices that
        declare the role gateway. Report each network that needs a gateway and has no gateway.
        """
        among: dict[str, set[str]] = {name: set(network.gateways) for name, network in networks.items()}
        every: dict[str, set[str]] = {name: set(network.gateways) for name, network in networks.items()}
        used: set[str] = set()
        for place, record in devices:
            if record.mesh is None or record.mesh.network not in among:
                continue
            used.add(record.mesh.network)
            every[record.mesh.network].add(record.id)
            if record.mesh.role == GATEWAY:
                among[record.mesh.network].add(record.id)
            elif record.id in networks[record.mesh.network].gateways:
                self.add_mistake((*place, "mesh", "role"), f"is {NODE}, but the network names this device as a gateway")
        for name in sorted(used):
            served = among[name] or name in self._has_gateway or networks[name].absent or self._absent
            served = served or not get_rules(networks[name].backend).needs_gateway
            if not served:
                self.add_mistake(
                    ("networks", name), "has nodes but no gateway; declare role gateway for one of its devices"
                )
        self._refuse_two_networks(networks, devices)
        return {
            name: replace(network, gateways=tuple(sorted(among[name])), size=len(every[name]))
            for name, network in networks.items()
        }

    def _refuse_two_networks(self, networks: Mapping[str, Network], devices: Devices) -> None:
        """Report devices that are in two networks, and gateways that must leave their network.

        A device is in a network if the device declares the network, or if the network lists the device under
        ``gateways``.
        """
        serves: dict[str, str] = {}
        for name, network in networks.items():
            for index, gateway in enumerate(network.gateways):
                if serves.setdefault(gateway, name) != name:
                    said = f"{gateway} is already a gateway of {serves[gateway]}"
                    self.add_mistake(("networks", name, "gateways", index), said)
        for place, record in devices:
            named = serves.get(record.id)
            if named and (record.leaves_mesh or (record.mesh is not None and record.mesh.network != named)):
                self.add_mistake((*place, "mesh"), f"network {named} names this device as a gateway")
