# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the start state from the settings: the accounts, the product and the devices."""

from __future__ import annotations

from random import Random
from typing import Any

from particle_simulator.fleet import build_devices, manufacture_devices, read_position
from particle_simulator.groups import assign_groups
from particle_simulator.model import Account, Client, Device, Organization, Product
from particle_simulator.ownership import add_to_product, claim
from particle_simulator.settings import PRODUCT_ID, PRODUCT_NAME, PRODUCT_PLATFORM, PRODUCT_SLUG, Settings
from particle_simulator.update_scripts import BAD_ENDINGS
from particle_simulator.world import World

MESH_DEVICE_OS = "1.5.2"
"""The last version of Device OS that supported Particle Mesh."""


def build_world(settings: Settings) -> World:
    """Build a world in the start state."""
    world = World(settings)
    now = world.now()
    random = Random(f"accounts {settings.seed}")
    for record in settings.accounts:
        _add_account(world, record, random)
    _add_product(world, settings, random)
    _add_manufactured_devices(world, settings, now)
    _add_described_devices(world, settings, now)
    _choose_bad_updates(world, settings)
    return world


def _add_account(world: World, record: dict[str, Any], random: Random) -> None:
    """Add an account of the settings, with its OAuth clients."""
    account = Account(
        username=record["username"],
        password=record["password"],
        user_id=f"{random.getrandbits(96):024x}",
        otp_secret=record.get("otp_secret"),
        sso=bool(record.get("sso", False)),
        recovery_codes=list(record.get("recovery_codes", [])),
        query_tokens=record.get("query_tokens", True),
    )
    world.accounts.add(account)
    for client in record.get("clients", []):
        world.accounts.clients[client["id"]] = Client(client["id"], client["secret"], account)


def _add_product(world: World, settings: Settings, random: Random) -> None:
    """Add the product. The first account owns the product.

    If the settings name an organization, add the organization. The product then belongs to the organization.
    """
    owner = next(iter(world.accounts.by_username.values()))
    product = Product(PRODUCT_ID, PRODUCT_SLUG, PRODUCT_NAME, PRODUCT_PLATFORM, owner)
    world.products.add(product)
    if settings.org is None:
        return
    invited = [
        world.accounts.by_username[record["username"].lower()] for record in settings.accounts if record.get("org")
    ]
    org_id = f"{random.getrandbits(96):024x}"
    name = settings.org.replace("-", " ").title()
    product.org = Organization(org_id, settings.org, name, list(dict.fromkeys([owner, *invited])))
    world.orgs.add(product.org)


def _add_manufactured_devices(world: World, settings: Settings, now: float) -> None:
    """Add the manufactured devices. If the settings say so, the first account has claimed these devices."""
    owner = next(iter(world.accounts.by_username.values()))
    for device in manufacture_devices(settings.manufactured, settings.seed, now):
        if settings.mesh:
            device.system_firmware_version = MESH_DEVICE_OS
        world.devices.add(device)
        if settings.claimed:
            claim(device, owner)


def _add_described_devices(world: World, settings: Settings, now: float) -> None:
    """Add the devices of the fleet file, with their owners, products and groups."""
    for device, record in build_devices(settings.fleet, settings.seed, now):
        if settings.mesh and "system_firmware_version" not in record:
            device.system_firmware_version = MESH_DEVICE_OS
        device.powered = device.online
        world.devices.add(device)
        if "position" in record:
            world.devices.positions[device.id] = read_position(record["position"])
        if record.get("owner"):
            claim(device, _find_owner(world, record["owner"]))
        product_id = record.get("product_id")
        if product_id is not None and product_id != device.platform_id:
            add_to_product(device, _find_or_add_product(world, product_id, device))
            assign_groups(device, record.get("groups", []))


def _choose_bad_updates(world: World, settings: Settings) -> None:
    """Choose the devices whose next update fails, and how it fails. The choice depends only on the seed."""
    random = Random(f"updates {settings.seed}")
    devices = list(world.devices.by_id.values())
    for device in random.sample(devices, round(len(devices) * settings.bad_updates)):
        device.update_ending = random.choice(BAD_ENDINGS)


def _find_owner(world: World, username: str) -> Account:
    """Return the account with this username. For an unknown username, return a new account that cannot log in."""
    return world.accounts.find(username) or Account(username, "", "0" * 24)


def _find_or_add_product(world: World, product_id: int, device: Device) -> Product:
    """Return the product with this id. If the product does not exist, add a product without an owner."""
    product = world.products.by_id.get(product_id)
    if product is None:
        slug = f"product-{product_id}"
        product = Product(product_id, slug, slug, device.platform_id, None)
        world.products.add(product)
    return product
