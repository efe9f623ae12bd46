# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Every setting of every kind is changed when it differs, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ALWAYS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS
from support.in_process import InProcessSimulator
from support.products import Data, Products

HOOK = {"event": "reading", "url": "https://hooks.example.net/in"}
AZURE = {"type": "azure_iot_hub", "event": "reading", "hub_name": "a", "policy_name": "b", "policy_key": "policy-key-1"}
PUBSUB = {"type": "google_pubsub", "event": "reading", "topic": "projects/a/topics/b"}
MAPS = {"type": "google_maps", "event": "locate", "api_key": "maps-key-1"}

SETTINGS: dict[tuple[str, str], tuple[Data, Any, Any]] = {
    ("groups", "description"): ({}, "On our roof", "In the barn"),
    ("groups", "color"): ({}, "#ff8800", "#0000ff"),
    ("ledgers", "description"): ({"scope": "device", "direction": "downstream"}, "Settings", "All settings"),
    ("secrets", "value"): ({}, "first-secret-value", "second-secret-value"),
    ("api_users", "scopes"): ({}, ["devices:list", "devices:get"], ["devices:list"]),
    ("environment", "value"): ({}, 60, "30"),
    ("integrations", "event"): (HOOK, "reading", "alarm"),
    ("integrations", "url"): (HOOK, "https://hooks.example.net/in", "https://hooks.example.net/out"),
    ("integrations", "method"): (HOOK, "PUT", "GET"),
    ("integrations", "json"): (HOOK, {"value": "{{{PARTICLE_EVENT_VALUE}}}"}, {"value": "{{x}}", "y": [1, True]}),
    ("integrations", "form"): (HOOK, {"a": "b"}, {"a": "c"}),
    ("integrations", "body"): (HOOK, "one", "two"),
    ("integrations", "query"): (HOOK, {"a": "b"}, {"a": "c"}),
    ("integrations", "headers"): (HOOK, {"X-Site": "barn"}, {"X-Site": "field"}),
    ("integrations", "auth"): (
        HOOK,
        {"username": "a", "password": "password-1"},
        {"username": "a", "password": "password-2"},
    ),
    ("integrations", "no_defaults"): (HOOK, True, False),
    ("integrations", "disabled"): (HOOK, True, False),
    ("integrations", "reject_unauthorized"): (HOOK, False, True),
    ("integrations", "response_topic"): (HOOK, "answers", "replies"),
    ("integrations", "error_response_topic"): (HOOK, "errors", "failures"),
    ("integrations", "response_template"): (HOOK, "{{a}}", {"a": "{{b}}"}),
    ("integrations", "unchunked"): (HOOK, True, False),
    ("integrations", "data_url_response_event"): (HOOK, True, False),
    ("integrations", "hub_name"): (AZURE, "barn", "field"),
    ("integrations", "policy_name"): (AZURE, "owner", "device"),
    ("integrations", "policy_key"): (AZURE, "policy-key-2", "policy-key-3"),
    ("integrations", "topic"): (PUBSUB, "projects/a/topics/c", "projects/a/topics/d"),
    ("integrations", "api_key"): (MAPS, "maps-key-2", "maps-key-3"),
}
"""Two values of each setting, and the other settings that a resource needs, keyed by kind and setting."""

ELSEWHERE = {"firmware", "sims"}
"""Kinds whose settings are tested with the modules that write them."""
NAMES = {"secrets": "AUTH_KEY", "ledgers": "settings", "environment": "POLL_SECONDS"}


@pytest.fixture(scope="module")
def _products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    return Products(InProcessSimulator([]), tmp_path_factory.mktemp("tokens"))


@pytest.fixture
def products(_products: Products) -> Products:
    _products.reset()
    return _products


def test_every_setting_that_can_change_has_a_case() -> None:
    changing = {
        (kind.name, field.name)
        for kind in KINDS.values()
        for field in kind.compared
        if kind.name not in ELSEWHERE and not field.fixed
    }
    assert changing == SETTINGS.keys()


@pytest.mark.parametrize(("kind", "setting"), SETTINGS, ids=[".".join(key) for key in SETTINGS])
def test_setting_is_written_when_it_differs_and_only_then(products: Products, kind: str, setting: str) -> None:
    others, first, second = SETTINGS[kind, setting]
    name = NAMES.get(kind, "one")
    is_hidden = any(field.write_only for field in KINDS[kind].fields if field.name == setting)
    policy = {"update_secrets": ALWAYS} if is_hidden else {}

    def declare(value: Any) -> Data:
        return {kind: {name: {**others, setting: value}}}

    assert products.apply(products.first, declare(first)).as_result()["summary"]["created"] == 1
    assert not products.apply(products.first, declare(first)).as_result()["changed"]
    (changed,) = products.apply(products.first, declare(second), **policy).as_result()["resources"]
    assert (changed["status"], [*changed["changes"]][:1]) == ("changed", [setting])
    assert not products.apply(products.first, declare(second)).as_result()["changed"]
    left_out = products.apply(products.first, {kind: {name: {}}}).as_result()
    assert not left_out["changed"], "a setting that is not declared remains unchanged"
