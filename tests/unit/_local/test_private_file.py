# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Files with secrets are private, complete at every moment, and written by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PRIVATE_FILE_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import (
    ensure_folder,
    lock_file,
    read_file,
)
from support.counts import count
from support.paths import COLLECTIONS
from support.processes import running
from support.token_cloud import mode, run_child, write_private

SECRET = "s3cret-content"

SAVE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import lock_file

def die(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)

with lock_file(Path(sys.argv[1])) as file:
    file.data["secret"] = "new"
    if sys.argv[2] == "afterwards":
        file.save()
        die()
    setattr(os, sys.argv[2], die)
    file.save()
"""

COUNT_IN_MANY_PROCESSES = """
import os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import lock_file

def count(times):
    for _ in range(times):
        with lock_file(Path(sys.argv[1])) as file:
            file.data["count"] = file.data.get("count", 0) + 1
            file.save()

children = []
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        count(int(sys.argv[3]))
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""

SAVE_FOR_EVER = """
import sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import lock_file

for number in range(10**9):
    with lock_file(Path(sys.argv[1])) as file:
        file.data = {"first": number, "filling": "x" * 20000, "last": number}
        file.save()
    if number == 2:
        print("started", flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o177, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def save(path: Path, **content: Any) -> None:
    with lock_file(path) as file:
        file.data = content
        file.save()


def list_names(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()}


def refusal(path: Path) -> ParticleError:
    """Return the error that reading and locking a file have in common."""
    with pytest.raises(ParticleError) as reading:
        read_file(path)
    with pytest.raises(ParticleError) as locking, lock_file(path):
        pytest.fail("the file must not be locked")
    assert reading.value.as_result() == locking.value.as_result()
    assert SECRET not in str(reading.value.as_failure())
    return reading.value


# Access by one user only


def test_saved_file_is_private_under_any_umask(path: Path, umask: None) -> None:
    save(path, secret=SECRET)
    assert mode(path) == 0o600
    assert mode(path.with_name("secrets.json.lock")) & 0o077 == 0


def test_saving_makes_a_file_private_and_replaces_its_content(path: Path) -> None:
    save(path, old=SECRET)
    with lock_file(path) as file:
        path.chmod(0o644)
        file.data = {"new": 1}
        file.save()
    assert mode(path) == 0o600
    assert read_file(path) == {"new": 1}


@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777], ids=oct)
def test_file_that_others_can_access_is_refused_with_a_hint(path: Path, permissions: int) -> None:
    write_private(path, {"secret": SECRET}).chmod(permissions)
    error = refusal(path)
    assert error.code == "unsafe_file"
    assert f"other users can access it (mode {permissions:04o})" in error.message
    assert "chmod 600" in error.hint


@pytest.mark.parametrize("permissions", [0o600, 0o400, 0o700], ids=oct)
def test_private_file_is_read(path: Path, permissions: int) -> None:
    write_private(path, {"secret": SECRET}).chmod(permissions)
    assert read_file(path) == {"secret": SECRET}


def test_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(path, {"secret": SECRET})
    other_user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other_user)
    error = refusal(path)
    assert error.message == f"{path} contains secrets, but belongs to another user."
    assert "chmod" not in error.hint


@pytest.mark.parametrize("link", ["secrets.json", "secrets.json.lock"])
@pytest.mark.parametrize("exists", [True, False], ids=["to a file", "to nowhere"])
def test_symbolic_link_is_refused_and_its_target_is_unchanged(path: Path, link: str, exists: bool) -> None:
    target = path.with_name("target")
    if exists:
        write_private(target, {"secret": SECRET})
    path.with_name(link).symlink_to(target)
    with pytest.raises(ParticleError) as caught:
        save(path, secret="other")
    assert caught.value.code == "unsafe_file"
    assert caught.value.message == f"{path.with_name(link)} cannot be used: it is a symbolic link."
    assert target.exists() is exists
    assert not exists or read_file(target) == {"secret": SECRET}


# Complete content


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b'"s3cret-content"', b'{"s3cret-content": ', b"\xff\xfe{", b"[" * 100_000]
)
def test_damaged_file_is_refused_and_left_unchanged(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
    error = refusal(path)
    assert (error.code, error.hint) == ("unsafe_file", "Restore or remove it.")
    assert error.message == f"{path} is damaged: it does not contain a JSON object."
    assert path.read_bytes() == content


def test_file_that_is_too_large_is_refused_with_its_name(path: Path) -> None:
    path.touch(0o600)
    os.truncate(path, MAX_PRIVATE_FILE_BYTES + 1)
    error = refusal(path)
    assert error.code == "unsafe_file"
    assert error.message.startswith(f"{path} is damaged: it has ")


def test_folder_is_refused(path: Path) -> None:
    path.mkdir(0o700)
    error = refusal(path)
    assert (error.code, error.message, error.hint) == (
        "unsafe_file",
        f"{path} is not a regular file.",
        "Name a regular file.",
    )


def test_pipe_is_refused_without_waiting_for_its_other_end(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert refusal(path).code == "unsafe_file"


def test_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParticleError) as caught:
        save(tmp_path / "missing" / "secrets.json")
    assert caught.value.message == f"The folder {tmp_path / 'missing'} does not exist."
    assert caught.value.hint == "Name a file in an existing folder that your user can write to."


def test_missing_file_is_read_as_empty_and_not_created(path: Path) -> None:
    assert read_file(path) == {}
    with lock_file(path) as file:
        assert file.data == {}
    assert not path.exists()


def test_unsaved_changes_are_not_written(path: Path) -> None:
    save(path, kept=1)
    with lock_file(path) as file:
        file.data["kept"] = 2
    assert read_file(path) == {"kept": 1}


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_any_saved_content_is_read_unchanged(content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "secrets.json")
        save(path, **{})
        with lock_file(path) as file:
            file.data.update(content)
            file.save()
        assert read_file(path) == content


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_full_disk_leaves_the_old_content_and_no_temporary_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    save(path, secret="old")

    def fail(*_unused: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, moment, fail)
    with pytest.raises(ParticleError, match="No space left on device"):
        save(path, secret="new")
    assert read_file(path) == {"secret": "old"}
    assert list_names(path) == {"secrets.json", "secrets.json.lock"}


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free space on the disk of {}, or name a file in"),
        (errno.EDQUOT, "Free space in the disk quota of your user on the disk of {}, or name a file in"),
        (errno.EROFS, "Use a folder that is not on a read-only file system, or name a file in"),
        (errno.EACCES, "Give your user permission to read and write {} and the files in it, or name a file in"),
    ],
    ids=["full disk", "quota", "read-only", "no permission"],
)
def test_file_that_cannot_be_written_is_refused_with_the_remedy(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def fail(*_unused: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ParticleError) as caught:
        save(path, secret=SECRET)
    assert caught.value.message == f"{path} cannot be used: {os.strerror(number)}."
    assert caught.value.hint.startswith(remedy.format(path.parent))


def test_folder_in_place_of_the_lock_is_refused_with_the_remedy(path: Path) -> None:
    path.with_name("secrets.json.lock").mkdir()
    with pytest.raises(ParticleError, match="Is a directory") as caught:
        save(path, secret=SECRET)
    assert caught.value.hint.startswith("Remove the folder that has the name of the file, or ")


def test_file_system_without_locks_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_unused: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(ParticleError, match="No locks available") as caught:
        save(path, secret=SECRET)
    assert caught.value.hint.startswith("Use a folder on a file system that supports locks, or ")


def test_saving_syncs_the_file_and_then_its_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: kinds.append("folder" if is_folder(descriptor) else "file"))
    save(path, secret="new")
    assert kinds == ["file", "folder"]


def test_file_is_saved_where_folders_cannot_be_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_folders(descriptor: int) -> None:
        if is_folder(descriptor):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    save(path, secret="new")
    assert read_file(path) == {"secret": "new"}


def is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize(("moment", "expected"), [("fsync", "old"), ("replace", "old"), ("afterwards", "new")], ids=str)
def test_process_killed_while_saving_leaves_the_old_or_new_content(path: Path, moment: str, expected: str) -> None:
    save(path, secret="old")
    assert run_child(SAVE_AND_DIE, path, moment).returncode == -signal.SIGKILL
    assert read_file(path) == {"secret": expected}
    assert {mode(found) & 0o077 for found in path.parent.iterdir()} == {0}
    save(path, secret="next")
    assert read_file(path) == {"secret": "next"}
    assert list_names(path) == {"secrets.json", "secrets.json.lock"}, (
        "temporary files of the killed process must be deleted"
    )


def test_process_killed_at_any_moment_leaves_a_complete_file(path: Path) -> None:
    for round_number in range(count(quick=3, full=100)):
        environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
        with running([sys.executable, "-c", SAVE_FOR_EVER, path], env=environment) as child:
            while "started" not in child.output:
                assert child.returncode is None, child.output
            threading.Event().wait(0.003 * round_number)
            os.kill(child.pid, signal.SIGKILL)
        content = read_file(path)
        assert content["first"] == content["last"]


# One writer at a time


def test_threads_do_not_overwrite_each_others_changes(path: Path) -> None:
    def add_ten() -> None:
        for _unused in range(10):
            with lock_file(path) as file:
                file.data["count"] = file.data.get("count", 0) + 1
                file.save()

    threads = [threading.Thread(target=add_ten) for _unused in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_file(path) == {"count": 80}


def test_processes_do_not_overwrite_each_others_changes(path: Path) -> None:
    child = run_child(COUNT_IN_MANY_PROCESSES, path, 8, 10)
    assert child.returncode == 0, child.stderr
    assert read_file(path) == {"count": 80}


def test_lock_is_released_when_its_process_is_killed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_child(SAVE_AND_DIE, path, "fsync").returncode == -signal.SIGKILL
    monkeypatch.setattr(private_file, "_LOCK_SECONDS", 0.0)
    save(path, secret="mine")


def test_lock_is_released_after_an_exception(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="bug"), lock_file(path):
        raise ValueError("bug")
    monkeypatch.setattr(private_file, "_LOCK_SECONDS", 0.0)
    save(path, secret="mine")


def test_wait_for_a_lock_ends_with_an_error_that_names_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_file, "_LOCK_SECONDS", 0.1)
    with lock_file(path), pytest.raises(ParticleError, match="Another process has held") as caught:
        save(path, secret="mine")
    assert caught.value.code == "run_in_progress"
    assert str(path) in caught.value.message


def test_reading_needs_no_lock(path: Path) -> None:
    save(path, secret="old")
    with lock_file(path):
        assert read_file(path) == {"secret": "old"}


# The folder of this collection


def find_folder(cache: Path) -> Path:
    return ensure_folder({"XDG_CACHE_HOME": str(cache)}, "Logins", "give an access_token")


def refuse_folder(cache: Path) -> str:
    with pytest.raises(ParticleError) as caught:
        find_folder(cache)
    assert caught.value.code == "unsafe_file"
    return caught.value.message


def test_folder_on_a_full_disk_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_unused: object, **_also_unused: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(ParticleError, match="No space left on device") as caught:
        find_folder(tmp_path)
    assert caught.value.hint == (
        f"Free space on the disk of {tmp_path}, or set XDG_CACHE_HOME to a folder of your own, or give an access_token."
    )


def test_folder_and_its_missing_parents_are_private(tmp_path: Path) -> None:
    folder = find_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    assert find_folder(tmp_path / "a" / "b") == folder


@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_in_place_of_the_folder_is_refused(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "target"
    if exists:
        target.mkdir(0o700)
    (tmp_path / "meshfleet.particle").symlink_to(target)
    assert refuse_folder(tmp_path).endswith("which cannot be used: it is a symbolic link.")
    assert target.exists() is exists


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meshfleet.particle").touch()
    assert refuse_folder(tmp_path).endswith("which cannot be used: it is not a folder.")


def test_parent_may_be_a_link_of_the_same_user(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "disk")
    assert find_folder(tmp_path / "cache").is_dir()


@pytest.mark.parametrize("kind", ["link", "folder", "target of a link"])
def test_parent_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    foreign, cache = tmp_path / "foreign", tmp_path / "foreign" / "cache"
    if kind == "folder":
        foreign.mkdir()
    elif kind == "link":
        (tmp_path / "etc").mkdir()
        foreign.symlink_to(tmp_path / "etc")
    else:
        foreign.mkdir()
        cache = tmp_path / "cache"
        cache.symlink_to(foreign)
    if os.geteuid() == 0:
        os.chown(foreign, 12345, 12345, follow_symlinks=False)
    else:  # without root, all files of this user become files of another user
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "belongs to another user." in refuse_folder(cache)
    assert not list(foreign.iterdir())


def test_parent_that_all_users_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert refuse_folder(tmp_path / "open").endswith(f"other users can write to {tmp_path / 'open'}.")
    (tmp_path / "open").chmod(0o1777)
    assert find_folder(tmp_path / "open").is_dir()
