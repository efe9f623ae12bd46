# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever a definition declares: a run reaches it, the next run is silent, and an export makes an equal product."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.counts import count
from support.in_process import InProcessSimulator
from support.products import PRUNED, Data, Killed, Products, definitions

EXAMPLES = count(quick=15, full=200)
KILLS = count(quick=3, full=20)
many = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def _products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    return Products(InProcessSimulator([]), tmp_path_factory.mktemp("tokens"))


@pytest.fixture
def products(_products: Products) -> Products:
    """Two empty products. A test with many examples resets them before each."""
    _products.reset()
    return _products


def list_keys(data: Data) -> set[tuple[str, str]]:
    return {(kind, str(name)) for kind, section in data.items() for name in section}


def list_rows(products: Products, product: str) -> dict[tuple[str, str], Any]:
    """Return the resources of an export, keyed by kind and name."""
    exported = products.export(product).definition
    return {(kind, name): entry for kind, section in exported.items() for name, entry in section.items()}


@many
@given(before=definitions(), declared=definitions())
def test_run_reaches_the_declaration_and_the_next_is_silent(products: Products, before: Data, declared: Data) -> None:
    products.reset()
    products.apply(products.first, before)
    untouched = {key: row for key, row in list_rows(products, products.first).items() if key not in list_keys(declared)}

    predicted = products.apply(products.first, declared, check=True).as_result()
    first = products.apply(products.first, declared)
    assert first.error is None
    assert predicted["changed"] is first.as_result()["changed"]
    assert [row["status"] for row in predicted["resources"]] == [
        row["status"] for row in first.as_result()["resources"]
    ]

    writes = products.count_writes()
    assert not products.apply(products.first, declared).as_result()["changed"]
    assert products.count_writes() == writes
    rows = list_rows(products, products.first)
    assert {key: rows[key] for key in untouched} == untouched
    assert list_keys(declared) <= rows.keys()


@many
@given(declared=definitions())
def test_export_makes_an_equal_product(products: Products, declared: Data) -> None:
    products.reset()
    products.apply(products.first, declared)
    export = products.export(products.first)
    writes = products.count_writes()
    assert not products.apply(products.first, export.definition).as_result()["changed"]
    values = products.find_secrets(products.first, export.secrets)
    if values:
        with pytest.raises(ParticleError, match="secrets that are not given") as caught:
            products.apply(products.second, export.definition)
        assert all(name in caught.value.message for name in values)
    assert products.count_writes() == writes

    assert products.apply(products.second, export.definition, values).error is None
    assert products.export(products.second).definition == export.definition
    assert not products.apply(products.second, export.definition, check=True).as_result()["changed"]


@many
@given(before=definitions(), declared=definitions())
def test_prune_removes_exactly_the_rest(products: Products, before: Data, declared: Data) -> None:
    products.reset()
    products.apply(products.first, before)
    assert products.apply(products.first, declared, prune=PRUNED).error is None
    kept = {key for key in list_keys(declared) | list_keys(before) if key[0] not in PRUNED}
    assert list_rows(products, products.first).keys() == kept | list_keys(declared)


@settings(max_examples=KILLS, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=definitions(), declared=definitions(), data=st.data())
def test_killed_run_is_completed_without_twins(
    products: Products, before: Data, declared: Data, data: st.DataObject
) -> None:
    products.reset()
    products.apply(products.first, before)
    planned = products.apply(products.first, declared, check=True, prune=PRUNED).as_result()
    changes = sum(row["status"] != "unchanged" for row in planned["resources"])
    products.writes_left = data.draw(st.integers(0, max(0, changes - 1)))
    with contextlib.suppress(Killed):
        products.apply(products.first, declared, prune=PRUNED)
    products.writes_left = None
    assert products.apply(products.first, declared, prune=PRUNED).error is None
    for kind, rows in products.read(products.first).items():
        names = [row.get("name", row.get("friendly_name")) for row in rows]
        assert len(names) == len(set(names)), kind
    assert not products.apply(products.first, declared, prune=PRUNED, check=True).as_result()["changed"]
