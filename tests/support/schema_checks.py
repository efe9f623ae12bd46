# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check files that users write against the JSON Schemas in docs/, as an editor does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest

from support.paths import ROOT

DEFINITION = "product_definition.schema.json"
MANIFEST = "manifest.schema.json"

MAX_DEVICES = 50
"""Tests that read longer manifests do so for their length, and not for their form."""


def load_validator(name: str) -> jsonschema.Draft202012Validator:
    """Return a validator for a schema in docs/."""
    return jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / name).read_text(encoding="utf-8")))


def find_faults(validator: jsonschema.Draft202012Validator, data: Any) -> list[str]:
    """Return what an editor would mark in a file with this content, one sentence each."""
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(to_json(data))]


def to_json(data: Any) -> Any:
    """Return data of a YAML file as JSON, in which every key is a string."""
    return json.loads(json.dumps(data, ensure_ascii=True))


@contextmanager
def comparing(reader: type[Any], schema: str) -> Iterator[None]:
    """Check all data that `reader.read` finds valid against a schema.

    :param reader: the class that reads a manifest or a definition, and collects mistakes in `found`.
    """
    validator = load_validator(schema)
    read = reader.read

    def read_and_compare(self: Any, data: Any, *arguments: Any) -> Any:
        result = read(self, data, *arguments)
        if not self.found and not _is_long(data):
            assert find_faults(validator, data) == [], f"the reader accepts these data: {data}"
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "read", read_and_compare)
        yield


def _is_long(data: Any) -> bool:
    return isinstance(data, Mapping) and len(data.get("devices") or ()) > MAX_DEVICES
