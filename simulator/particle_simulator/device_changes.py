# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Apply the changes in a `PUT` request for a device, on the account route or on the product route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from particle_simulator.digits import parse_number
from particle_simulator.errors import bad_request
from particle_simulator.firmware_updates import deliver_change, force_updates, offer_update, plan_update
from particle_simulator.groups import assign_groups
from particle_simulator.model import Device, format_time
from particle_simulator.power import device_offline
from particle_simulator.resources import MAX_VERSION
from particle_simulator.settings import GROUP_NAME
from particle_simulator.update_targets import find_target_version
from particle_simulator.world import World

Reader = Callable[[str, Any], Any]


def _read_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise bad_request(f"{name} must be a string")
    return value


def _read_text_or_null(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{name} must be a string")
    return value


def _read_flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise bad_request(f"{name} must be true or false")


def _read_version_or_null(name: str, value: Any) -> int | None:
    """Return a product firmware version, or None. In a form body, the string `null` stands for None."""
    if value is None or value == "null":
        return None
    version = parse_number(value)
    if version is None or version > MAX_VERSION:
        raise bad_request(f"{name} must be a firmware version or null")
    return version


def _read_group_names(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise bad_request(f"{name} must be a list of group names")
    for entry in value:
        if not isinstance(entry, str) or not GROUP_NAME.fullmatch(entry):
            raise bad_request(f"{name} must be a list of group names")
    return list(dict.fromkeys(value))


ACCOUNT_FIELDS: dict[str, Reader] = {
    "name": _read_text,
    "notes": _read_text_or_null,
    "firmware_updates_forced": _read_flag,
}
PRODUCT_FIELDS: dict[str, Reader] = ACCOUNT_FIELDS | {
    "groups": _read_group_names,
    "development": _read_flag,
    "desired_firmware_version": _read_version_or_null,
}


def apply_account_change(world: World, device: Device, fields: dict[str, Any]) -> dict[str, Any]:
    """Change one field of a device, for the account route (endpoints.yml: device_update).

    If the request has several fields, only the first field in the order of `ACCOUNT_FIELDS` is changed. This behaviour
    is not documented, but older servers of Particle behave in the same way.
    """
    if "signal" in fields:
        return _signal_device(device, fields["signal"])
    for name, read in ACCOUNT_FIELDS.items():
        if name in fields:
            value = read(name, fields[name])
            _apply_change(world, device, name, value)
            answer = {"id": device.id, name: value}
            if name != "firmware_updates_forced":
                answer["updated_at"] = format_time(world.now())
            return answer
    raise bad_request("The request names nothing that can be changed")


def apply_product_changes(world: World, device: Device, fields: dict[str, Any]) -> dict[str, Any]:
    """Change fields of a device, for the product route (endpoints.yml: device_update).

    If one field is invalid, no field is changed.
    """
    if "signal" in fields:
        return _signal_device(device, fields["signal"])
    changes = {name: read(name, fields[name]) for name, read in PRODUCT_FIELDS.items() if name in fields}
    if not changes:
        raise bad_request("The request names nothing that can be changed")
    flash_now = "desired_firmware_version" in changes and _read_flag("flash", fields.get("flash", False))
    was_development, earlier = device.development, find_target_version(device)
    for name, value in changes.items():
        _apply_change(world, device, name, value)
    if flash_now or (was_development and not device.development):
        # Documented: the end of the development of a device may start an update at once.
        offer_update(world, device)
    elif "desired_firmware_version" in changes:
        plan_update(world, device)
    elif "groups" in changes:
        deliver_change(world, device, earlier)
    return {"id": device.id, **changes, "updated_at": format_time(world.now())}


def _apply_change(world: World, device: Device, name: str, value: Any) -> None:
    if name == "name":
        world.devices.rename(device, value)
    elif name == "groups":
        assign_groups(device, value)
    elif name == "firmware_updates_forced":
        force_updates(world, device, forced=value)
    else:
        setattr(device, name, value)


def ping(world: World, device: Device) -> dict[str, Any]:
    """Ping a device (endpoints.yml: device_ping).

    The response says whether the device is really reachable. A device without power is not reachable, even while the
    cloud still shows the device as online.
    """
    if device.reachable:
        device.last_heard = world.now()
    return {"online": device.reachable, "ok": True}


def _signal_device(device: Device, value: Any) -> dict[str, Any]:
    if not device.reachable:
        raise device_offline(device, 500)
    return {"id": device.id, "connected": True, "signaling": value in (True, 1, "1", "true")}
