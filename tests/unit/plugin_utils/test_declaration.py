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


def read_text(manifest: str, **files: str) -> dict[str, Any]:
    """Return the data of a manifest that is given as a string.

    :param files: the files that exist; each has the extension `.csv`.
    """
    declared = read_declaration(
        {**dict.fromkeys(MANIFEST_KEYS), "manifest": manifest}, lambda path: files[path.removesuffix(".csv")].encode()
    )
    data: dict[str, Any] = declared.data
    return data


@pytest.mark.parametrize(
    "manifest",
    [
        "devices: t.csv",
        " devices:  t.csv\n",
        "'devices': t.csv",
        "{devices: t.csv}",
        "{devices: [{id: e00fce680000000000000001}]}",
        '{"devices": "t.csv"}',
        "devices:\n- {id: e00fce680000000000000001}\n",
    ],
)
def test_text_of_a_manifest_is_read_as_its_content(manifest: str) -> None:
    assert read_text(manifest, t=f"id\n{ONE}\n") == {"devices": [{"id": ONE}]}


@pytest.mark.parametrize("comment", ["# id, name\n", "#\tserial_number\n\n", "\ufeff# id; name\n---\n"])
def test_yaml_below_a_comment_with_names_of_columns_is_not_a_table(comment: str) -> None:
    manifest = f"{comment}devices: [{{id: {ONE}}}]\n"
    assert read_text(manifest) == read_text("fleet.yml", **{"fleet.yml": manifest}) == {"devices": [{"id": ONE}]}


@pytest.mark.parametrize("path", ["t.csv", " t.csv\n"])
def test_path_of_a_table_is_read_as_a_file(path: str) -> None:
    assert read_text(path, t=f"id\n{ONE}\n") == {"devices": [{"id": ONE}]}


def test_list_as_a_text_in_one_line_is_refused_as_a_manifest() -> None:
    with pytest.raises(ParticleError, match="the manifest: must be a mapping, got a list"):
        read_manifest(read_text("[{id: e00fce680000000000000001}]"))


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
