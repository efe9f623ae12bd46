# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "firmware version". Private to this collection.

The engine of module ``firmware`` does the work: it checks a version before the upload, and does not repeat a write with
a lost response without a check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    MAX_FIRMWARE_VERSION,
    MIN_FIRMWARE_VERSION,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.checks import refuse_wrong_file
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.comparison import refuse_other_bytes
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import FirmwareFile, read_firmware_file
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import (
    SETTINGS,
    read_release,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Declared as DeclaredVersion
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.reconcile import reconcile_version
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.removal import remove_version
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Change, Declared, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import (
    refuse_version_of_rollout,
)

_TEXT: Mapping[str, Any] = {"type": "str"}
_RELEASE: Mapping[str, Any] = {
    "type": "dict",
    "options": {
        "default": {"type": "bool"},
        "groups": {"type": "list", "elements": "str"},
        "intelligent": {"type": "bool"},
    },
}


def _list_versions(target: Target) -> list[dict[str, Any]]:
    rows = list_firmware(target.http, target.required_product.id).values()
    return [{**row, "release": read_release(row).as_result()} for row in rows]


def _normalize_release(value: Any) -> Any:
    """Sort the groups of a release. Without a target, drop ``intelligent``, because it would apply to no device."""
    if not isinstance(value, Mapping):
        return value
    release = {**value, "groups": sorted(set(value.get("groups") or ()))}
    has_target = release["groups"] or release.get("default")
    return {name: item for name, item in release.items() if item and (has_target or name != "intelligent")} or None


def _check_version(declared: Declared) -> list[str]:
    """Return the mistakes in a declaration."""
    is_number = re.fullmatch("[1-9][0-9]{0,4}", declared.key) is not None
    mistakes = []
    if not is_number or not MIN_FIRMWARE_VERSION <= int(declared.key) <= MAX_FIRMWARE_VERSION:
        mistakes.append(f"{declared.key!r} is not a version: use {MIN_FIRMWARE_VERSION} to {MAX_FIRMWARE_VERSION}")
    if declared.values.get("title") == "":
        mistakes.append("title must not be empty")
    return mistakes


def _read_file(declared: Declared) -> FirmwareFile | None:
    """Read the declared file, if any."""
    path = declared.values.get("file")
    return None if path is None else read_firmware_file(path)


def _refuse_file(target: Target, change: Change) -> None:
    """Refuse a file that does not fit the product, or that is not the file of an existing version.

    :raises ParticleError: ``wrong_binary`` when the file does not fit.
    """
    file = _read_file(change.declared)
    if file is None:
        return
    refuse_wrong_file(file, int(change.key), target.required_product)
    if change.row is not None:
        refuse_other_bytes(target, int(change.key), change.row, file)


def _write_version(target: Target, change: Change) -> None:
    values = change.declared.values
    settings = {name: values[name] for name in SETTINGS if name in values}
    version = DeclaredVersion(int(change.key), settings, values.get("release") or {})
    outcome = reconcile_version(target, version, _read_file(change.declared), lambda text: None, check_mode=False)
    if outcome.error is not None:
        raise outcome.error


def _refuse_removal(target: Target, row: Row) -> None:
    """Refuse to remove a version that is released, that devices use, or that a rollout installs.

    :raises ParticleError: ``conflict`` when the version is needed.
    """
    _remove_version(target, int(row["version"]), check_mode=True)


def _remove_version(target: Target, version: int, *, check_mode: bool = False) -> None:
    remove_version(target, version, lambda: refuse_version_of_rollout(target, version), check_mode=check_mode)


FIRMWARE = Kind(
    name="firmware",
    module="firmware",
    noun="firmware version",
    key=Field("version", "version", {"type": "int"}),
    fields=(
        Field("file", "file", {"type": "path"}, local=True, required=True),
        Field("title", "title", _TEXT),
        Field("description", "description", _TEXT),
        Field("mandatory", "mandatory", {"type": "bool"}, default=False, normalize=bool),
        Field("release", "release", _RELEASE, normalize=_normalize_release, merges=True),
    ),
    list_rows=_list_versions,
    create_row=_write_version,
    update_row=_write_version,
    delete_row=lambda target, change: _remove_version(target, int(change.key)),
    check=_check_version,
    refuse_creation=_refuse_file,
    refuse_existing=_refuse_file,
    refuse_removal=_refuse_removal,
    after=("groups", "integrations"),
    not_prunable="A firmware version may be on devices that are not connected; remove it with module firmware.",
    only_if_asked=True,
    id_key="version",
)
