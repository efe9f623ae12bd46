# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a refused batch is halved until the invalid devices are found."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from contextlib import closing

import pytest
from fleet_cloud import OURS, device_id, done, grouped, target_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import backend as ledger


def add_to_group(
    devices: Sequence[str], invalid: Set[str], status: int = 400, largest: int = 1000
) -> tuple[RunState, int]:
    """Add devices to a group, and return their states and the number of requests.

    The cloud refuses a batch that contains an invalid device or more than `largest` devices.
    """
    sent = []

    class Refusing(Http):
        def send(self, request: Request) -> Response:
            part = request.json["devices"]
            sent.append(part)
            if invalid.intersection(part) or len(part) > largest:
                raise ParticleError("cloud_error", f"No, not {len(part)}.", status=status)
            return Response(200, {"ok": True})

    with closing(Refusing(Connection("http://cloud.invalid"), workers=1)) as http:
        plans = tuple(grouped(device, "north") for device in devices)
        applied = apply_plan(target_of(http, OURS), Plan((), (), plans, {}), ledger)
    return applied, len(sent)


@given(st.integers(1, 1000), st.data(), st.sampled_from([400, 404, 413]))
def test_up_to_three_invalid_devices_in_a_thousand_are_found(count: int, data: st.DataObject, status: int) -> None:
    positions = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=min(3, count)))
    devices = [device_id(number) for number in range(count)]
    invalid = {devices[position] for position in positions}
    applied, requests = add_to_group(devices, invalid, status)
    assert set(applied.find_errors()) == invalid
    assert done(applied) == set(devices) - invalid
    assert requests <= 1 + 2 * len(invalid) * math.ceil(math.log2(max(count, 2)))


@pytest.mark.parametrize("positions", [(0, 1, 2), (0, 1, 999), (997, 998, 999), (499, 500, 501), (0, 2, 4)])
def test_three_invalid_devices_are_found_at_any_position(positions: tuple[int, ...]) -> None:
    devices = [device_id(number) for number in range(1000)]
    invalid = {devices[position] for position in positions}
    assert set(add_to_group(devices, invalid)[0].find_errors()) == invalid


@pytest.mark.parametrize("largest", [1, 7, 100, 999])
def test_batch_is_halved_until_its_parts_are_small_enough(largest: int) -> None:
    devices = [device_id(number) for number in range(1000)]
    applied, _unused = add_to_group(devices, set(), 413, largest)
    assert (done(applied), applied.find_errors()) == (set(devices), {})


@pytest.mark.parametrize("count", [8, 100, 1000])
@pytest.mark.parametrize("status", [400, 404, 413])
def test_few_requests_are_sent_when_every_device_is_invalid(count: int, status: int) -> None:
    devices = [device_id(number) for number in range(count)]
    applied, requests = add_to_group(devices, set(devices), status)
    assert set(applied.find_errors()) == set(devices)
    assert applied.find_errors()[devices[-1]].message == f"No, not {count}."
    assert requests == math.ceil(2 * math.log2(count) + 4)


def test_forbidden_batch_is_not_halved() -> None:
    devices = [device_id(number) for number in range(1000)]
    applied, requests = add_to_group(devices, set(devices), 403)
    assert (set(applied.find_errors()), requests) == (set(devices), 1)
