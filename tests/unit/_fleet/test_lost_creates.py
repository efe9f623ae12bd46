# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Wrong responses cause no second write: after a lost create, one request settles the result, and wrong rows end the
run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import (
    RecordingHttp,
    barn,
    client,
    device_id,
    errors,
    ids_of,
    named,
    run,
    script,
    statuses,
    user,
)

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.scripted import ScriptedCloud
from support.simulator import Simulator

CREATE_GROUP = "POST /v1/products/:p/groups"
LOST = ["reset_before", "reset_after", "truncated", "html"]


@pytest.fixture
def http(simulator: Simulator) -> Iterator[RecordingHttp]:
    """A client that is logged in as the simulator's user."""
    with user(simulator) as http:
        yield http


PAGE = "<html>Bad gateway</html>"
FAULTS = [
    *({"effect": effect} for effect in ("reset_before", "reset_after", "truncated", "html", "empty")),
    *({"effect": "status", "status": status} for status in (408, 500, 503)),
    *({"effect": "status", "status": status, "body": PAGE} for status in (200, 400, 404, 502)),
    *({"effect": "status", "status": status, "body": body} for status in (200, 201) for body in ("OK", None, [], "")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_lost_answer_to_a_new_group_fails_no_device(
    simulator: Simulator, http: RecordingHttp, fault: dict[str, object]
) -> None:
    ids = ids_of(simulator)[:3]
    simulator.set_faults([{"route": CREATE_GROUP, **fault}])
    result = run(http, named(ids, groups=["north"]), max_failures=0)
    assert errors(result) == {}
    assert set(statuses(result).values()) == {"changed"}


@pytest.mark.parametrize("route", ["POST /v1/ledgers", "POST /v1/products/:p/devices", "PUT /v1/products/:p/devices"])
@pytest.mark.parametrize("status", [200, 404])
def test_web_page_instead_of_an_answer_fails_no_device(
    simulator: Simulator, http: RecordingHttp, route: str, status: int
) -> None:
    ids = ids_of(simulator)[:3]
    simulator.set_faults([{"route": route, "effect": "status", "status": status, "body": PAGE}])
    result = run(http, barn(ids), max_failures=0)
    assert errors(result) == {}
    assert set(statuses(result).values()) == {"changed"}


def test_lost_answer_to_a_claim_fails_no_device(simulator: Simulator, http: RecordingHttp) -> None:
    ids = ids_of(simulator)[:3]
    simulator.set_faults([{"route": "POST /v1/devices", "effect": "status", "status": 200, "body": PAGE}])
    result = run(http, {"devices": [{"id": one, "claimed": True} for one in ids]}, max_failures=0)
    assert errors(result) == {}
    assert set(statuses(result).values()) == {"changed"}


@pytest.mark.parametrize("row", [{"id": None}, {"id": 5}, {"name": "unit-1"}, None, "row"], ids=str)
def test_row_without_a_usable_id_ends_the_run_before_a_write(scripted_cloud: ScriptedCloud, row: Any) -> None:
    script(scripted_cloud, [row])
    with client(scripted_cloud.url) as http:
        with pytest.raises(ParticleError, match="item 1 of the list") as caught:
            run(http, named([device_id(1)], groups=["north"]))
        assert caught.value.code == "bad_response"
        assert http.writes == []
