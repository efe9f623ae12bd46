# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Start child processes for tests, wait until a child process is ready, and end each child process by its own id."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

HANG_SECONDS = 600.0
"""The time after which a wait counts as hung. A wait ends earlier if what it waits for happens or can no longer happen.

The time does not limit how slow a machine may be: with a load of 85, the start of a simulator took more than 60 s.
"""
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

PRELOADED = ("particle_simulator.cli", "otbr_simulator.cli")
"""The modules that :class:`ChildProcess` forks. Their import takes longer than the start of the simulation."""
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(PRELOADED))

_PR_SET_PDEATHSIG = 1
# The library is opened here and not in the child, because a forked child should do as little as possible.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until other processes fulfil a condition.

    :raises AssertionError: after `HANG_SECONDS`.
    """
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition was not fulfilled in time"
        time.sleep(POLL_SECONDS)


class ProcessFailed(AssertionError):
    """Raised when a child process failed. The message contains the output of the process."""


def _end_with_parent() -> None:
    """Called in the child process: ask the operating system to end this process when its parent process ends.

    Under ansible-test, each test runs in a forked process. The forked process ends without the teardown of fixtures.
    """
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _ForkedModule:
    """A module that the fork server runs, with those members of `subprocess.Popen` that :class:`ChildProcess` uses."""

    def __init__(self, argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, output: int) -> None:
        """Call `main` of a module in a new process.

        :param argv: the name of the module and its command line arguments.
        :param cwd: the working folder; by default that of this process.
        :param env: all environment variables of the process; by default the variables of this process.
        :param output: the file descriptor for standard output and standard error.
        """
        environment = dict(os.environ if env is None else env)
        arguments = (list(argv), cwd or Path.cwd(), environment, _Output(output))
        self._process = _forks.Process(target=_run_module, args=arguments, daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked module", timeout or 0.0)
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class _Output:
    """A file descriptor that is sent to the new process together with the arguments of its function."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive_output, (DupFd(self._handle),)


def _receive_output(duplicate: Any) -> int:
    return int(duplicate.detach())


def _end_with_starter() -> None:
    """End this process when the process that asked the fork server for it ends."""
    starter = multiprocessing.parent_process()
    assert starter is not None
    starter.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_module(argv: list[str], cwd: Path, env: dict[str, str], output: int) -> None:
    """Called in the new process: run the module as `python -m` does."""
    threading.Thread(target=_end_with_starter, daemon=True).start()
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:] = argv
    sys.exit(importlib.import_module(argv[0]).main())


class ChildProcess:
    """A running child process. Its output goes to a file, because a process blocks when it writes to a full pipe.

    Linux ends the child process when the thread that started the process ends. This thread must therefore live as long
    as the child process is needed.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start a program.

        :param argv: the program and its command line arguments. If the program is one of the modules in
            :data:`PRELOADED`, the fork server of :mod:`multiprocessing` runs it.
        :param env: all environment variables of the program; by default the variables of this process.
        """
        self._command = " ".join(str(word) for word in argv)
        self._output = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - terminate() closes it
        self._process: subprocess.Popen[bytes] | _ForkedModule
        try:
            if argv[0] in PRELOADED:
                self._process = _ForkedModule([str(word) for word in argv], cwd, env, self._log.fileno())
                return
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )
        except OSError:
            self._log.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or None while the process runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """The output of the process so far, from standard output and standard error."""
        if not self._log.closed:
            # The child process shares the offset of the file with this process. pread does not change the offset.
            size = os.fstat(self._log.fileno()).st_size
            self._output = os.pread(self._log.fileno(), size, 0).decode(errors="replace")
        return self._output

    def wait_for_port(self, port_file: Path, timeout: float = HANG_SECONDS) -> int:
        """Wait until the child process has written its port to `port_file`, and return the port.

        :raises ProcessFailed: if the child process ends without writing the port, or if `timeout` seconds have passed.
        """
        deadline = time.monotonic() + timeout
        while True:
            # The file may still be empty, because a program creates a file before it writes to the file.
            text = port_file.read_text().strip() if port_file.exists() else ""
            if text.isdigit():
                return int(text)
            if self.returncode is not None:
                raise self._failure(f"ended with {self.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """Send SIGTERM to the child process, and wait for its end. After a timeout, send SIGKILL."""
        if self.returncode is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _unused = self.output  # stores the output, because a test may read it after the log is closed
        self._log.close()

    def _failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self._command}\n{what}. It printed:\n{self.output or '(nothing)'}")


@contextmanager
def running(
    argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[ChildProcess]:
    """Start a child process, and end it at the end of the block."""
    child = ChildProcess(argv, cwd=cwd, env=env)
    try:
        yield child
    finally:
        child.terminate()
