# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "device group" (endpoints.yml: group_create, group_update). Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import (
    create_group,
    delete_group,
    get_group,
    list_group_rows,
    update_group,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import GROUP_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RESERVED_GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

_TEXT: Mapping[str, Any] = {"type": "str"}
_COLOR = re.compile(r"#[0-9a-f]{6}\Z")


def _check_group(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    mistakes = []
    if not GROUP_NAME.match(declared.key):
        mistakes.append(f"{declared.key!r} is not a valid name: use up to 64 lower-case letters, digits, - and _")
    elif declared.key.startswith(RESERVED_GROUPS):
        mistakes.append(f"names that begin with {RESERVED_GROUPS} are reserved for the members of mesh networks")
    color = declared.values.get("color")
    if color is not None and not _COLOR.match(color.lower()):
        mistakes.append(f"{color!r} is not a valid color: use six hexadecimal digits, such as #ff8800")
    return mistakes


def _refuse_removal(target: Target, row: Row) -> None:
    """Refuse to remove a device group that is in use.

    :raises ParticleError: ``conflict`` when devices are in the group, or when firmware is released to it.
    """
    name, uses = str(row["name"]), []
    count = get_group(target.http, target.required_product.id, name).get("device_count")
    if isinstance(count, int) and count > 0:
        uses.append(f"{format_count(count, 'device is', 'devices are')} in it")
    if isinstance(version := row.get("fw_version"), int):
        uses.append(f"firmware version {version} is released to it")
    if uses:
        message = f"Device group {name} is in use: {' and '.join(uses)}."
        hint = "Move the devices and end the release first, or set force to true to remove the group nevertheless."
        raise ParticleError("conflict", message, hint=hint)


GROUPS = Kind(
    name="groups",
    module="device_group",
    noun="device group",
    key=Field("name", "name", _TEXT),
    fields=(
        Field("description", "description", _TEXT),
        Field("color", "color", _TEXT, normalize=str.lower),
    ),
    list_rows=lambda target: list_group_rows(target.http, target.required_product.id),
    create_row=lambda target, change: create_group(target.http, target.required_product.id, **change.body),
    update_row=lambda target, change: update_group(target.http, target.required_product.id, change.key, change.body),
    delete_row=lambda target, change: delete_group(target.http, target.required_product.id, change.key),
    check=_check_group,
    refuse_removal=_refuse_removal,
    is_reserved=lambda row: str(row["name"]).startswith(RESERVED_GROUPS),
    id_key="name",
)
