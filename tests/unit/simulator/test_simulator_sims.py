# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""SIM cards of an account and of a product."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import FOREIGN, FREE, PRODUCT, Cloud, User

SIMS = "/v1/sims"
PRODUCT_SIMS = f"{PRODUCT}/sims"
NUMBERS = [f"8901410300000000010{number}" for number in range(6)]
UNKNOWN_SIM = "8901410399999999999"


def put(user: User, path: str, **fields: Any) -> int:
    answer = user.put(path, fields)
    if answer.status_code == 200:
        assert answer.content == b""
    return answer.status_code


def numbers(user: User, path: str = PRODUCT_SIMS, **query: str) -> list[str]:
    return [row["_id"] for row in user.get(path, **query)["sims"]]


def test_given_devices_in_a_product_then_their_cards_are_active_there(demo: User) -> None:
    demo.bring_in(FREE[0], FREE[1])
    body = demo.get(PRODUCT_SIMS, perPage="1")
    assert body["meta"]["total_pages"] >= 2
    assert {NUMBERS[0], NUMBERS[1]} <= set(numbers(demo))
    row = demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}")
    assert (row["_id"], row["status"], row["product_id"]) == (NUMBERS[0], "active", 31337)
    assert row["last_device_id"] == FREE[0]


def test_given_a_claimed_device_then_its_card_is_the_accounts_and_new(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    body = demo.get(SIMS)
    assert "meta" not in body
    assert [(row["_id"], row["status"]) for row in body["sims"]] == [(NUMBERS[0], "never_before_activated")]
    assert demo.get(f"{SIMS}/{NUMBERS[0]}")["owner"] == "demo@example.com"


@pytest.mark.parametrize(("name", "part"), [("iccid", "0103"), ("deviceId", FREE[3][-4:]), ("deviceName", "GATE")])
def test_given_a_filter_then_parts_match(demo: User, name: str, part: str) -> None:
    demo.bring_in(*FREE)
    demo.put(f"/v1/devices/{FREE[3]}", {"name": "north gate"})
    assert numbers(demo, **{name: part}) == [NUMBERS[3]]


def test_given_cards_of_others_then_they_are_refused_and_unknown_ones_not_found(demo: User, other: User) -> None:
    foreign = numbers(other, SIMS)[0]
    assert demo.get(PRODUCT_SIMS, iccid=foreign)["sims"] == []
    for path in ("", "/data_usage", "/status"):
        assert demo.call("GET", f"{SIMS}/{foreign}{path}").status_code == 403
        assert demo.call("GET", f"{SIMS}/{UNKNOWN_SIM}{path}").status_code == 404
    assert put(demo, f"{SIMS}/{foreign}", action="activate") == 403
    assert put(demo, f"{SIMS}/{UNKNOWN_SIM}", action="activate") == 404
    assert demo.call("HEAD", f"{SIMS}/{foreign}").status_code == 403
    assert demo.call("HEAD", f"{SIMS}/{UNKNOWN_SIM}").status_code == 404
    assert demo.cloud.device(FOREIGN)["iccid"] == foreign


def test_given_a_new_card_then_it_is_activated_once(demo: User) -> None:
    path = f"{SIMS}/{NUMBERS[0]}"
    assert demo.call("HEAD", path).status_code == 200
    assert put(demo, path, action="activate", country="de") == 200
    row = demo.get(path)
    assert (row["status"], row["activations_count"], row["base_country_code"]) == ("active", 1, "DE")
    assert row["first_activated_on"]
    assert demo.call("HEAD", path).status_code == 205
    assert put(demo, path, action="activate") == 400


@pytest.mark.parametrize("fields", [{}, {"action": "explode"}, {"mb_limit": 501}, {"mb_limit": "x"}])
def test_given_a_malformed_change_then_it_is_refused(demo: User, fields: dict[str, Any]) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert put(demo, f"{SIMS}/{NUMBERS[0]}", **fields) == 400
    assert put(demo, f"{SIMS}/{NUMBERS[0]}", action="activate", country="Germany") == 400


def test_given_an_active_card_then_it_is_deactivated_and_reactivated(demo: User) -> None:
    demo.bring_in(FREE[0])
    path = f"{PRODUCT_SIMS}/{NUMBERS[0]}"
    assert put(demo, path, action="deactivate") == 200
    row = demo.get(path)
    assert (row["status"], row["deactivations_count"]) == ("inactive_user_deactivated", 1)
    assert put(demo, path, action="reactivate", mb_limit=10) == 200
    row = demo.get(path)
    assert (row["status"], row["mb_limit"], row["last_status_change_action"]) == ("active", 10, "reactivate")
    assert put(demo, path, mb_limit="20") == 200
    assert demo.get(path)["mb_limit"] == 20


def test_given_a_card_when_it_is_released_then_nobody_has_it_and_anybody_may_activate_it(
    demo: User, other: User
) -> None:
    demo.bring_in(FREE[0])
    answer = demo.call("DELETE", f"{PRODUCT_SIMS}/{NUMBERS[0]}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert NUMBERS[0] not in numbers(demo)
    assert put(other, f"{SIMS}/{NUMBERS[0]}", action="activate") == 200
    assert numbers(other, SIMS).count(NUMBERS[0]) == 1


@pytest.mark.parametrize("as_file", [True, False])
def test_given_numbers_then_an_import_brings_cards_and_devices(cloud: Cloud, demo: User, as_file: bool) -> None:
    wanted = [NUMBERS[0], NUMBERS[1], UNKNOWN_SIM]
    if as_file:
        answer = demo.call("POST", PRODUCT_SIMS, files={"file": ("sims.txt", "\n".join(wanted))})
    else:
        answer = demo.post(PRODUCT_SIMS, {"sims": wanted})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert {NUMBERS[0], NUMBERS[1]} <= set(numbers(demo))
    assert cloud.device(FREE[0])["product"] == 31337
    assert demo.post(PRODUCT_SIMS, {}).status_code == 400


def test_given_cards_then_their_usage_adds_up(demo: User) -> None:
    demo.bring_in(FREE[0])
    put(demo, f"{PRODUCT_SIMS}/{NUMBERS[0]}", action="deactivate")
    assert demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}/data_usage") == {"iccid": NUMBERS[0], "usage_by_day": []}
    put(demo, f"{PRODUCT_SIMS}/{NUMBERS[0]}", action="reactivate")
    days = demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}/data_usage")["usage_by_day"]
    assert set(days[0]) == {"date", "mbs_used", "mbs_used_cumulative"}
    assert days[-1]["mbs_used_cumulative"] == pytest.approx(sum(day["mbs_used"] for day in days))
    fleet = demo.get(f"{PRODUCT_SIMS}/data_usage")
    assert fleet["total_active_sim_cards"] == len(numbers(demo))
    assert fleet["total_mbs_used"] >= days[-1]["mbs_used_cumulative"]
