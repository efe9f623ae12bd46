# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that locks to firmware that ends Particle Mesh are refused for members, unless confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, device_id, run, statuses, user
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.firmware import (
    find_versions_without_mesh,
)
from support.simulator import PRODUCT_ID, USERNAME, Simulator, running_simulator

MEMBERS = [device_id(number) for number in range(1, 5)]
WITH_MESH, WITHOUT_MESH, OUTSIDE = device_id(10), device_id(11), device_id(12)
"""A device that runs version 7 on Device OS 1.5.2, one that runs version 8 on 6.3.0, and one outside any mesh."""


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    common = {"product_id": PRODUCT_ID, "owner": USERNAME, "firmware_version": 6}
    fleet = [
        *({"id": member, **common} for member in MEMBERS),
        {"id": WITH_MESH, **common, "firmware_version": 7},
        {"id": WITHOUT_MESH, **common, "firmware_version": 8, "system_firmware_version": "6.3.0"},
        {"id": OUTSIDE, **common},
    ]
    path = tmp_path_factory.mktemp("fleet") / "fleet.json"
    path.write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(path), "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    _cloud.add_firmware(6, 7, 8, 9)
    return _cloud


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    """A client of the owner of a mesh with four members."""
    with user(cloud) as logged_in:
        run(logged_in, declare_mesh())
        logged_in.sent.clear()
        yield logged_in


def declare_mesh() -> dict[str, Any]:
    devices = [
        {"id": member, "mesh": {"network": "barn", "role": "node" if at else "gateway"}}
        for at, member in enumerate(MEMBERS)
    ]
    return {"product": PRODUCT, "networks": {"barn": {"backend": "networks"}}, "devices": devices}


def declare_locks(version: int | str, *devices: str) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": [{"id": device, "firmware_lock": version} for device in devices]}


def test_lock_to_firmware_without_mesh_is_refused_for_members(http: RecordingHttp) -> None:
    with pytest.raises(ParticleError) as caught:
        run(http, declare_locks(8, *MEMBERS))
    assert caught.value.code == "conflict"
    assert caught.value.message == (
        f"4 devices might leave their mesh ({', '.join(MEMBERS)}): firmware 8 runs only on Device OS 6.3.0, but "
        "Particle Mesh needs Device OS 1.5.x or older."
    )
    assert "confirm" in caught.value.hint
    assert http.writes == []


def test_lock_to_firmware_without_mesh_is_refused_for_joining_device(cloud: Simulator) -> None:
    data = declare_mesh()
    data["devices"][1]["firmware_lock"] = 8
    before = cloud.stats()["writes"]
    with user(cloud) as http, pytest.raises(ParticleError, match="1 device might leave their mesh"):
        run(http, data)
    assert cloud.stats()["writes"] == before


def test_lock_to_firmware_without_mesh_is_set_when_confirmed(http: RecordingHttp) -> None:
    assert set(statuses(run(http, declare_locks(8, *MEMBERS), confirm=True)).values()) == {"changed"}


@pytest.mark.parametrize("version", [6, 7, "unlocked"])
def test_lock_to_firmware_that_supports_mesh_needs_no_confirmation(http: RecordingHttp, version: int | str) -> None:
    warnings: list[str] = []
    assert "failed" not in run(http, declare_locks(version, *MEMBERS), warnings=warnings)
    assert warnings == []


def test_lock_to_firmware_that_no_device_runs_is_refused_for_members(http: RecordingHttp) -> None:
    with pytest.raises(ParticleError, match="no device runs firmware 9 yet") as caught:
        run(http, declare_locks(9, *MEMBERS))
    assert "outside of any mesh" in caught.value.hint
    assert http.writes == []


def test_lock_to_firmware_without_mesh_is_set_outside_a_mesh(http: RecordingHttp) -> None:
    assert statuses(run(http, declare_locks(8, OUTSIDE, WITHOUT_MESH))) == {OUTSIDE: "changed", WITHOUT_MESH: "changed"}


def test_existing_lock_is_not_refused_and_not_written_again(http: RecordingHttp) -> None:
    run(http, declare_locks(8, *MEMBERS), confirm=True)
    assert run(http, declare_locks(8, *MEMBERS))["changed"] is False


VERSIONS = st.integers(1, 3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "firmware_version": VERSIONS | st.none(),
            "system_firmware_version": st.sampled_from(["1.4.4", "1.5.2", "2.0.0", "6.3.0"]) | st.none(),
        },
    )
)


@given(st.sets(VERSIONS), ROWS)
def test_version_is_classified_by_the_device_os_of_devices_that_run_it(
    versions: set[int], rows: list[dict[str, Any]]
) -> None:
    ending, unknown = find_versions_without_mesh(versions, rows)
    for version in versions:
        shown = [row.get("system_firmware_version") for row in rows if row.get("firmware_version") == version]
        device_os_versions = {device_os for device_os in shown if device_os}
        assert (version in unknown) == (not device_os_versions)
        assert (version in ending) == (bool(device_os_versions) and device_os_versions <= {"2.0.0", "6.3.0"})
