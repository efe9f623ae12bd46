# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The firmware versions of a product, from upload to release."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

from particle_simulator.belongings import Firmware
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.firmware_updates import expect_updates
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Product, iso
from particle_simulator.routes.products import asked_product
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "product_firmware"
FILE_FIELDS = ("file", "binary")
"""The field of the upload; the second one is what old clients send."""
HIGHEST_VERSION = 65_535
"""Product firmware versions are 16 bits wide in the binary. Inferred for the upload."""


def firmware_row(product: Product, firmware: Firmware, *, count: int | None = None) -> dict[str, Any]:
    """`firmware`; only lists count the devices."""
    row: dict[str, Any] = {
        "_id": firmware.id,
        "version": firmware.version,
        "title": firmware.title,
        "description": firmware.description,
        "name": firmware.name,
        "size": len(firmware.binary),
        "product_default": firmware.product_default,
        "groups": [group.name for group in product.groups.values() if group.fw_version == firmware.version],
        "mandatory": firmware.mandatory,
        "intelligent": firmware.intelligent,
        "uploaded_on": iso(firmware.uploaded_on),
        "updated_at": iso(firmware.updated_at),
        "product_id": product.id,
        "uploaded_by": {"username": firmware.uploaded_by},
    }
    if count is not None:
        row["device_count"] = count
    return row


def _asked(world: World, call: Call) -> tuple[Product, Firmware]:
    """The version of a path. The text of the 404 is inferred."""
    product = asked_product(world, call)
    text = call.path["version"]
    firmware = product.own.firmware.get(int(text)) if text.isascii() and text.isdigit() else None
    if firmware is None:
        raise plain_error(404, "Firmware not found.")
    return product, firmware


def _text(fields: dict[str, Any], name: str, default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise bad_request(f"{name} must be a text")
    return value


def _flag(fields: dict[str, Any], name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if value not in (True, False, "true", "false"):
        raise bad_request(f"{name} must be true or false")
    return value in (True, "true")


def _version(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) <= HIGHEST_VERSION):
        raise bad_request("version must be a number from 0 to 65535")
    return int(text)


# ---------------------------------------------------------------------- versions


def list_firmware(world: World, call: Call) -> Reply:
    """firmware_list: a bare list."""
    product = asked_product(world, call)
    counts = Counter(device.firmware_version for device in product.devices.values())
    known = sorted(product.own.firmware.values(), key=lambda firmware: firmware.version)
    return json_reply([firmware_row(product, firmware, count=counts[firmware.version]) for firmware in known])


def get_firmware(world: World, call: Call) -> Reply:
    """firmware_get."""
    return json_reply(firmware_row(*_asked(world, call)))


def upload_firmware(world: World, call: Call) -> Reply:
    """firmware_upload. The version in the binary is not read: what is uploaded here is seldom a real one."""
    product = asked_product(world, call)
    version = _version(call.fields.get("version", ""))
    title = _text(call.fields, "title", "")
    if not title:
        raise bad_request("title is required")
    field = next((name for name in FILE_FIELDS if name in call.files), None)
    if field is None:
        raise bad_request("file is required")
    if version in product.own.firmware:
        raise bad_request(f"Version {version} already exists")
    now = world.now()
    firmware = Firmware(
        id=secrets.token_hex(12),
        version=version,
        title=title,
        description=_text(call.fields, "description", ""),
        name=call.filenames[field],
        binary=call.files[field],
        mandatory=_flag(call.fields, "mandatory", False),
        uploaded_by=call.account.username,
        uploaded_on=now,
        updated_at=now,
    )
    product.own.firmware[version] = firmware
    return json_reply(firmware_row(product, firmware), 201)


def edit_firmware(world: World, call: Call) -> Reply:
    """firmware_edit."""
    product, firmware = _asked(world, call)
    title = _text(call.fields, "title", firmware.title)
    description = _text(call.fields, "description", firmware.description)
    firmware.mandatory = _flag(call.fields, "mandatory", firmware.mandatory)
    firmware.title, firmware.description, firmware.updated_at = title, description, world.now()
    return json_reply(firmware_row(product, firmware))


def download_firmware(world: World, call: Call) -> Reply:
    """firmware_download."""
    _unused, firmware = _asked(world, call)
    return Reply(200, firmware.binary, {}, "application/octet-stream")


def delete_firmware(world: World, call: Call) -> Reply:
    """firmware_delete: only if it was never released. The text of the refusal is inferred."""
    product, firmware = _asked(world, call)
    if firmware.released:
        raise bad_request("Firmware that has been released cannot be deleted")
    del product.own.firmware[firmware.version]
    return no_content()


# ---------------------------------------------------------------------- releases


def _groups(product: Product, value: Any) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_request("groups must be a list of group names")
    for name in names:
        if name not in product.groups:
            raise bad_request(f"Group {name} not found")
    return names


def release_firmware(world: World, call: Call) -> Reply:
    """firmware_release. The call is absolute: what it does not name loses this version.

    A version must have run on a device of the product before; the body of that refusal is inferred.
    """
    product = asked_product(world, call)
    firmware = product.own.firmware.get(_version(call.fields.get("version", "")))
    if firmware is None:
        raise plain_error(404, "Firmware not found.")
    names = _groups(product, call.fields.get("groups") or [])
    default = _flag(call.fields, "product_default", False)
    intelligent = _flag(call.fields, "intelligent", False)
    tried = any(device.firmware_version == firmware.version for device in product.devices.values())
    if not tried and not firmware.released:
        raise bad_request(f"Version {firmware.version} has not run on a device of the product yet")
    if default:
        for known in product.own.firmware.values():
            known.product_default = False
    firmware.product_default, firmware.intelligent = default, intelligent
    firmware.released = firmware.released or default or bool(names)
    for group in product.groups.values():
        if group.name in names:
            group.fw_version = firmware.version
        elif group.fw_version == firmware.version:
            group.fw_version = None
    firmware.updated_at = world.now()
    expect_updates(world, product)
    return json_reply(firmware_row(product, firmware))


def groups_impact(world: World, call: Call) -> Reply:
    """groups_impact: what a release would update, without doing it."""
    product = asked_product(world, call)
    if call.query.get("action") != "edit_groups_for_firmware":
        raise bad_request("action must be edit_groups_for_firmware")
    version = _version(call.query.get("firmware_version", ""))
    names = set(_groups(product, [name for name in call.query.get("groups", "").split(",") if name]))
    default = call.query.get("product_default") == "true"
    moved: Counter[int] = Counter()
    for device in product.devices.values():
        if device.development or device.desired_firmware_version is not None or device.firmware_version == version:
            continue
        for_group = bool(names.intersection(device.groups))
        # A default reaches who has no version by a group.
        by_default = default and not any(product.groups[name].fw_version is not None for name in device.groups)
        if for_group or by_default:
            moved[device.firmware_version or 0] += 1
    rows = [{"version": known, "total": total} for known, total in sorted(moved.items())]
    return json_reply({"devices": {"firmware_update": {"total": moved.total(), "by_version": rows}}})


LIST = "/v1/products/:p/firmware"
ONE = "/v1/products/:p/firmware/:version"

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
    Route("device_groups", "groups_impact", "GET", "/v1/products/:p/impact", groups_impact, scope="groups.impact:get"),
]
