# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What of the cloud the simulator has, and what not and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from particle_simulator.routes import build_whole_table
from support.facts import load_endpoints
from support.paths import SIMULATOR

ROUTES = build_whole_table().routes
AT_LEAST = 120


def read(name: str) -> Any:
    return yaml.safe_load((SIMULATOR / name).read_text(encoding="utf-8"))


ENDPOINTS = {endpoint["id"]: endpoint for endpoints in load_endpoints().values() for endpoint in endpoints}
GROUPS = {group: [endpoint["id"] for endpoint in endpoints] for group, endpoints in load_endpoints().items()}
KNOWN = {name for names in GROUPS.values() for name in names}
HANDLED = {name for route in ROUTES for name in route.ids}

UNKNOWN_PATHS = {"spark_2014_login", "spark_2014_access_token"}
"""Endpoints whose paths are lost; the simulator puts them where its user likes."""

FORMS_BESIDE_THE_FACTS = {
    "GET /v1/events": "refuses to stream without a prefix, as the errors of events_all say",
    "GET /v1/orgs/:org/events/:prefix": "completes the organisation's stream; products and accounts have this form",
    "GET /v1/orgs/:org/devices/:id/events/:prefix": "the same for one device",
    "POST /v1/orgs/:org/integrations/:id/test": "completes the organisation's integrations; no client sends it",
    "POST /v1/products/:p/webhooks": "completes the older name of integrations, whose list has a product form",
    "GET /v1/products/:p/webhooks/:id": "the same",
    "DELETE /v1/products/:p/webhooks/:id": "the same",
}
"""Routes of the simulator that have no path in docs/facts/endpoints.yml, and why they are there."""


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


def expand_path(written: str) -> Iterator[str]:
    """Yield the paths that a template stands for: ``/a[/:b]`` is two of them, ``/a/(b|c)`` too.

    A note may follow a path, behind white space, and further paths behind a comma.
    """
    for template in re.findall(r"(?<!\S)(?:/|<scope>)[^\s,]*", written):
        yield from _expand_options(template)


def _expand_options(template: str) -> Iterator[str]:
    if template.startswith("<scope>"):
        for scope in ("/v1/env", "/v1/env/:deviceId", "/v1/products/:p/env", "/v1/orgs/:org/env"):
            yield scope + template.removeprefix("<scope>")
    elif optional := re.search(r"\[([^\[\]]*)\]", template):
        for part in ("", optional[1]):
            yield from _expand_options(template[: optional.start()] + part + template[optional.end() :])
    elif choice := re.search(r"\(([^()]*)\)", template):
        for part in choice[1].split("|"):
            yield from _expand_options(template[: choice.start()] + part + template[choice.end() :])
    else:
        yield template


def anonymous(path: str) -> str:
    """The path without the names of its parameters: the facts and the simulator may name them differently."""
    return re.sub(r":\w+", ":", path)


def paths_in_the_facts(endpoint: dict[str, Any]) -> set[str]:
    written = [endpoint[key] for key in ("path", "product_path", "org_path", "alt_path") if key in endpoint]
    return {anonymous(path) for each in written for path in expand_path(each)}


def test_path_template_stands_for_each_of_its_forms() -> None:
    assert set(expand_path("/a[/:b[/c]], /d (older)")) == {"/a", "/a/:b", "/a/:b/c", "/d"}
    assert set(expand_path("/a/(b|c)")) == {"/a/b", "/a/c"}


def test_each_route_has_the_method_that_the_facts_give() -> None:
    wrong = [(name, route.key) for route in ROUTES for name in route.ids if route.method != ENDPOINTS[name]["method"]]
    assert wrong == []


def test_each_route_has_a_path_that_the_facts_give() -> None:
    strange = {
        route.key
        for route in ROUTES
        for name in route.ids
        if name not in UNKNOWN_PATHS and anonymous(route.path) not in paths_in_the_facts(ENDPOINTS[name])
    }
    assert strange == set(FORMS_BESIDE_THE_FACTS)
