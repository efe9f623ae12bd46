# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Child processes are started, awaited within bounds, and ended."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.paths import TESTS
from support.processes import ChildProcess, ProcessFailed, running


def python(script: str, *words: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script), *map(str, words)]


SERVE = """
    import pathlib, sys, time
    print("getting ready", flush=True)
    pathlib.Path(sys.argv[1]).write_text("4711\\n")
    time.sleep(60)
"""


def test_the_port_is_what_the_child_wrote_to_its_file(tmp_path: Path) -> None:
    with running(python(SERVE, tmp_path / "port")) as child:
        assert child.wait_for_port(tmp_path / "port") == 4711
        assert child.output == "getting ready\n"
        assert child.returncode is None


def test_the_child_has_ended_after_the_block_and_its_output_is_kept(tmp_path: Path) -> None:
    with running(python(SERVE, tmp_path / "port")) as child:
        child.wait_for_port(tmp_path / "port")
    assert child.returncode is not None
    assert child.output == "getting ready\n"


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.processes.STOP_SECONDS", 0.1)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + textwrap.dedent(SERVE)
    with running(python(stubborn, tmp_path / "port")) as child:
        child.wait_for_port(tmp_path / "port")
    assert child.returncode == -9


def test_a_child_that_ends_too_early_fails_with_what_it_printed(tmp_path: Path) -> None:
    with (
        running(python("raise SystemExit('no such flag')")) as child,
        pytest.raises(ProcessFailed, match=r"ended with 1 before it was ready(.|\n)*no such flag"),
    ):
        child.wait_for_port(tmp_path / "port")


def test_a_child_that_is_never_ready_fails_in_bounded_time(tmp_path: Path) -> None:
    with (
        running(python("import time; time.sleep(60)")) as child,
        pytest.raises(ProcessFailed, match=r"was not ready after 0\.1 s"),
    ):
        child.wait_for_port(tmp_path / "port", timeout=0.1)


def test_a_program_that_does_not_exist_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess([tmp_path / "nothing"])


def test_a_child_ends_with_a_process_that_says_no_farewell() -> None:
    leaves = textwrap.dedent("""
        import os, sys
        from support.processes import ChildProcess
        print(ChildProcess([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
        os._exit(0)
    """)
    done = subprocess.run(
        [sys.executable, "-c", leaves], env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, check=True
    )
    assert ends(int(done.stdout), within=10)


def ends(pid: int, *, within: float) -> bool:
    """Return whether a process that is not a child ends within these seconds."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([end], [], [], within)[0])
    finally:
        os.close(end)
