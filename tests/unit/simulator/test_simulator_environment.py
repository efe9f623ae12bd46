# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test environment variables: staged edits, rollouts, inheritance and keys that look like device ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_client import FREE, OFFLINE, PRODUCT, UNKNOWN, Cloud, User, started
from update_cases import add_versions, lock

ENV = "/v1/env"
PRODUCT_ENV = f"{PRODUCT}/env"
DEVICE_ENV = f"{ENV}/{FREE[0]}"
BASES = pytest.mark.parametrize("base", [ENV, PRODUCT_ENV, DEVICE_ENV])


@pytest.fixture(autouse=True)
def product_devices(demo: User) -> None:
    """Import two devices into the product, one of them offline."""
    demo.bring_in(FREE[0], OFFLINE)


@pytest.fixture
def org_user(tmp_path: Path) -> Iterator[User]:
    """Return the owner of a product that belongs to an organization."""
    with started(tmp_path, "--org", "acme") as (_unused, port):
        yield Cloud(f"http://127.0.0.1:{port}").user()


def set_variable(user: User, base: str, key: str, value: str) -> Any:
    """Set a variable without a rollout, and return the environment."""
    answer = user.put(f"{base}/{key}", {"value": value})
    assert answer.status_code == 200, answer.text
    return answer.json()


def roll_out(user: User, base: str, when: str = "Immediate") -> None:
    assert user.post(f"{base}/rollout", {"when": when}).json() == {"success": True}


@BASES
def test_edit_is_staged_until_a_rollout(demo: User, base: str) -> None:
    body = set_variable(demo, base, "POLL_S", "30")
    assert body["latest"]["own"] == {"POLL_S": {"value": "30"}}
    assert (body["latest"]["created_by"], body["last_snapshot"]) == ("demo@example.com", None)
    review = demo.get(f"{base}/rollout")["from_snapshot"]
    assert review == {"changes": [{"op": "Added", "key": "POLL_S", "after": "30"}], "unchanged": {}}
    roll_out(demo, base)
    snapshot = demo.get(base)["last_snapshot"]
    assert (snapshot["own"], snapshot["rollout_by"]) == ({"POLL_S": {"value": "30"}}, "demo@example.com")
    assert demo.get(f"{base}/rollout")["from_snapshot"] == {"changes": [], "unchanged": {"POLL_S": "30"}}


@BASES
def test_batch_of_operations_is_applied_completely_or_not_at_all(demo: User, base: str) -> None:
    set_variable(demo, base, "OLD", "1")
    operations = [{"op": "Set", "key": "NEW", "value": "2"}, {"op": "Unset", "key": "OLD"}]
    body = demo.call("PATCH", base, json={"ops": operations}).json()
    assert body["latest"]["own"] == {"NEW": {"value": "2"}}
    invalid_operations = [{"op": "Set", "key": "OTHER", "value": "3"}, {"op": "Set", "key": "1x", "value": "4"}]
    assert demo.call("PATCH", base, json={"ops": invalid_operations}).status_code == 400
    assert demo.get(base)["latest"]["own"] == {"NEW": {"value": "2"}}


def test_refusal_of_a_malformed_name_contains_its_position(demo: User) -> None:
    answer = demo.call("PATCH", ENV, json={"ops": [{"op": "Set", "key": "lower", "value": "x"}]})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "Validation error: : Must only contain uppercase letters, numbers, and underscores. "
        'Must not start with a number. at "ops[0].key"',
    }


@pytest.mark.parametrize(
    "operations",
    [
        None,
        [],
        ["x"],
        [{"op": "Add", "key": "A", "value": "x"}],
        [{"op": "Set", "key": "A"}],
        [{"op": "Set", "key": "A", "value": 1}],
        [{"op": "Set", "key": "A" * 129, "value": "x"}],
        [{"op": "Set", "key": "PARTICLE_A", "value": "x"}],
        [{"op": "Set", "key": f"K{number}", "value": "x"} for number in range(101)],
        [{"op": "Set", "key": "A", "value": "x" * 16_384}],
    ],
)
def test_malformed_operations_are_refused(demo: User, operations: Any) -> None:
    answer = demo.call("PATCH", ENV, json={"ops": operations})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@BASES
def test_deletion_of_a_variable_is_staged_until_a_rollout(demo: User, base: str) -> None:
    set_variable(demo, base, "POLL_S", "30")
    roll_out(demo, base)
    body = demo.call("DELETE", f"{base}/POLL_S").json()
    assert (body["latest"]["own"], body["last_snapshot"]["own"]) == ({}, {"POLL_S": {"value": "30"}})
    review = demo.get(f"{base}/rollout")["from_snapshot"]
    assert review["changes"] == [{"op": "Removed", "key": "POLL_S", "before": "30"}]


def test_rollout_review_shows_the_old_and_new_value(demo: User) -> None:
    set_variable(demo, ENV, "POLL_S", "30")
    roll_out(demo, ENV)
    set_variable(demo, ENV, "POLL_S", "60")
    change = {"op": "Changed", "key": "POLL_S", "before": "30", "after": "60"}
    assert demo.get(f"{ENV}/rollout")["from_snapshot"]["changes"] == [change]


def test_value_of_the_most_specific_level_wins(demo: User) -> None:
    for base, value in ((ENV, "owner"), (PRODUCT_ENV, "product"), (DEVICE_ENV, "device")):
        set_variable(demo, base, "WHO", value)
        set_variable(demo, base, f"FROM_{value.upper()}", value)
        roll_out(demo, base)
    assert demo.get(f"{PRODUCT_ENV}/render")["env"]["WHO"] == "product"
    assert demo.get(f"{DEVICE_ENV}/render")["env"] == {
        "WHO": "device",
        "FROM_OWNER": "owner",
        "FROM_PRODUCT": "product",
        "FROM_DEVICE": "device",
    }
    inherited = demo.get(DEVICE_ENV)["latest"]["inherited"]
    assert inherited["WHO"] == {"from": "Product", "value": "product"}
    assert inherited["FROM_OWNER"] == {"from": "Owner", "value": "owner"}


def test_edit_without_rollout_is_not_inherited(demo: User) -> None:
    set_variable(demo, ENV, "WHO", "owner")
    assert demo.get(PRODUCT_ENV)["latest"]["inherited"] == {}


def test_immediate_rollout_reaches_only_online_devices(demo: User) -> None:
    set_variable(demo, PRODUCT_ENV, "POLL_S", "30")
    roll_out(demo, PRODUCT_ENV)
    assert demo.get(DEVICE_ENV)["on_device"]["rendered"] == {"POLL_S": "30"}
    assert demo.get(f"{ENV}/{OFFLINE}")["on_device"]["rendered"] == {}


def test_rollout_at_connect_waits_for_the_next_session_of_a_device(demo: User) -> None:
    set_variable(demo, PRODUCT_ENV, "POLL_S", "30")
    roll_out(demo, PRODUCT_ENV)
    set_variable(demo, PRODUCT_ENV, "POLL_S", "60")
    roll_out(demo, PRODUCT_ENV, "Connect")
    body = demo.get(DEVICE_ENV)
    assert body["on_device"]["rendered"] == {"POLL_S": "30"}
    assert demo.get(f"{DEVICE_ENV}/rollout")["from_device"]["changes"][0]["after"] == "60"
    # The device updates its firmware and restarts, which begins a new session.
    add_versions(demo, 7)
    lock(demo, FREE[0], 7)
    demo.cloud.advance(30)
    assert demo.get(DEVICE_ENV)["on_device"]["rendered"] == {"POLL_S": "60"}


def test_render_names_the_user_of_the_last_rollout(demo: User) -> None:
    empty = demo.get(f"{ENV}/render")
    assert empty == {"env": {}, "last_updated_at": None, "rollout_at": None, "rollout_by": None}
    set_variable(demo, ENV, "A", "1")
    roll_out(demo, ENV)
    assert demo.get(f"{ENV}/render")["rollout_by"] == "demo@example.com"
    assert demo.post(f"{ENV}/rollout", {"when": "Soon"}).status_code == 400


def test_key_that_looks_like_a_device_id_is_written_but_not_read(demo: User) -> None:
    key = "ABCDEF0123456789ABCDEF01"
    assert set_variable(demo, ENV, key, "1")["latest"]["own"] == {key: {"value": "1"}}
    assert demo.call("GET", f"{ENV}/{key}").status_code == 403
    assert "on_device" in demo.get(DEVICE_ENV)


def test_device_outside_the_product_has_no_environment(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[1]})
    assert demo.call("GET", f"{ENV}/{FREE[1]}").status_code == 400
    assert demo.call("GET", f"{ENV}/{UNKNOWN}").status_code == 403


def test_products_inherit_from_their_organization(org_user: User) -> None:
    set_variable(org_user, "/v1/orgs/acme/env", "WHO", "org")
    roll_out(org_user, "/v1/orgs/acme/env")
    assert org_user.get(PRODUCT_ENV)["latest"]["inherited"] == {"WHO": {"from": "Owner", "value": "org"}}
    assert org_user.get(ENV)["latest"]["own"] == {}
    assert org_user.call("GET", "/v1/orgs/nobody/env").status_code == 404


def test_organization_has_a_team_and_integrations(org_user: User) -> None:
    created = org_user.post("/v1/orgs/acme/team", {"friendly_name": "robot", "scopes": ["devices:list"]}).json()
    robot = User(org_user.cloud, created["created"]["tokens"][0]["token"])
    assert robot.call("GET", f"{PRODUCT}/devices").status_code == 200
    product_robot = org_user.post(f"{PRODUCT}/team", {"friendly_name": "other", "scopes": ["devices:list"]}).json()
    names = [row["username"] for row in org_user.get("/v1/orgs/acme/team")["team"]]
    assert product_robot["created"]["username"] in names
    assert org_user.get("/v1/orgs/acme/integrations") == []
