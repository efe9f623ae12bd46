# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the values in a document, and collect all mistakes. Private to this collection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import perhaps


class PartReader:
    """A reader of values in a document that collects mistakes instead of raising errors.

    Its results may be used only if there are no mistakes.

    :param where: describes a place in the document to the user.
    :ivar mistakes: one sentence for each mistake.
    """

    def __init__(self, where: Where) -> None:
        self._where = where
        self.mistakes: list[str] = []

    def wrong(self, place: Place, what: str) -> None:
        """Add a mistake, which is described by ``what``, at a place of the document."""
        self.mistakes.append(f"{self._where(place)}: {what}")

    def mapping(self, value: Any, place: Place, keys: tuple[str, ...]) -> Mapping[str, Any]:
        """Return a mapping that may have only ``keys``; an empty one if ``value`` is not a mapping."""
        if not isinstance(value, Mapping):
            self.wrong(place, f"must be a mapping with {', '.join(keys)}, got {kind_of(value)}")
            return {}
        for key in value:
            if key not in keys:
                self.wrong((*place, str(key)), f"unknown key; known are {', '.join(keys)}{perhaps(key, keys)}")
        return value

    def sequence(self, value: Any, place: Place) -> list[Any]:
        """Return a list with any items; an empty one if ``value`` is not a list."""
        if isinstance(value, (list, tuple)):
            return list(value)
        self.wrong(place, f"must be a list, got {kind_of(value)}")
        return []

    def text(self, value: Any, place: Place) -> str:
        """Return a text; an empty one if ``value`` is not a text, for example because it lacks quotes."""
        if isinstance(value, str):
            return str(value)
        advice = "; put it in quotes" if value is not None and not isinstance(value, (Mapping, list)) else ""
        self.wrong(place, f"must be a text, got {kind_of(value)}{advice}")
        return ""

    def truth(self, value: Any, place: Place) -> bool:
        """Return true or false; false if ``value`` is neither."""
        if not isinstance(value, bool):
            self.wrong(place, f"must be true or false, got {kind_of(value)}")
        return value is True

    def choice(self, value: Any, place: Place, choices: tuple[str, ...]) -> str:
        """Return one of ``choices``. Another value is a mistake."""
        if value not in choices:
            self.wrong(place, f"{value!r} is not one of {', '.join(choices)}{perhaps(value, choices)}")
        return str(value)

    def device_id(self, value: Any, place: Place) -> str | None:
        """Return a device id in lower case; ``None`` if ``value`` is not a device id."""
        if isinstance(value, int) and not isinstance(value, bool):
            self.wrong(place, f"{value} is read as a number: put the device id in quotes")
            return None
        text = value.strip().lower() if isinstance(value, str) else ""
        if not DEVICE_ID.match(text):
            self.wrong(place, f"{value!r} is not a device id (24 hexadecimal digits)")
            return None
        return str(text)

    def json(self, value: Any, place: Place) -> None:
        """Add a mistake for each value that JSON cannot represent, or would change on the way through the cloud."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.text(key, (*place, str(key)))
                self.json(item, (*place, str(key)))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.json(item, (*place, index))
        elif isinstance(value, float) and not math.isfinite(value):
            self.wrong(place, f"{value} is not a number in JSON")
        elif value is not None and not isinstance(value, (str, int, float)):
            self.wrong(place, f"is {kind_of(value)}, which does not exist in JSON; put it in quotes")

    def twins(self, found: list[tuple[Place, str]], key: str) -> None:
        """Add a mistake for each duplicate value.

        :param found: the places and their values.
        :param key: the key below each place that holds the value.
        """
        first: dict[str, Place] = {}
        for place, value in found:
            if value in first:
                self.wrong((*place, key), f"{value!r} is already used at {self._where((*first[value], key))}")
            else:
                first[value] = place


def kind_of(value: Any) -> str:
    """Return the type of a value as messages name it, such as ``a number``; for true and false, the value itself."""
    if value is None:
        return "nothing"
    for kind, word in ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a text")):
        if isinstance(value, kind):
            return word if kind is not bool else str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
