# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Playbooks, run as users run them: `ansible-playbook` in a process and an environment of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.paths import COLLECTIONS, TESTS

RUN_SECONDS = 120.0
STOP_SECONDS = 10.0

# A playbook of a collection goes by name, for example meshfleet.particle.provision.
PLAYBOOK_NAME = re.compile(r"\w+\.\w+\.\w+")


@dataclass(frozen=True)
class TaskRecord:
    """What became of one task on one host. A task of a loop is one record, its items are in the result."""

    host: str
    play: str
    task: str
    action: str
    status: str
    result: dict[str, Any]


@dataclass(frozen=True)
class PlaybookRun:
    """How a run of `ansible-playbook` ended."""

    rc: int
    stdout: str
    stderr: str
    tasks: list[TaskRecord]

    @property
    def output(self) -> str:
        """All that a user sees of the run."""
        return f"{self.stdout}\n{self.stderr}"

    def task(self, name: str, host: str | None = None) -> TaskRecord:
        """The one record of the task called `name`, where needed that of one `host`."""
        found = [task for task in self.tasks if task.task == name and host in (None, task.host)]
        assert len(found) == 1, f"{len(found)} records of {name!r} instead of one in:\n{self.output}"
        return found[0]

    def result(self, name: str, host: str | None = None) -> dict[str, Any]:
        """The result of the task called `name`."""
        return self.task(name, host).result

    def succeeded(self) -> PlaybookRun:
        """This run, after making sure that it went well; the failure shows what was printed."""
        assert self.rc == 0, f"ansible-playbook ended with {self.rc}:\n{self.output}"
        return self


def ansible_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment for the ansible of this interpreter, with all its state below `home`.

    Nothing of the caller gets through but the folders of programs: no PARTICLE_* variable, no proxy, no
    ansible.cfg. `extra` has the last word.
    """
    if not COLLECTIONS.exists():
        raise AssertionError("The link tree of the collection is missing; `make setup` makes it.")
    venv_bin = Path(sys.executable).parent
    # An empty file, or ansible would look for others: in the working directory, in the home, in /etc.
    config = home / "ansible.cfg"
    config.touch()
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "ANSIBLE_CALLBACK_PLUGINS": str(TESTS / "support" / "callback_plugins"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{venv_bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "RECORD_FILE": str(home / "record.jsonl"),
        # By these a process under measurement tells its children, and they theirs, to take part.
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        **(extra or {}),
    }


def run_playbook(
    playbook: str | Path | list[dict[str, Any]],
    *,
    env: Mapping[str, str] | None = None,
    extra_vars: Mapping[str, Any] | None = None,
    args: Sequence[str] = (),
    cwd: Path | None = None,
    timeout: float = RUN_SECONDS,
    terminal: bool = False,
) -> PlaybookRun:
    """Run a playbook to its end and return what became of it.

    `playbook` is the text of one, the plays as data, the path of a file, or the name of a playbook of a
    collection. `extra_vars` travel in a file that only we can read: what stands in argv, every user of the
    machine can read. Each run has a home of its own; runs that shall share logins or caches are given one
    and the same `env={"HOME": ...}`. Paths in the playbook are relative to `cwd`,
    which is a new folder when none is given. With `terminal` the run has one to print on, and what it was sent is
    in `stdout`.
    """
    with tempfile.TemporaryDirectory(prefix="playbook-") as folder:
        home = Path(folder)
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), *args]
        if extra_vars:
            vars_file = home / "extra_vars.json"
            with open(os.open(vars_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(extra_vars, file)
            argv += ["-e", f"@{vars_file}"]
        environment = ansible_environment(home, env)
        with _playbook_argument(playbook, cwd or home) as argument:
            run = _run_on_terminal if terminal else _run
            rc, stdout, stderr = run([*argv, argument], environment, cwd or home, timeout)
        return PlaybookRun(rc, stdout, stderr, _read_record(Path(environment["RECORD_FILE"])))


@contextmanager
def _playbook_argument(playbook: str | Path | list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """What `ansible-playbook` is told to run; a text becomes a file in `folder` for that long."""
    if isinstance(playbook, Path):
        yield str(playbook.resolve())
    elif isinstance(playbook, str) and PLAYBOOK_NAME.fullmatch(playbook):
        yield playbook
    else:
        text = playbook if isinstance(playbook, str) else json.dumps(playbook)  # JSON is YAML
        with tempfile.NamedTemporaryFile("w", prefix="playbook-", suffix=".yml", dir=folder, encoding="utf-8") as file:
            file.write(text)
            file.flush()
            yield file.name


def _run(argv: list[str], env: Mapping[str, str], cwd: Path, timeout: float) -> tuple[int, str, str]:
    """Run to the end, or fail after `timeout` seconds with what was printed until then."""
    # Into files: a worker that outlives the playbook would hold a pipe open, and us with it.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = _start(argv, env, cwd, stdout.fileno(), stderr.fileno())
        rc = _wait(process, timeout, lambda: f"{_content(stdout)}\n{_content(stderr)}")
        return rc, _content(stdout), _content(stderr)


def _run_on_terminal(argv: list[str], env: Mapping[str, str], cwd: Path, timeout: float) -> tuple[int, str, str]:
    """The same with both streams on one terminal, whose end has to be read while it is written to."""
    ours, theirs = pty.openpty()
    received: list[bytes] = []

    def receive() -> None:
        # Linux says that the other end is closed by an error, others by an empty read.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                received.append(chunk)

    def sent() -> str:
        return b"".join(received).decode(errors="replace")

    reader = threading.Thread(target=receive, daemon=True)
    try:
        process = _start(argv, env, cwd, theirs, theirs)
        reader.start()
    finally:
        os.close(theirs)
    rc = _wait(process, timeout, sent)
    reader.join(STOP_SECONDS)
    os.close(ours)
    return rc, sent(), ""


def _start(argv: list[str], env: Mapping[str, str], cwd: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    # A group of its own, so that ending it cannot reach anybody else.
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )


def _wait(process: subprocess.Popen[bytes], timeout: float, printed: Callable[[], str]) -> int:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise AssertionError(f"The playbook did not end in {timeout:g} s. It printed:\n{printed()}") from None
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    # Asked first: ansible ends its workers itself, and they sit in sessions of their own.
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, signal_number)
        try:
            process.wait(STOP_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue


def _content(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _read_record(path: Path) -> list[TaskRecord]:
    if not path.exists():
        return []
    return [TaskRecord(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
