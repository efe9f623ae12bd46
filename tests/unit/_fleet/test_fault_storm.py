# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Two hundred devices through every fault that the simulator has: the run ends, and the next one finishes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from faulty_cloud import (
    BODIES,
    CHANGES,
    CREATIONS,
    EFFECTS,
    IMPORT,
    PAGES,
    PATIENCE_ASKED,
    READS,
    REMOVALS,
    SHAPES,
    STATUSES,
    assert_done,
    assert_told,
    fault,
    through,
)
from fleet_cloud import PRODUCT, RecordingHttp, ids_of, log_in, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Answer
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.counts import count
from support.declared import expect_state, normalize_state
from support.simulator import PRODUCT_ID, Simulator, running_simulator

N = 200
SCHEDULES = count(quick=20, full=200)
SILENT_SECONDS = 0.5

ANYWHERE = (*READS, "POST /oauth/token", "*", "GET *")


def schedule(seed: int, writes: Sequence[str]) -> list[dict[str, Any]]:
    """A few faults, one of them surely on one of the `writes` that the run will make.

    Twenty seeds in a row have every effect and every documented body among them.
    """
    random = Random(f"storm {seed}")
    faults = [
        {"times": random.randint(1, 6), **strike(random, EFFECTS[seed % len(EFFECTS)], random.choice(writes))},
        {**often(random), "route": random.choice(writes), "shape": SHAPES[seed % len(SHAPES)]},
    ]
    for _unused in range(random.randrange(5)):
        routes = random.choice((writes, writes, writes, ANYWHERE))
        faults.append({**often(random), **strike(random, random.choice(EFFECTS), random.choice(routes))})
    return random.sample(faults, len(faults))


def strike(random: Random, effect: str, route: str) -> dict[str, Any]:
    """What goes wrong, on which route; what costs time does so only a few times."""
    if effect == "silence":  # five in a row are enough to give up
        return fault(route, effect, times=random.randint(1, 6), probability=1)
    if effect == "delay":  # on either side of what the client waits for
        return fault(route, effect, times=2, probability=1, delay=random.choice((0.1, 2 * SILENT_SECONDS)))
    if effect == "html":
        return fault(route, effect, status=random.choice(PAGES))
    if effect == "status":
        asked, body = random.choice(PATIENCE_ASKED), random.choice(BODIES)
        return fault(route, effect, asked=asked, status=random.choice(STATUSES), body=body)
    return fault(route, effect)


def often(random: Random) -> dict[str, Any]:
    """A few times in a row, or now and then for as long as the schedule stands."""
    return random.choice(({"times": random.randint(1, 12)}, {"probability": random.choice((0.02, 0.1, 0.5))}))


def fleet(ids: list[str], *, year: int) -> dict[str, Any]:
    """A manifest for all devices in five networks; from one year to the next members move, leave and change."""
    devices = []
    for index, device in enumerate(ids):
        record: dict[str, Any] = {
            "id": device,
            "name": f"unit-{(index + year * 50) % len(ids)}",
            "groups": [("north", "south", "west")[(index + year) % 3]],
        }
        if index % 4 == 0:
            record["notes"] = f"bought in {2020 + year}"
        if index % 10 == 9 and year:
            record["mesh"] = {"state": "absent"}
        else:
            network = f"site-{(index + (year if index % 7 == 0 else 0)) % 5}"
            record["mesh"] = {"network": network, "role": "gateway" if index < 10 else "node"}
        devices.append(record)
    networks = {f"site-{number}": {"parameters": {"channel": 11 + number + year}} for number in range(5)}
    return {
        "product": PRODUCT,
        "groups_mode": "exact" if year else "add",
        "networks": networks,
        "devices": devices,
    }


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(N)) as simulator:
        yield simulator


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_a_run_through_a_storm_ends_and_the_next_one_finishes_it(cloud: Simulator, seed: int) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    year = seed % 2
    if year:  # a fleet that stands already, of which much changes
        with user(cloud) as http:
            assert "failed" not in run(http, fleet(ids, year=0), verify="none")
    manifest = fleet(ids, year=year)
    before = normalize_state(cloud.state())
    declared = expect_state(before, manifest)
    imports: list[set[str]] = []

    with user(cloud, timeout=SILENT_SECONDS) as http:
        http.renew = lambda dead: log_in(http)
        watch_imports(cloud, http, imports)
        cloud.set_faults(schedule(seed, (*CHANGES, *(REMOVALS[:1] if year else CREATIONS))))
        first = through(http, manifest)
        assert any(entry["fired"] for entry in cloud.faults())
        cloud.clear_faults()
    now = normalize_state(cloud.state())
    assert_told(first, ids, changed=now != before)
    if first is not None:
        assert_done(first, now, declared)

    with user(cloud) as http:
        watch_imports(cloud, http, imports)
        second = run(http, manifest)
        assert second["summary"]["failed"] == second["summary"]["pending"] == 0, second["msg"]
        assert normalize_state(cloud.state()) == declared
        writes = cloud.stats()["writes"]
        third = run(http, manifest)
        assert (third["changed"], third["summary"]["ok"]) == (False, N)
        assert cloud.stats()["writes"] == writes
    assert [devices for devices in imports if devices] == [], "devices that were in the product already"


def watch_imports(cloud: Simulator, http: RecordingHttp, imports: list[set[str]]) -> None:
    """Note of every import which of its devices are in the product already when it is sent."""
    send = http.send

    def watched(request: Request) -> Answer:
        if request.route == IMPORT:
            inside = {device["id"] for device in cloud.state()["devices"] if device["product"] == PRODUCT_ID}
            imports.append(inside & set((request.file or b"").decode().split()))
        return send(request)

    http.send = watched  # type: ignore[method-assign]
