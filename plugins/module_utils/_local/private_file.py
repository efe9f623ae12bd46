# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for one user only, such as those that hold secrets: one writer at a time, always whole. Private."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.02


class PrivateFile:
    """The open content of a file: a JSON object in ``data``, written back by :meth:`save`."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path = path
        self.data = data

    def save(self) -> None:
        """Replace the file in one step: whoever is killed at any moment leaves the old content or the new."""
        replace(self._path, json.dumps(self.data, indent=1).encode())


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` into the place of a file in one step, while holding its lock.

    :raises ParticleError: ``unsafe_file`` when it cannot be written.
    """
    # Only the holder of the lock writes, so one name will do, and what a killed one has begun is swept away.
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)  # whatever the umask takes away
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
            _settle(path.parent)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unusable(path, error) from None


def own_folder(environment: Mapping[str, str], what: str, otherwise: str, *, of_login: bool = False) -> Path:
    """The folder of this collection for what the processes of one user share, in the cache folder.

    :param what: is shared there, and what to do ``otherwise``, for whoever has no such folder.
    :param of_login: rather in the runtime folder where there is one: it goes when the user logs out. Processes that
        the system starts, as by cron, have none, and share nothing that lies in it.
    :raises ParticleError: ``unsafe_file`` when there is no folder that only this user can use.
    """
    variable = "XDG_RUNTIME_DIR" if of_login and environment.get("XDG_RUNTIME_DIR") else "XDG_CACHE_HOME"
    folder = Path(environment.get(variable) or "~/.cache") / "meshfleet.particle"
    try:
        folder = folder.expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
        usable = facts.st_uid == os.geteuid() and not facts.st_mode & 0o022 and os.access(folder, os.W_OK | os.X_OK)
        reason = "it is not yours alone to write to"
    except OSError as error:
        usable, reason = False, str(error.strerror)
    except RuntimeError:
        usable, reason = False, "HOME is not set, and the system knows no home of this user"
    if not usable:
        message = f"{what} are shared through {folder}, which cannot be used: {reason}."
        raise ParticleError("unsafe_file", message, hint=f"Name a folder of your own by {variable}, or {otherwise}.")
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[PrivateFile]:
    """The content of ``path``, empty when there is no such file yet, for one process or thread at a time.

    :raises ParticleError: ``unsafe_file`` when others can read the file, when it is damaged or cannot be written;
        ``run_in_progress`` when somebody holds it for minutes.
    """
    with held(path.with_name(path.name + ".lock"), str(path)):
        yield PrivateFile(path, read(path))


@contextlib.contextmanager
def held(lock_file: Path, what: str, seconds: float | None = None) -> Iterator[None]:
    """A lock for one process or thread at a time, which ends with its holder.

    :param what: it guards, for whoever waits in vain.
    :param seconds: how long to wait for it; as for a file when not given.
    :raises ParticleError: ``unsafe_file`` when the lock file cannot be used; ``run_in_progress`` when somebody holds it
        for minutes.
    """
    try:
        lock = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(lock_file, error) from None
    try:
        _wait_for(lock, what, _LOCK_SECONDS if seconds is None else seconds)
        yield
    finally:
        os.close(lock)  # gives the lock back


def read(path: Path) -> dict[str, Any]:
    """The content without a lock, for those who only look. :raises ParticleError: as :func:`locked`."""
    file = opened(path)
    if file is None:
        return {}
    with file:
        try:
            data = json.load(file)
        except (ValueError, RecursionError):
            data = None
    if not isinstance(data, dict):
        raise ParticleError("unsafe_file", f"{path} is damaged: it holds no JSON object.", hint="Restore or remove it.")
    return data


def opened(path: Path) -> BinaryIO | None:
    """Open a file that only this user can read; return ``None`` when it does not exist.

    :raises ParticleError: ``unsafe_file`` when others can read it, or when it cannot be used.
    """
    try:
        # Without waiting: a pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not stat.S_IMODE(facts.st_mode) & 0o077:
        return open(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise ParticleError("unsafe_file", f"{path} is not a regular file.", hint="Name a file.")
    raise ParticleError(
        "unsafe_file",
        f"{path} holds secrets and is open to others (mode {stat.S_IMODE(facts.st_mode):04o}).",
        hint="Make it yours alone with 'chmod 600', and replace the tokens in it: they may have been read.",
    )


def _settle(folder: Path) -> None:
    """Bring the new name of a file to the disk too, before a loss of power can bring the old one back."""
    # Not every file system can do this for a folder, and the content is whole either way.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wait_for(lock: int, what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                message = f"Another process has held {what} for {seconds:g} seconds."
                raise ParticleError("run_in_progress", message) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _unusable(path: Path, error: OSError) -> ParticleError:
    hint = "Name a file in a folder of your own that exists and can be written to."
    return ParticleError("unsafe_file", f"{path} cannot be used: {error.strerror}.", hint=hint)
