# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of options that Ansible refuses. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import perhaps

_SUPPORTED = ". Supported parameters include: "
"""How Ansible says it of unknown options: their names before this, those that it knows and a full stop behind."""


def told(messages: Sequence[str], given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> str:
    """Ansible's own words, with the names and choices that were probably meant.

    :param messages: of the validation of ``given`` by ``spec``; they may hold secrets, as they quote what was given.
    """
    hints = []
    for name, option in spec.items():
        values = given.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value not in option.get("choices", (value,)):
                hints.append(perhaps(value, option["choices"]))
    refused = "; ".join(message for message in messages if _SUPPORTED not in message) + "".join(hints)
    unknown = [_unknown(message, spec) for message in messages if _SUPPORTED in message]
    return ". ".join(filter(None, [refused, *unknown]))


def _unknown(message: str, spec: Mapping[str, Any]) -> str:
    """Ansible's list of names as a sentence for each, and one for those that there are."""
    names, _between, supported = message.partition(_SUPPORTED)
    known = [*spec, *supported.rstrip(".").split(", ")]
    said = [f"Unsupported option: {name}{perhaps(name.rpartition('.')[2], known)}. " for name in names.split(", ")]
    return f"{''.join(said)}Supported options: {supported}"
