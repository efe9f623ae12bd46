# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What cannot be a mesh, in one sentence each; what is not known is held against nobody."""

from __future__ import annotations

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.limits import (
    check_instructions,
    check_platform,
    is_too_old_for_ledgers,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    Size,
    check_device,
    check_size,
    is_too_new_for_mesh,
)

ONE = device_id(1)
GATEWAY, NODE = Membership("barn", "gateway"), Membership("barn", "node")
ARGON, BORON, XENON, XSOM, B5SOM, PHOTON, P2 = 12, 13, 14, 24, 25, 6, 32
FOREIGN = {31: "Raspberry Pi", 82: "Oak", 88: "Duo", 103: "Bluz"}


@pytest.mark.parametrize("platform", [None, ARGON, BORON, B5SOM, P2, 4711])
@pytest.mark.parametrize("seat", [GATEWAY, NODE])
def test_what_has_an_uplink_and_a_young_device_os_fits_a_ledger(platform: int | None, seat: Membership) -> None:
    assert list(check_platform(ONE, seat, Hardware(platform))) == []


@pytest.mark.parametrize(
    ("platform", "seat", "why"),
    [
        (XENON, NODE, "Xenon, which does not support ledgers"),
        (PHOTON, GATEWAY, "Photon, which does not support ledgers"),
        (XSOM, GATEWAY, "X-SoM, which has no uplink"),
        *((platform, NODE, f"{name}, which does not support ledgers") for platform, name in FOREIGN.items()),
    ],
)
def test_what_does_not_fit_a_ledger_is_named(platform: int, seat: Membership, why: str) -> None:
    (sentence,) = check_platform(ONE, seat, Hardware(platform))
    assert sentence.startswith(f"barn: device {ONE} is of platform {why}")


@pytest.mark.parametrize(
    ("device_os", "precedes"),
    [("1.5.2", True), ("6.0.9", True), ("6.1.0-rc.1", False), ("6.10.0", False), ("odd", False), (None, False)],
)
def test_ledgers_came_with_device_os_6_1(device_os: str | None, precedes: bool) -> None:
    assert is_too_old_for_ledgers(device_os) is precedes


@pytest.mark.parametrize(
    ("platform", "seat"),
    [
        (None, GATEWAY),
        (ARGON, GATEWAY),
        (BORON, GATEWAY),
        (B5SOM, GATEWAY),
        (XENON, GATEWAY),
        (XENON, NODE),
        (XSOM, NODE),
    ],
)
def test_the_boards_of_particle_mesh_fit_it(platform: int | None, seat: Membership) -> None:
    # Whether a Xenon carries an Ethernet FeatherWing, by which it is a gateway, no cloud can tell.
    assert list(check_device(ONE, seat, Hardware(platform, "1.5.2"))) == []


@pytest.mark.parametrize(
    ("hardware", "seat", "why"),
    [
        (Hardware(P2), NODE, "is of platform 32, which has no Particle Mesh"),
        (Hardware(PHOTON), GATEWAY, "is of platform Photon, which has no Particle Mesh"),
        (Hardware(XSOM), GATEWAY, "is of platform X-SoM, which has no uplink, so it cannot be a gateway"),
        (Hardware(BORON, "6.3.2"), NODE, "runs Device OS 6.3.2, but Particle Mesh ended with 1.5.x"),
        (Hardware(None, "2.0.0-rc.1"), NODE, "runs Device OS 2.0.0-rc.1, but Particle Mesh ended with 1.5.x"),
    ],
)
def test_what_does_not_fit_particle_mesh_is_named(hardware: Hardware, seat: Membership, why: str) -> None:
    assert list(check_device(ONE, seat, hardware)) == [f"barn: device {ONE} {why}"]


@pytest.mark.parametrize(
    ("device_os", "outlives"),
    [
        *((lasts, False) for lasts in ("0.9.0", "1.5.2", "1.5.4-rc.1", None, "", "beta")),
        *((ends, True) for ends in ("1.6.0", "2.0.0", "6.3.4", "10.0.0")),
    ],
)
def test_a_mesh_ends_with_device_os_1_5(device_os: str | None, outlives: bool) -> None:
    assert is_too_new_for_mesh(device_os) is outlives


@pytest.mark.parametrize(
    ("kind", "size", "refusals"),
    [
        ("micro_wifi", Size(10, 1), 0),
        ("micro_wifi", Size(11, 1), 1),
        ("micro_cellular", Size(2, 2), 1),
        ("micro_cellular", Size(11, 2), 2),
        ("high_availability", Size(100, 10), 0),
        ("large_site", Size(101, 1), 1),
    ],
)
def test_a_network_has_the_size_of_its_type(kind: str, size: Size, refusals: int) -> None:
    for there in (True, False):
        assert len(list(check_size("barn", kind, 100, size, exists=there))) == refusals


def test_a_small_network_that_is_not_there_yet_may_be_declared_as_another_type() -> None:
    (sentence,) = check_size("barn", "micro_wifi", 100, Size(12, 1), exists=False)
    assert sentence.endswith("would have 12; declare another type")


def test_what_members_are_told_fits_into_a_ledger() -> None:
    fits = {"parameters": {"key": "x" * 16_000}}
    assert list(check_instructions("barn", "its members", fits)) == []
    (sentence,) = check_instructions("barn", "its members", {"parameters": {"key": "hush" * 4_100}})
    assert sentence == (
        "barn: the instructions for its members take 16425 bytes, but a ledger holds only 16384; shorten the parameters"
    )


def test_letters_count_as_the_cloud_counts_them() -> None:
    assert list(check_instructions("barn", "its members", {"key": "ü" * 8_200})) != []
    assert list(check_instructions("barn", "its members", {"key": "ü" * 8_100})) == []
