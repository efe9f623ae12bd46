# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Webhooks are listed, read and written in every form that clouds are known to use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import BASE, OURS, RecordingHttp, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.webhooks import WEBHOOKS
from support.scripted import ScriptedCloud

HOOKS = f"{BASE}/integrations"
DECLARED = Declared("readings")
HOOK = {"id": "65bb", "name": "readings", "event": "reading"}
BODY = {"name": "readings", "event": "other", "headers": {"Authorization": "c4nary"}}


@pytest.fixture
def target(scripted_cloud: ScriptedCloud) -> Iterator[Target]:
    with client(scripted_cloud.url) as http:
        yield Target(http, OURS, lambda sentence: None)


@pytest.mark.parametrize(
    "wrap", [lambda rows: rows, lambda rows: {"integrations": rows}, lambda rows: {"webhooks": rows}]
)
def test_webhooks_are_listed_in_every_known_form(scripted_cloud: ScriptedCloud, target: Target, wrap: Any) -> None:
    typed, other = {**HOOK, "integration_type": "Webhook"}, {**HOOK, "integration_type": "GoogleMaps"}
    scripted_cloud.answer("GET", HOOKS, json=wrap([HOOK, typed, other]))
    assert WEBHOOKS.list_rows(target) == [HOOK, typed]


@pytest.mark.parametrize("key", ["integration", "webhook"])
def test_single_read_accepts_both_wrappers(scripted_cloud: ScriptedCloud, target: Target, key: str) -> None:
    scripted_cloud.answer("GET", f"{HOOKS}/65bb", json={key: {**HOOK, "json": {}}})
    assert WEBHOOKS.read_row is not None
    assert WEBHOOKS.read_row(target, HOOK) == {**HOOK, "json": {}}


@pytest.mark.parametrize("answer", [[], {"integration": None}, "text"])
def test_single_read_without_an_integration_fails(scripted_cloud: ScriptedCloud, target: Target, answer: Any) -> None:
    scripted_cloud.answer("GET", f"{HOOKS}/65bb", json=answer)
    assert WEBHOOKS.read_row is not None
    with pytest.raises(ParticleError, match="the response contains no integration") as caught:
        WEBHOOKS.read_row(target, HOOK)
    assert caught.value.code == "bad_response"


def test_writes_send_the_body_to_the_routes_of_the_product(scripted_cloud: ScriptedCloud, target: Target) -> None:
    scripted_cloud.answer("POST", HOOKS, 201, json=HOOK).answer("PUT", f"{HOOKS}/65bb", json={"integration": HOOK})
    scripted_cloud.answer("DELETE", f"{HOOKS}/65bb", 204)
    WEBHOOKS.create_row(target, Change(DECLARED, Action.CREATE, body=BODY))
    WEBHOOKS.update_row(target, Change(DECLARED, Action.UPDATE, HOOK, BODY))
    WEBHOOKS.delete_row(target, Change(DECLARED, Action.DELETE, HOOK))
    create, update, _delete = scripted_cloud.requests
    assert (create.json, update.json) == (BODY, BODY)
    assert isinstance(target.http, RecordingHttp)
    assert [request.action for request in target.http.sent] == [
        "create integration readings",
        "change integration readings (65bb)",
        "remove integration 65bb",
    ]
