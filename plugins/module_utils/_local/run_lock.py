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
    name = hashlib.sha256(f"{cloud}\0{product or ''}".encode()).hexdigest()[:32]
    path = folder / f"run-{name}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        message = f"The lock file of this run, {path}, cannot be used: {error.strerror}."
        raise ParticleError("unsafe_file", message, hint="Remove the file, or set lock to none.") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _build_error(_read_holder(lock), product) from None
        os.truncate(lock, 0)
        moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        os.pwrite(lock, json.dumps({"pid": os.getpid(), "since": moment}).encode(), 0)
        yield
    finally:
        os.close(lock)


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
