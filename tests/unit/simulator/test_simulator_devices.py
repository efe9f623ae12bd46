# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The account's own devices."""

from __future__ import annotations

import requests
from simulator_client import FOREIGN, FREE, OFFLINE, OLD, UNKNOWN, WIFI, Cloud, User


def is_permission_denied(answer: requests.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"] == "Permission Denied"


def claim(user: User, device: str) -> requests.Response:
    return user.post("/v1/devices", {"id": device})


def test_given_no_claimed_device_then_the_list_is_empty(demo: User) -> None:
    assert demo.get("/v1/devices") == []


def test_given_claimed_devices_then_the_list_has_the_newest_handshake_first(demo: User) -> None:
    for device in FREE:
        claim(demo, device)
    moments = [row["last_handshake_at"] for row in demo.get("/v1/devices")]
    assert len(moments) == len(FREE)
    assert moments == sorted(moments, reverse=True)


def test_given_a_product_device_that_is_not_claimed_then_the_account_list_has_it_not(demo: User) -> None:
    demo.bring_in(FREE[0])
    assert demo.get("/v1/devices") == []


def test_given_a_claimed_device_then_it_is_read_by_its_id_in_any_case(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.get(f"/v1/devices/{FREE[0].upper()}")["id"] == FREE[0]


def test_given_a_name_then_the_device_is_read_by_it(demo: User) -> None:
    claim(demo, FREE[0])
    demo.put(f"/v1/devices/{FREE[0]}", {"name": "north gate 1"})
    assert demo.get("/v1/devices/north%20gate%201")["id"] == FREE[0]


def test_given_a_device_outside_products_then_its_product_is_its_platform(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.get(f"/v1/devices/{FREE[0]}")
    assert (body["product_id"], body["platform_id"], body["cellular"]) == (13, 13, True)
    assert (body["online"], body["connected"], body["name"]) == (True, True, None)


def test_given_a_wifi_device_then_it_has_a_mac_address_and_no_sim(demo: User) -> None:
    claim(demo, WIFI)
    body = demo.get(f"/v1/devices/{WIFI}")
    assert body["mac_wifi"].count(":") == 5
    assert not body.keys() & {"iccid", "imei"}


def test_given_a_very_old_device_then_it_has_no_serial_number(demo: User) -> None:
    claim(demo, OLD)
    assert "serial_number" not in demo.get(f"/v1/devices/{OLD}")


def test_given_an_unclaimed_product_device_then_the_account_route_reads_it_too(demo: User) -> None:
    demo.bring_in(FREE[0])
    assert "owner" not in demo.get(f"/v1/devices/{FREE[0]}")


def test_given_an_unknown_device_then_permission_is_denied(demo: User) -> None:
    assert is_permission_denied(demo.call("GET", f"/v1/devices/{UNKNOWN}"))


def test_given_the_device_of_somebody_else_then_it_is_answered_like_an_unknown_one(
    demo: User,
) -> None:
    foreign, unknown = (demo.call("GET", f"/v1/devices/{device}") for device in (FOREIGN, UNKNOWN))
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())


def test_given_a_device_when_it_is_renamed_then_the_answer_has_id_name_and_time(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).json()
    assert set(body) == {"id", "name", "updated_at"}
    assert demo.get(f"/v1/devices/{FREE[0]}")["name"] == "one"


def test_given_a_form_body_then_a_rename_works_the_same(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.call("PUT", f"/v1/devices/{FREE[0]}", data={"name": "one"}).json()["name"] == "one"


def test_given_notes_when_they_are_written_then_they_are_read_back(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.put(f"/v1/devices/{FREE[0]}", {"notes": "north wall"}).json()["notes"] == "north wall"
    assert demo.get(f"/v1/devices/{FREE[0]}")["notes"] == "north wall"


def test_given_two_concerns_in_one_call_then_the_account_route_heeds_the_first(demo: User) -> None:
    claim(demo, FREE[0])
    demo.put(f"/v1/devices/{FREE[0]}", {"name": "one", "notes": "lost"})
    body = demo.get(f"/v1/devices/{FREE[0]}")
    assert (body["name"], body["notes"]) == ("one", None)


def test_given_a_product_field_then_the_account_route_refuses_it(demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.put(f"/v1/devices/{FREE[0]}", {"groups": ["north"]}).status_code == 400


def test_given_an_online_device_then_it_signals(demo: User) -> None:
    claim(demo, FREE[0])
    body = demo.put(f"/v1/devices/{FREE[0]}", {"signal": "1"}).json()
    assert body == {"id": FREE[0], "connected": True, "signaling": True}


def test_given_an_offline_device_then_a_signal_times_out(demo: User) -> None:
    demo.bring_in(OFFLINE)
    answer = demo.put(f"/v1/devices/{OFFLINE}", {"signal": "1"})
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert answer.json()["errors"][0]["error"].startswith("Timed out")


def test_given_an_offline_device_then_a_ping_is_a_normal_answer(demo: User) -> None:
    demo.bring_in(OFFLINE)
    answer = demo.call("PUT", f"/v1/devices/{OFFLINE}/ping")
    assert (answer.status_code, answer.json()) == (200, {"online": False, "ok": True})


def test_given_a_free_online_device_when_it_is_claimed_then_it_is_owned(cloud: Cloud, demo: User) -> None:
    answer = claim(demo, FREE[0].upper())
    assert (answer.status_code, answer.json()["ok"], answer.json()["id"]) == (200, True, FREE[0])
    assert cloud.device(FREE[0])["owner"] == "demo@example.com"


def test_given_an_owned_device_when_it_is_claimed_again_then_it_is_fine(demo: User) -> None:
    claim(demo, FREE[0])
    assert claim(demo, FREE[0]).json()["ok"] is True


def test_given_an_unknown_device_when_it_is_claimed_then_it_does_not_exist(demo: User) -> None:
    answer = claim(demo, UNKNOWN)
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "errors": ["device does not exist"]})


def test_given_an_offline_device_when_it_is_claimed_then_it_is_not_online(demo: User) -> None:
    answer = claim(demo, OFFLINE)
    expected = {"ok": False, "errors": [["Core isn't online", 404]]}
    assert (answer.status_code, answer.json()) == (404, expected)


def test_given_the_device_of_somebody_else_when_it_is_claimed_then_it_belongs_to_them(demo: User) -> None:
    answer = claim(demo, FOREIGN)
    assert (answer.status_code, answer.json()) == (403, {"errors": ["That belongs to someone else."]})


def test_given_the_device_of_somebody_else_when_a_transfer_is_asked_then_nothing_changes_yet(
    cloud: Cloud, demo: User
) -> None:
    answer = demo.post("/v1/devices", {"id": FOREIGN, "request_transfer": True})
    assert "transfer_id" in answer.json()
    assert cloud.device(FOREIGN)["owner"] == "other@example.com"


def test_given_a_claimed_device_when_it_is_unclaimed_then_it_is_free(cloud: Cloud, demo: User) -> None:
    claim(demo, FREE[0])
    assert demo.call("DELETE", f"/v1/devices/{FREE[0]}").json() == {"ok": True}
    assert cloud.device(FREE[0])["owner"] is None
    assert demo.get("/v1/devices") == []


def test_given_the_device_of_somebody_else_when_it_is_unclaimed_then_permission_is_denied(demo: User) -> None:
    assert is_permission_denied(demo.call("DELETE", f"/v1/devices/{FOREIGN}"))


def test_given_a_serial_number_then_the_device_of_anybody_is_found(demo: User) -> None:
    body = demo.get("/v1/serial_numbers/B40HAB000000100")
    assert (body["ok"], body["deviceID"]) == (True, FREE[0])


def test_given_an_unknown_serial_number_then_it_is_not_found(demo: User) -> None:
    assert demo.call("GET", "/v1/serial_numbers/NOPE").status_code == 404
