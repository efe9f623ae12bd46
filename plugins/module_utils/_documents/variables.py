# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the names and values of environment variables (endpoints.yml: environment_variables).

Private to this collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_json

Edits: TypeAlias = "Mapping[str, str | None]"
"""New values of variables, keyed by name. The value ``None`` removes a variable."""

MAX_VARIABLES = 100
"""The maximum number of variables of a product or device (endpoints.yml: environment_variables)."""
MAX_BYTES = 16 * 1024
"""The maximum size of the variables of a product or device as JSON, in bytes (endpoints.yml: environment_variables)."""

VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}\Z")
"""Form of the name of a variable."""

RESERVED_NAMES = "PARTICLE_"
"""The prefix of the variables that the cloud sets."""


def convert_value(value: Any) -> Any:
    """Convert a number or boolean to the text that JSON has for it, such as ``30`` and ``true``.

    Any other value is returned unchanged.
    """
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def find_mistakes(variables: Mapping[str, Any]) -> list[str]:
    """Return sentences about the mistakes in the variables of a product or device. No sentence contains a value."""
    mistakes = [mistake for name in variables if (mistake := find_name_mistake(name))]
    wrong = [name for name, value in variables.items() if not isinstance(convert_value(value), str)]
    mistakes += [f"the value of {name} is not a text, number or boolean" for name in wrong]
    return mistakes + find_limit_mistakes(variables)


def find_name_mistake(name: str) -> str | None:
    """Return a sentence about the mistake in the name of a variable; ``None`` if the name is valid."""
    if name.startswith(RESERVED_NAMES):
        return f"{name} is reserved, as all names that begin with {RESERVED_NAMES}"
    if not VARIABLE_NAME.match(name):
        return f"{name!r} is not a valid name: use up to 128 upper-case letters, digits and _, and no digit at first"
    return None


def find_limit_mistakes(variables: Mapping[str, Any]) -> list[str]:
    """Return sentences about the limits that the variables of a product or device exceed."""
    mistakes = []
    if len(variables) > MAX_VARIABLES:
        mistakes.append(f"{len(variables)} variables are more than the {MAX_VARIABLES} that the cloud accepts")
    texts = {name: str(convert_value(value)) for name, value in variables.items()}
    size = measure_json(texts)
    if size > MAX_BYTES:
        mistakes.append(f"the variables have {size:,} bytes as JSON, but the cloud accepts at most {MAX_BYTES:,}")
    return mistakes
