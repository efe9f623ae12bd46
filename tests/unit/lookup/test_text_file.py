# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the lookup returns texts, and that files that have no end are refused without being read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader

from ansible_collections.meshfleet.particle.plugins.lookup.text_file import LookupModule


def look_up(*paths: Path) -> list[str]:
    return LookupModule(loader=DataLoader()).run([str(path) for path in paths], {})


def test_texts_are_returned_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("{{ a }}\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("Ställe", encoding="utf-16")
    assert look_up(tmp_path / "b.yml", tmp_path / "a.yml") == ["Ställe", "{{ a }}\n"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", "is not a regular file. Name a regular file"),
        ("zero", "is not a regular file. Name a regular file"),
        ("folder", "is not a regular file. Name a regular file"),
        ("large", "has 64.000001 MB, and at most 64 MB are read. Name a regular file, or split the file."),
        ("missing", "cannot be read: it was not found"),
        ("latin-1", "contains the invalid byte 0xe4"),
    ],
)
def test_file_that_is_not_a_text_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64_000_001)
    (tmp_path / "latin-1").write_bytes("Ställe".encode("latin-1"))
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(tmp_path / name)
    assert f"{tmp_path / name}" in str(caught.value)
    assert reason in str(caught.value)
