# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of options that Ansible refuses. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import perhaps


def told(messages: Sequence[str], given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> str:
    """Ansible's own words, and behind them the names and choices that were probably meant.

    :param messages: of the validation of ``given`` by ``spec``; they may hold secrets, as they quote what was given.
    """
    hints = [perhaps(name, spec) for name in given if name not in spec]
    for name, option in spec.items():
        values = given.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value not in option.get("choices", (value,)):
                hints.append(perhaps(value, option["choices"]))
    return "; ".join(messages) + "".join(hints)
