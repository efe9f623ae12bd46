# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compare docs/facts/reads.yml with docs/facts/endpoints.yml, on which it is based."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import SHAPES
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import READS, Read
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Shapes
from support.facts import ERROR_BODIES, FACTS, load_endpoints, read_endpoints
from support.probe_table import list_unread, load_reads

sys.path.insert(0, str(Path(__file__).parents[1] / "simulator"))

from documented_paths import list_documented_paths, strip_parameter_names

GROUP_OF = {endpoint["id"]: group for group, endpoints in load_endpoints().items() for endpoint in endpoints}
GETS = {
    endpoint["id"]: endpoint
    for endpoints in load_endpoints().values()
    for endpoint in endpoints
    if "GET" in endpoint["method"]
}
NOT_READ = load_reads()["not_read"]
MIN_READS = 115


def list_names(shape: Any) -> Iterator[str]:
    """Yield the names of the fields and the types in a shape."""
    if isinstance(shape, dict):
        yield from shape
        for below in shape.values():
            yield from list_names(below)
    elif isinstance(shape, list):
        yield from list_names(shape[0])
    elif shape is not None:
        yield from re.findall(r"\w+", shape)


def follow(shape: Any, place: str) -> bool:
    """Return whether a documented body has a place such as ``devices[].id``."""
    if isinstance(shape, str):
        alternatives = [each for each in shape.split("|") if each not in ("absent", "null")]
        return any(follow([each[1:-1]] if each.startswith("[") else SHAPES.get(each), place) for each in alternatives)
    name, _dot, rest = place.partition(".")
    step = name.removesuffix("[]")
    if step:
        if not isinstance(shape, dict) or step not in shape:
            return step == "*" and isinstance(shape, dict)
        shape = shape[step]
    if name.endswith("[]"):
        return is_list(shape, rest)
    return not rest or follow(shape, rest)


def is_list(shape: Any, rest: str) -> bool:
    """Return whether a shape can be a list whose elements have the place `rest`."""
    if isinstance(shape, str):
        lists = [each for each in shape.split("|") if each.startswith("[") or each == "list"]
        return any(each == "list" or not rest or follow(each[1:-1], rest) for each in lists)
    return isinstance(shape, list) and (not rest or follow(shape[0], rest))


@pytest.mark.parametrize("endpoint", sorted(GETS))
def test_each_path_of_a_get_is_read_or_has_a_reason(endpoint: str) -> None:
    read = {strip_parameter_names(each.path) for each in READS if each.endpoint == endpoint}
    unread = {row["request"] for row in list_unread() if row["endpoint"] == endpoint}
    if endpoint in NOT_READ:
        assert (read, unread) == (set(), {None})
        return
    paths = list_documented_paths(GETS[endpoint])
    named = read | {strip_parameter_names(path.removeprefix("GET ")) for path in unread}
    assert named <= paths
    # The collection of logic_crud is only for POST; logic_list reads it.
    assert paths - named <= {strip_parameter_names(each.path) for each in READS if each.endpoint == "logic_list"}


def test_only_endpoints_with_a_get_are_read() -> None:
    assert {each.endpoint for each in READS} | set(NOT_READ) == set(GETS)
    assert len(READS) >= MIN_READS


def test_each_name_of_a_field_is_in_the_facts() -> None:
    shared = json.dumps([read_endpoints()["shapes"], read_endpoints()["meta"]])
    shared += (FACTS / ERROR_BODIES[0]).read_text(encoding="utf-8")
    unknown = {}
    for name, reads in load_reads()["reads"].items():
        known = set(re.findall(r"\w+", shared + json.dumps(load_endpoints()[GROUP_OF[name]])))
        used = {found for read in reads for found in find_field_names(read.get("body"))}
        if used - known:
            unknown[name] = used - known
    assert unknown == {}


def find_field_names(shape: Any, *, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names of the fields of a shape, and of the shapes that it names."""
    if isinstance(shape, dict):
        for name, below in shape.items():
            yield from [] if name == "*" else [name]
            yield from find_field_names(below, seen=seen)
    elif isinstance(shape, list):
        yield from find_field_names(shape[0], seen=seen)
    elif isinstance(shape, str):
        for name in re.findall(r"\w+", shape):
            if name in SHAPES and name not in seen:
                yield from find_field_names(SHAPES[name], seen=seen | {name})


def test_each_type_in_the_table_is_known() -> None:
    shapes = Shapes(SHAPES, lambda value: None)
    for shape in (*SHAPES.values(), *(read.body for read in READS)):
        check_types(shapes, shape)


def check_types(shapes: Shapes, shape: Any) -> None:
    """Compare a value with each type in a shape, which fails for an unknown type."""
    if isinstance(shape, dict):
        for below in shape.values():
            check_types(shapes, below)
    elif isinstance(shape, list):
        check_types(shapes, shape[0])
    else:
        for name in re.findall(r"\w+", shape):
            if name != "absent":
                list(shapes.compare(None, name))


@pytest.mark.parametrize("read", READS, ids=lambda read: read.path)
def test_places_of_values_are_in_the_documented_body(read: Read) -> None:
    for place in read.gives.values():
        assert follow(read.body, place), place
    for place in (*read.most, *read.rows):
        assert follow(read.body, f"{place}[]"), place


def test_each_needed_value_is_given_by_another_request() -> None:
    given = {kind for read in READS for kind in read.gives}
    assert {kind for read in READS for kind in read.list_kinds()} <= given


def test_lists_with_pages_name_the_place_of_their_rows() -> None:
    assert all(len(read.rows) == 1 for read in READS if read.pages)
