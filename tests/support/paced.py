# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the engine for a fleet that is so large that the run must wait for the rate limits of the cloud.

The waits take no real time, because the engine and the simulator share a clock that is moved forward by each wait.
"""

from __future__ import annotations

import math
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DOCUMENTED_LIMITS,
    EVERY_ROUTE,
    Allowance,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._http.usage import Usage
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from support.plays import manifest_for
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

LIMIT = DOCUMENTED_LIMITS[EVERY_ROUTE]
TIMEOUT_SECONDS = 60
REQUESTS_PER_CONNECTION = 100
"""So few requests and their responses fit into the buffers of a connection."""


class SharedClock:
    """A clock that the HTTP client and the simulator share.

    The clock advances only while every thread that is sending a request waits in `sleep`. Otherwise the clock could
    advance by minutes before a request reaches the simulator.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._address = f"{simulator.url}/_simulator/clock"
        self._started = simulator.now()
        self._turned = 0.0
        self._changed = threading.Condition()
        self._working = 0
        self._sleeping: Counter[float] = Counter()

    def __call__(self) -> float:
        return self._started + self._turned

    def work(self, more: int) -> None:
        """Change the number of threads that are sending requests.

        :param more: 1 when a thread begins to send a request, -1 when a thread has finished.
        """
        with self._changed:
            self._working += more
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait until this clock has advanced by a number of seconds.

        If all threads that send requests wait in `sleep`, the thread whose wait ends first advances the clock.
        """
        end = self() + seconds
        with self._changed:
            self._sleeping[end] += 1
            self._changed.notify_all()
            while self() < end:
                if self._sleeping.total() == self._working and end == min(self._sleeping):
                    self._turn(end - self())
                else:
                    assert self._changed.wait(TIMEOUT_SECONDS), "no thread works, and none advances the clock"
            self._sleeping[end] -= 1
            self._sleeping += Counter()  # drops counts of zero
            self._changed.notify_all()

    def _turn(self, seconds: float) -> None:
        if seconds > 0:
            requests.post(self._address, json={"advance": seconds}, timeout=TIMEOUT_SECONDS).raise_for_status()
            self._turned += seconds


class CountedHttp(Http):
    """An HTTP client that reports to the shared clock how many threads are sending requests."""

    def __init__(self, api_url: str, budget: Budget, shared_clock: SharedClock) -> None:
        super().__init__(
            Connection(api_url, timeout=TIMEOUT_SECONDS), budget=budget, clock=Clock(shared_clock.sleep, shared_clock)
        )
        self._shared_clock = shared_clock

    def send(self, request: Request) -> Response:
        self._shared_clock.work(1)
        try:
            return super().send(request)
        finally:
            self._shared_clock.work(-1)


class RecordingBudget(Budget):
    """A request budget that records in `moments` the time at which each request was allowed."""

    def __init__(self, clock: SharedClock, **options: Any) -> None:
        super().__init__(clock=clock, **options)
        self._now = clock
        self.moments: list[float] = []

    def take_place(self, route: str, waited: float = 0.0) -> float:
        delay = super().take_place(route, waited)
        if delay == 0:
            self.moments.append(self._now())
        return delay


@dataclass(frozen=True)
class PacedRun:
    """The results of a run.

    :ivar result: the result of the engine.
    :ivar usage: the client's counters of requests.
    :ivar stats: the counters of the simulator.
    :ivar moments: the time of each request on the shared clock, in seconds.
    """

    result: dict[str, Any]
    usage: Usage
    stats: dict[str, Any]
    moments: list[float]

    @property
    def seconds(self) -> float:
        """The time between the first and the last request on the shared clock, in seconds."""
        return max(self.moments) - min(self.moments)

    def count_requests_by_window(self) -> list[int]:
        """Return the number of requests in each window of the rate limit, without the last window.

        The first window begins with the first request. The last window is left out, because it is not complete.
        """
        first = min(self.moments)
        windows = Counter(math.floor((moment - first) / LIMIT.seconds) for moment in self.moments)
        return [windows[number] for number in range(math.floor(self.seconds / LIMIT.seconds))]


def run_paced(size: int, share: float, folder: Path, *, others: int = 0) -> PacedRun:
    """Run the engine to add `size` devices to one network of a simulator with the documented rate limits.

    :param share: the share of the rate limits that the run may use.
    :param folder: the folder in which processes of the same user share the budget.
    :param others: the number of requests that another process of the same user sends just before the run.
    """
    with running_simulator("--fleet", str(size), "--limits", "documented") as simulator:
        shared_clock = SharedClock(simulator)
        budget, other_budget = (
            RecordingBudget(shared_clock, allowance=Allowance(share=share), folder=folder, cloud=simulator.url)
            for _unused in range(2)
        )
        _send_from_other_process(other_budget, simulator, others)
        http = CountedHttp(simulator.url, budget, shared_clock)
        http.use_token(PasswordLogin(USERNAME, PASSWORD).obtain_grant(http, {}, {}).access_token)
        manifest = read_manifest(manifest_for(simulator))
        result = reconcile(
            http, manifest, RunSettings(False, Verification("read", clock=shared_clock)), Callbacks(_fail_on_warning)
        )
        http.close()
        return PacedRun(result, http.usage, simulator.stats(), [*other_budget.moments, *budget.moments])


def _send_from_other_process(budget: Budget, simulator: Simulator, number: int) -> None:
    """Send many requests on each connection without waiting for their responses, which takes little time."""
    host, port = simulator.url.removeprefix("http://").split(":")
    request = f"GET /v1/nothing/here HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    last_request = request.replace(b"Host", b"Connection: close\r\nHost")
    for sent in range(0, number, REQUESTS_PER_CONNECTION):
        size = min(REQUESTS_PER_CONNECTION, number - sent)
        for _unused in range(size):
            assert budget.take_place("GET /v1/nothing/here") == 0
        with socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as connection:
            connection.sendall(request * (size - 1) + last_request)
            with connection.makefile("rb") as responses:
                assert responses.read().count(b"HTTP/1.1 404") == size


def _fail_on_warning(warning: str) -> None:
    """Fail on a warning, except on that about a new ledger, which the first run of each fleet creates."""
    if "is new" not in warning:
        raise AssertionError(warning)
