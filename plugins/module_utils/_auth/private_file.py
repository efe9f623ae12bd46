# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that hold secrets: for one user only, one writer at a time, always whole. Private to this collection."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError

_LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.02


class PrivateFile:
    """The open content of a file: a JSON object in ``data``, written back by :meth:`save`."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path = path
        self.data = data

    def save(self) -> None:
        """Replace the file in one step: whoever is killed at any moment leaves the old content or the new."""
        # Only the holder of the lock writes, so one name will do, and what a killed one has begun is swept away.
        new = self._path.with_name(f".{self._path.name}.new")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    os.fchmod(file.fileno(), 0o600)  # whatever the umask takes away
                    json.dump(self.data, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(new, self._path)
                _settle(self._path.parent)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _unusable(self._path, error) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[PrivateFile]:
    """The content of ``path``, empty when there is no such file yet, for one process or thread at a time.

    :raises ParticleError: ``conflict`` when others can read the file, when it is damaged or cannot be written;
        ``run_in_progress`` when somebody holds it for minutes.
    """
    with held(path.with_name(path.name + ".lock"), str(path)):
        yield PrivateFile(path, read(path))


@contextlib.contextmanager
def held(lock_file: Path, what: str) -> Iterator[None]:
    """A lock for one process or thread at a time, which ends with its holder.

    :param what: it guards, for whoever waits in vain.
    :raises ParticleError: ``conflict`` when the lock file cannot be used; ``run_in_progress`` when somebody holds it
        for minutes.
    """
    try:
        lock = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(lock_file, error) from None
    try:
        _wait_for(lock, what)
        yield
    finally:
        os.close(lock)  # gives the lock back


def read(path: Path) -> dict[str, Any]:
    """The content without a lock, for those who only look. :raises ParticleError: as :func:`locked`."""
    try:
        # Without waiting: a pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ParticleError("conflict", f"{path} is no file.", hint="Name a file.")
    with open(descriptor, encoding="utf-8") as file:
        facts = os.fstat(file.fileno())
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            raise ParticleError(
                "conflict",
                f"{path} holds secrets and is open to others (mode {stat.S_IMODE(facts.st_mode):04o}).",
                hint="Make it yours alone with 'chmod 600', and replace the tokens in it: they may have been read.",
            )
        try:
            data = json.load(file)
        except (ValueError, RecursionError):
            data = None
    if not isinstance(data, dict):
        raise ParticleError("conflict", f"{path} is damaged: it holds no JSON object.", hint="Restore or remove it.")
    return data


def _settle(folder: Path) -> None:
    """Bring the new name of a file to the disk too, before a loss of power can bring the old one back."""
    # Not every file system can do this for a folder, and the content is whole either way.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wait_for(lock: int, what: str) -> None:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                message = f"Another process has held {what} for {_LOCK_SECONDS:g} seconds."
                raise ParticleError("run_in_progress", message) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _unusable(path: Path, error: OSError) -> ParticleError:
    hint = "Name a file in a folder of your own that exists and can be written to."
    return ParticleError("conflict", f"{path} cannot be used: {error.strerror}.", hint=hint)
