# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The expected state of a cloud follows from a manifest, and every change of a state is detected."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from support.declared import expect_state, normalize_state
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator

INSTRUCTIONS = {"contract": 1, "network": "barn", "role": "node", "gateways": [], "parameters": {}}


@pytest.fixture
def state(simulator: Simulator) -> dict[str, Any]:
    """Return the state of a cloud with a ledger that the collection does not use."""
    ledger = {"name": "weather", "account": USERNAME, "scope": "Device", "direction": "Upstream"}
    instances = [{"scope_value": "one", "data": {"rain": True}}]
    return {**simulator.state(), "ledgers": [{**ledger, "instances": instances}]}


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a name": lambda state: state["devices"][0].update(name="another"),
    "notes": lambda state: state["devices"][0].update(notes="another"),
    "a group of a device": lambda state: state["devices"][0].update(groups=["another"]),
    "an owner": lambda state: state["devices"][0].update(owner="another"),
    "a lock": lambda state: state["devices"][0].update(desired_firmware_version=7),
    "a product": lambda state: state["devices"][0].update(product=4711),
    "a device": lambda state: state["devices"].pop(),
    "a group": lambda state: state["products"][0].update(groups=["another"]),
    "a ledger": lambda state: state["ledgers"].pop(),
    "what a ledger holds": lambda state: state["ledgers"][0]["instances"][0].update(data={"rain": False}),
    "where a ledger has data": lambda state: state["ledgers"][0]["instances"].pop(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_a_state_is_detected(state: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    other = copy.deepcopy(state)
    change(other)
    assert normalize_state(other) != normalize_state(state)


def test_only_declared_changes_are_expected(state: dict[str, Any]) -> None:
    before = normalize_state(state)
    one, two = list(before["devices"])[:2]
    before["devices"][one].update(notes="kept", groups=["kept", "mesh-shed", "mesh-gateway"])
    manifest = {
        "product": PRODUCT_SLUG,
        "networks": {"barn": {"parameters": {}}},
        "devices": [{"id": one, "name": "a", "mesh": {"network": "barn"}}, {"id": two, "name": "b"}],
    }
    after = expect_state(before, manifest, refused=[two])
    changed = {id for id, device in after["devices"].items() if device != before["devices"][id]}
    assert changed == {one}
    assert {key: value for key, value in after["devices"][one].items() if value != before["devices"][one][key]} == {
        "name": "a",
        "product": PRODUCT_ID,
        "groups": ["kept", "mesh-barn", "mesh-node"],
    }
    assert after["groups"][PRODUCT_SLUG] - before["groups"][PRODUCT_SLUG] == {"mesh-barn", "mesh-node"}
    assert after["ledgers"]["mesh"]["data"] == {one: INSTRUCTIONS}
    assert after["ledgers"]["weather"] == before["ledgers"]["weather"]


def test_removed_device_loses_its_groups_and_instructions(state: dict[str, Any]) -> None:
    before = normalize_state(state)
    one = next(iter(before["devices"]))
    before["devices"][one].update(product=PRODUCT_ID, groups=["north"], development=True, owner=USERNAME)
    before["ledgers"]["mesh"] = {
        "account": USERNAME,
        "scope": "Device",
        "direction": "Downstream",
        "data": {one: INSTRUCTIONS},
    }
    manifest = {"product": PRODUCT_SLUG, "devices": [{"serial_number": before["devices"][one]["serial_number"]}]}
    after = expect_state(before, manifest, absent=True)
    found = after["devices"][one]
    assert (found["product"], found["groups"], found["development"], found["owner"]) == (None, [], False, USERNAME)
    assert after["ledgers"]["mesh"]["data"] == {}
