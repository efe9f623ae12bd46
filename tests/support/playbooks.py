# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Playbooks, run as users run them: `ansible-playbook` with an environment and a home of its own."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import COLLECTIONS, TESTS
from support.programs import program_path, run_program, run_program_on_terminal

RUN_SECONDS = 240.0

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
    fresh: bool = False,
) -> PlaybookRun:
    """Run a playbook to its end and return what became of it.

    `playbook` is the text of one, the plays as data, the path of a file, or the name of a playbook of a
    collection. `extra_vars` travel in a file that only we can read: what stands in argv, every user of the
    machine can read. Each run has a home of its own; runs that shall share logins or caches are given one
    and the same `env={"HOME": ...}`. Paths in the playbook are relative to `cwd`,
    which is a new folder when none is given. With `terminal` the run has one to print on, and what it was sent is
    in `stdout`. With `fresh` it is a process started anew: for tests that measure the whole of it.
    """
    with tempfile.TemporaryDirectory(prefix="playbook-") as folder:
        home = Path(folder)
        argv = [program_path("ansible-playbook"), *args]
        if extra_vars:
            vars_file = home / "extra_vars.json"
            with open(os.open(vars_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(extra_vars, file)
            argv += ["-e", f"@{vars_file}"]
        environment = ansible_environment(home, env)
        with _playbook_argument(playbook, cwd or home) as argument:
            where: dict[str, Any] = {"env": environment, "cwd": cwd or home, "timeout": timeout}
            if terminal:
                run = run_program_on_terminal([*argv, argument], **where)
            else:
                run = run_program([*argv, argument], fresh=fresh, **where)
        return PlaybookRun(run.rc, run.stdout, run.stderr, _read_record(Path(environment["RECORD_FILE"])))


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


def _read_record(path: Path) -> list[TaskRecord]:
    if not path.exists():
        return []
    return [TaskRecord(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
