# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Import into a product: partial success is success."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import (
    DEVICES,
    ELSEWHERE,
    FOREIGN,
    FREE,
    OFFLINE,
    PROTECTED,
    QUARANTINED,
    UNKNOWN,
    WIFI,
    Cloud,
    User,
)

LISTS = (
    "updatedDeviceIds",
    "existingDeviceIds",
    "nonmemberDeviceIds",
    "invalidDeviceIds",
    "protectedDeviceIds",
)


def upload(user: User, text: str, **query: str) -> dict[str, Any]:
    answer = user.call("POST", DEVICES, files={"file": ("ids.txt", text)}, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def only(name: str, *identifiers: str) -> dict[str, Any]:
    """The whole import body with one list filled."""
    filled: dict[str, Any] = {each: list(identifiers) if each == name else [] for each in LISTS}
    return {"updated": len(identifiers) if name == "updatedDeviceIds" else 0} | filled


def test_given_one_id_in_json_then_the_device_is_in_the_product(cloud: Cloud, demo: User) -> None:
    assert demo.post(DEVICES, {"id": FREE[0]}).json() == only("updatedDeviceIds", FREE[0])
    assert cloud.device(FREE[0])["product"] == 31337


def test_given_one_id_in_a_form_then_the_device_is_in_the_product(demo: User) -> None:
    assert demo.call("POST", DEVICES, data={"id": FREE[0]}).json() == only("updatedDeviceIds", FREE[0])


def test_given_a_list_of_ids_then_all_are_in_the_product(demo: User) -> None:
    assert demo.post(DEVICES, {"ids": FREE}).json() == only("updatedDeviceIds", *FREE)


def test_given_an_offline_device_then_it_is_imported_all_the_same(demo: User) -> None:
    assert demo.post(DEVICES, {"id": OFFLINE}).json() == only("updatedDeviceIds", OFFLINE)


def test_given_a_file_then_its_lines_are_ids_serial_numbers_imeis_and_iccids_echoed_as_sent(
    cloud: Cloud, demo: User
) -> None:
    lines = [FREE[0].upper(), "b40hab000000101", "352753000000102", "89014103000000000103"]
    body = upload(demo, "\r\n".join(["", *lines, "  ", ""]))
    assert body == only("updatedDeviceIds", *lines)
    members = {row["id"] for row in cloud.state()["devices"] if row["product"] == 31337}
    assert members == {*FREE[:4], QUARANTINED}


@pytest.mark.parametrize(
    ("device", "verdict"),
    [
        (UNKNOWN, "invalidDeviceIds"),
        ("nope", "invalidDeviceIds"),
        (WIFI, "invalidDeviceIds"),
        (ELSEWHERE, "invalidDeviceIds"),
        (FOREIGN, "nonmemberDeviceIds"),
        (PROTECTED, "protectedDeviceIds"),
        (QUARANTINED, "updatedDeviceIds"),
    ],
)
def test_given_a_special_device_then_it_is_in_the_list_that_says_why(demo: User, device: str, verdict: str) -> None:
    assert demo.post(DEVICES, {"id": device}).json() == only(verdict, device)


@pytest.mark.parametrize("device", [WIFI, ELSEWHERE, FOREIGN, PROTECTED])
def test_given_a_device_that_is_not_taken_then_it_stays_what_it_was(cloud: Cloud, demo: User, device: str) -> None:
    before = cloud.device(device)
    demo.call("POST", DEVICES, json={"id": device, "claim_user": "demo@example.com"})
    assert cloud.device(device) == before


def test_given_a_mixed_list_then_the_good_ones_are_taken_and_the_answer_is_200(demo: User) -> None:
    demo.bring_in(FREE[0])
    answer = demo.post(DEVICES, {"ids": [FREE[0], FREE[1], "nope", FOREIGN]})
    body = answer.json()
    assert (answer.status_code, body["updated"]) == (200, 1)
    assert [body[name] for name in LISTS] == [[FREE[1]], [FREE[0]], [FOREIGN], ["nope"], []]


def test_given_a_quarantined_device_when_it_is_imported_then_it_is_approved(cloud: Cloud, demo: User) -> None:
    demo.post(DEVICES, {"id": QUARANTINED})
    assert cloud.device(QUARANTINED)["quarantined"] is False


def test_given_a_claim_user_beside_a_file_then_it_comes_in_the_query(cloud: Cloud, demo: User) -> None:
    upload(demo, FREE[0], claim_user="demo@example.com")
    assert cloud.device(FREE[0])["owner"] == "demo@example.com"


def test_given_a_claim_user_in_the_body_then_new_and_existing_devices_are_claimed(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post(DEVICES, {"ids": FREE[:2], "claim_user": "demo@example.com"})
    assert [cloud.device(device)["owner"] for device in FREE[:2]] == ["demo@example.com"] * 2


def test_given_a_claim_user_outside_the_team_then_nothing_is_imported(cloud: Cloud, demo: User) -> None:
    answer = demo.post(DEVICES, {"id": FREE[0], "claim_user": "other@example.com"})
    assert answer.status_code == 400
    assert cloud.device(FREE[0])["product"] is None


@pytest.mark.parametrize("content", [{}, {"ids": []}, {"ids": "x"}, {"id": 5}])
def test_given_nothing_to_import_then_it_is_a_bad_request(demo: User, content: dict[str, Any]) -> None:
    assert demo.post(DEVICES, content).status_code == 400


def test_given_a_large_file_then_all_of_it_is_read(demo: User) -> None:
    lines = [f"{UNKNOWN[:-6]}{number:06x}" for number in range(50_000)]
    assert len(upload(demo, "\n".join(lines))["invalidDeviceIds"]) == 50_000
