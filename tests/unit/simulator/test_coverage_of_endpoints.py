# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that each endpoint in the facts has a handler in the simulator or a reason for its absence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml
from documented_paths import expand_path, list_documented_paths, strip_parameter_names

from particle_simulator.routes import build_whole_table
from support.facts import load_endpoints
from support.paths import SIMULATOR

ROUTES = build_whole_table().routes
MIN_HANDLED = 158


def load_yaml(name: str) -> Any:
    return yaml.safe_load((SIMULATOR / name).read_text(encoding="utf-8"))


ENDPOINTS = {endpoint["id"]: endpoint for endpoints in load_endpoints().values() for endpoint in endpoints}
GROUPS = {group: [endpoint["id"] for endpoint in endpoints] for group, endpoints in load_endpoints().items()}
KNOWN = {name for names in GROUPS.values() for name in names}
HANDLED = {name for route in ROUTES for name in route.ids}

UNKNOWN_PATH_ENDPOINTS = {"spark_2014_login", "spark_2014_access_token"}
"""Endpoints with unknown paths; options of the simulator set them."""

UNDOCUMENTED_ROUTES = {
    "GET /v1/events": "refuses to stream without a prefix, as the errors of events_all say",
    "GET /v1/orgs/:org/events/:prefix": "completes the organization's stream; products and accounts have this form",
    "GET /v1/orgs/:org/devices/:id/events/:prefix": "the same for one device",
    "POST /v1/orgs/:org/integrations/:id/test": "completes the organization's integrations; no client sends it",
    "POST /v1/products/:p/webhooks": "completes the older name of integrations, whose list has a product form",
    "GET /v1/products/:p/webhooks/:id": "the same",
    "DELETE /v1/products/:p/webhooks/:id": "the same",
}
"""Routes of the simulator that have no path in docs/facts/endpoints.yml, with the reason for each."""


def test_not_covered_file_lists_exactly_the_endpoints_without_a_handler() -> None:
    assert set(load_yaml("not_covered.yml")) == KNOWN - HANDLED


def test_each_reason_in_not_covered_has_at_least_four_words() -> None:
    assert all(isinstance(reason, str) and len(reason.split()) > 3 for reason in load_yaml("not_covered.yml").values())


def test_each_handled_endpoint_is_in_the_facts() -> None:
    assert set() == HANDLED - KNOWN


@pytest.mark.parametrize("group", GROUPS)
def test_routes_are_filed_under_the_group_of_their_endpoints(group: str) -> None:
    assigned = {name for route in ROUTES if route.group == group for name in route.ids}
    assert assigned <= set(GROUPS[group])


def test_endpoint_ids_are_unique() -> None:
    assert [
        name for name, times in Counter(name for names in GROUPS.values() for name in names).items() if times > 1
    ] == []


def test_number_of_handled_endpoints_reaches_the_minimum() -> None:
    assert len(HANDLED) >= MIN_HANDLED


def test_route_keys_are_unique() -> None:
    keys = Counter(route.key for route in ROUTES)
    assert [key for key, times in keys.items() if times > 1] == []


def test_each_handler_has_a_docstring() -> None:
    without_docstring = [route.key for route in ROUTES if not (route.handler.__doc__ or "").strip()]
    assert without_docstring == []


def test_path_template_expands_to_each_of_its_forms() -> None:
    assert set(expand_path("/a[/:b[/c]], /d (older)")) == {"/a", "/a/:b", "/a/:b/c", "/d"}
    assert set(expand_path("/a/(b|c)")) == {"/a/b", "/a/c"}


def test_each_route_has_the_method_that_the_facts_give() -> None:
    wrong = [(name, route.key) for route in ROUTES for name in route.ids if route.method != ENDPOINTS[name]["method"]]
    assert wrong == []


def test_only_listed_routes_have_a_path_outside_the_facts() -> None:
    undocumented = {
        route.key
        for route in ROUTES
        for name in route.ids
        if name not in UNKNOWN_PATH_ENDPOINTS
        and strip_parameter_names(route.path) not in list_documented_paths(ENDPOINTS[name])
    }
    assert undocumented == set(UNDOCUMENTED_ROUTES)


def test_each_documented_path_of_a_handled_endpoint_has_a_route() -> None:
    served = {(route.method, strip_parameter_names(route.path)) for route in ROUTES}
    missing = {
        f"{name}: {ENDPOINTS[name]['method']} {path}"
        for name in HANDLED - UNKNOWN_PATH_ENDPOINTS
        for path in list_documented_paths(ENDPOINTS[name])
        if (ENDPOINTS[name]["method"], path) not in served
    }
    assert missing == set()
