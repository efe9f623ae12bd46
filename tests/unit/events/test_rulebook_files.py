# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The rulebooks, their playbooks and the credential types fit together, and events cannot inject text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.examples import list_examples
from support.paths import ROOT
from support.rulebooks import FOLDER

RULEBOOKS = sorted(FOLDER.glob("*.yml"))
CREDENTIAL_TYPES = sorted(path for path in (FOLDER.parent / "plugins/event_source/credential_types").iterdir())
SOURCES = {"meshfleet.particle.events", "eda.builtin.generic", "eda.builtin.webhook"}
CONSTANTS = {"event.meta.source.type", "event.offline_check"}
"""Attributes with a few values. The rule engine stops if it collects many events, see docs/decisions/rulebooks.md."""
_LITERAL_NAME = re.compile(r'event\.(?:particle\.name|payload\.event) == "([^"]+)"')
_TEXT_OF_EVENT = re.compile(r"(?<!meshfleet\.)\b(?:particle|payload)\.\w+")

by_name = pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    (ruleset,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(ruleset)


def list_playbook_rules(ruleset: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in ruleset["rules"] if "run_playbook" in rule["action"]]


@by_name
def test_every_playbook_of_a_rulebook_exists(path: Path) -> None:
    for rule in list_playbook_rules(load(path)):
        name = rule["action"]["run_playbook"]["name"]
        assert name.startswith("meshfleet.particle.")
        assert (ROOT / "playbooks" / f"{name.rpartition('.')[2]}.yml").exists()


@by_name
def test_rulebook_needs_no_other_collection(path: Path) -> None:
    named = {key for source in load(path)["sources"] for key in source if key != "name"}
    assert named <= SOURCES


@by_name
def test_storm_of_events_starts_one_playbook(path: Path) -> None:
    for rule in list_playbook_rules(load(path)):
        assert "throttle" in rule or rule["condition"] == "event.timer is defined"


@by_name
def test_engine_collects_only_a_few_events_for_an_action(path: Path) -> None:
    for rule in load(path)["rules"]:
        throttle = rule.get("throttle", {})
        if "once_within" not in throttle:
            assert set(throttle.get("group_by_attributes", [])) <= CONSTANTS


@by_name
def test_condition_checks_the_text_that_an_action_uses(path: Path) -> None:
    for rule in load(path)["rules"]:
        for used in _TEXT_OF_EVENT.findall(str(rule["action"])):
            assert re.search(rf'event\.{re.escape(used)} is regex\("\^[^"]+\$"\)', rule["condition"]), used


@by_name
def test_facts_describe_every_event_of_a_rulebook(path: Path) -> None:
    facts = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "facts").iterdir())
    ruleset = load(path)
    names = {name for rule in ruleset["rules"] for name in _LITERAL_NAME.findall(rule["condition"])}
    for source in ruleset["sources"]:
        prefix = source.get("meshfleet.particle.events", {}).get("prefix", [])
        names |= {prefix} if isinstance(prefix, str) else set(prefix)
    assert {name for name in names if name not in facts} == set()


@by_name
def test_guide_prints_the_rulebook(path: Path) -> None:
    guide = (ROOT / "docs" / "guide_events.md").read_text(encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert f"```yaml\n{text[text.index('- name: ') :]}```" in guide


def test_webhooks_of_the_guide_send_what_the_rulebook_reads() -> None:
    read = set(re.findall(r"event\.payload\.(\w+)", (FOLDER / "rollout_push.yml").read_text(encoding="utf-8")))
    recipes = [
        re.findall(r"^      (\w+): !unsafe", example.text, re.MULTILINE)
        for example in list_examples()
        if example.source == "docs/guide_events.md" and "particle.integration:" in example.text
    ]
    assert len(recipes) == 2
    for keys in recipes:
        assert read <= set(keys)


@pytest.mark.parametrize("path", CREDENTIAL_TYPES, ids=lambda path: path.name)
def test_credential_type_injects_its_own_fields(path: Path) -> None:
    inputs, injectors = (yaml.safe_load((path / f"{name}.yml").read_text("utf-8")) for name in ("inputs", "injectors"))
    fields = {field["id"] for field in inputs["fields"]}
    used = set(re.findall(r"\{\{ (\w+) \}\}", str(injectors)))
    assert used == fields
    assert set(inputs.get("required", [])) <= fields
    # A platform reserves these names.
    assert not [name for name in injectors.get("extra_vars", {}) if name.startswith("EDA_")]
