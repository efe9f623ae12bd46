# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the changes that bring a firmware version to its declared state. Private to this collection.

This module sends no requests. The bytes of a version are compared elsewhere, because this needs a download.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts

Row = Mapping[str, Any]
"""A firmware version, with the keys and values that the cloud uses."""

Changes = Mapping[str, tuple[Any, Any]]
"""The values before and after a change, keyed by the name of the option."""

RELEASE_PREFIX = "release."
"""The beginning of the names of all changes of a release."""

_TARGETS = ("default", "groups")

SETTINGS: Mapping[str, Any] = {"title": "", "description": "", "mandatory": False}
"""The settings of a version besides its releases, each with the value that an absent value stands for."""


@dataclass(frozen=True)
class Release:
    """The targets to which a version is released.

    :param default: whether the version is the default of the product.
    :param groups: the names of device groups, sorted.
    :param intelligent: whether online devices are updated at once, instead of when they connect.
    """

    default: bool
    groups: tuple[str, ...]
    intelligent: bool

    @property
    def has_target(self) -> bool:
        """Return whether the version is released to any devices."""
        return self.default or bool(self.groups)

    def as_body(self) -> dict[str, Any]:
        """Return the fields of the request that releases a version."""
        return {"product_default": self.default, "groups": list(self.groups), "intelligent": self.intelligent}

    def as_result(self) -> dict[str, Any]:
        """Return the release as the modules show it."""
        return {"default": self.default, "groups": list(self.groups), "intelligent": self.intelligent}


@dataclass(frozen=True)
class Declared:
    """The declaration of a firmware version.

    :param settings: the declared values of :data:`SETTINGS`.
    :param release: the declared fields of :class:`Release`, keyed by name. Fields that are missing remain unchanged.
    """

    version: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    release: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The changes of a firmware version.

    :param settings: the settings to write, keyed by name.
    :param release: the release to write; ``None`` if it is as declared.
    :param changes: all changes, except the upload.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    release: Release | None = None
    changes: Changes = field(default_factory=dict)


def read_release(row: Row) -> Release:
    """Return the release in a row of the cloud."""
    default = row.get("product_default", row.get("current"))  # the older name (endpoints.yml: firmware_upload)
    return Release(bool(default), tuple(sorted(set(list_texts(row.get("groups"))))), bool(row.get("intelligent")))


def plan_version(row: Row | None, declared: Declared) -> Plan:
    """Compute the changes of a version.

    Without a row, return the changes that remain after the upload of the version.
    """
    found = _read_settings(row or {})
    wanted = {name: value for name, value in declared.settings.items() if value != found[name]}
    changes = {name: (found[name], value) for name, value in wanted.items()}
    before = read_release(row or {})
    after = _complete_release(before, declared.release)
    # Without a target, ``intelligent`` would apply to no device.
    released = _compare_releases(before, after, [*_TARGETS, "intelligent"] if after.has_target else _TARGETS)
    return Plan(wanted, after if released else None, {**changes, **released})


def find_ended_releases(known: Mapping[int, Row], version: int, plan: Plan) -> dict[int, Changes]:
    """Return the releases of other versions that a release ends, as the changes of these versions.

    Inferred from ``fw_version`` of a device group (endpoints.yml: device_groups): a group has one released version, and
    a product has one default.
    """
    if plan.release is None:
        return {}
    own, ended = read_release(known.get(version, {})), dict[int, Changes]()
    gained, is_new_default = set(plan.release.groups) - set(own.groups), plan.release.default and not own.default
    for other, row in sorted(known.items()):
        before = read_release(row)
        groups = tuple(name for name in before.groups if name not in gained)
        after = dataclasses.replace(before, default=before.default and not is_new_default, groups=groups)
        if other != version and after != before:
            ended[other] = _compare_releases(before, after, _TARGETS)
    return ended


def _compare_releases(before: Release, after: Release, names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (before.as_result()[name], after.as_result()[name]) for name in names}
    return {f"{RELEASE_PREFIX}{name}": pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _read_settings(row: Row) -> dict[str, Any]:
    return {name: row.get(name) or absent for name, absent in SETTINGS.items()}


def _complete_release(before: Release, declared: Mapping[str, Any]) -> Release:
    groups = declared.get("groups")
    return Release(
        declared.get("default", before.default),
        before.groups if groups is None else tuple(sorted(set(groups))),
        declared.get("intelligent", before.intelligent),
    )


def show_version(row: Row) -> dict[str, Any]:
    """Return a firmware version as the modules show it."""
    uploader = row.get("uploaded_by")
    return {
        "id": row.get("_id"),
        "version": int(row["version"]),
        **_read_settings(row),
        "name": row.get("name"),
        "size": row.get("size"),
        "release": read_release(row).as_result(),
        "device_count": row.get("device_count"),
        "uploaded_on": row.get("uploaded_on"),
        "uploaded_by": uploader.get("username") if isinstance(uploader, Mapping) else None,
        "updated_at": row.get("updated_at"),
    }


def predict_row(row: Row, plan: Plan) -> dict[str, Any]:
    """Return the row of a version as it will be after the changes."""
    release = plan.release or read_release(row)
    return {**row, **plan.settings, **release.as_body()}
