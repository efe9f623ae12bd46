# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that read a variable of a device or call a function of a device."""

from __future__ import annotations

from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, format_time
from particle_simulator.power import device_offline
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.products import find_product_device
from particle_simulator.routing import Kind, Route
from particle_simulator.virtual_firmware import get_functions, get_variables, read_variable
from particle_simulator.world import World

GROUP = "devices"


def find_device(world: World, call: Call) -> Device:
    """Find the device in the request path. Account paths and product paths are accepted."""
    if "p" in call.path:
        return find_product_device(world, call)[1]
    return find_visible_device(world, call.account, call.path["id"])


def _build_core_info(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "deviceID": device.id,
        "connected": device.online,
        "last_handshake_at": format_time(device.last_handshake_at),
        "last_heard": format_time(device.last_heard),
        "product_id": device.product.id if device.product else device.platform_id,
        "last_app": "",
    }


def _build_raw_reply(value: object) -> Reply:
    """Build the response for `format=raw`: the value as plain text. Booleans become `true` and `false`."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Reply(200, text.encode(), {}, "text/plain")


def get_variable(world: World, call: Call) -> Reply:
    """Read a variable of a device (endpoints.yml: device_variable_get)."""
    device = find_device(world, call)
    name = call.path["varName"]
    if not device.reachable:
        raise device_offline(device, 408)
    if name not in get_variables(device):
        raise plain_error(404, "Variable not found")
    device.last_heard = world.now()
    value = read_variable(world.settings.seed, device, name)
    if call.query.get("format") == "raw":
        return _build_raw_reply(value)
    return json_reply({"cmd": "VarReturn", "name": name, "result": value, "coreInfo": _build_core_info(device)})


def call_function(world: World, call: Call) -> Reply:
    """Call a function of a device (endpoints.yml: device_function_call).

    Particle documents the field `arg`, but the official client sends `args`. Both fields are accepted.
    """
    device = find_device(world, call)
    name = call.path["functionName"]
    if not device.reachable:
        raise device_offline(device, 400)
    function = get_functions(device).get(name)
    if function is None:
        raise plain_error(404, f"Function {name} not found")
    argument = call.fields.get("arg", call.fields.get("args")) or ""
    if not isinstance(argument, str):
        raise bad_request("arg must be a string")
    device.last_heard = world.now()
    value = function(argument)
    if call.fields.get("format") == "raw":
        return _build_raw_reply(value)
    return json_reply({"id": device.id, "name": device.name, "last_app": "", "connected": True, "return_value": value})


def _build_routes(base: str) -> list[Route]:
    variable, function = f"{base}/:varName", f"{base}/:functionName"
    return [
        Route(GROUP, "device_variable_get", "GET", variable, get_variable, scope="devices.variable:get"),
        Route(
            GROUP,
            "device_function_call",
            "POST",
            function,
            call_function,
            kind=Kind.WRITE,
            scope="devices.function:call",
        ),
    ]


ROUTES = [*_build_routes("/v1/devices/:id"), *_build_routes("/v1/products/:p/devices/:id")]
