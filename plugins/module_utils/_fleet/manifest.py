# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the data of a manifest to a :class:`Manifest`, or to all of its mistakes at once. Private to this collection.

Nothing in here asks anybody: a manifest is right or wrong before the first request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.documents import Place, Where, dotted
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    RESERVED_GROUPS,
    ROLES,
    Membership,
    Network,
)

_TOP = ("product", "groups_mode", "unique_names", "networks", "devices")
_NETWORK = ("backend", "parameters", "gateways")
_DEVICE = ("id", "name", "notes", "groups", "claimed", "mesh")
_MESH = ("network", "role", "state")
_BACKENDS = ("ledger",)

_DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z")
_NETWORK_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z")
_GROUP_NAME = re.compile(r"[a-z0-9_-]+\Z")
_MAX_MISTAKES = 100


def read_manifest(data: Any, where: Where = dotted) -> Manifest:
    """Validate ``data`` and give it its types.

    :param where: names a place of the data to the user.
    :raises ParticleError: ``invalid_manifest`` naming every mistake with its place; ``unsupported`` for what
        needs a product when none is declared.
    """
    reader = _Reader(where)
    manifest = reader.manifest(data)
    if reader.mistakes:
        raise _refusal("invalid_manifest", "has a mistake", "has {} mistakes", reader.mistakes)
    if manifest.product is None and reader.product_only:
        raise _refusal(
            "unsupported",
            "asks for something that only devices of a product can have",
            "asks in {} places for what only devices of a product can have",
            reader.product_only,
        )
    return manifest


def _refusal(code: str, one: str, many: str, places: list[str]) -> ParticleError:
    said = one if len(places) == 1 else many.format(len(places))
    shown = places[:_MAX_MISTAKES]
    if len(places) > len(shown):
        shown.append(f"and {len(places) - len(shown)} more")
    hint = "Name the product, or leave these out." if code == "unsupported" else None
    return ParticleError(code, f"The manifest {said}:\n  " + "\n  ".join(shown), hint=hint)


class _Reader:
    """Collects mistakes while it reads; what it gives back counts only when there are none."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._has_gateway: set[str] = set()
        self.mistakes: list[str] = []
        self.product_only: list[str] = []

    def _wrong(self, place: Place, what: str) -> None:
        self.mistakes.append(f"{self._where(place)}: {what}")

    # --- parts of any document ---

    def _mapping(self, value: Any, place: Place, keys: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self._wrong(place, f"must be a mapping with {', '.join(keys)}, not {_kind(value)}")
            return {}
        for key in value:
            if key not in keys:
                self._wrong((*place, str(key)), f"unknown key; known are {', '.join(keys)}")
        return value

    def _sequence(self, value: Any, place: Place) -> list[Any]:
        if isinstance(value, (list, tuple)):
            return list(value)
        self._wrong(place, f"must be a list, not {_kind(value)}")
        return []

    def _text(self, value: Any, place: Place) -> str:
        if isinstance(value, str):
            return str(value)
        advice = "; put it in quotes" if value is not None and not isinstance(value, (Mapping, list)) else ""
        self._wrong(place, f"must be a text, not {_kind(value)}{advice}")
        return ""

    def _truth(self, value: Any, place: Place) -> bool:
        if not isinstance(value, bool):
            self._wrong(place, f"must be true or false, not {_kind(value)}")
        return value is True

    def _choice(self, value: Any, place: Place, choices: tuple[str, ...]) -> str:
        if value not in choices:
            self._wrong(place, f"{value!r} is none of {', '.join(choices)}")
        return str(value)

    def _device_id(self, value: Any, place: Place) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            self._wrong(place, f"{value} is read as a number: put the device id in quotes")
            return None
        text = value.strip().lower() if isinstance(value, str) else ""
        if not _DEVICE_ID.match(text):
            self._wrong(place, f"{value!r} is no device id: 24 hexadecimal digits")
            return None
        return str(text)

    def _refuse_what_is_no_json(self, value: Any, place: Place) -> None:
        """What cannot reach a device, or would come back from the cloud as something else."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._text(key, (*place, str(key)))
                self._refuse_what_is_no_json(item, (*place, str(key)))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self._refuse_what_is_no_json(item, (*place, index))
        elif isinstance(value, float) and not math.isfinite(value):
            self._wrong(place, f"{value} is no number that JSON has")
        elif value is not None and not isinstance(value, (str, int, float)):
            self._wrong(place, f"is {_kind(value)}, which JSON has not; put it in quotes")

    # --- the parts of a manifest ---

    def manifest(self, data: Any) -> Manifest:
        top = self._mapping(data, (), _TOP)
        product = self._product(top["product"]) if "product" in top else None
        mode = self._choice(top.get("groups_mode", "add"), ("groups_mode",), ("add", "exact"))
        unique = self._truth(top.get("unique_names", True), ("unique_names",))
        raw_networks = self._networks(top.get("networks"))
        if "devices" not in top and isinstance(data, Mapping):
            self._wrong((), "has no devices")
        devices = [
            found
            for index, item in enumerate(self._sequence(top.get("devices", []), ("devices",)))
            if (found := self._device(item, ("devices", index), raw_networks)) is not None
        ]
        self._refuse_twins([(place, record.id) for place, record in devices], "id")
        if unique:
            named = [(place, record.fields["name"]) for place, record in devices if record.fields.get("name")]
            self._refuse_twins(named, "name")
        for place, record in devices:
            if record.claimed and product is not None:
                self._wrong((*place, "claimed"), "is for the account's own devices; those of a product need no claim")
        networks = self._with_gateways(raw_networks, devices)
        return Manifest(product, mode == "exact", networks, tuple(record for _, record in devices))

    def _product(self, value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            self._wrong(("product",), f"must be the id or slug of a product, not {_kind(value)}")
            return None
        return value.strip()

    def _networks(self, value: Any) -> dict[str, Network]:
        """The networks as they stand; gateways among the devices are added later."""
        networks: dict[str, Network] = {}
        if value is None:
            return networks
        if not isinstance(value, Mapping):
            self._wrong(("networks",), f"must be a mapping from names to networks, not {_kind(value)}")
            return networks
        for name, item in value.items():
            place: Place = ("networks", str(name))
            self.product_only.append(f"{self._where(place)}: a network")
            text = self._text(name, place)
            if isinstance(name, str) and not _NETWORK_NAME.match(text):
                self._wrong(place, "a network's name is 1 to 32 of a-z, 0-9, _ and -")
            if name in ROLES:
                self._wrong(place, "a network cannot be called like a role")
            network = self._mapping({} if item is None else item, place, _NETWORK)
            self._choice(network.get("backend", "ledger"), (*place, "backend"), _BACKENDS)
            parameters = network.get("parameters", {})
            if not isinstance(parameters, Mapping):
                self._wrong((*place, "parameters"), f"must be a mapping, not {_kind(parameters)}")
                parameters = {}
            self._refuse_what_is_no_json(parameters, (*place, "parameters"))
            given = self._sequence(network.get("gateways", []), (*place, "gateways"))
            gateways = [self._device_id(gateway, (*place, "gateways", index)) for index, gateway in enumerate(given)]
            networks[str(name)] = Network(str(name), tuple(g for g in gateways if g), dict(parameters))
        return networks

    def _device(self, value: Any, place: Place, networks: Mapping[str, Network]) -> tuple[Place, DeviceRecord] | None:
        before = len(self.mistakes)
        device = self._mapping(value, place, _DEVICE)
        if not isinstance(value, Mapping):
            return None
        if "id" not in device:
            self._wrong(place, "has no id")
        identifier = self._device_id(device["id"], (*place, "id")) if "id" in device else None
        fields = {key: self._text(device[key], (*place, key)) for key in ("name", "notes") if key in device}
        if "name" in device and isinstance(device["name"], str) and not device["name"].strip():
            self._wrong((*place, "name"), "is empty")
        groups = self._groups(device["groups"], (*place, "groups")) if "groups" in device else None
        if device.get("claimed", True) is not True:
            self._wrong((*place, "claimed"), "can only be true; leave it out to leave the claim alone")
        mesh, leaves = None, False
        if "mesh" in device:
            mesh, leaves = self._mesh(device["mesh"], (*place, "mesh"), networks)
        for key in ("groups", "mesh"):
            if key in device:
                self.product_only.append(f"{self._where((*place, key))}: {key}")
        if identifier is None or len(self.mistakes) > before:
            # Kept for the search of twins when at least its id and name can be relied on.
            return None if identifier is None else (place, DeviceRecord(identifier, fields, mesh=mesh))
        return place, DeviceRecord(identifier, fields, groups, "claimed" in device, mesh, leaves)

    def _groups(self, value: Any, place: Place) -> frozenset[str]:
        groups = self._sequence(value, place)
        for index, group in enumerate(groups):
            name = self._text(group, (*place, index))
            if isinstance(group, str) and not _GROUP_NAME.match(name):
                self._wrong((*place, index), f"{group!r} is no group name: one or more of a-z, 0-9, _ and -")
            elif name.startswith(RESERVED_GROUPS):
                self._wrong((*place, index), f"{group} is reserved: declare the device's mesh instead")
        return frozenset(str(group) for group in groups)

    def _mesh(self, value: Any, place: Place, networks: Mapping[str, Network]) -> tuple[Membership | None, bool]:
        mesh = self._mapping(value, place, _MESH)
        if not isinstance(value, Mapping):
            return None, False
        state = self._choice(mesh.get("state", "present"), (*place, "state"), ("present", "absent"))
        if state == "absent":
            for key in ("network", "role"):
                if key in mesh:
                    self._wrong((*place, key), "goes not together with state absent, which leaves any mesh")
            return None, True
        role = self._choice(mesh.get("role", NODE), (*place, "role"), ROLES)
        if "network" not in mesh:
            self._wrong(place, "has no network")
            return None, False
        name = mesh["network"]
        if role == GATEWAY:
            self._has_gateway.add(str(name))
        if not isinstance(name, str) or name not in networks:
            known = f"declared are {', '.join(networks)}" if networks else "none is"
            self._wrong((*place, "network"), f"{name!r} is not declared under networks; {known}")
        return Membership(str(name), role), False

    # --- what only shows when all is read ---

    def _refuse_twins(self, found: list[tuple[Place, str]], key: str) -> None:
        first: dict[str, Place] = {}
        for place, value in found:
            if value in first:
                self._wrong((*place, key), f"{value!r} stands already at {self._where((*first[value], key))}")
            else:
                first[value] = place

    def _with_gateways(
        self, networks: Mapping[str, Network], devices: list[tuple[Place, DeviceRecord]]
    ) -> dict[str, Network]:
        """The networks with all their gateways: those named and those among the devices."""
        among: dict[str, set[str]] = {name: set(network.gateways) for name, network in networks.items()}
        used: set[str] = set()
        for place, record in devices:
            if record.mesh is None or record.mesh.network not in among:
                continue
            used.add(record.mesh.network)
            if record.mesh.role == GATEWAY:
                among[record.mesh.network].add(record.id)
            elif record.id in networks[record.mesh.network].gateways:
                self._wrong((*place, "mesh", "role"), f"is {NODE}, and the network names this device as a gateway")
        for name in sorted(used):
            if not among[name] and name not in self._has_gateway:
                self._wrong(("networks", name), "has nodes and no gateway; one device must have role gateway")
        return {
            name: Network(name, tuple(sorted(among[name])), network.parameters) for name, network in networks.items()
        }


def _kind(value: Any) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "nothing"
    for kind, word in ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text")):
        if isinstance(value, kind):
            return word if kind is not bool else str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
