# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Child processes of tests: start them, wait for them with a timeout, and end them by their own id."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 240.0  # beside a load of 85, a simulator took more than 60 s; a child that ends is noticed at once
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

_PR_SET_PDEATHSIG = 1
_PRCTL = (
    ctypes.CDLL(None).prctl if sys.platform == "linux" else None
)  # looked up here, because a forked child should do little


class ProcessFailed(AssertionError):
    """A child process that failed, with its output in the message."""


def _end_with_parent() -> None:
    """Ask the system, in the child, to end it when its parent ends.

    ansible-test forks for each test and ends the fork without a teardown of fixtures.
    """
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildProcess:
    """A running child process, whose output goes to a file so that it never blocks on a full pipe.

    Start it in a thread that lives as long as the child is needed, because Linux ends it with that thread.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `argv` with `env` as its whole environment, or with that of this process for `None`."""
        self._command = " ".join(str(word) for word in argv)
        self._output = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - terminate() closes it
        try:
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
        """The id of the process."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or `None` while the process runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """The output of the process so far, of both streams."""
        if not self._log.closed:
            # pread does not move the offset, which the child shares with this process.
            size = os.fstat(self._log.fileno()).st_size
            self._output = os.pread(self._log.fileno(), size, 0).decode(errors="replace")
        return self._output

    def wait_for_port(self, port_file: Path, timeout: float = START_SECONDS) -> int:
        """Wait until the child writes its port to `port_file`, and return the port.

        :raises ProcessFailed: if the child ends before, or is not ready within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            # A child may create the file before it writes the number.
            text = port_file.read_text().strip() if port_file.exists() else ""
            if text.isdigit():
                return int(text)
            if self.returncode is not None:
                raise self._failure(f"ended with {self.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """End the child with SIGTERM, or with SIGKILL if it does not end in time, and wait for it."""
        if self.returncode is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _unused = self.output  # stores the output, which a test may read after the end
        self._log.close()

    def _failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self._command}\n{what}. It printed:\n{self.output or '(nothing)'}")


@contextmanager
def running(
    argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[ChildProcess]:
    """Run a child process until the end of the block."""
    child = ChildProcess(argv, cwd=cwd, env=env)
    try:
        yield child
    finally:
        child.terminate()
