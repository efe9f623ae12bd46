# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The roles offer the options of the modules that they run, under the same names and in the same form."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.template import Templar, trust_as_template

from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import build_shared_spec
from ansible_collections.meshfleet.particle.plugins.plugin_utils._role_options import read_role_options
from support.paths import ROOT

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
TYPES_OF_TEXT = ("str", "path", "raw", "list")
SAME = ("type", "elements", "choices", "default")
NOT_PART_OF_AUDIT = "The audit looks at a whole product or account, and at nothing else."


@dataclass(frozen=True)
class EntryPoint:
    """An entry point of a role, and the modules whose options it offers.

    :param withheld: the options that it does not offer, each with the reason.
    :param parts: other modules that it runs, each with the options that it offers of this module.
    """

    role: str
    name: str
    modules: tuple[str, ...]
    withheld: Mapping[str, str]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    def spec(self) -> dict[str, Any]:
        """Return the options of the role by name."""
        spec: dict[str, Any] = read_yaml(self.role, "meta", "argument_specs")["argument_specs"][self.name]["options"]
        return spec

    def module_options(self) -> dict[str, Mapping[str, Any]]:
        """Return the options that the modules take by name."""
        return {name: option for module in self.modules for name, option in module_spec(module).items()}

    def offered_options(self) -> dict[str, Mapping[str, Any]]:
        """Return the options of the modules that the role should offer."""
        return {name: option for name, option in self.module_options().items() if name not in self.withheld}


ENTRY_POINTS = [
    EntryPoint(
        "provision",
        "main",
        ("fleet",),
        {
            "fail": "Over hosts, fleet_outcome fails the right ones; elsewhere the run has to fail.",
            "result": "It is provision_result_devices, because provision_result is the registered result.",
        },
    ),
    EntryPoint(
        "provision",
        "mesh_audit",
        ("device_info", "network_info"),
        {
            "products": "The audit is for one product, provision_product.",
            **dict.fromkeys(("organization", "account_devices", "filters", "name", "members"), NOT_PART_OF_AUDIT),
            **dict.fromkeys(("include", "variables", "mac_variable", "include_limit"), NOT_PART_OF_AUDIT),
            **dict.fromkeys(("mesh_status_ledger", "as_manifest", "manifest_form"), NOT_PART_OF_AUDIT),
            "thread_networks": NOT_PART_OF_AUDIT,
        },
    ),
    EntryPoint("rollout", "main", ("rollout",), {}, {"firmware": ("product", "version", "file", "title")}),
    EntryPoint(
        "report",
        "main",
        ("device_info", "access_token_info", "rollout_info"),
        {
            "product": "The role reads the rollout of each product of the report.",
            "include": "The role includes the mesh, and report_vitals adds the vitals.",
            "variables": "The page has no place for the values of variables.",
            "as_manifest": "The report is not a manifest.",
            "manifest_form": "The report is not a manifest.",
            "list": "The page shows the token in use and those that are kept.",
        },
    ),
]


def accept_empty_string(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of a module option in the spec of a role, which must accept an empty string for it.

    Ansible checks the spec of a role before the role can do anything. The module checks the type and the choices.
    """
    if "choices" in option:
        return {**option, "choices": [*option["choices"], ""]}
    if option.get("elements") == "dict":
        return {**option, "type": "raw", "elements": None}
    return {**option, "type": option["type"] if option["type"] in TYPES_OF_TEXT else "raw"}


@functools.cache
def read_yaml(role: str, folder: str, name: str) -> Any:
    """Read a YAML file of a role. All tests share the content, and must not change it."""
    return yaml.safe_load((ROOT / "roles" / role / folder / f"{name}.yml").read_text(encoding="utf-8"))


def module_spec(module: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the argument spec of a module."""
    spec: Mapping[str, Mapping[str, Any]] = importlib.import_module(
        f"ansible_collections.meshfleet.particle.plugins.modules.{module}"
    ).SPEC
    return spec


def walk(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all blocks and tasks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from walk(task.get(part, []))


def find_arguments(entry: EntryPoint, module: str) -> dict[str, str]:
    """Return the arguments of a module by option, from the options of the role and from each task that calls it."""
    given: dict[str, str] = {}
    listed = f"{entry.role}_module_options"
    connection = read_yaml(entry.role, "vars", "main")[f"{entry.role}_connection"]
    for task in walk(read_yaml(entry.role, "tasks", entry.name)):
        of_role = task.get("vars", {}).get(listed, {})
        if of_role:
            assert of_role["particle"] == f"{{{{ {entry.role}_connection }}}}"
            assert set(of_role) <= {"particle", "access_token", *entry.modules, *entry.parts}
        for arguments in (connection, of_role.get(module), task.get(f"meshfleet.particle.{module}")):
            for option, value in (arguments or {}).items():
                given[option] = f"{given.get(option, '')} {value}"
    return given


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=str)
def test_role_offers_every_option_of_its_modules(entry: EntryPoint) -> None:
    options = entry.module_options()
    assert set(entry.withheld) <= set(options)
    assert {name for name in options if f"{entry.role}_{name}" not in entry.spec()} == set(entry.withheld)


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=str)
def test_role_options_have_the_form_of_the_module_options(entry: EntryPoint) -> None:
    spec = entry.spec()
    for name, option in entry.offered_options().items():
        own = spec[f"{entry.role}_{name}"]
        assert own["description"], name
        assert {key: own.get(key) for key in SAME} == {key: accept_empty_string(option).get(key) for key in SAME}, name
        assert own.get("no_log", False) is option.get("no_log", False), name


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=str)
def test_role_passes_every_option_to_its_modules(entry: EntryPoint) -> None:
    for module in (*entry.modules, *entry.parts):
        given = find_arguments(entry, module)
        offered = [*build_shared_spec(), *entry.parts[module]] if module in entry.parts else module_spec(module)
        wanted = {name for name in offered if name not in entry.withheld}
        assert {name for name in wanted if not re.search(rf"\b{entry.role}_{name}\b", given.get(name, ""))} == set()


@pytest.mark.parametrize("role", ROLES)
def test_role_defaults_are_those_of_its_spec(role: str) -> None:
    entries = read_yaml(role, "meta", "argument_specs")["argument_specs"].values()
    options = {name: option for entry in entries for name, option in entry["options"].items()}
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert read_yaml(role, "defaults", "main") == documented


@pytest.mark.parametrize("role", ROLES)
def test_role_readme_has_a_row_for_every_option(role: str) -> None:
    entries = read_yaml(role, "meta", "argument_specs")["argument_specs"].values()
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    cells = re.findall(rf"^\| (`{role}_.*?) \|", text, re.MULTILINE)
    shown = sorted(name for cell in cells for name in re.findall(r"`(\w+)`", cell))
    named_in_text = {"provision_mesh_plan"} if role == "provision" else set()
    assert shown == sorted({name for entry in entries for name in entry["options"]} - named_in_text)


def list_options(role: str) -> list[str]:
    """Return the names of the options of all entry points of a role."""
    entries = read_yaml(role, "meta", "argument_specs")["argument_specs"].values()
    return sorted({name for entry in entries for name in entry["options"]})


@pytest.mark.parametrize("role", ROLES)
def test_role_spec_accepts_an_empty_string_for_every_option(role: str) -> None:
    for entry in read_yaml(role, "meta", "argument_specs")["argument_specs"].values():
        for name, option in entry["options"].items():
            validation = ArgumentSpecValidator({name: option}).validate({name: ""}, validate_role_argument_spec=True)
            assert validation.error_messages == [], name


@pytest.mark.parametrize("role", ROLES)
def test_role_treats_an_empty_string_like_an_undefined_variable(role: str) -> None:
    # The action plugins drop empty strings from the options of the role, which end with default(omit). All other uses
    # must have a default of their own, or depend on a condition that has one. A switch becomes a string first, because
    # the default would replace a boolean that is false.
    paths = [path for part in ("tasks", "templates") for path in (ROOT / "roles" / role / part).glob("*")]
    expressions = {path: read_expressions(path) for path in paths}
    for name in list_options(role):
        guard = re.compile(rf"\b{name} \| default\('', true\)( \| trim)? != ''")
        use = re.compile(rf"\b{name}\b(?!( \| string \| trim.*?)? \| default\((omit\)|[^)]*, true\)))")
        for path, found in expressions.items():
            is_guarded = any(guard.search(text) for text in found)
            assert is_guarded or not [text for text in found if use.search(text)], f"{name} in {path.name}"


@pytest.mark.parametrize("role", ROLES)
def test_role_gives_no_empty_string_to_a_module(role: str) -> None:
    empty = dict.fromkeys(list_options(role), "")
    own = {f"{role}_connection": read_yaml(role, "vars", "main")[f"{role}_connection"]}
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        for task in walk(read_yaml(role, "tasks", path.stem)):
            listed = task.get("vars", {}).get(f"{role}_module_options")
            if listed is None:
                continue
            variables = {"role_name": role, **empty, **trust(own), f"{role}_module_options": trust(listed)}
            template = Templar(variables=variables).template
            for module in listed:
                options = read_role_options(variables, template, module)
                assert options is not None
                assert options.given == {}


@pytest.mark.parametrize(
    ("switch", "is_on"),
    [(True, True), ("", True), (" ", True), (None, True), ("yes", True), (False, False), ("no", False)],
)
def test_report_reads_the_rollout_of_each_of_its_products_once(switch: object, is_on: bool) -> None:
    tasks = walk(read_yaml("report", "tasks", "main"))
    (loop,) = (task["loop"] for task in tasks if "meshfleet.particle.rollout_info" in task)
    products = ["soil", None, "barn", "soil", "31337", "2024-probe"]
    devices = [{"id": f"{number:024x}", "product": product} for number, product in enumerate(products)]
    variables = {"report_fleet": {"devices": devices}, "report_rollouts": switch}
    found = Templar(variables=variables).template(trust_as_template(loop))
    assert found == (["2024-probe", "barn", "soil"] if is_on else [])


def trust(value: Any) -> Any:
    """Mark all strings as templates, as Ansible does when it reads the files of a role."""
    if isinstance(value, dict):
        return {name: trust(item) for name, item in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


def read_expressions(path: Path) -> list[str]:
    """Return the templates and the conditions in a file of a role."""
    text = path.read_text(encoding="utf-8")
    conditions = re.findall(r"^ *(?:- |(?:changed_when|failed_when|that|until|when): ).*", text, re.MULTILINE)
    return [*re.findall(r"{{.*?}}|{%.*?%}", text, re.DOTALL), *conditions]
