# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test an account: its creation, changes, search, multi-factor authentication and deletion."""

from __future__ import annotations

import pytest
import requests
from simulator_client import CODED, DEMO, DEVICES, FREE, Cloud, User, ask_with_code, one_time_code, refusal

NEW = ("new@example.com", "new-password")


def create_account(cloud: Cloud, username: str, password: str) -> requests.Response:
    return cloud.call("POST", "/v1/users", json={"username": username, "password": password})


def test_account_is_created_without_a_login(cloud: Cloud) -> None:
    assert create_account(cloud, *NEW).json() == {"ok": True}
    assert cloud.user(NEW).get("/v1/user")["username"] == NEW[0]


@pytest.mark.parametrize(("username", "password"), [DEMO, ("nobody", "x"), (NEW[0], "")])
def test_duplicate_or_incomplete_account_is_not_created(cloud: Cloud, username: str, password: str) -> None:
    answer = create_account(cloud, username, password)
    assert (answer.status_code, answer.json()["ok"]) == (400, False)


def test_identify_route_returns_the_user_of_the_token(demo: User) -> None:
    body = demo.get("/v1/user/identify", tracking=1)
    assert (len(body["id"]), body["email"]) == (24, DEMO[0])


def test_password_change_keeps_tokens_valid(cloud: Cloud, demo: User) -> None:
    assert demo.put("/v1/user", {"password": "better", "current_password": DEMO[1]}).json()["ok"] is True
    assert cloud.ask_token().status_code == 400
    assert cloud.ask_token((DEMO[0], "better")).status_code == 200
    assert demo.call("GET", "/v1/user").status_code == 200


def test_password_change_can_invalidate_tokens(demo: User) -> None:
    demo.put("/v1/user", {"password": "better", "current_password": DEMO[1], "invalidate_tokens": True})
    assert demo.call("GET", "/v1/user").status_code == 401


def test_change_of_name_or_password_requires_the_current_password(cloud: Cloud, demo: User) -> None:
    for change in ({"password": "better"}, {"username": NEW[0]}, {"username": NEW[0], "current_password": "wrong"}):
        assert demo.put("/v1/user", change).status_code == 400
    assert cloud.ask_token().status_code == 200


def test_renamed_account_logs_in_with_its_new_name(cloud: Cloud, demo: User) -> None:
    demo.put("/v1/user", {"username": NEW[0], "current_password": DEMO[1]})
    assert cloud.ask_token((NEW[0], DEMO[1])).status_code == 200
    assert cloud.ask_token().status_code == 400


def test_account_info_is_stored(demo: User) -> None:
    demo.put("/v1/user", {"account_info": {"first_name": "Ada"}})
    assert demo.get("/v1/user")["account_info"]["first_name"] == "Ada"


@pytest.mark.parametrize("form", [{"username": CODED[0]}, {"username": 7}, {"password": ""}, {"account_info": []}])
def test_used_or_malformed_value_is_not_stored(cloud: Cloud, demo: User, form: dict[str, object]) -> None:
    assert demo.put("/v1/user", form | {"current_password": DEMO[1]}).status_code == 400
    assert demo.get("/v1/user")["username"] == DEMO[0]
    assert cloud.ask_token().status_code == 200


def test_deletion_of_an_account_needs_its_password_and_releases_devices(cloud: Cloud, demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", "/v1/user", json={"password": "wrong"}).status_code == 400
    assert demo.call("DELETE", "/v1/user", json={"password": DEMO[1]}).json()["ok"] is True
    assert demo.call("GET", "/v1/user").status_code == 401
    assert cloud.ask_token().status_code == 400
    assert cloud.device(FREE[0])["owner"] is None


@pytest.mark.parametrize("username", [DEMO[0], "nobody@example.com"])
def test_password_reset_answers_known_and_unknown_names_alike(cloud: Cloud, username: str) -> None:
    answer = cloud.call("POST", "/v1/user/password-reset", json={"username": username})
    assert (answer.status_code, answer.json()["ok"]) == (200, True)


def test_code_of_the_new_secret_enables_mfa(cloud: Cloud, demo: User) -> None:
    enrolment = demo.get("/v1/user/mfa-enable")
    assert enrolment["secret"] in enrolment["qr_url"]
    assert cloud.ask_token().status_code == 200
    proof = {"mfa_token": enrolment["mfa_token"], "otp": one_time_code(cloud, enrolment["secret"])}
    assert demo.post("/v1/user/mfa-enable", proof | {"otp": "nonsense"}).status_code == 400
    assert demo.post("/v1/user/mfa-enable", proof).json() == {"enrolled": True}
    assert demo.get("/v1/user")["mfa"] == {"enabled": True}
    assert refusal(cloud.ask_token())[1] == "mfa_required"


def test_password_disables_mfa(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    user = User(cloud, ask_with_code(cloud, mfa_token, one_time_code(cloud)).json()["access_token"])
    assert user.put("/v1/user/mfa-disable", {"current_password": "wrong"}).status_code == 400
    assert user.put("/v1/user/mfa-disable", {"current_password": CODED[1]}).json() == {"ok": True}
    assert cloud.ask_token(CODED).status_code == 200


def test_search_finds_devices_products_and_sims(demo: User) -> None:
    demo.bring_in(*FREE[:2])
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "Field gate"})
    body = demo.get("/v1/user/search", text="field")
    assert [row["type"] for row in body["results"]] == ["device", "product"]
    assert body["results"][0]["device"]["product_name"] == "Field Logger"
    assert body["results"][1]["product"] == {
        "id": 31337,
        "name": "Field Logger",
        "product_id": 31337,
        "product_name": "Field Logger",
    }
    sims = demo.get("/v1/user/search", text="8901410300000000010", type="sim")
    assert [row["sim"]["id"][-1] for row in sims["results"]] == ["0", "1"]
    assert (body["ok"], body["hasMore"]) == (True, False)


@pytest.mark.parametrize("query", [{}, {"text": "x", "type": "unicorn"}])
def test_search_without_a_text_or_of_an_unknown_type_is_refused(demo: User, query: dict[str, str]) -> None:
    assert demo.call("GET", "/v1/user/search", params=query).status_code == 400


def test_service_agreement_counts_the_devices_of_an_account(demo: User) -> None:
    demo.bring_in(*FREE)
    (agreement,) = demo.get("/v1/user/service_agreements")["data"]
    usage = agreement["attributes"]["current_usage_summary"]
    assert usage["connectivity"]["all"]["owned_devices"] == len(FREE) + 1
    assert usage["device_limit_reached"] is False
    assert demo.get(f"/v1/user/service_agreements/{agreement['id']}/notifications") == {"data": []}


def test_usage_report_is_pending_first_and_available_later(demo: User) -> None:
    (agreement,) = demo.get("/v1/user/service_agreements")["data"]
    path = f"/v1/user/service_agreements/{agreement['id']}/usage_reports"
    request = {"report_type": "devices", "date_period_start": "2026-01-01", "date_period_end": "2026-01-31"}
    answer = demo.post(path, request)
    report = answer.json()["data"]
    assert (answer.status_code, report["attributes"]["state"]) == (202, "pending")
    assert report["attributes"]["expires_at"].endswith("+00:00")
    later = demo.get(f"/v1/user/usage_reports/{report['id']}")["data"]["attributes"]
    assert later["download_url"].startswith("https://")
    for wrong in ({"report_type": "poems"}, {"date_period_end": "soon"}, {"devices": "all"}):
        assert demo.post(path, request | wrong).status_code == 400
    assert demo.post(path.replace(agreement["id"], "0"), request).status_code == 404


def test_usage_report_is_found_only_by_its_owner(demo: User, other: User) -> None:
    (agreement,) = demo.get("/v1/user/service_agreements")["data"]
    request = {"report_type": "devices", "date_period_start": "2026-01-01", "date_period_end": "2026-01-31"}
    answer = demo.post(f"/v1/user/service_agreements/{agreement['id']}/usage_reports", request)
    path = f"/v1/user/usage_reports/{answer.json()['data']['id']}"
    assert (demo.call("GET", path).status_code, other.call("GET", path).status_code) == (200, 404)
