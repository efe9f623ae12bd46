# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The registry of all devices of the cloud."""

from __future__ import annotations

from particle_simulator.model import Device
from particle_simulator.positions import Position
from particle_simulator.resources import Environment


class Devices:
    """All devices of the cloud, with their environment variables and the times of their vitals records."""

    __slots__ = ("by_id", "by_label", "by_name", "environments", "positions", "vitals")

    def __init__(self) -> None:
        self.by_id: dict[str, Device] = {}
        self.by_label: dict[str, Device] = {}
        """Devices, keyed by serial number, by IMEI and by ICCID, each in upper case."""
        self.by_name: dict[str, dict[str, Device]] = {}
        """Devices, keyed by name and then by device id, because several devices can have the same name."""
        self.environments: dict[str, Environment] = {}
        """The environment variables of devices, keyed by device id."""
        self.positions: dict[str, Position | None] = {}
        """The positions in the fleet file, keyed by device id. None means that the device has no position."""
        self.vitals: dict[str, list[float]] = {}
        """For each device id, the times at which the device has reported vitals on request."""

    def add(self, device: Device) -> None:
        """Add a device to the registry."""
        self.by_id[device.id] = device
        for label in (device.serial_number, device.imei, device.iccid):
            if label:
                self.by_label[label.upper()] = device
        if device.name:
            self.by_name.setdefault(device.name, {})[device.id] = device

    def identify(self, identifier: str) -> Device | None:
        """Return the device with this id, serial number, IMEI or ICCID, or None."""
        return self.by_id.get(identifier.lower()) or self.by_label.get(identifier.upper())

    def rename(self, device: Device, name: str | None) -> None:
        """Change the name of a device. With None, remove the name."""
        if device.name:
            self.by_name[device.name].pop(device.id, None)
        device.name = name
        if name:
            self.by_name.setdefault(name, {})[device.id] = device
        if device.product:
            device.product.drop_sorted_lists("deviceName")
