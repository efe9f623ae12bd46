# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""API users are read and written in all documented forms, and their tokens do not leak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import BASE, RecordingHttp, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.api_users import (
    create_api_user,
    list_api_users,
    remove_api_user,
    rename_api_user,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.scripted import ScriptedCloud

TEAM = f"{BASE}/team"
PRODUCT = "31337"
USERNAME = "nightly+1a2b@api.particle.io"
PATH = f"{TEAM}/nightly%2B1a2b%40api.particle.io"
TOKEN = "5e5d5c5b5a59585756555453525150494847464c"
USER = {"username": USERNAME, "friendly_name": "nightly", "scopes": ["devices:list"], "is_programmatic": True}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    with client(scripted_cloud.url) as http:
        yield http


def test_people_are_not_listed(scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
    person = {"_id": "5" * 24, "username": "jane@example.com"}
    scripted_cloud.answer("GET", TEAM, json={"ok": True, "team": [person, USER]})
    assert list_api_users(http, PRODUCT) == [USER]


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": True},
        {"ok": True, "created": {"username": USERNAME}},
        {"ok": True, "created": {"username": None, "tokens": [{"token": TOKEN}]}},
        {"ok": True, "created": {"username": USERNAME, "tokens": [TOKEN]}},
    ],
)
def test_creation_without_username_or_token_is_ambiguous(
    scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: Any
) -> None:
    scripted_cloud.answer("POST", TEAM, json=answer)
    with pytest.raises(ParticleError) as caught:
        create_api_user(http, PRODUCT, "nightly", ["devices:list"])
    assert caught.value.code == "ambiguous_write"
    assert TOKEN not in str(caught.value.as_failure())


def test_token_is_masked_and_not_in_the_repr(scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
    created = {"username": USERNAME, "tokens": [{"token": TOKEN}]}
    scripted_cloud.answer("POST", TEAM, json={"ok": True, "created": created})
    user = create_api_user(http, PRODUCT, "nightly", ["devices:list"])
    assert (user.username, user.token) == (USERNAME, TOKEN)
    assert TOKEN not in repr(user)
    assert TOKEN not in http.redact(f"It is {TOKEN}.")


@pytest.mark.parametrize("status", [404, 405])
def test_name_is_changed_with_post_if_put_is_unknown(
    scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
) -> None:
    scripted_cloud.answer("PUT", PATH, status, json={}).answer("POST", PATH, json={"ok": True})
    assert rename_api_user(http, PRODUCT, USERNAME, "nightly") is None
    assert [request.json for request in scripted_cloud.requests] == [{"friendly_name": "nightly"}] * 2


def test_username_is_encoded_in_the_path(scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
    scripted_cloud.answer("DELETE", PATH, json={"ok": True})
    remove_api_user(http, PRODUCT, USERNAME)
    assert len(scripted_cloud.requests) == 1
