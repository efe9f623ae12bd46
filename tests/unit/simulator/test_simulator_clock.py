# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the clock of the simulator and the behaviour that depends on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from simulator_client import CODED, FREE, OFFLINE, Cloud, User, ask_with_code, one_time_code, refusal, started
from update_cases import add_versions, lock

DAY = 86_400


def parse_time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_real_clock_shows_the_time_of_the_machine(tmp_path: Path) -> None:
    with started(tmp_path, "--clock", "real") as (_unused, port):
        before = time.time()
        clock = Cloud(f"http://127.0.0.1:{port}").call("GET", "/_simulator/clock").json()
        after = time.time()
    assert before <= clock["now"] <= after
    assert (clock["advanced"], parse_time(clock["iso"])) == (0, pytest.approx(clock["now"], abs=0.001))


def test_still_clock_shows_the_same_moment_until_it_is_advanced(cloud: Cloud) -> None:
    start = cloud.now()
    cloud.user().get("/v1/user")
    assert cloud.now() == start
    cloud.advance(0.5)
    assert cloud.now() == start + 0.5


def test_reset_sets_a_still_clock_to_the_time_of_the_machine(cloud: Cloud) -> None:
    before = time.time()
    cloud.call("POST", "/_simulator/reset")
    assert before <= cloud.now() <= time.time()


@pytest.mark.parametrize("kind", ["real", "still"])
def test_device_updates_as_the_clock_moves(cloud_with: Callable[..., Cloud], kind: str) -> None:
    user = cloud_with("--clock", kind).user()
    user.bring_in(FREE[0])
    add_versions(user, 7)
    user.cloud.change_device(FREE[0], update="slow")
    lock(user, FREE[0], 7)
    assert user.cloud.device(FREE[0])["firmware_version"] is None
    user.cloud.advance(5 * 60)
    assert user.cloud.device(FREE[0])["firmware_version"] == 7


def test_advance_moves_the_clock_and_the_date_header(cloud: Cloud) -> None:
    start = cloud.now()
    cloud.advance(DAY)
    clock = cloud.call("GET", "/_simulator/clock").json()
    assert (clock["advanced"], clock["now"]) == (DAY, start + DAY)
    header = parsedate_to_datetime(cloud.call("GET", "/v1/user").headers["Date"]).timestamp()
    assert header == int(start + DAY)


def test_reset_undoes_the_advance_of_the_clock(cloud: Cloud) -> None:
    cloud.advance(DAY)
    cloud.call("POST", "/_simulator/reset")
    assert cloud.call("GET", "/_simulator/clock").json()["advanced"] == 0


@pytest.mark.parametrize("content", [{}, {"advance": -1}, {"advance": "1"}, {"advance": True}, {"by": 1}, [1]])
def test_malformed_advance_leaves_the_clock_unchanged(cloud: Cloud, content: object) -> None:
    assert cloud.call("POST", "/_simulator/clock", json=content).status_code == 400
    assert cloud.call("GET", "/_simulator/clock").json()["advanced"] == 0


def test_token_of_default_lifetime_expires_after_ninety_days(cloud: Cloud, demo: User) -> None:
    cloud.advance(90 * DAY - 60)
    assert demo.call("GET", "/v1/user").status_code == 200
    cloud.advance(60)
    assert refusal(demo.call("GET", "/v1/user")) == (401, "invalid_token", "The access token provided has expired.")


def test_token_without_expiry_is_valid_after_fifty_years(cloud: Cloud) -> None:
    user = User(cloud, cloud.token(expires_in="0"))
    cloud.advance(50 * 365 * DAY)
    assert user.call("GET", "/v1/user").status_code == 200


def test_refresh_token_expires_two_weeks_after_the_access_token(cloud: Cloud) -> None:
    first, second = (cloud.ask_token(expires_in="3600").json()["refresh_token"] for _unused in range(2))
    cloud.advance(3600 + 13 * DAY)
    assert cloud.ask_token(grant_type="refresh_token", refresh_token=first).status_code == 200
    cloud.advance(DAY + 60)
    answer = cloud.ask_token(grant_type="refresh_token", refresh_token=second)
    assert refusal(answer) == (400, "invalid_grant", "Refresh token has expired")


def test_mfa_token_expires_after_five_minutes(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    cloud.advance(301)
    answer = ask_with_code(cloud, mfa_token, one_time_code(cloud))
    assert refusal(answer) == (400, "invalid_grant", "Could not validate OTP.")


def test_one_time_codes_follow_the_advanced_clock(cloud: Cloud) -> None:
    cloud.advance(7200)
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    assert ask_with_code(cloud, mfa_token, one_time_code(cloud, later=-7200)).status_code == 400
    assert ask_with_code(cloud, mfa_token, one_time_code(cloud)).status_code == 200


def test_only_online_devices_are_heard_while_the_clock_advances(demo: User) -> None:
    demo.bring_in(FREE[0], OFFLINE)
    before = {device: demo.get(f"/v1/devices/{device}")["last_heard"] for device in (FREE[0], OFFLINE)}
    demo.cloud.advance(DAY)
    after = {device: demo.get(f"/v1/devices/{device}")["last_heard"] for device in (FREE[0], OFFLINE)}
    assert parse_time(after[FREE[0]]) - parse_time(before[FREE[0]]) == pytest.approx(DAY, abs=0.01)
    assert after[OFFLINE] == before[OFFLINE]
