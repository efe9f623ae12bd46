# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A plain client of a border router, which sends exactly the requests of a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import requests

from support.otbr import BorderRouters

JSON_API = "application/vnd.api+json"
TIMEOUT_SECONDS = 60
NODES = [f"18b43000{number:08x}" for number in range(1, 7)]
PSKDS = [f"J01NME{number:04d}" for number in range(1, 7)]
"""The nodes of the fixture `otbr` and their PSKds."""
UNKNOWN_NODE = "18b43000000000ff"
UPDATE = {"maxAge": 60, "maxRetries": 1, "deviceCount": 3, "timeout": 12}


@dataclass(frozen=True)
class Router:
    """A client of one border router. Simulated time passes only where a test calls `after`."""

    otbr: BorderRouters
    url: str

    def call(self, method: str, path: str, body: str | bytes | None = None, **headers: str | None) -> requests.Response:
        """Send a request. A header is named with underscores; None leaves a default header out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, self.url + path, data=body, headers={"Accept": "*/*", **named}, timeout=TIMEOUT_SECONDS
            )

    def get(self, path: str) -> Any:
        """Return the JSON of a successful GET, or None if the response is 204."""
        answer = self.call("GET", path)
        assert answer.status_code in (200, 204), (path, answer.status_code, answer.text)
        return answer.json() if answer.status_code == 200 else None

    def put(self, path: str, content: Any) -> int:
        """Send a PUT with JSON, and return the status."""
        return self.call("PUT", path, json.dumps(content)).status_code

    def state(self) -> str:
        """Return the state of the border router."""
        return str(self.get("/node/state"))

    def after(self, seconds: float) -> Router:
        """Let simulated time pass."""
        self.otbr.advance(seconds)
        return self

    def form(self, **dataset: Any) -> None:
        """Form a network, and wait until this border router leads it."""
        assert self.put("/node/dataset/active", {"networkName": "barn", "channel": 15, **dataset}) == 201
        assert self.put("/node/state", "enable") == 200
        assert self.after(8).state() == "leader"

    def active(self) -> dict[str, Any]:
        """Return the active dataset."""
        return dict(self.get("/node/dataset/active"))

    def tlvs(self, which: str = "active") -> str:
        """Return a dataset as TLV text."""
        return self.call("GET", f"/node/dataset/{which}", Accept="text/plain").text

    # ------------------------------------------------------------------ tasks

    def post(self, *tasks: tuple[str, Any]) -> requests.Response:
        """Post tasks, each given as its type and its attributes."""
        data = [{"type": kind, "attributes": attributes} for kind, attributes in tasks]
        return self.call("POST", "/api/actions", json.dumps({"data": data}), Content_Type=JSON_API)

    def start(self, kind: str, attributes: Any) -> str:
        """Post a task, and return its id."""
        answer = self.post((kind, attributes))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"][0]["id"])

    def start_join(self, node: int, *, pskd: str | None = None, timeout: float = 120) -> str:
        """Post a joiner task for a node of the fixture, by its number from 0 to 5."""
        attributes = {"eui": NODES[node], "pskd": pskd or PSKDS[node], "timeout": timeout}
        return self.start("addThreadDeviceTask", attributes)

    def task(self, task_id: str) -> dict[str, Any]:
        """Return a task."""
        return dict(self.get(f"/api/actions/{task_id}")["data"])

    def status(self, task_id: str) -> str:
        """Return the status of a task."""
        return str(self.task(task_id)["attributes"]["status"])

    def joiners(self) -> list[str]:
        """Return the EUI-64s of the joiner table."""
        return [joiner["eui"] for joiner in self.get("/node/commissioner/joiner")]

    def join(self, *nodes: int) -> None:
        """Let nodes of the fixture join in sequence."""
        for node in nodes:
            task = self.start_join(node)
            for _unused in range(12):
                if self.after(5).status(task) == "completed":
                    break
            assert self.otbr.node(NODES[node])["state"] == "in"

    # ------------------------------------------------------------------ devices

    def refresh(self, timeout: float = 12) -> str:
        """Run an update of the device cache, and return the status of the task."""
        task = self.start("updateDeviceCollectionTask", {**UPDATE, "timeout": timeout})
        return self.after(timeout + 1).status(task)

    def devices(self) -> dict[str, dict[str, Any]]:
        """Return the items of the device cache, keyed by id."""
        return {item["id"]: item for item in self.get("/api/devices")["data"]}

    def ask(self, address: str, *types: str, timeout: float = 8, **more: str) -> dict[str, Any] | None:
        """Ask a device, and return the attributes of the result; None if the task did not end as completed."""
        attributes = {"destination": address, "types": list(types), "timeout": timeout, **more}
        task = self.start("getNetworkDiagnosticTask", attributes)
        found = self.after(0.5).task(task)
        if found["attributes"]["status"] != "completed":
            return None
        result = found["relationships"]["result"]["data"]
        assert result["type"] == "diagnostics"
        return dict(self.get(f"/api/diagnostics/{result['id']}")["data"]["attributes"])
