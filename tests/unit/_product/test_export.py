# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An export declares exactly what is in use."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.export import Export
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
