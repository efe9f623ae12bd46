# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the declared environment variables of devices. Private to this collection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import (
    ValueReader,
    advise_quotes,
    describe_type,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import (
    convert_value,
    find_limit_mistakes,
    find_name_mistake,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

_REMOVAL = {"state": "absent"}
"""The declaration that removes a variable."""


def read_environment(reader: ValueReader, value: Any, place: Place) -> dict[str, str | None]:
    """Return the declared variables of a device, keyed by name. The value ``None`` removes a variable.

    Report mistakes to ``reader``.

    :param place: the path of ``environment`` in the manifest.
    """
    if not isinstance(value, Mapping):
        phrase = f"must be a mapping from the names of variables to their values, got {describe_type(value)}"
        reader.add_mistake(place, phrase)
        return {}
    declared = {str(name): _read_variable(reader, name, item, (*place, str(name))) for name, item in value.items()}
    for phrase in find_limit_mistakes({name: text for name, text in declared.items() if text is not None}):
        reader.add_mistake(place, phrase)
    return declared


def _read_variable(reader: ValueReader, name: Any, value: Any, place: Place) -> str | None:
    """Return the declared value of one variable; ``None`` if the variable is removed or has a mistake."""
    mistake = find_name_mistake(name) if isinstance(name, str) else f"must be a string{advise_quotes(name)}"
    if mistake is not None:
        reader.add_mistake(place, mistake)
    if isinstance(value, Mapping):
        if value != _REMOVAL:
            reader.add_mistake(place, "is a mapping; declare a value, or {state: absent} to remove the variable")
        return None
    text = None if isinstance(value, float) and not math.isfinite(value) else convert_value(value)
    if not isinstance(text, str):
        advice = "; declare {state: absent} to remove the variable" if value is None else advise_quotes(value)
        reader.add_mistake(place, f"must be a text, number or boolean, got {describe_type(value)}{advice}")
        return None
    return str(text)
