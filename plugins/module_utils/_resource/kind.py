# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe a kind of resource of a product as data. Private to this collection.

A kind is a file in ``kinds/`` that defines the name of a resource, its settings and its requests. Everything else, from
the comparison to the handling of lost responses, is the same for all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

Row = Mapping[str, Any]
"""One resource as the cloud describes it."""

Body = Mapping[str, Any]
"""The body of a request that creates or changes a resource. It may hold secrets."""


def keep_value(value: Any) -> Any:
    """Return the value as it is, for fields that have one spelling."""
    return value


@dataclass(frozen=True)
class Field:
    """One setting of a resource.

    :param name: the option of the module, and the key in a definition.
    :param cloud: the key in the bodies of the cloud.
    :param spec: the argument spec of the option. It has no default, because a setting without a value is not changed.
        The values of an option with ``no_log`` are masked wherever they occur.
    :param default: the value that the cloud assumes for a body without the setting.
    :param secret: whether values may hold secrets: only their names and variables in braces are shown.
    :param required: whether the cloud refuses to create a resource without it.
    :param normalise: converts all spellings of a value to one form, which is compared.
    :param show: converts the normalised value of a field that is not secret to a form that may be shown.
    """

    name: str
    cloud: str
    spec: Mapping[str, Any]
    default: Any = None
    secret: bool = False
    required: bool = False
    normalise: Callable[[Any], Any] = keep_value
    show: Callable[[Any], Any] = keep_value


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    :param name: the key of the kind in the definition of a product.
    :param module: the module that manages one resource of the kind.
    :param noun: the word for one resource in messages.
    :param key: the field that identifies a resource in its product.
    :param fields: all other fields that can be declared.
    :param list_rows: reads all resources of a product; rows may lack some fields.
    :param read_row: reads one resource of the list with all its fields; ``None`` if the list has them.
    :param create_row: creates a resource. It is never retried without reading the list again.
    :param update_row: changes the resource of a row.
    :param delete_row: removes the resource of a row.
    :param replaces: whether an update replaces the whole resource, so that all fields must be sent again.
    :param constants: the keys and values that every body of the kind contains.
    :param read_only: keys of a row that are never sent back.
    :param exclusive: names of fields that cannot be combined in one resource.
    :param id_key: the key of a row that holds the id of the resource.
    """

    name: str
    module: str
    noun: str
    key: Field
    fields: tuple[Field, ...]
    list_rows: Callable[[Target], Sequence[Row]]
    create_row: Callable[[Target, Body], None]
    update_row: Callable[[Target, Row, Body], None]
    delete_row: Callable[[Target, Row], None]
    read_row: Callable[[Target, Row], Row] | None = None
    replaces: bool = False
    constants: Body = field(default_factory=dict)
    read_only: frozenset[str] = frozenset()
    exclusive: tuple[str, ...] = ()
    id_key: str = "id"

    def build_option_specs(self) -> dict[str, dict[str, Any]]:
        """Return the argument spec of the module for the settings of one resource."""
        specs = {each.name: dict(each.spec) for each in self.fields}
        return {self.key.name: {**self.key.spec, "required": True}, **specs}


@dataclass(frozen=True)
class Declared:
    """The declaration of one resource.

    :param key: the value of the kind's key.
    :param values: the declared settings by the names of their fields, without undeclared ones.
    :param absent: whether the resource is to be removed.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    absent: bool = False

    @classmethod
    def from_options(cls, kind: Kind, options: Mapping[str, Any]) -> Declared:
        """Return the resource that the options of a module declare."""
        values = {each.name: options[each.name] for each in kind.fields if options[each.name] is not None}
        for each in kind.fields:
            if each.name in values and "options" in each.spec:  # Ansible sets suboptions that are not given to None
                given = values[each.name].items()
                values[each.name] = {name: value for name, value in given if value is not None}
        return cls(options[kind.key.name], values, options["state"] == "absent")
