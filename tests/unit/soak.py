# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Month after month in one process: what a controller does with a fleet every hour and every day, on a turned clock.

Usage: soak.py URL FOLDER DAYS. Prints a line of JSON for each day: its number, how often each job was done, what
failed, how many requests were sent again, and what this process holds in memory, as blocks of Python and as bytes of
the system. A job is the work of a task, in the frame in which modules and actions run it.

The process lives by a clock that its own sleeping turns, together with that of the cloud.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests

HOUR, DAY = 3600.0, 86400.0
TIMEOUT_SECONDS = 60
USERNAME, PASSWORD = "demo@example.com", "demo-password"
PRODUCT = "field-logger"
NETWORKS = 5

SPOILS: list[dict[str, Any]] = [
    {"effect": "status", "status": 500},
    {"effect": "status", "status": 503},
    {"effect": "status", "status": 429, "headers": {"Retry-After": "2"}},
    {"effect": "html", "status": 502},
    {"effect": "reset_before"},
    {"effect": "reset_after"},
    {"effect": "truncated"},
    {"effect": "empty"},
]
STRUCK = (
    "GET *",
    "PUT *",
    "DELETE *",
    "POST /v1/products/:p/devices",
    "POST /v1/products/:p/groups",
    "POST /v1/ledgers",
)
"""All that a run asks for but grants: those are never repeated blindly, so there a fault costs a task by design."""


class Clock:
    """The time of this process and its cloud. It goes as that of the machine, and jumps when somebody sleeps."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_simulator/clock"
        self._real = time.time
        self._turned = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._real() + self._turned

    def sleep(self, seconds: float) -> None:
        with self._lock:
            requests.post(self._url, json={"advance": seconds}, timeout=TIMEOUT_SECONDS).raise_for_status()
            self._turned += seconds


def manifest(ids: list[str], day: int) -> dict[str, Any]:
    """A fleet that is never the same: names change hands, groups and notes change, members move to other networks."""
    devices = []
    for index, device in enumerate(ids):
        record: dict[str, Any] = {
            "id": device,
            "name": f"unit-{(index + 7 * day) % len(ids)}",
            "groups": [("north", "south", "west")[(index + day) % 3]],
            "mesh": {"network": f"site-{index % NETWORKS}", "role": "gateway" if index < NETWORKS else "node"},
        }
        if index % 10 == day % 10:
            record["notes"] = f"seen on day {day}"
        if index % 20 == 19:
            record["mesh"] = {"network": f"site-{(index + day) % NETWORKS}"}
        if index % 50 == 49 and day % 2:
            record["mesh"] = {"state": "absent"}
        devices.append(record)
    networks = {f"site-{number}": {"parameters": {"channel": 11 + number}} for number in range(NETWORKS)}
    return {"product": PRODUCT, "groups_mode": "exact", "networks": networks, "devices": devices}


def main() -> None:
    url, folder, days = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    clock = Clock(url)
    # Before the collection is imported, whose parts take the clock as they are made.
    time.time, time.sleep = clock, clock.sleep  # type: ignore[assignment]
    random.seed(0)
    from soak_jobs import Jobs

    jobs = Jobs(url, folder, clock)
    probability = 0.02 / len(SPOILS)
    faults = [{"route": route, "probability": probability, **spoil} for route in STRUCK for spoil in SPOILS]
    requests.post(f"{url}/_simulator/faults", json=faults, timeout=TIMEOUT_SECONDS).raise_for_status()
    for day in range(1, days + 1):
        began = clock()
        jobs.rotate()
        jobs.provision(day)
        for hour in range(24):
            jobs.inventory()
            if hour % 6 == 5:
                jobs.look()
            clock.sleep(max(0.0, began + (hour + 1) * HOUR - clock()))
        print(json.dumps({"day": day, **jobs.told(), **held()}), flush=True)


def held() -> dict[str, int]:
    """What this process holds in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"blocks": sys.getallocatedblocks(), "bytes": pages * os.sysconf("SC_PAGE_SIZE")}


if __name__ == "__main__":
    main()
