# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the data types that describe a kind of resource. Private to this collection.

A resource belongs to a product, or to the owner of a product. An example is a webhook. Each kind of resource has a file
in ``kinds/``. The file defines the name of the kind, its settings and its requests. All other code, such as the
comparison of settings and the handling of lost responses, is the same for all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Body, Change, Declared, Row

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

Once = Mapping[str, str]
"""Secrets that only the response to a write shows, such as the token of a new API user, keyed by return value."""


def refuse_single_write(target: Target, change: Change) -> None:
    """Refuse to write one resource of a kind whose resources are written together.

    :raises ParticleError: always.
    """
    raise ParticleError("internal", f"{change.key} was to be written alone, but its kind is written together.")


def keep_value(value: Any) -> Any:
    """Return the value unchanged. This function is the default of the functions of a :class:`Field`."""
    return value


def match_equal_key(shown: str, declared: Collection[str]) -> str | None:
    """Return a key that the cloud shows if it is declared. This function is the default of ``Kind.match_key``."""
    return shown if shown in declared else None


@dataclass(frozen=True)
class Field:
    """One setting of a resource.

    :param name: the option of the module, and the key in the definition of a product.
    :param cloud: the key in the requests and responses of the cloud.
    :param spec: the argument spec of the option. The spec has no default, because a setting that is not declared is not
        changed. If the spec contains ``no_log``, the values of the option are masked in all output.
    :param default: the value that the cloud uses if a request does not contain the setting.
    :param secret: whether the values may hold secrets. If true, the values are masked, except variables in braces.
    :param open_parts: the names of parts of a secret mapping that are never secret, in lower case.
    :param write_only: whether the cloud never returns the values, so that they cannot be compared.
    :param fixed: whether the cloud can set the value only when it creates the resource.
    :param merges: whether the value is a mapping of which a declaration may set a part. The rest remains unchanged.
    :param local: whether the value is a setting of this collection. It is neither compared nor sent, and the functions
        of the kind read it from ``Change.declared``.
    :param required: whether the cloud refuses to create a resource without the setting; a function of the declared
        values if that depends on other settings.
    :param only: the variants of the kind that have the setting, see ``Kind.variant``; empty if all variants have it.
    :param normalize: function that converts all spellings of a value to one form. The converted values are compared.
    :param encode: function that converts a declared value to the form that is sent to the cloud.
    :param show: function that converts a normalized value to a form that may be shown. The function is not used for
        secret settings.
    """

    name: str
    cloud: str
    spec: Mapping[str, Any]
    default: Any = None
    secret: bool = False
    open_parts: frozenset[str] = frozenset()
    write_only: bool = False
    fixed: bool = False
    merges: bool = False
    local: bool = False
    required: bool | Callable[[Mapping[str, Any]], bool] = False
    only: tuple[str, ...] = ()
    normalize: Callable[[Any], Any] = keep_value
    encode: Callable[[Any], Any] = keep_value
    show: Callable[[Any], Any] = keep_value

    @property
    def may_hold_secret(self) -> bool:
        """Whether a value, or a part of a value, may be a secret. An example of a part is the login in a URL."""
        return self.secret or self.show is not keep_value

    def is_required(self, values: Mapping[str, Any]) -> bool:
        """Return whether the cloud refuses to create a resource with these declared values without this setting."""
        return self.required(values) if callable(self.required) else self.required


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
    :param update_row: function that changes one resource.
    :param delete_row: function that removes one resource.
    :param write_rows: function that carries out changes of several resources together, in place of the three functions
        above, and returns the keys of the resources that needed a write; ``None`` if each resource is written by its
        own requests.
    :param publish: function that makes the changes of ``write_rows`` take effect; ``None`` if they take effect at once.
    :param find_batch: function that returns the batch of a change: ``write_rows`` carries out all changes of a batch
        together. ``None`` for a change that is written by its own request.
    :param replaces: whether an update replaces the whole resource. If true, the request contains all fields.
    :param constants: the keys and values of a request body that are neither declared nor observed.
    :param variant: the field that divides the kind into variants with different settings. It is one of ``fields``.
    :param read_only: keys of a row that are never sent to the cloud.
    :param exclusive: names of fields that cannot be combined in one resource.
    :param short: the name of the field that a definition may give alone, in place of a mapping with all fields.
    :param match_key: function that returns which of the declared keys means the same as a key that the cloud shows;
        ``None`` if none of them does.
    :param check: function that returns sentences about the mistakes in a declaration.
    :param complete: function that adds to a valid declaration the values that follow from its local fields.
    :param observe: function that adds keys to an observed resource that depend on its declaration, such as whether a
        local file contains its token; ``None`` if there are no such keys.
    :param revise: function that completes the planned change of a resource, given the change and whether the resource
        was just written. The function sends no requests.
    :param refuse_creation: function that raises an error if a resource cannot be created, although the list does not
        show it.
    :param refuse_existing: function that raises an error if an existing resource cannot be the declared one.
    :param refuse_removal: function that raises an error if a resource is in use.
    :param removal_confirmation: the word with which users must confirm every removal; empty if they need not.
    :param describe_costs: function that returns sentences about the costs of planned changes, for check mode; empty if
        there are none.
    :param absent_state: the value of ``state`` with which users remove a resource.
    :param refuse_changes: function that raises an error if changes cannot be carried out together, given all resources
        of the product that the list shows. It is called only if something changes.
    :param find_pending: function that returns why a written resource may show its new state only later; ``None`` if it
        should show its new state at once.
    :param is_reserved: function that returns whether a resource belongs to another part of this collection, or is of an
        unknown variant, given its row from the list. Such a resource is neither exported nor pruned, and a declaration
        of it is refused.
    :param after: the names of kinds whose resources must exist before resources of this kind.
    :param not_prunable: the reason why resources of the kind are never pruned; empty if they can be pruned.
    :param only_if_asked: whether an export contains the kind only if it is named.
    :param secret_file: the name of the local field that holds the path of a file for secrets that only the responses to
        writes show; empty if there are no such secrets. Without the file, a write returns the secrets.
    :param id_key: the key of a row that holds the id of the resource.
    :param shown: keys of a row that the result of the module contains besides the fields.
    """

    name: str
    module: str
    noun: str
    key: Field
    fields: tuple[Field, ...]
    list_rows: Callable[[Target], Sequence[Row]]
    create_row: Callable[[Target, Change], Once | None] = refuse_single_write
    update_row: Callable[[Target, Change], Once | None] = refuse_single_write
    delete_row: Callable[[Target, Change], None] = refuse_single_write
    write_rows: Callable[[Target, Sequence[Change]], Collection[str]] | None = None
    publish: Callable[[Target], None] | None = None
    find_batch: Callable[[Change], Hashable | None] = lambda change: ""
    read_row: Callable[[Target, Row], Row] | None = None
    replaces: bool = False
    constants: Body = field(default_factory=dict)
    variant: Field | None = None
    read_only: frozenset[str] = frozenset()
    exclusive: tuple[str, ...] = ()
    short: str | None = None
    match_key: Callable[[str, Collection[str]], str | None] = match_equal_key
    check: Callable[[Declared], Sequence[str]] = lambda declared: ()
    complete: Callable[[Declared], Declared] = lambda declared: declared
    observe: Callable[[Target, Declared, Row], Row] | None = None
    revise: Callable[[Change, bool], Change] = lambda change, just_written: change
    refuse_creation: Callable[[Target, Change], None] | None = None
    refuse_existing: Callable[[Target, Change], None] | None = None
    refuse_removal: Callable[[Target, Row], None] | None = None
    removal_confirmation: str = ""
    describe_costs: Callable[[Sequence[Change]], str] = lambda changes: ""
    absent_state: str = "absent"
    refuse_changes: Callable[[Sequence[Change], Sequence[Row]], None] | None = None
    find_pending: Callable[[Change], str | None] = lambda change: None
    is_reserved: Callable[[Row], bool] = lambda row: False
    after: tuple[str, ...] = ()
    not_prunable: str = ""
    only_if_asked: bool = False
    secret_file: str = ""
    id_key: str = "id"
    shown: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[Field, ...]:
        """The fields whose values the cloud stores."""
        return tuple(each for each in self.fields if not each.local)

    @property
    def title(self) -> str:
        """The word for one resource at the beginning of a sentence."""
        return self.noun[:1].upper() + self.noun[1:]

    def get_key(self, row: Row) -> str | None:
        """Return the key of a resource, given its row, or ``None`` if the resource has no key."""
        key = row.get(self.key.cloud)
        return None if key is None else str(key)

    def build_option_specs(self) -> dict[str, dict[str, Any]]:
        """Return the argument spec of the module's options for the settings of one resource."""
        specs = {each.name: dict(each.spec) for each in self.fields}
        return {self.key.name: {**self.key.spec, "required": True}, **specs}

    def read_options(self, options: Mapping[str, Any]) -> Declared:
        """Convert the options of a module to the declaration of one resource."""
        values = {each.name: options[each.name] for each in self.fields if options[each.name] is not None}
        for each in self.fields:
            if each.name in values and "options" in each.spec:  # Ansible sets missing suboptions to None
                given = values[each.name].items()
                values[each.name] = {name: value for name, value in given if value is not None}
        return Declared(options[self.key.name], values, options["state"] == self.absent_state)
