# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the data types that describe a kind of resource. Private to this collection.

A resource belongs to a product; an example is a webhook. Each kind of resource has a file in ``kinds/``. The file
defines the name of the kind, its settings and its requests. All other code, such as the comparison of settings and the
handling of lost responses, is the same for all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

Row = Mapping[str, Any]
"""One resource, with the keys and values that the cloud uses."""

Body = Mapping[str, Any]
"""The body of a request that creates or changes a resource. The body may hold secrets."""


def keep_value(value: Any) -> Any:
    """Return the value unchanged. This function is the default of ``Field.normalise`` and ``Field.show``."""
    return value


@dataclass(frozen=True)
class Field:
    """One setting of a resource.

    :param name: the option of the module, and the key in the definition of a product.
    :param cloud: the key in the requests and responses of the cloud.
    :param spec: the argument spec of the option. The spec has no default, because a setting that is not declared is not
        changed. If the spec contains ``no_log``, the values of the option are masked in all output.
    :param default: the value that the cloud uses if a request does not contain the setting.
    :param secret: whether the values may hold secrets. If true, the values are masked, except variables in braces.
    :param required: whether the cloud refuses to create a resource without the setting.
    :param normalise: function that converts all spellings of a value to one form. The converted values are compared.
    :param show: function that converts a normalised value to a form that may be shown. The function is not used for
        secret settings.
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
    :param list_rows: function that reads all resources of a product. The rows may lack some fields.
    :param read_row: function that reads all fields of one resource, given its row from the list; ``None`` if the list
        contains all fields.
    :param create_row: function that creates a resource. Before the function is called again for the same resource, the
        list is read again.
    :param update_row: function that changes one resource, given its row from the list.
    :param delete_row: function that removes one resource, given its row from the list.
    :param replaces: whether an update replaces the whole resource. If true, the request contains all fields.
    :param constants: the keys and values that every request body of the kind contains.
    :param read_only: keys of a row that are never sent to the cloud.
    :param exclusive: names of fields that cannot be combined in one resource.
    :param check: function that returns sentences about the mistakes in a declaration.
    :param refuse_removal: function that raises an error if a resource is in use, given its row from the list.
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
    check: Callable[[Declared], Sequence[str]] = lambda declared: ()
    refuse_removal: Callable[[Target, Row], None] | None = None
    id_key: str = "id"

    def build_option_specs(self) -> dict[str, dict[str, Any]]:
        """Return the argument spec of the module's options for the settings of one resource."""
        specs = {each.name: dict(each.spec) for each in self.fields}
        return {self.key.name: {**self.key.spec, "required": True}, **specs}


@dataclass(frozen=True)
class Declared:
    """The declaration of one resource.

    :param key: the value of the field ``Kind.key``.
    :param values: the declared settings, keyed by field name.
    :param absent: whether the resource must be removed.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    absent: bool = False

    @classmethod
    def from_options(cls, kind: Kind, options: Mapping[str, Any]) -> Declared:
        """Convert the options of a module to the declaration of one resource."""
        values = {each.name: options[each.name] for each in kind.fields if options[each.name] is not None}
        for each in kind.fields:
            if each.name in values and "options" in each.spec:  # Ansible sets missing suboptions to None
                given = values[each.name].items()
                values[each.name] = {name: value for name, value in given if value is not None}
        return cls(options[kind.key.name], values, options["state"] == "absent")
