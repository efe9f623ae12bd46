# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the import of devices into a product."""

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


def build_answer(name: str, *identifiers: str) -> dict[str, Any]:
    """Build the answer to an import that fills one of the lists."""
    lists: dict[str, Any] = {list_name: list(identifiers) if list_name == name else [] for list_name in LISTS}
    return {"updated": len(identifiers) if name == "updatedDeviceIds" else 0} | lists


def test_device_id_in_json_is_imported(cloud: Cloud, demo: User) -> None:
    assert demo.post(DEVICES, {"id": FREE[0]}).json() == build_answer("updatedDeviceIds", FREE[0])
    assert cloud.device(FREE[0])["product"] == 31337


def test_device_id_in_a_form_is_imported(demo: User) -> None:
    assert demo.call("POST", DEVICES, data={"id": FREE[0]}).json() == build_answer("updatedDeviceIds", FREE[0])


def test_list_of_device_ids_is_imported(demo: User) -> None:
    assert demo.post(DEVICES, {"ids": FREE}).json() == build_answer("updatedDeviceIds", *FREE)


def test_offline_device_is_imported(demo: User) -> None:
    assert demo.post(DEVICES, {"id": OFFLINE}).json() == build_answer("updatedDeviceIds", OFFLINE)


def test_file_imports_ids_serial_numbers_imeis_and_iccids(cloud: Cloud, demo: User) -> None:
    lines = [FREE[0].upper(), "b40hab000000101", "352753000000102", "89014103000000000103"]
    body = upload(demo, "\r\n".join(["", *lines, "  ", ""]))
    assert body == build_answer("updatedDeviceIds", *lines)
    members = {row["id"] for row in cloud.state()["devices"] if row["product"] == 31337}
    assert members == {*FREE[:4], QUARANTINED}


@pytest.mark.parametrize(
    ("device", "result_list"),
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
def test_device_is_in_the_list_of_its_import_result(demo: User, device: str, result_list: str) -> None:
    assert demo.post(DEVICES, {"id": device}).json() == build_answer(result_list, device)


@pytest.mark.parametrize("device", [WIFI, ELSEWHERE, FOREIGN, PROTECTED])
def test_refused_device_remains_unchanged(cloud: Cloud, demo: User, device: str) -> None:
    before = cloud.device(device)
    demo.call("POST", DEVICES, json={"id": device, "claim_user": "demo@example.com"})
    assert cloud.device(device) == before


def test_valid_devices_of_a_mixed_list_are_imported(demo: User) -> None:
    demo.bring_in(FREE[0])
    answer = demo.post(DEVICES, {"ids": [FREE[0], FREE[1], "nope", FOREIGN]})
    body = answer.json()
    assert (answer.status_code, body["updated"]) == (200, 1)
    assert [body[name] for name in LISTS] == [[FREE[1]], [FREE[0]], [FOREIGN], ["nope"], []]


def test_import_approves_a_quarantined_device(cloud: Cloud, demo: User) -> None:
    demo.post(DEVICES, {"id": QUARANTINED})
    assert cloud.device(QUARANTINED)["quarantined"] is False


def test_claim_user_of_a_file_import_is_taken_from_the_query(cloud: Cloud, demo: User) -> None:
    upload(demo, FREE[0], claim_user="demo@example.com")
    assert cloud.device(FREE[0])["owner"] == "demo@example.com"


def test_claim_user_claims_new_and_existing_devices(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post(DEVICES, {"ids": FREE[:2], "claim_user": "demo@example.com"})
    assert [cloud.device(device)["owner"] for device in FREE[:2]] == ["demo@example.com"] * 2


def test_claim_user_outside_the_team_prevents_the_import(cloud: Cloud, demo: User) -> None:
    answer = demo.post(DEVICES, {"id": FREE[0], "claim_user": "other@example.com"})
    assert answer.status_code == 400
    assert cloud.device(FREE[0])["product"] is None


@pytest.mark.parametrize("content", [{}, {"ids": []}, {"ids": "x"}, {"id": 5}])
def test_import_without_device_ids_is_refused(demo: User, content: dict[str, Any]) -> None:
    assert demo.post(DEVICES, content).status_code == 400


def test_large_file_is_read_completely(demo: User) -> None:
    lines = [f"{UNKNOWN[:-6]}{number:06x}" for number in range(50_000)]
    assert len(upload(demo, "\n".join(lines))["invalidDeviceIds"]) == 50_000
