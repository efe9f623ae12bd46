# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables: staged edits, rollouts, inheritance, and the clash of their paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_client import FREE, OFFLINE, PRODUCT, UNKNOWN, Cloud, User, started

ENV = "/v1/env"
PRODUCT_ENV = f"{PRODUCT}/env"
DEVICE_ENV = f"{ENV}/{FREE[0]}"
BASES = pytest.mark.parametrize("base", [ENV, PRODUCT_ENV, DEVICE_ENV])


@pytest.fixture(autouse=True)
def members(demo: User) -> None:
    """Two devices of the product, one of them offline."""
    demo.bring_in(FREE[0], OFFLINE)


@pytest.fixture
def org_user(tmp_path: Path) -> Iterator[User]:
    """The owner of a product that belongs to an organisation."""
    with started(tmp_path, "--org", "acme") as (_unused, port):
        yield Cloud(f"http://127.0.0.1:{port}").user()


def put(user: User, base: str, key: str, value: str) -> Any:
    answer = user.put(f"{base}/{key}", {"value": value})
    assert answer.status_code == 200, answer.text
    return answer.json()


def roll_out(user: User, base: str, when: str = "Immediate") -> None:
    assert user.post(f"{base}/rollout", {"when": when}).json() == {"success": True}


@BASES
def test_given_an_edit_then_it_waits_for_a_rollout(demo: User, base: str) -> None:
    body = put(demo, base, "POLL_S", "30")
    assert body["latest"]["own"] == {"POLL_S": {"value": "30"}}
    assert (body["latest"]["created_by"], body["last_snapshot"]) == ("demo@example.com", None)
    review = demo.get(f"{base}/rollout")["from_snapshot"]
    assert review == {"changes": [{"op": "Added", "key": "POLL_S", "after": "30"}], "unchanged": {}}
    roll_out(demo, base)
    snapshot = demo.get(base)["last_snapshot"]
    assert (snapshot["own"], snapshot["rollout_by"]) == ({"POLL_S": {"value": "30"}}, "demo@example.com")
    assert demo.get(f"{base}/rollout")["from_snapshot"] == {"changes": [], "unchanged": {"POLL_S": "30"}}


@BASES
def test_given_operations_then_all_are_done_or_none(demo: User, base: str) -> None:
    put(demo, base, "OLD", "1")
    operations = [{"op": "Set", "key": "NEW", "value": "2"}, {"op": "Unset", "key": "OLD"}]
    body = demo.call("PATCH", base, json={"ops": operations}).json()
    assert body["latest"]["own"] == {"NEW": {"value": "2"}}
    bad = [{"op": "Set", "key": "OTHER", "value": "3"}, {"op": "Set", "key": "1x", "value": "4"}]
    assert demo.call("PATCH", base, json={"ops": bad}).status_code == 400
    assert demo.get(base)["latest"]["own"] == {"NEW": {"value": "2"}}


def test_given_a_malformed_name_then_the_refusal_says_where(demo: User) -> None:
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
def test_given_malformed_operations_then_they_are_refused(demo: User, operations: Any) -> None:
    answer = demo.call("PATCH", ENV, json={"ops": operations})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@BASES
def test_given_a_variable_when_it_is_deleted_then_it_is_unset(demo: User, base: str) -> None:
    put(demo, base, "POLL_S", "30")
    roll_out(demo, base)
    body = demo.call("DELETE", f"{base}/POLL_S").json()
    assert (body["latest"]["own"], body["last_snapshot"]["own"]) == ({}, {"POLL_S": {"value": "30"}})
    review = demo.get(f"{base}/rollout")["from_snapshot"]
    assert review["changes"] == [{"op": "Removed", "key": "POLL_S", "before": "30"}]


def test_given_a_changed_value_then_the_review_has_both(demo: User) -> None:
    put(demo, ENV, "POLL_S", "30")
    roll_out(demo, ENV)
    put(demo, ENV, "POLL_S", "60")
    change = {"op": "Changed", "key": "POLL_S", "before": "30", "after": "60"}
    assert demo.get(f"{ENV}/rollout")["from_snapshot"]["changes"] == [change]


def test_given_levels_then_the_most_specific_value_wins(demo: User) -> None:
    for base, value in ((ENV, "owner"), (PRODUCT_ENV, "product"), (DEVICE_ENV, "device")):
        put(demo, base, "WHO", value)
        put(demo, base, f"FROM_{value.upper()}", value)
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


def test_given_an_edit_that_is_not_rolled_out_then_nobody_inherits_it(demo: User) -> None:
    put(demo, ENV, "WHO", "owner")
    assert demo.get(PRODUCT_ENV)["latest"]["inherited"] == {}


def test_given_an_immediate_rollout_then_an_online_device_has_it_and_an_offline_one_not(demo: User) -> None:
    put(demo, PRODUCT_ENV, "POLL_S", "30")
    roll_out(demo, PRODUCT_ENV)
    assert demo.get(DEVICE_ENV)["on_device"]["rendered"] == {"POLL_S": "30"}
    assert demo.get(f"{ENV}/{OFFLINE}")["on_device"]["rendered"] == {}


def test_given_a_rollout_at_connect_then_the_device_keeps_the_old_one_until_its_next_session(demo: User) -> None:
    put(demo, PRODUCT_ENV, "POLL_S", "30")
    roll_out(demo, PRODUCT_ENV)
    put(demo, PRODUCT_ENV, "POLL_S", "60")
    roll_out(demo, PRODUCT_ENV, "Connect")
    body = demo.get(DEVICE_ENV)
    assert body["on_device"]["rendered"] == {"POLL_S": "30"}
    assert demo.get(f"{DEVICE_ENV}/rollout")["from_device"]["changes"][0]["after"] == "60"
    # A new session: the device takes a firmware version at once and starts again.
    demo.put(f"{PRODUCT}/devices/{FREE[0]}", {"desired_firmware_version": 7, "flash": True})
    assert demo.get(DEVICE_ENV)["on_device"]["rendered"] == {"POLL_S": "60"}


def test_given_render_then_the_last_rollout_is_named(demo: User) -> None:
    empty = demo.get(f"{ENV}/render")
    assert empty == {"env": {}, "last_updated_at": None, "rollout_at": None, "rollout_by": None}
    put(demo, ENV, "A", "1")
    roll_out(demo, ENV)
    assert demo.get(f"{ENV}/render")["rollout_by"] == "demo@example.com"
    assert demo.post(f"{ENV}/rollout", {"when": "Soon"}).status_code == 400


def test_given_a_key_that_looks_like_a_device_then_the_method_decides(demo: User) -> None:
    key = "ABCDEF0123456789ABCDEF01"
    assert put(demo, ENV, key, "1")["latest"]["own"] == {key: {"value": "1"}}
    assert demo.call("GET", f"{ENV}/{key}").status_code == 403
    assert "on_device" in demo.get(DEVICE_ENV)


def test_given_a_device_without_an_environment_then_it_is_refused(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[1]})
    assert demo.call("GET", f"{ENV}/{FREE[1]}").status_code == 400
    assert demo.call("GET", f"{ENV}/{UNKNOWN}").status_code == 403


def test_given_an_organisation_then_its_products_inherit_from_it(org_user: User) -> None:
    put(org_user, "/v1/orgs/acme/env", "WHO", "org")
    roll_out(org_user, "/v1/orgs/acme/env")
    assert org_user.get(PRODUCT_ENV)["latest"]["inherited"] == {"WHO": {"from": "Owner", "value": "org"}}
    assert org_user.get(ENV)["latest"]["own"] == {}
    assert org_user.call("GET", "/v1/orgs/nobody/env").status_code == 404


def test_given_an_organisation_then_teams_and_integrations_have_its_form_too(org_user: User) -> None:
    made = org_user.post("/v1/orgs/acme/team", {"friendly_name": "robot", "scopes": ["devices:list"]}).json()
    robot = User(org_user.cloud, made["created"]["tokens"][0]["token"])
    assert robot.call("GET", f"{PRODUCT}/devices").status_code == 200
    product_robot = org_user.post(f"{PRODUCT}/team", {"friendly_name": "other", "scopes": ["devices:list"]}).json()
    names = [row["username"] for row in org_user.get("/v1/orgs/acme/team")["team"]]
    assert product_robot["created"]["username"] in names
    assert org_user.get("/v1/orgs/acme/integrations") == []
