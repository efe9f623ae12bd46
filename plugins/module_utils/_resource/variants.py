# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the settings that the variants of a kind have, such as the types of integrations. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import join_words
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Body, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind


def get_variant(field: Field, row: Row | Body) -> Any:
    """Return the variant of a resource, such as ``google_maps``.

    :param field: the field ``Kind.variant``.
    :param row: the row of the resource, or the body of the request that creates or changes it.
    """
    value = row.get(field.cloud)
    return field.default if value is None else field.normalize(value)


def has_field(kind: Kind, field: Field, row: Row | Body) -> bool:
    """Return whether a resource has a setting, given its row or the body of the request that creates or changes it."""
    return kind.variant is None or not field.only or get_variant(kind.variant, row) in field.only


def list_foreign_settings(kind: Kind, values: Mapping[str, Any], variant: Any) -> list[str]:
    """Return sentences about the declared settings that a variant does not have."""
    if kind.variant is None:
        return []
    names: dict[tuple[str, ...], list[str]] = {}
    for each in kind.fields:
        if each.name in values and each.only and variant not in each.only:
            names.setdefault(each.only, []).append(each.name)
    return [
        f"{', '.join(found)} {'belongs' if len(found) == 1 else 'belong'} to {kind.variant.name} {join_words(only)}, "
        f"not to {variant}"
        for only, found in names.items()
    ]


def find_foreign_settings(kind: Kind, values: Mapping[str, Any]) -> list[str]:
    """Return sentences about declared settings that cannot be combined in any resource of the kind.

    Without a declared variant, the variant of the observed resource decides, so there is a mistake only if no variant
    has all these settings.
    """
    if kind.variant is None:
        return []
    if kind.variant.name in values:
        return list_foreign_settings(kind, values, values[kind.variant.name])
    found = [list_foreign_settings(kind, values, variant) for variant in kind.variant.spec["choices"]]
    return found[0] if all(found) else []
