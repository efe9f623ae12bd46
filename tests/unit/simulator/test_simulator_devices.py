# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the devices of an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from simulator_client import FOREIGN, FREE, OFFLINE, OLD, UNKNOWN, WIFI, Cloud, User


def is_permission_denied(answer: requests.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"] == "Permission Denied"


def claim(user: User, device: str) -> requests.Response:
    return user.post("/v1/devices", {"id": device})


def find_row(user: User, device: str) -> dict[str, Any]:
    """Find the row of a device in the device list of the product."""
    rows = user.get("/v1/products/field-logger/devices")["devices"]
    return next(row for row in rows if row["id"] == device)


def test_device_list_of_an_account_without_devices_is_empty(demo: User) -> None:
    assert demo.get("/v1/devices") == []


def test_device_list_has_the_newest_handshake_first(demo: User) -> None:
    for device in FREE:
        claim(demo, device)
    handshakes = [row["last_handshake_at"] for row in demo.get("/v1/devices")]
    assert len(handshakes) == len(FREE)
    assert handshakes == sorted(handshakes, reverse=True)


def test_unclaimed_product_device_is_missing_from_the_account_list(demo: User) -> None:
    demo.bring_in(FREE[0])
    assert demo.get("/v1/devices") == []


def test_device_id_is_matched_without_regard_to_case(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.get(f"/v1/devices/{FREE[0].upper()}")["id"] == FREE[0]


def test_device_is_read_by_its_name(demo: User) -> None:
    claim(demo, FREE[0])
    demo.put(f"/v1/devices/{FREE[0]}", {"name": "north gate 1"})
    assert demo.get("/v1/devices/north%20gate%201")["id"] == FREE[0]


def test_product_of_a_device_outside_products_is_its_platform(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.get(f"/v1/devices/{FREE[0]}")
    assert (body["product_id"], body["platform_id"], body["cellular"]) == (13, 13, True)
    assert (body["online"], body["connected"], body["name"]) == (True, True, None)


def test_wifi_device_has_a_mac_address_and_no_sim(demo: User) -> None:
    claim(demo, WIFI)
    body = demo.get(f"/v1/devices/{WIFI}")
    assert body["mac_wifi"].count(":") == 5
    assert not body.keys() & {"iccid", "imei"}


def test_device_of_platform_0_has_no_serial_number(demo: User) -> None:
    claim(demo, OLD)
    assert "serial_number" not in demo.get(f"/v1/devices/{OLD}")


def test_unclaimed_product_device_is_readable_by_the_account_route(demo: User) -> None:
    demo.bring_in(FREE[0])
    assert "owner" not in demo.get(f"/v1/devices/{FREE[0]}")


def test_unknown_device_is_refused_with_permission_denied(demo: User) -> None:
    assert is_permission_denied(demo.call("GET", f"/v1/devices/{UNKNOWN}"))


def test_device_of_another_user_is_answered_like_an_unknown_device(
    demo: User,
) -> None:
    foreign, unknown = (demo.call("GET", f"/v1/devices/{device}") for device in (FOREIGN, UNKNOWN))
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())


def test_answer_to_a_rename_has_id_name_and_time(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).json()
    assert set(body) == {"id", "name", "updated_at"}
    assert demo.get(f"/v1/devices/{FREE[0]}")["name"] == "one"


def test_rename_accepts_a_form_body(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.call("PUT", f"/v1/devices/{FREE[0]}", data={"name": "one"}).json()["name"] == "one"


def test_written_notes_are_read_back(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.put(f"/v1/devices/{FREE[0]}", {"notes": "north wall"}).json()["notes"] == "north wall"
    assert demo.get(f"/v1/devices/{FREE[0]}")["notes"] == "north wall"


def test_account_route_writes_the_name_and_ignores_notes_beside_it(demo: User) -> None:
    claim(demo, FREE[0])
    demo.put(f"/v1/devices/{FREE[0]}", {"name": "one", "notes": "lost"})
    body = demo.get(f"/v1/devices/{FREE[0]}")
    assert (body["name"], body["notes"]) == ("one", None)


def test_account_route_refuses_a_product_field(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.put(f"/v1/devices/{FREE[0]}", {"groups": ["north"]}).status_code == 400


def test_signal_of_an_online_device_succeeds(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.put(f"/v1/devices/{FREE[0]}", {"signal": "1"}).json()
    assert body == {"id": FREE[0], "connected": True, "signaling": True}


def test_signal_of_an_offline_device_times_out(demo: User) -> None:
    demo.bring_in(OFFLINE)
    answer = demo.put(f"/v1/devices/{OFFLINE}", {"signal": "1"})
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert answer.json()["errors"][0]["error"].startswith("Timed out")


def test_ping_of_an_offline_device_is_answered_with_200(demo: User) -> None:
    demo.bring_in(OFFLINE)
    answer = demo.call("PUT", f"/v1/devices/{OFFLINE}/ping")
    assert (answer.status_code, answer.json()) == (200, {"online": False, "ok": True})


def test_claim_of_an_unowned_online_device_succeeds(cloud: Cloud, demo: User) -> None:
    answer = claim(demo, FREE[0].upper())
    assert (answer.status_code, answer.json()["ok"], answer.json()["id"]) == (200, True, FREE[0])
    assert cloud.device(FREE[0])["owner"] == "demo@example.com"


def test_repeated_claim_by_the_owner_succeeds(demo: User) -> None:
    claim(demo, FREE[0])
    assert claim(demo, FREE[0]).json()["ok"] is True


def test_claim_of_an_unknown_device_is_not_found(demo: User) -> None:
    answer = claim(demo, UNKNOWN)
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "errors": ["device does not exist"]})


def test_claim_of_an_offline_device_is_refused(demo: User) -> None:
    answer = claim(demo, OFFLINE)
    expected = {"ok": False, "errors": [["Core isn't online", 404]]}
    assert (answer.status_code, answer.json()) == (404, expected)


def test_claim_of_a_device_of_another_user_is_forbidden(demo: User) -> None:
    answer = claim(demo, FOREIGN)
    assert (answer.status_code, answer.json()) == (403, {"errors": ["That belongs to someone else."]})


def test_transfer_request_does_not_change_the_owner(cloud: Cloud, demo: User) -> None:
    answer = demo.post("/v1/devices", {"id": FOREIGN, "request_transfer": True})
    assert "transfer_id" in answer.json()
    assert cloud.device(FOREIGN)["owner"] == "other@example.com"


def test_unclaimed_device_has_no_owner(cloud: Cloud, demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.call("DELETE", f"/v1/devices/{FREE[0]}").json() == {"ok": True}
    assert cloud.device(FREE[0])["owner"] is None
    assert demo.get("/v1/devices") == []


def test_unclaim_of_a_device_of_another_user_is_forbidden(demo: User) -> None:
    assert is_permission_denied(demo.call("DELETE", f"/v1/devices/{FOREIGN}"))


def test_serial_number_finds_an_unclaimed_device(demo: User) -> None:
    body = demo.get("/v1/serial_numbers/B40HAB000000100")
    assert (body["ok"], body["deviceID"]) == (True, FREE[0])


def test_unknown_serial_number_is_not_found(demo: User) -> None:
    assert demo.call("GET", "/v1/serial_numbers/NOPE").status_code == 404


@pytest.mark.parametrize(("flags", "shown"), [((), True), (("--omit-nulls",), False)])
def test_rows_lack_keys_without_a_value_with_the_omit_nulls_flag(
    cloud_with: Callable[..., Cloud], flags: tuple[str, ...], shown: bool
) -> None:
    user = cloud_with(*flags).user()
    user.bring_in(FREE[0])
    row = find_row(user, FREE[0])
    assert ("name" in row, "notes" in row, "desired_firmware_version" in row) == (True, shown, shown)
    user.put(f"/v1/products/field-logger/devices/{FREE[0]}", {"notes": "north"})
    assert find_row(user, FREE[0])["notes"] == "north"
