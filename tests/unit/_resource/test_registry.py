# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Every kind of resource is registered and consists of its file, the file of its routes and its module."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind, refuse_single_write
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS, order_kinds
from support.paths import ROOT
from support.structure import find_imports

PLUGINS = ROOT / "plugins"
FILES = PLUGINS / "module_utils" / "_resource" / "kinds"
PACKAGE = "ansible_collections.meshfleet.particle.plugins"
MAX_LINES = 200
"""Maximum number of lines of code of a kind: in its file, the file of its routes and its module."""
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
BIG = {"firmware"}
"""Kinds whose work is done by a package of their own."""
MODULES = {path.stem for path in (PLUGINS / "modules").glob("*.py")}
ACTIONS = {path.stem for path in (PLUGINS / "action").glob("*.py")}


def find_gaps(
    files: Mapping[str, Collection[Kind]], kinds: Collection[Kind], modules: Collection[str], actions: Collection[str]
) -> Iterator[str]:
    """Yield a sentence about each part that is missing for the kinds in the files."""
    for name, found in files.items():
        if not found:
            yield f"{name}.py describes no kind"
        for kind in found:
            if kind not in kinds:
                yield f"{kind.name} of {name}.py is not registered"
            if kind.module not in modules:
                yield f"{kind.name} of {name}.py has no module {kind.module}"
            if kind.module not in actions:
                yield f"{kind.name} of {name}.py has no action {kind.module}"


def find_kinds(module: ModuleType) -> list[Kind]:
    return [value for value in vars(module).values() if isinstance(value, Kind)]


def find_kind_files() -> list[Path]:
    return [path for path in sorted(FILES.glob("*.py")) if path.stem != "__init__"]


def import_plugin(path: Path) -> ModuleType:
    """Import a plugin by its file."""
    return importlib.import_module(".".join((PACKAGE, *path.relative_to(PLUGINS).with_suffix("").parts)))


def test_every_kind_is_registered_and_has_module_and_action() -> None:
    files = {path.stem: find_kinds(import_plugin(path)) for path in find_kind_files()}
    assert files
    assert list(find_gaps(files, KINDS.values(), MODULES, ACTIONS)) == []


def test_missing_parts_of_a_kind_are_found() -> None:
    files = {"webhooks": [KINDS["groups"], KINDS["integrations"]], "empty": []}
    assert list(find_gaps(files, [], [], [])) == [
        "groups of webhooks.py is not registered",
        "groups of webhooks.py has no module device_group",
        "groups of webhooks.py has no action device_group",
        "integrations of webhooks.py is not registered",
        "integrations of webhooks.py has no module integration",
        "integrations of webhooks.py has no action integration",
        "empty.py describes no kind",
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_module_has_every_field_of_its_kind_as_an_option(kind: Kind) -> None:
    spec = import_plugin(PLUGINS / "modules" / f"{kind.module}.py").SPEC
    if kind.update_row is not refuse_single_write:  # otherwise the module has one option for several resources
        fields = {each.name: dict(each.spec) for each in kind.fields}
        # The state of a SIM is a field. Every module has a default for `state`.
        state = {key: value for key, value in spec["state"].items() if key != "default"}
        assert fields.items() <= {**spec, "state": state}.items()
        assert kind.key.name in spec
    assert {"product", "state"} <= spec.keys()
    # An omitted option leaves its value unchanged, so options of a kind must not have a default.
    assert [each.name for each in kind.fields if "default" in each.spec or each.spec.get("required")] == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_kind_names_each_field_and_key_once(kind: Kind) -> None:
    fields = (kind.key, *kind.fields)
    assert len({each.name for each in fields}) == len({each.cloud for each in fields}) == len(fields)
    assert set(kind.exclusive) <= {each.name for each in kind.fields}


def test_kinds_are_ordered_after_the_kinds_that_they_need() -> None:
    order = [kind.name for kind in order_kinds()]
    assert sorted(order) == sorted(KINDS)
    assert all(order.index(needed) < order.index(name) for name, kind in KINDS.items() for needed in kind.after)


def test_only_kinds_that_exist_are_needed() -> None:
    assert {needed for kind in KINDS.values() for needed in kind.after} <= KINDS.keys()


@pytest.mark.parametrize(
    "path", [path for path in find_kind_files() if path.stem not in BIG], ids=lambda path: path.stem
)
def test_kind_does_not_exceed_the_maximum_lines(path: Path) -> None:
    kind = find_kinds(import_plugin(path))[0]
    routes = {
        PLUGINS.joinpath(*found.ours[:3]).with_suffix(".py")
        for found in find_imports(path)
        if found.ours and found.ours[:2] == ("module_utils", "_api") and found.ours[2] != "target"
    }
    assert routes
    lines = {
        file.name: count_lines_of_code(file) for file in (path, *routes, PLUGINS / "modules" / f"{kind.module}.py")
    }
    assert sum(lines.values()) <= MAX_LINES, lines


def count_lines_of_code(path: Path) -> int:
    """Count the lines of a file without its documentation, comments and empty lines."""
    text = path.read_text(encoding="utf-8")
    left_out = set[int]()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTATION):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate((line.strip() for line in text.splitlines()), 1)
    return sum(1 for number, line in lines if line and line[0] != "#" and number not in left_out)
