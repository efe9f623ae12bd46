# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Changes are planned from observed and declared resources, with webhooks as the kind."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Declared,
    Placeholder,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.display import hide_values, show_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.integrations import INTEGRATIONS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import (
    ALWAYS,
    ON_CREATE,
    join_errors,
    match_rows,
    plan_changes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import (
    find_secrets,
    hide_secrets,
    list_given,
)

ID = "65bb00112233445566778899"
VALUE = "{{{PARTICLE_EVENT_VALUE}}}"
TOKEN = "Bearer c4nary-0f1e2d3c"
ROW: dict[str, Any] = {
    "id": ID,
    "created_at": "2026-03-02T09:30:00.000Z",
    "integration_type": "Webhook",
    "name": "readings",
    "event": "reading",
    "url": "https://hooks.example.net/in",
    "requestType": "POST",
    "noDefaults": False,
    "rejectUnauthorized": True,
    "disabled": False,
    "headers": {"Authorization": TOKEN, "X-Site": "barn"},
    "json": {"value": VALUE},
    "auth": {"username": "hook", "password": "p4ssword"},
    "template": "webhook",
    "secrets": [{"name": "BARN_TOKEN"}],
    "logs": [{"type": "success"}],
    "errors": [],
    "counters": {"success": 1},
}


def plan(row: Mapping[str, Any] | None, values: Mapping[str, Any], **options: Any) -> Change:
    """Plan one webhook that is observed as `row`."""
    observed = {} if row is None else {"readings": row}
    (change,) = plan_changes(INTEGRATIONS, observed, [Declared("readings", values)], **options)
    return change


class TestCreating:
    """A webhook that is not in the list is created."""

    def test_body_contains_the_declared_values_and_the_type(self) -> None:
        change = plan(None, {"event": "reading", "url": "https://x.net/in", "headers": {"A": "b"}, "query": {}})
        assert (change.action, change.row) == (Action.CREATE, None)
        assert change.body == {
            "integration_type": "Webhook",
            "name": "readings",
            "event": "reading",
            "url": "https://x.net/in",
            "headers": {"A": "b"},
        }

    @pytest.mark.parametrize("values", [{}, {"event": "reading", "url": ""}, {"url": "https://x.net"}])
    def test_creation_is_refused_without_event_or_url(self, values: dict[str, Any]) -> None:
        with pytest.raises(ParticleError, match=r"cannot be created without (event and url|event|url)\.") as caught:
            plan(None, values)
        assert caught.value.code == "conflict"

    def test_two_bodies_are_refused(self) -> None:
        declared = Declared("readings", {"json": {"a": 1}, "form": {"a": "1"}, "body": ""})
        with pytest.raises(ParticleError, match="Integration readings is not valid: json and form cannot be combined"):
            check_declared(INTEGRATIONS, declared)
        check_declared(INTEGRATIONS, Declared("readings", {"json": {"a": 1}, "form": {}, "body": ""}))


class TestRemoving:
    """A webhook that is declared absent is removed."""

    def test_existing_webhook_is_removed(self) -> None:
        (change,) = plan_changes(INTEGRATIONS, {"readings": ROW}, [Declared("readings", absent=True)])
        assert (change.action, change.row, change.after) == (Action.DELETE, ROW, {})
        assert change.before["event"] == "reading"

    def test_missing_webhook_needs_no_change(self) -> None:
        (change,) = plan_changes(INTEGRATIONS, {}, [Declared("readings", absent=True)])
        assert change.action is Action.NONE


class TestComparing:
    """Only real differences lead to a change."""

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"event": "reading"},
            {"url": "HTTPS://Hooks.Example.net/in"},
            {"method": "POST", "no_defaults": False, "reject_unauthorized": True, "unchunked": False},
            {"headers": {"authorization": TOKEN, "x-site": "barn"}},
            {"json": json.dumps({"value": VALUE})},
            {"json": f' {{"value": "{VALUE}"}} '},
            {"auth": {"username": "hook", "password": "p4ssword"}},
            {"response_topic": "{{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}"},
            {"error_response_topic": "hook-error/{{PARTICLE_EVENT_NAME}}", "query": {}, "response_template": ""},
        ],
    )
    def test_other_spellings_and_defaults_are_not_a_difference(self, values: dict[str, Any]) -> None:
        assert plan(ROW, values) == Change(Declared("readings", values), Action.NONE, ROW)

    @pytest.mark.parametrize(
        "values",
        [
            {"event": "Reading"},
            {"url": "https://hooks.example.net/In"},
            {"method": "PUT"},
            {"headers": {"Authorization": TOKEN}},
            {"headers": {"Authorization": TOKEN, "X-Site": "shed"}},
            {"headers": {"Authorization": TOKEN, "X-Site": "barn", "X-Row": "1"}},
            {"headers": {}},
            {"json": {"value": VALUE, "more": 1}},
            {"json": "{{{PARTICLE_EVENT_VALUE}}}"},
            {"auth": {"username": "hook", "password": "other"}},
            {"query": {"page": 1}},
        ],
    )
    def test_other_values_are_a_difference(self, values: dict[str, Any]) -> None:
        change = plan(ROW, values)
        assert change.action is Action.UPDATE
        assert change.after.keys() == change.before.keys() == values.keys()
        assert change.after != change.before

    def test_numbers_and_booleans_in_a_form_are_compared_as_text(self) -> None:
        row = {**ROW, "json": None, "form": {"on": "true", "size": "5"}, "disabled": "true"}
        assert plan(row, {"form": {"on": True, "size": 5}, "disabled": True}).action is Action.NONE

    @pytest.mark.parametrize("url", ["https://x.net", "https://{{{Host}}}/a", "https://[x/", "{{{url}}}", ""])
    def test_any_url_is_equal_to_itself(self, url: str) -> None:
        assert plan({**ROW, "url": url}, {"url": url}).action is Action.NONE

    def test_variable_in_a_host_keeps_its_case(self) -> None:
        assert plan({**ROW, "url": "https://{{{host}}}/"}, {"url": "https://{{{Host}}}/"}).action is Action.UPDATE


class TestReplacing:
    """The cloud replaces the whole webhook, so an update sends all other settings again."""

    def test_update_sends_settings_that_are_not_declared(self) -> None:
        change = plan(ROW, {"disabled": True})
        settings = {key: ROW[key] for key in ROW if key not in ("id", "created_at", "logs", "errors", "counters")}
        assert change.body == {**settings, "disabled": True}
        assert (change.before, change.after) == ({"disabled": False}, {"disabled": True})

    def test_another_kind_of_body_replaces_the_old_one(self) -> None:
        change = plan(ROW, {"form": {"value": VALUE}})
        assert (change.body["form"], "json" in change.body) == ({"value": VALUE}, False)
        assert (change.before["json"], change.after["json"]) == ({"value": VALUE}, None)

    def test_empty_value_removes_a_setting(self) -> None:
        assert plan(ROW, {"headers": {}, "auth": {}}).body.keys() & {"headers", "auth"} == set()

    @pytest.mark.parametrize(
        ("shown", "named"),
        [
            ({"headers": {"Authorization": MASK, "X-Site": "barn"}}, "headers.authorization"),
            ({"headers": {"Authorization": "Bearer ****"}}, "headers.authorization"),
            ({"auth": {"username": "hook", "password": "[[SENSITIVE]]"}}, "auth.password"),
            ({"auth": {"username": "hook"}}, "auth.password"),
            ({"auth": {"username": "hook", "password": None}}, "auth.password"),
            ({"query": {"token": "--------"}}, "query.token"),
            ({"json": {"deep": {"token": "•••"}}}, "json.deep.token"),
        ],
    )
    def test_update_is_refused_when_an_undeclared_secret_is_masked(self, shown: dict[str, Any], named: str) -> None:
        with pytest.raises(ParticleError, match=f"would lose {named}: the cloud replaces") as caught:
            plan({**ROW, **shown}, {"disabled": True})
        assert (caught.value.code, caught.value.hint[:8]) == ("conflict", "Declare ")
        assert plan({**ROW, **shown}, {"disabled": False}).action is Action.NONE

    def test_update_is_planned_when_the_masked_secret_is_declared(self) -> None:
        headers = {"Authorization": TOKEN}
        change = plan({**ROW, "headers": {"Authorization": MASK}}, {"headers": headers, "disabled": True})
        assert change.body["headers"] == headers
        assert (change.after, change.not_compared) == ({"disabled": True}, ("headers.authorization",))


class TestMaskedSecrets:
    """The cloud masks or omits the values of declared secrets."""

    MASKED: ClassVar = ROW | {"headers": {"Authorization": MASK, "X-Site": "barn"}, "auth": {"username": "hook"}}
    SECRETS: ClassVar = {"headers": ROW["headers"], "auth": ROW["auth"]}

    @pytest.mark.parametrize(("when", "action"), [(ON_CREATE, Action.NONE), (ALWAYS, Action.UPDATE)])
    def test_masked_secrets_are_written_only_with_update_secrets_always(self, when: str, action: Action) -> None:
        change = plan(self.MASKED, self.SECRETS, update_secrets=when)
        assert (change.action, change.not_compared) == (action, ("headers.authorization", "auth.password"))

    def test_written_secret_that_was_not_compared_is_marked_in_the_diff(self) -> None:
        change = plan(self.MASKED, self.SECRETS, update_secrets=ALWAYS)
        assert change.after["headers"] == {"authorization": f"{MASK} (not compared)", "x-site": MASK}

    def test_visible_part_of_a_masked_field_is_compared(self) -> None:
        change = plan(self.MASKED, {"headers": {"Authorization": TOKEN, "X-Site": "shed"}, "auth": ROW["auth"]})
        assert change.action is Action.UPDATE
        assert change.after["headers"]["x-site"] == f"{MASK} (changed)"

    def test_masked_header_that_is_not_declared_is_removed(self) -> None:
        change = plan(self.MASKED, {"headers": {"X-Site": "barn"}, "auth": ROW["auth"]})
        assert (change.action, change.body["headers"]) == (Action.UPDATE, {"X-Site": "barn"})

    @pytest.mark.parametrize("mask", ["***", "****1234", "sk-1••••", "Bearer ********", "------", "[[SENSITIVE]]"])
    def test_masks_are_recognised(self, mask: str) -> None:
        assert plan({**ROW, "headers": {"A": mask}}, {"headers": {"A": TOKEN}}).not_compared == ("headers.a",)

    @pytest.mark.parametrize("text", ["***alert***", "* * *", "--- a", "**", "see *** for more", "[[x]]"])
    def test_texts_that_resemble_masks_are_compared(self, text: str) -> None:
        assert plan({**ROW, "json": None, "body": text}, {"body": "other"}).action is Action.UPDATE

    def test_field_that_the_cloud_omits_counts_as_not_set(self) -> None:
        assert plan({**ROW, "headers": None}, {"headers": ROW["headers"]}).action is Action.UPDATE

    @pytest.mark.parametrize("when", [ON_CREATE, ALWAYS])
    def test_field_that_the_cloud_omits_after_a_write_is_not_compared(self, when: str) -> None:
        bare = {**ROW, "headers": None}
        change = plan(bare, {"headers": ROW["headers"], "query": {}}, update_secrets=when, written={"readings"})
        assert change.action is Action.NONE
        assert change.not_compared == ("headers.authorization", "headers.x-site")

    def test_value_that_the_cloud_shows_after_a_write_is_compared(self) -> None:
        change = plan(ROW, {"headers": {"Authorization": "other"}}, written={"readings"})
        assert change.action is Action.UPDATE


class TestMatching:
    """Resources are found by their key."""

    def test_rows_are_found_by_name(self) -> None:
        rows = [{**ROW, "name": "other"}, ROW, {"id": "1", "event": "of 2018"}]
        assert match_rows(INTEGRATIONS, rows, {"readings", "gone"}) == {"readings": ROW}

    def test_kind_may_match_other_spellings_of_a_key(self) -> None:
        def match(shown: str, declared: Collection[str]) -> str | None:
            return next((key for key in declared if key.lower() == shown.lower()), None)

        kind = replace(INTEGRATIONS, match_key=match)
        assert match_rows(kind, [ROW, {**ROW, "name": "other"}], {"READINGS"}) == {"READINGS": ROW}
        with pytest.raises(ParticleError, match=f"2 integrations are called READINGS: {ID} and a1"):
            match_rows(kind, [ROW, {**ROW, "id": "a1", "name": "Readings"}], {"READINGS"})

    def test_rows_with_the_same_name_are_refused_with_their_ids(self) -> None:
        rows = [{**ROW, "id": "b2"}, ROW, {**ROW, "id": "a1"}, {**ROW, "name": "other"}, {**ROW, "name": "other"}]
        with pytest.raises(ParticleError, match=f"3 integrations are called readings: {ID} and a1 and b2") as caught:
            match_rows(INTEGRATIONS, rows, {"readings"})
        assert (caught.value.code, "Remove or rename all but one" in str(caught.value.hint)) == ("twins", True)


class TestJoinedErrors:
    """Several refusals are reported together."""

    def test_errors_of_several_kinds_are_counted_one_by_one(self) -> None:
        one, two, three = (
            ParticleError("conflict", f"{word}.", hint="Correct it.") for word in ("One", "Two", "Three")
        )
        joined = join_errors([join_errors([one, two]), join_errors([three])])
        assert joined.message == "3 resources cannot reach the declared state:\n  One.\n  Two.\n  Three."
        assert joined.hint == "Correct it."

    def test_all_secrets_that_a_resource_needs_are_named(self) -> None:
        names = [f"KEY_{number}" for number in range(15)]
        values = {"url": "https://x.net/", "event": "e", "json": {name: Placeholder(name) for name in names}}
        with pytest.raises(ParticleError, match=", ".join(names)):
            plan_changes(INTEGRATIONS, {}, [Declared("readings", values)])


class TestShowing:
    """Shown values contain no secrets."""

    def test_values_are_masked_except_variables_and_booleans(self) -> None:
        value = {
            "a": VALUE,
            "b": "{{x}}",
            "c": f"v{VALUE}",
            "d": 1,
            "e": True,
            "f": None,
            "g": [VALUE, "h"],
            "h": f"Bearer {VALUE}",
        }
        assert hide_values(value) == {**value, "c": MASK, "d": MASK, "g": [VALUE, MASK]}

    def test_template_that_is_text_is_masked(self) -> None:
        shown = show_resource(INTEGRATIONS, {**ROW, "json": "value={{{x}}}", "body": VALUE})
        assert (shown["json"], shown["body"], shown["query"]) == (MASK, VALUE, None)

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://u:p4ss@x.net/a?k=t0ken&l=#f", f"https://{MASK}@x.net/a?k={MASK}&l={MASK}#f"),
            ("https://x.net/{{{a}}}", "https://x.net/{{{a}}}"),
            ("https://[x/?k=t0ken", MASK),
        ],
    )
    def test_login_and_query_values_of_a_url_are_masked(self, url: str, shown: str) -> None:
        assert show_resource(INTEGRATIONS, {"url": url})["url"] == shown

    def test_change_in_the_masked_part_of_a_url_is_marked(self) -> None:
        change = plan({**ROW, "url": "https://x.net/?k=1"}, {"url": "https://x.net/?k=2"})
        assert change.after["url"] == f"https://x.net/?k={MASK} (changed)"

    def test_repr_of_a_change_contains_no_secret(self) -> None:
        text = repr(plan(ROW, {"auth": {"username": "hook", "password": "n3w-password"}}))
        assert "p4ssword" not in text
        assert "n3w-password" not in text
        assert "c4nary" not in text

    def test_secrets_and_the_long_words_in_them_are_found(self) -> None:
        row = {
            "url": "https://hooks.example.net/?key=t0ken",
            "headers": {"Authorization": TOKEN, "X-Row": "1", "X-Var": "{{{T}}}", "X-Mask": MASK},
            "auth": {"username": "hook", "password": "p4ss"},
            "query": {"token": ["longer-than-12", 5]},
            "json": {"unit": "degrees", "key": "0123456789abcdef"},
        }
        assert sorted(set(find_secrets(INTEGRATIONS, row))) == sorted(
            {TOKEN, "c4nary-0f1e2d3c", "p4ss", "longer-than-12", "0123456789abcdef", row["url"]}
        )

    def test_shown_text_is_not_a_secret_because_a_template_repeats_it(self) -> None:
        row = {
            "name": "barn-temperature",
            "event": "temperature-reading",
            "json": {"event": "temperature-reading", "site": "field-logger", "key": "0123456789abcdef"},
            "headers": {"X-Topic": "temperature-reading"},
        }
        found = set(find_secrets(INTEGRATIONS, row, ["product field-logger"]))
        assert found == {"0123456789abcdef", "temperature-reading"}, "a header remains secret"
        assert set(find_secrets(INTEGRATIONS, {**row, "headers": {}}, ["field-logger"])) == {"0123456789abcdef"}


TEXTS = st.text("aB1*{} ", min_size=1, max_size=4)
MAPPINGS = st.dictionaries(st.sampled_from(["a", "A", "b", "c"]), TEXTS, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "event": TEXTS,
    "url": st.sampled_from(["https://a.net", "https://a.net/", "https://A.net/?k=1", "https://{{{H}}}/"]),
    "method": st.sampled_from(["GET", "POST"]),
    "json": st.one_of(MAPPINGS, TEXTS, st.just('{"a": 1}')),
    "form": MAPPINGS,
    "body": TEXTS,
    "query": MAPPINGS,
    "headers": MAPPINGS,
    "auth": st.fixed_dictionaries({"username": TEXTS, "password": TEXTS}),
    "disabled": st.booleans(),
    "response_topic": TEXTS,
    "unchunked": st.booleans(),
}
CLOUD_NAMES = {each.name: each.cloud for each in INTEGRATIONS.fields}
SETTINGS = st.fixed_dictionaries({}, optional=VALUES)


@given(before=SETTINGS, declared=SETTINGS, more=st.dictionaries(st.sampled_from(["template", "new"]), TEXTS))
def test_planned_update_leads_to_the_declared_state(
    before: dict[str, Any], declared: dict[str, Any], more: dict[str, str]
) -> None:
    bodies = [name for name in INTEGRATIONS.exclusive if declared.get(name)]
    declared = {name: value for name, value in declared.items() if name not in bodies[1:]}
    row = {"id": ID, "name": "readings", **more, **{CLOUD_NAMES[name]: value for name, value in before.items()}}
    try:
        change = plan(row, declared)
    except ParticleError:
        assert "***" in repr((before, declared))  # looks like a mask, which an update must not write
        return
    if change.action is Action.NONE:
        return
    after = {"id": ID, **change.body}
    assert plan(after, declared).action is Action.NONE
    dropped = {CLOUD_NAMES[name] for name in INTEGRATIONS.exclusive} if bodies else set()
    undeclared = {key: value for key, value in row.items() if key not in dropped | {CLOUD_NAMES[n] for n in declared}}
    assert {key: after.get(key) for key in undeclared} == undeclared


class TestPlaceholders:
    """A declaration may name a secret that only the cloud, or the user, knows."""

    DECLARED: ClassVar[dict[str, Any]] = {
        "event": "reading",
        "url": "https://hooks.example.net/in",
        "headers": {"authorization": Placeholder("READINGS"), "X-Site": "barn"},
    }

    def test_existing_webhook_keeps_its_secret(self) -> None:
        assert plan(ROW, self.DECLARED).action is Action.NONE

    def test_change_of_another_field_sends_the_secret_back(self) -> None:
        change = plan(ROW, {**self.DECLARED, "event": "other"})
        assert change.body["headers"] == {"authorization": TOKEN, "X-Site": "barn"}
        assert list(change.after) == ["event"]

    def test_change_that_would_write_a_mask_is_refused(self) -> None:
        masked = {**ROW, "headers": {"Authorization": MASK, "X-Site": "barn"}}
        with pytest.raises(ParticleError, match=r"would lose headers\.authorization"):
            plan(masked, {**self.DECLARED, "event": "other"})

    def test_new_webhook_needs_the_secret(self) -> None:
        with pytest.raises(ParticleError) as caught:
            plan(None, self.DECLARED)
        assert caught.value.code == "invalid_option"
        assert "needs secrets that are not given: READINGS. It does not exist yet" in caught.value.message

    def test_secret_that_the_webhook_does_not_have_is_needed(self) -> None:
        values = {"headers": {"Authorization": TOKEN, "X-Site": "barn", "X-Key": Placeholder("KEY")}}
        with pytest.raises(ParticleError, match=r"secrets that are not given: KEY\. It does not have them yet\."):
            plan(ROW, values)

    def test_export_names_each_secret_by_its_path(self) -> None:
        (headers,) = [each for each in INTEGRATIONS.fields if each.name == "headers"]
        shown = {"Authorization": TOKEN, "X-Site": "barn", "X-Key": MASK}
        exported = hide_secrets(headers, shown, Placeholder)
        assert exported == {
            "authorization": Placeholder("headers.authorization"),
            "x-site": "barn",
            "x-key": Placeholder("headers.x-key"),
        }

    def test_placeholders_are_left_out_of_the_secrets_to_mask(self) -> None:
        given = list_given(INTEGRATIONS, Declared("readings", self.DECLARED))
        assert given["headers"] == {"X-Site": "barn"}


class TestSettingsOfAnotherNature:
    """The cloud never shows some values, cannot change others, and never learns others."""

    KIND = replace(
        INTEGRATIONS,
        noun="key",
        fields=(
            Field("value", "value", {"type": "str", "no_log": True}, secret=True, write_only=True, required=True),
            Field("scope", "scope", {"type": "str"}, fixed=True),
            Field("file", "file", {"type": "path"}, local=True),
        ),
        replaces=False,
        constants={},
    )
    ROW: ClassVar[dict[str, Any]] = {"id": "1", "name": "one", "scope": "wide"}

    def plan(self, row: dict[str, Any] | None, values: dict[str, Any], **options: Any) -> Change:
        (change,) = plan_changes(self.KIND, {"one": row} if row else {}, [Declared("one", values)], **options)
        return change

    def test_value_that_the_cloud_never_shows_is_written_only_if_asked(self) -> None:
        kept = self.plan(self.ROW, {"value": TOKEN})
        assert (kept.action, kept.not_compared) == (Action.NONE, ("value",))
        written = self.plan(self.ROW, {"value": TOKEN}, update_secrets=ALWAYS)
        assert (written.body, written.after) == ({"value": TOKEN}, {"value": f"{MASK} (not compared)"})
        assert self.plan(self.ROW, {"value": TOKEN}, update_secrets=ALWAYS, written={"one"}).action is Action.NONE

    def test_value_that_cannot_change_is_refused(self) -> None:
        with pytest.raises(ParticleError, match="Key one exists, but scope is wide, not narrow") as caught:
            self.plan(self.ROW, {"scope": "narrow"})
        assert caught.value.code == "conflict"

    def test_missing_value_that_cannot_be_set_is_refused(self) -> None:
        with pytest.raises(ParticleError, match="scope is not set, not narrow"):
            self.plan({**self.ROW, "scope": None}, {"scope": "narrow"})

    def test_removal_shows_the_values_that_are_set(self) -> None:
        for row, before in ((self.ROW, {"scope": "wide"}), ({**self.ROW, "scope": None}, {})):
            (change,) = plan_changes(self.KIND, {"one": row}, [Declared("one", absent=True)])
            assert (change.action, change.before) == (Action.DELETE, before)

    def test_value_that_the_cloud_never_shows_is_left_out(self) -> None:
        assert show_resource(self.KIND, {**self.ROW, "value": TOKEN}) == {"scope": "wide"}

    @pytest.mark.parametrize("type", ["str", "raw"])
    def test_short_secret_text_is_masked(self, type: str) -> None:
        value = replace(self.KIND.fields[0], spec={"type": type, "no_log": True})
        kind = replace(self.KIND, fields=(value,))
        assert list(find_secrets(kind, {"value": "p4ss"})) == ["p4ss"]

    def test_setting_of_the_collection_is_not_sent(self) -> None:
        assert self.plan(self.ROW, {"file": "/tmp/token"}).action is Action.NONE
        assert self.plan(None, {"value": TOKEN, "file": "/tmp/token"}).body == {"name": "one", "value": TOKEN}

    def test_all_refused_resources_are_named_at_once(self) -> None:
        declared = [Declared("one", {"scope": "narrow"}), Declared("two")]
        with pytest.raises(ParticleError) as caught:
            plan_changes(self.KIND, {"one": self.ROW}, declared)
        lines = caught.value.message.split("\n")
        assert lines[0] == "2 resources cannot reach the declared state:"
        assert "Key one exists" in lines[1]
        assert "no key two yet" in lines[2]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.net/services/T02A/B03/x9Kq2mPz7LwV4nRt", f"services/T02A/B03/{MASK}"),
        ("https://api.example.org/bot123456:AAHkq2mPz7LwV4n/send", f"/{MASK}/send"),
        ("https://hooks.example.net/v1/readings", "https://hooks.example.net/v1/readings"),
    ],
)
def test_keys_in_the_path_of_a_url_are_masked(url: str, shown: str) -> None:
    assert show_resource(INTEGRATIONS, {"url": url})["url"].endswith(shown)


@pytest.mark.parametrize("name", ["password", "x-pin", "api_key", "pwd", "token", "client-secret", "x-signature"])
def test_short_values_with_the_name_of_a_secret_are_masked(name: str) -> None:
    assert "wxyz" in set(find_secrets(INTEGRATIONS, {"json": {name: "wxyz"}}))
    assert "wxyz" not in set(find_secrets(INTEGRATIONS, {"json": {"keyboard": "wxyz", "pinned": "wxyz"}}))
