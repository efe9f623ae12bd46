# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The reference contains everything that antsibull-docs does not document."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from support.paths import ROOT, TESTS

EDA = ROOT / "extensions" / "eda"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", TESTS / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The content of each page, by the name of its file."""
    folder = tmp_path_factory.mktemp("reference")
    assert tool.main([str(folder)]) == 0
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def list_names(folder: Path) -> list[str]:
    names = sorted(f"meshfleet.particle.{path.stem}" for path in folder.glob("*.yml"))
    assert names
    return names


def find_missing(names: list[str], page: str) -> list[str]:
    """Return the names that are not the title of a section of a page."""
    lines = page.splitlines()
    return [name for name in names if name not in lines]


def test_every_playbook_has_a_section_with_a_description(pages: dict[str, str], tool: ModuleType) -> None:
    assert find_missing(list_names(ROOT / "playbooks"), pages["playbooks.rst"]) == []
    assert [path.name for path in (ROOT / "playbooks").glob("*.yml") if not tool.read_comment(path)[1]] == []


def test_every_rulebook_has_a_section_with_command_and_description(pages: dict[str, str], tool: ModuleType) -> None:
    assert find_missing(list_names(EDA / "rulebooks"), pages["events.rst"]) == []
    for path in (EDA / "rulebooks").glob("*.yml"):
        command, description = tool.read_comment(path)
        assert command[0].startswith(f"ansible-rulebook --rulebook meshfleet.particle.{path.stem} ")
        assert description.endswith(".")


@pytest.mark.parametrize("plugin", ["event_source/events", "event_filter/hosts"])
def test_every_option_of_a_plugin_for_events_is_described(pages: dict[str, str], tool: ModuleType, plugin: str) -> None:
    constants = tool.read_constants(EDA / "plugins" / f"{plugin}.py")
    options = yaml.safe_load(constants["DOCUMENTATION"])["options"]
    assert options
    assert [name for name in options if f"\n``{name}`` (" not in pages["events.rst"]] == []


def test_every_field_of_a_credential_type_is_described(pages: dict[str, str]) -> None:
    types = [path for path in (EDA / "plugins/event_source/credential_types").iterdir() if path.is_dir()]
    assert types
    page = pages["credential_types.rst"]
    for folder in types:
        fields = yaml.safe_load((folder / "inputs.yml").read_text(encoding="utf-8"))["fields"]
        assert folder.name in page.splitlines()
        assert [field["id"] for field in fields if f"\n``{field['id']}`` (" not in page] == []


def test_suboptions_types_and_defaults_are_shown(tool: ModuleType) -> None:
    options = {
        "brake": {
            "type": "dict",
            "description": "When to stop.",
            "suboptions": {
                "at_least": {"type": "int", "default": 2, "required": True, "description": ["How many, see O(brake)."]},
                "kinds": {"type": "list", "elements": "str", "choices": ["gone"], "description": "Which."},
            },
        }
    }
    assert [line for line in tool.build_options(options, "~") if line.strip()] == [
        "Options",
        "~~~~~~~",
        "``brake`` (dict)",
        "   When to stop.",
        "``brake.at_least`` (int, required, default ``2``)",
        "   How many, see :literal:`brake`.",
        "``brake.kinds`` (list of str, one of ``gone``)",
        "   Which.",
    ]
