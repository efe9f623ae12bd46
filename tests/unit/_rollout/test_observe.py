# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The devices and the releases of a product are read completely, whatever the device list looks like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product, get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters, read_filters
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout import observe
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Device
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.observe import (
    read_cloud_time,
    read_device,
    read_devices,
    read_releases,
)
from support.fleet_files import device_id
from support.rollouts import NEW, OLD, connect, running_product
from support.simulator import PRODUCT_SLUG, Simulator

SIZE = 230
PRODUCT = Product("1", "sensors", 13, None)
QUARANTINED, DENIED, NEVER_HEARD = device_id(3), device_id(4), device_id(5)
OTHERS: dict[str, dict[str, Any]] = {
    QUARANTINED: {"quarantined": True},
    DENIED: {"denied": True},
    NEVER_HEARD: {"last_heard": None, "firmware_version": None},
    device_id(6): {"name": None, "development": True},
    device_id(7): {"desired_firmware_version": 1},
    device_id(8): {"serial_number": "B40HAB9ABCDEFGH", "iccid": "89014103000000999999"},
    device_id(9): {"platform_id": 32},
}


@pytest.fixture(scope="module", params=[(), ("--churn", "25"), ("--omit-nulls",)])
def simulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    flags: tuple[str, ...] = request.param
    with running_product(tmp_path_factory.mktemp("fleet"), SIZE, *flags, groups=2, others=OTHERS) as simulator:
        yield simulator


@contextmanager
def open_target(simulator: Simulator) -> Iterator[Target]:
    http = connect(simulator)
    try:
        yield Target(http, get_product(http, PRODUCT_SLUG), lambda warning: None)
    finally:
        http.close()


def test_all_approved_devices_of_all_pages_are_read(simulator: Simulator) -> None:
    with open_target(simulator) as target:
        before = simulator.stats()["requests"]
        devices = read_devices(target, Filters(), NEW)
        assert simulator.stats()["requests"] - before == 4, "one request per hundred devices, and one more"
    expected = {device_id(number) for number in range(SIZE)} - {QUARANTINED, DENIED}
    assert devices.keys() == expected
    assert all(device.is_selected for device in devices.values())
    usual = devices[device_id(20)]
    assert (usual.name, usual.version, usual.lock, usual.groups) == ("unit-000020", OLD, None, {"site-0"})
    assert (usual.online, usual.is_cellular, usual.accepts_updates, usual.in_safe_mode) == (True, True, True, False)
    assert usual.heard is not None
    assert usual.handshake is not None
    never = devices[NEVER_HEARD]
    assert (never.version, never.heard, never.handshake, never.online) == (None, None, None, False)
    assert devices[device_id(6)].in_development
    assert devices[device_id(7)].lock == 1
    assert not devices[device_id(9)].is_cellular


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"ids": [device_id(1).upper(), device_id(2), "f" * 24]}, 2),
        ({"ids": [QUARANTINED]}, 0),
        ({"name": "unit-00002?"}, 10),
        ({"groups": ["site-1"]}, SIZE // 2 - 1),
        ({"groups": ["site-0", "site-1"]}, SIZE - 2),
        ({"networks": ["hall-3"]}, 0),
        ({"platforms": ["p2"]}, 1),
        ({"online": False}, 1),
        ({"quarantined": True}, 0),
        ({"firmware_versions": [OLD]}, SIZE - 3),
        ({"serial_numbers": ["b40hab9abcdefgh"]}, 1),
        ({"iccids": ["89014103000000999999"]}, 1),
        ({"groups": ["site-1"], "name": "unit-00002?"}, 5),
    ],
)
def test_filters_select_devices_and_all_others_are_read_too(
    simulator: Simulator, filters: dict[str, Any], expected: int
) -> None:
    with open_target(simulator) as target:
        devices = read_devices(target, read_filters({"filters": filters}), NEW)
    assert len(devices) == SIZE - 2, "the disruption budget depends on all devices"
    assert sum(device.is_selected for device in devices.values()) == expected


def test_list_that_changes_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    old = [{"id": device_id(number), "firmware_version": 1} for number in (0, 1, 3)]
    new = [{"id": device_id(number), "firmware_version": 2} for number in (1, 2, 3)]
    answers = [Listing(tuple(old), 1, complete=False), Listing(tuple(new), 1, complete=False)]
    monkeypatch.setattr(observe, "list_product_devices", lambda *_args, **_options: answers.pop(0))
    target = Target(Http(Connection("http://localhost:1")), PRODUCT, lambda warning: None)
    devices = read_devices(target, Filters(), NEW)
    assert {device.id: device.version for device in devices.values()} == {
        device_id(0): 1,
        device_id(1): 2,
        device_id(2): 2,
        device_id(3): 2,
    }
    assert answers == []


def test_device_on_two_pages_counts_once_with_its_later_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple({"id": device_id(0), "firmware_version": version} for version in (1, 2))
    monkeypatch.setattr(observe, "list_product_devices", lambda *_args, **_options: Listing(rows, 2, complete=True))
    target = Target(Http(Connection("http://localhost:1")), PRODUCT, lambda warning: None)
    assert [device.version for device in read_devices(target, Filters(), NEW).values()] == [2]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, Device(id="x")),
        ({"connected": True}, Device(id="x", online=True)),
        ({"online": False, "connected": True}, Device(id="x", online=False)),
        ({"firmware_version": 0}, Device(id="x", version=0)),
        ({"firmware_version": True, "desired_firmware_version": "7"}, Device(id="x")),
        ({"firmware_updates_enabled": None}, Device(id="x")),
        ({"firmware_updates_enabled": False}, Device(id="x", accepts_updates=False)),
        ({"firmware_updates_enabled": False, "firmware_updates_forced": True}, Device(id="x")),
        ({"groups": None, "name": "", "last_heard": "yesterday", "cellular": "yes"}, Device(id="x")),
        ({"system_firmware_version": 65535, "status": "safe_mode"}, Device(id="x", in_safe_mode=True)),
        ({"last_heard": "1970-01-01T00:00:09.500Z"}, Device(id="x", heard=9.5)),
        ({"last_handshake_at": "1970-01-01T02:00:00+02:00"}, Device(id="x", handshake=0.0)),
    ],
)
def test_row_with_few_or_strange_keys_is_read(row: dict[str, Any], expected: Device) -> None:
    assert read_device({"id": "x", **row}, is_selected=True) == expected


def test_device_needs_no_dictionary() -> None:
    assert not hasattr(Device(id="x"), "__dict__")


def test_releases_give_each_device_its_version() -> None:
    known = {
        1: {"product_default": True, "groups": []},
        2: {"current": False, "groups": ["north", "south"]},
        3: {"groups": ["south"]},
        4: {},
    }
    releases = read_releases(known)
    assert (releases.default, releases.by_group) == (1, {"north": 2, "south": 3})
    assert releases.find_version(Device(id="x")) == 1
    assert releases.find_version(Device(id="x", groups=frozenset({"north"}))) == 2
    assert releases.find_version(Device(id="x", groups=frozenset({"north", "south"}))) == 3
    assert read_releases({}).find_version(Device(id="x")) is None


@pytest.mark.parametrize("ahead", [-86_400, -90, 0, 90, 86_400])
def test_cloud_time_does_not_depend_on_the_clock_of_the_controller(simulator: Simulator, ahead: float) -> None:
    clock = replace(SYSTEM_CLOCK, now=lambda: simulator.now() + ahead)
    http = Http(Connection(simulator.url), clock=clock)
    http.use_token(simulator.access_token())
    target = Target(http, get_product(http, PRODUCT_SLUG), lambda warning: None)
    now = read_cloud_time(target, clock)
    http.close()
    assert now == int(now)
    assert simulator.now() <= now <= simulator.now() + 2


def test_time_of_a_cloud_without_a_date_is_that_of_the_controller() -> None:
    http = Http(Connection("http://localhost:1"))
    target = Target(http, PRODUCT, lambda warning: None)
    assert read_cloud_time(target, replace(SYSTEM_CLOCK, now=lambda: 1_000.25)) == 1_001
