# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the outcomes of hosts are passed in a private file, and that a damaged file is reported in words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.plugin_utils._outcomes import add_host, read_outcome, write_outcomes


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return Path(write_outcomes([add_host("barn", {"status": "ok"}), add_host("ünit", {"status": "failed"})]))


def test_outcome_of_each_host_is_read_from_a_private_file(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [read_outcome(str(file), host) for host in ("barn", "ünit", "other")] == [
        {"status": "ok"},
        {"status": "failed"},
        None,
    ]


@pytest.mark.parametrize(
    "content", [b'{"host": "barn", "status": ', b'{"host": "barn", \xff', b'{"host": "barn", ' + b"[" * 9**5]
)
def test_damaged_file_is_reported_in_words(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ParticleError, match="cannot be read: it is damaged") as caught:
        read_outcome(str(file), "barn")
    assert caught.value.code == "invalid_option"


def test_named_pipe_is_reported_in_words(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ParticleError, match="cannot be read: it is not a regular file"):
        read_outcome(str(file), "barn")


def test_missing_file_is_reported_in_words(file: Path) -> None:
    file.unlink()
    with pytest.raises(ParticleError, match="cannot be read: No such file or directory"):
        read_outcome(str(file), "barn")
