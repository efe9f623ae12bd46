# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Playbooks run in a clean environment, and the result of each task is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.playbooks import ansible_environment, run_playbook

# Most other tests use these tools, so a fault of the tools is noticed without these tests.
pytestmark = pytest.mark.only_full

PLAYBOOK = """
- name: Try each way a task can end
  hosts: all
  gather_facts: false
  tasks:
    - name: Show {{ word }}
      ansible.builtin.debug:
        msg: "{{ {'word': word, 'list': [1, 2.5, true, none]} }}"
    - name: Change
      ansible.builtin.command: "true"
    - name: Skip
      ansible.builtin.debug:
      when: false
    - name: Hide
      ansible.builtin.set_fact:
        hidden: "{{ secret }}"
      no_log: true
    - name: Loop
      ansible.builtin.command: "echo {{ item }}"
      loop: [a, b]
      changed_when: false
    - name: Fail
      ansible.builtin.fail:
        msg: as told
      ignore_errors: "{{ go_on }}"
"""


def test_every_status_of_a_task_is_recorded() -> None:
    run = run_playbook(
        PLAYBOOK,
        args=["-i", "one,two", "-c", "local"],
        extra_vars={"word": "hello", "secret": "swordfish", "go_on": True},
    ).succeeded()

    assert {(task.task, task.host, task.status) for task in run.tasks} == {
        (name, host, status)
        for name, status in [
            ("Show hello", "ok"),
            ("Change", "changed"),
            ("Skip", "skipped"),
            ("Hide", "ok"),
            ("Loop", "ok"),
            ("Fail", "failed"),
        ]
        for host in ("one", "two")
    }
    assert run.task("Change", host="one").action == "ansible.builtin.command"
    assert run.result("Show hello", host="two")["msg"] == {"word": "hello", "list": [1, 2.5, True, None]}
    assert [item["stdout"] for item in run.result("Loop", host="one")["results"]] == ["a", "b"]
    assert run.result("Fail", host="one")["msg"] == "as told"
    assert "swordfish" not in json.dumps([task.result for task in run.tasks])
    assert "swordfish" not in run.output


def test_failed_play_returns_a_result() -> None:
    run = run_playbook(
        PLAYBOOK,
        args=["-i", "one,", "-c", "local"],
        extra_vars={"word": "hello", "secret": "swordfish", "go_on": False},
    )
    assert run.rc == 2
    with pytest.raises(AssertionError, match="as told"):
        run.succeeded()


def test_plays_can_be_data_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("found")
    task = {"name": "Read", "ansible.builtin.debug": {"msg": "{{ lookup('file', 'note.txt') }}"}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]

    as_data = run_playbook(plays, cwd=tmp_path).succeeded()
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]

    (tmp_path / "play.yml").write_text(json.dumps(plays))
    as_file = run_playbook(tmp_path / "play.yml").succeeded()

    assert as_data.result("Read")["msg"] == as_file.result("Read")["msg"] == "found"


def test_environment_of_the_caller_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTICLE_PASSWORD", "of-the-caller")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")

    clean = ansible_environment(tmp_path)
    assert not {"PARTICLE_PASSWORD", "HTTPS_PROXY", "ANSIBLE_STDOUT_CALLBACK"} & clean.keys()

    assert ansible_environment(tmp_path, {"PARTICLE_PASSWORD": "given"})["PARTICLE_PASSWORD"] == "given"


def test_playbook_can_print_to_a_terminal() -> None:
    task = {"name": "Change", "ansible.builtin.command": "true"}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    colours = {"ANSIBLE_NOCOLOR": "False", "TERM": "xterm"}
    yellow = "\x1b[0;33mchanged: [localhost]"  # for terminals only
    assert yellow in run_playbook(plays, env=colours, terminal=True).succeeded().stdout
    assert yellow not in run_playbook(plays, env=colours).succeeded().stdout


@pytest.mark.parametrize("terminal", [False, True])
def test_playbook_is_stopped_after_its_timeout(terminal: bool) -> None:
    task = {"name": "Sleep", "ansible.builtin.command": "sleep 600"}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    # How much the program has printed by then depends on the speed of the machine.
    with pytest.raises(AssertionError, match=r"did not end within 3 s\. It printed:"):
        run_playbook(plays, timeout=3, terminal=terminal)
