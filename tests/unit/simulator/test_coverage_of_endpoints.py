# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What of the cloud the simulator has, and what not and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml

from particle_simulator.routes import whole_table
from support.paths import SIMULATOR

ROUTES = whole_table().routes
AT_LEAST = 120


def read(name: str) -> Any:
    return yaml.safe_load((SIMULATOR / name).read_text(encoding="utf-8"))


GROUPS: dict[str, list[str]] = read("endpoint_ids.yml")
KNOWN = {name for names in GROUPS.values() for name in names}
HANDLED = {name for route in ROUTES for name in route.ids}


def test_given_the_endpoints_then_each_has_a_handler_or_a_written_reason() -> None:
    assert set(read("not_covered.yml")) == KNOWN - HANDLED


def test_given_the_reasons_then_each_is_a_sentence() -> None:
    assert all(isinstance(reason, str) and len(reason.split()) > 3 for reason in read("not_covered.yml").values())


def test_given_the_handlers_then_no_endpoint_is_invented() -> None:
    assert set() == HANDLED - KNOWN


@pytest.mark.parametrize("group", GROUPS)
def test_given_a_group_then_its_routes_are_filed_under_it(group: str) -> None:
    filed = {name for route in ROUTES if route.group == group for name in route.ids}
    assert filed <= set(GROUPS[group])


def test_given_the_ids_then_none_is_there_twice() -> None:
    assert [
        name for name, times in Counter(name for names in GROUPS.values() for name in names).items() if times > 1
    ] == []


def test_given_the_endpoints_then_most_have_a_handler() -> None:
    assert len(HANDLED) >= AT_LEAST


def test_given_the_routes_then_none_of_several_is_hidden_behind_another() -> None:
    keys = Counter(route.key for route in ROUTES)
    assert [key for key, times in keys.items() if times > 1] == []


def test_given_a_route_then_its_handler_says_where_it_comes_from() -> None:
    silent = [route.key for route in ROUTES if not (route.handler.__doc__ or "").strip()]
    assert silent == []
