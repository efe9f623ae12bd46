# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the data of a manifest into a :class:`Manifest`, or report all mistakes in the data. Private to this collection.

This module sends no requests. A manifest is therefore fully checked before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import (
    ValueReader,
    advise_quotes,
    describe_type,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    GROUP_NAME,
    is_same_label,
    strip_check_digit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import (
    Mistake,
    describe_mistakes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import find_name_fault, normalize_text
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, join_words
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    DENIED,
    Replacement,
    check_fields,
    list_fields,
    list_former_names,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.environment import read_environment
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.identifiers import (
    list_identifiers,
    read_identifier,
    read_mesh_identifier,
    read_mesh_identities,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.memberships import Devices, MembershipReader
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    IGNORE,
    REPORT,
    UNDECLARED_CHOICES,
    DeviceRecord,
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
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    RESERVED_GROUPS,
    Network,
)

COLUMN_KEYS = ("columns", "ignore_columns")
"""The top-level keys that apply only if ``devices`` is a table."""

MANIFEST_KEYS = (
    "product",
    "groups_mode",
    "unique_names",
    "name_template",
    "undeclared",
    "networks",
    "devices",
    *COLUMN_KEYS,
)
"""The top-level keys of a manifest."""


def list_device_keys() -> tuple[str, ...]:
    """Return the keys that a device may have in a manifest, in the order in which messages list these keys."""
    fields = (field.name for field in list_fields(product_only=False))
    return (*IDENTIFIERS, *fields, *_list_product_keys(), "claimed", "mesh", *list_identity_keys(), "state")


def _list_product_keys() -> tuple[str, ...]:
    """Return the keys that only devices of a product may have.

    The key ``mesh`` is not in the result, because the backend of the network decides whether ``mesh`` requires a
    product.
    """
    return ("groups", *(field.name for field in list_fields(product_only=True)), "environment", "from_product")


def read_manifest(
    data: Any, where: Where = format_place, *, absent: bool = False, ordered: bool = True, items: str = "devices"
) -> Manifest:
    """Validate the data of a manifest, and return a :class:`Manifest`.

    :param where: function that describes a place in the data for messages, such as ``fleet.yml:12 devices[3].id``.
    :param absent: whether the declared devices must be removed from the fleet.
    :param ordered: whether a device has the same position in the list in every run. ``{index}`` requires a stable
        position.
    :param items: the word for the declared devices in messages, such as ``rows``.
    :raises ParticleError: ``invalid_manifest`` when the data contains mistakes; the message lists each kind of mistake
        with its first place. ``unsupported`` when a device or network needs a product, but no product is declared.
    """
    reader = _Reader(where, absent=absent, ordered=ordered)
    manifest = reader.read(data)
    if reader.found:
        phrase = ("The manifest has a mistake", "The manifest has {} mistakes")
        raise ParticleError("invalid_manifest", describe_mistakes(phrase, reader.found, items))
    if reader.product_only:
        phrase = (
            "The manifest declares an item that requires a product",
            "The manifest declares {} items that require a product",
        )
        message = describe_mistakes(phrase, reader.product_only, items)
        raise ParticleError("unsupported", message, hint="Set product, or remove these items.")
    return manifest


def _needs_login(networks: Mapping[str, Network], records: Sequence[DeviceRecord]) -> bool:
    """Return whether a device or network needs the Particle cloud. Return ``True`` if no networks are declared."""
    if not all(record.is_outside_cloud for record in records):
        return True
    return not networks or any(get_rules(network.backend).needs_login for network in networks.values())


def _keep_removal(record: DeviceRecord, claimed: bool | None, identities: Mapping[str, str]) -> DeviceRecord:
    """Return the record of a removed device, with only the declarations that its removal needs."""
    fields = {name: value for name, value in record.fields.items() if name == "name"}
    claimed = False if claimed is False else None
    return replace(
        record,
        fields=fields,
        environment={},
        claimed=claimed,
        leaves_mesh=True,
        identities=identities,
        mesh=None,
        from_product=None,
        replaces=None,
    )


class _Reader(ValueReader):
    """A reader that validates one manifest and collects mistakes.

    :ivar product_only: one mistake for each declaration that is valid only with a product.
    """

    def __init__(self, where: Where, *, absent: bool, ordered: bool) -> None:
        super().__init__(where)
        self._absent = absent
        self._ordered = ordered
        self._device_keys, self._product_keys = list_device_keys(), _list_product_keys()
        self._former_names = list_former_names()
        self._deprecated: dict[str, list[Place]] = {}
        self._has_product = False
        self.product_only: list[Mistake] = []

    def read(self, data: Any) -> Manifest:
        """Return the manifest. The manifest is valid only if no mistakes were collected."""
        if data is None:
            self.add_mistake((), "is empty; declare devices")
            data = {"devices": []}
        top = self.read_mapping(data, (), MANIFEST_KEYS)
        product = self._read_product(top["product"], ("product",)) if "product" in top else None
        mode = self.read_choice(top.get("groups_mode", "add"), ("groups_mode",), ("add", "exact"))
        unique = self.read_boolean(top.get("unique_names", True), ("unique_names",))
        undeclared = self._read_undeclared(top)
        raw_networks = read_networks(self, top.get("networks"))
        self._has_product = product is not None
        for name, network in raw_networks.items():
            if not self._has_product and get_rules(network.backend).needs_product:
                self.product_only.append(
                    self.build_mistake(("networks", name), f"a network of backend {network.backend} requires a product")
                )
        if "devices" not in top and isinstance(data, Mapping):
            self.add_mistake((), "the key devices is missing")
        for key in COLUMN_KEYS:
            if key in top:
                self.add_mistake((key,), "applies only to a table, but the devices are not declared in a table")
        memberships = MembershipReader(self, raw_networks)
        devices = [
            found
            for index, item in enumerate(self.read_list(top.get("devices", []), ("devices",)))
            if (found := self._read_device(item, ("devices", index), raw_networks, memberships)) is not None
        ]
        self._refuse_same_devices(devices)
        self._check_replacements(devices)
        if product is None:
            self._check_claims(devices)
        if not self._absent:
            self._check_denials(devices)
        if "name_template" in top:
            devices = self._name_devices(devices, top["name_template"], product)
        if unique:
            self._refuse_shared_names(devices)
        networks = memberships.complete_networks(devices, absent=self._absent)
        records = tuple(replace(record, place=self.describe(place)) for place, record in devices)
        needs_login = product is not None or _needs_login(networks, records)
        deprecations = tuple(self._describe_deprecation(name, places) for name, places in self._deprecated.items())
        return Manifest(
            product, mode == "exact", networks, records, self._absent, needs_login, deprecations, undeclared
        )

    def _read_undeclared(self, top: Mapping[str, Any]) -> str:
        """Return how the run treats undeclared devices. A run that removes devices ignores them."""
        undeclared = self.read_choice(top.get("undeclared", REPORT), ("undeclared",), UNDECLARED_CHOICES)
        if self._absent and "undeclared" in top and undeclared != IGNORE:
            self.add_mistake(("undeclared",), f"is {undeclared}, which cannot be combined with state absent")
        return IGNORE if self._absent else undeclared

    def _describe_deprecation(self, name: str, places: Sequence[Place]) -> str:
        """Return the sentence about a deprecated name, which describes the first of its places."""
        more = len(places) - 1
        others = f" (and at {format_count(more, 'other place')})" if more else ""
        phrase = f"{name} is deprecated as the name of {self._former_names[name]}"
        return f"{self.describe(places[0])}{others}: {phrase}; rename the key."

    def _read_product(self, value: Any, place: Place) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            phrase = f"must be the id or slug of a product, got {describe_type(value)}{advise_quotes(value)}"
            self.add_mistake(place, phrase)
            return None
        return self.read_line(value.strip(), place)

    def _read_device(
        self, value: Any, place: Place, networks: Mapping[str, Network], memberships: MembershipReader
    ) -> tuple[Place, DeviceRecord] | None:
        before = len(self.found)
        device = self.read_mapping(value, place, self._device_keys, self._former_names)
        if not isinstance(value, Mapping):
            return None
        is_removed = self._read_state(device, place)
        keeps_device = not (self._absent or is_removed)
        identities = read_mesh_identities(self, device, place, networks, needs_mesh=keeps_device)
        is_outside_cloud = bool(identities) and not any(kind in device for kind in IDENTIFIERS)
        identity = (
            read_mesh_identifier(self, identities, device, place, self._device_keys)
            if is_outside_cloud
            else read_identifier(self, device, place)
        )
        fields = check_fields(self, device, place)
        replaces = fields.pop("replaces", None)
        groups = self._read_groups(device["groups"], (*place, "groups")) if "groups" in device else None
        claimed = self.read_boolean(device["claimed"], (*place, "claimed")) if "claimed" in device else None
        environment = (
            read_environment(self, device["environment"], (*place, "environment")) if "environment" in device else {}
        )
        from_product = None
        if "from_product" in device:
            from_product = self._read_product(device["from_product"], (*place, "from_product"))
        mesh, leaves = None, False
        if "mesh" in device:
            mesh, leaves = memberships.read(device["mesh"], (*place, "mesh"), is_staying=not is_removed)
        if is_removed:  # the device leaves its network, even if the record names one
            mesh, leaves = None, True
        if mesh is not None and identities:
            mesh = replace(mesh, extra={**mesh.extra, **identities})
        for name in (name for name in self._former_names if name in device):
            self._deprecated.setdefault(name, []).append((*place, name))
        for key in (*self._product_keys, *self._former_names):
            if key in device and not self._has_product:
                self.product_only.append(self.build_mistake((*place, key), "requires a product"))
        if identity is None:
            return None
        # Even if the device has mistakes, the searches for duplicates and for gateways need this record.
        record = DeviceRecord(
            identity.value,
            fields,
            mesh=mesh,
            declared_by=identity.declared_by,
            is_outside_cloud=is_outside_cloud,
            labels=identity.labels,
            environment=environment,
            from_product=from_product,
            replaces=replaces if isinstance(replaces, Replacement) else None,
            is_removed=is_removed,
        )
        if len(self.found) > before:
            return place, record
        if is_removed:
            return place, _keep_removal(record, claimed, identities)
        return place, replace(record, groups=groups, claimed=claimed, leaves_mesh=leaves, identities=identities)

    def _read_state(self, device: Mapping[str, Any], place: Place) -> bool:
        """Return whether a device is removed, although the task does not remove all devices."""
        state = self.read_choice(device.get("state", "present"), (*place, "state"), ("present", "absent"))
        if self._absent and "state" in device and state == "present":
            self.add_mistake((*place, "state"), "is present, but the task removes all devices")
        return state == "absent" and not self._absent

    def _read_groups(self, value: Any, place: Place) -> frozenset[str]:
        groups = self.read_list(value, place)
        for index, group in enumerate(groups):
            name = group if isinstance(group, str) else self.read_line(group, (*place, index))
            if isinstance(group, str) and not GROUP_NAME.match(name):
                self.add_mistake((*place, index), f"{group!r} is not a valid group name: use only a-z, 0-9, _ and -")
            elif name.startswith(RESERVED_GROUPS):
                self.add_mistake((*place, index), f"{group!r} is reserved: declare the device's mesh instead")
        return frozenset(str(group) for group in groups)

    # --- checks that need all devices ---

    def _refuse_same_devices(self, devices: Devices) -> None:
        for kind in (*IDENTIFIERS, *list_identity_keys()):
            first: dict[str, str] = {}
            found: list[tuple[Place, str]] = []
            for place, record in devices:
                if (value := list_identifiers(record).get(kind)) is not None:
                    known = first.setdefault(strip_check_digit(kind, value), value)
                    found.append((place, known if is_same_label(kind, known, value) else value))
            self.refuse_duplicates(found, kind)

    def _check_replacements(self, devices: Devices) -> None:
        """Report devices that replace themselves, and devices that several devices replace."""
        replaced: list[tuple[Place, str]] = []
        for place, record in devices:
            if record.replaces is None:
                continue
            named = record.replaces.device
            if named.lower() in [identifier.lower() for identifier in list_identifiers(record).values()]:
                self.add_mistake((*place, "replaces"), "is the device itself; name the device whose place it takes")
            elif named:
                replaced.append((place, normalize_text(named)))
        self.refuse_duplicates(replaced, "replaces")

    def _name_devices(self, devices: Devices, template: Any, product: str | None) -> Devices:
        """Return the devices, and give each device without a declared name a name from ``template``.

        A device gets no name if the Particle cloud does not know the device, or if the device declares ``state:
        absent`` or ``approval: denied``. A device of the account also gets no name if the device declares ``claimed:
        false``.
        """
        try:
            parts = read_template(self.read_line(template, ("name_template",)))
        except ValueError as error:
            if isinstance(template, str):
                self.add_mistake(("name_template",), str(error))
            return devices
        if not self._ordered and any(part[1] == "index" for part in parts):
            phrase = (
                "{index} cannot be combined with from_inventory, because the index of a device depends on the batch"
            )
            self.add_mistake(("name_template",), f"{phrase} of hosts; use an identifier such as {{id}} instead")
        of_account = product is None
        return [
            (place, record)
            if "name" in record.fields
            or record.is_outside_cloud
            or record.is_removed
            or (of_account and record.claimed is False)
            or record.fields.get("approval") == DENIED
            else (place, self._name_device(place, record, parts))
            for place, record in devices
        ]

    def _name_device(self, place: Place, record: DeviceRecord, template: tuple[Part, ...]) -> DeviceRecord:
        values: dict[str, str | int] = {"index": int(place[-1]) + 1, **list_identifiers(record)}
        if record.mesh is not None:
            values.update(record.mesh.as_result())
        try:
            name = build_name(template, values)
        except KeyError as missing:
            self.add_mistake(place, f"has no {missing.args[0]}, which name_template requires")
            return record
        if fault := find_name_fault(name):
            self.add_mistake(place, f"gets a name from name_template that {fault}")
        return replace(record, fields={**record.fields, "name": name})

    def _refuse_shared_names(self, devices: Devices) -> None:
        self.refuse_duplicates(
            [
                (place, normalize_text(str(record.fields["name"])))
                for place, record in devices
                if record.fields.get("name") and not record.is_removed
            ],
            "name",
        )

    def _check_claims(self, devices: Devices) -> None:
        """Report contradictions between ``claimed`` and the other declarations of each device of the account."""
        for place, record in devices:
            if record.is_outside_cloud:
                continue
            is_removed = self._absent or record.is_removed
            if is_removed and record.claimed is not False:
                phrase = (
                    "a device of the account can only be removed by giving up its claim; declare claimed: false too"
                )
                self.add_mistake(place, phrase)
            elif record.claimed is False and record.fields and not is_removed:
                phrase = f"is false, but an unclaimed device cannot have {join_words(list(record.fields))}"
                self.add_mistake((*place, "claimed"), phrase)

    def _check_denials(self, devices: Devices) -> None:
        """Report the other declarations of each device that declares ``approval: denied``."""
        for place, record in devices:
            others = [name for name in record.fields if name != "approval"]
            others += ["groups"] if record.groups is not None else []
            others += ["environment"] if record.environment else []
            others += ["claimed"] if record.claimed is not None else []
            others += ["from_product"] if record.from_product is not None else []
            others += ["replaces"] if record.replaces is not None else []
            others += ["mesh"] if record.has_mesh_declaration else []
            if record.fields.get("approval") == DENIED and others:
                phrase = (
                    f"is {DENIED}, which cannot be combined with {', '.join(others)}: the product ignores the device"
                )
                self.add_mistake((*place, "approval"), phrase)
