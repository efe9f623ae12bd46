# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Child processes that a test owns: started, awaited within bounds, and ended by their own id."""

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

START_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None  # found here: the child must do little


class ProcessFailed(AssertionError):
    """A child process did not do what the test needs; the message carries all it printed."""


def _end_with_parent() -> None:
    """Runs in the child: ask the system for an end when the process that started it is gone.

    ansible-test forks for each test and ends that without a farewell, so no fixture is torn down there.
    """
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildProcess:
    """One running child. What it prints goes to a file, so that it never blocks on a full pipe.

    Start it in a thread that lasts as long as it is needed: Linux ends it with the thread that started it.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `argv`; `env` is the whole environment, `None` stands for that of this process."""
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
        """How the process ended, `None` while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What the process has printed so far, on either of its streams."""
        if not self._log.closed:
            # pread leaves the offset alone, which the child shares with us.
            size = os.fstat(self._log.fileno()).st_size
            self._output = os.pread(self._log.fileno(), size, 0).decode(errors="replace")
        return self._output

    def wait_for_port(self, port_file: Path, timeout: float = START_SECONDS) -> int:
        """The port that the child writes to `port_file` when it is ready to serve.

        Raises ProcessFailed when the child ends before, or is not ready in `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            # The file counts as soon as it holds a number: a child may create it before it fills it.
            text = port_file.read_text().strip() if port_file.exists() else ""
            if text.isdigit():
                return int(text)
            if self.returncode is not None:
                raise self._failure(f"ended with {self.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """End the child: asked first, then killed, and in both cases waited for."""
        if self.returncode is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _unused = self.output  # keep what it printed, a test may ask after the end
        self._log.close()

    def _failure(self, what: str) -> ProcessFailed:
        return ProcessFailed(f"{self._command}\n{what}. It printed:\n{self.output or '(nothing)'}")


@contextmanager
def running(
    argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[ChildProcess]:
    """A child process that lives as long as the block."""
    child = ChildProcess(argv, cwd=cwd, env=env)
    try:
        yield child
    finally:
        child.terminate()
