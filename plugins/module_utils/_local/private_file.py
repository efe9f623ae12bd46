# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write files that only one user may access, for example files with secrets. Private to this collection.

Only one process at a time writes a file. A file is always complete, because every write replaces the whole file in one
step.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PRIVATE_FILE_BYTES, format_size
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.file_errors import build_hint

_LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.02


class DamagedFileError(ParticleError):
    """A file of this collection does not have the expected content. The code of the error is ``unsafe_file``."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__("unsafe_file", f"{path} is damaged: {problem}.", hint="Restore or remove it.")


class PrivateFile:
    """The content of a locked file.

    :ivar data: the JSON object in the file. Callers change ``data`` and then call :meth:`save`.
    """

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self._path = path
        self.data = data

    def check_space(self, growth: int) -> None:
        """Check that the file could be replaced by a file that is longer by ``growth`` bytes. Change nothing.

        :raises ParticleError: ``unsafe_file`` when the file cannot be written.
        """
        probe = self._path.with_name(f"{self._path.name}.probe")
        size = len(json.dumps(self.data, indent=1).encode()) + growth
        try:
            replace_file(probe, b" " * size)  # not the data: a process that is killed here would leave the secrets
        finally:
            probe.unlink(missing_ok=True)

    def save(self) -> None:
        """Replace the content of the file with ``data`` in one step.

        If the process is killed, the file has either the old content or the new content.
        """
        replace_file(self._path, json.dumps(self.data, indent=1).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file with ``content`` in one step. The caller must hold the lock of the file.

    :raises ParticleError: ``unsafe_file`` when the file cannot be written.
    """
    # The temporary file has a fixed name, because only the process that holds the lock writes. A temporary file that a
    # killed process has left is removed.
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)  # regardless of the umask
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
            _sync_folder(path.parent)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _build_error(path, error) from None


def ensure_folder(environment: Mapping[str, str], what: str, otherwise: str, *, of_login: bool = False) -> Path:
    """Return the folder of this collection in the cache folder of the user. Create the folder if it is missing.

    :param what: the name of the stored data in the error message, such as ``Logins``.
    :param otherwise: what users can do if the folder cannot be used, for the hint of the error: ``give an
        access_token``.
    :param of_login: whether to use the runtime folder of the user instead of the cache folder, if the variable
        ``XDG_RUNTIME_DIR`` is set. The operating system removes the runtime folder when the user logs out. Processes
        without this variable, such as cron jobs, do not see the files in the runtime folder.
    :raises ParticleError: ``unsafe_file`` when the folder cannot be used, or when other users can write to the folder.
    """
    variable = "XDG_RUNTIME_DIR" if of_login and environment.get("XDG_RUNTIME_DIR") else "XDG_CACHE_HOME"
    folder = Path(environment.get(variable) or "~/.cache") / "meshfleet.particle"
    remedy = f"{variable} to a folder of your own, or {otherwise}"
    hint = f"Set {remedy}."
    try:
        folder = Path(os.path.abspath(folder.expanduser()))
        problem = _create_folder(folder)
    except OSError as error:
        problem, hint = str(error.strerror), build_hint(folder, error, f"set {remedy}")
    except RuntimeError:
        problem = "HOME is not set, and this user has no home folder"
    if problem is not None:
        message = f"{what} are shared through {folder}, which cannot be used: {problem}."
        raise ParticleError("unsafe_file", message, hint=hint)
    return folder


def _create_folder(folder: Path) -> str | None:
    """Create a folder and its missing parents, and return why other users could change its content, else ``None``.

    :param folder: an absolute path.
    :raises OSError: when the folder cannot be created or examined.
    """
    # Each parent is checked before the next folder is created in it. Otherwise, a symbolic link of another user could
    # make this function create folders anywhere.
    for parent in reversed(folder.parents):
        if not os.path.lexists(parent):
            parent.mkdir(mode=0o700, exist_ok=True)
        target = parent.resolve() if parent.is_symlink() else parent
        for place in (parent, target, *target.parents):
            problem = _find_risk(place)
            if problem is not None:
                return problem
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(facts.st_mode):
        return "it is not a folder"
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        return "other users can write to it"
    return None if os.access(folder, os.W_OK | os.X_OK) else "this user cannot write to it"


def _find_risk(place: Path) -> str | None:
    """Return why other users could replace what is in a folder, or ``None`` if they cannot."""
    facts = place.lstat()
    if facts.st_uid not in (0, os.geteuid()):
        return f"{place} belongs to another user"
    # In a folder with the sticky bit, such as /tmp, users can replace only their own files.
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & 0o002 and not facts.st_mode & stat.S_ISVTX:
        return f"other users can write to {place}"
    return None


@contextlib.contextmanager
def lock_file(path: Path, read: Callable[[Path], dict[str, Any]] | None = None) -> Iterator[PrivateFile]:
    """Lock a file and yield its content. If the file does not exist yet, the content is empty.

    :param read: the function that reads the file; by default :func:`read_file`.
    :raises ParticleError: ``unsafe_file`` when other users can read the file, or when the file is damaged or not
        writable; ``run_in_progress`` when another process holds the lock for minutes.
    """
    with hold_lock(path.with_name(path.name + ".lock"), str(path)):
        yield PrivateFile(path, (read or read_file)(path))


@contextlib.contextmanager
def hold_lock(path: Path, what: str, seconds: float | None = None) -> Iterator[None]:
    """Hold a lock while the ``with`` block runs. Only one thread of one process holds the lock at a time.

    The kernel releases the lock when the process ends, even if the process is killed.

    :param path: the path of the lock file.
    :param what: the name of the protected file or login in the error message.
    :param seconds: for how many seconds to wait for the lock; by default 120.
    :raises ParticleError: ``unsafe_file`` when the lock file cannot be used; ``run_in_progress`` when another process
        holds the lock for longer than ``seconds``.
    """
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _build_error(path, error) from None
    try:
        try:
            _wait_for_lock(lock, what, _LOCK_SECONDS if seconds is None else seconds)
        except OSError as error:  # some file systems have no locks
            raise _build_error(path, error) from None
        yield
    finally:
        os.close(lock)  # releases the lock


def read_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty mapping if the file does not exist. The file is not locked.

    :raises ParticleError: ``unsafe_file`` when other users can read the file.
    :raises DamagedFileError: when the file does not contain a JSON object.
    """
    return _parse_object(open_file(path), path)


def read_own_file(path: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    """Return the JSON object in a file that the collection keeps for itself, such as the shared logins.

    Unlike :func:`read_file`, this function makes the file private if other users can read it. The file may have been
    restored from a backup that does not keep the permissions.

    :param warn: a function that shows a warning to the user.
    :raises ParticleError: ``unsafe_file`` when other users can write to the file, or when the file belongs to another
        user, is not a regular file or cannot be opened.
    :raises DamagedFileError: when the file does not contain a JSON object.
    """
    try:
        return _parse_object(open_file(path, warn), path)
    except DamagedFileError:
        raise
    except ParticleError as error:
        error.hint = "Move the file away, and find out how it came there. The collection creates a new one."
        raise


def _parse_object(file: BinaryIO | None, path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty mapping if ``file`` is ``None``. Close the file.

    :raises DamagedFileError: when the file does not contain a JSON object.
    """
    if file is None:
        return {}
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_PRIVATE_FILE_BYTES:
            raise DamagedFileError(path, f"it has {format_size(size)}, more than {format_size(MAX_PRIVATE_FILE_BYTES)}")
        try:
            data = json.load(file)
        except (ValueError, RecursionError):
            data = None
        except OSError as error:
            raise _build_error(path, error) from None
    if not isinstance(data, dict):
        raise DamagedFileError(path, "it does not contain a JSON object")
    return data


def open_file(path: Path, warn: Callable[[str], None] | None = None) -> BinaryIO | None:
    """Open a file that only this user can read. Return ``None`` if the file does not exist.

    :param warn: a function that shows a warning to the user. With this function, a file of this user that other users
        can only read is made private instead of refused.
    :raises ParticleError: ``unsafe_file`` when other users can access the file, or when the file belongs to another
        user, is not a regular file or cannot be opened.
    """
    try:
        # O_NONBLOCK, because opening a named pipe would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _build_error(path, error) from None
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
        if not stat.S_IMODE(facts.st_mode) & 0o077:
            return open(descriptor, "rb")
        # The content of a file that others can write to is not to be trusted.
        if warn is not None and not facts.st_mode & 0o022 and _make_private(descriptor):
            permissions = f"{stat.S_IMODE(facts.st_mode):04o}"
            warn(
                f"Other users could read {path} (mode {permissions}). Its mode is now 0600. If it "
                "contains tokens, replace them, because others may have read them."
            )
            return open(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise ParticleError("unsafe_file", f"{path} is not a regular file.", hint="Name a regular file.")
    if facts.st_uid != os.geteuid():
        message = f"{path} contains secrets, but belongs to another user."
        raise ParticleError("unsafe_file", message, hint="Name a file that belongs to your user.")
    raise ParticleError(
        "unsafe_file",
        f"{path} contains secrets, and other users can access it (mode {stat.S_IMODE(facts.st_mode):04o}).",
        hint="Run 'chmod 600' on it and replace its tokens, because others may have read them.",
    )


def _make_private(descriptor: int) -> bool:
    """Make an open file private, and return whether this succeeded. It fails, for example, on a read-only disk."""
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, 0o600)
    return not stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077


def _sync_folder(folder: Path) -> None:
    """Flush a folder to disk after a file was replaced. Otherwise, a power failure could restore the old file."""
    # Some file systems cannot flush a folder. The file is complete even without the flush.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wait_for_lock(lock: int, what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                message = f"Another process has held the lock of {what} for {seconds:g} seconds."
                raise ParticleError("run_in_progress", message) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _build_error(path: Path, error: OSError) -> ParticleError:
    hint = build_hint(path, error, "name a file in an existing folder that your user can write to")
    reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
    # Name the folder, because the file can be a lock file that users do not know.
    if error.errno == errno.ENOENT and not path.parent.exists():
        return ParticleError("unsafe_file", f"The folder {path.parent} does not exist.", hint=hint)
    return ParticleError("unsafe_file", f"{path} cannot be used: {reason}.", hint=hint)
