# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The registry of all devices, of every account and product."""

from __future__ import annotations

from particle_simulator.model import Device
from particle_simulator.resources import Environment


class Devices:
    """All devices of the cloud, and the records that only some of them have."""

    __slots__ = ("by_id", "by_label", "by_name", "environments", "offline_due", "vitals")

    def __init__(self) -> None:
        self.by_id: dict[str, Device] = {}
        self.by_label: dict[str, Device] = {}
        """Devices by serial number, IMEI and ICCID, in upper case."""
        self.by_name: dict[str, dict[str, Device]] = {}
        """Devices by name, then by id: names are not unique."""
        self.offline_due: list[tuple[float, str]] = []
        """A heap of times and device ids: when the cloud will show a device without power as offline."""
        self.environments: dict[str, Environment] = {}
        """The environment variables of devices, by device id."""
        self.vitals: dict[str, list[float]] = {}
        """The times at which devices reported their vitals on request, by device id."""

    def add(self, device: Device) -> None:
        """Add a device to the registry."""
        self.by_id[device.id] = device
        for label in (device.serial_number, device.imei, device.iccid):
            if label:
                self.by_label[label.upper()] = device
        if device.name:
            self.by_name.setdefault(device.name, {})[device.id] = device

    def identify(self, identifier: str) -> Device | None:
        """Find a device by its id, else by its serial number, IMEI or ICCID."""
        return self.by_id.get(identifier.lower()) or self.by_label.get(identifier.upper())

    def rename(self, device: Device, name: str | None) -> None:
        """Give a device another name."""
        if device.name:
            self.by_name[device.name].pop(device.id, None)
        device.name = name
        if name:
            self.by_name.setdefault(name, {})[device.id] = device
        if device.product:
            device.product.drop_sorted_lists("deviceName")
