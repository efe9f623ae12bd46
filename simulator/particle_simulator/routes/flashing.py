# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Flashing of one device, and the routes of the cloud compiler."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from particle_simulator.device_os import DEFAULT_TARGET, MODULE_VERSIONS
from particle_simulator.digits import parse_number
from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.firmware_files import (
    FirmwareFile,
    InvalidFirmwareFile,
    build_firmware_file,
    read_firmware_file,
)
from particle_simulator.firmware_updates import flash
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, format_time
from particle_simulator.resources import is_version
from particle_simulator.routing import Kind, Route
from particle_simulator.settings import PRODUCT_PLATFORM
from particle_simulator.world import World

GROUP = "product_firmware"
BINARY_ENDINGS = (".bin", ".zip")
BUILT_NAME = "firmware.bin"
BINARY_LIFETIME = 86_400.0
"""Seconds until a compiled binary expires. Inferred: Particle documents the field `expires_at`, but no number."""

ERROR_MARKER = b"#error"
"""A source file that contains this string does not compile. Tests can use this string to cause a compiler error."""

PRODUCT_VERSION = re.compile(rb"PRODUCT_VERSION\s*\(\s*(\d{1,5})\s*\)")
MAX_PLATFORM_ID = 65_535


def _find_compile_errors(call: Call) -> dict[str, Any] | None:
    """Return the response body of a failed compilation, or None if all source files compile.

    The body is the error body E13 (errors-and-limits.md, section 1).
    """
    for name, content in call.files.items():
        if ERROR_MARKER in content:
            text = f"{call.filenames.get(name, name)}:1:2: error: #error"
            return {"ok": False, "output": "build didn't produce binary", "stdout": text, "errors": [text]}
    return None


def _read_build_target(call: Call) -> str:
    return call.fields.get("build_target_version") or DEFAULT_TARGET


def _build_binary(call: Call, platform_id: int) -> bytes:
    """Build the binary of the source files. Different source files result in different binaries.

    The macro PRODUCT_VERSION in a source file sets the product version (firmware-and-events.md, section 2). The binary
    needs the Device OS of its build target, if the module version of this Device OS is known.
    """
    sources = b"\0".join(call.files.values())
    found = PRODUCT_VERSION.search(sources)
    version = int(found[1]) if found and is_version(int(found[1])) else None
    needed = MODULE_VERSIONS.get(_read_build_target(call))
    return build_firmware_file(platform_id, version, needed_device_os=needed, code=sha256(sources).digest())


# ---------------------------------------------------------------------- flashing


def flash_device(world: World, device: Device, call: Call) -> Reply:
    """Flash a device with the binary or the source files of the request (endpoints.yml: device_flash).

    A success means that the update has started, not that the update is complete. A compiler error also has status 200.
    A file that the device cannot run has the same response. Only the device refuses such a file (inferred).
    """
    if not device.reachable:
        raise Refusal(500, {"ok": False, "code": 500, "errors": ["Request Timed Out"]})
    field = "file" if "file" in call.files else next(iter(call.files))
    name = call.filenames[field]
    if name.lower().endswith(BINARY_ENDINGS):
        flash(world, device, _read_runnable_file(device, name, call.files[field]))
        return json_reply({"id": device.id, "status": "Update started"})
    compile_errors = _find_compile_errors(call)
    if compile_errors is not None:
        return json_reply(compile_errors)
    flash(world, device, _read_runnable_file(device, BUILT_NAME, _build_binary(call, device.platform_id)))
    return json_reply({"ok": True, "message": "Update started"})


def _read_runnable_file(device: Device, name: str, content: bytes) -> FirmwareFile | None:
    """Read a firmware file. Return None if the device cannot run the file (firmware-and-events.md, section 4.3)."""
    try:
        file = read_firmware_file(name, content)
    except InvalidFirmwareFile:
        return None
    return file if file.platform_id == device.platform_id else None


# ---------------------------------------------------------------------- compiling


def compile_sources(world: World, call: Call) -> Reply:
    """Compile source files (endpoints.yml: compile). Without a platform, compile for a Boron (inferred)."""
    if not call.files:
        raise bad_request("file is required")
    platform_id = _read_platform_id(call.fields.get("platform_id", PRODUCT_PLATFORM))
    compile_errors = _find_compile_errors(call)
    if compile_errors is not None:
        return json_reply(compile_errors)
    binary = _build_binary(call, platform_id)
    binary_id = sha256(binary).hexdigest()[:24]
    world.downloads.binaries[binary_id] = binary
    return json_reply(
        {
            "ok": True,
            "binary_id": binary_id,
            "binary_url": f"/v1/binaries/{binary_id}",
            "build_target_version": _read_build_target(call),
            "expires_at": format_time(world.now() + BINARY_LIFETIME),
            "sizeInfo": f"   text\t   data\t    bss\t    dec\n  {len(binary)}\t      0\t      0\t  {len(binary)}\n",
        }
    )


def _read_platform_id(value: Any) -> int:
    platform_id = parse_number(value)
    if platform_id is None or platform_id > MAX_PLATFORM_ID:
        raise bad_request(f"platform_id must be a number from 0 to {MAX_PLATFORM_ID}")
    return platform_id


def download_binary(world: World, call: Call) -> Reply:
    """Respond with a compiled binary (endpoints.yml: compile_download).

    The 404 response is inferred, not documented.
    """
    binary = world.downloads.binaries.get(call.path["id"])
    if binary is None:
        raise plain_error(404, "Binary not found.")
    return Reply(200, binary, {}, "application/octet-stream")


ROUTES = [
    # A compilation does not count as a write, because a compilation changes no device.
    Route(GROUP, "compile", "POST", "/v1/binaries", compile_sources, kind=Kind.READ),
    Route(GROUP, "compile_download", "GET", "/v1/binaries/:id", download_binary),
]
