# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Changes of device groups. Each membership is stored in the group and in the device."""

from __future__ import annotations

from collections.abc import Iterable

from particle_simulator.model import Device, Group, Product

COLORS = ("#00aeef", "#f57c00", "#7b1fa2", "#388e3c", "#c2185b", "#5d4037")
"""Default colors. New groups get these colors in turn."""


def add_group(product: Product, name: str, description: str = "", color: str | None = None) -> Group:
    """Add a device group to a product, and return the group."""
    chosen = color or COLORS[len(product.groups) % len(COLORS)]
    group = Group(name, description, chosen)
    product.groups[name] = group
    return group


def rename_group(product: Product, group: Group, new_name: str) -> None:
    """Rename a group of a product. The order of the groups does not change."""
    for device_id in group.members:
        device = product.devices[device_id]
        device.groups = tuple(new_name if name == group.name else name for name in device.groups)
    product.groups = {new_name if name == group.name else name: known for name, known in product.groups.items()}
    group.name = new_name


def remove_group(product: Product, group: Group) -> None:
    """Remove a group from a product, and from all devices in the group."""
    for device_id in group.members:
        device = product.devices[device_id]
        device.groups = tuple(name for name in device.groups if name != group.name)
    del product.groups[group.name]


def assign_groups(device: Device, names: Iterable[str]) -> None:
    """Replace the groups of a device. Create the groups that do not exist in the product of the device."""
    product = device.product
    if product is None:
        return
    wanted = tuple(dict.fromkeys(names))
    for removed in set(device.groups) - set(wanted):
        product.groups[removed].members.discard(device.id)
    for name in wanted:
        group = product.groups.get(name) or add_group(product, name)
        group.members.add(device.id)
    device.groups = wanted
