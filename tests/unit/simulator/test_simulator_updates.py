# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test how updates end: the events that a stream tells, and the fields that the device list shows meanwhile.

The expected events are read from the tables of the facts (firmware-and-events.md, section 4.1 and
firmware-and-events.md, section 4.3).
"""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import DEVICES, FREE, OpenStream, User
from update_cases import (
    FLASH,
    STATUS,
    TRANSFER_EVENTS,
    Told,
    Watch,
    add_versions,
    get_row,
    list_words,
    lock,
    parse_modules,
    read_failure_events,
    read_recorded_success,
    run_version,
)

DEVICE = FREE[0]
HOUR = 3600
SAFE_MODE = "spark/status/safe-mode"
ENDINGS_WITH_A_ROW = {
    "refused": "module refused at the end",
    "transfer_fails": "transfer breaks off",
    "came_back_old": "reports success, comes back old",
    "late_ack": "`failed ` although it worked",
}
"""The endings whose row in the table of failures lists all events of the transfer, with the beginning of the row."""


@pytest.fixture(autouse=True)
def device_with_version_one(demo: User) -> None:
    """Let a device of the product run version 1, and give the product version 2."""
    demo.bring_in(DEVICE)
    add_versions(demo, 1, 2)
    run_version(demo, DEVICE, 1)
    demo.cloud.advance(HOUR)


@pytest.fixture
def watch(demo: User, listen: OpenStream) -> Watch:
    """Return a stream of the product's events, opened just before the update."""
    return Watch(demo, listen)


def update(user: User, ending: str) -> None:
    """Lock the device to version 2, and send the version at once. The update ends as `ending` says."""
    user.cloud.change_device(DEVICE, update=ending)
    lock(user, DEVICE, 2)


def list_statuses(events: list[Told]) -> list[tuple[str, int]]:
    """Return data and version of the events about the connection and the transfer."""
    return [(event.data, event.version) for event in events if event.name in TRANSFER_EVENTS]


def list_fields(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the fields of a list row that tell about an update, without the time of the last handshake."""
    names = ("firmware_version", "desired_firmware_version", "targeted_firmware_release_version", "online", "status")
    return tuple(row[name] for name in names)


# ---------------------------------------------------------------------- the events


def test_events_of_a_success_are_those_of_the_recorded_update(demo: User, watch: Watch) -> None:
    recorded = read_recorded_success()
    lock(demo, DEVICE, 2)
    demo.cloud.advance(60)
    told = watch.read()
    assert len(recorded) == 10
    assert [(event.name, event.version) for event in told] == [(name, version) for _t, name, _d, version in recorded]
    assert [event.data for event in told if not event.name.endswith("app-hash")] == [
        data for _t, name, data, _v in recorded if not name.endswith("app-hash")
    ]
    assert [event.moment for event in told] == pytest.approx([moment for moment, *_unused in recorded], abs=0.05)


def test_hash_of_the_application_is_reported_once(demo: User, watch: Watch) -> None:
    lock(demo, DEVICE, 2)
    demo.cloud.advance(60)
    hashes = [event.data for event in watch.read() if event.name == "spark/device/app-hash"]
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(60)
    assert [len(value) for value in hashes] == [64]
    assert [event for event in watch.read() if event.name == "spark/device/app-hash"] == []


@pytest.mark.parametrize("ending", ENDINGS_WITH_A_ROW)
def test_events_of_a_failure_are_those_of_the_facts(demo: User, watch: Watch, ending: str) -> None:
    expected = list_words(read_failure_events(ENDINGS_WITH_A_ROW[ending]))
    update(demo, ending)
    demo.cloud.advance(HOUR)
    told = [event for event in watch.read() if event.data != "auto-update"]
    named = [event.words for event in told if event.name in TRANSFER_EVENTS or event.words[0] in expected]
    words = [word for group in named for word in group if word in expected]
    assert words == expected


def test_slow_update_has_the_events_of_a_success(demo: User, watch: Watch) -> None:
    update(demo, "slow")
    demo.cloud.advance(HOUR)
    told = watch.read()
    assert [event.name for event in told] == [name for _t, name, _d, _v in read_recorded_success()]
    started, success, online = (
        next(event.moment for event in told if event.data == data) for data in ("started ", "success ", "online")
    )
    # The recorded transfer of a combined update took 84 s, and its restart 122 s (section 4.1).
    assert (round(success - started), round(online - success)) == (84, 122)


def test_update_of_a_device_that_falls_asleep_fails_a_minute_later(demo: User, watch: Watch) -> None:
    assert list_words(read_failure_events("sleepy device")) == ["auto-update", "failed "]
    update(demo, "sleeps")
    demo.cloud.advance(HOUR)
    told = watch.read()
    assert [(event.name, event.data) for event in told] == [(STATUS, "auto-update"), (FLASH, "failed ")]
    assert told[1].moment - told[0].moment == pytest.approx(60, abs=1)


def test_restart_after_a_lost_transfer_has_the_timeout_as_reason(demo: User, watch: Watch) -> None:
    update(demo, "transfer_fails")
    demo.cloud.advance(HOUR)
    told = watch.read()
    started, offline = (next(event.moment for event in told if event.data == data) for data in ("started ", "offline"))
    assert 300 <= offline - started <= 320
    assert next(event.data for event in told if event.name.endswith("last_reset")) == "update_timeout"


def test_device_with_updates_switched_off_reports_a_pending_update(demo: User, watch: Watch) -> None:
    pending = list_words(read_failure_events("updates disabled"))[0]
    update(demo, "disabled")
    demo.cloud.advance(HOUR)
    told = [(event.name, event.data) for event in watch.read()]
    assert [f"{name} {data}" for name, data in told] == ["particle/device/updates/enabled false", pending]


def test_crashing_firmware_reports_a_panic_after_each_restart(demo: User, watch: Watch) -> None:
    words = list_words(read_failure_events("new firmware crashes after connecting"))
    update(demo, "crashes_online")
    demo.cloud.advance(120)
    told = watch.read()
    statuses = list_statuses(told)
    assert statuses[:4] == [("auto-update", 1), ("started ", 1), ("success ", 1), ("offline", 1)]
    assert statuses[4:9] == [("online", 2), ("offline", 2), ("online", 2), ("offline", 2), ("online", 2)]
    reasons = [event.data for event in told if event.name.endswith("last_reset")]
    assert reasons == ["update", words[-1], words[-1]]


def test_device_that_crashes_before_connecting_is_silent_until_the_timeout(demo: User, watch: Watch) -> None:
    update(demo, "crashes_before")
    demo.cloud.advance(HOUR)
    told = watch.read()
    assert list_statuses(told) == [("auto-update", 1), ("started ", 1), ("success ", 1), ("offline", 1)]
    silence = told[-1].moment - told[-2].moment
    assert 23 * 60 <= silence <= 46 * 60


def test_device_that_needs_a_newer_device_os_passes_through_safe_mode(demo: User, watch: Watch) -> None:
    update(demo, "needs_device_os")
    demo.cloud.advance(HOUR)
    told = watch.read()
    restart = [("offline", 0), ("online", 0)]
    assert list_statuses(told) == [
        *[("auto-update", 1), ("started ", 1), ("success ", 1), ("offline", 1), ("online", 0)],
        *[("success ", 0), *restart],
        *[("success ", 0), ("offline", 0), ("online", 2)],
    ]
    back = next(event for event in reversed(told) if event.data == "online")
    assert back.moment == pytest.approx(165, abs=15)
    assert [event.data for event in told if event.name.endswith("last_reset")] == ["update"]


def test_safe_mode_event_names_the_missing_dependency(demo: User, watch: Watch) -> None:
    update(demo, "needs_device_os")
    demo.cloud.advance(HOUR)
    first, second = [parse_modules(event) for event in watch.read() if event.name == SAFE_MODE]
    modules = {module["f"]: module for module in first["m"]}
    assert (first["p"], set(first)) == (13, {"p", "imei", "iccid", "cellfw", "m"})
    assert (modules["u"]["vc"], modules["u"]["vv"], modules["s"]["vv"]) == (30, 26, 30)
    assert modules["u"]["d"][0]["v"] > modules["s"]["v"]
    assert next(module["v"] for module in second["m"] if module["f"] == "b") == modules["u"]["d"][0]["v"]


def test_hash_of_the_application_is_not_reported_after_safe_mode(demo: User, watch: Watch) -> None:
    update(demo, "needs_device_os")
    demo.cloud.advance(HOUR)
    told = watch.read()
    assert told[-1].version == 2
    assert [event for event in told if event.name == "spark/device/app-hash"] == []


# ---------------------------------------------------------------------- sessions without an update


def test_device_reports_the_loss_of_power_after_its_return(demo: User, watch: Watch) -> None:
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(60)
    demo.cloud.change_device(DEVICE, powered=True)
    demo.cloud.advance(60)
    words = [event.words for event in watch.read()]
    assert words == [("offline",), ("online",), ("last_reset", "power_down"), ("forced", "false"), ("enabled", "true")]


def test_device_that_only_reconnects_reports_no_restart(demo: User, watch: Watch) -> None:
    demo.cloud.change_device(DEVICE, online=False)
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(60)
    words = [event.words for event in watch.read()]
    assert words == [("offline",), ("online",), ("forced", "false"), ("enabled", "true")]


# ---------------------------------------------------------------------- the list


def test_list_shows_the_old_version_until_the_device_is_back(demo: User) -> None:
    before = get_row(demo, DEVICE)
    lock(demo, DEVICE, 2)
    shown = []
    for seconds in (1, 5, 4, 2):
        demo.cloud.advance(seconds)
        row = get_row(demo, DEVICE)
        shown.append((*list_fields(row), row["last_handshake_at"] > before["last_handshake_at"]))
    under_way = (1, 2, None, True, "normal", False)
    assert shown == [under_way, under_way, under_way, (2, 2, None, True, "normal", True)]


@pytest.mark.parametrize(
    ("ending", "fields", "has_new_session"),
    [
        ("ok", (2, 2, None, True, "normal"), True),
        ("slow", (2, 2, None, True, "normal"), True),
        ("late_ack", (2, 2, None, True, "normal"), True),
        ("needs_device_os", (2, 2, None, True, "normal"), True),
        ("crashes_online", (2, 2, None, True, "normal"), True),
        ("refused", (1, 2, None, True, "normal"), False),
        ("transfer_fails", (1, 2, None, True, "normal"), True),
        ("came_back_old", (1, 2, None, True, "normal"), True),
        ("crashes_before", (1, 2, None, False, "normal"), False),
        ("sleeps", (1, 2, None, True, "normal"), False),
        ("disabled", (1, 2, None, True, "normal"), False),
    ],
)
def test_list_shows_each_ending_as_the_facts_say(
    demo: User, ending: str, fields: tuple[Any, ...], has_new_session: bool
) -> None:
    before = get_row(demo, DEVICE)
    update(demo, ending)
    demo.cloud.advance(HOUR)
    row = get_row(demo, DEVICE)
    assert list_fields(row) == fields
    assert (row["last_handshake_at"] > before["last_handshake_at"]) is has_new_session
    assert row["firmware_updates_enabled"] is (ending != "disabled")


def test_crashing_device_begins_ever_newer_sessions(demo: User) -> None:
    update(demo, "crashes_online")
    sessions = []
    for _unused in range(3):
        demo.cloud.advance(60)
        sessions.append(get_row(demo, DEVICE)["last_handshake_at"])
    assert sessions == sorted(set(sessions))


@pytest.mark.parametrize(("option", "version"), [("old", 1), ("zero", 0)])
def test_list_shows_the_chosen_version_in_safe_mode(cloud_with: Any, option: str, version: int) -> None:
    user = cloud_with("--safe-mode-version", option).user()
    user.bring_in(DEVICE)
    add_versions(user, 1, 2)
    run_version(user, DEVICE, 1)
    update(user, "needs_device_os")
    user.cloud.advance(30)
    assert list_fields(get_row(user, DEVICE)) == (version, 2, None, True, "safe_mode")


def test_device_in_safe_mode_has_no_functions(demo: User) -> None:
    update(demo, "needs_device_os")
    demo.cloud.advance(30)
    device = demo.get(f"{DEVICES}/{DEVICE}")
    assert (device["functions"], device["variables"]) == ([], {})
    assert demo.post(f"{DEVICES}/{DEVICE}/led", {"arg": "on"}).status_code == 404


# ---------------------------------------------------------------------- one attempt


def test_ending_is_used_once(demo: User) -> None:
    demo.cloud.change_device(DEVICE, update="refused")
    before = demo.cloud.device(DEVICE)
    lock(demo, DEVICE, 2)
    after = demo.cloud.device(DEVICE)
    assert [before["update"], before["last_update"], after["update"], after["last_update"]] == [
        *("refused", "ok"),
        *(None, "refused"),
    ]
    demo.cloud.advance(HOUR)
    lock(demo, DEVICE, 2)
    demo.cloud.advance(HOUR)
    assert get_row(demo, DEVICE)["firmware_version"] == 2


def test_failed_update_is_sent_again_in_the_next_session(demo: User) -> None:
    update(demo, "transfer_fails")
    demo.cloud.advance(HOUR)
    assert get_row(demo, DEVICE)["firmware_version"] == 1
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(60)
    assert get_row(demo, DEVICE)["firmware_version"] == 2


def test_update_of_a_device_that_loses_its_power_fails(demo: User, watch: Watch) -> None:
    lock(demo, DEVICE, 2)
    demo.cloud.advance(1)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(2 * 60)
    assert list_statuses(watch.read()) == [("auto-update", 1), ("started ", 1), ("failed ", 1)]
    assert get_row(demo, DEVICE)["firmware_version"] == 1


def test_crashing_device_takes_another_version(demo: User) -> None:
    update(demo, "crashes_online")
    demo.cloud.advance(HOUR)
    lock(demo, DEVICE, 1)
    demo.cloud.advance(60)
    first = get_row(demo, DEVICE)
    demo.cloud.advance(HOUR)
    assert first["firmware_version"] == 1
    assert get_row(demo, DEVICE)["last_handshake_at"] == first["last_handshake_at"]


def test_device_with_a_stuck_firmware_needs_more_than_power(demo: User) -> None:
    update(demo, "crashes_before")
    demo.cloud.advance(HOUR)
    demo.cloud.change_device(DEVICE, powered=True)
    assert get_row(demo, DEVICE)["online"] is False
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(60)
    assert list_fields(get_row(demo, DEVICE)) == (2, 2, None, True, "normal")


def test_forced_update_overrides_the_switch_of_the_device(demo: User, watch: Watch) -> None:
    update(demo, "disabled")
    demo.put(f"{DEVICES}/{DEVICE}", {"firmware_updates_forced": True})
    demo.cloud.advance(60)
    names = [event.words for event in watch.read() if event.name.startswith("particle/")]
    assert names[:3] == [("enabled", "false"), ("pending", "true"), ("forced", "true")]
    assert get_row(demo, DEVICE)["firmware_version"] == 2


def test_pending_update_runs_when_the_device_switches_updates_on(demo: User) -> None:
    update(demo, "disabled")
    demo.cloud.advance(HOUR)
    demo.cloud.change_device(DEVICE, update="ok")
    demo.cloud.advance(60)
    assert get_row(demo, DEVICE)["firmware_version"] == 2


@pytest.mark.parametrize("ending", ["", "explodes", None, True, ["ok"]])
def test_unknown_ending_is_refused(demo: User, ending: object) -> None:
    answer = demo.cloud.call("POST", f"/_simulator/devices/{DEVICE}", json={"update": ending})
    assert answer.status_code == 400
    assert "update must be one of ok, refused" in answer.text


def test_long_jump_of_the_clock_reports_only_the_last_hour_of_crashes(demo: User, watch: Watch) -> None:
    update(demo, "crashes_online")
    demo.cloud.advance(365 * 24 * HOUR)
    panics = [event for event in watch.read() if event.data == "panic, hard_fault"]
    assert 1 < len(panics) < 150
    assert panics[-1].moment == pytest.approx(365 * 24 * HOUR, abs=60)
