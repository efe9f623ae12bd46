# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run tasks and inventories in this process, kill them in forked processes, and run playbooks in real processes.

This file imports the collection, so it must be imported after the clock is replaced.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from support.killing import running_play
from support.playbooks import run_playbook
from support.soak.clock import Clock

LAST_KILLED_REQUESTS = (4, 10, 45)
"""A killed run ends at one of its first requests. The larger numbers also reach the writes of longer runs."""
SHIFT = """
import os, time
_real = time.time
time.time = lambda: _real() + float(os.environ["SOAK_SHIFT"])
"""
"""The code that shifts the clock of a process of ansible-playbook to that of the cloud, before anything reads it."""

COLLECTION = "meshfleet.particle"
Options = Mapping[str, Any]
Tasks = Sequence[tuple[str, Options]]


class Controller:
    """A controller whose tasks share a home folder, logins, locks and the request budget.

    :param home: the home folder. The settings of the account are in the environment of this process.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home, self._clock = home, clock
        self._temporary = Path(constants.DEFAULT_LOCAL_TMP)
        (home / "shift").mkdir()
        (home / "shift" / "sitecustomize.py").write_text(SHIFT)

    def run_task(self, module: str, options: Options) -> dict[str, Any]:
        """Run a task in this process by the action plugin of its module, and return the result."""
        try:
            return dict(_build_action(module, options).run(task_vars={}))
        finally:
            self._end_playbook()

    def read_inventory(self, file: Path) -> list[str]:
        """Read an inventory file in this process, and return the names of the hosts."""
        try:
            inventory = InventoryManager(loader=DataLoader(), sources=[str(file)])
            return sorted(inventory.hosts)
        finally:
            self._end_playbook()

    def _end_playbook(self) -> None:
        """Do what happens in Ansible when a task and its playbook end."""
        for path in self._temporary.iterdir():
            path.unlink()
        # Each task of a playbook has a process of its own, so its record of the warnings ends with it.
        Display()._warns.clear()
        Display()._deprecations.clear()

    def kill_task(self, module: str, options: Options, random: Random) -> bool:
        """Run a task in a forked process that is killed at a random request. Return False if the task ended before.

        The request at which the process is killed reaches the cloud or not.
        """
        number, is_sent = _choose_request(random), random.random() < 0.5
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                _die_at_request(number, is_sent=is_sent)
                _build_action(module, options).run(task_vars={})
            os._exit(0)
        _unused, status = os.waitpid(child, 0)
        self._clock.follow_cloud()
        self._end_playbook()
        return os.WIFSIGNALED(status)

    def run_play(self, tasks: Tasks) -> list[str]:
        """Run tasks in a play of a real ansible-playbook, and return the error codes of those that have failed."""
        run = run_playbook(_build_play(tasks), env=self._build_environment(), fresh=True)
        codes = [task.result.get("error", {}).get("code", "") for task in run.tasks if task.status == "failed"]
        return codes or ([] if run.rc == 0 else [f"ansible-playbook {run.rc}"])

    def kill_play(self, tasks: Tasks, cloud_requests: Any, random: Random) -> bool:
        """Kill a real ansible-playbook after a random number of requests. Return False if it ended before.

        :param cloud_requests: returns how many requests the cloud has received.
        """
        last = cloud_requests() + _choose_request(random)
        with running_play(_build_play(tasks), self._home, self._build_environment()) as play:
            play.wait_until(lambda: cloud_requests() >= last)
            return not play.ended

    def _build_environment(self) -> dict[str, str]:
        shared = {name: value for name, value in os.environ.items() if name.startswith(("PARTICLE_", "XDG_"))}
        real = time.clock_gettime(time.CLOCK_REALTIME)
        shift = {"SOAK_SHIFT": str(self._clock() - real), "PYTHONPATH": str(self._home / "shift")}
        return {**shared, **shift, "HOME": str(self._home)}


def _choose_request(random: Random) -> int:
    return random.randint(1, random.choice(LAST_KILLED_REQUESTS))


def _build_action(module: str, options: Options) -> Any:
    loader = DataLoader()
    (play,) = json.loads(json.dumps(_build_play([(module, options)])))
    task = Play.load(play, loader=loader).tasks[0].block[0]
    context = PlayContext()
    connection = connection_loader.get("local", context, os.devnull)
    return action_loader.get(
        f"{COLLECTION}.{module}",
        task=task,
        connection=connection,
        play_context=context,
        loader=loader,
        templar=Templar(loader),
        shared_loader_obj=None,
    )


def _build_play(tasks: Tasks) -> list[dict[str, Any]]:
    listed = [{f"{COLLECTION}.{module}": dict(options)} for module, options in tasks]
    return [{"hosts": "localhost", "gather_facts": False, "tasks": listed}]


def _die_at_request(number: int, *, is_sent: bool) -> None:
    """Let this process kill itself at a request, as the kernel kills a process: without any cleanup."""
    send, count = Http.send, itertools.count(1)

    def send_or_die(http: Http, request: Request) -> Response:
        if next(count) != number:
            return send(http, request)
        if is_sent:
            send(http, request)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    Http.send = send_or_die  # type: ignore[assignment,method-assign]
