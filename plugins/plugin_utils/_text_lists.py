# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split texts that hold the items of a list option. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SEPARATOR = re.compile(r"[\r\n,]+")


def split_text_lists(args: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the options of a task, in which a text of several lines for a list has become a list of its lines.

    A text of several lines is the answer to a survey, or a block in YAML. Ansible itself splits a text only at commas.

    :param args: the options of the task.
    :param spec: the argument spec of the options.
    """
    return {name: _split_value(value, spec.get(name, {})) for name, value in args.items()}


def _split_value(value: Any, option: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping) and "options" in option:
        return split_text_lists(value, option["options"])
    is_list = option.get("type") == "list" and option.get("elements") != "raw"
    if not is_list or not isinstance(value, str) or not ("\n" in value or "\r" in value):
        return value
    return [item.strip() for item in _SEPARATOR.split(value) if item.strip()]
