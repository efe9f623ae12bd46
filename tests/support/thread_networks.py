# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Declare and reconcile Thread networks with simulated border routers, in the process of the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BackendRow
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.backend import ThreadBackend
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import BorderRouter
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import THREAD
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import reconcile_task
from support.otbr import BorderRouters

EUI64 = "18b4300000000001"
PSKD = "J01NME"
KEY = "00112233445566778899aabbccddeeff"
ROUTER = "http://127.0.0.1:8081"


def build_manifest(members: Mapping[str, str], *, urls: Iterable[str] = (ROUTER,), **network: Any) -> dict[str, Any]:
    """Return a manifest with network ``barn``.

    :param members: the joiner key of each member, keyed by EUI-64.
    :param network: further keys of the network.
    """
    routers = [{"url": url} for url in urls]
    return {
        "networks": {"barn": {"backend": "thread", "border_routers": routers, **network}},
        "devices": [{"eui64": eui64, "mesh": {"network": "barn", "joiner": pskd}} for eui64, pskd in members.items()],
    }


class Killed(BaseException):
    """The simulated end of a process. No code of the collection handles it."""


@dataclass
class ThreadRunner:
    """Reconciles manifests with simulated border routers whose clock stands still.

    While the collection waits, the simulated time passes.

    :ivar home: the folder in which the collection keeps its files.
    :ivar shown: all warnings and debug messages.
    :ivar now: the seconds that the collection has waited.
    :ivar before_wait: called before each wait.
    """

    otbr: BorderRouters
    home: Path
    shown: list[str] = field(default_factory=list)
    now: float = 0.0
    before_wait: Callable[[], None] = lambda: None

    def build_row(self) -> BackendRow:
        """Return the entry for the table of backends."""
        clock = Clock(self._sleep, lambda: self.now)
        environment = {"XDG_CACHE_HOME": str(self.home)}
        return BackendRow(THREAD, lambda: lambda options: ThreadBackend(options, environment, clock))

    def _sleep(self, seconds: float) -> None:
        self.before_wait()
        self.now += seconds
        self.otbr.advance(seconds)

    def run(self, data: Mapping[str, Any], *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """Return the result of reconciling a manifest."""
        options = {"verify": "online", "verify_timeout": 0, "verify_strict": False, **options}
        task = Task({"api_url": ROUTER, **options}, check_mode, self.shown.append, self.shown.append)
        task.environment = {"HOME": str(self.home)}
        return carry_out_work(task, lambda task: reconcile_task(task, read_manifest(data)))

    def run_until_killed(self, data: Mapping[str, Any], requests: int) -> bool:
        """Reconcile a manifest, and kill the process after a number of requests.

        :returns: whether the process was killed. A run that needs fewer requests ends by itself.
        """
        send, left = BorderRouter._send, itertools.count(requests, -1)

        def send_or_die(*arguments: Any, **named: Any) -> Any:
            if next(left) <= 0:
                raise Killed
            return send(*arguments, **named)

        with mock.patch.object(BorderRouter, "_send", send_or_die):
            try:
                self.run(data)
            except Killed:
                return True
        return False

    def put(self, url: str, body: str) -> int:
        """Send a PUT request as another program, and return the status of the response."""
        return requests.put(url, data=body, headers={"Accept": "application/json"}, timeout=30).status_code

    def list_states(self) -> dict[str, str]:
        """Return the true state of each node, keyed by EUI-64."""
        return {node["eui64"]: node["state"] for node in self.otbr.nodes()}

    def count_leftovers(self) -> int:
        """Return the number of joiner tasks at all border routers. Each of them shows the key of a device."""
        tasks = [task["type"] for router in self.otbr.routers() for task in router["tasks"]]
        return tasks.count("addThreadDeviceTask")
