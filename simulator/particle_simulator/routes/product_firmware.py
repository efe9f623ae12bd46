# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that upload, change, release and delete the firmware versions of a product."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

import orjson

from particle_simulator.digits import parse_number
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.events import Event
from particle_simulator.firmware_updates import deliver_release
from particle_simulator.firmware_uploads import find_file_field, read_uploaded_file
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Product, format_time
from particle_simulator.resources import MAX_VERSION, MIN_VERSION, Firmware, is_version
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.update_targets import find_target_version, find_version_after_release
from particle_simulator.world import World

GROUP = "product_firmware"
CREATE_EVENT = "particle/firmware/create"
RELEASE_EVENT = "particle/firmware/release"


def build_firmware_row(product: Product, firmware: Firmware, *, count: int | None = None) -> dict[str, Any]:
    """Build the JSON object for a firmware version.

    :param count: The number of devices that run this version, or None to omit the number. Only lists show the number.
    """
    row: dict[str, Any] = {
        "_id": firmware.id,
        "version": firmware.version,
        "title": firmware.title,
        "description": firmware.description,
        "name": firmware.name,
        "size": len(firmware.binary),
        "product_default": firmware.version == product.default_version,
        "groups": [group.name for group in product.groups.values() if group.fw_version == firmware.version],
        "mandatory": firmware.mandatory,
        "intelligent": firmware.intelligent,
        "uploaded_on": format_time(firmware.uploaded_on),
        "updated_at": format_time(firmware.updated_at),
        "product_id": product.id,
        "uploaded_by": {"username": firmware.uploaded_by},
    }
    if count is not None:
        row["device_count"] = count
    return row


def _find_firmware(world: World, call: Call) -> tuple[Product, Firmware]:
    """Find the product and the firmware version in the request path.

    The error message of the 404 response is inferred, not documented.
    """
    product = find_product(world, call)
    version = parse_number(call.path["version"])
    firmware = product.resources.firmware.get(version) if version is not None else None
    if firmware is None:
        raise plain_error(404, "Firmware not found.")
    return product, firmware


def _read_text(fields: dict[str, Any], name: str, default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a string")
    return value


def _read_flag(fields: dict[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if value not in (True, False, "true", "false"):
        raise bad_request(f"{name} must be true or false")
    return value in (True, "true")


def _read_version(value: Any) -> int:
    version = parse_number(value)
    if version is None or not is_version(version):
        raise bad_request(f"version must be a number from {MIN_VERSION} to {MAX_VERSION}")
    return version


# ---------------------------------------------------------------------- versions


def list_firmware(world: World, call: Call) -> Reply:
    """List the firmware versions of a product (endpoints.yml: firmware_list). The response is a JSON list."""
    product = find_product(world, call)
    counts = Counter(device.firmware_version for device in product.devices.values())
    known = sorted(product.resources.firmware.values(), key=lambda firmware: firmware.version)
    return json_reply([build_firmware_row(product, firmware, count=counts[firmware.version]) for firmware in known])


def get_firmware(world: World, call: Call) -> Reply:
    """Respond with one firmware version (endpoints.yml: firmware_get)."""
    return json_reply(build_firmware_row(*_find_firmware(world, call)))


def upload_firmware(world: World, call: Call) -> Reply:
    """Upload a firmware version (endpoints.yml: firmware_upload).

    The version in the form must be the version in the binary. The bodies of the error responses are inferred.
    """
    product = find_product(world, call)
    version = _read_version(call.fields.get("version", ""))
    title = _read_text(call.fields, "title", "")
    if not title:
        raise bad_request("title is required")
    field = find_file_field(call)
    if version in product.resources.firmware:
        raise plain_error(400, f"Version {version} already exists")
    file = read_uploaded_file(call, field, product, version)
    now = world.now()
    firmware = Firmware(
        id=secrets.token_hex(12),
        version=version,
        title=title,
        description=_read_text(call.fields, "description", ""),
        name=call.filenames[field],
        binary=call.files[field],
        file=file,
        mandatory=_read_flag(call.fields, "mandatory", False),
        uploaded_by=call.account.username,
        uploaded_on=now,
        updated_at=now,
    )
    product.resources.firmware[version] = firmware
    _publish_create_event(world, product, version)
    return json_reply(build_firmware_row(product, firmware), 201)


def _publish_create_event(world: World, product: Product, version: int) -> None:
    """Publish the event about an upload. Its data contains the version as a string.

    (firmware-and-events.md, section 4.1)
    """
    data = orjson.dumps({"version": str(version)}).decode()
    world.events.publish(Event(CREATE_EVENT, data, world.now(), product=product, account=product.owner))


def edit_firmware(world: World, call: Call) -> Reply:
    """Change the title, description or mandatory flag of a firmware version (endpoints.yml: firmware_edit)."""
    product, firmware = _find_firmware(world, call)
    title = _read_text(call.fields, "title", firmware.title)
    description = _read_text(call.fields, "description", firmware.description)
    firmware.mandatory = _read_flag(call.fields, "mandatory", firmware.mandatory)
    firmware.title, firmware.description, firmware.updated_at = title, description, world.now()
    return json_reply(build_firmware_row(product, firmware))


def download_firmware(world: World, call: Call) -> Reply:
    """Respond with the binary of a firmware version (endpoints.yml: firmware_download)."""
    _unused, firmware = _find_firmware(world, call)
    return Reply(200, firmware.binary, {}, "application/octet-stream")


def delete_firmware(world: World, call: Call) -> Reply:
    """Delete a firmware version (endpoints.yml: firmware_delete).

    A version that was ever released cannot be deleted. The error message is inferred, not documented.
    """
    product, firmware = _find_firmware(world, call)
    if firmware.released:
        raise bad_request("Firmware that has been released cannot be deleted")
    del product.resources.firmware[firmware.version]
    return no_content()


# ---------------------------------------------------------------------- releases


def _read_groups(product: Product, value: Any) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_request("groups must be a list of group names")
    for name in names:
        if name not in product.groups:
            raise bad_request(f"Group {name} not found")
    return names


def release_firmware(world: World, call: Call) -> Reply:
    """Release a firmware version to groups, or as the default of the product (endpoints.yml: firmware_release).

    If the request omits a group to which this version was released before, that release ends. The first release is
    refused if no device of the product has run the version. The body of that error response is inferred.
    """
    product = find_product(world, call)
    firmware = product.resources.firmware.get(_read_version(call.fields.get("version", "")))
    if firmware is None:
        raise plain_error(404, "Firmware not found.")
    names = _read_groups(product, call.fields.get("groups") or [])
    default = _read_flag(call.fields, "product_default", False)
    intelligent = _read_flag(call.fields, "intelligent", False)
    has_run = firmware.has_run or any(row.firmware_version == firmware.version for row in product.devices.values())
    if not has_run and not firmware.released:
        raise bad_request(f"Version {firmware.version} has not run on a device of the product yet")
    earlier = {device.id: find_target_version(device) for device in product.devices.values()}
    if default:
        product.default_version = firmware.version
    elif product.default_version == firmware.version:
        product.default_version = None
    firmware.intelligent = intelligent
    firmware.released = firmware.released or default or bool(names)
    for group in product.groups.values():
        if group.name in names:
            group.fw_version = firmware.version
        elif group.fw_version == firmware.version:
            group.fw_version = None
    firmware.updated_at = world.now()
    _publish_release(world, product, firmware)
    deliver_release(world, product, firmware.version, earlier)
    return json_reply(build_firmware_row(product, firmware))


def _publish_release(world: World, product: Product, firmware: Firmware) -> None:
    data = orjson.dumps({"immediate": firmware.intelligent, "version": firmware.version}).decode()
    world.events.publish(Event(RELEASE_EVENT, data, world.now(), product=product, account=product.owner))


def get_groups_impact(world: World, call: Call) -> Reply:
    """Count the devices that the release of a firmware version would update (endpoints.yml: groups_impact).

    Nothing is released.
    """
    product = find_product(world, call)
    if call.query.get("action") != "edit_groups_for_firmware":
        raise bad_request("action must be edit_groups_for_firmware")
    version = _read_version(call.query.get("firmware_version", ""))
    names = set(_read_groups(product, [name for name in call.query.get("groups", "").split(",") if name]))
    default = call.query.get("product_default") == "true"
    updates: Counter[int] = Counter()
    for device in product.devices.values():
        target = find_version_after_release(device, product, version, names, default=default)
        concerns_release = target == version or target != find_target_version(device)
        if concerns_release and target not in (None, device.firmware_version):
            updates[device.firmware_version or 0] += 1
    rows = [{"version": known, "total": total} for known, total in sorted(updates.items())]
    return json_reply({"devices": {"firmware_update": {"total": updates.total(), "by_version": rows}}})


LIST = "/v1/products/:p/firmware"
ONE = "/v1/products/:p/firmware/:version"
IMPACT = "/v1/products/:p/impact"

ROUTES = [
    Route(GROUP, "firmware_list", "GET", LIST, list_firmware, scope="firmware:list"),
    Route(GROUP, "firmware_upload", "POST", LIST, upload_firmware, kind=Kind.WRITE, scope="firmware:create"),
    Route(
        GROUP, "firmware_release", "PUT", f"{LIST}/release", release_firmware, kind=Kind.WRITE, scope="firmware:release"
    ),
    Route(GROUP, "firmware_get", "GET", ONE, get_firmware, scope="firmware:get"),
    Route(GROUP, "firmware_edit", "PUT", ONE, edit_firmware, kind=Kind.WRITE, scope="firmware:update"),
    Route(GROUP, "firmware_download", "GET", f"{ONE}/binary", download_firmware, scope="firmware.binary:get"),
    Route(GROUP, "firmware_delete", "DELETE", ONE, delete_firmware, kind=Kind.WRITE, scope="firmware:remove"),
    Route("device_groups", "groups_impact", "GET", IMPACT, get_groups_impact, scope="groups.impact:get"),
]
