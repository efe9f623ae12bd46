# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The SIMs in a definition are imported together, and released only with a confirmation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import RecordingHttp, target_of, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.reconcile import Settings, reconcile_product
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS, order_kinds
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

IMPORT_SECONDS = 10
CONFIRMED = Settings(confirmed=["sim_release"], max_removals=2)


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "3") as simulator:
        yield simulator


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as http:
        yield http


def apply(
    http: RecordingHttp, sims: dict[str, Any], settings: Settings | None = None, **options: Any
) -> dict[str, Any]:
    target = target_of(http, get_product(http, PRODUCT_SLUG))
    definition = read_definition({"sims": sims}, KINDS)
    given = {"check_mode": False, **options}
    return reconcile_product(target, order_kinds(), definition, settings or Settings(), **given).as_result()


def test_sims_of_a_definition_are_activated_and_released(cloud: Simulator, http: RecordingHttp) -> None:
    iccids = [device["iccid"] for device in cloud.state()["devices"]]
    active = {iccid: {"state": "active"} for iccid in iccids}
    predicted = apply(http, active, check_mode=True)
    assert "3 SIMs would be activated, and active SIMs are billed." in predicted["msg"]
    queued = apply(http, active)
    assert queued["summary"]["pending"] == 3
    assert http.writes == ["POST /v1/products/:p/sims"]
    cloud.advance(IMPORT_SECONDS)
    assert not apply(http, active)["changed"]
    mixed = {iccids[0]: {"state": "inactive"}, **{iccid: {"state": "released"} for iccid in iccids[1:]}}
    assert "2 SIMs would be released" in apply(http, mixed, CONFIRMED, check_mode=True)["msg"]
    assert apply(http, mixed, CONFIRMED)["summary"] == {
        **dict.fromkeys(("failed", "pending", "unchanged", "created"), 0),
        **{"total": 3, "changed": 1, "removed": 2},
    }
    assert not apply(http, mixed)["changed"]


def test_boolean_does_not_confirm_the_release_of_a_sim(cloud: Simulator, http: RecordingHttp) -> None:
    iccid = cloud.state()["devices"][0]["iccid"]
    apply(http, {iccid: {"state": "active"}})
    cloud.advance(IMPORT_SECONDS)
    http.sent.clear()
    with pytest.raises(ParticleError, match="1 SIM would be released") as caught:
        apply(http, {iccid: {"state": "released"}}, Settings(confirmed=["removals"], force=True))
    assert caught.value.hint == "Set confirm to [sim_release] to allow this, or correct the declaration."
    assert http.writes == []
