# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the device groups to which firmware is released. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import GROUP_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names, suggest_similar


def refuse_unknown_groups(target: Target, names: Collection[str], options: str) -> None:
    """Refuse device groups that the product does not have. Sends one request, unless there are no names.

    If the groups cannot be listed, nothing is refused here, because the cloud itself refuses a release to unknown
    groups.

    :param options: the options that name the groups, for the hint.
    :raises ParticleError: ``not_found`` when a group does not exist.
    """
    if not names:
        return
    product = target.required_product
    try:
        known = list_groups(target.http, product.id)
    except ParticleError as error:
        if error.code not in NOT_READABLE:
            raise
        return
    if missing := [name for name in names if name not in known]:
        similar = suggest_similar(missing[0], known)
        shown = list_names([name if GROUP_NAME.match(name) else repr(name) for name in missing])
        message = f"Product {product.slug} has no device group {shown}{similar}."
        raise ParticleError("not_found", message, hint=f"Correct {options}, or create the device group first.")
