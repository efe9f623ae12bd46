# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the build targets, the versions of Device OS and the upgrades of Device OS."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from particle_simulator.device_os import DEFAULT_TARGET, PLATFORMS, TARGETS, list_version_rows
from particle_simulator.digits import parse_number
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.routing import Auth, Route
from particle_simulator.world import World

GROUP = "product_firmware"
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(-.+)?")


def list_build_targets(world: World, call: Call) -> Reply:
    """List the build targets (endpoints.yml: build_targets). The route requires no access token."""
    platforms = sorted(PLATFORMS.values())
    targets = [
        {"platforms": platforms, "prereleases": [], "firmware_vendor": "Particle", "version": version}
        for version in (TARGETS[:1] if call.query.get("featured") == "true" else TARGETS)
    ]
    defaults = {str(platform): DEFAULT_TARGET for platform in platforms}
    return json_reply({"targets": targets, "platforms": PLATFORMS, "default_versions": defaults})


# ---------------------------------------------------------------------- versions


def _list_matching_rows(call: Call) -> list[dict[str, Any]]:
    """Return the versions that match the query. `internal_version` selects by the module version."""
    platform_id, internal_version = call.query.get("platform_id"), call.query.get("internal_version")
    wanted = call.read_number("internal_version", default=0)
    return [
        row
        for row in list_version_rows()
        if platform_id in (None, "", str(row["platform_id"]))
        and (not internal_version or row.get("module_version") == wanted)
    ]


def list_device_os_versions(world: World, call: Call) -> Reply:
    """List the versions of Device OS (endpoints.yml: device_os_versions)."""
    rows = _list_matching_rows(call)
    page, size = call.read_number("page", default=1), call.read_number("per_page", "perPage", default=len(rows) or 1)
    return json_reply({"versions": rows[(page - 1) * size : page * size]})


def get_device_os_version(world: World, call: Call) -> Reply:
    """Respond with one version of Device OS (endpoints.yml: device_os_versions).

    If several platforms have this version, the response contains only the first platform. If the version is unknown,
    respond with status 404. Both rules are inferred, not documented.
    """
    for row in _list_matching_rows(call):
        if row["version"] == call.path["version"]:
            return json_reply(row)
    raise plain_error(404, "Device OS version not found.")


# ---------------------------------------------------------------------- upgrades


def _parse_version(text: str) -> tuple[int, int, int, bool]:
    """Return a version in a form that can be compared. A pre-release comes before the release."""
    found = VERSION.fullmatch(text)
    if found is None:
        raise bad_request("current_system_firmware_version must be a version of Device OS")
    major, minor, patch, suffix = found.groups()
    return int(major), int(minor), int(patch), suffix is None


def find_system_upgrade(world: World, call: Call) -> Reply:
    """Respond with the address of a newer Device OS (endpoints.yml: system_firmware_upgrade).

    The facts say that the cloud answers with nothing if there is no upgrade. The status 204 for this case is inferred,
    and so are the error responses. The address is a path on this server, as in the responses of the compiler. Its
    content is only a placeholder, because there are no binaries of Device OS here.
    """
    platform_id = parse_number(call.query.get("platform_id"))
    if platform_id is None:
        raise bad_request("platform_id must be a number")
    current = _parse_version(call.query.get("current_system_firmware_version", ""))
    if platform_id not in PLATFORMS.values() or current >= _parse_version(DEFAULT_TARGET):
        return no_content()
    content = f"placeholder for Device OS {DEFAULT_TARGET} on platform {platform_id}".encode()
    binary_id = sha256(content).hexdigest()[:24]
    world.downloads.binaries[binary_id] = content
    return json_reply({"binary_url": f"/v1/binaries/{binary_id}"})


LIST = "/v1/device-os/versions"

ROUTES = [
    Route(GROUP, "build_targets", "GET", "/v1/build_targets", list_build_targets, Auth.NONE),
    Route(GROUP, "device_os_versions", "GET", LIST, list_device_os_versions),
    Route(GROUP, "device_os_versions", "GET", f"{LIST}/:version", get_device_os_version),
    Route(GROUP, "system_firmware_upgrade", "GET", "/v1/system_firmware/upgrade", find_system_upgrade),
]
