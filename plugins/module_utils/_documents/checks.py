# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the parts that any declared document is made of, and collects what is wrong. Private to this collection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import perhaps


class PartReader:
    """Collects mistakes while it reads; what it gives back counts only when there are none.

    :param where: names a place of the data to the user.
    """

    def __init__(self, where: Where) -> None:
        self._where = where
        self.mistakes: list[str] = []

    def wrong(self, place: Place, what: str) -> None:
        """Note a mistake, one sentence that begins with its place."""
        self.mistakes.append(f"{self._where(place)}: {what}")

    def mapping(self, value: Any, place: Place, keys: tuple[str, ...]) -> Mapping[str, Any]:
        """A mapping that has none but ``keys``."""
        if not isinstance(value, Mapping):
            self.wrong(place, f"must be a mapping with {', '.join(keys)}, not {kind_of(value)}")
            return {}
        for key in value:
            if key not in keys:
                self.wrong((*place, str(key)), f"unknown key; known are {', '.join(keys)}{perhaps(key, keys)}")
        return value

    def sequence(self, value: Any, place: Place) -> list[Any]:
        """A list of anything."""
        if isinstance(value, (list, tuple)):
            return list(value)
        self.wrong(place, f"must be a list, not {kind_of(value)}")
        return []

    def text(self, value: Any, place: Place) -> str:
        """A text; what YAML reads as something else wants quotes."""
        if isinstance(value, str):
            return str(value)
        advice = "; put it in quotes" if value is not None and not isinstance(value, (Mapping, list)) else ""
        self.wrong(place, f"must be a text, not {kind_of(value)}{advice}")
        return ""

    def truth(self, value: Any, place: Place) -> bool:
        """True or false."""
        if not isinstance(value, bool):
            self.wrong(place, f"must be true or false, not {kind_of(value)}")
        return value is True

    def choice(self, value: Any, place: Place, choices: tuple[str, ...]) -> str:
        """One of ``choices``."""
        if value not in choices:
            self.wrong(place, f"{value!r} is none of {', '.join(choices)}{perhaps(value, choices)}")
        return str(value)

    def device_id(self, value: Any, place: Place) -> str | None:
        """A device id in small letters; ``None`` when it is none."""
        if isinstance(value, int) and not isinstance(value, bool):
            self.wrong(place, f"{value} is read as a number: put the device id in quotes")
            return None
        text = value.strip().lower() if isinstance(value, str) else ""
        if not DEVICE_ID.match(text):
            self.wrong(place, f"{value!r} is no device id: 24 hexadecimal digits")
            return None
        return str(text)

    def json(self, value: Any, place: Place) -> None:
        """Refuse what cannot reach a device, or would come back from the cloud as something else."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.text(key, (*place, str(key)))
                self.json(item, (*place, str(key)))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.json(item, (*place, index))
        elif isinstance(value, float) and not math.isfinite(value):
            self.wrong(place, f"{value} is no number that JSON has")
        elif value is not None and not isinstance(value, (str, int, float)):
            self.wrong(place, f"is {kind_of(value)}, which JSON has not; put it in quotes")

    def twins(self, found: list[tuple[Place, str]], key: str) -> None:
        """Refuse a value that stands at two places; ``key`` is where it stands below each of them."""
        first: dict[str, Place] = {}
        for place, value in found:
            if value in first:
                self.wrong((*place, key), f"{value!r} stands already at {self._where((*first[value], key))}")
            else:
                first[value] = place


def kind_of(value: Any) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "nothing"
    for kind, word in ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text")):
        if isinstance(value, kind):
            return word if kind is not bool else str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
