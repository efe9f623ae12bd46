# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test runs over 200 devices with every kind of fault: each run ends, and the next one finishes the work."""

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
    READS,
    RETRY_AFTER_VALUES,
    SHAPES,
    STATUSES,
    assert_done_as_declared,
    assert_finished,
    assert_outcomes_complete,
    fault,
    run_unless_refused,
)
from fleet_cloud import PRODUCT, RecordingHttp, ids_of, log_in, read_imported, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from support.counts import count
from support.declared import expect_state, normalize_state
from support.simulator import PRODUCT_ID, Simulator, running_simulator

DEVICE_COUNT = count(quick=110, full=200)
"""More devices than one page of a list contains."""
SCHEDULES = count(quick=6, full=200)
SILENT_SECONDS = 0.5

ANYWHERE = (*READS, "POST /oauth/token", "*", "GET *")


def draw_schedule(seed: int, writes: Sequence[str]) -> list[dict[str, Any]]:
    """Draw a few faults, at least two of them on `writes` of the run.

    Any fourteen consecutive seeds include every effect and every documented body.
    """
    random = Random(f"storm {seed}")
    faults = [
        {"times": random.randint(1, 6), **draw_fault(random, EFFECTS[seed % len(EFFECTS)], random.choice(writes))},
        {**draw_frequency(random), "route": random.choice(writes), "shape": SHAPES[seed % len(SHAPES)]},
    ]
    for _unused in range(random.randrange(5)):
        routes = random.choice((writes, writes, writes, ANYWHERE))
        faults.append({**draw_frequency(random), **draw_fault(random, random.choice(EFFECTS), random.choice(routes))})
    return random.sample(faults, len(faults))


def draw_fault(random: Random, effect: str, route: str) -> dict[str, Any]:
    """Draw the details of a fault on a route; faults that cost time occur only a few times."""
    if effect == "silence":  # after five in a row the client gives up
        return fault(route, effect, times=random.randint(1, 6), probability=1)
    if effect == "delay":  # shorter or longer than the timeout of the client
        return fault(route, effect, times=2, probability=1, delay=random.choice((0.1, 2 * SILENT_SECONDS)))
    if effect == "html":
        return fault(route, effect, status=random.choice(PAGES))
    if effect == "status":
        retry_after, body = random.choice(RETRY_AFTER_VALUES), random.choice(BODIES)
        return fault(route, effect, retry_after=retry_after, status=random.choice(STATUSES), body=body)
    return fault(route, effect)


def draw_frequency(random: Random) -> dict[str, Any]:
    """Draw how often a fault occurs: a few times in a row, or at random while the schedule is set."""
    return random.choice(({"times": random.randint(1, 12)}, {"probability": random.choice((0.02, 0.1, 0.5))}))


def build_manifest(ids: list[str], *, year: int) -> dict[str, Any]:
    """Build a manifest for all devices in five networks; in year 1, members move, leave and change."""
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
    with running_simulator("--fleet", str(DEVICE_COUNT)) as simulator:
        yield simulator


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_run_under_faults_ends_and_the_next_run_finishes_it(cloud: Simulator, seed: int) -> None:
    cloud.reset()
    ids = ids_of(cloud)
    year = seed % 2
    if year:  # the fleet exists already, and much of it changes
        with user(cloud) as http:
            assert "failed" not in run(http, build_manifest(ids, year=0), verify="none")
    manifest = build_manifest(ids, year=year)
    before = normalize_state(cloud.state())
    declared = expect_state(before, manifest)
    repeated_imports: list[set[str]] = []

    with user(cloud, timeout=SILENT_SECONDS) as http:
        http.renew = lambda expired: log_in(http)
        record_repeated_imports(cloud, http, repeated_imports)
        cloud.set_faults(draw_schedule(seed, CHANGES if year else (*CHANGES, *CREATIONS)))
        first = run_unless_refused(http, manifest)
        assert any(entry["fired"] for entry in cloud.faults())
        cloud.clear_faults()
    now = normalize_state(cloud.state())
    assert_outcomes_complete(first, ids, changed=now != before)
    if first is not None:
        assert_done_as_declared(first, now, declared)

    with user(cloud) as http:
        record_repeated_imports(cloud, http, repeated_imports)
        for result in (run(http, manifest), run(http, manifest)):  # the second run follows devices that have left
            assert_finished(result, failing=set())
        assert normalize_state(cloud.state()) == declared
        writes = cloud.stats()["writes"]
        last = run(http, manifest)
        assert (last["changed"], last["summary"]["ok"]) == (False, DEVICE_COUNT)
        assert cloud.stats()["writes"] == writes
    assert [devices for devices in repeated_imports if devices] == [], "devices that were in the product already"


def record_repeated_imports(cloud: Simulator, http: RecordingHttp, repeated_imports: list[set[str]]) -> None:
    """Record for every import which of its devices are already in the product when it is sent."""
    send = http.send

    def send_and_record(request: Request) -> Response:
        if request.route == IMPORT:
            already_imported = {device["id"] for device in cloud.state()["devices"] if device["product"] == PRODUCT_ID}
            repeated_imports.append(already_imported & set(read_imported(request)))
        return send(request)

    http.send = send_and_record  # type: ignore[method-assign]
