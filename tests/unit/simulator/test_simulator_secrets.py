# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the secrets of an account and of an organization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_client import PRODUCT, RECENT, Cloud, User

SECRETS = "/v1/secrets"
HOOKS = f"{PRODUCT}/integrations"
HOOK: dict[str, Any] = {"integration_type": "Webhook", "event": "reading", "url": "https://hooks.example.net/in"}


def create_secret(user: User, name: str = "API_KEY", base: str = SECRETS) -> dict[str, Any]:
    answer = user.post(base, {"name": name, "value": "hidden-value"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["secret"])


def create_hook(user: User, *names: str) -> str:
    answer = user.post(HOOKS, HOOK | {"secrets": [{"name": name} for name in names]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_new_secret_is_unused(demo: User) -> None:
    secret = create_secret(demo)
    assert secret["created_at"] == secret["updated_at"]
    del secret["created_at"], secret["updated_at"]
    assert secret == {"name": "API_KEY", "last_accessed_at": None, "integrations": [], "logic_functions": []}
    assert [row["name"] for row in demo.get(SECRETS)["secrets"]] == ["API_KEY"]


@pytest.mark.parametrize("body", [{"value": "hidden-value"}, {"secret": {"value": "hidden-value"}}])
def test_put_creates_a_secret_with_each_form_of_the_body(demo: User, body: dict[str, Any]) -> None:
    answer = demo.put(f"{SECRETS}/API_KEY", body)
    assert (answer.status_code, answer.json()["secret"]["name"]) == (200, "API_KEY")
    assert demo.get(f"{SECRETS}/API_KEY")["secret"] == answer.json()["secret"]


def test_put_changes_only_the_time_of_the_update(demo: User) -> None:
    before = create_secret(demo)
    demo.cloud.advance(60)
    after = demo.put(f"{SECRETS}/API_KEY", {"value": "other-value"}).json()["secret"]
    assert after["updated_at"] > before["updated_at"]
    assert after | {"updated_at": before["updated_at"]} == before


def test_no_response_contains_the_value_of_a_secret(demo: User) -> None:
    answers = [demo.post(SECRETS, {"name": "API_KEY", "value": "hidden-value"})]
    answers.append(demo.put(f"{SECRETS}/API_KEY", {"value": "hidden-value"}))
    answers += [demo.call("GET", path) for path in (SECRETS, f"{SECRETS}/API_KEY")]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert [answer.text for answer in answers if "hidden-value" in answer.text] == []


@pytest.mark.parametrize(
    "fields",
    [{"name": "api_key"}, {"name": "1_KEY"}, {"name": ""}, {"name": None}, {"value": ""}, {"value": 5}],
)
def test_malformed_secret_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(SECRETS, {"name": "API_KEY", "value": "v"} | fields).status_code == 400
    assert demo.get(SECRETS) == {"secrets": []}


def test_second_secret_of_a_name_is_refused(demo: User) -> None:
    create_secret(demo)
    assert demo.post(SECRETS, {"name": "API_KEY", "value": "v"}).status_code == 400


def test_secret_shows_the_integrations_that_use_it(demo: User) -> None:
    create_secret(demo)
    create_secret(demo, "OTHER")
    hook = create_hook(demo, "API_KEY")
    shown = {row["name"]: row["integrations"] for row in demo.get(SECRETS)["secrets"]}
    assert shown == {"API_KEY": [{"id": hook, "name": "reading for hooks.example.net"}], "OTHER": []}
    assert demo.get(f"{HOOKS}/{hook}")["integration"]["secrets"] == [{"name": "API_KEY"}]


@pytest.mark.parametrize("value", [[{"name": "MISSING"}], ["API_KEY"], "API_KEY", [{}]])
def test_webhook_with_a_bad_list_of_secrets_is_refused(demo: User, value: Any) -> None:
    create_secret(demo)
    assert demo.post(HOOKS, HOOK | {"secrets": value}).status_code == 400


def test_test_of_a_webhook_accesses_its_secrets(demo: User) -> None:
    create_secret(demo)
    create_secret(demo, "OTHER")
    hook = create_hook(demo, "API_KEY")
    assert demo.call("POST", f"{HOOKS}/{hook}/test").status_code == 200
    accessed = {row["name"]: row["last_accessed_at"] is not None for row in demo.get(SECRETS)["secrets"]}
    assert accessed == {"API_KEY": True, "OTHER": False}


def test_secret_in_use_is_deleted_only_after_its_integration(demo: User) -> None:
    create_secret(demo)
    hook = create_hook(demo, "API_KEY")
    answer = demo.call("DELETE", f"{SECRETS}/API_KEY")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert demo.call("DELETE", f"{HOOKS}/{hook}").status_code == 204
    assert demo.call("DELETE", f"{SECRETS}/API_KEY").status_code == 204
    assert demo.call("GET", f"{SECRETS}/API_KEY").status_code == 404
    assert demo.call("DELETE", f"{SECRETS}/API_KEY").status_code == 404


def test_secrets_of_another_account_are_not_shown(demo: User, other: User) -> None:
    create_secret(demo)
    assert other.get(SECRETS) == {"secrets": []}
    assert other.call("GET", f"{SECRETS}/API_KEY").status_code == 404


def test_organization_has_secrets_of_its_own(cloud_with: Callable[..., Cloud]) -> None:
    cloud = cloud_with("--org", "acme")
    owner, base = cloud.user(), "/v1/orgs/acme/secrets"
    create_secret(owner, base=base)
    hook = create_hook(owner, "API_KEY")
    assert owner.get(SECRETS) == {"secrets": []}
    assert [row["id"] for row in cloud.user(RECENT).get(f"{base}/API_KEY")["secret"]["integrations"]] == [hook]
    assert cloud.user(("other@example.com", "other-password")).call("GET", base).status_code == 403


def test_api_users_cannot_reach_secrets(demo: User) -> None:
    created = demo.post(f"{PRODUCT}/team", {"friendly_name": "bot", "scopes": ["integrations:list"]}).json()["created"]
    answer = User(demo.cloud, created["tokens"][0]["token"]).call("GET", SECRETS)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized")
