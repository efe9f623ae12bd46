# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export the resources of a product as a definition. Private to this collection.

The definition leaves out default values, ids, times and counters. In place of each secret, it has the name of the
secret. Exports of the same product are equal, because everything is sorted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import SECRET
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Row, Staged
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.comparison import is_empty, pair_leaves
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import hide_secrets
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import has_field

_NO_NAME_CHARACTER = re.compile(r"[^A-Z0-9]+")


class Export:
    """A definition that is built kind by kind.

    :ivar definition: the definition, as data.
    :ivar secrets: the names of the secrets in the definition, each with its place, such as
        ``integrations.readings.headers.authorization``.
    """

    def __init__(self) -> None:
        self.definition: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}

    def add(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Add all resources of a kind, except reserved ones and those without a key.

        :param rows: the resources, with all their fields.
        """
        found = [(kind.get_key(row), row) for row in _drop_edits(rows) if not kind.is_reserved(row)]
        kept = {key: row for key, row in found if key is not None}
        self.definition[kind.name] = {key: self._export_row(kind, key, kept[key]) for key in sorted(kept)}

    def _export_row(self, kind: Kind, key: str, row: Row) -> Any:
        entry = dict[str, Any]()
        for each in kind.compared:
            if not has_field(kind, each, row):
                continue
            value = (
                self._name_secret(kind, key, each.name) if each.write_only else self._export_field(kind, key, each, row)
            )
            if not is_empty(value) and value != each.default:
                entry[each.name] = value
        return entry.get(kind.short, "") if kind.short is not None and entry.keys() <= {kind.short} else entry

    def _export_field(self, kind: Kind, key: str, each: Field, row: Row) -> Any:
        value = hide_secrets(each, row.get(each.cloud), lambda path: self._name_secret(kind, key, path))
        return _to_plain(value)

    def _name_secret(self, kind: Kind, key: str, path: str) -> dict[str, str]:
        """Return the mapping that stands for a secret. Each secret gets a name of its own."""
        is_whole = kind.short == path
        words = [key] if is_whole else [key, *path.split(".")]
        base = "_".join(part for word in words if (part := _NO_NAME_CHARACTER.sub("_", word.upper()).strip("_")))
        name = base if base[:1].isalpha() else f"SECRET_{base}"
        place, number = f"{kind.name}.{key}.{path}", 2
        unique = name
        while self.secrets.get(unique, place) != place:
            unique, number = f"{name}_{number}", number + 1
        self.secrets[unique] = place
        return {SECRET: unique}


def _drop_edits(rows: Sequence[Row]) -> list[Row]:
    """Return the resources as they were rolled out. A resource that was never rolled out is left out."""
    used = [row for row in rows if not any(isinstance(v, Staged) and v.rolled_out is None for v in row.values())]
    return [{name: v.rolled_out if isinstance(v, Staged) else v for name, v in row.items()} for row in used]


def _to_plain(value: Any) -> Any:
    """Return a value with lists in place of other sequences and sets, so that it can be written as YAML."""
    if isinstance(value, Mapping):
        return {str(name): _to_plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_plain(item) for item in value]
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def list_masked_places(definition: Mapping[str, Any], secrets: Collection[str]) -> list[str]:
    """Return the places of the values in a definition that contain secrets, such as ``environment.TOPIC``.

    :param secrets: the strings that are masked in all output.
    """
    leaves = [leaf for name, section in definition.items() for leaf in pair_leaves(section, {}, name)]
    texts = {
        place: json.dumps(leaf, ensure_ascii=False)
        for place, leaf, _unused in leaves
        if not place.endswith(f".{SECRET}")
    }
    return [place for place, text in texts.items() if any(secret in text for secret in secrets)]


def describe_unknown(kinds: Collection[str], secrets: Collection[str]) -> list[str]:
    """Return sentences about the resources and values that a definition cannot contain.

    :param kinds: the names of the exported kinds.
    :param secrets: the names of the secrets in the definition.
    """
    sentences = []
    if secrets:
        sentences.append(
            "The values of secrets are not exported. A definition names them, and the option secrets fills them in."
        )
    reasons = {
        "api_users": "The tokens of API users are not exported. Each API user that is created has a token of its own.",
        "environment": "Edits of environment variables that are not rolled out are not exported.",
        "firmware": "Firmware files are not exported. Add the key file to each version that another product must get.",
        "integrations": "Logs and counters of integrations are not exported.",
    }
    return [*sentences, *(reasons[name] for name in kinds if name in reasons)]
