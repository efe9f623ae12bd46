# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The state of a device follows from the fields of the device list (firmware-and-events.md, section 4.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import upload_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.health import Assessor, find_restarts
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Assessment, Health, State
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.observe import read_device
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    Restart,
    WaveRecord,
    keep_offline,
)
from support.firmware import make_binary
from support.fleet_files import device_id
from support.rollouts import NEW, OLD, Driver, connect, running_product
from support.simulator import PRODUCT_SLUG, Simulator

T = 1_800_000_000.0
"""The time at which the wave of the device was targeted."""
ID = device_id(1)
WAVE = WaveRecord("f" * 16, (), T, T, T)
ASLEEP_WAVE = replace(WAVE, offline=keep_offline([ID]))
"""A wave in which the device was offline when it was targeted."""
CELLULAR, WIFI = 3600, 600


def row(**fields: Any) -> dict[str, Any]:
    """Return a row of the device list; `heard` and `handshake` are seconds after the device was targeted."""
    times = {"last_heard": fields.pop("heard", -10), "last_handshake_at": fields.pop("handshake", -9_000)}
    return {
        "id": ID,
        "name": "unit-1",
        "platform_id": 13,
        "cellular": True,
        "online": True,
        "status": "normal",
        "firmware_version": OLD,
        "desired_firmware_version": NEW,
        "targeted_firmware_release_version": None,
        "system_firmware_version": "4.0.2",
        **{key: None if moment is None else format_time(T + moment) for key, moment in times.items()},
        **fields,
    }


def assess(
    shown: dict[str, Any], after: float, wave: WaveRecord = WAVE, health: Health | None = None, **more: Any
) -> Assessment:
    """Assess a row a number of seconds after the device was targeted."""
    known = {"failed": {}, "restarts": {}, **more}
    return Assessor(NEW, health or Health(), T + after, **known).assess(read_device(shown, is_selected=True), wave)


@pytest.mark.parametrize(
    ("moment", "fields", "after", "expected"),
    [
        # 4.1: success
        ("just targeted", {}, 1, State.UPDATING),
        ("transfer is running", {"heard": 3}, 5, State.UPDATING),
        ("transfer has ended", {"heard": 3.3}, 11, State.UPDATING),
        ("came back new", {"heard": 12, "handshake": 11.2, "firmware_version": NEW}, 15, State.UPDATED),
        ("slow transfer", {"heard": 200}, 210, State.UPDATING),
        # 4.2: Device OS upgrade
        (
            "safe mode, version 0",
            {"heard": 20, "handshake": 20, "firmware_version": 0, "status": "safe_mode"},
            60,
            State.UPDATING,
        ),
        ("safe mode, old version", {"heard": 20, "handshake": 20, "status": "safe_mode"}, 60, State.UPDATING),
        ("boots between", {"heard": 90, "handshake": 90, "firmware_version": 0}, 100, State.UPDATING),
        ("upgrade has ended", {"heard": 166, "handshake": 165, "firmware_version": NEW}, 170, State.UPDATED),
        (
            "stays in safe mode",
            {"heard": 4000, "handshake": 20, "firmware_version": 0, "status": "safe_mode"},
            4001,
            State.SAFE_MODE,
        ),
        (
            "begins sessions in safe mode again and again",
            {"heard": 9000, "handshake": 8990, "firmware_version": 0, "status": "safe_mode"},
            9001,
            State.SAFE_MODE,
        ),
        # 4.3: failures
        ("updates disabled", {"heard": 3, "firmware_updates_enabled": False}, 5000, State.PENDING_DISABLED),
        (
            "updates disabled, but forced",
            {"heard": 3, "firmware_updates_enabled": False, "firmware_updates_forced": True},
            5,
            State.UPDATING,
        ),
        ("refused", {"heard": 900}, 901, State.FAILED_REFUSED),
        ("refused, but not long ago", {"heard": 890}, 895, State.UPDATING),
        ("transfer broke off", {"heard": 1400, "handshake": 330}, 1400, State.FAILED_TIMEOUT),
        ("transfer broke off just now", {"heard": 340, "handshake": 330}, 400, State.UPDATING),
        ("came back old", {"heard": 1000, "handshake": 15}, 1000, State.CAME_BACK_OLD),
        ("late acknowledgement", {"heard": 30, "handshake": 20, "firmware_version": NEW}, 40, State.UPDATED),
        ("crashes before connecting", {"heard": 4}, 4 + CELLULAR, State.UPDATING),
        ("crashes before connecting", {"heard": 4, "online": False}, 5 + CELLULAR, State.GONE),
        ("gone without being heard", {"heard": -5, "online": True}, CELLULAR + 1, State.GONE),
        (
            "silent after it came back",
            {"heard": 30, "handshake": 20, "firmware_version": NEW},
            31 + CELLULAR,
            State.GONE,
        ),
        ("sleeps, and is heard", {"heard": 2000, "online": False}, 2500, State.UPDATING),
        ("sleeps for long, and is heard", {"heard": 4000, "online": False}, 4500, State.PENDING_HANDSHAKE),
        ("comes back old again and again", {"heard": 3500, "handshake": 3490}, 3500, State.UPDATING),
        ("comes back old again and again", {"heard": 8000, "handshake": 7990}, 8000, State.CAME_BACK_OLD),
        ("downgrade of a newer version", {"firmware_version": NEW + 5, "heard": 5}, 10, State.UPDATING),
        # 4.4: offline when targeted, and rows with few keys
        ("was silent before", {"heard": -20_000, "online": False}, 99_999, State.PENDING_OFFLINE),
        ("was never heard", {"heard": None, "handshake": None, "online": False}, 99_999, State.PENDING_OFFLINE),
        ("had the version before", {"firmware_version": NEW}, 5, State.UPDATED),
        ("no version", {"firmware_version": None, "heard": 950}, 950, State.FAILED_REFUSED),
        ("no session time", {"firmware_version": NEW, "handshake": None, "heard": 5}, 9, State.UNKNOWN),
        ("no heard time", {"firmware_version": NEW, "heard": None, "handshake": 15}, 20, State.UPDATED),
        ("development", {"development": True, "firmware_version": NEW}, 5, State.SKIPPED_DEVELOPMENT),
        # times that cannot be
        ("session in the future", {"handshake": 9e7, "heard": 1000}, 1000, State.FAILED_REFUSED),
        ("new version, session in the future", {"handshake": 9e7, "firmware_version": NEW}, 99, State.UNKNOWN),
        ("heard in the future", {"handshake": None, "heard": 9e7, "online": False}, 9_999, State.PENDING_OFFLINE),
    ],
)
def test_row_of_a_device_is_assessed(moment: str, fields: dict[str, Any], after: float, expected: State) -> None:
    assessment = assess(row(**fields), after)
    assert assessment.state is expected, f"{moment}: {assessment.evidence}"
    assert assessment.evidence


@pytest.mark.parametrize(
    ("moment", "fields", "after", "expected"),
    [
        ("still offline", {"heard": -9_000, "online": False}, 99_999, State.PENDING_OFFLINE),
        ("is back, same session", {"heard": 50}, 60, State.PENDING_HANDSHAKE),
        ("is back, new session", {"heard": 5000, "handshake": 5000}, 5010, State.UPDATING),
        ("is back, failed", {"heard": 9000, "handshake": 5000}, 9000, State.CAME_BACK_OLD),
        ("is back, updated", {"heard": 5100, "handshake": 5090, "firmware_version": NEW}, 5110, State.UPDATED),
        ("was back, same session, asleep again", {"heard": 50, "online": False}, 9000, State.PENDING_OFFLINE),
        ("was back, new session, silent", {"heard": 60, "handshake": 50, "online": False}, 9000, State.GONE),
        (
            "stays in safe mode",
            {"heard": 9000, "handshake": 5000, "firmware_version": 0, "status": "safe_mode"},
            9000,
            State.SAFE_MODE,
        ),
    ],
)
def test_device_that_was_offline_is_assessed(
    moment: str, fields: dict[str, Any], after: float, expected: State
) -> None:
    assessment = assess(row(**fields), after, ASLEEP_WAVE)
    if moment == "stays in safe mode":
        assessment = assess(row(**fields), after + 1, ASLEEP_WAVE)
    assert assessment.state is expected, f"{moment}: {assessment.evidence}"


@pytest.mark.parametrize(
    ("fields", "silence"), [({}, CELLULAR), ({"cellular": False}, WIFI), ({"cellular": None}, WIFI)]
)
def test_silence_limit_depends_on_the_radio(fields: dict[str, Any], silence: int) -> None:
    lost = row(heard=4, online=False, **fields)
    assert assess(lost, 4 + silence).state is State.UPDATING
    assert assess(lost, 5 + silence).state is State.GONE
    assert assess(lost, 104, health=Health(offline_after=100)).state is State.UPDATING
    assert assess(lost, 105, health=Health(offline_after=100)).state is State.GONE


def test_young_first_session_after_a_long_sleep_is_not_a_failure() -> None:
    health = Health(offline_after=28_800)
    woken = row(heard=21_605, handshake=21_600)
    assert assess(woken, 21_700, health=health).state is State.UPDATING
    assert assess(row(heard=22_600, handshake=21_600), 22_600, health=health).state is State.CAME_BACK_OLD
    assert assess(row(heard=40_005, handshake=40_000), 40_010, health=health).state is State.CAME_BACK_OLD


def test_row_of_an_older_server_is_read_with_its_names() -> None:
    shown = {"id": ID, "connected": True, "firmware_version": OLD, "last_heard": format_time(T + 2)}
    device = read_device(shown, is_selected=True)
    assert (device.online, device.lock, device.handshake, device.accepts_updates) == (True, None, None, True)
    assert device.name is None
    assert not device.is_cellular
    assert assess(shown, 5).state is State.UPDATING


@given(st.dictionaries(st.sampled_from(sorted(row())), st.one_of(st.none(), st.text(), st.integers(), st.booleans())))
def test_any_row_gets_a_state_with_evidence(damage: dict[str, Any]) -> None:
    shown = {**row(), **damage, "id": ID}
    for after in (1, 1_000, 100_000):
        assessment = assess(shown, after)
        assert assessment.evidence.isprintable()
        if assessment.state is State.UPDATED:
            assert shown["firmware_version"] == NEW


@given(
    st.fixed_dictionaries(
        {
            "heard": st.integers(-10_000, 40_000),
            "handshake": st.integers(-10_000, 40_000),
            "firmware_version": st.sampled_from([0, OLD, None]),
            "online": st.booleans(),
            "status": st.sampled_from(["normal", "safe_mode"]),
        }
    )
)
def test_device_that_was_online_delays_its_wave_for_a_limited_time(fields: dict[str, Any]) -> None:
    # After the last sign of life, every device of the wave is decided or pending.
    end = max(fields["heard"], fields["handshake"], 0) + CELLULAR + 1
    assert assess(row(**fields), end).state is not State.UPDATING


def test_device_with_another_version_is_never_updated() -> None:
    for version in (0, OLD, None, NEW + 1):
        for after in range(0, 100_000, 997):
            assert assess(row(heard=after, handshake=10, firmware_version=version), after).state is not State.UPDATED


def test_device_that_failed_before_stays_failed_without_a_new_session() -> None:
    later = replace(WAVE, targeted=T + 2_000, written=T + 2_000)
    known = {"failed": {ID: State.FAILED_REFUSED}}
    assert assess(row(heard=2_100), 2_100, later, **known).state is State.FAILED_REFUSED
    assert assess(row(heard=2_100, handshake=2_050), 2_100, later, **known).state is State.UPDATING
    good = row(heard=2_100, handshake=2_050, firmware_version=NEW)
    assert assess(good, 2_100, later, **known).state is State.UPDATED


def test_device_keeps_the_kind_of_its_failure_without_a_new_session() -> None:
    later = replace(WAVE, targeted=T + 2_000, written=T + 2_000)
    for known in (State.FAILED_TIMEOUT, State.CAME_BACK_OLD):
        for after in (2_100, 20_000):
            assert assess(row(heard=after), after, later, failed={ID: known}).state is known
    assert assess(row(heard=2_100, online=False), 20_000, later, failed={ID: State.CAME_BACK_OLD}).state is State.GONE
    assert assess(row(heard=20_000), 20_000, later, failed={ID: State.GONE}).state is State.FAILED_REFUSED


# ---------------------------------------------------------------------- crashes

DECIDED = replace(WAVE, decided=T + 100)


def find(known: dict[str, Restart], handshake: float, after: float, soak: float = 3600) -> dict[str, Restart]:
    device = read_device(row(heard=after, handshake=handshake, firmware_version=NEW), is_selected=True)
    return find_restarts(known, [(device, DECIDED)], NEW, Health(soak), T + after)


def test_two_new_sessions_after_the_decision_are_a_crash() -> None:
    assert find({}, 50, 200) == {}
    once = find({}, 300, 310)
    assert once == {ID: Restart(T + 300)}
    assert find(once, 300, 320) == once
    twice = find(once, 400, 410)
    assert twice == {ID: Restart(T + 400, 2)}
    shown = row(heard=410, handshake=400, firmware_version=NEW)
    assert assess(shown, 410, DECIDED, restarts=twice).state is State.CRASHING
    assert assess(shown, 410, DECIDED, restarts=once).state is State.UPDATED


def test_device_known_to_crash_stays_so_without_a_change_of_the_record() -> None:
    twice = {ID: Restart(T + 400, 2)}
    assert find(twice, 9_000, 9_010) == twice
    shown = row(heard=9_010, handshake=9_000, firmware_version=NEW)
    assert assess(shown, 9_010, DECIDED, restarts=twice).state is State.CRASHING
    assert find(twice, 9_000, 12_601) == {}


def test_first_session_with_the_new_version_is_not_a_restart() -> None:
    # A device that was asleep gets the version in any session after the wave was decided.
    wave = replace(ASLEEP_WAVE, decided=T + 100)
    known: dict[str, Restart] = {}
    for handshake, count in ((5_000, 0), (5_040, 1), (5_080, 2)):
        device = read_device(row(heard=handshake, handshake=handshake, firmware_version=NEW), is_selected=True)
        known = find_restarts(known, [(device, wave)], NEW, Health(), T + handshake + 5)
        assert known == {ID: Restart(T + handshake, count)}


def test_device_that_keeps_its_session_for_the_soak_time_is_healthy() -> None:
    twice = {ID: Restart(T + 400, 2)}
    assert find(twice, 400, 4_001) == {}
    shown = row(heard=4_001, handshake=400, firmware_version=NEW)
    assert assess(shown, 4_001, DECIDED, restarts=twice).state is State.UPDATED


def test_session_in_the_future_is_not_a_restart() -> None:
    assert find({}, 9e7, 200) == {}


# ---------------------------------------------------------------------- the Device OS that is missing


def test_evidence_of_safe_mode_names_both_versions_of_device_os() -> None:
    shown = row(heard=4_000, handshake=20, status="safe_mode", firmware_version=0)
    assert "needs Device OS module version 4200, runs Device OS 4.0.2" in assess(shown, 4_001, device_os=4200).evidence
    evidence = assess(shown, 4_001).evidence
    assert "needs" not in evidence
    assert evidence.endswith("it runs Device OS 4.0.2")
    unknown = assess({**shown, "system_firmware_version": None}, 4_001, device_os=4200).evidence
    assert unknown.endswith("needs Device OS module version 4200, runs an unknown Device OS")


def test_device_os_of_a_hostile_device_is_escaped_and_short() -> None:
    shown = row(heard=4_000, handshake=20, status="safe_mode", system_firmware_version="4\x1b[2J\n" + "9" * 5_000)
    evidence = assess(shown, 4_001, device_os=4200).evidence
    assert evidence.isprintable()
    assert len(evidence) < 300


ELECTRON = 10


BRAKE_IS_OFF = {"failed": "100%", "offline": "100%", "at_least": 99}


def test_binary_is_downloaded_once_for_devices_in_safe_mode(tmp_path: Path) -> None:
    others = {device_id(number): {"platform_id": ELECTRON} for number in range(3)}  # gets no Device OS from the cloud
    with running_product(tmp_path, 6, others=others) as simulator:
        upload(simulator, VERSION)
        options = {"version": VERSION, "waves": [{"percent": 100}], "soak": 60, "brake": BRAKE_IS_OFF}
        driver = Driver(simulator, options)
        driver.run()
        simulator.advance(1_000)
        driver.run()
        assert count_downloads(simulator) == 0, "no device has been in safe mode for long"
        simulator.advance(4_000)
        result = driver.run()
        assert result["counts"]["safe_mode"] == 3
        assert count_downloads(simulator) == 1
        for device in result["devices"]:
            assert (NEEDED in device["evidence"]) == (device["state"] == "safe_mode"), device
        assert driver.info()["devices"] == result["devices"]
        for status in (403, 404):
            simulator.set_faults([{"route": ROUTE, "effect": "status", "status": status}])
            without = driver.run()
            assert without["counts"]["safe_mode"] == 3
            assert NEEDED not in str(without["devices"])
            simulator.clear_faults()


VERSION = 3
NEEDED = "needs Device OS module version 6500, runs Device OS "
ROUTE = "GET /v1/products/:p/firmware/:version/binary"


def upload(simulator: Simulator, version: int) -> None:
    """Upload a version that needs a newer Device OS than all devices have."""
    http = connect(simulator)
    file = FilePart("app.bin", make_binary(version, needed_device_os=6500), "application/octet-stream")
    upload_firmware(http, PRODUCT_SLUG, {"version": version, "title": "v3"}, file)
    http.close()


def count_downloads(simulator: Simulator) -> int:
    return sum(number for route, number in simulator.stats()["by_route"].items() if route.endswith("/binary"))
