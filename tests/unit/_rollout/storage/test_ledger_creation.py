# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test how the first record of an account creates the ledger for records."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import create_ledger
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import (
    DEFINITION,
    LedgerMemory,
)
from support.rollouts import connect
from support.simulator import PRODUCT_SLUG, Simulator

INSTANCE = "/v1/ledgers/:name/instances/:scopeValue"


@pytest.fixture
def memory(simulator: Simulator) -> LedgerMemory:
    http = connect(simulator)
    return LedgerMemory(Target(http, get_product(http, PRODUCT_SLUG), lambda warning: None))


def test_first_record_creates_the_ledger_without_a_list(simulator: Simulator, memory: LedgerMemory) -> None:
    memory.write({"format": 1})
    assert memory.read() == {"format": 1}
    routes = simulator.stats()["by_route"]
    assert routes[f"PUT {INSTANCE}"] == 2
    assert routes["POST /v1/ledgers"] == 1
    assert "GET /v1/ledgers" not in routes


def test_second_record_takes_one_request(simulator: Simulator, memory: LedgerMemory) -> None:
    memory.write({"format": 1})
    before = simulator.stats()["requests"]
    memory.write({"format": 1, "version": 2})
    assert simulator.stats()["requests"] == before + 1


def test_ledger_created_meanwhile_is_used(simulator: Simulator, memory: LedgerMemory) -> None:
    fault = {"route": f"PUT {INSTANCE}", "effect": "status", "status": 404, "times": 1}
    create_ledger(connect(simulator), None, DEFINITION)
    simulator.set_faults([fault])
    memory.write({"format": 1})
    assert memory.read() == {"format": 1}


def test_ledger_with_another_scope_is_a_conflict(simulator: Simulator, memory: LedgerMemory) -> None:
    create_ledger(connect(simulator), None, {**DEFINITION, "scope": "Device", "direction": "Upstream"})
    with pytest.raises(ParticleError) as caught:
        memory.write({"format": 1})
    assert caught.value.code == "conflict"
    assert caught.value.message == (
        "Ledger rollouts already exists, but with scope Device instead of Product and "
        "direction Upstream instead of Downstream."
    )


def test_cloud_without_ledgers_is_unsupported(simulator: Simulator, memory: LedgerMemory) -> None:
    routes = (f"PUT {INSTANCE}", "POST /v1/ledgers", "GET /v1/ledgers")
    simulator.set_faults([{"route": route, "effect": "status", "status": 404, "times": 9} for route in routes])
    with pytest.raises(ParticleError) as caught:
        memory.write({"format": 1})
    assert caught.value.code == "unsupported"
    assert caught.value.hint == "Set state_file to the path of a file for the record."


def test_refused_creation_is_reported(simulator: Simulator, memory: LedgerMemory) -> None:
    simulator.set_faults([{"route": "POST /v1/ledgers", "effect": "status", "status": 403, "times": 9}])
    with pytest.raises(ParticleError) as caught:
        memory.write({"format": 1})
    assert caught.value.status == 403
