# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The account itself: made, changed, searched, secured and deleted."""

from __future__ import annotations

import pytest
import requests
from simulator_client import CODED, DEMO, DEVICES, FREE, Cloud, User, ask_with_code, one_time_code, refusal

NEW = ("new@example.com", "new-password")


def create(cloud: Cloud, username: str, password: str) -> requests.Response:
    return cloud.call("POST", "/v1/users", json={"username": username, "password": password})


def test_given_a_new_name_then_an_account_is_made_without_any_login(cloud: Cloud) -> None:
    assert create(cloud, *NEW).json() == {"ok": True}
    assert cloud.user(NEW).get("/v1/user")["username"] == NEW[0]


@pytest.mark.parametrize(("username", "password"), [DEMO, ("nobody", "x"), (NEW[0], "")])
def test_given_a_taken_name_or_a_missing_field_then_no_account_is_made(
    cloud: Cloud, username: str, password: str
) -> None:
    answer = create(cloud, username, password)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)


def test_given_a_token_then_its_user_is_identified(demo: User) -> None:
    body = demo.get("/v1/user/identify", tracking=1)
    assert (len(body["id"]), body["email"]) == (24, DEMO[0])


def test_given_the_current_password_then_it_can_be_changed_and_tokens_survive(cloud: Cloud, demo: User) -> None:
    assert demo.put("/v1/user", {"password": "better", "current_password": DEMO[1]}).json()["ok"] is True
    assert cloud.ask_token().status_code == 400
    assert cloud.ask_token((DEMO[0], "better")).status_code == 200
    assert demo.call("GET", "/v1/user").status_code == 200


def test_given_tokens_are_to_be_invalidated_then_they_die_with_the_old_password(demo: User) -> None:
    demo.put("/v1/user", {"password": "better", "current_password": DEMO[1], "invalidate_tokens": True})
    assert demo.call("GET", "/v1/user").status_code == 401


def test_given_no_current_password_then_neither_name_nor_password_change(cloud: Cloud, demo: User) -> None:
    for change in ({"password": "better"}, {"username": NEW[0]}, {"username": NEW[0], "current_password": "wrong"}):
        assert demo.put("/v1/user", change).status_code == 400
    assert cloud.ask_token().status_code == 200


def test_given_another_name_then_the_account_is_known_by_it(cloud: Cloud, demo: User) -> None:
    demo.put("/v1/user", {"username": NEW[0], "current_password": DEMO[1]})
    assert cloud.ask_token((NEW[0], DEMO[1])).status_code == 200
    assert cloud.ask_token().status_code == 400


def test_given_account_info_then_it_is_kept(demo: User) -> None:
    demo.put("/v1/user", {"account_info": {"first_name": "Ada"}})
    assert demo.get("/v1/user")["account_info"]["first_name"] == "Ada"


def test_given_the_password_then_the_account_is_deleted_and_its_devices_are_free(cloud: Cloud, demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", "/v1/user", json={"password": "wrong"}).status_code == 400
    assert demo.call("DELETE", "/v1/user", json={"password": DEMO[1]}).json()["ok"] is True
    assert demo.call("GET", "/v1/user").status_code == 401
    assert cloud.ask_token().status_code == 400
    assert cloud.device(FREE[0])["owner"] is None


@pytest.mark.parametrize("username", [DEMO[0], "nobody@example.com"])
def test_given_any_name_then_a_password_reset_is_answered_alike(cloud: Cloud, username: str) -> None:
    answer = cloud.call("POST", "/v1/user/password-reset", json={"username": username})
    assert (answer.status_code, answer.json()["ok"]) == (200, True)


def test_given_a_code_of_the_new_secret_then_logins_ask_for_codes(cloud: Cloud, demo: User) -> None:
    begun = demo.get("/v1/user/mfa-enable")
    assert begun["secret"] in begun["qr_url"]
    assert cloud.ask_token().status_code == 200
    proof = {"mfa_token": begun["mfa_token"], "otp": one_time_code(cloud, begun["secret"])}
    assert demo.post("/v1/user/mfa-enable", proof | {"otp": "nonsense"}).status_code == 400
    assert demo.post("/v1/user/mfa-enable", proof).json() == {"enrolled": True}
    assert demo.get("/v1/user")["mfa"] == {"enabled": True}
    assert refusal(cloud.ask_token())[1] == "mfa_required"


def test_given_the_password_then_codes_are_switched_off(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    user = User(cloud, ask_with_code(cloud, mfa_token, one_time_code(cloud)).json()["access_token"])
    assert user.put("/v1/user/mfa-disable", {"current_password": "wrong"}).status_code == 400
    assert user.put("/v1/user/mfa-disable", {"current_password": CODED[1]}).json() == {"ok": True}
    assert cloud.ask_token(CODED).status_code == 200


def test_given_a_text_then_devices_products_and_sims_are_found(demo: User) -> None:
    demo.bring_in(*FREE[:2])
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "Field gate"})
    body = demo.get("/v1/user/search", text="field")
    assert [row["type"] for row in body["results"]] == ["device", "product"]
    assert body["results"][0]["device"]["product_name"] == "Field Logger"
    sims = demo.get("/v1/user/search", text="8901410300000000010", type="sim")
    assert [row["sim"]["id"][-1] for row in sims["results"]] == ["0", "1"]
    assert (body["ok"], body["hasMore"]) == (True, False)


@pytest.mark.parametrize("query", [{}, {"text": "x", "type": "unicorn"}])
def test_given_nothing_to_search_for_then_it_is_a_bad_request(demo: User, query: dict[str, str]) -> None:
    assert demo.call("GET", "/v1/user/search", params=query).status_code == 400


def test_given_an_account_then_it_has_an_agreement_that_counts_its_devices(demo: User) -> None:
    demo.bring_in(*FREE)
    (agreement,) = demo.get("/v1/user/service_agreements")["data"]
    usage = agreement["attributes"]["current_usage_summary"]
    assert usage["connectivity"]["all"]["owned_devices"] == len(FREE) + 1
    assert usage["device_limit_reached"] is False
    assert demo.get(f"/v1/user/service_agreements/{agreement['id']}/notifications") == {"data": []}


def test_given_a_usage_report_when_it_is_asked_for_then_it_is_pending_and_later_there(demo: User) -> None:
    (agreement,) = demo.get("/v1/user/service_agreements")["data"]
    path = f"/v1/user/service_agreements/{agreement['id']}/usage_reports"
    wanted = {"report_type": "devices", "date_period_start": "2026-01-01", "date_period_end": "2026-01-31"}
    answer = demo.post(path, wanted)
    report = answer.json()["data"]
    assert (answer.status_code, report["attributes"]["state"]) == (202, "pending")
    later = demo.get(f"/v1/user/usage_reports/{report['id']}")["data"]["attributes"]
    assert later["download_url"].startswith("https://")
    assert demo.post(path, wanted | {"report_type": "poems"}).status_code == 400
    assert demo.post(path.replace(agreement["id"], "0"), wanted).status_code == 404
