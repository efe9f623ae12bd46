# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the definition of a product, or report all mistakes in it. Private to this collection.

A definition is a mapping. Its keys are the names of kinds of resources, such as ``groups``. Each value is a mapping
from the names of resources to their settings. This module sends no requests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import (
    ValueReader,
    advise_quotes,
    describe_type,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import describe_mistakes
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, Where, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names, suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared, Placeholder
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import find_mistakes
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

SECRET = "secret"
"""The only key of a mapping that stands for a secret, such as ``{secret: DATABASE_TOKEN}``."""

SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""The form of the name of a secret in a definition."""

STATE, PRESENT, ABSENT = "state", "present", "absent"


@dataclass(frozen=True)
class Definition:
    """The declared resources of a product.

    :param resources: the declarations, keyed by the name of their kind. A kind that is not declared is missing.
    """

    resources: Mapping[str, tuple[Declared, ...]]

    def list_secrets(self) -> list[str]:
        """Return the names of all secrets that the definition names, sorted."""
        found = (_find_names(each.values) for declared in self.resources.values() for each in declared)
        return sorted({name for names in found for name in names})

    def find_unknown_secrets(self, secrets: Collection[str]) -> list[str]:
        """Return the names in ``secrets`` that the definition does not contain, each with the most similar name."""
        named = self.list_secrets()
        return [f"{name}{suggest_similar(name, named)}" for name in secrets if name not in named]

    def fill(self, secrets: Mapping[str, str]) -> Definition:
        """Return the definition with the values of secrets in place of their names.

        :param secrets: the values, keyed by name. Other secrets remain names.
        :raises ParticleError: ``invalid_option`` when a value is not a string or is empty.
        """
        if wrong_values := [name for name, value in secrets.items() if not isinstance(value, str) or not value]:
            message = (
                f"secrets must contain strings that are not empty; these values are not: {list_names(wrong_values)}."
            )
            hint = "Put numbers in quotes. To keep a secret that a resource has, leave its name out of secrets."
            raise ParticleError("invalid_option", message, hint=hint)
        filled = {
            kind: tuple(replace(each, values=_fill(each.values, secrets)) for each in declared)
            for kind, declared in self.resources.items()
        }
        return Definition(filled)


def _find_names(value: Any) -> Iterator[str]:
    if isinstance(value, Placeholder):
        yield value.name
    elif isinstance(value, (Mapping, list)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _find_names(item)


def _fill(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, Placeholder):
        return secrets.get(value.name, value)
    if isinstance(value, Mapping):
        return {name: _fill(item, secrets) for name, item in value.items()}
    return [_fill(item, secrets) for item in value] if isinstance(value, list) else value


def describe_place(place: Place) -> str:
    """Return a place in a definition that is not a file, such as ``groups.north.color``."""
    return format_place(place) if place else "the definition"


def read_definition(data: Any, kinds: Mapping[str, Kind], where: Where = describe_place) -> Definition:
    """Validate the data of a definition.

    :param kinds: the kinds that a definition may contain, keyed by name.
    :param where: function that describes a place in the data for messages, such as ``product.yml:12 groups.north``.
    :raises ParticleError: ``invalid_manifest`` when the data contains mistakes; the message lists each kind of mistake
        with its first place.
    """
    reader = _Reader(where)
    definition = reader.read(data, kinds)
    if reader.found:
        phrase = ("The definition has a mistake", "The definition has {} mistakes")
        hint = "Correct the definition and run again; no request was sent."
        raise ParticleError("invalid_manifest", describe_mistakes(phrase, reader.found, "places"), hint=hint)
    return definition


class _Reader(ValueReader):
    """A reader that validates one definition and collects mistakes."""

    def read(self, data: Any, kinds: Mapping[str, Kind]) -> Definition:
        """Return the definition. The definition is valid only if no mistakes were collected."""
        top = self.read_mapping({} if data is None else data, (), tuple(kinds))
        sections = {name: self._read_section(kind, top[name]) for name, kind in kinds.items() if name in top}
        return Definition(sections)

    def _read_section(self, kind: Kind, section: Any) -> tuple[Declared, ...]:
        if section is None:
            return ()
        if not isinstance(section, Mapping):
            advice = f"write the {kind.key.name} of each {kind.noun} as a key, with its settings below it"
            self.add_mistake((kind.name,), f"must be a mapping, got {describe_type(section)}; {advice}")
            return ()
        counts = Counter(map(str, section))
        for text in (text for text, number in counts.items() if number > 1):
            self.add_mistake((kind.name, text), "is declared as a text and as a number; keep one of them")
        return tuple(self._read_entry(kind, key, entry) for key, entry in section.items())

    def _read_entry(self, kind: Kind, key: Any, entry: Any) -> Declared:
        place: Place = (kind.name, str(key))
        known = len(self.found)
        name = self._read_key(kind, key, place)
        values, absent = self._read_settings(kind, entry, place)
        declared = Declared(name, values, absent)
        if len(self.found) == known:  # otherwise, values are missing in place of those with mistakes
            for sentence in find_mistakes(kind, declared):
                self.add_mistake(place, sentence)
        return declared

    def _read_key(self, kind: Kind, key: Any, place: Place) -> str:
        if kind.key.spec["type"] == "int" and isinstance(key, int) and not isinstance(key, bool):
            return str(key)
        if isinstance(key, str):
            return key
        self.add_mistake(place, f"the {kind.key.name} must be a string, got {describe_type(key)}{advise_quotes(key)}")
        return ""

    def _read_settings(self, kind: Kind, entry: Any, place: Place) -> tuple[dict[str, Any], bool]:
        """Return the declared values, and whether the resource must be removed."""
        fields = {each.name: each for each in kind.fields}
        if kind.short is not None and entry is not None and (_is_secret(entry) or not isinstance(entry, Mapping)):
            return {kind.short: self._read_value(fields[kind.short], entry, place)}, False
        if entry is None:
            return {}, False
        has_state = STATE in fields
        given = self.read_mapping(entry, place, (*fields, *(() if has_state else (STATE,))))
        state = PRESENT
        if not has_state and STATE in given:
            state = self.read_choice(given[STATE], (*place, STATE), (PRESENT, ABSENT))
        values = {
            name: self._read_value(fields[name], value, (*place, name))
            for name, value in given.items()
            if name in fields
        }
        return values, (values.get(STATE) if has_state else state) == kind.absent_state

    # --- values ---

    def _read_value(self, field: Field, value: Any, place: Place) -> Any:
        if _is_secret(value):
            if field.may_hold_secret:
                return Placeholder(value[SECRET])
            self.add_mistake(place, "cannot be a secret; write its value")
            return None
        return self._read_typed(field.spec, value, place, secret=field.may_hold_secret)

    def _read_typed(self, spec: Mapping[str, Any], value: Any, place: Place, *, secret: bool) -> Any:
        """Return a value of the type in an argument spec.

        :param secret: whether parts of the value may be secrets.
        """
        if value is None:
            self.add_mistake(place, 'has no value; leave it out to keep the setting, or write "" to remove it')
            return None
        if spec["type"] == "list":
            item_spec = {**spec, "type": spec["elements"]}
            items = enumerate(self.read_list(value, place))
            return [self._read_typed(item_spec, item, (*place, index), secret=True) for index, item in items]
        if "choices" in spec:
            return self.read_choice(value, place, tuple(spec["choices"]))
        if spec["type"] == "bool":
            return self.read_boolean(value, place)
        if spec["type"] == "dict":
            return self._read_mapping_value(spec, value, place, secret=secret)
        if spec["type"] == "raw":
            return self._read_open(value, place) if secret else self._read_json(value, place)
        return self.read_text(value, place) if secret else self._read_plain(value, place)

    def _read_plain(self, value: Any, place: Place) -> str:
        """Return a string that is no secret, and that may have several lines."""
        return self.read_line(value, place) if not isinstance(value, str) else value

    def _read_mapping_value(self, spec: Mapping[str, Any], value: Any, place: Place, *, secret: bool) -> dict[str, Any]:
        options: Mapping[str, Any] = spec.get("options") or {}
        if not options:
            if not isinstance(value, Mapping):
                self.add_mistake(place, f"must be a mapping, got {describe_type(value)}")
                return {}
            return dict(self._read_open(value, place)) if secret else dict(self._read_json(value, place))
        given = self.read_mapping(value, place, tuple(options))
        found = dict[str, Any]()
        for name, item in given.items():
            if name not in options:
                continue
            is_named = secret and _is_secret(item)
            found[name] = (
                Placeholder(item[SECRET])
                if is_named
                else self._read_typed(options[name], item, (*place, name), secret=secret)
            )
        for together in spec.get("required_together", ()):
            missing = [name for name in together if name not in found]
            if 0 < len(missing) < len(together):
                self.add_mistake(place, f"needs {' and '.join(together)} together, but lacks {' and '.join(missing)}")
        return found

    def _read_json(self, value: Any, place: Place) -> Any:
        self.check_json(value, place)
        return value

    def _read_open(self, value: Any, place: Place) -> Any:
        """Return a value of JSON in which mappings such as ``{secret: NAME}`` stand for secrets."""
        if _is_secret(value):
            return Placeholder(value[SECRET])
        if isinstance(value, Mapping):
            return {
                self.read_text(name, (*place, str(name))): self._read_open(item, (*place, str(name)))
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._read_open(item, (*place, index)) for index, item in enumerate(value)]
        return self._read_json(value, place)


def _is_secret(value: Any) -> bool:
    """Return whether a value is a mapping that stands for a secret."""
    is_name = isinstance(value, Mapping) and list(value) == [SECRET] and isinstance(value[SECRET], str)
    return is_name and SECRET_NAME.match(value[SECRET]) is not None
