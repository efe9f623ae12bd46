# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a firmware version from a product. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import (
    DELETE_ROUTE,
    delete_firmware,
    list_firmware,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions, Watch
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Row, read_release, show_version

_USES = {
    "firmware_version": "runs it",
    "targeted_firmware_release_version": "is to be updated to it",
    "desired_firmware_version": "is locked to it",
}
"""The fields of a device that name a version, each with its meaning for the device."""
_KEPT = frozenset({"id", "name", *_USES})
_REFUSED = 400
_NEVER_DELETED = "a version that was released once cannot be removed any more"


def remove_version(target: Target, version: int, check: Callable[[], None], *, check_mode: bool) -> Outcome:
    """Remove a version, if it exists. In check mode, only read.

    :param check: called last before the removal; raises an error if the version is needed for another reason.
    :raises ParticleError: ``conflict`` when the version is released, or when devices use it.
    """
    product = target.required_product
    row = list_firmware(target.http, product.id).get(version)
    outcome = Outcome(version, is_removal=True)
    if row is None:
        return outcome
    _refuse_release(row, product.slug)
    _refuse_use(target, version)
    check()
    shown = show_version(row)
    outcome.changes = {name: (shown[name], None) for name in ("name", "title", "description") if shown[name]}
    outcome.changed = True
    if not check_mode:
        _delete(target, version)
    return outcome


def _refuse_release(row: Row, product: str) -> None:
    release = read_release(row)
    if not release.has_target:
        return
    targets = ["as the default of the product"] if release.default else []
    targets += [f"to group {name}" for name in release.groups]
    message = f"Firmware version {row['version']} of product {product} is released {list_names(targets)}."
    raise ParticleError("conflict", message, hint=f"Keep it: {_NEVER_DELETED}.")


def _refuse_use(target: Target, version: int) -> None:
    """Refuse to remove a version that devices run, wait for or are locked to.

    :raises ParticleError: ``conflict`` when there are such devices, or when the list of devices changed meanwhile.
    """
    product = target.required_product
    listing = list_product_devices(target.http, product.id, options=ListOptions(watch=Watch.EVERYTHING, keep=_KEPT))
    used = [text for row in listing.rows if (text := _describe_use(row, version)) is not None]
    if used:
        verb = format_count(len(used), "device uses", "devices use")
        message = f"Firmware version {version} of product {product.slug} cannot be removed, because {verb} it: "
        hint = (
            "Move these devices to another version first: change their firmware_lock, release another version, or roll "
            "out another one if a rollout has locked them."
        )
        raise ParticleError("conflict", f"{message}{list_names(used)}.", hint=hint)
    if not listing.complete:
        message = f"It is not known whether devices use firmware version {version}: the list of devices of product "
        message += f"{product.slug} changed while it was read."
        raise ParticleError("conflict", message, hint="Run again.")


def _describe_use(row: Mapping[str, Any], version: int) -> str | None:
    uses = [words for field, words in _USES.items() if row.get(field) == version]
    if not uses:
        return None
    name = row.get("name")
    title = f"{name} ({row['id']})" if name else str(row["id"])
    return f"{title} {_join(uses)}"


def _join(words: Iterable[str]) -> str:
    return " and ".join(words)


def _delete(target: Target, version: int) -> None:
    """Delete a version. If the response is lost, the list of versions shows whether the version is gone."""
    product = target.required_product
    try:
        delete_firmware(target.http, product.id, version)
    except ParticleError as error:
        # The cloud refuses a missing scope with the same status.
        if error.status == _REFUSED and error.route == DELETE_ROUTE and error.code == "cloud_error":
            message = f"Firmware version {version} of product {product.slug} cannot be removed: the cloud refuses it"
            hint = f"Keep it if it was released: {_NEVER_DELETED}."
            message = f"{message} (HTTP {_REFUSED}{error.quoted})."
            raise ParticleError("conflict", message, status=_REFUSED, route=error.route, hint=hint) from None
        # After a repeated request, 404 may mean that the first one took effect.
        if error.status not in (403, 404) and error.code not in ("ambiguous_write", "bad_response"):
            raise
        if _is_listed(target, version):
            raise


def _is_listed(target: Target, version: int) -> bool:
    """Return whether a version still exists. If the list cannot be read, it counts as existing."""
    try:
        return version in list_firmware(target.http, target.required_product.id)
    except ParticleError:
        return True
