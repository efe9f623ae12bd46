# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the progress of a run: visible on terminals and standard error, absent from output for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for
from support.simulator import Simulator, running_simulator

PROGRESS = re.compile(
    r"(?P<done>[\d,]+)/(?P<total>[\d,]+) \| [\d.]+/s \| ETA (-|\d+:\d\d:\d\d) \| \d+ failed \| \d+ % of budget"
)
SHORT, LONG = 60, 160
"""Numbers of devices: sequential writes to them take more than two seconds, or more than one line interval."""

ACCOUNT = ("canary@example.com", "cana-ry-pass-4410")
JOIN_KEY = "join-key-canary-77ab"


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(json.dumps([dict(zip(("username", "password"), ACCOUNT, strict=True))]))
    with running_simulator("--fleet", str(LONG), "--latency", "20", "--accounts", str(accounts)) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


def provision(
    cloud: Simulator,
    size: int = SHORT,
    *args: str,
    terminal: bool = True,
    env: dict[str, str] | None = None,
    task: dict[str, Any] | None = None,
    **options: Any,
) -> PlaybookRun:
    manifest = manifest_for(cloud)
    manifest["devices"] = manifest["devices"][:size]
    manifest["networks"]["barn"] = {"parameters": {"join_key": JOIN_KEY}}
    fleet = {"manifest": manifest, "workers": 1, "result": "failed", **options}
    tasks = [{"name": TASK, "meshfleet.particle.fleet": fleet, **(task or {})}]
    return run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        env={**cloud_environment(cloud.url, *ACCOUNT), **(env or {})},
        args=args,
        terminal=terminal,
    ).succeeded()


def render_screen(sent: str) -> list[str]:
    """Return the lines that a terminal shows at the end of the output."""
    shown = []
    for line in sent.split("\n"):
        cells: list[str] = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        shown.append("".join(cells).rstrip())
    return shown


def test_terminal_shows_one_line_that_is_updated_and_finally_removed(cloud: Simulator) -> None:
    run = provision(cloud)
    lines = [found for part in run.stdout.split("\r") if (found := PROGRESS.match(part.strip()))]
    done = [int(found["done"]) for found in lines]
    assert len(done) >= 2, run.stdout
    assert done == sorted(done)
    assert {found["total"] for found in lines} == {str(SHORT)}
    shown = render_screen(run.stdout)
    assert not any(PROGRESS.search(line) for line in shown)
    assert "changed: [localhost]" in shown


def test_without_terminal_progress_lines_go_to_standard_error_only(cloud: Simulator, tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    run = provision(cloud, LONG, terminal=False, env={"ANSIBLE_LOG_PATH": str(log)})
    lines = [line for line in run.stderr.splitlines() if line and "is new" not in line]  # a warning is no progress
    assert lines
    # Progress lines contain only numbers and fixed words: no name, id, address or secret.
    assert all(PROGRESS.fullmatch(line) for line in lines), run.stderr
    assert not PROGRESS.search(run.stdout)
    assert not PROGRESS.search(log.read_text())


@pytest.mark.parametrize(
    ("options", "task", "args"),
    [
        pytest.param({"progress": False}, {}, (), id="progress is false", marks=pytest.mark.only_full),
        pytest.param({}, {"no_log": True}, (), id="no_log"),
        pytest.param({}, {}, ("--check",), id="check mode", marks=pytest.mark.only_full),
    ],
)
def test_silent_run_shows_no_progress(
    cloud: Simulator, options: dict[str, Any], task: dict[str, Any], args: tuple[str, ...]
) -> None:
    run = provision(cloud, SHORT, *args, task=task, **options)
    assert not PROGRESS.search(run.stdout)


def test_terminal_output_for_a_program_contains_no_progress(cloud: Simulator, tmp_path: Path) -> None:
    # Like ansible-runner and the JSON callbacks: one document at the end, and both streams are read together.
    (tmp_path / "json.py").write_text(
        "from ansible.plugins.callback import CallbackBase\n"
        "DOCUMENTATION = '''\nname: json\ntype: stdout\nshort_description: x\ndescription: [x]\n'''\n"
        "class CallbackModule(CallbackBase):\n"
        "    CALLBACK_TYPE, CALLBACK_NAME = 'stdout', 'json'\n"
        "    def v2_playbook_on_stats(self, stats):\n"
        "        self._display.display('{\"hosts\": %d}' % len(stats.processed))\n"
    )
    plugins = Path(__file__).resolve().parents[1] / "support" / "callback_plugins"
    env = {"ANSIBLE_STDOUT_CALLBACK": "json", "ANSIBLE_CALLBACK_PLUGINS": f"{tmp_path}:{plugins}"}
    run = provision(cloud, env=env)
    assert json.loads(run.stdout) == {"hosts": 1}


def test_progress_contains_no_secret_and_no_name(cloud: Simulator) -> None:
    run = provision(cloud, SHORT, "-vvvv")
    assert PROGRESS.search(run.stdout)
    progress = "\n".join(part for part in re.split("[\r\n]", run.stdout) if PROGRESS.search(part))
    for secret in (*ACCOUNT, JOIN_KEY, "barn-", cloud.url):
        assert secret not in progress
    assert not re.search(r"[0-9a-f]{24}", progress)
    assert ACCOUNT[1] not in run.stdout
