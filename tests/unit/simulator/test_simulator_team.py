# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the team of a product, its API users and their scopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from simulator_client import DEMO, DEVICES, FREE, GROUPS, OTHER, PRODUCT, RECENT, Cloud, User

from particle_simulator.routes import TABLE
from particle_simulator.routing import ANY_SCOPE
from particle_simulator.scopes import API_USER_SCOPES

TEAM = f"{PRODUCT}/team"


def create_api_user(user: User, *scopes: str) -> tuple[str, User]:
    """Create an API user, and return its name, quoted for a path, and the user."""
    answer = user.post(TEAM, {"friendly_name": "Ansible facts", "scopes": list(scopes)})
    assert answer.status_code == 200, answer.text
    created = answer.json()["created"]
    return quote(created["username"], safe=""), User(user.cloud, created["tokens"][0]["token"])


def test_owner_of_a_product_is_in_its_team(demo: User) -> None:
    body = demo.get(TEAM)
    assert body["ok"] is True
    assert [(row["username"], row["role"]["name"]) for row in body["team"]] == [("demo@example.com", "Administrator")]


def test_team_member_can_use_the_product_until_removed(demo: User, other: User) -> None:
    assert other.call("GET", DEVICES).status_code == 403
    answer = demo.post(TEAM, {"username": OTHER[0], "role": "Developer"})
    assert answer.json() == {"ok": True, "invited": {"username": OTHER[0]}}
    assert other.call("GET", DEVICES).status_code == 200
    assert demo.get(TEAM)["team"][1]["role"] == {"id": f"{2:024x}", "name": "Developer"}
    assert demo.call("DELETE", f"{TEAM}/{quote(OTHER[0])}").json() == {"ok": True}
    assert other.call("GET", DEVICES).status_code == 403


def test_imported_devices_can_be_claimed_for_a_team_member(demo: User) -> None:
    request = {"ids": [FREE[0]], "claim_user": OTHER[0]}
    assert demo.post(DEVICES, request).status_code == 400
    demo.post(TEAM, {"username": OTHER[0], "role": "Developer"})
    assert demo.post(DEVICES, request).json()["updated"] == 1
    assert demo.cloud.device(FREE[0])["owner"] == OTHER[0]


def test_address_without_an_account_can_be_invited(demo: User) -> None:
    demo.post(TEAM, {"username": "new@example.com", "role": "Support"})
    assert demo.get(TEAM)["team"][1]["username"] == "new@example.com"


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "nobody", "role": "Developer"},
        {"username": OTHER[0], "role": "King"},
        {"friendly_name": "", "scopes": ["devices:list"]},
        {"friendly_name": "x", "scopes": []},
        {"friendly_name": "x", "scopes": ["devices:everything"]},
        {"friendly_name": "x", "scopes": "devices:list"},
    ],
)
def test_malformed_team_member_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(TEAM, fields).status_code == 400


@pytest.mark.parametrize("username", [OTHER[0], "new@example.com"])
def test_each_person_in_a_team_has_an_id(demo: User, username: str) -> None:
    demo.post(TEAM, {"username": username, "role": "Support"})
    ids = [row["_id"] for row in demo.get(TEAM)["team"]]
    assert [len(each) for each in ids] == [24, 24]
    assert ids == [row["_id"] for row in demo.get(TEAM)["team"]]


def test_role_of_a_person_is_changed_with_post(demo: User) -> None:
    demo.post(TEAM, {"username": OTHER[0], "role": "Developer"})
    answer = demo.post(f"{TEAM}/{quote(OTHER[0])}", {"role": "View-only"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "updated": {"username": OTHER[0]}})
    assert demo.get(TEAM)["team"][1]["role"] == {"id": f"{3:024x}", "name": "View-only"}


def test_only_a_known_role_of_an_invited_person_can_be_changed(demo: User) -> None:
    demo.post(TEAM, {"username": OTHER[0], "role": "Developer"})
    robot, _unused = create_api_user(demo, "devices:list")
    statuses = {
        name: demo.post(f"{TEAM}/{name}", {"role": role}).status_code
        for name, role in [(quote(OTHER[0]), "King"), (quote(DEMO[0]), "Support"), (robot, "Support"), ("x", "Support")]
    }
    assert statuses == {quote(OTHER[0]): 400, quote(DEMO[0]): 400, robot: 404, "x": 404}


def test_invited_member_of_an_organization_has_the_given_role(cloud_with: Callable[..., Cloud]) -> None:
    owner, team = cloud_with("--org", "acme").user(), "/v1/orgs/acme/team"
    owner.post(team, {"username": OTHER[0], "role": "Support"})
    roles = {row["username"]: row["role"]["name"] for row in owner.get(team)["team"]}
    assert roles == {DEMO[0]: "Administrator", RECENT[0]: "Administrator", OTHER[0]: "Support"}
    assert owner.post(f"{team}/{quote(OTHER[0])}", {"role": "Developer"}).status_code == 200
    assert owner.get(team)["team"][-1]["role"]["name"] == "Developer"


def test_api_user_is_created_with_one_token(demo: User) -> None:
    answer = demo.post(TEAM, {"friendly_name": "Ansible facts", "scopes": ["devices:list"]}).json()
    created = answer["created"]
    assert answer["ok"] is True
    assert created["is_programmatic"] is True
    assert created["username"].startswith("ansible-facts+")
    assert created["username"].endswith("@api.particle.io")
    assert len(created["tokens"]) == 1


def test_team_shows_scopes_but_no_token_of_an_api_user(demo: User) -> None:
    _unused, robot = create_api_user(demo, "devices:list")
    row = demo.get(TEAM)["team"][-1]
    assert row["scopes"] == ["devices:list"]
    assert (row["is_programmatic"], row["product_id"]) == (True, 31337)
    assert robot.token not in str(row)


def test_token_of_an_api_user_never_expires_and_shows_its_scopes(demo: User) -> None:
    _unused, robot = create_api_user(demo, "devices:list", "groups:list")
    body = robot.get("/v1/access_tokens/current")
    assert (body["expires_at"], body["scopes"]) == (None, ["devices:list", "groups:list"])


def test_scope_of_an_api_user_opens_only_its_routes(demo: User) -> None:
    demo.bring_in(FREE[0])
    _unused, robot = create_api_user(demo, "devices:list", "devices:get")
    assert FREE[0] in [row["id"] for row in robot.get(DEVICES)["devices"]]
    assert robot.get(f"/v1/devices/{FREE[0]}")["id"] == FREE[0]
    answer = robot.call("GET", GROUPS)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_route_without_a_scope_is_closed_to_api_users(demo: User) -> None:
    _unused, robot = create_api_user(demo, *API_USER_SCOPES)
    answer = robot.call("GET", "/v1/user")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "unauthorized",
        "error_description": "API users are not allowed to call this endpoint",
    }


def test_api_user_of_a_product_cannot_read_other_devices(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[1]})
    _unused, robot = create_api_user(demo, "devices:get")
    assert robot.call("GET", f"/v1/devices/{FREE[1]}").status_code == 403


def test_api_user_with_a_ledger_scope_reads_the_ledgers_of_the_owner(demo: User) -> None:
    demo.post("/v1/ledgers", {"ledger": {"name": "mesh", "scope": "Device", "direction": "Downstream"}})
    _unused, robot = create_api_user(demo, "ledger.definitions:list")
    assert [row["name"] for row in robot.get("/v1/ledgers")["ledgers"]] == ["mesh"]


def test_change_of_scopes_replaces_the_token(demo: User) -> None:
    path, robot = create_api_user(demo, "devices:list")
    updated = demo.put(f"{TEAM}/{path}", {"scopes": ["groups:list"]}).json()["updated"]
    new_user = User(demo.cloud, updated["tokens"][0]["token"])
    assert robot.call("GET", DEVICES).status_code == 401
    assert new_user.call("GET", GROUPS).status_code == 200
    assert new_user.call("GET", DEVICES).status_code == 400


def test_change_of_the_name_keeps_the_token(demo: User) -> None:
    path, robot = create_api_user(demo, "devices:list")
    updated = demo.put(f"{TEAM}/{path}", {"friendly_name": "Renamed"}).json()["updated"]
    assert updated["tokens"] == [{"token": robot.token}]
    assert demo.get(TEAM)["team"][-1]["friendly_name"] == "Renamed"


def test_regenerated_token_replaces_the_old_token(demo: User) -> None:
    path, robot = create_api_user(demo, "devices:list")
    updated = demo.call("PUT", f"{TEAM}/{path}/token").json()["updated"]
    assert robot.call("GET", DEVICES).status_code == 401
    assert User(demo.cloud, updated["tokens"][0]["token"]).call("GET", DEVICES).status_code == 200


def test_token_of_a_removed_api_user_is_refused(demo: User) -> None:
    path, robot = create_api_user(demo, "devices:list")
    assert demo.call("DELETE", f"{TEAM}/{path}").json() == {"ok": True}
    assert robot.call("GET", DEVICES).status_code == 401


def test_unknown_team_member_and_empty_update_are_refused(demo: User) -> None:
    assert demo.call("DELETE", f"{TEAM}/nobody").status_code == 404
    assert demo.put(f"{TEAM}/nobody", {"friendly_name": "x"}).status_code == 404
    assert demo.call("PUT", f"{TEAM}/nobody/token").status_code == 404
    path, _unused = create_api_user(demo, "devices:list")
    assert demo.put(f"{TEAM}/{path}", {}).status_code == 400


def test_each_scope_of_the_route_table_is_a_scope_of_the_cloud() -> None:
    used_scopes = {route.scope for route in TABLE.routes} - {None, ANY_SCOPE}
    assert used_scopes <= API_USER_SCOPES


def test_revoked_token_of_an_api_user_is_refused(cloud: Cloud, demo: User) -> None:
    _unused, robot = create_api_user(demo, "devices:list")
    assert robot.call("DELETE", "/v1/access_tokens/current").json() == {"ok": True}
    assert robot.call("GET", DEVICES).status_code == 401
