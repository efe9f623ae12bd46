# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Roll out a bad firmware version twice, with a naive loop and in waves, and print the claimed and the broken updates
of both.

Usage: python tests/rollout_comparison.py

Each way has its own simulated cloud, with the same devices and the same failures. The naive loop locks all devices to
the version at once. It counts a device as updated if the cloud accepts the lock, or, which is better, if the cloud
publishes that the transfer succeeded. The rollout is that of the module `rollout`; its clock is turned between runs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".collections"))

from support.rollouts import NEW, Driver, running_product
from support.simulator import PRODUCT_SLUG, Simulator

DEVICES = 200
BAD_SHARE = 0.3
WAVES: list[dict[str, Any]] = [{"count": 4}, {"percent": 10}, {"percent": 50}, {"percent": 100}]
BREAKING = frozenset({"crashes_online", "crashes_before"})
"""The endings of an update after which a device of the simulator no longer works."""
BETWEEN_RUNS = 900.0
"""Seconds of simulated time between two runs of the rollout, and after the naive loop."""
MAX_RUNS = 100
LATER_RUNS = 4
"""Runs after the brake has stopped the rollout. A schedule makes them, and they find devices that crash later."""
TIMEOUT = 60.0


@dataclass(frozen=True)
class Row:
    """The result of one way to update the fleet, as numbers of devices.

    :param targeted: devices that were locked to the version.
    :param claimed: devices that are said to be updated.
    :param updated: devices among them that really run the version and still work.
    :param broken: devices that no longer work.
    """

    way: str
    targeted: int
    claimed: int
    updated: int
    broken: int


def lock_all_devices(cloud: Simulator) -> list[Row]:
    """Update the fleet with the naive loop. Return a row for each of its two ways to count updated devices."""
    devices = [str(device["id"]) for device in cloud.state()["devices"]]
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    product = f"{cloud.url}/v1/products/{PRODUCT_SLUG}"
    events = f"{product}/events/spark%2Fflash%2Fstatus"
    with requests.Session() as session, session.get(events, headers=headers, stream=True, timeout=TIMEOUT) as stream:
        accepted = set()
        for device in devices:
            lock = {"desired_firmware_version": NEW, "flash": True}
            answer = session.put(f"{product}/devices/{device}", headers=headers, json=lock, timeout=TIMEOUT)
            if answer.ok:
                accepted.add(device)
        cloud.advance(BETWEEN_RUNS)
        transferred = find_successful_transfers(stream, len(devices))
    return [
        build_row("naive loop, counts HTTP 200", cloud, accepted),
        build_row("naive loop, counts success", cloud, transferred),
    ]


def find_successful_transfers(stream: requests.Response, count: int) -> set[str]:
    """Read events until `count` transfers have ended. Return the ids of the devices whose transfer succeeded."""
    ended: dict[str, str] = {}
    for event in read_events(stream):
        words = str(event["data"]).split()
        if words and words[0] in ("success", "failed"):
            ended[event["coreid"]] = words[0]
        if len(ended) == count:
            break
    return {device for device, word in ended.items() if word == "success"}


def read_events(stream: requests.Response) -> Iterator[Mapping[str, Any]]:
    """Yield the events of an event stream."""
    for line in stream.iter_lines(chunk_size=1):
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def roll_out_in_waves(cloud: Simulator) -> tuple[Row, str]:
    """Roll out the version in waves, until the rollout ends. Return its row and its last message."""
    driver = Driver(cloud, {"waves": WAVES})
    result, left = driver.run(), MAX_RUNS
    while left and result["state"] != "done":
        cloud.advance(BETWEEN_RUNS)
        result = driver.run()
        left = min(left, LATER_RUNS) - 1 if result["state"] == "braked" else left - 1
    claimed = {device["id"] for device in result["devices"] if device["state"] == "updated"}
    row = build_row("rollout in waves", cloud, claimed)
    return row, str(result["msg"]).splitlines()[0] if "msg" in result else f"The rollout is {result['state']}."


def build_row(way: str, cloud: Simulator, claimed: set[str]) -> Row:
    """Compare the claimed updates with the true state in the simulator."""
    devices = cloud.state()["devices"]
    broken = {each["id"] for each in devices if each["last_update"] in BREAKING}
    running = {each["id"] for each in devices if each["firmware_version"] == NEW}
    targeted = sum(each["desired_firmware_version"] == NEW for each in devices)
    return Row(way, targeted, len(claimed), len(claimed & running - broken), len(broken))


def show(rows: list[Row], message: str) -> str:
    """Return the results as a table."""
    lines = [f"{DEVICES} devices get a version that fails on {BAD_SHARE:.0%} of them."]
    lines += [f"{'':<29}{'targeted':>10}{'claimed updated':>17}{'really updated':>16}{'broken':>8}"]
    lines += [f"{row.way:<29}{row.targeted:>10}{row.claimed:>17}{row.updated:>16}{row.broken:>8}" for row in rows]
    return "\n".join([*lines, message])


def compare(seed: int = 0) -> tuple[list[Row], str]:
    """Update the fleet in both ways. Return the row of each way, and the last message of the rollout.

    :param seed: chooses the devices whose update fails, and how each of them fails.
    """
    flags = ("--bad-updates", str(BAD_SHARE), "--seed", str(seed))
    with tempfile.TemporaryDirectory() as folder:
        with running_product(Path(folder), DEVICES, *flags) as cloud:
            rows = lock_all_devices(cloud)
        with running_product(Path(folder), DEVICES, *flags) as cloud:
            row, message = roll_out_in_waves(cloud)
    return [*rows, row], message


if __name__ == "__main__":
    print(show(*compare()))
