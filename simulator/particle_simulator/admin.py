# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The admin routes below `/_simulator/`, with which tests read and change the state of the simulator."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from particle_simulator import power
from particle_simulator.describe import describe_world
from particle_simulator.device_ledgers import read_device_ledger, write_device_ledger
from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.firmware_files import build_firmware_file, read_firmware_file
from particle_simulator.firmware_updates import set_update_ending
from particle_simulator.mesh_firmware import FIRMWARE_KINDS
from particle_simulator.messages import Reply, json_reply, refusal_reply
from particle_simulator.model import Device, Product, format_time
from particle_simulator.resources import MAX_VERSION, MIN_VERSION, Firmware, is_version
from particle_simulator.stream_faults import READERS, read_stream_faults
from particle_simulator.update_scripts import ENDINGS
from particle_simulator.world import World
from simulator_base.errors import InvalidInput

if TYPE_CHECKING:
    from particle_simulator.simulation import Simulation

ALL_DEVICES = "*"
MAX_ADVANCE_SECONDS = 100 * 365 * 86400.0


def answer_request(simulation: Simulation, method: str, name: str, content: Any) -> Reply | None:
    """Carry out an admin request and return the response. Return None if the route does not exist."""
    resource, _unused, target = name.partition("/")
    handler = HANDLERS.get((method, resource, bool(target)))
    if handler is None:
        return None
    try:
        return json_reply(handler(simulation, target, content))
    except Refusal as refusal:
        return refusal_reply(refusal)
    except InvalidInput as error:
        return refusal_reply(bad_request(str(error)))


def _get_state(simulation: Simulation, target: str, content: Any) -> Any:
    """Return a description of the state of the cloud."""
    power.run_due_changes(simulation.world)
    return describe_world(simulation.world)


def _get_stats(simulation: Simulation, target: str, content: Any) -> Any:
    """Return the counters of requests and responses, and the number of open event streams."""
    return {**simulation.stats.describe(), "streams": len(simulation.world.events.open_streams)}


def _list_writes(simulation: Simulation, target: str, content: Any) -> Any:
    """Return the latest writes that the cloud accepted, oldest first."""
    return [
        {
            "route": route.key,
            "path": call.path,
            "fields": call.fields,
            "answer": orjson.loads(reply.body) if reply.body and reply.content_type == "application/json" else None,
            "fault": call.fault,
        }
        for route, call, reply in simulation.writes
    ]


def _reset_simulation(simulation: Simulation, target: str, content: Any) -> Any:
    """Reset the simulation to the start state. The body can choose the seed and the share of bad updates."""
    changes = {} if content is None else _check_object(content, {"seed", "bad_updates"})
    seed, share = changes.get("seed"), changes.get("bad_updates")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise bad_request("seed must be an integer")
    if share is not None and (not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share <= 1):
        raise bad_request("bad_updates must be a share from 0 to 1")
    simulation.reset(seed=seed, bad_updates=share)
    return {"ok": True}


# ---------------------------------------------------------------------- faults


def _list_faults(simulation: Simulation, target: str, content: Any) -> Any:
    """Return all faults of the schedule, including faults that can no longer fire."""
    return simulation.faults.describe()


def _add_faults(simulation: Simulation, target: str, content: Any) -> Any:
    """Add faults to the schedule, and return all faults of the schedule."""
    simulation.faults.add(content, simulation.route_keys)
    return simulation.faults.describe()


def _clear_faults(simulation: Simulation, target: str, content: Any) -> Any:
    """Remove all faults from the schedule."""
    simulation.faults.clear()
    return []


def _disturb_streams(simulation: Simulation, target: str, content: Any) -> Any:
    """Cut, mute or disturb all event streams that are open at present, and return their number."""
    faults = read_stream_faults(_check_object(content, set(READERS)))
    power.run_due_changes(simulation.world)
    streams = simulation.world.events.open_streams
    for stream in streams:
        stream.apply_faults(faults)
    return {"streams": len(streams)}


# ---------------------------------------------------------------------- time


def _get_clock(simulation: Simulation, target: str, content: Any) -> Any:
    """Return the time of the clock, and the number of seconds by which tests have moved the clock forward."""
    clock = simulation.world.clock
    return {"now": clock.now(), "iso": format_time(clock.now()), "advanced": clock.turned}


def _advance_clock(simulation: Simulation, target: str, content: Any) -> Any:
    """Move the clock forward, and return the new time."""
    seconds = _check_object(content, {"advance"}).get("advance")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_ADVANCE_SECONDS:
        raise bad_request("advance must be a number of seconds from 0 to 3153600000 (a century)")
    power.advance_clock(simulation.world, seconds)
    return _get_clock(simulation, target, content)


# ---------------------------------------------------------------------- devices and products


def _change_device(simulation: Simulation, target: str, content: Any) -> Any:
    """Change one device by the keys of `_DEVICE_CHANGES`. The target `*` means all devices."""
    world = simulation.world
    changes = _check_object(content, set(_DEVICE_CHANGES))
    power.run_due_changes(world)
    if target == ALL_DEVICES:
        devices = list(world.devices.by_id.values())
    else:
        device = world.devices.identify(target)
        if device is None:
            raise plain_error(404, f"device {target} does not exist")
        devices = [device]
    # Read all values first, so that an invalid value changes nothing.
    for change in [_DEVICE_CHANGES[name](world, value) for name, value in changes.items()]:
        for device in devices:
            change(device)
    if target == ALL_DEVICES:
        return {"changed": len(devices)}
    found = devices[0]
    return {"id": found.id, "powered": found.powered, "online": found.online, "quarantined": found.quarantined}


def _make_power_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that applies the value of the key `powered`: switch a device on or off.

    After a device is switched off, the cloud still shows the device as online for a while.
    """
    on = _check_flag("powered", value)
    return lambda device: (power.switch_on if on else power.switch_off)(world, device)


def _make_session_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that applies the value of the key `online`: connect or disconnect a device.

    When a device is disconnected, the cloud notices at once.
    """
    on = _check_flag("online", value)
    return lambda device: (power.connect if on else power.disconnect)(world, device)


def _make_offline_face_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that sets the `offline_face` of a device.

    While the device is offline, the cloud answers variable reads, function calls and signals with this status. With
    null, each route uses its default status.
    """
    if value is not None and (not isinstance(value, int) or value not in power.OFFLINE_REFUSALS):
        raise bad_request(f"offline_face must be null or one of {', '.join(map(str, power.OFFLINE_REFUSALS))}")
    return lambda device: setattr(device, "offline_face", value)


def _make_firmware_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that applies the value of the key `firmware_product_id`.

    The function brings a device online with firmware of this product.
    """
    product = world.products.by_id.get(value) if isinstance(value, int) else None
    if product is None:
        raise bad_request("firmware_product_id must be the id of a product")
    return lambda device: power.connect_with_firmware(world, device, product)


def _make_update_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that applies the value of the key `update`: how the next update of a device ends."""
    if value not in ENDINGS:
        raise bad_request(f"update must be one of {', '.join(ENDINGS)}")
    return lambda device: set_update_ending(world, device, value)


def _make_mesh_firmware_change(world: World, value: Any) -> Callable[[Device], None]:
    """Build the function that applies the value of the key `mesh_firmware`.

    The mesh firmware of a device is simulated, in its present or its old form, or a program outside the simulator.
    """
    if value not in FIRMWARE_KINDS:
        raise bad_request(f"mesh_firmware must be one of {', '.join(FIRMWARE_KINDS)}")
    return lambda device: setattr(device, "mesh_firmware", value)


_DEVICE_CHANGES: dict[str, Callable[[World, Any], Callable[[Device], None]]] = {
    "powered": _make_power_change,
    "online": _make_session_change,
    "offline_face": _make_offline_face_change,
    "firmware_product_id": _make_firmware_change,
    "update": _make_update_change,
    "mesh_firmware": _make_mesh_firmware_change,
}


def _read_device_ledger(simulation: Simulation, target: str, content: Any) -> Any:
    """Return what a device downloads from a ledger. The target is `ID/ledgers/NAME`."""
    power.run_due_changes(simulation.world)
    return read_device_ledger(simulation.world, target)


def _write_device_ledger(simulation: Simulation, target: str, content: Any) -> Any:
    """Store what a device uploads to a ledger. The target is `ID/ledgers/NAME`."""
    power.run_due_changes(simulation.world)
    return write_device_ledger(simulation.world, target, _check_object(content, {"data"})["data"])


def _change_product(simulation: Simulation, target: str, content: Any) -> Any:
    """Change the setting `quarantine` of a product, or give the product firmware.

    If the setting is true, a device that was not imported must wait for approval. The key `firmware` is a list of
    version numbers. A version that the product does not have yet is added with a small valid binary.
    """
    product = simulation.world.products.find(target)
    if product is None:
        raise plain_error(404, f"product {target} does not exist")
    changes = _check_object(content, {"firmware", "quarantine"})
    for version in _check_versions(changes.get("firmware", [])):
        product.resources.firmware.setdefault(version, _build_firmware(simulation.world, product, version))
    product.quarantine = _check_flag("quarantine", changes.get("quarantine", product.quarantine))
    return {"id": product.id, "quarantine": product.quarantine, "firmware": sorted(product.resources.firmware)}


def _build_firmware(world: World, product: Product, version: int) -> Firmware:
    """Build a firmware version with a binary for the platform of the product."""
    name, binary = f"v{version}.bin", build_firmware_file(product.platform_id, version)
    return Firmware(
        id=secrets.token_hex(12),
        version=version,
        title=f"v{version}",
        description="",
        name=name,
        binary=binary,
        file=read_firmware_file(name, binary),
        mandatory=False,
        uploaded_by="",
        uploaded_on=world.now(),
        updated_at=world.now(),
    )


# ---------------------------------------------------------------------- reading


def _check_object(content: Any, keys: set[str]) -> dict[str, Any]:
    """Return the parsed body of the request.

    Raise a `Refusal` unless the body is a JSON object with one or more of `keys` and no other key.
    """
    if not isinstance(content, dict) or not content or set(content) - keys:
        raise bad_request(f"the body must be a JSON object with some of the keys {', '.join(sorted(keys))}")
    return content


def _check_versions(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(_is_version(version) for version in value):
        raise bad_request(f"firmware must be a list of version numbers from {MIN_VERSION} to {MAX_VERSION}")
    return value


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and is_version(value)


def _check_flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise bad_request(f"{name} must be true or false")
    return value


Handler = Callable[["Simulation", str, Any], Any]

HANDLERS: dict[tuple[str, str, bool], Handler] = {
    ("GET", "state", False): _get_state,
    ("GET", "stats", False): _get_stats,
    ("GET", "writes", False): _list_writes,
    ("POST", "reset", False): _reset_simulation,
    ("GET", "faults", False): _list_faults,
    ("POST", "faults", False): _add_faults,
    ("DELETE", "faults", False): _clear_faults,
    ("POST", "streams", False): _disturb_streams,
    ("GET", "clock", False): _get_clock,
    ("POST", "clock", False): _advance_clock,
    ("POST", "devices", True): _change_device,
    ("GET", "devices", True): _read_device_ledger,
    ("PUT", "devices", True): _write_device_ledger,
    ("POST", "products", True): _change_product,
}
