# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The state of the cloud and the few changes that must keep several records in step."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from particle_simulator.accounts import Accounts
from particle_simulator.agenda import Agenda
from particle_simulator.belongings import Environment, Sim
from particle_simulator.clock import Clock
from particle_simulator.events import Events
from particle_simulator.logins import Logins
from particle_simulator.model import (
    Account,
    Device,
    Group,
    Network,
    Organization,
    Product,
)
from particle_simulator.settings import Settings

GROUP_COLORS = ("#00aeef", "#f57c00", "#7b1fa2", "#388e3c", "#c2185b", "#5d4037")


class World:
    """Everything the cloud knows. A new world has no accounts, products and devices yet."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.seed = settings.seed
        self.slow_joiners = settings.slow_joiners
        self.churn = settings.churn
        self.mesh = settings.mesh
        self.random = Random(f"world {settings.seed}")
        self.revision = 0
        """Grows with every request that may change something: a key for what is derived from the state."""
        self.accounts = Accounts()
        self.logins = Logins()
        self.products: dict[int, Product] = {}
        self.devices: dict[str, Device] = {}
        self.labels: dict[str, Device] = {}
        """Devices by serial number, IMEI and ICCID."""
        self.names: dict[str, dict[str, Device]] = {}
        """Devices by name, then by id: names are not unique."""
        self.orgs: dict[str, Organization] = {}
        """Organisations by id."""
        self.networks: dict[str, Network] = {}
        self.sims: dict[str, Sim] = {}
        """SIM cards that somebody has asked for, by ICCID."""
        self.sim_checks: dict[str, float] = {}
        """When the last status check of a card began, by ICCID."""
        self.environments: dict[str, Environment] = {}
        """The environment variables of single devices, by device id."""
        self.vitals: dict[str, list[float]] = {}
        """When devices reported their vitals because somebody asked, by device id."""
        self.binaries: dict[str, bytes] = {}
        """What the cloud's compiler made, by id."""
        self.events = Events()
        self.agenda = Agenda()
        self.usage_reports: dict[str, dict[str, Any]] = {}
        self.due: list[tuple[float, str]] = []
        """A heap of the moments at which the cloud will notice that a device is gone."""
        self.offline_face: int | None = None
        """The status that calls to any device that is not there get; None leaves it to the route."""
        self.reporting: dict[str, tuple[int, list[str]]] = {}
        """Which devices report in a mesh status ledger, by owner id, as of which revision."""

    def now(self) -> float:
        """The cloud's clock."""
        return self.clock.now()

    def add_device(self, device: Device) -> None:
        """Makes a device known to the cloud."""
        self.devices[device.id] = device
        for label in (device.serial_number, device.imei, device.iccid):
            if label:
                self.labels[label.upper()] = device
        if device.name:
            self.names.setdefault(device.name, {})[device.id] = device

    # ------------------------------------------------------------------ look-ups

    def find_product(self, id_or_slug: str) -> Product | None:
        """A product by its id or its slug."""
        if id_or_slug.isascii() and id_or_slug.isdigit():
            return self.products.get(int(id_or_slug))
        return next((found for found in self.products.values() if found.slug == id_or_slug), None)

    def find_org(self, id_or_slug: str) -> Organization | None:
        """An organisation by its id or its slug."""
        found = self.orgs.get(id_or_slug.lower())
        return found or next((org for org in self.orgs.values() if org.slug == id_or_slug), None)

    def identify(self, identifier: str) -> Device | None:
        """A device by its id or by anything that is printed on it."""
        return self.devices.get(identifier.lower()) or self.labels.get(identifier.upper())

    def may_see(self, account: Account, device: Device) -> bool:
        """A device is visible to who claimed it and to who can access its product."""
        return device.owner is account or (device.product is not None and self.may_access(account, device.product))

    def may_access(self, account: Account, product: Product) -> bool:
        """A product is for its owner and its team; a customer only has devices in it."""
        if product.owner is account or (product.org is not None and account in product.org.members):
            return True
        if account.org is not None:
            return account.org is product.org
        if account.product is not None:
            return account.product is product and account.username not in product.own.customers
        member = product.own.team.get(account.username)
        return member is not None and member.account is account

    # ------------------------------------------------------------------ changes

    def rename(self, device: Device, name: str | None) -> None:
        """Gives a device another name."""
        if device.name:
            self.names[device.name].pop(device.id, None)
        device.name = name
        if name:
            self.names.setdefault(name, {})[device.id] = device
        if device.product:
            device.product.orders.pop(("deviceName", False), None)
            device.product.orders.pop(("deviceName", True), None)

    def claim(self, device: Device, account: Account) -> None:
        """Makes an account the owner of an unclaimed device."""
        device.owner = account
        account.devices[device.id] = device
        account.order = None

    def unclaim(self, device: Device) -> None:
        """Takes the owner off a device; its product stays."""
        if device.owner:
            device.owner.devices.pop(device.id, None)
            device.owner.order = None
        device.owner = None

    def put_in_product(self, device: Device, product: Product) -> None:
        """Adds a device to a product."""
        device.product = product
        product.devices[device.id] = device
        product.orders.clear()

    def take_from_product(self, device: Device) -> None:
        """Lets a device fall back to the generic product of its platform; what the product gave is lost."""
        if device.product is None:
            return
        self.set_groups(device, ())
        device.product.devices.pop(device.id, None)
        device.product.orders.clear()
        device.product = None
        device.development = device.quarantined = device.denied = False
        device.desired_firmware_version = None

    def add_group(self, product: Product, name: str, description: str = "", color: str | None = None) -> Group:
        """Creates a device group."""
        chosen = color or GROUP_COLORS[len(product.groups) % len(GROUP_COLORS)]
        group = Group(name, description, chosen)
        product.groups[name] = group
        return group

    def set_groups(self, device: Device, names: Iterable[str]) -> None:
        """Makes `names` all the groups of a product's device; unknown ones come into being."""
        product = device.product
        if product is None:
            return
        wanted = tuple(dict.fromkeys(names))
        for gone in set(device.groups) - set(wanted):
            product.groups[gone].members.discard(device.id)
        for name in wanted:
            group = product.groups.get(name) or self.add_group(product, name)
            group.members.add(device.id)
        device.groups = wanted
