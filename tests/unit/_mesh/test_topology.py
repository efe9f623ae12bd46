# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Each backend checks hardware, network size and instructions; unknown values are accepted."""

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
THIRD_PARTY = {31: "raspi", 82: "oak", 88: "duo", 103: "bluz"}


@pytest.mark.parametrize("platform", [None, ARGON, BORON, B5SOM, P2, 4711])
@pytest.mark.parametrize("membership", [GATEWAY, NODE])
def test_supported_or_unknown_platform_is_accepted_for_ledgers(platform: int | None, membership: Membership) -> None:
    assert list(check_platform(ONE, membership, Hardware(platform))) == []


@pytest.mark.parametrize(
    ("platform", "membership", "reason"),
    [
        (XENON, NODE, "xenon, which does not support ledgers"),
        (PHOTON, GATEWAY, "photon, which does not support ledgers"),
        (XSOM, GATEWAY, "xsom, which has no uplink"),
        *((platform, NODE, f"{name}, which does not support ledgers") for platform, name in THIRD_PARTY.items()),
    ],
)
def test_unsupported_platform_is_refused_for_ledgers(platform: int, membership: Membership, reason: str) -> None:
    (sentence,) = check_platform(ONE, membership, Hardware(platform))
    assert sentence.startswith(f"barn: device {ONE} is of platform {reason}")


@pytest.mark.parametrize(
    ("device_os", "too_old"),
    [("1.5.2", True), ("6.0.9", True), ("6.1.0-rc.1", False), ("6.10.0", False), ("odd", False), (None, False)],
)
def test_device_os_before_6_1_is_too_old_for_ledgers(device_os: str | None, too_old: bool) -> None:
    assert is_too_old_for_ledgers(device_os) is too_old


@pytest.mark.parametrize(
    ("platform", "membership"),
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
def test_supported_or_unknown_platform_is_accepted_for_particle_mesh(
    platform: int | None, membership: Membership
) -> None:
    # A Xenon with an Ethernet FeatherWing can be a gateway, but the cloud does not show whether it has one.
    assert list(check_device(ONE, membership, Hardware(platform, "1.5.2"))) == []


@pytest.mark.parametrize(
    ("hardware", "membership", "reason"),
    [
        (Hardware(P2), NODE, "is of platform p2, which has no Particle Mesh"),
        (Hardware(PHOTON), GATEWAY, "is of platform photon, which has no Particle Mesh"),
        (Hardware(XSOM), GATEWAY, "is of platform xsom, which has no uplink, so it cannot be a gateway"),
        (Hardware(BORON, "6.3.2"), NODE, "runs Device OS 6.3.2, but Particle Mesh ended with 1.5.x"),
        (Hardware(None, "2.0.0-rc.1"), NODE, "runs Device OS 2.0.0-rc.1, but Particle Mesh ended with 1.5.x"),
    ],
)
def test_unsupported_hardware_is_refused_for_particle_mesh(
    hardware: Hardware, membership: Membership, reason: str
) -> None:
    assert list(check_device(ONE, membership, hardware)) == [f"barn: device {ONE} {reason}"]


@pytest.mark.parametrize(
    ("device_os", "too_new"),
    [
        *((version, False) for version in ("0.9.0", "1.5.2", "1.5.4-rc.1", None, "", "beta")),
        *((version, True) for version in ("1.6.0", "2.0.0", "6.3.4", "10.0.0")),
    ],
)
def test_device_os_after_1_5_is_too_new_for_particle_mesh(device_os: str | None, too_new: bool) -> None:
    assert is_too_new_for_mesh(device_os) is too_new


@pytest.mark.parametrize(
    ("network_type", "size", "refusals"),
    [
        ("micro_wifi", Size(10, 1), 0),
        ("micro_wifi", Size(11, 1), 1),
        ("micro_cellular", Size(2, 2), 1),
        ("micro_cellular", Size(11, 2), 2),
        ("high_availability", Size(100, 10), 0),
        ("large_site", Size(101, 1), 1),
    ],
)
def test_network_size_is_limited_by_its_type(network_type: str, size: Size, refusals: int) -> None:
    for exists in (True, False):
        assert len(list(check_size("barn", network_type, 100, size, exists=exists))) == refusals


def test_refused_size_of_a_new_network_suggests_another_type() -> None:
    (sentence,) = check_size("barn", "micro_wifi", 100, Size(12, 1), exists=False)
    assert sentence.endswith("would have 12; declare another type")


def test_instructions_must_fit_into_a_ledger() -> None:
    fits = {"parameters": {"key": "x" * 16_000}}
    assert list(check_instructions("barn", "its members", fits)) == []
    (sentence,) = check_instructions("barn", "its members", {"parameters": {"key": "hush" * 4_100}})
    assert sentence == (
        "barn: the instructions for its members take 16425 bytes, but a ledger holds only 16384; shorten the parameters"
    )


def test_size_of_instructions_is_counted_in_utf8_bytes() -> None:
    assert list(check_instructions("barn", "its members", {"key": "ü" * 8_200})) != []
    assert list(check_instructions("barn", "its members", {"key": "ü" * 8_100})) == []
