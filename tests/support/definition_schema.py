# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the JSON Schema of the definition of a product from the kinds that the collection declares.

The schema has the same rules as `_product/definition.py`. Of the rules in the function `check` of a kind, it has only
the forms of names and values that are listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledger_names import LEDGER_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import GROUP_NAME, ICCID
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import (
    RESERVED_NAMES,
    VARIABLE_NAME,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RESERVED_GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import (
    ABSENT,
    PRESENT,
    SECRET,
    SECRET_NAME,
    STATE,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.secrets import CLOUD_SECRET_NAME
from support.schema_parts import (
    Schema,
    build_object,
    build_schema,
    build_value,
    describe,
    forbid,
    read_options,
    translate_form,
)

NAME = "product_definition.schema.json"

GROUP_OF_RESOURCES: Mapping[str, str] = {"product_environment": "variables"}
"""The option that declares several resources together, keyed by module. Such a module has no option for a field."""

KEY_FORMS: Mapping[str, str] = {
    "environment": f"^(?!{RESERVED_NAMES}){translate_form(VARIABLE_NAME)[1:]}",
    "groups": f"^(?!{RESERVED_GROUPS}){translate_form(GROUP_NAME)[1:]}",
    "ledgers": translate_form(LEDGER_NAME),
    "secrets": translate_form(CLOUD_SECRET_NAME),
    "sims": translate_form(ICCID),
}
"""The form of the names of resources, keyed by kind. A kind that is not listed has no form."""

VALUE_FORMS: Mapping[tuple[str, str], Schema] = {
    ("environment", "value"): {"type": ["boolean", "number", "string"]},
    ("secrets", "value"): {"type": "string"},
}
"""The types of fields whose values Ansible must not convert, keyed by kind and field. Their argument spec has no type.
"""

REFERENCE_TO_SECRET: Schema = {"$ref": f"#/$defs/{SECRET}"}
EMPTY = ["", [], {}]
"""The values that count as not declared if settings cannot be combined."""


def build_definition_schema(kinds: Mapping[str, Kind]) -> Schema:
    """Return the schema of a definition that may contain these kinds.

    :param kinds: the kinds, keyed by name.
    """
    secret = build_object(
        {SECRET: {"type": "string", "pattern": translate_form(SECRET_NAME)}},
        required=[SECRET],
        description="A secret, by its name. The option secrets of module product contains its value.",
    )
    entries = {name: _build_entry(kind) for name, kind in kinds.items()}
    sections = {name: _build_section(kind) for name, kind in kinds.items()}
    return build_schema(
        NAME,
        "Definition of a product",
        "The file that the option definition of module meshfleet.particle.product names. It declares what a product "
        "owns. A setting that is missing remains unchanged.",
        {SECRET: secret, **entries},
        build_object(sections, type=["object", "null"]),
    )


def _build_section(kind: Kind) -> Schema:
    """Return the schema of the mapping from the names of the resources to their settings."""
    form = KEY_FORMS.get(kind.name, "^[0-9]+$" if kind.key.spec["type"] == "int" else None)
    section: Schema = {
        "description": f"Each key is the {kind.key.name} of one {kind.noun}, and its value contains the settings. See "
        f"module meshfleet.particle.{kind.module}.",
        "type": ["object", "null"],
        "additionalProperties": {"$ref": f"#/$defs/{kind.name}"},
    }
    return {**section, **({} if form is None else {"propertyNames": {"pattern": form}})}


def _build_entry(kind: Kind) -> Schema:
    """Return the schema of the declaration of one resource."""
    options = _find_options(kind)
    fields = {each.name: _build_field(kind, each, options[each.name]) for each in kind.fields}
    if STATE not in fields:
        fields[STATE] = {**describe(options[STATE]), "enum": [PRESENT, ABSENT]}
    conditions = (*_forbid_combinations(kind), *_forbid_foreign_settings(kind))
    settings = build_object(fields, type=["object", "null"], **_join_conditions(conditions))
    described = describe(options[kind.key.name])
    if kind.short is None:
        return {**described, **settings}
    return {**described, "anyOf": [*_build_short_forms(fields[kind.short]), settings]}


def _find_options(kind: Kind) -> Mapping[str, Any]:
    """Return the documentation of the key, the fields and the state of a resource."""
    options = read_options(kind.module)
    together = GROUP_OF_RESOURCES.get(kind.module)
    if together is None:
        return options
    state = {"description": f"Whether the {kind.noun} should exist."}
    return {**{each.name: options[together] for each in (kind.key, *kind.fields)}, STATE: state}


def _build_short_forms(value: Schema) -> Iterator[Schema]:
    """Yield the schemas of the values that may stand alone. A mapping counts as the settings, unless it is a secret."""
    for form in value.get("anyOf", [value]):
        plain = {key: item for key, item in form.items() if key != "description"}
        if isinstance(plain.get("type"), list):
            plain["type"] = [name for name in plain["type"] if name != "object"]
        if plain.get("type") != "object":
            yield plain


def _forbid_combinations(kind: Kind) -> Iterator[Schema]:
    """Yield a condition for each pair of settings that cannot be combined. An editor then marks one of them."""
    for one, other in combinations(kind.exclusive, 2):
        is_given = {"type": "object", "required": [one], "properties": {one: {"not": {"enum": EMPTY}}}}
        yield {"if": is_given, "then": {"properties": {other: {"enum": EMPTY}}}}


def _forbid_foreign_settings(kind: Kind) -> Iterator[Schema]:
    """Yield a condition for each variant of a kind. It forbids the settings that the variant does not have."""
    if kind.variant is None:
        return
    name = kind.variant.name
    for variant in kind.variant.spec["choices"]:
        is_variant = {"type": "object", "required": [name], "properties": {name: {"const": variant}}}
        foreign = [each.name for each in kind.fields if each.only and variant not in each.only]
        yield {"if": is_variant, "then": forbid(foreign)}


def _build_field(kind: Kind, each: Field, option: Mapping[str, Any]) -> Schema:
    """Return the schema of the value of a field, given the documentation of the option."""
    value = VALUE_FORMS.get((kind.name, each.name)) or _build_typed(each.spec, option, secret=each.may_hold_secret)
    unwanted: list[Schema] = [{"enum": EMPTY}] if each.required is True else []
    is_open = "object" in value.get("type", ()) and "properties" not in value
    if is_open and not each.may_hold_secret:
        unwanted.append(REFERENCE_TO_SECRET)
    if unwanted:
        value = {**value, "not": unwanted[0] if len(unwanted) == 1 else {"anyOf": unwanted}}
    return _describe_value(value, option, secret=each.may_hold_secret)


def _describe_value(value: Schema, option: Mapping[str, Any], *, secret: bool) -> Schema:
    """Return the schema with the description of an option. If `secret` is true, a secret is accepted, too."""
    return {**describe(option), **({"anyOf": [REFERENCE_TO_SECRET, value]} if secret else value)}


def _build_typed(spec: Mapping[str, Any], option: Mapping[str, Any], *, secret: bool) -> Schema:
    """Return the schema of a value of the type in an argument spec, without description.

    :param secret: whether parts of the value may be secrets.
    """
    parts: Mapping[str, Any] = spec.get("options") or {}
    if not parts:
        return build_value(spec)
    suboptions = {name: option["suboptions"][name] for name in parts}
    return build_object(
        {
            name: _describe_value(_build_typed(part, suboptions[name], secret=secret), suboptions[name], secret=secret)
            for name, part in parts.items()
        },
        **_join_conditions(_require_together(spec)),
    )


def _require_together(spec: Mapping[str, Any]) -> Iterator[Schema]:
    """Yield a condition for each part that needs the other parts."""
    for together in spec.get("required_together", ()):
        for name in together:
            yield {"if": {"required": [name]}, "then": {"required": [other for other in together if other != name]}}


def _join_conditions(conditions: Iterable[Schema]) -> Schema:
    found = list(conditions)
    return {"allOf": found} if found else {}
