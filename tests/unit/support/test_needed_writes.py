# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the record of writes finds exactly the writes that were not needed."""

from __future__ import annotations

from typing import Any

import pytest

from support.soak.needed_writes import WriteRecord

DEVICE = {"p": "31337", "id": "one"}
UPDATE = "PUT /v1/products/:p/devices/:id"
REMOVE = "DELETE /v1/products/:p/devices/:id"
BATCH = "PUT /v1/products/:p/devices"
IMPORT = "POST /v1/products/:p/devices"
VARIABLES, ROLLOUT = "PATCH /v1/env/:deviceId", "POST /v1/env/:deviceId/rollout"

Write = dict[str, Any]


def write(route: str, path: dict[str, str], fault: str | None = None, **fields: Any) -> Write:
    return {"route": route, "path": path, "fields": fields, "answer": {}, "fault": fault}


def name(text: str, fault: str | None = None) -> Write:
    return write(UPDATE, DEVICE, fault, name=text)


def group(key: str, *devices: str) -> Write:
    return write(BATCH, {"p": "31337"}, action="groups", devices=list(devices), metadata={key: ["north"]})


def bring_in(*devices: str) -> Write:
    return {**write(IMPORT, {"p": "31337"}), "answer": {"updatedDeviceIds": list(devices)}}


def set_variable(value: str) -> Write:
    return write(VARIABLES, {"deviceId": "one"}, ops=[{"op": "Set", "key": "SITE", "value": value}])


ROLL_OUT = write(ROLLOUT, {"deviceId": "one"}, when="Immediate")


@pytest.mark.parametrize(
    ("writes", "unneeded"),
    [
        pytest.param([name("a"), name("b"), name("a")], [], id="changes"),
        pytest.param([name("a"), name("a")], [1], id="repeated"),
        pytest.param([name("a", "reset_after"), name("a"), name("a")], [2], id="repeated-after-lost-response"),
        pytest.param([name("a", "delay"), name("a")], [1], id="repeated-after-delay"),
        pytest.param([name("a"), write(REMOVE, DEVICE), name("a")], [], id="set-again-after-removal"),
        pytest.param([name("a"), write(REMOVE, {"p": "31337", "id": "two"}), name("a")], [2], id="other-removed"),
        pytest.param([group("add", "one"), group("add", "one", "two"), group("add", "two")], [2], id="groups"),
        pytest.param([group("add", "one"), group("remove", "one"), group("remove", "one")], [2], id="left-group"),
        pytest.param([bring_in("one"), bring_in("one", "two"), bring_in("two")], [2], id="imports"),
        pytest.param([set_variable("a"), ROLL_OUT, set_variable("b"), ROLL_OUT], [], id="variables"),
        pytest.param([set_variable("a"), ROLL_OUT, ROLL_OUT], [2], id="rolled-out-twice"),
    ],
)
def test_only_writes_that_set_nothing_new_are_unneeded(writes: list[Write], unneeded: list[int]) -> None:
    assert WriteRecord().find_unneeded(writes) == [writes[number] for number in unneeded]


def test_writes_of_earlier_days_are_remembered() -> None:
    record = WriteRecord()
    assert record.find_unneeded([name("a")]) == []
    assert record.find_unneeded([name("a")]) == [name("a")]
