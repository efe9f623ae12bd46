# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The common parts of the JSON Schemas of files that users write, for `make schemas`.

The schemas are of draft 2020-12. Editors use them through yaml-language-server, which reads only the keywords of draft
7. Therefore a schema contains only keywords that both drafts define, and `$defs`, which is only a place for `$ref`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from antsibull_docs_parser import dom
from antsibull_docs_parser.parser import Context, parse

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FOLDER_URL = "https://raw.githubusercontent.com/meshfleet/particle/main/docs"
MODULES = "ansible_collections.meshfleet.particle.plugins.modules"

Schema = dict[str, Any]

ANY: Schema = {"type": ["array", "boolean", "number", "object", "string"]}
"""Any value of JSON, except null."""

TYPES: Mapping[str, Schema] = {
    "bool": {"type": "boolean"},
    "dict": {"type": "object"},
    "int": {"type": "integer"},
    "path": {"type": "string"},
    "raw": ANY,
    "str": {"type": "string"},
}
"""The schema of each type of an option, except lists."""


def read_options(module: str) -> dict[str, Any]:
    """Return the documented options of a module."""
    documentation = importlib.import_module(f"{MODULES}.{module}").DOCUMENTATION
    options: dict[str, Any] = yaml.safe_load(documentation)["options"]
    return options


def describe(option: Mapping[str, Any]) -> Schema:
    """Return the description of a documented option as a part of a schema, with one line for each sentence group."""
    given = option["description"]
    return {"description": "\n".join(map(remove_markup, [given] if isinstance(given, str) else given))}


def remove_markup(text: str) -> str:
    """Return a text of a documentation without the markup of Ansible, such as `V(...)`."""
    paragraphs = parse(text, Context(), errors="exception")
    return "\n".join("".join(map(_read_part, paragraph)) for paragraph in paragraphs)


def _read_part(part: dom.AnyPart) -> str:
    match part:
        case dom.OptionNamePart() | dom.ReturnValuePart():
            name = part.name if part.value is None else f"{part.name}={part.value}"
            return name if part.plugin is None else f"{name} of {part.plugin.fqcn}"
        case dom.OptionValuePart():
            return part.value
        case dom.ModulePart():
            return part.fqcn
        case dom.PluginPart():
            return part.plugin.fqcn
        case dom.LinkPart():
            return f"{part.text} ({part.url})"
        case dom.TextPart() | dom.CodePart() | dom.ItalicPart() | dom.BoldPart():
            return part.text
    raise ValueError(f"{part} is markup that no description of a schema has had so far; add it here")


def translate_form(form: re.Pattern[str], *, loose: bool = False) -> str:
    """Return a pattern of Python, which matches at the beginning of a text, as a pattern of JavaScript.

    :param loose: whether letters of the other case, and spaces around the text, are also valid.
    """
    text = form.pattern.removesuffix(r"\Z")
    if loose:
        text = re.sub(r"a-(\w)", lambda found: f"{found[0]}A-{found[1].upper()}", text.lower())
        text = rf"\s*{text}\s*"
    return f"^{text}$"


def build_value(spec: Mapping[str, Any]) -> Schema:
    """Return the schema of an option with a simple type, given its argument spec or its documentation."""
    one: Schema = {"enum": list(spec["choices"])} if "choices" in spec else {}
    if spec["type"] != "list":
        return one or dict(TYPES[spec["type"]])
    return {"type": "array", "items": one or dict(TYPES[spec.get("elements", "str")])}


def build_object(properties: Mapping[str, Schema], **more: Any) -> Schema:
    """Return the schema of a mapping that has no other keys than `properties`."""
    return {"type": "object", "additionalProperties": False, "properties": dict(properties), **more}


def forbid(keys: Iterable[str]) -> Schema:
    """Return a schema that no mapping with one of the keys matches."""
    return {"properties": dict.fromkeys(keys, False)}


def build_schema(name: str, title: str, description: str, definitions: Mapping[str, Schema], top: Schema) -> Schema:
    """Return the schema of a file.

    :param name: the name of the file of the schema.
    :param definitions: the schemas to which `$ref` refers, keyed by name.
    :param top: the schema of the whole content.
    """
    head = {"$schema": DRAFT, "$id": f"{FOLDER_URL}/{name}", "title": title, "description": description}
    return {**head, **top, "$defs": dict(definitions)}
