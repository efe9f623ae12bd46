# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run playbooks with `ansible-playbook`, in a separate environment and home folder."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import COLLECTIONS
from support.processes import HANG_SECONDS
from support.programs import program_path, run_program, run_program_on_terminal
from support.settings import read_settings

# The full name of a playbook that is part of a collection, for example meshfleet.particle.provision.
PLAYBOOK_NAME = re.compile(r"\w+\.\w+\.\w+")


@dataclass(frozen=True)
class TaskRecord:
    """The result of one task on one host. A task with a loop has one record, whose `result` contains all items."""

    host: str
    play: str
    task: str
    action: str
    status: str
    result: dict[str, Any]


@dataclass(frozen=True)
class PlaybookRun:
    """The exit status and the output of `ansible-playbook`, and the records of all tasks."""

    rc: int
    stdout: str
    stderr: str
    tasks: list[TaskRecord]

    @property
    def output(self) -> str:
        """Everything that `ansible-playbook` has printed: first standard output, then standard error."""
        return f"{self.stdout}\n{self.stderr}"

    def task(self, name: str, host: str | None = None) -> TaskRecord:
        """Return the record of the task with this name. Without `host`, the task must have run on only one host.

        :raises AssertionError: if there is no record, or more than one.
        """
        found = [task for task in self.tasks if task.task == name and host in (None, task.host)]
        assert len(found) == 1, f"expected one record of {name!r}, got {len(found)}:\n{self.output}"
        return found[0]

    def result(self, name: str, host: str | None = None) -> dict[str, Any]:
        """Return the result of the task with this name. The arguments are those of `task`."""
        return self.task(name, host).result

    def succeeded(self) -> PlaybookRun:
        """Check that the exit status is 0, and return this `PlaybookRun`.

        :raises AssertionError: if the exit status is not 0. The message contains the output.
        """
        assert self.rc == 0, f"ansible-playbook ended with {self.rc}:\n{self.output}"
        return self


def ansible_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build the environment variables for the programs of Ansible that are installed beside this Python interpreter.

    From the environment of this process, only PATH and the COVERAGE_* variables are copied. Proxies, PARTICLE_*
    variables and an `ansible.cfg` of the user have no effect.

    The settings of Ansible are the same for all runs (`support.settings`).

    :param home: the home folder, in which the programs store their files.
    :param extra: more variables, which replace variables of the same name.
    """
    if not COLLECTIONS.exists():
        raise AssertionError("The link tree of the collection does not exist. Run `make setup`.")
    return {
        **read_settings(),
        "HOME": str(home),
        "RECORD_FILE": str(home / "record.jsonl"),
        # These variables let child processes take part in the measurement of coverage.
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
    timeout: float = HANG_SECONDS,
    terminal: bool = False,
    fresh: bool = False,
) -> PlaybookRun:
    """Run a playbook, and return its result.

    :param playbook: the content of a playbook as a string, the plays as data, the path of a file, or the full name of a
        playbook in a collection.
    :param env: more environment variables. Each run has its own home folder. Set ``HOME`` to the same folder in several
        runs, so that the runs share logins and caches.
    :param extra_vars: variables for ``-e``. They are passed in a private file, because all users of a machine can read
        command lines.
    :param args: more command line arguments.
    :param cwd: the working folder; by default a new folder.
    :param terminal: whether the program prints on a terminal. ``stdout`` of the result then contains all output.
    :param fresh: whether to start a new process. By default, the fork server starts the program if possible.
    """
    # Ansible evaluates paths in its configuration as Python, which warns about a word such as `1or` in `playbook-1or`.
    with tempfile.TemporaryDirectory(prefix="playbook_") as folder:
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
    """Yield the command line argument that names the playbook.

    The content of a playbook, as a string or as data, is first written to a temporary file in `folder`.
    """
    if isinstance(playbook, Path):
        yield str(playbook.resolve())
    elif isinstance(playbook, str) and PLAYBOOK_NAME.fullmatch(playbook):
        yield playbook
    else:
        text = playbook if isinstance(playbook, str) else json.dumps(playbook)  # JSON is YAML
        with tempfile.NamedTemporaryFile("w", prefix="playbook_", suffix=".yml", dir=folder, encoding="utf-8") as file:
            file.write(text)
            file.flush()
            yield file.name


def _read_record(path: Path) -> list[TaskRecord]:
    if not path.exists():
        return []
    return [TaskRecord(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
