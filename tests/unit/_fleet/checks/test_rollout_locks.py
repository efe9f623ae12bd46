# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a fleet task leaves firmware locks of rollouts alone, and refuses to move them while a rollout runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import (
    BASE,
    DEVICES,
    PRODUCT,
    ROLLOUT,
    RecordingHttp,
    client,
    device_id,
    row,
    run,
    script,
    statuses,
    user,
)

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.rollouts import NEW, OLD, Driver, running_product
from support.scripted import ScriptedCloud
from support.simulator import Simulator

RECORD = "GET /v1/ledgers/:name/instances/:scopeValue"
SIZE = 6
UNLOCKED = "unlocked"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Simulator]:
    with running_product(tmp_path, SIZE) as simulator:
        yield simulator


@pytest.fixture
def rollout(product: Simulator) -> Driver:
    """Return the driver of a rollout whose first wave of two devices has begun."""
    driver = Driver(product, {"waves": [{"count": 2}, {"percent": 100}], "soak": 60})
    assert driver.run()["state"] == "running"
    return driver


@pytest.fixture
def http(product: Simulator) -> Iterator[RecordingHttp]:
    with user(product) as http:
        yield http


def list_locked(driver: Driver) -> list[str]:
    return [device for device, found in driver.truth().items() if found["desired_firmware_version"] == NEW]


def declare(locks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "product": PRODUCT,
        "devices": [{"id": device, "firmware_lock": lock, **more} for device, lock in locks.items()],
    }


def count_reads(http: RecordingHttp) -> int:
    return [request.route for request in http.sent].count(RECORD)


@pytest.mark.parametrize("is_locked", [False, True], ids=["old device is locked", "both are locked"])
def test_lock_of_a_rollout_is_not_kept_by_a_replacement(
    rollout: Driver, http: RecordingHttp, product: Simulator, is_locked: bool
) -> None:
    first, second = list_locked(rollout)
    new = second if is_locked else next(device for device in rollout.truth() if device not in (first, second))
    before = product.device(new)["desired_firmware_version"]
    warnings: list[str] = []
    manifest = {"product": PRODUCT, "devices": [{"id": new, "replaces": first}]}
    result = run(http, manifest, warnings=warnings, confirm=["replace_online"])
    assert set(statuses(result).values()) <= {"changed", "ok"}
    assert product.device(new)["desired_firmware_version"] == before
    assert warnings[0].startswith("1 device does not keep the firmware_lock of the replaced device, because it belongs")
    assert run(http, manifest)["changed"] is False


def test_rollout_locks_are_left_alone_where_unlocked_is_declared(rollout: Driver, http: RecordingHttp) -> None:
    first, second = list_locked(rollout)
    manifest = declare(dict.fromkeys(rollout.truth(), UNLOCKED))
    for check_mode in (True, False):
        warnings: list[str] = []
        result = run(http, manifest, check_mode=check_mode, warnings=warnings)
        assert (result["changed"], set(statuses(result).values())) == (False, {"ok"})
        assert warnings == [
            "The firmware_lock of 2 devices was left alone, because it belongs to the rollout of version 2, which is "
            f"not over: {first}, {second}."
        ]
    assert (http.writes, count_reads(http)) == ([], 2)
    assert list_locked(rollout) == [first, second]


def test_other_fields_of_a_device_with_a_rollout_lock_are_written(rollout: Driver, http: RecordingHttp) -> None:
    first, _second = list_locked(rollout)
    warnings: list[str] = []
    result = run(http, declare({first: UNLOCKED}, notes="north wall"), warnings=warnings)
    assert result["devices"][0]["changes"] == {"notes": {"before": None, "after": "north wall"}}
    assert (statuses(result), len(warnings), count_reads(http)) == ({first: "changed"}, 1, 1)
    assert rollout.truth()[first]["desired_firmware_version"] == NEW


@pytest.mark.parametrize("check_mode", [False, True])
def test_moving_a_lock_of_a_running_rollout_is_refused(rollout: Driver, http: RecordingHttp, check_mode: bool) -> None:
    first, second = list_locked(rollout)
    with pytest.raises(ParticleError) as caught:
        run(http, declare(dict.fromkeys(rollout.truth(), OLD)), check_mode=check_mode)
    assert (caught.value.code, http.writes) == ("conflict", [])
    assert caught.value.message == (
        "The firmware_lock of 2 devices cannot be changed, because it belongs to the rollout of version 2, which is "
        f"not over: {first}, {second}."
    )
    assert "state aborted" in caught.value.hint
    assert "remove firmware_lock" in caught.value.hint


def test_device_that_a_rollout_has_not_reached_can_be_locked(rollout: Driver, http: RecordingHttp) -> None:
    free = next(device for device in rollout.truth() if device not in list_locked(rollout))
    assert statuses(run(http, declare({free: OLD}))) == {free: "changed"}
    assert count_reads(http) == 0
    states = {device["id"]: device["state"] for device in rollout.run()["devices"]}
    assert states[free] == "skipped_locked"
    # The new lock belongs to no rollout, so the manifest can also remove it.
    assert statuses(run(http, declare({free: UNLOCKED}))) == {free: "changed"}
    assert rollout.truth()[free]["desired_firmware_version"] is None


def test_locks_of_a_rollout_that_is_over_can_be_changed(
    rollout: Driver, http: RecordingHttp, product: Simulator
) -> None:
    product.advance(60)
    first, second = list_locked(rollout)
    assert rollout.run(state="aborted")["state"] == "aborted"
    assert list_locked(rollout) == [first, second]  # these devices run the version already
    warnings: list[str] = []
    result = run(http, declare({first: OLD, second: UNLOCKED}), warnings=warnings)
    assert statuses(result) == {first: "changed", second: "ok"}
    assert "the rollout of version 2, which is aborted" in warnings[0]
    assert "Set confirm to [rollout_locks]" in warnings[0]
    assert statuses(run(http, declare({second: UNLOCKED}), confirm=True)) == {second: "changed"}
    locks = {device: found["desired_firmware_version"] for device, found in rollout.truth().items()}
    assert (locks[first], locks[second]) == (OLD, None)


def test_record_is_not_read_without_a_change_of_a_lock(rollout: Driver, http: RecordingHttp) -> None:
    locks = {device: NEW if device in list_locked(rollout) else UNLOCKED for device in rollout.truth()}
    assert run(http, declare(locks))["changed"] is False
    assert count_reads(http) == 0


def test_lock_that_a_rollout_writes_during_a_run_is_left_alone(product: Simulator) -> None:
    driver = Driver(product, {"waves": [{"count": 1}, {"percent": 100}]})
    begun: list[str] = []
    with user(product, workers=1) as http:
        send = http.send

        def begin_rollout_after_write(request: Any) -> Any:
            answer = send(request)
            if request.method == "PUT" and not begun:
                begun.append(driver.run()["state"])
            return answer

        http.send = begin_rollout_after_write  # type: ignore[method-assign]
        result = run(http, declare(dict.fromkeys(driver.truth(), UNLOCKED), notes="north wall"))
    assert begun == ["running"]
    assert set(statuses(result).values()) == {"changed"}
    assert len(list_locked(driver)) == 1


def test_lock_is_changed_with_a_warning_if_the_record_is_forbidden(scripted_cloud: ScriptedCloud) -> None:
    one = device_id(1)
    refusal = {"ok": False, "error": "Permission denied"}
    scripted_cloud.answer("GET", ROLLOUT, 403, json=refusal, repeat=True)
    script(scripted_cloud, [row(one, desired_firmware_version=41)])
    scripted_cloud.answer("PUT", f"{DEVICES}/{one}", json={})
    warnings: list[str] = []
    with client(scripted_cloud.url) as http:
        assert run(http, declare({one: 42}), verify="none", warnings=warnings)["changed"] is True
    assert len(warnings) == 1
    assert warnings[0].startswith("It is not known whether firmware locks belong to a rollout")


def test_damaged_record_protects_all_locks(scripted_cloud: ScriptedCloud) -> None:
    one = device_id(1)
    damaged = {"instance": {"data": {"format": 99}}}
    scripted_cloud.answer("GET", ROLLOUT, json=damaged, repeat=True)
    script(scripted_cloud, [row(one, desired_firmware_version=41)])
    warnings: list[str] = []
    with client(scripted_cloud.url) as http:
        with pytest.raises(ParticleError, match="a rollout whose record cannot be read"):
            run(http, declare({one: 42}), verify="none", warnings=warnings)
        assert run(http, declare({one: UNLOCKED}), warnings=warnings)["changed"] is False
    assert "ledger rollouts of product field-logger is damaged" in warnings[0]
    assert BASE not in warnings[0]
