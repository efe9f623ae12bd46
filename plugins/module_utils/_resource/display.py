# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show resources and their changes without secrets. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import (
    MASK,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Row,
    Staged,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.comparison import (
    complete_value,
    is_empty,
    is_mask,
    normalize,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Field,
    Kind,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import (
    has_field,
)

VARIABLE = re.compile(r"((Basic|Bearer|Token) )?(\{\{[^{}]+\}\}|\{\{\{[^{}]+\}\}\})")
"""The pattern of a text that is only a variable of the cloud, or a login with a variable."""


def show_resource(kind: Kind, row: Row) -> dict[str, Any]:
    """Return all fields of a resource by name, without those that the cloud never shows.

    Secrets are masked. A field that is not set, or that the variant of the resource does not have, is ``None``.
    """
    shown = [each for each in kind.compared if not each.write_only]
    return {f.name: show_value(f, row.get(f.cloud)) if has_field(kind, f, row) else None for f in shown}


def hide_values(value: Any) -> Any:
    """Return a structure with masks in place of its values. Booleans and variables in braces are kept.

    A variable in braces is only the name of a secret.
    """
    if isinstance(value, Mapping):
        return {name: hide_values(item) for name, item in value.items()}
    if isinstance(value, list):
        return [hide_values(item) for item in value]
    if value is None or isinstance(value, bool) or (isinstance(value, str) and VARIABLE.fullmatch(value)):
        return value
    return MASK


def show_value(each: Field, value: Any) -> Any:
    """Return the form of a value of a field that may be shown. Secrets are masked."""
    normalized = normalize(each, value)
    if is_empty(normalized):
        return None
    if isinstance(normalized, Staged):
        return str(normalized)
    return hide_values(normalized) if each.secret else each.show(normalized)


def show_pair(each: Field, found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return the shown values of a field before and after a change.

    If the shown values are equal, a note such as ``(changed)`` is added to the second value.
    """
    if each.write_only:
        return MASK, f"{MASK} (not compared)"
    before, after = show_value(each, found), show_value(each, complete_value(each, wanted, found))
    if not each.secret:
        return before, f"{after} (changed)" if before == after else after
    return before, _mark_changes(normalize(each, found), normalize(each, wanted))


def _mark_changes(found: Any, wanted: Any) -> Any:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return {name: _mark_changes(found.get(name), item) for name, item in wanted.items()}
    after = hide_values(wanted)
    if after != hide_values(found):
        return after
    if is_mask(found):
        return f"{after} (not compared)"
    return after if found == wanted else f"{after} (changed)"
