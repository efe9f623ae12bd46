# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the declaration of a resource from options, and check it by itself. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import (
    ParticleError,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    join_names,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Declared,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.comparison import (
    is_empty,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Kind,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import (
    find_foreign_settings,
)


def read_declared(kind: Kind, options: Mapping[str, Any]) -> Declared:
    """Convert the options of a module to the declaration of one resource, and check it; see :func:`check_declared`."""
    declared = kind.read_options(options)
    check_declared(kind, declared)
    return declared


def check_declared(kind: Kind, declared: Declared) -> None:
    """Check a declaration by itself, before anything is read.

    :raises ParticleError: ``invalid_option`` when the declaration is not valid. The error names all mistakes.
    """
    if mistakes := find_mistakes(kind, declared):
        name = f"{kind.title} {declared.key}"
        raise ParticleError("invalid_option", f"{name} is not valid: {'; '.join(mistakes)}.")


def find_mistakes(kind: Kind, declared: Declared) -> list[str]:
    """Return sentences about the mistakes in a declaration.

    Declared fields must not be empty if they are required, belong to another variant, or exclude each other.
    """
    values, mistakes = declared.values, list(kind.check(declared))
    if not declared.absent:
        mistakes += find_foreign_settings(kind, values)
    needed = [each.name for each in kind.fields if each.name in values and each.is_required(values)]
    if (empty := [name for name in needed if is_empty(values[name])]) and not declared.absent:
        mistakes.append(f"{join_names(empty)} cannot be empty")
    given = [name for name in kind.exclusive if not is_empty(values.get(name))]
    if len(given) > 1:
        mistakes.append(f"{join_names(given)} cannot be combined, declare only one of them")
    return mistakes
