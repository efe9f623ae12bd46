# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the output of `ansible-doc` is complete and matches the options of the code."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.paths import ROOT
from support.playbooks import ansible_environment
from support.plays import cloud_environment, manifest_for, run_task
from support.simulator import Simulator

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
NESTED = {"devices", "networks", "mesh", "filters"}
"""The options whose values are mappings with keys of their own."""
SET_IN_A_MANIFEST = {"groups_mode", "undeclared", "unique_names"}
"""The options that a manifest sets as well as a task. A default of the option would count as set in the task."""
MACRO = re.compile(r"\b[A-Z]+\((?:[^)\\]|\\.)*\)")
DOCUMENTED_ERROR = {"code", "hint", "message", "route", "status"}


@pytest.fixture(scope="module")
def documentation(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The documentation of every module, as `ansible-doc --json` prints it."""
    names = [f"meshfleet.particle.{module}" for module in MODULES]
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.doc", "--type", "module", "--json", *names],
        env=ansible_environment(tmp_path_factory.mktemp("home"), {"PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert sorted(found) == names
    return found


@pytest.mark.parametrize("module", MODULES)
def test_module_is_documented_with_examples_and_return_values(documentation: dict[str, Any], module: str) -> None:
    entry = documentation[f"meshfleet.particle.{module}"]
    assert entry["doc"]["short_description"]
    assert entry["doc"]["version_added_collection"] == "meshfleet.particle"
    assert f"meshfleet.particle.{module}:" in entry["examples"]
    assert {"check_mode", "diff_mode", "idempotent", "action_group"} <= set(entry["doc"]["attributes"])
    assert set(entry["return"]["error"]["contains"]) == DOCUMENTED_ERROR
    undescribed = [name for name, value in entry["return"].items() if not value.get("description")]
    assert undescribed == []


@pytest.mark.parametrize("module", MODULES)
def test_documented_options_match_the_argument_spec(documentation: dict[str, Any], module: str) -> None:
    options = documentation[f"meshfleet.particle.{module}"]["doc"]["options"]
    spec = importlib.import_module(f"ansible_collections.meshfleet.particle.plugins.modules.{module}").SPEC
    assert_same_options(options, spec)


def list_options(options: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the documentation of each option and suboption."""
    for name, option in options.items():
        yield name, option
        yield from list_options(option.get("suboptions") or {})


def list_texts(option: Mapping[str, Any]) -> list[str]:
    return [option["description"]] if isinstance(option["description"], str) else option["description"]


@pytest.mark.parametrize("module", MODULES)
def test_nested_options_document_their_keys_and_defaults(documentation: dict[str, Any], module: str) -> None:
    options = list(list_options(documentation[f"meshfleet.particle.{module}"]["doc"]["options"]))
    nested = [(name, option) for name, option in options if name in NESTED and option["type"] in ("dict", "list")]
    assert [name for name, option in nested if option.get("elements") != "str" and not option.get("suboptions")] == []
    assert [name for name, option in options if "type" not in option] == []
    in_prose = {
        name
        for name, option in options
        if option.get("default") is None and any(text.startswith("The default is V(") for text in list_texts(option))
    }
    assert in_prose <= SET_IN_A_MANIFEST


@pytest.mark.parametrize("module", MODULES)
def test_markup_ends_at_its_own_parenthesis(documentation: dict[str, Any], module: str) -> None:
    for name, option in list_options(documentation[f"meshfleet.particle.{module}"]["doc"]["options"]):
        for text in list_texts(option):
            rest = MACRO.sub("", text)
            assert rest.count("(") == rest.count(")"), f"{name}: {text}"


def assert_same_options(options: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    assert set(options) == set(spec)
    for name, option in options.items():
        assert option["description"], name
        for key in ("type", "choices", "default", "elements", "aliases"):
            assert option.get(key) == spec[name].get(key), f"{name}: {key}"
        # The manifest reader checks the keys of devices and networks, so their argument specs do not declare them.
        if "options" in spec[name]:
            assert_same_options(option.get("suboptions") or {}, spec[name]["options"])


def test_documented_inventory_options_match_the_spec(tmp_path: Path) -> None:
    name = "meshfleet.particle.devices"
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.doc", "--type", "inventory", "--json", name],
        env=ansible_environment(tmp_path, {"PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    entry = json.loads(done.stdout)[name]
    spec = importlib.import_module("ansible_collections.meshfleet.particle.plugins.inventory.devices").SPEC
    ansible_options = {"plugin", "compose", "groups", "keyed_groups", "leading_separator", "strict", "use_extra_vars"}
    documented = entry["doc"]["options"]
    own_options = {
        option: value for option, value in documented.items() if option not in ansible_options and "cache" not in option
    }
    assert_same_options(own_options, spec)
    for option, value in list_options(documented):
        for text in list_texts(value):
            assert MACRO.sub("", text).count(")") == MACRO.sub("", text).count("("), f"{option}: {text}"
    assert f"plugin: {name}" in entry["examples"]


def test_every_module_that_connects_has_the_shared_options() -> None:
    from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import (
        SECRETS,
        build_shared_spec,
    )

    shared = build_shared_spec()
    for module in MODULES:
        spec = importlib.import_module(f"ansible_collections.meshfleet.particle.plugins.modules.{module}").SPEC
        connects = module not in ("fleet_outcome", "thread_network", "thread_network_info")
        assert (shared.items() <= spec.items(), shared.keys().isdisjoint(spec)) == (connects, not connects)
    assert all(shared[name]["no_log"] for name in SECRETS)


@pytest.mark.parametrize("role", ROLES)
def test_role_options_are_described_and_listed_in_its_readme(role: str, tmp_path: Path) -> None:
    name = f"meshfleet.particle.{role}"
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.doc", "--type", "role", "--json", name],
        env=ansible_environment(tmp_path, {"PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    options = json.loads(done.stdout)[name]["entry_points"]["main"]["options"]
    readme = (ROOT / "roles" / role / "README.md").read_text()
    assert all(option["description"] for option in options.values())
    assert [name for name in options if f"`{name}`" not in readme] == []


def test_written_and_reported_ledgers_match_the_mesh_contract(simulator: Simulator) -> None:
    text = (ROOT / "docs" / "mesh_contract.md").read_text()
    schemas = {schema["title"]: schema for schema in map(json.loads, re.findall(r"```json\n(.*?)```", text, re.DOTALL))}
    manifest = manifest_for(simulator)
    manifest["networks"]["barn"] = {"parameters": {"channel": 15}}
    run_task("fleet", {"manifest": manifest}, cloud_environment(simulator.url)).succeeded()
    ledgers = {ledger["name"]: ledger for ledger in simulator.state()["ledgers"]}
    assert set(schemas) == set(ledgers) == {"mesh", "mesh-status"}
    for name, ledger in ledgers.items():
        instances = ledger["instances"]
        assert len(instances) == 20
        for instance in instances.values() if isinstance(instances, dict) else instances:
            jsonschema.validate(instance["data"], schemas[name])
