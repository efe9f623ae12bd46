# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The configuration of a product, and how its devices take it (endpoints.yml: config_product_set, config_device_set).

Some behaviour is not documented. The simulator uses these inferred rules:

- The virtual firmware of every device takes a configuration, not only the firmware of trackers.
- A device with a configuration of its own keeps it when the configuration of the product changes.
- A device rejects a section that its schema does not describe. Without a schema, a device takes every section.
- A rejected section is dropped, and does not stay pending.
"""

from __future__ import annotations

from typing import Any

from particle_simulator.model import Device, Product
from particle_simulator.resources import Configuration, DeviceConfiguration

Sections = dict[str, Any]

REJECTED = -19
"""The error number with which a device rejects a section: the number in the documented example."""


def find_device_state(product: Product, device: Device) -> DeviceConfiguration | None:
    """Return the configuration of a device, or None if no configuration was set for the device or its product."""
    configuration = product.resources.configuration
    state = configuration.devices.get(device.id)
    if state is None and configuration.sections is not None:
        state = _add_state(configuration, device)
    return state


def _add_state(configuration: Configuration, device: Device) -> DeviceConfiguration:
    """Add the state of a device. The device still has to take the configuration of its product."""
    return configuration.devices.setdefault(device.id, DeviceConfiguration(pending=configuration.sections))


def find_schema(product: Product, device: Device) -> Sections | None:
    """Return the schema of a device: its own schema, or else the schema of its product."""
    state = product.resources.configuration.devices.get(device.id)
    own = state.schema if state is not None else None
    return own if own is not None else product.resources.configuration.schema


def set_product_configuration(product: Product, sections: Sections) -> None:
    """Replace the configuration of a product. Reachable devices take it at once, other devices in their next session.

    Whether the cloud sends the configuration to online devices at once is not documented. The rule is inferred from
    the route for one device.
    """
    configuration = product.resources.configuration
    configuration.sections = sections
    for device in product.devices.values():
        state = _add_state(configuration, device)
        if not state.own:
            state.pending = sections
            _take_if_reachable(product, device, state)


def set_device_configuration(product: Product, device: Device, sections: Sections) -> list[str]:
    """Replace the configuration of one device. An empty configuration resets the device to that of its product.

    Return the sections that the device has rejected. An offline device takes the configuration in its next session.
    """
    configuration = product.resources.configuration
    state = _add_state(configuration, device)
    state.own = bool(sections)
    state.pending = sections or configuration.sections or {}
    return _take_if_reachable(product, device, state)


def set_device_schema(product: Product, device: Device, schema: Sections | None) -> None:
    """Replace the schema of one device. With None, the device uses the schema of its product again."""
    _add_state(product.resources.configuration, device).schema = schema


def take_pending_configuration(device: Device) -> None:
    """Let a device take its pending configuration. Call this function at the start of a session."""
    product = device.product
    if product is None:
        return
    state = find_device_state(product, device)
    if state is not None:
        _take_if_reachable(product, device, state)


def _take_if_reachable(product: Product, device: Device, state: DeviceConfiguration) -> list[str]:
    if state.pending is None or not device.reachable:
        return []
    schema = find_schema(product, device) or {}
    known = schema.get("properties", state.pending)
    rejected = [name for name in state.pending if name not in known]
    state.current = {name: section for name, section in state.pending.items() if name in known}
    state.pending = None
    return rejected
