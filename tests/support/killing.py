# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Start plays with `ansible-playbook`, and kill their processes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.playbooks import ansible_environment
from support.processes import HANG_SECONDS

PAUSE_SECONDS = 0.005
"""The pause between two looks at a play. A kill may come this long after the moment that a test waits for."""


class RunningPlay:
    """A running `ansible-playbook`: the controlling process and its forked worker processes.

    Each worker is in its own session.
    """

    def __init__(self, plays: Sequence[Mapping[str, Any]], home: Path, env: Mapping[str, str]) -> None:
        """Start the `plays` with `home` as the home folder. Plays with the same `home` share the stored state."""
        file = home / "play.yml"
        file.write_text(json.dumps(list(plays)), encoding="utf-8")
        self._log = home / "output"
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).parent / "ansible-playbook"), str(file)],
                env=ansible_environment(home, env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """True if the controlling process has ended."""
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        """The output of the play so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait until `reached` returns True or the play has ended.

        :raises AssertionError: after a timeout.
        """
        end = time.monotonic() + HANG_SECONDS
        while not reached() and not self.ended:
            assert time.monotonic() < end, (
                f"the play did not reach the expected state within {HANG_SECONDS:g} s:\n{self.output}"
            )
            time.sleep(PAUSE_SECONDS)

    def kill(self) -> None:
        """Kill the controlling process and all workers, and wait until they have ended."""
        with self._workers() as workers:
            for pidfd in workers:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            self._process.kill()
            self._process.wait(HANG_SECONDS)
            _wait_for_end(workers)

    @contextmanager
    def orphaned(self) -> Iterator[None]:
        """Kill only the controlling process. At the end of the block, check that the workers end by themselves."""
        with self._workers() as workers:
            assert workers, "the play must have a worker that outlives the controlling process"
            self._process.kill()
            self._process.wait(HANG_SECONDS)
            yield
            _wait_for_end(workers)

    @contextmanager
    def _workers(self) -> Iterator[list[int]]:
        """Suspend the controlling process, and yield a process file descriptor (pidfd) for each worker.

        A suspended process cannot fork more workers. Unlike a process id, a pidfd always refers to the same process.
        """
        self._process.send_signal(signal.SIGSTOP)
        handles: list[int] = []
        try:
            for pid in [] if self.ended else _find_descendants(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    handles.append(os.pidfd_open(pid))
            yield handles
        finally:
            for handle in handles:
                os.close(handle)


def _find_descendants(pid: int) -> list[int]:
    """Return the ids of all processes that descend from a process."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The id of the parent is the second field after the name of the program. The name is in brackets, and may
            # itself contain spaces and brackets.
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(folder.name))
    found, waiting = list[int](), [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def _wait_for_end(handles: Sequence[int]) -> None:
    """Wait until all processes have ended.

    :raises AssertionError: after a timeout. The process that is still running is killed.
    """
    for handle in handles:
        ended, _unused, _unused = select.select([handle], [], [], HANG_SECONDS)
        if not ended:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            raise AssertionError(f"a worker still ran after {HANG_SECONDS:g} s")


@contextmanager
def running_play(plays: Sequence[Mapping[str, Any]], home: Path, env: Mapping[str, str]) -> Iterator[RunningPlay]:
    """Start the `plays`. At the end of the block, kill the processes that are still running."""
    play = RunningPlay(plays, home, env)
    try:
        yield play
    finally:
        play.kill()
