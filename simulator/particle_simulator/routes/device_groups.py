# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the device groups of a product."""

from __future__ import annotations

import re
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.firmware_updates import deliver_change
from particle_simulator.groups import add_group, remove_group, rename_group
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Group, Product
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.settings import GROUP_NAME
from particle_simulator.shapes import build_group_row
from particle_simulator.update_targets import find_target_version
from particle_simulator.world import World

GROUP = "device_groups"
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def _find_group(world: World, call: Call) -> tuple[Product, Group]:
    """Find the product and the device group in the request path."""
    product = find_product(world, call)
    group = product.groups.get(call.path["name"])
    if group is None:
        raise plain_error(404, "Group not found.")
    return product, group


def _check_new_name(product: Product, value: Any) -> str:
    """Return the name of a new or renamed group. Raise a `Refusal` if the name is invalid or already used.

    If the name is invalid, respond with status 400. This status is inferred, not documented.
    """
    if not isinstance(value, str) or not GROUP_NAME.fullmatch(value):
        raise bad_request("name must have 1 to 64 lower-case letters, digits, dashes and underscores")
    if value in product.groups:
        raise bad_request(f"A group with the name {value} already exists")
    return value


def _check_color(value: Any) -> str:
    if not isinstance(value, str) or not COLOR.fullmatch(value):
        raise bad_request("color must be written as #rrggbb")
    return value


def _check_description(value: Any) -> str:
    if not isinstance(value, str):
        raise bad_request("description must be a string")
    return value


def list_groups(world: World, call: Call) -> Reply:
    """List the groups whose names contain the query parameter `name` (endpoints.yml: groups_list)."""
    part = call.query.get("name", "")
    groups = find_product(world, call).groups.values()
    return json_reply({"groups": [build_group_row(group) for group in groups if part in group.name]})


def get_group(world: World, call: Call) -> Reply:
    """Respond with one group (endpoints.yml: group_get)."""
    _unused, group = _find_group(world, call)
    return json_reply({"group": build_group_row(group, counted=True)})


def create_group(world: World, call: Call) -> Reply:
    """Create a group (endpoints.yml: group_create)."""
    product = find_product(world, call)
    fields = call.fields
    name = _check_new_name(product, fields.get("name"))
    description = _check_description(fields.get("description", ""))
    color = _check_color(fields["color"]) if "color" in fields else None
    return json_reply({"group": build_group_row(add_group(product, name, description, color))}, 201)


def update_group(world: World, call: Call) -> Reply:
    """Change the name, color or description of a group (endpoints.yml: group_update)."""
    product, group = _find_group(world, call)
    fields = call.fields
    if not fields.keys() & {"name", "color", "description"}:
        raise bad_request("At least one of name, color and description is required")
    new_name = group.name
    if fields.get("name", group.name) != group.name:
        new_name = _check_new_name(product, fields["name"])
    color = _check_color(fields.get("color", group.color))
    group.description = _check_description(fields.get("description", group.description))
    group.color = color
    if new_name != group.name:
        rename_group(product, group, new_name)
    return json_reply({"group": build_group_row(group, counted=True)})


def delete_group(world: World, call: Call) -> Reply:
    """Delete a group, and remove all devices from the group (endpoints.yml: group_delete).

    A release to the group ends. The devices get the versions that they should run without the group.
    """
    product, group = _find_group(world, call)
    members = [product.devices[device_id] for device_id in group.members]
    earlier = [find_target_version(device) for device in members]
    remove_group(product, group)
    for device, version in zip(members, earlier, strict=True):
        deliver_change(world, device, version)
    return no_content()


LIST = "/v1/products/:p/groups"
ONE = "/v1/products/:p/groups/:name"

ROUTES = [
    Route(GROUP, "groups_list", "GET", LIST, list_groups, scope="groups:list"),
    Route(GROUP, "group_create", "POST", LIST, create_group, kind=Kind.WRITE, scope="groups:create"),
    Route(GROUP, "group_get", "GET", ONE, get_group, scope="groups:get"),
    Route(GROUP, "group_update", "PUT", ONE, update_group, kind=Kind.WRITE, scope="groups:update"),
    Route(GROUP, "group_delete", "DELETE", ONE, delete_group, kind=Kind.WRITE, scope="groups:remove"),
]
