# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Only regular files of a limited size are read, and named pipes do not block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import (
    find_file_mistake,
    read_regular_file,
)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a named pipe that has no writer."""
    os.mkfifo(path := tmp_path / "pipe")
    return path


def test_file_within_the_bound_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert find_file_mistake(tmp_path / "file", 5) is None
    assert read_regular_file(tmp_path / "file", 5) == b"12345"


def test_larger_file_is_refused_with_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(2_500_000))
    assert find_file_mistake(tmp_path / "file", 1_000_000) == "has 2.5 MB, and at most 1 MB are read"
    with pytest.raises(OSError, match=r"has 2\.5 MB"):
        read_regular_file(tmp_path / "file", 1_000_000)


def test_path_of_a_file_that_is_not_regular_is_refused(tmp_path: Path, pipe: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (pipe, tmp_path, Path("/dev/zero"), Path("/dev/null"), tmp_path / "link"):
        assert find_file_mistake(path, 5) == "is not a regular file"
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="is not a regular file"):
            read_regular_file(path, 5)


def test_missing_file_is_left_to_the_reader(tmp_path: Path) -> None:
    assert find_file_mistake(tmp_path / "missing", 5) is None
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "missing", 5)
