# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the configuration of a product and of its devices, and the schemas of configurations."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from simulator_client import FREE, PRODUCT, Cloud, User

CONFIG = f"{PRODUCT}/config"
ONLINE, SECOND = FREE[:2]
LOCATION = {"location": {"radius": 5}}
WAKE = {"imu_trig": {"motion": "low"}}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"imu_trig": {"type": "object"}}}
MEDIA_TYPE = "application/schema+json"


def device_path(device_id: str = ONLINE) -> str:
    return f"{CONFIG}/{device_id}"


def send_schema(user: User, method: str, path: str, schema: Any) -> requests.Response:
    return user.call(method, path, data=json.dumps(schema), headers={"Content-Type": MEDIA_TYPE})


def read_schema(user: User, path: str) -> requests.Response:
    return user.call("GET", path, headers={"Accept": MEDIA_TYPE})


def outcome(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def configuration(user: User, device_id: str = ONLINE) -> dict[str, Any]:
    return dict(user.get(device_path(device_id))["configuration"])


@pytest.fixture
def member(demo: User) -> User:
    """Return the owner of a product with two online devices."""
    demo.bring_in(ONLINE, SECOND)
    return demo


# ---------------------------------------------------------------------- the product


def test_configuration_that_is_not_set_is_not_found(member: User) -> None:
    assert outcome(member.call("GET", CONFIG)) == (404, {})
    assert outcome(member.call("GET", device_path())) == (404, {})


def test_configuration_of_a_product_is_replaced_as_a_whole(member: User) -> None:
    assert outcome(member.put(CONFIG, LOCATION)) == (202, {})
    assert outcome(member.put(CONFIG, WAKE)) == (202, {})
    assert member.get(CONFIG) == {"configuration": WAKE}


def test_online_device_takes_the_configuration_of_its_product(member: User) -> None:
    member.put(CONFIG, LOCATION)
    assert configuration(member) == {"current": LOCATION, "pending": {}}


def test_device_with_its_own_configuration_keeps_it(member: User) -> None:
    member.put(device_path(), WAKE)
    member.put(CONFIG, LOCATION)
    assert configuration(member) == {"current": WAKE, "pending": {}}
    assert configuration(member, SECOND) == {"current": LOCATION, "pending": {}}


def test_device_ids_limit_a_change_to_some_devices(member: User) -> None:
    member.put(CONFIG, LOCATION)
    assert member.put(CONFIG, WAKE | {"deviceIds": [ONLINE]}).status_code == 202
    assert (configuration(member)["current"], configuration(member, SECOND)["current"]) == (WAKE, LOCATION)
    assert member.get(CONFIG) == {"configuration": LOCATION}


def test_device_ids_without_sections_reset_the_devices(member: User) -> None:
    member.put(CONFIG, LOCATION)
    member.put(device_path(), WAKE)
    assert member.put(CONFIG, {"deviceIds": [ONLINE]}).status_code == 202
    assert configuration(member)["current"] == LOCATION


@pytest.mark.parametrize("body", [{}, {"location": 5}, WAKE | {"deviceIds": "x"}, WAKE | {"deviceIds": ["00"]}])
def test_malformed_configuration_of_a_product_is_refused(member: User, body: dict[str, Any]) -> None:
    assert member.put(CONFIG, body).status_code == 400
    assert member.call("GET", CONFIG).status_code == 404


# ---------------------------------------------------------------------- one device


def test_configuration_of_an_online_device_is_applied_at_once(member: User) -> None:
    assert outcome(member.put(device_path(), LOCATION)) == (200, {})
    assert configuration(member) == {"current": LOCATION, "pending": {}}


def test_offline_device_takes_its_configuration_in_the_next_session(member: User) -> None:
    member.put(device_path(), LOCATION)
    member.cloud.change_device(ONLINE, online=False)
    assert outcome(member.put(device_path(), WAKE)) == (202, {})
    assert configuration(member) == {"current": LOCATION, "pending": WAKE}
    member.cloud.change_device(ONLINE, online=True)
    assert configuration(member) == {"current": WAKE, "pending": {}}


def test_device_that_joins_later_takes_the_configuration_of_the_product(demo: User) -> None:
    demo.put(CONFIG, LOCATION)
    demo.bring_in(ONLINE)
    assert configuration(demo) == {"current": {}, "pending": LOCATION}
    demo.cloud.change_device(ONLINE, online=True)
    assert configuration(demo) == {"current": LOCATION, "pending": {}}


def test_empty_configuration_resets_a_device_to_its_product(member: User) -> None:
    member.put(CONFIG, LOCATION)
    member.put(device_path(), WAKE)
    assert member.put(device_path(), {}).status_code == 200
    assert configuration(member)["current"] == LOCATION


def test_removed_device_loses_its_configuration(member: User) -> None:
    member.put(device_path(), WAKE)
    assert member.call("DELETE", f"{PRODUCT}/devices/{ONLINE}").status_code == 204
    assert member.call("GET", device_path()).status_code == 403
    member.bring_in(ONLINE)
    assert member.call("GET", device_path()).status_code == 404


def test_device_rejects_a_section_that_its_schema_lacks(member: User) -> None:
    send_schema(member, "PUT", CONFIG, SCHEMA)
    answer = member.put(device_path(), LOCATION | WAKE)
    assert outcome(answer) == (
        400,
        {
            "error": "device_rejected_configuration",
            "error_description": "Configuration updates failed for some sections: {location: -19}, "
            "these sections were successful: imu_trig",
        },
    )
    assert configuration(member) == {"current": WAKE, "pending": {}}


# ---------------------------------------------------------------------- schemas


@pytest.mark.parametrize("path", [CONFIG, device_path()])
def test_schema_is_stored_and_deleted(member: User, path: str) -> None:
    assert outcome(read_schema(member, path)) == (404, {})
    assert outcome(send_schema(member, "PUT", path, SCHEMA)) == (200, SCHEMA)
    answer = read_schema(member, path)
    assert (outcome(answer), answer.headers["Content-Type"].partition(";")[0]) == ((200, SCHEMA), MEDIA_TYPE)
    assert member.call("DELETE", path, json={}).status_code == 400
    assert send_schema(member, "DELETE", path, {}).status_code == 204
    assert outcome(read_schema(member, path)) == (404, {})
    assert outcome(send_schema(member, "DELETE", path, {})) == (404, {})


def test_schema_of_a_device_comes_before_the_schema_of_its_product(member: User) -> None:
    send_schema(member, "PUT", CONFIG, {"type": "object"})
    send_schema(member, "PUT", device_path(), SCHEMA)
    assert read_schema(member, device_path()).json() == SCHEMA
    send_schema(member, "DELETE", device_path(), {})
    assert read_schema(member, device_path()).json() == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "keyword", "path"),
    [
        ([], "type", ""),
        (True, "type", ""),
        ({"type": "text"}, "enum", ".type"),
        ({"type": []}, "enum", ".type"),
        ({"type": ["string", {}]}, "enum", ".type"),
        ({"properties": []}, "type", ".properties"),
        ({"properties": {"a": {"type": "text"}}}, "enum", ".properties['a'].type"),
        ({"items": {"minimum": "1"}}, "type", ".items.minimum"),
        ({"items": [{"maxLength": 1.5}]}, "type", ".items[0].maxLength"),
        ({"required": ["a", 1]}, "type", ".required[1]"),
        ({"anyOf": [5]}, "type", ".anyOf[0]"),
        ({"minimum": True}, "type", ".minimum"),
        ({"title": 5}, "type", ".title"),
    ],
)
def test_malformed_schema_is_refused_with_its_violations(member: User, schema: Any, keyword: str, path: str) -> None:
    answer = send_schema(member, "PUT", CONFIG, schema)
    body = answer.json()
    assert (answer.status_code, body["message"]) == (422, "Invalid Schema")
    assert isinstance(body["description"], str)
    assert [(found["keyword"], found["dataPath"]) for found in body["violations"]] == [(keyword, path)]
    assert body["violations"][0].keys() == {"keyword", "dataPath", "schemaPath", "params", "message"}
    assert read_schema(member, CONFIG).status_code == 404


def test_schema_that_is_not_json_is_refused(member: User) -> None:
    answer = member.call("PUT", CONFIG, data="{", headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 400


def test_configuration_of_another_product_is_not_shown(member: User, other: User) -> None:
    member.put(CONFIG, LOCATION)
    for path in (CONFIG, device_path()):
        assert other.call("GET", path).status_code == 403


def test_reset_of_the_simulator_forgets_the_configuration(cloud: Cloud) -> None:
    cloud.user().put(CONFIG, LOCATION)
    cloud.call("POST", "/_simulator/reset")
    assert cloud.user().call("GET", CONFIG).status_code == 404
