# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the declaration that the options of module fleet consist of."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import MANIFEST_KEYS, read_manifest
from ansible_collections.meshfleet.particle.plugins.plugin_utils._declaration import (
    read_declaration,
    refuse_vague_removals,
)

ONE = "e00fce680000000000000001"


@pytest.mark.parametrize("networks", [["barn"], "barn", 7, []])
def test_networks_of_a_table_that_are_not_a_mapping_are_refused(networks: Any) -> None:
    manifest = {"product": "p", "networks": networks, "devices": "t.csv"}
    table = f"id,mesh.network,mesh.role\n{ONE},barn,gateway\n".encode()
    declared = read_declaration({**dict.fromkeys(MANIFEST_KEYS), "manifest": manifest}, lambda path: table)
    with pytest.raises(ParticleError, match="networks: must be a mapping") as refused:
        read_manifest(declared.data, declared.where)
    assert refused.value.code == "invalid_manifest"


@pytest.mark.parametrize(
    ("devices", "hosts", "words"),
    [([], [], "declares no devices"), ([{"id": ONE}], ["barn-1"], "hosts declare no device: barn-1")],
)
def test_removal_of_undeclared_devices_requires_a_declaration(
    devices: list[dict[str, str]], hosts: list[str], words: str
) -> None:
    manifest = {"product": "p", "devices": devices}
    with pytest.raises(ParticleError, match=words) as refused:
        refuse_vague_removals(read_manifest({**manifest, "undeclared": "remove"}), hosts)
    assert refused.value.code == "invalid_manifest"
    refuse_vague_removals(read_manifest({**manifest, "undeclared": "fail"}), hosts)


def test_removal_of_undeclared_devices_is_allowed_if_all_hosts_declare() -> None:
    refuse_vague_removals(read_manifest({"product": "p", "devices": [{"id": ONE}], "undeclared": "remove"}), [])
