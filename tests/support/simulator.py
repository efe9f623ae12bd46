# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the simulator of this repository in a separate process, and control it through its admin routes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from support.processes import ChildProcess, running

USERNAME = "demo@example.com"
PASSWORD = "demo-password"
PRODUCT_ID = 31337
PRODUCT_SLUG = "field-logger"

ADMIN_TIMEOUT = 120.0

PROGRAM = "particle_simulator.cli"


@dataclass(frozen=True)
class Simulator:
    """A running simulator, with methods that use its admin routes."""

    url: str
    process: ChildProcess
    _session: requests.Session = field(repr=False)

    def stats(self) -> dict[str, Any]:
        """Return the counters of the simulator, for example `requests`, `writes`, `grants` and `refusals`."""
        return dict(self._admin("GET", "stats"))

    def writes(self) -> list[dict[str, Any]]:
        """Return the latest writes that the simulator accepted, oldest first.

        Each write has the keys `route`, `path`, `fields`, `answer` and `fault`. `answer` is the response. `fault` is
        the effect of the fault that damaged, lost or delayed the response, or None.
        """
        writes: list[dict[str, Any]] = self._admin("GET", "writes")
        return writes

    def state(self) -> dict[str, Any]:
        """Return the state of the cloud: accounts, products, devices, networks and ledgers."""
        return dict(self._admin("GET", "state"))

    def device(self, device_id: str) -> dict[str, Any]:
        """Return the device with this id from the state of the cloud."""
        found = [device for device in self.state()["devices"] if device["id"] == device_id]
        assert found, f"device {device_id} does not exist in the simulator"
        return dict(found[0])

    def reset(self, **settings: float) -> None:
        """Reset the fleet, the accounts, the counters, the clock and the faults to their start state.

        :param settings: values of the settings `seed` and `bad_updates` until the next reset.
        """
        self._admin("POST", "reset", **({"json": settings} if settings else {}))

    def now(self) -> float:
        """Return the time of the simulator's clock, in seconds since the epoch."""
        return float(self._admin("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        """Advance the simulator's clock."""
        self._admin("POST", "clock", json={"advance": seconds})

    def change_device(self, device_id: str, **changes: Any) -> None:
        """Change a device, for example with `powered=False`. The device id `*` changes all devices."""
        self._admin("POST", f"devices/{device_id}", json=changes)

    def add_firmware(self, *versions: int, product: str = PRODUCT_SLUG) -> None:
        """Give a product firmware versions."""
        self._admin("POST", f"products/{product}", json={"firmware": list(versions)})

    def access_token(self, username: str = USERNAME) -> str:
        """Log in with `username` and the password `PASSWORD`, and return a new access token."""
        form = {"grant_type": "password", "username": username, "password": PASSWORD}
        pair = ("particle", "particle")
        answer = self._session.post(f"{self.url}/oauth/token", data=form, auth=pair, timeout=ADMIN_TIMEOUT)
        return str(answer.json()["access_token"])

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Add faults to the fault schedule. `reset` and `clear_faults` empty the schedule."""
        self._admin("POST", "faults", json=list(faults))

    def clear_faults(self) -> None:
        """Remove all faults from the fault schedule."""
        self._admin("DELETE", "faults")

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults in the schedule. Each fault contains the number of times that it has fired."""
        schedule: list[dict[str, Any]] = self._admin("GET", "faults")
        return schedule

    def _admin(self, method: str, route: str, **kwargs: Any) -> Any:
        answer = self._session.request(method, f"{self.url}/_simulator/{route}", timeout=ADMIN_TIMEOUT, **kwargs)
        assert answer.ok, f"the simulator refused {method} {route}: {answer.status_code} {answer.text}"
        return answer.json()


@contextmanager
def running_simulator(*flags: str, clock: str = "still") -> Iterator[Simulator]:
    """Run a new simulator on a free port until the end of the block.

    By default, the simulator's clock stands still until the test calls `advance`. The results of a test then do not
    depend on the speed of the machine.

    :param flags: more command line options of the simulator.
    :param clock: "still" or "real". Use "real" if the client measures time itself, or computes one-time codes.
    """
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        port_file = Path(folder) / "port"
        argv: list[str | Path] = [
            PROGRAM,
            "--port",
            "0",
            "--port-file",
            port_file,
            "--clock",
            clock,
            *flags,
        ]
        with running(argv) as process, requests.Session() as session:
            session.trust_env = False  # ignores proxy settings in the environment
            port = process.wait_for_port(port_file)
            scheme = "https" if "--tls-cert" in flags else "http"
            if scheme == "https":
                # This setting concerns only admin requests: the collection under test verifies the certificate itself.
                session.verify = flags[flags.index("--tls-cert") + 1]
            yield Simulator(f"{scheme}://127.0.0.1:{port}", process, session)
