# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the result of a run stays below the size that an automation controller stores."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import (
    ChangedItem,
    Diff,
    describe_diff,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_size
from ansible_collections.meshfleet.particle.plugins.plugin_utils._result_size import (
    MAX_STORED_SIZE,
    describe_left_out_devices,
    measure_room,
    reduce_managed,
    reduce_result,
)

SIZE = 10_000
LONG_NAME = "logger in the cold store of the northern warehouse, bay {}"
ERROR = {
    "code": "device_not_yours",
    "status": 200,
    "message": "Could not import device e00fce68aabbccddeeff0022 into product field-logger: it is another account's.",
    "hint": "Check the id on the label of the device, and run again.",
    "route": "POST /v1/products/:p/devices",
}


def build_row(number: int, status: str) -> dict[str, Any]:
    name = LONG_NAME.format(number)
    changes = {field: {"before": None, "after": name} for field in ("product", "name", "notes", "groups")}
    return {
        "id": f"e00fce68{number:016x}",
        "identifier": f"e00fce68{number:016x}",
        "name": name,
        "status": status,
        "changes": {} if status == "ok" else changes,
        "mesh": None,
        "error": ERROR if status == "failed" else None,
    }


@functools.cache
def build_rows(*statuses: str) -> list[dict[str, Any]]:
    return [build_row(number, statuses[number % len(statuses)]) for number in range(SIZE)]


def build_run(*statuses: str, with_hosts: bool = False) -> dict[str, Any]:
    """Build the result of a run in which the devices have these statuses in turn."""
    rows = build_rows(*statuses)
    failed = "failed" in statuses
    return {
        "changed": "changed" in statuses,
        "summary": {"total": SIZE},
        "devices": rows,
        "managed": {row["id"]: row["name"] for row in rows if row["status"] in ("ok", "changed")},
        **({"hosts": {f"host-{at}": {**row, "run_error": None} for at, row in enumerate(rows)}} if with_hosts else {}),
        **({"failed": True, "error": ERROR, "msg": ERROR["message"]} if failed else {}),
    }


@pytest.mark.parametrize("with_hosts", [False, True])
@pytest.mark.parametrize("statuses", [("changed",), ("ok",), ("failed",), ("pending",), ("ok", "changed", "failed")])
def test_result_of_ten_thousand_devices_can_be_stored(statuses: tuple[str, ...], with_hosts: bool) -> None:
    run = build_run(*statuses, with_hosts=with_hosts)
    reduced = reduce_result(run, None)
    assert measure_size(reduced) < MAX_STORED_SIZE
    assert len(str(reduced)) < MAX_STORED_SIZE  # as ansible-runner measures it
    assert reduced["managed"].keys() == run["managed"].keys()


def test_devices_without_change_are_only_counted() -> None:
    rows = [build_row(number, status) for number, status in enumerate(["ok", "changed", "pending"])]
    reduced = reduce_result({**build_run("ok"), "devices": rows}, None)
    assert (reduced["devices"], reduced["devices_omitted"]) == (rows[1:], 0)


def test_failed_task_returns_only_failed_devices() -> None:
    rows = [build_row(number, status) for number, status in enumerate(["ok", "failed", "changed", "failed"])]
    reduced = reduce_result({**build_run("failed"), "devices": rows}, None)
    assert reduced["devices"] == [rows[1], rows[3]]


def test_task_that_fails_for_drift_returns_the_changed_devices() -> None:
    rows = [build_row(number, status) for number, status in enumerate(["ok", "changed", "pending"])]
    reduced = reduce_result({**build_run("failed"), "devices": rows}, None)
    assert (reduced["devices"], reduced["devices_omitted"]) == (rows[1:], 0)


def test_device_that_does_not_fit_is_skipped() -> None:
    rows = [build_row(number, "failed") for number in range(3)]
    rows[0] = {**rows[0], "name": "a" * 30_000}
    reduced = reduce_result({**build_run("failed"), "devices": rows}, None)
    assert (reduced["devices"], reduced["devices_omitted"]) == (rows[1:], 1)


def test_failed_devices_are_kept_if_not_all_devices_fit() -> None:
    rows = [build_row(number, "failed" if number == SIZE - 1 else "changed") for number in range(SIZE)]
    reduced = reduce_result({**build_run("changed"), "devices": rows, "failed": False}, None)
    assert reduced["devices"][-1] == rows[-1]
    assert len(reduced["devices"]) + reduced["devices_omitted"] == SIZE
    assert reduced["devices"][:-1] == rows[: len(reduced["devices"]) - 1]


@pytest.mark.parametrize("size", [100, SIZE, 20_000])
def test_result_with_a_whole_diff_can_be_stored(size: int) -> None:
    rows = [build_row(number, "changed") for number in range(size)]
    items = (
        ChangedItem(row["id"], {"notes": (None, row["name"] * 100), "name": (None, row["name"])}, row["name"])
        for row in rows
    )
    run = {**build_run("changed"), "devices": rows, "managed": {row["id"]: row["name"] for row in rows}}
    text = describe_diff(Diff(tuple(items)), lambda value: value, max_size=measure_room(run) // 2)
    reduced = reduce_result({**run, "diff": {"prepared": text}}, None)
    assert measure_size(reduced) < MAX_STORED_SIZE
    assert reduced["devices"] != []


def test_warning_says_how_many_managed_devices_are_left_out() -> None:
    managed = {f"e00fce68{number:016x}": None for number in range(20_000)}
    contained = len(reduce_managed(managed))
    assert 14_000 < contained < 20_000
    assert f"only {contained:,} of 20,000 devices" in describe_left_out_devices(contained, len(managed))


@pytest.mark.parametrize(("wanted", "number"), [("all", SIZE), ("changed", SIZE / 2), ("failed", SIZE / 2)])
def test_selected_devices_are_returned_whatever_their_size(wanted: str, number: int) -> None:
    reduced = reduce_result(build_run("changed", "failed"), wanted)
    assert len(reduced["devices"]) == number
    assert len(reduced["managed"]) == SIZE / 2


def test_names_of_managed_devices_are_kept_if_they_fit() -> None:
    managed = {f"e00fce68{number:016x}": f"logger-{number:05}" for number in range(9_000)}
    assert reduce_result({**build_run("ok"), "managed": managed}, None)["managed"] == managed
