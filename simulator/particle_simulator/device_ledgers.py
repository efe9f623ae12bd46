# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The ledgers as a device sees them, for programs that act as the firmware of a device.

A real device exchanges ledgers with the cloud over its own protocol, which is not documented. These admin routes carry
the same information (device-ledger-api.md, section 5):

- Scope and direction come from the cloud, and a ledger that does not exist or is archived is "not found".
- A downstream ledger has the time of its last update. Without an instance, the time is missing, so that the device
  keeps what it has downloaded before. Whether the real cloud tells a device about a deleted instance is not known.
- A device can write only an upstream ledger of scope Device. The whole data is replaced.
"""

from __future__ import annotations

import re
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.model import Ledger, owner_id
from particle_simulator.routes.ledger_instances import store_instance
from particle_simulator.world import World

_TARGET = re.compile(r"(?P<device>[^/]+)/ledgers/(?P<ledger>[^/]+)")


def read_device_ledger(world: World, target: str) -> dict[str, Any]:
    """Return scope, direction, data and the time of the update in milliseconds. Data and time may be None.

    :param target: `ID/ledgers/NAME`.
    :raises Refusal: when the device cannot be reached, or does not see the ledger.
    """
    ledger, scope_value = _find_ledger(world, target)
    instance = ledger.instances.get(scope_value)
    return {
        "scope": ledger.scope,
        "direction": ledger.direction,
        "updated_at": None if instance is None else round(instance.updated_at * 1000),
        "data": None if instance is None else instance.data,
    }


def write_device_ledger(world: World, target: str, data: Any) -> dict[str, Any]:
    """Replace the data that a device reports in a ledger, and return the time of the update in milliseconds.

    :param target: `ID/ledgers/NAME`.
    :raises Refusal: when the device cannot be reached or does not see the ledger, and for data that is not valid.
    """
    ledger, scope_value = _find_ledger(world, target)
    if ledger.direction != "Upstream" or ledger.scope != "Device":
        raise plain_error(403, f"a device cannot write ledger {ledger.name}: it is not an upstream ledger of devices")
    if not isinstance(data, dict):
        raise bad_request("data must be an object")
    instance = store_instance(world, ledger, scope_value, data)
    world.revision += 1
    return {"updated_at": round(instance.updated_at * 1000)}


def _find_ledger(world: World, target: str) -> tuple[Ledger, str]:
    """Find a ledger of the owner of a connected device, and the scope value of the instance for the device."""
    found = _TARGET.fullmatch(target)
    if found is None:
        raise plain_error(404, "the path must be devices/ID/ledgers/NAME")
    device = world.devices.by_id.get(found["device"].lower())
    if device is None:
        raise plain_error(404, f"device {found['device']} does not exist")
    if not device.reachable:
        raise plain_error(409, f"device {device.id} is offline: switch it on first")
    product = device.product
    owner = product.top_owner if product is not None else None
    ledger = owner.ledgers.get(found["ledger"]) if owner is not None else None
    if product is None or owner is None or ledger is None or ledger.archived_at is not None or not ledger.direction:
        raise plain_error(404, f"device {device.id} sees no ledger {found['ledger']}")
    values = {"Device": device.id, "Product": str(product.id), "Owner": owner_id(owner)}
    return ledger, values[ledger.scope]
