# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the values in a document, and collect all mistakes. Private to this collection."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID, describe_damage
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import Mistake
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import (
    Place,
    Where,
    format_place,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar

# The control characters of Unicode, and the two characters that separate lines and paragraphs.
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_BOOLEAN_WORDS = ("true", "false", "yes", "no", "on", "off", "1", "0")

STRING_FILTER = "the filter '| string' if it comes from a template"
BOOL_FILTER = "the filter '| bool' if it comes from a template"


class ValueReader:
    """A reader that checks values of a document. The reader collects mistakes instead of raising errors.

    Use the returned values only if ``mistakes`` is empty.

    :param where: a function that returns a description of a place in the document, to show to the user.
    :ivar describe: the function ``where``.
    :ivar found: the mistakes.
    """

    def __init__(self, where: Where) -> None:
        self.describe = where
        self.found: list[Mistake] = []

    @property
    def mistakes(self) -> list[str]:
        """Return one sentence for each mistake."""
        return [str(mistake) for mistake in self.found]

    def add_mistake(self, place: Place, text: str) -> None:
        """Add a mistake. ``text`` describes what is wrong at ``place``."""
        self.found.append(self.build_mistake(place, text))

    def build_mistake(self, place: Place, text: str) -> Mistake:
        """Return a mistake at ``place`` without adding it."""
        group = format_place(tuple("[]" if isinstance(part, int) else part for part in place)).replace(".[]", "[]")
        return Mistake(self.describe(place), text, group)

    def read_mapping(
        self, value: Any, place: Place, keys: tuple[str, ...], deprecated: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """Return ``value`` if it is a mapping, else add a mistake and return an empty mapping.

        :param keys: the valid keys. Any other key is a mistake.
        :param deprecated: keys that are valid too, but that no message recommends.
        """
        if not isinstance(value, Mapping):
            phrase = f"must be a mapping, got {describe_type(value)}; valid keys are {', '.join(keys)}"
            is_text = isinstance(value, str) and (":" in value or "\n" in value)
            advice = "; add the filter '| from_yaml' if it is the text of a mapping" if is_text else ""
            self.add_mistake(place, phrase + advice)
            return {}
        for key in value:
            if key not in keys and key not in deprecated:
                self.add_mistake(
                    (*place, str(key)), f"unknown key{suggest_similar(key, keys)}; valid keys are {', '.join(keys)}"
                )
        return value

    def read_list(self, value: Any, place: Place) -> list[Any]:
        """Return ``value`` if it is a list, else add a mistake and return an empty list. Items are not checked."""
        if isinstance(value, (list, tuple)):
            return list(value)
        self.add_mistake(place, f"must be a list, got {describe_type(value)}")
        return []

    def read_text(self, value: Any, place: Place) -> str:
        """Return ``value`` if it is a string, else add a mistake and return an empty string."""
        if isinstance(value, str):
            return str(value)
        self.add_mistake(place, f"must be a string, got {describe_type(value)}{advise_quotes(value)}")
        return ""

    def read_line(self, value: Any, place: Place) -> str:
        """Return ``value`` if it is a string without control characters, else add a mistake.

        The message shows a number or boolean, so ``value`` must not be a secret. A string with control characters is
        still returned. For a value of another type, an empty string is returned.
        """
        if not isinstance(value, str):
            shown = f"the number {value}" if describe_type(value) == "a number" else describe_type(value)
            self.add_mistake(place, f"must be a string, got {shown}{advise_quotes(value)}")
            return ""
        found = find_control_character(value)
        if found is not None:
            self.add_mistake(place, f"contains the control character U+{ord(found):04X}; remove it")
        return str(value)

    def read_boolean(self, value: Any, place: Place) -> bool:
        """Return ``value`` if it is true or false, else add a mistake and return false."""
        if not isinstance(value, bool):
            is_word = isinstance(value, str) and value.strip().lower() in _BOOLEAN_WORDS
            advice = f"; remove the quotes, or add {BOOL_FILTER}" if is_word else ""
            self.add_mistake(place, f"must be true or false, got {describe_type(value)}{advice}")
        return value is True

    def read_choice(self, value: Any, place: Place, choices: tuple[str, ...]) -> str:
        """Return ``value`` as a string. Add a mistake if ``value`` is not one of ``choices``."""
        if value not in choices:
            self.add_mistake(
                place, f"must be one of {', '.join(choices)}, got {value!r}{suggest_similar(value, choices)}"
            )
        return str(value)

    def read_device_id(self, value: Any, place: Place) -> str | None:
        """Return ``value`` in lower case if it is a device id, else add a mistake and return ``None``."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self.add_mistake(place, f"{value} is read as a number: put the device id in quotes, or add {STRING_FILTER}")
            return None
        text = value.strip().lower() if isinstance(value, str) else ""
        if not DEVICE_ID.match(text):
            if isinstance(value, str):
                phrase = describe_damage(value, DEVICE_ID) or f"{value!r} is not a device id (24 hexadecimal digits)"
            else:
                phrase = (
                    f"must be a device id (24 hexadecimal digits), got {describe_type(value)}{advise_quotes(value)}"
                )
            self.add_mistake(place, phrase)
            return None
        return str(text)

    def check_json(self, value: Any, place: Place) -> None:
        """Add a mistake for each key or value, at any depth of ``value``, that JSON cannot represent."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.read_text(key, (*place, str(key)))
                self.check_json(item, (*place, str(key)))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                self.check_json(item, (*place, index))
        elif isinstance(value, float) and not math.isfinite(value):
            self.add_mistake(place, f"{value} cannot be written as a number in JSON")
        elif value is not None and not isinstance(value, (str, int, float)):
            self.add_mistake(place, f"is {describe_type(value)}, which JSON cannot contain; put it in quotes")

    def refuse_duplicates(self, found: list[tuple[Place, str]], key: str) -> None:
        """Add a mistake for each duplicate value.

        :param found: pairs of a place and a value. The place is the path of the mapping that contains the value.
        :param key: the key of the value in each mapping.
        """
        first: dict[str, Place] = {}
        for place, value in found:
            if value in first:
                self.add_mistake((*place, key), f"{value!r} is already used at {self.describe((*first[value], key))}")
            else:
                first[value] = place


def find_control_character(text: str) -> str | None:
    """Return the first control character of ``text``, such as a line break, or ``None``."""
    found = _CONTROL_CHARACTER.search(text)
    return None if found is None else found[0]


def advise_quotes(value: Any) -> str:
    """Return the end of a message about a value that must be a string.

    The end tells the user how to declare a number, a boolean or a date as a string. It is empty for other values.
    """
    if value is None or isinstance(value, (str, Mapping, list, tuple)):
        return ""
    cause = " (YAML reads words such as yes, no, on and off as true or false)" if isinstance(value, bool) else ""
    return f"{cause}; put it in quotes, or add {STRING_FILTER}"


def describe_type(value: Any) -> str:
    """Return the type of a value in words for messages, such as ``a number``.

    For a boolean, return ``true`` or ``false`` instead of the type.
    """
    if value is None:
        return "nothing"
    for kind, word in ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a string")):
        if isinstance(value, kind):
            return word if kind is not bool else str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
