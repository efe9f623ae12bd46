# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A definition is read as a whole, and all its mistakes are named with their places."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import (
    Definition,
    read_definition,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared, Placeholder
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS

SIM_STATES = ("active", "inactive", "released")
HOOK = {"event": "reading", "url": "https://hooks.example.net/in"}


def read(data: Any) -> Definition:
    return read_definition(data, KINDS)


def find_mistakes(data: Any) -> list[str]:
    """Return the lines of the message about the mistakes in `data`, without the first line."""
    with pytest.raises(ParticleError) as caught:
        read(data)
    assert caught.value.code == "invalid_manifest"
    return [line.strip() for line in caught.value.message.split("\n")[1:]]


class TestForms:
    """A definition may be written in several forms."""

    def test_settings_are_the_options_of_the_modules(self) -> None:
        found = read({"groups": {"canary": {"description": "On our roof"}}, "integrations": {"readings": HOOK}})
        assert found.resources == {
            "groups": (Declared("canary", {"description": "On our roof"}),),
            "integrations": (Declared("readings", HOOK),),
        }

    @pytest.mark.parametrize("entry", [None, {}, {"state": "present"}])
    def test_resource_may_be_declared_without_settings(self, entry: Any) -> None:
        assert read({"groups": {"canary": entry}}).resources == {"groups": (Declared("canary"),)}

    def test_resource_may_be_declared_absent(self) -> None:
        assert read({"groups": {"canary": {"state": "absent"}}}).resources["groups"] == (Declared("canary", {}, True),)

    def test_sim_is_released_by_its_state(self) -> None:
        iccid = "8934076500002589174"
        states = {state: read({"sims": {iccid: {"state": state}}}).resources["sims"][0].absent for state in SIM_STATES}
        assert states == {"active": False, "inactive": False, "released": True}

    def test_damaged_iccid_of_a_released_sim_is_a_mistake(self) -> None:
        (mistake,) = find_mistakes({"sims": {"8.93407650000259e+19": {"state": "released"}}})
        assert "a number that a spreadsheet such as Excel has shortened" in mistake

    def test_list_of_choices_is_read_item_by_item(self) -> None:
        users = {"nightly": {"scopes_for": ["device_info", "report"]}}
        assert read({"api_users": users}).resources == {"api_users": (Declared("nightly", users["nightly"]),)}
        (mistake,) = find_mistakes({"api_users": {"nightly": {"scopes_for": ["device_info", "reports"]}}})
        assert mistake.startswith("api_users.nightly.scopes_for[1]: must be one of")

    @pytest.mark.parametrize("data", [None, {}])
    def test_definition_may_be_empty(self, data: Any) -> None:
        assert read(data).resources == {}

    @pytest.mark.parametrize("section", [None, {}])
    def test_declared_kind_may_have_no_resources(self, section: Any) -> None:
        assert read({"groups": section}).resources == {"groups": ()}

    @pytest.mark.parametrize("key", [7, "7"])
    def test_version_may_be_a_number(self, key: Any) -> None:
        assert read({"firmware": {key: {"title": "Winter"}}}).resources["firmware"] == (
            Declared("7", {"title": "Winter"}),
        )


class TestSecrets:
    """A definition names secrets, and the user gives their values."""

    DATA: ClassVar[dict[str, Any]] = {
        "integrations": {
            "readings": {
                **HOOK,
                "url": {"secret": "ADDRESS"},
                "headers": {"Authorization": {"secret": "TOKEN"}, "X-Site": "barn"},
                "auth": {"username": "hook", "password": {"secret": "PASSWORD"}},
                "json": {"deep": [{"secret": "TOKEN"}, {"secret": "{{{PARTICLE_EVENT_VALUE}}}"}]},
            }
        }
    }

    def test_names_stand_for_secrets_at_any_depth(self) -> None:
        (declared,) = read(self.DATA).resources["integrations"]
        assert declared.values["headers"] == {"Authorization": Placeholder("TOKEN"), "X-Site": "barn"}
        assert declared.values["auth"] == {"username": "hook", "password": Placeholder("PASSWORD")}
        assert declared.values["url"] == Placeholder("ADDRESS")
        assert declared.values["json"]["deep"] == [Placeholder("TOKEN"), {"secret": "{{{PARTICLE_EVENT_VALUE}}}"}]
        assert read(self.DATA).list_secrets() == ["ADDRESS", "PASSWORD", "TOKEN"]

    def test_given_values_take_the_place_of_names(self) -> None:
        (declared,) = read(self.DATA).fill({"TOKEN": "t0ken"}).resources["integrations"]
        assert declared.values["headers"] == {"Authorization": "t0ken", "X-Site": "barn"}
        assert declared.values["auth"]["password"] == Placeholder("PASSWORD")

    def test_value_without_a_name_in_the_definition_is_found(self) -> None:
        assert read(self.DATA).find_unknown_secrets(["TOKENS", "PASSWORD"]) == ["TOKENS (did you mean TOKEN?)"]

    @pytest.mark.parametrize("value", [5, True, None, "", ["t0ken"]])
    def test_value_that_is_not_a_text_or_empty_is_refused(self, value: Any) -> None:
        with pytest.raises(ParticleError, match=r"these values are not: ADDRESS, TOKEN\.") as caught:
            read(self.DATA).fill({"ADDRESS": value, "TOKEN": value, "PASSWORD": "p4ss"})
        assert caught.value.code == "invalid_option"

    def test_setting_that_is_never_secret_cannot_be_named(self) -> None:
        assert find_mistakes({"groups": {"a": {"description": {"secret": "X"}}}}) == [
            "groups.a.description: cannot be a secret; write its value"
        ]


class TestMistakes:
    """All mistakes are named at once."""

    @pytest.mark.parametrize(
        ("data", "mistake"),
        [
            ([], "the definition: must be a mapping, got a list; valid keys are"),
            ({"group": {}}, "group: unknown key (did you mean groups?); valid keys are"),
            ({"groups": ["a"]}, "groups: must be a mapping, got a list; write the name of each device group as a key"),
            ({"groups": {5: None}}, "groups.5: the name must be a string, got a number; put it in quotes"),
            ({"groups": {"a": "red"}}, "groups.a: must be a mapping, got a string; valid keys are description"),
            ({"groups": {"a": {"colour": "#ff0000"}}}, "groups.a.colour: unknown key (did you mean color?)"),
            ({"groups": {"a": {"color": 5}}}, "groups.a.color: must be a string, got the number 5; put it in quotes"),
            ({"groups": {"a": {"color": None}}}, "groups.a.color: has no value; leave it out to keep the setting"),
            ({"groups": {"a": {"color": "red"}}}, "groups.a: 'red' is not a valid color"),
            ({"groups": {"A": None}}, "groups.A: 'A' is not a valid name"),
            ({"groups": {"a": {"state": "gone"}}}, "groups.a.state: must be one of present, absent, got 'gone'"),
            ({"integrations": {"a": {"headers": "x"}}}, "integrations.a.headers: must be a mapping, got a string"),
            ({"integrations": {"a": {"auth": {"username": "u"}}}}, "integrations.a.auth: needs username and password"),
            ({"integrations": {"a": {"no_defaults": "yes"}}}, "integrations.a.no_defaults: must be true or false"),
            ({"integrations": {"a": {"json": {}, "body": "b", "form": {"c": "d"}}}}, "integrations.a: form and body"),
            (
                {"integrations": {"a": {"headers": {"Authorization": {"secert": "TOKEN"}}}}},
                "integrations.a: headers.Authorization must be a text, got a mapping",
            ),
            ({"integrations": {"a": {"method": "PATCH"}}}, "integrations.a.method: must be one of DELETE, GET"),
            ({"firmware": {7: None, "7": None}}, "firmware.7: is declared as a text and as a number; keep one of them"),
            ({"firmware": {"x": None}}, "firmware.x: 'x' is not a version: use 1 to 65534"),
            ({"firmware": {"07": None}}, "firmware.07: '07' is not a version: use 1 to 65534"),
            ({"firmware": {7: {"release": {"groups": "a"}}}}, "firmware.7.release.groups: must be a list"),
        ],
    )
    def test_mistake_is_named_with_its_place(self, data: Any, mistake: str) -> None:
        (found,) = find_mistakes(data)
        assert found.startswith(mistake)

    def test_message_has_each_mistake_with_its_line(self) -> None:
        text = "groups:\n  a:\n    color: red\n  B: {}\nintegrations:\n  x:\n    headers: 5\nfirmware:\n  v1: {}\n"
        data, where = parse_yaml(text, "product.yml", "definition")
        with pytest.raises(ParticleError, match="The definition has 4 mistakes") as caught:
            read_definition(data, KINDS, where)
        lines = [line.split()[0] for line in caught.value.message.split("\n")[1:]]
        assert sorted(lines) == ["product.yml:3", "product.yml:4", "product.yml:7", "product.yml:9"]

    def test_values_of_secrets_are_not_shown(self) -> None:
        mistakes = find_mistakes({"integrations": {"a": {"auth": {"username": "u", "password": 4711}, "query": [815]}}})
        assert not any("4711" in line or "815" in line for line in mistakes)


class TestMistakesOfEntries:
    """Each entry is checked as a whole, unless it has mistakes of its own."""

    def test_mistakes_of_an_entry_with_a_longer_name_hide_nothing(self) -> None:
        first, second = find_mistakes({"groups": {"north-2": {"color": 5}, "north": {"color": "blue"}}})
        assert first.startswith("groups.north-2.color: must be a string")
        assert second.startswith("groups.north: 'blue' is not a valid color")

    def test_wrong_value_in_a_file_is_one_mistake(self) -> None:
        text = "integrations:\n  readings:\n    event: reading\n    url: 5\n"
        with pytest.raises(ParticleError) as caught:
            read_definition(*_parse(text))
        assert caught.value.message.startswith(
            "The definition has a mistake:\n  product.yml:4 integrations.readings.url"
        )


def _parse(text: str) -> tuple[Any, Any, Any]:
    data, where = parse_yaml(text, "product.yml", "definition")
    return data, KINDS, where
