# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An export declares exactly what is in use."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.export import Export, list_masked_places
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared, Staged
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS


def test_environment_is_exported_as_it_was_rolled_out() -> None:
    values = {
        "PLAIN": "1",
        "EMPTY": "",
        "EDITED": Staged("2", "3"),
        "REMOVED": Staged(None, "4"),
        "NEW": Staged("5", None),
    }
    export = Export()
    export.add(KINDS["environment"], [{"name": name, "value": value} for name, value in values.items()])
    rolled_out = {"EDITED": "3", "EMPTY": "", "PLAIN": "1", "REMOVED": "4"}
    assert export.definition == {"environment": rolled_out}
    read = read_definition(export.definition, KINDS)
    assert read.resources["environment"] == tuple(Declared(name, {"value": v}) for name, v in rolled_out.items())


def test_short_secrets_are_recognised_by_the_names_of_their_parts() -> None:
    row = {
        "id": "1",
        "name": "readings",
        "event": "reading",
        "url": "https://hooks.example.net/in",
        "auth": {"username": "hook", "password": "abc"},
        "headers": {"X-Api-Key": "k3y", "X-Site": "barn"},
        "form": {"secret": "word", "unit": "degrees", "token": "{{{TOKEN}}}"},
    }
    export = Export()
    export.add(KINDS["integrations"], [row])
    readings = export.definition["integrations"]["readings"]
    assert readings["auth"] == {"username": "hook", "password": {"secret": "READINGS_AUTH_PASSWORD"}}
    assert readings["headers"] == {"x-api-key": {"secret": "READINGS_HEADERS_X_API_KEY"}, "x-site": "barn"}
    assert readings["form"] == {
        "secret": {"secret": "READINGS_FORM_SECRET"},
        "unit": "degrees",
        "token": "{{{TOKEN}}}",
    }


def test_values_that_the_output_would_mask_are_found() -> None:
    definition = {
        "environment": {"TOPIC": "barn-t0ken", "SITE": "barn"},
        "integrations": {"readings": {"json": {"secret": "BARN_T0KEN"}, "response_template": ["t0ken"]}},
    }
    found = list_masked_places(definition, ["t0ken", "BARN_T0KEN"])
    assert found == ["environment.TOPIC", "integrations.readings.response_template"]
