# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the data of a manifest to a :class:`Manifest`, or to all of its mistakes at once. Private to this collection.

Nothing in here asks anybody: a manifest is right or wrong before the first request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.documents import Place, Where, dotted
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reading import PartReader, kind_of
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


class _Reader(PartReader):
    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._has_gateway: set[str] = set()
        self.product_only: list[str] = []

    def manifest(self, data: Any) -> Manifest:
        top = self.mapping(data, (), _TOP)
        product = self._product(top["product"]) if "product" in top else None
        mode = self.choice(top.get("groups_mode", "add"), ("groups_mode",), ("add", "exact"))
        unique = self.truth(top.get("unique_names", True), ("unique_names",))
        raw_networks = self._networks(top.get("networks"))
        if "devices" not in top and isinstance(data, Mapping):
            self.wrong((), "has no devices")
        devices = [
            found
            for index, item in enumerate(self.sequence(top.get("devices", []), ("devices",)))
            if (found := self._device(item, ("devices", index), raw_networks)) is not None
        ]
        self.twins([(place, record.id) for place, record in devices], "id")
        if unique:
            named = [(place, record.fields["name"]) for place, record in devices if record.fields.get("name")]
            self.twins(named, "name")
        for place, record in devices:
            if record.claimed and product is not None:
                self.wrong((*place, "claimed"), "is for the account's own devices; those of a product need no claim")
        networks = self._with_gateways(raw_networks, devices)
        return Manifest(product, mode == "exact", networks, tuple(record for _, record in devices))

    def _product(self, value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            self.wrong(("product",), f"must be the id or slug of a product, not {kind_of(value)}")
            return None
        return value.strip()

    def _networks(self, value: Any) -> dict[str, Network]:
        """The networks as they stand; gateways among the devices are added later."""
        networks: dict[str, Network] = {}
        if value is None:
            return networks
        if not isinstance(value, Mapping):
            self.wrong(("networks",), f"must be a mapping from names to networks, not {kind_of(value)}")
            return networks
        for name, item in value.items():
            place: Place = ("networks", str(name))
            self.product_only.append(f"{self._where(place)}: a network")
            text = self.text(name, place)
            if isinstance(name, str) and not _NETWORK_NAME.match(text):
                self.wrong(place, "a network's name is 1 to 32 of a-z, 0-9, _ and -")
            if name in ROLES:
                self.wrong(place, "a network cannot be called like a role")
            network = self.mapping({} if item is None else item, place, _NETWORK)
            self.choice(network.get("backend", "ledger"), (*place, "backend"), _BACKENDS)
            parameters = network.get("parameters", {})
            if not isinstance(parameters, Mapping):
                self.wrong((*place, "parameters"), f"must be a mapping, not {kind_of(parameters)}")
                parameters = {}
            self.json(parameters, (*place, "parameters"))
            given = self.sequence(network.get("gateways", []), (*place, "gateways"))
            gateways = [self.device_id(gateway, (*place, "gateways", index)) for index, gateway in enumerate(given)]
            networks[str(name)] = Network(str(name), tuple(g for g in gateways if g), dict(parameters))
        return networks

    def _device(self, value: Any, place: Place, networks: Mapping[str, Network]) -> tuple[Place, DeviceRecord] | None:
        before = len(self.mistakes)
        device = self.mapping(value, place, _DEVICE)
        if not isinstance(value, Mapping):
            return None
        if "id" not in device:
            self.wrong(place, "has no id")
        identifier = self.device_id(device["id"], (*place, "id")) if "id" in device else None
        fields = {key: self.text(device[key], (*place, key)) for key in ("name", "notes") if key in device}
        if "name" in device and isinstance(device["name"], str) and not device["name"].strip():
            self.wrong((*place, "name"), "is empty")
        groups = self._groups(device["groups"], (*place, "groups")) if "groups" in device else None
        if device.get("claimed", True) is not True:
            self.wrong((*place, "claimed"), "can only be true; leave it out to leave the claim alone")
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
        groups = self.sequence(value, place)
        for index, group in enumerate(groups):
            name = self.text(group, (*place, index))
            if isinstance(group, str) and not _GROUP_NAME.match(name):
                self.wrong((*place, index), f"{group!r} is no group name: one or more of a-z, 0-9, _ and -")
            elif name.startswith(RESERVED_GROUPS):
                self.wrong((*place, index), f"{group} is reserved: declare the device's mesh instead")
        return frozenset(str(group) for group in groups)

    def _mesh(self, value: Any, place: Place, networks: Mapping[str, Network]) -> tuple[Membership | None, bool]:
        mesh = self.mapping(value, place, _MESH)
        if not isinstance(value, Mapping):
            return None, False
        state = self.choice(mesh.get("state", "present"), (*place, "state"), ("present", "absent"))
        if state == "absent":
            for key in ("network", "role"):
                if key in mesh:
                    self.wrong((*place, key), "goes not together with state absent, which leaves any mesh")
            return None, True
        role = self.choice(mesh.get("role", NODE), (*place, "role"), ROLES)
        if "network" not in mesh:
            self.wrong(place, "has no network")
            return None, False
        name = mesh["network"]
        if role == GATEWAY:
            self._has_gateway.add(str(name))
        if not isinstance(name, str) or name not in networks:
            known = f"declared are {', '.join(networks)}" if networks else "none is"
            self.wrong((*place, "network"), f"{name!r} is not declared under networks; {known}")
        return Membership(str(name), role), False

    # --- what only shows when all is read ---

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
                self.wrong((*place, "mesh", "role"), f"is {NODE}, and the network names this device as a gateway")
        for name in sorted(used):
            if not among[name] and name not in self._has_gateway:
                self.wrong(("networks", name), "has nodes and no gateway; one device must have role gateway")
        return {
            name: Network(name, tuple(sorted(among[name])), network.parameters) for name, network in networks.items()
        }
