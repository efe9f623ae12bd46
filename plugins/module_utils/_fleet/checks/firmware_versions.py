# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse firmware locks to versions that the product does not have. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware_versions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_lines, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Plan


def refuse_unknown_versions(target: Target, plan: Plan) -> None:
    """Refuse a plan that locks devices to firmware versions that the product does not have.

    The list of firmware takes one request, which is sent only if the plan sets a lock.

    :raises ParticleError: ``not_found`` for a version that is not in the list of the product's firmware.
    """
    locks: dict[int, list[str]] = {}
    for device in plan.devices:
        if isinstance(version := device.fields.get("firmware_lock"), int):
            locks.setdefault(version, []).append(device.key)
    if not locks:
        return
    product = target.required_product
    try:
        known = list_firmware_versions(target.http, product.id)
    except ParticleError as error:
        if error.code not in NOT_READABLE:
            raise
        target.warn(
            f"It was not checked whether product {product.slug} has the declared firmware_lock: {error.message}"
        )
        return
    if missing := {version: devices for version, devices in locks.items() if version not in known}:
        raise _build_unknown_error(product.slug, missing, known)


def _build_unknown_error(product: str, missing: dict[int, list[str]], known: frozenset[int]) -> ParticleError:
    """Return the error about missing versions.

    :param missing: the devices of each missing version.
    :param known: the versions of the product, of which the error names the highest ones.
    """
    wanted = [f"version {version} (declared for {list_names(devices)})" for version, devices in sorted(missing.items())]
    versions = [str(version) for version in sorted(known, reverse=True)]
    existing = f"It has {list_names(versions)}." if versions else "It has no firmware."
    message = f"Product {product} does not have firmware {'; '.join(list_lines(wanted))}. {existing}"
    hint = "Upload this firmware to the product first, or declare a firmware_lock that the product has."
    return ParticleError("not_found", message, hint=hint)
