# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Allow only one run at a time for each product of a cloud. Private to this collection."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.file_errors import build_hint


@contextlib.contextmanager
def hold_run_lock(folder: Path, cloud: str, product: str | None) -> Iterator[None]:
    """Hold the run lock of a product while the ``with`` block runs.

    The kernel releases the lock when the process ends, even if the process is killed.

    :param folder: the folder of the lock files.
    :param cloud: the URL of the cloud, in a form that is equal for all spellings of the URL.
    :param product: id or slug of the product; ``None`` for the account's own devices, which are in no product.
    :raises ParticleError: ``run_in_progress`` when another process holds the lock; ``unsafe_file`` when the lock file
        cannot be used.
    """
    path = _locate_lock_file(folder, cloud, product)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _build_file_error(path, error) from None
    try:
        _take_lock(lock, path, product)
        yield
    finally:
        os.close(lock)


def _locate_lock_file(folder: Path, cloud: str, product: str | None) -> Path:
    name = hashlib.sha256(f"{cloud}\0{product or ''}".encode()).hexdigest()[:32]
    return folder / f"run-{name}.lock"


def _take_lock(lock: int, path: Path, product: str | None) -> None:
    """Lock an open lock file, and write to it which process holds the lock.

    :raises ParticleError: ``run_in_progress`` when another process holds the lock; ``unsafe_file`` when the file cannot
        be locked or written.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(lock, 0)
        moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        os.pwrite(lock, json.dumps({"pid": os.getpid(), "since": moment}).encode(), 0)
    except BlockingIOError:
        raise _build_error(_read_holder(lock), product) from None
    except OSError as error:
        raise _build_file_error(path, error) from None


def _read_holder(lock: int) -> dict[str, Any]:
    """Return ``{pid, since}`` of the process that holds the lock, or an empty mapping if the file does not tell."""
    try:
        holder = json.loads(os.pread(lock, 1000, 0))
        datetime.datetime.fromisoformat(holder["since"])
        return {"pid": int(holder["pid"]), "since": holder["since"]}
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return {}


def _build_error(holder: dict[str, Any], product: str | None) -> ParticleError:
    what = f"product {product}" if product else "the account's own devices"
    who = f"process {holder['pid']}, since {holder['since']}" if holder else "another process"
    return ParticleError("run_in_progress", f"Another run is working on {what}: {who}.")


def _build_file_error(path: Path, error: OSError) -> ParticleError:
    message = f"The lock file of this run, {path}, cannot be used: {error.strerror}."
    return ParticleError("unsafe_file", message, hint=build_hint(path, error, "set lock to none"))
