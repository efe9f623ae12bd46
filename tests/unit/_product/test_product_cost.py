# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Reading a product costs one request for each kind and one for each integration."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS
from support.in_process import InProcessSimulator
from support.products import EXPORTED, Data, Products

LARGE: Data = {
    "groups": {f"group-{number}": {"color": "#ff8800"} for number in range(20)},
    "integrations": {
        f"hook-{number}": {"event": "reading", "url": f"https://hooks.example.net/{number}"} for number in range(50)
    },
    "environment": {f"VARIABLE_{number}": str(number) for number in range(100)},
    "api_users": {f"user {number}": {"scopes": ["devices:list"]} for number in range(10)},
}
DECLARED = {kind: section for kind, section in LARGE.items() if kind in KINDS}
FIXED_COST = 5
"""The number of requests of a run besides the lists and the integrations, such as that for the product."""


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    """A large product."""
    made = Products(InProcessSimulator([]), tmp_path_factory.mktemp("tokens"))
    made.reset()
    made.apply(made.first, DECLARED)
    return made


def test_export_costs_a_list_for_each_kind(products: Products) -> None:
    before = products.count_requests()
    export = products.export(products.first)
    assert products.count_requests() - before <= len(EXPORTED) + 50 + FIXED_COST
    assert {kind: len(export.definition[kind]) for kind in DECLARED} == {kind: len(DECLARED[kind]) for kind in DECLARED}


def test_second_run_costs_the_same_reads_and_no_write(products: Products) -> None:
    before, writes = products.count_requests(), products.count_writes()
    assert not products.apply(products.first, DECLARED).as_result()["changed"]
    stored_tokens = len(DECLARED["api_users"])  # one request proves that a stored token still works
    assert products.count_requests() - before <= len(DECLARED) + 50 + FIXED_COST + stored_tokens
    assert products.count_writes() == writes


def test_variables_are_removed_and_changed_by_one_rollout(products: Products) -> None:
    few = {"environment": dict(list(LARGE["environment"].items())[1:]) | {"VARIABLE_1": "changed"}}
    writes = products.count_writes()
    assert products.apply(products.first, few, prune=["environment"]).error is None
    assert products.count_writes() - writes == 2
    assert len(products.read(products.first)["environment"]) == len(few["environment"])
