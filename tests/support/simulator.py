# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The simulator of this repository, run the way users run it: as a process of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from support.paths import SIMULATOR
from support.processes import ChildProcess, running

USERNAME = "demo@example.com"
PASSWORD = "demo-password"
PRODUCT_ID = 31337
PRODUCT_SLUG = "field-logger"

ADMIN_TIMEOUT = 30.0

COMMAND = (sys.executable, "-m", "particle_simulator")


@dataclass(frozen=True)
class Simulator:
    """A running simulator, seen from outside: its address, and its own account of what happened."""

    url: str
    process: ChildProcess
    _session: requests.Session = field(repr=False)

    def stats(self) -> dict[str, Any]:
        """The counters: requests, writes, grants, refusals, by_route and their siblings."""
        return dict(self._admin("GET", "stats"))

    def writes(self) -> list[dict[str, Any]]:
        """What was carried out, in its order: route, path, fields and answer of each."""
        writes: list[dict[str, Any]] = self._admin("GET", "writes")
        return writes

    def state(self) -> dict[str, Any]:
        """All that the cloud knows: accounts, products, devices, networks, ledgers."""
        return dict(self._admin("GET", "state"))

    def device(self, device_id: str) -> dict[str, Any]:
        """One device of the state."""
        found = [device for device in self.state()["devices"] if device["id"] == device_id]
        assert found, f"the simulator knows no device {device_id}"
        return dict(found[0])

    def reset(self) -> None:
        """Back to how it started: fleet, accounts, counters, clock and faults."""
        self._admin("POST", "reset")

    def now(self) -> float:
        """Return what the clock shows, in seconds since the epoch."""
        return float(self._admin("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        """Turn the clock forward."""
        self._admin("POST", "clock", json={"advance": seconds})

    def change_device(self, device_id: str, **changes: Any) -> None:
        """What happens to a device behind the cloud's back, for example `powered=False`; `*` is every device."""
        self._admin("POST", f"devices/{device_id}", json=changes)

    def access_token(self, username: str = USERNAME) -> str:
        """A fresh one of an account with the usual password, got as any tool gets it."""
        form = {"grant_type": "password", "username": username, "password": PASSWORD}
        pair = ("particle", "particle")
        answer = self._session.post(f"{self.url}/oauth/token", data=form, auth=pair, timeout=ADMIN_TIMEOUT)
        return str(answer.json()["access_token"])

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Schedule faults, behind those that are still due; `reset` clears the schedule."""
        self._admin("POST", "faults", json=list(faults))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._admin("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """The schedule, and how often each entry has fired."""
        schedule: list[dict[str, Any]] = self._admin("GET", "faults")
        return schedule

    def _admin(self, method: str, route: str, **kwargs: Any) -> Any:
        answer = self._session.request(method, f"{self.url}/_simulator/{route}", timeout=ADMIN_TIMEOUT, **kwargs)
        assert answer.ok, f"the simulator refused {method} {route}: {answer.status_code} {answer.text}"
        return answer.json()


@contextmanager
def running_simulator(*flags: str, clock: str = "still") -> Iterator[Simulator]:
    """Run a fresh simulator on a free port, started with `flags`, for as long as the block lasts.

    Its time stands still until the test moves it with `advance`, so that a busy machine changes nothing. With
    `clock="real"` it passes by itself, for tests in which a client waits for the cloud by its own clock, or computes
    one-time codes by it.
    """
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        port_file = Path(folder) / "port"
        argv: list[str | Path] = [
            *COMMAND,
            "--port",
            "0",
            "--port-file",
            port_file,
            "--clock",
            clock,
            *flags,
        ]
        environment = {**os.environ, "PYTHONPATH": str(SIMULATOR)}
        with running(argv, env=environment) as process, requests.Session() as session:
            session.trust_env = False  # no proxy of the caller stands between us and loopback
            port = process.wait_for_port(port_file)
            scheme = "https" if "--tls-cert" in flags else "http"
            if scheme == "https":
                # Only the administration goes unchecked: the collection under test checks for itself.
                session.verify = flags[flags.index("--tls-cert") + 1]
            yield Simulator(f"{scheme}://127.0.0.1:{port}", process, session)
