# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that only one run at a time works on a product, and that a run is told which process it collides with."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock

URL = "http://127.0.0.1:8080"


def refuse(folder: Path, url: str = URL) -> str:
    with pytest.raises(ParticleError) as caught, hold_run_lock(folder, url, "pump"):
        pytest.fail("the lock is held twice")
    assert caught.value.code == "run_in_progress"
    return caught.value.message


def test_second_run_is_refused_with_the_first_process(tmp_path: Path) -> None:
    with hold_run_lock(tmp_path, URL, "pump"):
        assert f"process {os.getpid()}, since 20" in refuse(tmp_path)
        with hold_run_lock(tmp_path, URL, "other"), hold_run_lock(tmp_path, "http://127.0.0.1:8081", "pump"):
            pass


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        b"{",
        b"[" * 1000,
        b"\xff",
        json.dumps({"pid": {}, "since": "2026-01-01T00:00:00"}).encode(),
        json.dumps({"pid": 5, "since": "{{ x }}"}).encode(),
        json.dumps({"pid": float("inf"), "since": "2026-01-01T00:00:00"}).encode(),
    ],
)
def test_damaged_lock_file_of_another_run_is_not_quoted(tmp_path: Path, content: bytes) -> None:
    with hold_run_lock(tmp_path, URL, "pump"):
        pass
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refuse(tmp_path) == "Another run is working on product pump: another process."
    with hold_run_lock(tmp_path, URL, "pump"):  # the age and the content of the file do not matter
        pass
