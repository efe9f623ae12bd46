# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The routes under `/_simulator/`: what tests see of the cloud and do to it, behind its back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from particle_simulator import power
from particle_simulator.describe import describe_world
from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.messages import Reply, json_reply, refusal_reply
from particle_simulator.model import Device, iso
from particle_simulator.world import World

if TYPE_CHECKING:
    from particle_simulator.simulation import Simulation

EVERY_DEVICE = "*"
CENTURY = 100 * 365 * 86400.0


def answer(simulation: Simulation, method: str, name: str, content: Any) -> Reply | None:
    """Carry out an admin request; return None for a route that does not exist."""
    what, _unused, which = name.partition("/")
    handler = HANDLERS.get((method, what, bool(which)))
    if handler is None:
        return None
    try:
        return json_reply(handler(simulation, which, content))
    except Refusal as refusal:
        return refusal_reply(refusal)


def _state(simulation: Simulation, which: str, content: Any) -> Any:
    power.notice(simulation.world)
    return describe_world(simulation.world)


def _stats(simulation: Simulation, which: str, content: Any) -> Any:
    return simulation.stats.describe()


def _writes(simulation: Simulation, which: str, content: Any) -> Any:
    return [
        {
            "route": route.key,
            "path": call.path,
            "fields": call.fields,
            "answer": orjson.loads(reply.body) if reply.body and reply.content_type == "application/json" else None,
        }
        for route, call, reply in simulation.written
    ]


def _reset(simulation: Simulation, which: str, content: Any) -> Any:
    simulation.reset()
    return {"ok": True}


# ---------------------------------------------------------------------- faults


def _faults(simulation: Simulation, which: str, content: Any) -> Any:
    return simulation.faults.describe()


def _add_faults(simulation: Simulation, which: str, content: Any) -> Any:
    simulation.faults.add(content, simulation.route_keys)
    return simulation.faults.describe()


def _clear_faults(simulation: Simulation, which: str, content: Any) -> Any:
    simulation.faults.clear()
    return []


# ---------------------------------------------------------------------- time


def _clock(simulation: Simulation, which: str, content: Any) -> Any:
    clock = simulation.world.clock
    return {"now": clock.now(), "iso": iso(clock.now()), "advanced": clock.turned}


def _advance(simulation: Simulation, which: str, content: Any) -> Any:
    seconds = _object(content, {"advance"}).get("advance")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds <= CENTURY:
        raise bad_request("advance must be a number of seconds, at most a century")
    power.advance(simulation.world, seconds)
    return _clock(simulation, which, content)


# ---------------------------------------------------------------------- devices and products


def _change_device(simulation: Simulation, which: str, content: Any) -> Any:
    world = simulation.world
    changes = _object(content, {"powered", "online", "offline_face", "firmware_product_id"})
    power.notice(world)
    if which == EVERY_DEVICE:
        devices = list(world.devices.by_id.values())
    else:
        device = world.devices.identify(which)
        if device is None:
            raise plain_error(404, f"there is no device {which}")
        devices = [device]
    for name, value in changes.items():
        change = _DEVICE_CHANGES[name](world, value)
        for device in devices:
            change(device)
    if which == EVERY_DEVICE:
        return {"changed": len(devices)}
    found = devices[0]
    return {"id": found.id, "powered": found.powered, "online": found.online, "quarantined": found.quarantined}


def _power(world: World, value: Any) -> Callable[[Device], None]:
    """`powered`: false is an unplugged device, which the cloud misses later."""
    on = _flag("powered", value)
    return lambda device: (power.connect if on else power.switch_off)(world, device)


def _online(world: World, value: Any) -> Callable[[Device], None]:
    """`online`: false is a session that ended in good order."""
    on = _flag("online", value)
    return lambda device: (power.connect if on else power.disconnect)(world, device)


def _offline_face(world: World, value: Any) -> Callable[[Device], None]:
    """`offline_face`: which refusal calls get while the device is not there; null leaves it to the route."""
    if value is not None and value not in power.OFFLINE_FACES:
        raise bad_request(f"offline_face must be null or one of {', '.join(map(str, power.OFFLINE_FACES))}")
    return lambda device: setattr(device, "offline_face", value)


def _firmware(world: World, value: Any) -> Callable[[Device], None]:
    """`firmware_product_id`: the device comes online with the firmware of that product."""
    product = world.products.by_id.get(value) if isinstance(value, int) else None
    if product is None:
        raise bad_request("firmware_product_id must be the id of a product")
    return lambda device: power.turn_up(world, device, product)


_DEVICE_CHANGES: dict[str, Callable[[World, Any], Callable[[Device], None]]] = {
    "powered": _power,
    "online": _online,
    "offline_face": _offline_face,
    "firmware_product_id": _firmware,
}


def _change_product(simulation: Simulation, which: str, content: Any) -> Any:
    product = simulation.world.products.find(which)
    if product is None:
        raise plain_error(404, f"there is no product {which}")
    changes = _object(content, {"quarantine"})
    product.quarantine = _flag("quarantine", changes.get("quarantine", product.quarantine))
    return {"id": product.id, "quarantine": product.quarantine}


# ---------------------------------------------------------------------- reading


def _object(content: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(content, dict) or not content or set(content) - keys:
        raise bad_request(f"send an object with some of the keys {', '.join(sorted(keys))}")
    return content


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise bad_request(f"{name} must be true or false")
    return value


Handler = Callable[["Simulation", str, Any], Any]

HANDLERS: dict[tuple[str, str, bool], Handler] = {
    ("GET", "state", False): _state,
    ("GET", "stats", False): _stats,
    ("GET", "writes", False): _writes,
    ("POST", "reset", False): _reset,
    ("GET", "faults", False): _faults,
    ("POST", "faults", False): _add_faults,
    ("DELETE", "faults", False): _clear_faults,
    ("GET", "clock", False): _clock,
    ("POST", "clock", False): _advance,
    ("POST", "devices", True): _change_device,
    ("POST", "products", True): _change_product,
}
