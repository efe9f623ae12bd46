# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check that a document is a JSON Schema (endpoints.yml: config_schema_set).

The simulator needs no library for this. It checks the types of the most common keywords and of all nested schemas. It
does not resolve references, does not check regular expressions, and does not compare configurations with a schema. The
form of a violation is documented. The words in it are inferred from the validator that uses the documented keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TYPE_WORDS = ("array", "boolean", "integer", "null", "number", "object", "string")
"""The values that the keyword `type` can have."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
    "object,boolean": (dict, bool),
}
_KEYWORDS = {
    "string": "$id $ref $schema title description pattern format",
    "number": "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf",
    "integer": "minLength maxLength minItems maxItems minProperties maxProperties",
    "boolean": "uniqueItems readOnly",
    "array": "enum required allOf anyOf oneOf",
    "object": "properties patternProperties definitions",
}
_TYPE_OF_KEYWORD = {keyword: word for word, keywords in _KEYWORDS.items() for keyword in keywords.split()}
_MAPS_OF_SCHEMAS = ("properties", "patternProperties", "definitions")
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf")
_SCHEMAS = ("additionalProperties", "not", "contains", "if", "then", "else")

Violation = dict[str, Any]


def find_violations(document: Any) -> list[Violation]:
    """Return the violations in a document. A valid JSON Schema has none. The document itself must be an object."""
    if not isinstance(document, dict):
        return [_build_type_violation("", "#/type", "object")]
    return list(_check_schema(document, ""))


def _build_violation(keyword: str, path: str, schema_path: str, params: dict[str, Any], message: str) -> Violation:
    return {"keyword": keyword, "dataPath": path, "schemaPath": schema_path, "params": params, "message": message}


def _build_type_violation(path: str, schema_path: str, word: str) -> Violation:
    return _build_violation("type", path, schema_path, {"type": word}, f"should be {word}")


def _has_type(value: Any, word: str) -> bool:
    if isinstance(value, bool):
        return bool in _PYTHON_TYPES[word]
    return isinstance(value, _PYTHON_TYPES[word])


def _check_schema(schema: Any, path: str) -> Iterator[Violation]:
    """Yield the violations in a schema. A nested schema can also be a boolean."""
    if not isinstance(schema, dict):
        if not isinstance(schema, bool):
            yield _build_type_violation(path, "#/type", "object,boolean")
        return
    if "type" in schema:
        yield from _check_type_words(schema["type"], f"{path}.type")
    for keyword, value in schema.items():
        word = _TYPE_OF_KEYWORD.get(keyword)
        if word is not None and not _has_type(value, word):
            yield _build_type_violation(f"{path}.{keyword}", f"#/properties/{keyword}/type", word)
        else:
            yield from _check_nested_schemas(keyword, value, f"{path}.{keyword}")


def _check_type_words(value: Any, path: str) -> Iterator[Violation]:
    words = value if isinstance(value, list) and value else [value]
    if any(word not in TYPE_WORDS for word in words):
        yield _build_violation(
            "enum",
            path,
            "#/definitions/simpleTypes/enum",
            {"allowedValues": list(TYPE_WORDS)},
            "should be equal to one of the allowed values",
        )


def _check_nested_schemas(keyword: str, value: Any, path: str) -> Iterator[Violation]:
    """Yield the violations in the schemas that are the value of a keyword, or part of this value."""
    if keyword in _MAPS_OF_SCHEMAS:
        for name, schema in value.items():
            yield from _check_schema(schema, f"{path}[{name!r}]")
    elif keyword in _LISTS_OF_SCHEMAS or (keyword == "items" and isinstance(value, list)):
        for index, schema in enumerate(value):
            yield from _check_schema(schema, f"{path}[{index}]")
    elif keyword in _SCHEMAS or keyword == "items":
        yield from _check_schema(value, path)
    elif keyword == "required":
        for index, name in enumerate(value):
            if not isinstance(name, str):
                yield _build_type_violation(f"{path}[{index}]", "#/definitions/stringArray/items/type", "string")
