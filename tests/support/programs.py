# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run Ansible's command line programs with a timeout."""

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
    """The exit status and the output of a program."""

    rc: int
    stdout: str
    stderr: str


def program_path(name: str) -> str:
    """Return the path of a program that is installed beside this Python interpreter."""
    return str(Path(sys.executable).parent / name)


def run_program(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float, fresh: bool = False
) -> ProgramRun:
    """Run a program, and wait until it ends.

    :param env: all environment variables of the program.
    :param fresh: whether to start a new process. By default, the fork server starts the program if possible.
    :raises AssertionError: if the program does not end within `timeout` seconds. The message contains the output.
    """
    # The output goes to files. A worker that outlives the playbook would keep a pipe open, and this function would wait
    # for the worker.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        if fresh or not can_be_forked(argv, env):
            process: subprocess.Popen[bytes] | ForkedProcess
            process = _start(argv, env, cwd, stdout.fileno(), stderr.fileno())
        else:
            process = fork_server(env).start(argv, env=env, cwd=cwd, stdout=stdout.fileno(), stderr=stderr.fileno())
        rc = _wait(process, timeout, lambda: f"{_content(stdout)}\n{_content(stderr)}")
        return ProgramRun(rc, _content(stdout), _content(stderr))


def run_program_on_terminal(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float) -> ProgramRun:
    """Run a program whose standard output and standard error are a terminal, and wait until it ends.

    :returns: the exit status; `stdout` contains everything that the program has written to the terminal.
    :raises AssertionError: if the program does not end within `timeout` seconds. The message contains the output.
    """
    own_end, program_end = pty.openpty()
    received: list[bytes] = []

    def receive() -> None:
        # When the program has closed its end of the terminal, os.read raises an error on Linux, and returns no data on
        # other systems.
        with contextlib.suppress(OSError):
            while chunk := os.read(own_end, 65536):
                received.append(chunk)

    def get_output() -> str:
        return b"".join(received).decode(errors="replace")

    # Read while the program runs: a program stops when the buffer of its terminal is full.
    reader = threading.Thread(target=receive, daemon=True)
    try:
        process = _start(argv, env, cwd, program_end, program_end)
        reader.start()
    finally:
        os.close(program_end)
    rc = _wait(process, timeout, get_output)
    reader.join(STOP_SECONDS)
    os.close(own_end)
    return ProgramRun(rc, get_output(), "")


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    # The program gets its own process group, so that _end does not reach other processes.
    return subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
    )


def _wait(process: subprocess.Popen[bytes] | ForkedProcess, timeout: float, printed: Callable[[], str]) -> int:
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise AssertionError(f"The program did not end within {timeout:g} s. It printed:\n{printed()}") from None
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes] | ForkedProcess) -> None:
    # Begin with SIGTERM, so that ansible ends its workers. The workers are in other process groups.
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
