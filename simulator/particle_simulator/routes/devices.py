# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that list, read, change, claim and unclaim the devices of an account."""

from __future__ import annotations

from particle_simulator.device_changes import apply_account_change, ping
from particle_simulator.device_sessions import report_status
from particle_simulator.errors import Refusal, listed_errors, permission_denied
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Device
from particle_simulator.ownership import claim, unclaim
from particle_simulator.permissions import can_see
from particle_simulator.routes.flashing import flash_device
from particle_simulator.routes.new_devices import provision_device
from particle_simulator.routes.owners import find_org_device
from particle_simulator.routing import Kind, Route
from particle_simulator.shapes import build_device_details, build_device_row
from particle_simulator.world import World

GROUP = "devices"


def find_visible_device(world: World, account: Account, id_or_name: str) -> Device:
    """Find a device by its id or its name, among the devices that the account can see. An id has priority."""
    device = world.devices.by_id.get(id_or_name.lower())
    if device is not None and can_see(account, device):
        return device
    for named in world.devices.by_name.get(id_or_name, {}).values():
        if can_see(account, named):
            return named
    raise permission_denied()


def list_devices(world: World, call: Call) -> Reply:
    """List all devices that the caller has claimed, the latest handshake first (endpoints.yml: devices_list).

    The response is not divided into pages.
    """
    account = call.account
    if account.sorted_devices is None:
        account.sorted_devices = sorted(
            account.devices.values(), key=lambda device: device.last_handshake_at or 0.0, reverse=True
        )
    return json_reply([build_device_row(device) for device in account.sorted_devices])


def get_device(world: World, call: Call) -> Reply:
    """Respond with one device (endpoints.yml: device_get)."""
    return json_reply(build_device_details(find_visible_device(world, call.account, call.path["idOrName"])))


def get_org_device(world: World, call: Call) -> Reply:
    """Respond with one device in a product of an organization (endpoints.yml: device_get)."""
    return json_reply(build_device_details(find_org_device(world, call)))


def update_device(world: World, call: Call) -> Reply:
    """Change one field of a device, or flash the device if the request has a file.

    (endpoints.yml: device_update, device_flash)
    """
    device = find_visible_device(world, call.account, call.path["idOrName"])
    if call.files:
        return flash_device(world, device, call)
    return json_reply(apply_account_change(world, device, call.fields))


def claim_device(world: World, call: Call) -> Reply:
    """Claim a device (endpoints.yml: device_claim).

    If the body has a `product_id` but no `id`, create a new device (endpoints.yml: device_provision_new).
    """
    if "id" not in call.fields and "product_id" in call.fields:
        return provision_device(world, call)
    account = call.account
    device = world.devices.by_id.get(str(call.fields.get("id", "")).lower())
    if device is None:
        raise listed_errors(404, "device does not exist")
    if device.owner is not None and device.owner is not account:
        if call.fields.get("request_transfer") in (True, "true", "1"):
            # The cloud asks the owner by e-mail. Nothing changes until the owner agrees.
            return json_reply({"transfer_id": f"{int(device.id, 16) ^ int(account.user_id, 16):024x}"})
        raise Refusal(403, {"errors": ["That belongs to someone else."]})
    if device.owner is None:
        if not device.reachable:
            raise listed_errors(404, ["Core isn't online", 404])
        claim(device, account)
        # A claim restarts the session of the device. In the account's event streams, the first event of the device
        # says that the device is online.
        report_status(world, device, online=True)
    # Particle does not document the response if the caller already owns the device. docs/facts advises to send the
    # usual response.
    return json_reply({"ok": True, "id": device.id, "user_id": account.user_id, "connected": device.online})


def unclaim_device(world: World, call: Call) -> Reply:
    """Unclaim a device of the caller (endpoints.yml: device_unclaim).

    To unclaim the device of a customer, the owner of the product uses the product route instead.
    """
    device = find_visible_device(world, call.account, call.path["id"])
    if device.owner is not call.account:
        raise permission_denied()
    unclaim(device)
    return json_reply({"ok": True})


def ping_device(world: World, call: Call) -> Reply:
    """Ping a device (endpoints.yml: device_ping). The response has status 200 even if the device is offline."""
    device = find_visible_device(world, call.account, call.path["id"])
    return json_reply(ping(world, device))


def look_up_serial_number(world: World, call: Call) -> Reply:
    """Respond with the id of the device that has the serial number (endpoints.yml: serial_number_lookup).

    All devices are searched, not only the devices of the caller. The 404 response is inferred, not documented.
    """
    device = world.devices.by_label.get(call.path["serial"].upper())
    if device is None or (device.serial_number or "").upper() != call.path["serial"].upper():
        raise Refusal(404, {"ok": False, "error": "Serial number not found"})
    return json_reply({"ok": True, "deviceID": device.id, "iccid": device.iccid})


ROUTES = [
    Route(GROUP, "devices_list", "GET", "/v1/devices", list_devices),
    Route(GROUP, "device_claim", "POST", "/v1/devices", claim_device, kind=Kind.WRITE, also=("device_provision_new",)),
    Route(GROUP, "device_get", "GET", "/v1/devices/:idOrName", get_device, scope="devices:get"),
    Route(GROUP, "device_get", "GET", "/v1/orgs/:org/devices/:id", get_org_device, scope="devices:get"),
    Route(
        GROUP,
        "device_update",
        "PUT",
        "/v1/devices/:idOrName",
        update_device,
        kind=Kind.WRITE,
        scope="devices:update",
        also=("device_flash",),
    ),
    Route(
        GROUP, "device_unclaim", "DELETE", "/v1/devices/:id", unclaim_device, kind=Kind.WRITE, scope="devices:release"
    ),
    Route(GROUP, "device_ping", "PUT", "/v1/devices/:id/ping", ping_device, scope="devices:ping"),
    Route(GROUP, "serial_number_lookup", "GET", "/v1/serial_numbers/:serial", look_up_serial_number),
]
