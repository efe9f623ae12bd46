# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the hourly and daily jobs of a controller in one process for many days, with a clock that skips waits.

Usage: soak.py URL FOLDER DAYS. Prints a line of JSON for each day: its number, how often each job was run, the
failures, the number of retries, and the memory of this process in Python blocks and in bytes. A job is the work of a
task, and runs in the same frame as in modules and actions.

A sleep takes no time: it moves the clock of this process and that of the cloud forward.
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

from support.soak.faults import build_faults

HOUR, DAY = 3600.0, 86400.0
TIMEOUT_SECONDS = 60
USERNAME, PASSWORD = "demo@example.com", "demo-password"
PRODUCT = "field-logger"
NETWORKS = 5

FAULTY_ROUTES = (
    "GET *",
    "PUT *",
    "DELETE *",
    "POST /v1/products/:p/devices",
    "POST /v1/products/:p/groups",
    "POST /v1/ledgers",
)
"""The routes with faults: all except grants, because a grant that may have been made is not repeated."""


class Clock:
    """The clock of this process and its cloud. It follows the clock of the machine and jumps forward in each sleep."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_simulator/clock"
        self._real = time.time
        self._skipped = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._real() + self._skipped

    def sleep(self, seconds: float) -> None:
        with self._lock:
            requests.post(self._url, json={"advance": seconds}, timeout=TIMEOUT_SECONDS).raise_for_status()
            self._skipped += seconds


def build_manifest(ids: list[str], day: int) -> dict[str, Any]:
    """Return the manifest of a day. Every day, names, groups and notes change, and members move to other networks."""
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
    # Replace the clock before the collection is imported, because its parts read the clock when they are created.
    time.time, time.sleep = clock, clock.sleep  # type: ignore[assignment]
    random.seed(0)
    from soak_jobs import Jobs

    jobs = Jobs(url, folder, clock)
    requests.post(
        f"{url}/_simulator/faults", json=build_faults(*FAULTY_ROUTES), timeout=TIMEOUT_SECONDS
    ).raise_for_status()
    for day in range(1, days + 1):
        start = clock()
        jobs.rotate_token()
        jobs.provision(day)
        for hour in range(24):
            jobs.build_inventory()
            if hour % 6 == 5:
                jobs.list_devices()
            clock.sleep(max(0.0, start + (hour + 1) * HOUR - clock()))
        print(json.dumps({"day": day, **jobs.take_counts(), **measure_memory()}), flush=True)


def measure_memory() -> dict[str, int]:
    """Return the memory of this process in Python blocks and in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"blocks": sys.getallocatedblocks(), "bytes": pages * os.sysconf("SC_PAGE_SIZE")}


if __name__ == "__main__":
    main()
