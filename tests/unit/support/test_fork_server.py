# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A program from the fork server behaves like the same program in a fresh process."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipimport import zipimporter

import pytest
from ansible.executor.module_common import _CachedModule

from support.fork_server import ForkServer, ForkServerEnded, can_be_forked, fork_server
from support.paths import TESTS
from support.playbooks import ansible_environment
from support.programs import program_path, run_program
from support.settings import read_settings

# Most other tests use these tools, so a fault of the tools is noticed without these tests.
pytestmark = pytest.mark.only_full

SECONDS = 120.0

PLAY = """
- name: Show what a run knows of itself
  hosts: all
  gather_facts: false
  module_defaults: {setup: {gather_subset: ["!all", "!min"]}}
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "{{ word | default('unsaid') }} {{ lookup('ansible.builtin.env', 'WORD') }} {{ ansible_check_mode }} grün"
    - name: Look around
      ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.pipe', 'pwd; echo $HOME; umask; locale 2>/dev/null | sort') }}"
    - name: Skip
      ansible.builtin.debug:
      when: false
    - name: Repeat
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: [a, b]
      changed_when: true
    - name: Show settings
      ansible.builtin.debug:
        msg: "{{ query('ansible.builtin.config', 'DEFAULT_FORKS', 'DEFAULT_ROLES_PATH', 'COLLECTIONS_PATHS') }}"
    - name: Run a module
      ansible.builtin.command: "sh -c 'echo $WORD'"
      when: module | default(false)
    - name: Fail
      ansible.builtin.fail:
        msg: as asked
      when: fails | default(false)
"""

ACTION = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"msg": "from the folder of the playbook", **super().run(tmp, task_vars)}
"""
FACTS_PLAY = """
- hosts: all
  module_defaults: {setup: {gather_subset: ["!all", "!min"]}}
  tasks: [{debug: {msg: "{{ ansible_facts.keys() | sort }}"}}]
"""
COLLECTION_PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Call a module with a mistake
      meshfleet.particle.device_info:
        product: 3
      ignore_errors: true
    - name: Call a module of another collection
      beside.playbook.own_action:
    - name: Call a role
      ansible.builtin.include_role:
        name: meshfleet.particle.provision
"""
ACTION_PLAY = "- hosts: all\n  gather_facts: false\n  tasks: [{own_action: {}}]\n"


QUICK = "[defaults]\ngathering = explicit\n"
PLAIN = ("-i", "one,two", "-c", "local", "play.yml")
MODULE = ("-e", '{"module": true}', *PLAIN)


@dataclass(frozen=True)
class Situation:
    """A run of a program with settings from one of the sources that Ansible reads.

    :param arguments: the arguments of the program.
    :param env: variables to add to the environment.
    :param config: the text of ansible.cfg; by default, the file of all tests.
    :param files: the files to write into the working directory.
    """

    name: str
    arguments: tuple[str, ...] = PLAIN
    env: Mapping[str, str] = field(default_factory=dict)
    config: str | None = None
    files: Mapping[str, str] = field(default_factory=lambda: {"play.yml": PLAY})
    program: str = "ansible-playbook"


BESIDE = "collections/ansible_collections/beside/playbook/plugins/action/own_action.py"
OTHER_FOLDERS = {"play.yml": ACTION_PLAY, "elsewhere/own_action.py": ACTION}
SITUATIONS = [
    Situation("usual settings"),
    Situation("a module", MODULE),
    Situation("a collection beside the playbook", files={"play.yml": COLLECTION_PLAY, BESIDE: ACTION}),
    Situation("an inventory", ("-i", "hosts.yml", "--graph"), files={"hosts.yml": "all: {hosts: {a: , b: }}"},
              program="ansible-inventory"),
    Situation("no settings", config=""),
    Situation("facts", files={"play.yml": FACTS_PLAY}),
    Situation("variables and a failure", ("-e", "word=given", "-e", '{"fails": true}', *PLAIN)),
    Situation("a stdout callback from the environment", env={"ANSIBLE_STDOUT_CALLBACK": "minimal"}),
    Situation("a stdout callback from the configuration", config=f"{QUICK}stdout_callback = oneline\n"),
    Situation("colours", env={"ANSIBLE_NOCOLOR": "", "ANSIBLE_FORCE_COLOR": "1", "ANSIBLE_COLOR_CHANGED": "purple"}),
    Situation("a log in another time zone", env={"ANSIBLE_LOG_PATH": "run.log", "TZ": "Asia/Kathmandu"}),
    Situation("plugins beside the playbook", files={"play.yml": ACTION_PLAY, "action_plugins/own_action.py": ACTION}),
    Situation("a broken playbook", files={"play.yml": "- hosts: all\n  tasks: [{debug: {msg: 'x'}, name: [}]\n"}),
    Situation("no collection", ("meshfleet.particle.provision",), env={"ANSIBLE_COLLECTIONS_PATH": "nowhere"}),
    Situation("very verbose", ("-vvv", *PLAIN)),
    Situation("a start at a task", ("--start-at-task", "Repeat", *PLAIN)),
    Situation("a result format", env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}),
    Situation("skipped hosts hidden", config=f"{QUICK}display_skipped_hosts = false\n"),
    Situation("another strategy", ("-e", '{"fails": true}', *PLAIN), config=f"{QUICK}strategy = free\nforks = 1\n"),
    Situation("errors are fatal", ("-e", '{"fails": true}', *PLAIN), env={"ANSIBLE_ANY_ERRORS_FATAL": "1"}),
    Situation("results hidden", env={"ANSIBLE_NO_LOG": "1"}),
    Situation("plugins elsewhere", env={"ANSIBLE_ACTION_PLUGINS": "elsewhere"}, files=OTHER_FOLDERS),
    Situation("no playbook", ("-i", "one,", "missing.yml")),
    Situation("an unknown option", ("--no-such-option", "play.yml")),
    Situation("a file that is no inventory", ("-i", "hosts.yml", "--list"), files={"hosts.yml": "{"},
              program="ansible-inventory"),
    Situation("a configuration", config=f"{QUICK}forks = 7\n"),
    Situation("a module in an environment", MODULE, env={"WORD": "from the environment"}),
    Situation("check mode", ("--check", "--diff", *MODULE)),
    Situation("the version", ("--version",)),
    Situation("plugins missing", files={"play.yml": ACTION_PLAY}),
]  # fmt: skip
"""Situations for a full run: other sources of settings, and other results."""


def run_situation(situation: Situation, folder: Path, *, fresh: bool) -> dict[str, Any]:
    """Run the program in a folder and return what a user sees, without the values that differ between any two runs."""
    work, home = folder / "work", folder / "home"
    for name, text in situation.files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    home.mkdir()
    env = ansible_environment(home, situation.env)
    if situation.config is not None:
        env["ANSIBLE_CONFIG"] = str(home / "ansible.cfg")
        (home / "ansible.cfg").write_text(situation.config)
    run = run_program(
        [program_path(situation.program), *situation.arguments], env=env, cwd=work, timeout=SECONDS, fresh=fresh
    )
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    return {
        "rc": run.rc,
        "stdout": normalize_output(run.stdout, folder),
        "stderr": normalize_output(run.stderr, folder),
        "files": {name: normalize_output(path.read_text(), folder) for name, path in files.items()},
    }


def normalize_output(text: str, folder: Path) -> list[str]:
    """Return the lines of an output, sorted, without the paths, ids and times of its run.

    Each heading is returned once, because the free strategy repeats it when the results of two tasks alternate. The
    hosts of an included role are sorted, because Ansible names them in the order in which their results arrive.
    """
    text = text.replace(str(folder), "FOLDER")
    if text.startswith('{"host": '):  # the record of results, whose keys have no fixed order
        text = "\n".join(json.dumps(json.loads(line), sort_keys=True) for line in text.splitlines())
    for pattern, replacement in (
        (r"ansible-(local|tmp)-[\w.-]+", "TEMPORARY"),
        (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]\d+", "TIME"),
        (r"\b\d:\d\d:\d\d\.\d+", "DURATION"),
        (r"\b(p=|pid=|<)\d+", r"\1PID"),
        (r"\b[0-9a-f]{32,40}\b|0x[0-9a-f]+|tmp\w{8}", "ID"),
        (r'"(ctime|mtime|atime|inode|size|uid|gid)": [\d.]+', r'"\1": N'),
    ):
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"(?m)^(included: .* for )(.*)$", lambda found: found[1] + sort_hosts(found[2]), text)
    lines = text.splitlines()
    headings = {line for line in lines if line.startswith("TASK [")}
    return sorted([*headings, *(line for line in lines if line not in headings)])


def sort_hosts(hosts: str) -> str:
    """Return a list of hosts, written as `two, one`, in alphabetical order."""
    return ", ".join(sorted(hosts.split(", ")))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_forked_run_shows_the_same_as_a_fresh_run(situation: Situation, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    (tmp_path / "forked").mkdir()
    fresh = run_situation(situation, tmp_path / "fresh", fresh=True)
    forked = run_situation(situation, tmp_path / "forked", fresh=False)
    assert forked == fresh
    assert forked["stdout"] or forked["stderr"]


# --- the server itself ---


def write_playbook(folder: Path, shell: str) -> Path:
    """Write a playbook that runs one shell command."""
    path = folder / "play.yml"
    path.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.shell": shell}]}])
    )
    return path


def start_playbook(server: ForkServer, folder: Path, shell: str, output: Path, **env: str) -> Any:
    """Start a playbook on `server` that runs one shell command and prints to `output`."""
    argv = [program_path("ansible-playbook"), str(write_playbook(folder, shell))]
    with output.open("wb") as stream:
        handle = stream.fileno()
        return server.start(argv, env=ansible_environment(folder, env), cwd=folder, stdout=handle, stderr=handle)


@pytest.fixture(scope="module", params=["plain", "prepared"])
def server(request: pytest.FixtureRequest) -> Any:
    """Start a fork server for all tests that leave it running."""
    server = ForkServer(read_settings() if request.param == "prepared" else None)
    yield server
    server.close()


def test_parallel_runs_are_isolated_from_each_other(server: ForkServer, tmp_path: Path) -> None:
    def run(number: int) -> tuple[int, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start_playbook(server, folder, "echo $WORD > word", folder / "output", WORD=f"word {number}")
        return process.wait(SECONDS), (folder / "word").read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [(0, f"word {number}\n") for number in range(4)]


def test_threads_share_one_server() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
from support.fork_server import fork_server
from support.settings import read_settings
with ThreadPoolExecutor(8) as pool:
    print(len({future.result().pid for future in [pool.submit(fork_server, read_settings()) for _ in range(8)]}))
fork_server(read_settings()).close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout == "1\n"


def test_wait_gives_up_after_its_timeout_and_can_be_repeated(server: ForkServer, tmp_path: Path) -> None:
    process = start_playbook(server, tmp_path, "sleep 1", tmp_path / "output")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.wait(SECONDS) == 0


def test_process_that_is_killed_has_a_negative_status(server: ForkServer, tmp_path: Path) -> None:
    process = start_playbook(server, tmp_path, "sleep 60", tmp_path / "output")
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(SECONDS) == -signal.SIGKILL


def test_program_reads_nothing_from_standard_input(server: ForkServer, tmp_path: Path) -> None:
    process = start_playbook(server, tmp_path, "cat", tmp_path / "output")
    assert process.wait(SECONDS) == 0


def test_wait_fails_when_the_server_has_ended(tmp_path: Path) -> None:
    server = ForkServer()
    process = start_playbook(server, tmp_path, "sleep 60", tmp_path / "output")
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ForkServerEnded):
        process.wait(SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    server.close()


def test_server_ends_with_the_process_that_started_it() -> None:
    code = "import os; from support.fork_server import fork_server; fork_server({}); os._exit(0)"
    # The server has the same standard output, which ends when no process keeps it open.
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("argv", "more"),
    [
        (["/usr/bin/ansible-galaxy"], {}),
        (["/usr/bin/ansible-playbook"], {"PYTHONPATH": "/elsewhere"}),
        (["/usr/bin/ansible-playbook"], {"LC_ALL": "C"}),
        (["/usr/bin/ansible-playbook"], {"LD_PRELOAD": "/lib/x.so"}),
    ],
)
def test_other_programs_and_startup_variables_need_a_fresh_process(argv: list[str], more: dict[str, str]) -> None:
    env = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    assert can_be_forked(["/usr/bin/ansible-playbook"], env)
    assert not can_be_forked(argv, {**env, **more})


def test_settings_that_occur_again_get_a_prepared_server(tmp_path: Path) -> None:
    def choose(**more: str) -> int:
        return fork_server(ansible_environment(tmp_path, more)).pid

    usual = choose()
    assert choose(PARTICLE_API_URL="http://127.0.0.1:1", HOME="/elsewhere") == usual
    plain = choose(ANSIBLE_FORKS="1")
    assert plain != usual
    assert {choose(ANSIBLE_NOCOWS="0"), choose(NO_COLOR="1"), choose(ANSIBLE_FORKS="2")} == {plain}
    prepared = choose(ANSIBLE_FORKS="1")
    assert prepared not in (usual, plain)
    assert choose(ANSIBLE_FORKS="1") == prepared


@pytest.mark.parametrize("settings", [read_settings(), None], ids=["prepared", "plain"])
def test_only_packed_modules_of_ansible_are_shared(tmp_path: Path, settings: dict[str, str] | None) -> None:
    server = ForkServer(settings, tmp_path / "packed")
    (tmp_path / "library").mkdir()
    own = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}).exit_json()\n"
    (tmp_path / "library" / "own_module.py").write_text(own)
    play = tmp_path / "play.yml"
    play.write_text("- hosts: localhost\n  gather_facts: false\n  tasks: [command: 'true', own_module: ]\n")
    env = ansible_environment(tmp_path)
    for _run in range(2):
        with (tmp_path / "output").open("wb") as stream:
            output = stream.fileno()
            argv = [program_path("ansible-playbook"), str(play)]
            process = server.start(argv, env=env, cwd=tmp_path, stdout=output, stderr=output)
        assert process.wait(SECONDS) == 0
    server.close()
    (shared,) = (path for path in (tmp_path / "packed").rglob("*") if path.is_file())
    assert shared.name.startswith("ansible.modules.command-")
    # A module that Python has to compile again would have the full path of the archive as its file name.
    content = tmp_path / "content.zip"
    content.write_bytes(base64.b64decode(_CachedModule.load(str(shared)).zip_data))
    assert zipimporter(str(content)).get_code("ansible/modules/command").co_filename == "ansible/modules/command.py"


def test_prepared_server_leaves_no_temporary_files(tmp_path: Path) -> None:
    settings = {**read_settings(), "ANSIBLE_HOME": str(tmp_path / "ansible")}
    server = ForkServer(settings)
    find = "ls -d $ANSIBLE_HOME/tmp/*"
    process = start_playbook(server, tmp_path, f"{find} > found", tmp_path / "output", **settings)
    assert process.wait(SECONDS) == 0
    server.close()
    (own,) = (tmp_path / "found").read_text().split()
    assert str(process.pid) in own
    assert list((tmp_path / "ansible" / "tmp").iterdir()) == []
