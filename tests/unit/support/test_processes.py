# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Child processes are started, waited for with a timeout, and stopped."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.paths import TESTS
from support.processes import PRELOADED, ChildProcess, ProcessFailed, running


def build_command(script: str, *arguments: object) -> list[str]:
    """Return the command that runs a Python script."""
    return [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]


SERVE = """
    import pathlib, sys, time
    print("getting ready", flush=True)
    pathlib.Path(sys.argv[1]).write_text("4711\\n")
    time.sleep(60)
"""


def test_port_is_read_from_the_file_of_the_child(tmp_path: Path) -> None:
    with running(build_command(SERVE, tmp_path / "port")) as child:
        assert child.wait_for_port(tmp_path / "port") == 4711
        assert child.output == "getting ready\n"
        assert child.returncode is None


def test_child_is_stopped_and_its_output_is_kept_after_the_block(tmp_path: Path) -> None:
    with running(build_command(SERVE, tmp_path / "port")) as child:
        child.wait_for_port(tmp_path / "port")
    assert child.returncode is not None
    assert child.output == "getting ready\n"


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.processes.STOP_SECONDS", 0.1)
    ignoring_sigterm = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + textwrap.dedent(SERVE)
    with running(build_command(ignoring_sigterm, tmp_path / "port")) as child:
        child.wait_for_port(tmp_path / "port")
    assert child.returncode == -9


def test_child_that_ends_too_early_fails_with_its_output(tmp_path: Path) -> None:
    with (
        running(build_command("raise SystemExit('no such flag')")) as child,
        pytest.raises(ProcessFailed, match=r"ended with 1 before it was ready(.|\n)*no such flag"),
    ):
        child.wait_for_port(tmp_path / "port")


def test_module_that_ends_too_early_fails_with_its_output(tmp_path: Path) -> None:
    with (
        running([PRELOADED[0], "--no-such-flag"]) as child,
        pytest.raises(ProcessFailed, match=r"ended with 2 before it was ready(.|\n)*--no-such-flag"),
    ):
        child.wait_for_port(tmp_path / "port")


def test_module_has_its_own_arguments_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "41")  # the width of the help that argparse prints
    with running([PRELOADED[0], "--help"]) as child, pytest.raises(ProcessFailed, match="ended with 0"):
        child.wait_for_port(tmp_path / "port")
    assert "usage: particle-simulator" in child.output
    assert "[--port PORT] [--port-file F]" not in child.output  # in a narrow terminal, each is on a line of its own


def test_module_runs_in_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with running([PRELOADED[0], "--port=0", "--port-file=port"], cwd=tmp_path) as child:
        assert child.wait_for_port(tmp_path / "port") > 0
    monkeypatch.chdir(tmp_path)
    with running([PRELOADED[0], "--port=0", "--port-file=other-port"]) as child:
        assert child.wait_for_port(tmp_path / "other-port") > 0


def test_child_that_is_never_ready_fails_after_the_timeout(tmp_path: Path) -> None:
    with (
        running(build_command("import time; time.sleep(60)")) as child,
        pytest.raises(ProcessFailed, match=r"was not ready after 0\.1 s"),
    ):
        child.wait_for_port(tmp_path / "port", timeout=0.1)


def test_a_program_that_does_not_exist_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess([tmp_path / "nothing"])


@pytest.mark.parametrize(
    "command", ["[sys.executable, '-c', 'import time; time.sleep(60)']", "[PRELOADED[0], '--port=0']"]
)
def test_child_ends_when_its_parent_exits_without_cleanup(command: str) -> None:
    parent = textwrap.dedent(f"""
        import os, sys
        from support.processes import PRELOADED, ChildProcess
        print(ChildProcess({command}).pid, flush=True)
        os._exit(0)
    """)
    done = subprocess.run(
        [sys.executable, "-c", parent],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    assert wait_for_end(int(done.stdout), within=10)


def wait_for_end(pid: int, *, within: float) -> bool:
    """Return whether a process that is not a child of this one ends within these seconds."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([end], [], [], within)[0])
    finally:
        os.close(end)
