# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Integrations of all types are listed, read, compared and written in every form that clouds are known to use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fleet_cloud import BASE, OURS, RecordingHttp, client
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.export import Export
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Declared,
    Placeholder,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.display import show_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.integrations import INTEGRATIONS, TYPES
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import (
    ALWAYS,
    ON_CREATE,
    match_rows,
    plan_changes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import find_secrets, list_given
from support.scripted import ScriptedCloud

HOOKS = f"{BASE}/integrations"
DECLARED = Declared("readings")
HOOK = {"id": "65bb", "name": "readings", "event": "reading"}
BODY = {"name": "readings", "event": "other", "headers": {"Authorization": "c4nary"}}


KEY = "key-c4nary-0f1e2d3c"


@dataclass(frozen=True)
class Example:
    """The settings of an integration of one type, which have the same names as options and in the cloud."""

    type: str
    settings: Mapping[str, Any]
    secret: str = ""

    @property
    def declared(self) -> dict[str, Any]:
        return {"type": self.type, "event": "reading", **self.settings}

    @property
    def row(self) -> dict[str, Any]:
        """The row of the integration, with the keys that the cloud adds."""
        return {
            **{"id": "65bb", "name": "readings", "created_at": "2026-03-02T09:30:00.000Z", "event": "reading"},
            **{"integration_type": TYPES[self.type], "disabled": False, "deviceID": "e00f", "new": {"a": 1}},
            **self.settings,
            **{"logs": [], "errors": [], "counters": {}, "ok": True, "integrationUrl": "https://x.net/65bb"},
        }

    @property
    def sent_back(self) -> dict[str, Any]:
        """The keys of the row that an update sends."""
        left_out = ("id", "created_at", "logs", "errors", "counters", "ok", "integrationUrl")
        return {key: value for key, value in self.row.items() if key not in left_out}


WEBHOOK = Example("webhook", {"url": "https://hooks.example.net/in"})
AZURE = Example("azure_iot_hub", {"hub_name": "barn", "policy_name": "device", "policy_key": KEY}, "policy_key")
PUBSUB = Example("google_pubsub", {"topic": "projects/barn/topics/readings"})
MAPS = Example("google_maps", {"api_key": KEY}, "api_key")
EXAMPLES = (WEBHOOK, AZURE, PUBSUB, MAPS)
EVERY_TYPE = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.type)
OTHER_TYPES = pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda example: example.type)
WITH_A_KEY = pytest.mark.parametrize("example", [AZURE, MAPS], ids=lambda example: example.type)
WEBHOOK_KEYS = {each.cloud for each in INTEGRATIONS.fields if each.only == ("webhook",)}


def plan(row: Mapping[str, Any] | None, values: Mapping[str, Any], **options: Any) -> Change:
    """Plan one integration that is observed as `row`."""
    observed = {} if row is None else {"readings": row}
    (change,) = plan_changes(INTEGRATIONS, observed, [Declared("readings", values)], **options)
    return change


def without(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


@pytest.fixture
def target(scripted_cloud: ScriptedCloud) -> Iterator[Target]:
    with client(scripted_cloud.url) as http:
        yield Target(http, OURS, lambda sentence: None)


@pytest.mark.parametrize(
    "wrap", [lambda rows: rows, lambda rows: {"integrations": rows}, lambda rows: {"webhooks": rows}]
)
def test_integrations_are_listed_in_every_known_form(scripted_cloud: ScriptedCloud, target: Target, wrap: Any) -> None:
    typed, other = {**HOOK, "integration_type": "Webhook"}, {**HOOK, "integration_type": "GoogleMaps"}
    scripted_cloud.answer("GET", HOOKS, json=wrap([HOOK, typed, other]))
    assert INTEGRATIONS.list_rows(target) == [HOOK, typed, other]


@pytest.mark.parametrize("key", ["integration", "webhook"])
def test_single_read_accepts_both_wrappers(scripted_cloud: ScriptedCloud, target: Target, key: str) -> None:
    scripted_cloud.answer("GET", f"{HOOKS}/65bb", json={key: {**HOOK, "json": {}}})
    assert INTEGRATIONS.read_row is not None
    assert INTEGRATIONS.read_row(target, HOOK) == {**HOOK, "json": {}}


@pytest.mark.parametrize("answer", [[], {"integration": None}, "text"])
def test_single_read_without_an_integration_fails(scripted_cloud: ScriptedCloud, target: Target, answer: Any) -> None:
    scripted_cloud.answer("GET", f"{HOOKS}/65bb", json=answer)
    assert INTEGRATIONS.read_row is not None
    with pytest.raises(ParticleError, match="the response contains no integration") as caught:
        INTEGRATIONS.read_row(target, HOOK)
    assert caught.value.code == "bad_response"


def test_writes_send_the_body_to_the_routes_of_the_product(scripted_cloud: ScriptedCloud, target: Target) -> None:
    scripted_cloud.answer("POST", HOOKS, 201, json=HOOK).answer("PUT", f"{HOOKS}/65bb", json={"integration": HOOK})
    scripted_cloud.answer("DELETE", f"{HOOKS}/65bb", 204)
    INTEGRATIONS.create_row(target, Change(DECLARED, Action.CREATE, body=BODY))
    INTEGRATIONS.update_row(target, Change(DECLARED, Action.UPDATE, HOOK, BODY))
    INTEGRATIONS.delete_row(target, Change(DECLARED, Action.DELETE, HOOK))
    create, update, _delete = scripted_cloud.requests
    assert (create.json, update.json) == (BODY, BODY)
    assert isinstance(target.http, RecordingHttp)
    assert [request.action for request in target.http.sent] == [
        "create integration readings",
        "change integration readings (65bb)",
        "remove integration 65bb",
    ]


class TestEveryType:
    """Integrations of all types are created, compared and changed in the same way."""

    @EVERY_TYPE
    def test_new_integration_has_only_the_settings_of_its_type(self, example: Example) -> None:
        body = plan(None, example.declared).body
        expected = {"name": "readings", "event": "reading", "integration_type": TYPES[example.type]}
        assert body == {**expected, **example.settings}

    @EVERY_TYPE
    def test_new_integration_needs_the_settings_of_its_type(self, example: Example) -> None:
        with pytest.raises(ParticleError, match="There is no integration readings yet") as caught:
            plan(None, {"type": example.type})
        assert all(name in caught.value.message for name in ("event", *example.settings))
        assert sum(name in caught.value.message for each in EXAMPLES for name in each.settings) == len(example.settings)

    @EVERY_TYPE
    @pytest.mark.parametrize("extra", [{}, {"disabled": False}])
    def test_declared_integration_needs_no_change(self, example: Example, extra: dict[str, Any]) -> None:
        for row in (example.row, without(example.row, "disabled"), {**example.row, "disabled": "false"}):
            assert plan(row, {**example.declared, **extra}).action is Action.NONE
            assert plan(row, without(example.declared, "type")).action is Action.NONE

    @EVERY_TYPE
    def test_change_of_each_setting_sends_everything_else_back(self, example: Example) -> None:
        for name in ("event", *example.settings):
            change = plan(example.row, {**example.declared, name: "https://other.net/"})
            assert (change.action, list(change.after)) == (Action.UPDATE, [name])
            assert change.body == {**example.sent_back, name: "https://other.net/"}
            assert plan({**change.body, "id": "65bb"}, {name: "https://other.net/"}).action is Action.NONE

    @OTHER_TYPES
    def test_update_sends_and_shows_no_setting_of_a_webhook(self, example: Example) -> None:
        assert plan(example.row, {"disabled": True}).body.keys() & WEBHOOK_KEYS == set()
        shown = show_resource(INTEGRATIONS, example.row)
        expected = {name: MASK if name == example.secret else value for name, value in example.declared.items()}
        assert {name: value for name, value in shown.items() if value is not None} == {**expected, "disabled": False}

    @EVERY_TYPE
    def test_body_of_a_check_mode_prediction_shows_the_type(self, example: Example) -> None:
        for change in (plan(None, example.declared), plan(example.row, {"event": "other"})):
            assert show_resource(INTEGRATIONS, change.body)["type"] == example.type

    def test_integration_without_a_type_is_a_webhook(self) -> None:
        row = without(WEBHOOK.row, "integration_type")
        assert plan(row, WEBHOOK.declared).action is Action.NONE
        assert plan(row, {"event": "other"}).body["integration_type"] == "Webhook"
        assert plan(None, without(WEBHOOK.declared, "type")).body["integration_type"] == "Webhook"

    @pytest.mark.parametrize("template", [{"value": "{{{x}}}"}, ' {"value":  "{{{x}}}"}', "v={{{x}}} "])
    def test_template_of_azure_is_compared_in_every_spelling(self, template: Any) -> None:
        row = {**AZURE.row, "json": template if isinstance(template, str) else '{"value": "{{{x}}}"}'}
        assert plan(row, {"json": template}).action is Action.NONE
        assert plan(row, {"json": {"value": "{{{y}}}"}}).body["json"] == {"value": "{{{y}}}"}
        assert plan(row, {"json": ""}).body.keys() & {"json"} == set()


class TestTypes:
    """The type of an integration decides which options it has, and cannot change."""

    @EVERY_TYPE
    @pytest.mark.parametrize("absent", [False, True])
    def test_another_type_than_declared_is_refused(self, example: Example, absent: bool) -> None:
        other = PUBSUB if example is WEBHOOK else WEBHOOK
        declared = Declared("readings", other.declared, absent=absent)
        with pytest.raises(ParticleError, match=f"type is {example.type}, not {other.type}") as caught:
            plan_changes(INTEGRATIONS, {"readings": example.row}, [declared])
        assert caught.value.code == "conflict"

    @EVERY_TYPE
    def test_integration_of_any_type_is_removed_if_no_type_is_declared(self, example: Example) -> None:
        declared = Declared("readings", {"method": "POST"}, absent=True)
        (change,) = plan_changes(INTEGRATIONS, {"readings": example.row}, [declared])
        assert change.action is Action.DELETE

    def test_options_of_other_types_are_refused_all_at_once(self) -> None:
        values = {**AZURE.declared, "url": "https://x.net", "method": "POST", "topic": "t", "form": {"a": "1"}}
        with pytest.raises(ParticleError) as caught:
            check_declared(INTEGRATIONS, Declared("readings", {**values, "json": {"a": 1}, "hub_name": ""}))
        assert caught.value.code == "invalid_option"
        assert caught.value.message == (
            "Integration readings is not valid: url, method, form belong to type webhook, not to azure_iot_hub; "
            "topic belongs to type google_pubsub, not to azure_iot_hub; hub_name cannot be empty; "
            "json and form cannot be combined, declare only one of them."
        )

    def test_option_of_two_types_names_both(self) -> None:
        with pytest.raises(ParticleError, match="json belongs to type webhook or azure_iot_hub, not to google_maps"):
            check_declared(INTEGRATIONS, Declared("readings", {**MAPS.declared, "json": {}}))

    @EVERY_TYPE
    def test_options_of_the_type_are_accepted(self, example: Example) -> None:
        check_declared(INTEGRATIONS, Declared("readings", {**example.declared, "disabled": True}))

    def test_option_that_the_existing_integration_does_not_have_is_refused(self) -> None:
        with pytest.raises(ParticleError, match="exists, but method belongs to type webhook, not to azure") as caught:
            plan(AZURE.row, {"method": "POST"})
        assert (caught.value.code, "under another name" in str(caught.value.hint)) == ("conflict", True)

    def test_new_integration_with_options_of_another_type_needs_its_type(self) -> None:
        with pytest.raises(ParticleError, match="does not exist yet, but topic belongs to type google_pub") as caught:
            plan(None, without(PUBSUB.declared, "type"))
        assert "or declare type" in str(caught.value.hint)

    @pytest.mark.parametrize("absent", [False, True])
    def test_integration_of_an_unknown_type_is_refused(self, absent: bool) -> None:
        row = {**WEBHOOK.row, "integration_type": "CarrierPigeon"}
        assert INTEGRATIONS.is_reserved(row)
        for values in ({}, WEBHOOK.declared, {"disabled": False}):
            with pytest.raises(
                ParticleError, match=r"Integration readings \(65bb\) exists, but this collection cannot"
            ):
                plan_changes(INTEGRATIONS, {"readings": row}, [Declared("readings", values, absent=absent)])

    @EVERY_TYPE
    def test_integration_of_a_known_type_is_not_reserved(self, example: Example) -> None:
        assert not INTEGRATIONS.is_reserved(example.row)


class TestNames:
    """An integration is found by its name, whatever its type is."""

    @pytest.mark.parametrize("type", ["GoogleMaps", "CarrierPigeon"])
    def test_integrations_of_two_types_with_one_name_are_refused(self, type: str) -> None:
        rows = [WEBHOOK.row, {**MAPS.row, "id": "77cc", "integration_type": type}]
        with pytest.raises(ParticleError, match="2 integrations are called readings: 65bb and 77cc") as caught:
            match_rows(INTEGRATIONS, rows, {"readings"})
        assert caught.value.code == "twins"

    def test_integrations_without_a_name_are_left_alone(self) -> None:
        rows = [without(WEBHOOK.row, "name"), {**MAPS.row, "name": None}]
        assert match_rows(INTEGRATIONS, rows, {"None", ""}) == {}

    def test_integration_is_found_by_the_name_that_the_cloud_has_generated(self) -> None:
        row = {**WEBHOOK.row, "name": "reading for hooks.example.net"}
        assert match_rows(INTEGRATIONS, [row], {"reading for hooks.example.net"})


class TestKeys:
    """The keys of Azure and Google are compared if the cloud shows them, and are never shown."""

    @WITH_A_KEY
    @pytest.mark.parametrize("shown", [MASK, "****1234", "", None])
    @pytest.mark.parametrize(("when", "action"), [(ON_CREATE, Action.NONE), (ALWAYS, Action.UPDATE)])
    def test_hidden_key_is_written_only_with_update_secrets_always(
        self, example: Example, shown: str | None, when: str, action: Action
    ) -> None:
        row = {**example.row, example.secret: shown}
        change = plan(row, example.declared, update_secrets=when)
        assert (change.action, change.not_compared) == (action, (example.secret,))
        assert plan(row, example.declared, update_secrets=when, written={"readings"}).action is Action.NONE
        assert action is Action.NONE or change.after == {example.secret: f"{MASK} (not compared)"}

    @WITH_A_KEY
    @pytest.mark.parametrize("shown", [MASK, None])
    def test_update_that_would_lose_a_hidden_key_is_refused(self, example: Example, shown: str | None) -> None:
        row = {**example.row, example.secret: shown}
        with pytest.raises(ParticleError, match=f"would lose {example.secret}: the cloud replaces"):
            plan(row, {"disabled": True})
        assert plan(row, {"disabled": True, example.secret: KEY}).body[example.secret] == KEY

    @WITH_A_KEY
    def test_new_key_is_masked_everywhere(self, example: Example) -> None:
        change = plan(example.row, {example.secret: "n3w-k3y"})
        assert (change.body[example.secret], change.after) == ("n3w-k3y", {example.secret: f"{MASK} (changed)"})
        assert all(key not in repr(change) for key in (KEY, "n3w-k3y"))
        assert set(find_secrets(INTEGRATIONS, change.body)) == {"n3w-k3y"}
        assert set(find_secrets(INTEGRATIONS, example.row)) == {KEY}

    @WITH_A_KEY
    def test_empty_key_is_refused(self, example: Example) -> None:
        with pytest.raises(ParticleError, match=f"{example.secret} cannot be empty"):
            check_declared(INTEGRATIONS, Declared("readings", {example.secret: ""}))

    @WITH_A_KEY
    def test_name_of_a_secret_of_the_cloud_is_shown(self, example: Example) -> None:
        change = plan(example.row, {example.secret: "{{{BARN_KEY}}}"})
        assert change.after == {example.secret: "{{{BARN_KEY}}}"}


class TestPlaceholders:
    """A definition of a product may name a secret that it does not contain."""

    CASES = pytest.mark.parametrize(
        ("example", "name", "value", "kept"),
        [
            (AZURE, "policy_key", Placeholder("KEY"), KEY),
            (MAPS, "api_key", Placeholder("KEY"), KEY),
            (AZURE, "json", {"key": Placeholder("KEY"), "a": ["b", Placeholder("KEY")]}, {"key": KEY, "a": ["b", KEY]}),
            (WEBHOOK, "json", Placeholder("KEY"), '{"key": 1}'),
            (WEBHOOK, "form", {"key": Placeholder("KEY"), "on": True}, {"key": KEY, "on": "true"}),
            (WEBHOOK, "query", {"key": Placeholder("KEY")}, {"key": KEY}),
            (WEBHOOK, "headers", {"authorization": Placeholder("KEY")}, {"Authorization": KEY}),
            (WEBHOOK, "auth", {"username": "u", "password": Placeholder("KEY")}, {"username": "u", "password": KEY}),
            (WEBHOOK, "body", Placeholder("KEY"), "key"),
            (WEBHOOK, "url", Placeholder("KEY"), "https://x.net/?key=1"),
        ],
    )  # fmt: skip

    @CASES
    def test_existing_integration_keeps_its_secret(self, example: Example, name: str, value: Any, kept: Any) -> None:
        row, declared = {**example.row, name: kept}, Declared("readings", {**example.declared, name: value})
        check_declared(INTEGRATIONS, declared)
        assert plan(row, declared.values).action is Action.NONE
        change = plan(row, {**declared.values, "event": "other"})
        assert list(change.after) == ["event"]
        again = plan({**row, **change.body}, {name: kept})
        assert again.action is Action.NONE

    @CASES
    def test_new_integration_needs_the_secret(self, example: Example, name: str, value: Any, kept: Any) -> None:
        with pytest.raises(ParticleError, match="needs secrets that are not given: KEY"):
            plan(None, {**example.declared, name: value})

    @CASES
    def test_placeholder_is_not_a_secret_to_mask(self, example: Example, name: str, value: Any, kept: Any) -> None:
        given = list_given(INTEGRATIONS, Declared("readings", {name: value}))
        assert set(find_secrets(INTEGRATIONS, given)) == set()

    def test_secret_in_a_template_that_the_cloud_shows_as_text_is_kept(self) -> None:
        row = {**AZURE.row, "json": f'{{"key": "{KEY}", "site": "barn"}}'}
        values = {"json": {"key": Placeholder("KEY"), "site": "barn"}}
        assert plan(row, values).action is Action.NONE
        assert plan(row, {**values, "event": "other"}).body["json"] == {"key": KEY, "site": "barn"}

    def test_password_that_the_cloud_omits_is_kept_and_never_overwritten(self) -> None:
        row = {**WEBHOOK.row, "auth": {"username": "hook"}}
        values = {"auth": {"username": "hook", "password": Placeholder("KEY")}}
        assert plan(row, values).action is Action.NONE
        with pytest.raises(ParticleError, match=r"would lose auth\.password"):
            plan(row, {**values, "event": "other"})


class TestDefinitions:
    """A definition of a product contains integrations of all types."""

    ROWS = (
        *({**each.row, "name": each.type, "id": each.type} for each in EXAMPLES),
        {"id": "1", "integration_type": "CarrierPigeon", "name": "unknown"},
        {"id": "2", "integration_type": "Webhook", "event": "of 2018"},
    )

    def test_export_contains_only_the_settings_of_each_type(self) -> None:
        export = Export()
        export.add(INTEGRATIONS, self.ROWS)
        entries = {
            each.type: {
                name: {"secret": f"{each.type.upper()}_{name.upper()}"} if name == each.secret else value
                for name, value in each.declared.items()
                if value != "webhook"
            }
            for each in EXAMPLES
        }
        assert export.definition == {"integrations": entries}
        assert sorted(export.secrets) == ["AZURE_IOT_HUB_POLICY_KEY", "GOOGLE_MAPS_API_KEY"]

    def test_exported_definition_changes_nothing(self) -> None:
        export = Export()
        export.add(INTEGRATIONS, self.ROWS)
        declared = read_definition(export.definition, {"integrations": INTEGRATIONS}).resources["integrations"]
        observed = match_rows(INTEGRATIONS, self.ROWS, {each.type for each in EXAMPLES})
        changes = plan_changes(INTEGRATIONS, observed, declared)
        assert [change.action for change in changes] == [Action.NONE] * len(EXAMPLES)

    def test_mistakes_of_a_type_are_named_with_their_place(self) -> None:
        data = {"integrations": {"readings": {**MAPS.declared, "url": "https://x.net", "api_key": ""}}}
        with pytest.raises(ParticleError) as caught:
            read_definition(data, {"integrations": INTEGRATIONS})
        assert "url belongs to type webhook, not to google_maps" in caught.value.message
        assert "api_key cannot be empty" in caught.value.message


TEXTS = st.text("aB1*{} ", min_size=1, max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "event": TEXTS,
    "url": st.sampled_from(["https://a.net", "https://A.net/", "https://a.net/b/"]),
    "method": st.sampled_from(["GET", "POST"]),
    "json": st.one_of(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), st.just('{"a": 1}')),
    "disabled": st.booleans(),
    **dict.fromkeys(("hub_name", "policy_name", "policy_key", "topic", "api_key"), TEXTS),
}


@given(st.data())
def test_planned_update_leads_to_the_declared_state(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(EXAMPLES))
    names = [each.name for each in INTEGRATIONS.fields if not each.only or example.type in each.only]
    settings = st.fixed_dictionaries({}, optional={name: VALUES[name] for name in names if name in VALUES})
    before, declared = data.draw(settings), data.draw(settings)
    clouds = {each.name: each.cloud for each in INTEGRATIONS.fields}
    row = {**example.row, **{clouds[name]: value for name, value in before.items()}}
    try:
        change = plan(row, declared)
    except ParticleError:
        assert "***" in repr((before, declared))  # looks like a mask, which an update must not write
        return
    after = row if change.action is Action.NONE else {"id": row["id"], **change.body}  # a write replaces everything
    assert plan(after, declared).action is Action.NONE
    assert change.action is Action.NONE or change.body.keys() - WEBHOOK_KEYS >= {"integration_type", "deviceID", "new"}
    assert example is WEBHOOK or change.body.keys() & WEBHOOK_KEYS == set()
