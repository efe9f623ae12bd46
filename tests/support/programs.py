# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Ansible's programs, run to their end within a limit of time."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.fork_server import ForkedProcess, can_be_forked, fork_server

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class ProgramRun:
    """How a program ended, and what it printed."""

    rc: int
    stdout: str
    stderr: str


def program_path(name: str) -> str:
    """Return the path of a program that is installed beside this interpreter."""
    return str(Path(sys.executable).parent / name)


def run_program(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float, fresh: bool = False
) -> ProgramRun:
    """Run a program to its end, by default from the fork server; with `fresh` in a process started anew.

    :param env: the whole environment.
    :raises AssertionError: when it does not end within `timeout` seconds, with what it printed until then.
    """
    # Into files: a worker that outlives the playbook would hold a pipe open, and us with it.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        if fresh or not can_be_forked(argv, env):
            process: subprocess.Popen[bytes] | ForkedProcess
            process = _start(argv, env, cwd, stdout.fileno(), stderr.fileno())
        else:
            process = fork_server().start(argv, env=env, cwd=cwd, stdout=stdout.fileno(), stderr=stderr.fileno())
        rc = _wait(process, timeout, lambda: f"{_content(stdout)}\n{_content(stderr)}")
        return ProgramRun(rc, _content(stdout), _content(stderr))


def run_program_on_terminal(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float) -> ProgramRun:
    """Run a program with both streams on one terminal, and return what that was sent as `stdout`.

    :raises AssertionError: when it does not end within `timeout` seconds, with what it printed until then.
    """
    ours, theirs = pty.openpty()
    received: list[bytes] = []

    def receive() -> None:
        # Linux says that the other end is closed by an error, others by an empty read.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                received.append(chunk)

    def sent() -> str:
        return b"".join(received).decode(errors="replace")

    # The terminal's end has to be read while it is written to.
    reader = threading.Thread(target=receive, daemon=True)
    try:
        process = _start(argv, env, cwd, theirs, theirs)
        reader.start()
    finally:
        os.close(theirs)
    rc = _wait(process, timeout, sent)
    reader.join(STOP_SECONDS)
    os.close(ours)
    return ProgramRun(rc, sent(), "")


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    # A group of its own, so that ending it cannot reach anybody else.
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )


def _wait(process: subprocess.Popen[bytes] | ForkedProcess, timeout: float, printed: Callable[[], str]) -> int:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise AssertionError(f"The program did not end in {timeout:g} s. It printed:\n{printed()}") from None
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes] | ForkedProcess) -> None:
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
