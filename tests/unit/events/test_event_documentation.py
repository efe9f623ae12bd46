# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The documentation of the event plugins agrees with their code, because no other tool compares the two."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import yaml

from support.event_source import PLUGINS, SOURCE, load_plugin
from support.paths import ROOT
from support.structure import find_imports

SOURCES = {f"meshfleet.particle.{path.stem}": path for path in sorted((PLUGINS / "event_source").glob("*.py"))}
FILTERS = {f"meshfleet.particle.{path.stem}": path for path in sorted((PLUGINS / "event_filter").glob("*.py"))}
ALL = {**SOURCES, **FILTERS}

OWN_LIBRARIES = {"aiohttp", "yarl"}
"""The library of the event source, and a library that it needs itself."""


def load(name: str) -> Any:
    """Return the definitions in the file of a plugin."""
    return load_plugin(ALL[name].parent.name, ALL[name].stem)


def read_options(name: str) -> dict[str, Any]:
    """Return the documented options of a plugin."""
    return dict(yaml.safe_load(load(name).DOCUMENTATION)["options"])


def find_plugins(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the arguments of each plugin of this collection in an example."""
    if isinstance(value, list):
        for item in value:
            yield from find_plugins(item)
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ALL:
                yield key, item or {}
            yield from find_plugins(item)


@pytest.mark.parametrize("name", ALL)
def test_documentation_has_the_keys_that_galaxy_shows(name: str) -> None:
    documented = yaml.safe_load(load(name).DOCUMENTATION)
    assert {"short_description", "description", "version_added", "author", "options"} <= documented.keys()
    for option in documented["options"].values():
        assert {"description", "type"} <= option.keys()
        assert ("elements" in option) == (option["type"] == "list")


@pytest.mark.parametrize("name", ALL)
def test_examples_use_documented_options(name: str) -> None:
    used = list(find_plugins(yaml.safe_load(load(name).EXAMPLES)))
    assert name in [plugin for plugin, _args in used]
    for plugin, args in used:
        assert args.keys() <= read_options(plugin).keys()


def test_options_of_the_source_are_those_of_the_code() -> None:
    options = read_options("meshfleet.particle.events")
    assert list(options) == list(SOURCE.READERS) == [one.name for one in fields(SOURCE.Settings)]
    defaults = {one.name: one.default for one in fields(SOURCE.Settings)}
    for name, option in options.items():
        default = option.get("default")
        assert defaults[name] == (tuple(default) if isinstance(default, list) else default), name


def test_minimums_in_the_documentation_are_those_of_the_code() -> None:
    options = read_options("meshfleet.particle.events")
    assert f"minimum is {SOURCE.MIN_SILENCE:g}" in " ".join(options["silence"]["description"])
    assert f"minimum is {SOURCE.MIN_MAX_BACKOFF:g}" in " ".join(options["max_backoff"]["description"])


def test_options_of_the_filter_are_those_of_the_code() -> None:
    parameters = list(inspect.signature(load("meshfleet.particle.hosts").main).parameters)
    assert parameters[1:] == list(read_options("meshfleet.particle.hosts"))


@pytest.mark.parametrize("name", ALL)
def test_plugin_imports_nothing_that_the_rule_engine_cannot_import(name: str) -> None:
    # The rule engine runs the file by its path: it finds neither the collection nor files beside the plugin.
    imported = {found.dotted[0] for found in find_imports(ALL[name])}
    assert imported - set(sys.stdlib_module_names) - OWN_LIBRARIES == set()


def test_library_of_the_source_is_required() -> None:
    assert "aiohttp>=3.9" in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_entry_points_have_the_form_that_the_rule_engine_calls() -> None:
    for name in SOURCES:
        main = load(name).main
        assert inspect.iscoroutinefunction(main)
        assert list(inspect.signature(main).parameters)[:2] == ["queue", "args"]
    for name in FILTERS:
        main = load(name).main
        assert not inspect.iscoroutinefunction(main)
        assert next(iter(inspect.signature(main).parameters)) == "event"
