# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that only one run at a time works on a product, and that a run is told which process it collides with."""

from __future__ import annotations

import errno
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


@pytest.mark.parametrize("step", ["open", "truncate", "pwrite"])
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free space on the disk of {}, or set lock to none."),
        (errno.EROFS, "Use a folder that is not on a read-only file system, or set lock to none."),
        (errno.EACCES, "Give your user permission to read and write {} and the files in it, or set lock to none."),
        (errno.EIO, "Set lock to none."),
    ],
    ids=["full disk", "read-only", "no permission", "damaged disk"],
)
def test_lock_file_that_cannot_be_written_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, remedy: str
) -> None:
    def fail(*_unused: object, **_also_unused: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(ParticleError) as caught, hold_run_lock(tmp_path, URL, "pump"):
        pytest.fail("the lock is held without a lock file")
    monkeypatch.undo()
    assert (caught.value.code, caught.value.hint) == ("unsafe_file", remedy.format(tmp_path))
    assert caught.value.message.endswith(f"cannot be used: {os.strerror(number)}.")
    with hold_run_lock(tmp_path, URL, "pump"):  # the failed attempt holds no lock
        pass
