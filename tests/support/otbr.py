# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the simulator of Thread border routers in a separate process, and control it through its admin routes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from support.processes import ChildProcess, running

ADMIN_TIMEOUT = 120.0

PROGRAM = "otbr_simulator.cli"


@dataclass(frozen=True)
class BorderRouters:
    """Running simulated border routers, with methods that use the admin routes.

    :ivar url: the address of the first border router.
    :ivar admin_url: an address that serves the admin routes even while border routers are down.
    """

    url: str
    admin_url: str
    process: ChildProcess
    _session: requests.Session = field(repr=False)

    @property
    def urls(self) -> list[str]:
        """The addresses of all border routers, in the order of their names router1, router2, ..."""
        return [router["url"] for router in self.routers()]

    def state(self) -> dict[str, Any]:
        """Return the true state: `routers`, `nodes`, `networks`."""
        return dict(self._admin("GET", "state"))

    def routers(self) -> list[dict[str, Any]]:
        """Return the border routers, each with `name`, `url`, `state`, `dataset`, `pending`, `joiners` and so on."""
        return list(self._admin("GET", "routers"))

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes, each with `eui64`, `state` (off, out, joining, in), `network`, `role`, `joins` ..."""
        return list(self._admin("GET", "nodes"))

    def node(self, eui64: str) -> dict[str, Any]:
        """Return one node."""
        return next(node for node in self.nodes() if node["eui64"] == eui64)

    def stats(self) -> dict[str, Any]:
        """Return the counters: `requests`, `writes`, `upkeep`, `by_route`, `by_router`, `tasks`.

        `writes` may change the network. `upkeep` changes only the task list or a cache of a border router.
        """
        return dict(self._admin("GET", "stats"))

    def writes(self) -> list[dict[str, Any]]:
        """Return the log of writes and upkeep: `router`, `route`, `path`, `kind`, `tasks`, `body`, `time`, `status`."""
        return list(self._admin("GET", "writes"))

    def reset(self) -> None:
        """Restore the start state: border routers, nodes, counters, faults and the clock."""
        self._admin("POST", "reset")

    def now(self) -> float:
        """Return the simulated time in seconds since the epoch."""
        return float(self._admin("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        """Move the simulated time forward."""
        self._admin("POST", "clock", json={"advance": seconds})

    def add_nodes(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        """Add nodes: objects with `eui64`, `pskd`, and optional `kind`, `powered`, `joining`, `poll_seconds`."""
        self._admin("POST", "nodes", json=list(nodes))

    def change_node(self, eui64: str, **changes: Any) -> None:
        """Change a node, or all nodes with `*`: `powered`, `in_reach`, `joining`, `pskd`, `poll_seconds`, `reset`."""
        self._admin("POST", f"nodes/{eui64}", json=changes)

    def add_router(self) -> str:
        """Add a border router without a network, and return its address."""
        return str(self._admin("POST", "routers")["url"])

    def change_router(self, name: str = "router1", **changes: bool) -> None:
        """Change a border router: `running=False` closes its port, `running=True` opens it, `restart=True` both."""
        self._admin("POST", f"routers/{name}", json=changes)

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Add faults to the fault schedule."""
        self._admin("POST", "faults", json=list(faults))

    def clear_faults(self) -> None:
        """Remove all faults from the fault schedule."""
        self._admin("DELETE", "faults")

    def _admin(self, method: str, route: str, **kwargs: Any) -> Any:
        url = f"{self.admin_url}/_simulator/{route}"
        answer = self._session.request(method, url, timeout=ADMIN_TIMEOUT, **kwargs)
        assert answer.ok, f"the simulator refused {method} {route}: {answer.status_code} {answer.text}"
        return answer.json()


@contextmanager
def running_border_routers(*flags: str, clock: str = "still") -> Iterator[BorderRouters]:
    """Run simulated border routers on free ports until the end of the block.

    By default, the clock stands still until the test calls `advance`. For a client that waits by itself, use
    `clock="real"` and a flag such as `--speed=100`.

    :param flags: more command line options of the simulator, for example `--routers=2` and `--nodes=20`.
    """
    with tempfile.TemporaryDirectory(prefix="otbr-") as folder:
        port_file, admin_port_file = Path(folder) / "port", Path(folder) / "admin-port"
        files: list[str | Path] = ["--port-file", port_file, "--admin-port-file", admin_port_file]
        command = [PROGRAM, *files, "--clock", clock, *flags]
        with running(command) as process, requests.Session() as session:
            session.trust_env = False  # ignores proxy settings in the environment
            port, admin_port = process.wait_for_port(port_file), process.wait_for_port(admin_port_file)
            yield BorderRouters(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", process, session)
