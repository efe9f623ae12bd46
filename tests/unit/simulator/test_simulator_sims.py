# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the SIM cards of accounts and products."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import FOREIGN, FREE, PRODUCT, Cloud, User

SIMS = "/v1/sims"
PRODUCT_SIMS = f"{PRODUCT}/sims"
NUMBERS = [f"8901410300000000010{number}" for number in range(6)]
UNKNOWN_SIM = "8901410399999999999"


def change_sim(user: User, path: str, **fields: Any) -> int:
    answer = user.put(path, fields)
    if answer.status_code == 200:
        assert answer.content == b""
    return answer.status_code


def list_numbers(user: User, path: str = PRODUCT_SIMS, **query: str) -> list[str]:
    return [row["_id"] for row in user.get(path, **query)["sims"]]


def test_sims_of_product_devices_are_active(demo: User) -> None:
    demo.bring_in(FREE[0], FREE[1])
    body = demo.get(PRODUCT_SIMS, perPage="1")
    assert body["meta"]["total_pages"] >= 2
    assert {NUMBERS[0], NUMBERS[1]} <= set(list_numbers(demo))
    row = demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}")
    assert (row["_id"], row["status"], row["product_id"]) == (NUMBERS[0], "active", 31337)
    assert row["last_device_id"] == FREE[0]


def test_sim_of_a_claimed_device_is_new_and_in_the_account(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    body = demo.get(SIMS)
    assert "meta" not in body
    assert [(row["_id"], row["status"]) for row in body["sims"]] == [(NUMBERS[0], "never_before_activated")]
    assert demo.get(f"{SIMS}/{NUMBERS[0]}")["owner"] == "demo@example.com"


@pytest.mark.parametrize(("name", "part"), [("iccid", "0103"), ("deviceId", FREE[3][-4:]), ("deviceName", "GATE")])
def test_filters_match_parts_of_values(demo: User, name: str, part: str) -> None:
    demo.bring_in(*FREE)
    demo.put(f"/v1/devices/{FREE[3]}", {"name": "north gate"})
    assert list_numbers(demo, **{name: part}) == [NUMBERS[3]]


def test_sims_of_other_users_are_forbidden_and_unknown_sims_not_found(demo: User, other: User) -> None:
    foreign = list_numbers(other, SIMS)[0]
    assert demo.get(PRODUCT_SIMS, iccid=foreign)["sims"] == []
    for path in ("", "/data_usage", "/status"):
        assert demo.call("GET", f"{SIMS}/{foreign}{path}").status_code == 403
        assert demo.call("GET", f"{SIMS}/{UNKNOWN_SIM}{path}").status_code == 404
    assert change_sim(demo, f"{SIMS}/{foreign}", action="activate") == 403
    assert change_sim(demo, f"{SIMS}/{UNKNOWN_SIM}", action="activate") == 404
    assert demo.call("HEAD", f"{SIMS}/{foreign}").status_code == 403
    assert demo.call("HEAD", f"{SIMS}/{UNKNOWN_SIM}").status_code == 404
    assert demo.cloud.device(FOREIGN)["iccid"] == foreign


def test_new_sim_is_activated_only_once(demo: User) -> None:
    path = f"{SIMS}/{NUMBERS[0]}"
    assert demo.call("HEAD", path).status_code == 200
    assert change_sim(demo, path, action="activate", country="de") == 200
    row = demo.get(path)
    assert (row["status"], row["activations_count"], row["base_country_code"]) == ("active", 1, "DE")
    assert row["first_activated_on"]
    assert demo.call("HEAD", path).status_code == 205
    assert change_sim(demo, path, action="activate") == 400


@pytest.mark.parametrize("fields", [{}, {"action": "explode"}, {"mb_limit": 501}, {"mb_limit": "x"}])
def test_malformed_change_of_a_sim_is_refused(demo: User, fields: dict[str, Any]) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert change_sim(demo, f"{SIMS}/{NUMBERS[0]}", **fields) == 400
    assert change_sim(demo, f"{SIMS}/{NUMBERS[0]}", action="activate", country="Germany") == 400


def test_active_sim_is_deactivated_and_reactivated(demo: User) -> None:
    demo.bring_in(FREE[0])
    path = f"{PRODUCT_SIMS}/{NUMBERS[0]}"
    assert change_sim(demo, path, action="deactivate") == 200
    row = demo.get(path)
    assert (row["status"], row["deactivations_count"]) == ("inactive_user_deactivated", 1)
    assert change_sim(demo, path, action="reactivate", mb_limit=10) == 200
    row = demo.get(path)
    assert (row["status"], row["mb_limit"], row["last_status_change_action"]) == ("active", 10, "reactivate")
    assert change_sim(demo, path, mb_limit="20") == 200
    assert demo.get(path)["mb_limit"] == 20


def test_released_sim_can_be_activated_by_another_user(demo: User, other: User) -> None:
    demo.bring_in(FREE[0])
    answer = demo.call("DELETE", f"{PRODUCT_SIMS}/{NUMBERS[0]}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert NUMBERS[0] not in list_numbers(demo)
    assert change_sim(other, f"{SIMS}/{NUMBERS[0]}", action="activate") == 200
    assert list_numbers(other, SIMS).count(NUMBERS[0]) == 1


@pytest.mark.parametrize("as_file", [True, False])
def test_import_of_sims_adds_sims_and_devices_to_the_product(cloud: Cloud, demo: User, as_file: bool) -> None:
    iccids = [NUMBERS[0], NUMBERS[1], UNKNOWN_SIM]
    if as_file:
        answer = demo.call("POST", PRODUCT_SIMS, files={"file": ("sims.txt", "\n".join(iccids))})
    else:
        answer = demo.post(PRODUCT_SIMS, {"sims": iccids, "country": "de"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert NUMBERS[0] not in list_numbers(demo)
    cloud.advance(5)
    assert {NUMBERS[0], NUMBERS[1]} <= set(list_numbers(demo))
    assert demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}")["base_country_code"] == ("US" if as_file else "DE")
    assert cloud.device(FREE[0])["product"] == 31337
    assert demo.post(PRODUCT_SIMS, {}).status_code == 400


def test_data_usage_is_summed_up_by_sim_and_product(demo: User) -> None:
    demo.bring_in(FREE[0])
    change_sim(demo, f"{PRODUCT_SIMS}/{NUMBERS[0]}", action="deactivate")
    assert demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}/data_usage") == {"iccid": NUMBERS[0], "usage_by_day": []}
    change_sim(demo, f"{PRODUCT_SIMS}/{NUMBERS[0]}", action="reactivate")
    days = demo.get(f"{PRODUCT_SIMS}/{NUMBERS[0]}/data_usage")["usage_by_day"]
    assert set(days[0]) == {"date", "mbs_used", "mbs_used_cumulative"}
    assert days[-1]["mbs_used_cumulative"] == pytest.approx(sum(day["mbs_used"] for day in days))
    fleet = demo.get(f"{PRODUCT_SIMS}/data_usage")
    assert fleet["total_active_sim_cards"] == len(list_numbers(demo))
    assert fleet["total_mbs_used"] >= days[-1]["mbs_used_cumulative"]
