# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A fleet that takes more than the cloud allows in a time is never refused, and leaves nothing of its budget unused."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests
from fleet_cloud import barn, ids_of

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._budget import DOCUMENTED, EVERY_ROUTE, Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.manifest import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import Proof, reconcile
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Answer, Connection, Http
from support.counts import count
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

LIMIT = DOCUMENTED[EVERY_ROUTE]
OTHERS = 6_000
PATIENCE = 60


class TimeOfBoth:
    """One clock for the client and its cloud. It goes as that of the machine, and is turned when all work waits.

    Only then: a request that is under way while the clock is turned would come to the cloud minutes after it left.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._address = f"{simulator.url}/_simulator/clock"
        self._turned = 0.0
        self._changed = threading.Condition()
        self._working = 0
        self._sleeping: Counter[float] = Counter()

    def __call__(self) -> float:
        return time.time() + self._turned

    def work(self, more: int) -> None:
        """One more thread works, or one less: -1."""
        with self._changed:
            self._working += more
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait until it is so much later, and turn the clock as soon as nobody else has anything to do before."""
        end = self() + seconds
        with self._changed:
            self._sleeping[end] += 1
            self._changed.notify_all()
            while self() < end:
                if self._sleeping.total() == self._working and end == min(self._sleeping):
                    self._turn(end - self())
                else:
                    assert self._changed.wait(PATIENCE), "nobody works, and nobody turns the clock"
            self._sleeping[end] -= 1
            self._sleeping += Counter()  # keeps what is above zero
            self._changed.notify_all()

    def _turn(self, seconds: float) -> None:
        if seconds > 0:
            requests.post(self._address, json={"advance": seconds}, timeout=PATIENCE).raise_for_status()
            self._turned += seconds


class WorkingHttp(Http):
    """A client whose threads let the clock know when they work."""

    def __init__(self, api_url: str, budget: Budget, both: TimeOfBoth) -> None:
        super().__init__(Connection(api_url, timeout=PATIENCE), budget=budget, sleep=both.sleep, clock=both)
        self._both = both

    def call(self, route: str, **arguments: Any) -> Answer:
        self._both.work(1)
        try:
            return super().call(route, **arguments)
        finally:
            self._both.work(-1)


class WatchedBudget(Budget):
    """Keeps the moments in which requests were allowed."""

    def __init__(self, clock: TimeOfBoth, **options: Any) -> None:
        super().__init__(clock=clock, **options)
        self._now = clock
        self.moments: list[float] = []

    def take(self, route: str, waited: float = 0.0) -> float:
        delay = super().take(route, waited)
        if delay == 0:
            self.moments.append(self._now())
        return delay


def send_as_others(budget: Budget, simulator: Simulator) -> None:
    """Requests of another process of the same user, and quick ones."""
    line = HTTPConnection(simulator.url.removeprefix("http://"), timeout=PATIENCE)
    for _ in range(OTHERS):
        assert budget.take("GET /v1/nothing/here") == 0
        line.request("GET", "/v1/nothing/here")
        assert line.getresponse().read()
    line.close()


def used_while_work_remained(moments: list[float]) -> list[int]:
    """How many requests there were in each window from the first request on, less the window in which work ended."""
    first, last = min(moments), max(moments)
    windows = Counter(math.floor((moment - first) / LIMIT.seconds) for moment in moments)
    return [windows[number] for number in range(math.floor((last - first) / LIMIT.seconds))]


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("share", [0.95, 1.0])
def test_a_fleet_larger_than_the_budget_is_never_refused_and_uses_all_of_it(tmp_path: Path, share: float) -> None:
    size = count(quick=2_500, full=20_000)
    with running_simulator("--fleet", str(size), "--limits", "documented") as simulator:
        both = TimeOfBoth(simulator)
        budget, others = (WatchedBudget(both, share=share, folder=tmp_path, cloud=simulator.url) for _ in range(2))
        send_as_others(others, simulator)
        http = WorkingHttp(simulator.url, budget, both)
        http.authorize(PasswordLogin(USERNAME, PASSWORD).obtain(http, {}, {}).access_token)
        manifest = read_manifest(barn(ids_of(simulator)))
        result = reconcile(http, manifest, check_mode=False, proof=Proof("read"), warn=pytest.fail, clock=both)
        http.close()
        stats = simulator.stats()
    assert result["summary"]["changed"] == size
    assert stats["throttled"] == http.usage.retries == http.usage.throttled_seconds == 0
    assert stats["requests"] == http.usage.requests + OTHERS == len(budget.moments + others.moments)
    used = used_while_work_remained(budget.moments + others.moments)
    assert len(used) >= count(quick=1, full=4)
    assert min(used) >= 0.95 * share * LIMIT.requests
    assert max(used) <= share * LIMIT.requests
    assert http.usage.budget_wait_seconds <= max(budget.moments) - min(budget.moments)
