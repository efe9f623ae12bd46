# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Members of Particle Mesh are not locked to firmware that ends it, unless that is confirmed."""

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
OLD, NEW, ALONE = device_id(10), device_id(11), device_id(12)
"""A device that runs version 7 on Device OS 1.5.2, one that runs 8 on 6.3.0, and one in no mesh."""


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    home = {"product_id": PRODUCT_ID, "owner": USERNAME, "firmware_version": 6}
    fleet = [
        *({"id": member, **home} for member in MEMBERS),
        {"id": OLD, **home, "firmware_version": 7},
        {"id": NEW, **home, "firmware_version": 8, "system_firmware_version": "6.3.0"},
        {"id": ALONE, **home},
    ]
    path = tmp_path_factory.mktemp("fleet") / "fleet.json"
    path.write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(path), "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    _cloud.reset()
    return _cloud


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    """The owner of a mesh of four."""
    with user(cloud) as logged_in:
        run(logged_in, barn())
        logged_in.sent.clear()
        yield logged_in


def barn() -> dict[str, Any]:
    devices = [
        {"id": member, "mesh": {"network": "barn", "role": "node" if at else "gateway"}}
        for at, member in enumerate(MEMBERS)
    ]
    return {"product": PRODUCT, "networks": {"barn": {"backend": "networks"}}, "devices": devices}


def locked(version: int | str, *devices: str) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": [{"id": device, "firmware_version": version} for device in devices]}


def test_members_of_a_mesh_are_not_locked_to_what_only_runs_without_one(http: RecordingHttp) -> None:
    with pytest.raises(ParticleError) as caught:
        run(http, locked(8, *MEMBERS))
    assert caught.value.code == "conflict"
    assert caught.value.message == (
        f"4 devices might leave their mesh ({', '.join(MEMBERS)}). Particle Mesh ended with Device OS 1.5.x, "
        "and firmware 8 runs only on Device OS 6.3.0."
    )
    assert "confirm" in caught.value.hint
    assert http.writes == []


def test_who_joins_in_the_same_run_is_a_member_too(cloud: Simulator) -> None:
    data = barn()
    data["devices"][1]["firmware_version"] = 8
    before = cloud.stats()["writes"]
    with user(cloud) as http, pytest.raises(ParticleError, match="1 device might leave their mesh"):
        run(http, data)
    assert cloud.stats()["writes"] == before


def test_they_are_when_that_is_confirmed(http: RecordingHttp) -> None:
    assert set(statuses(run(http, locked(8, *MEMBERS), confirm=True)).values()) == {"changed"}


@pytest.mark.parametrize("version", [6, 7, "unlocked"])
def test_what_runs_in_a_mesh_somewhere_leaves_them_there(http: RecordingHttp, version: int | str) -> None:
    warnings: list[str] = []
    assert "failed" not in run(http, locked(version, *MEMBERS), warnings=warnings)
    assert warnings == []


def test_nor_to_what_nobody_runs_and_so_nobody_knows(http: RecordingHttp) -> None:
    with pytest.raises(ParticleError, match="no device runs firmware 9 yet") as caught:
        run(http, locked(9, *MEMBERS))
    assert "outside of any mesh" in caught.value.hint
    assert http.writes == []


def test_who_is_in_no_mesh_is_locked_to_anything(http: RecordingHttp) -> None:
    assert statuses(run(http, locked(8, ALONE, NEW))) == {ALONE: "changed", NEW: "changed"}


def test_a_lock_that_is_there_already_is_let_be(http: RecordingHttp) -> None:
    run(http, locked(8, *MEMBERS), confirm=True)
    assert run(http, locked(8, *MEMBERS))["changed"] is False


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
def test_a_version_is_judged_by_where_it_runs_and_by_nothing_else(
    versions: set[int], rows: list[dict[str, Any]]
) -> None:
    ending, unknown = find_versions_without_mesh(versions, rows)
    for version in versions:
        on = [row.get("system_firmware_version") for row in rows if row.get("firmware_version") == version]
        told = {device_os for device_os in on if device_os}
        assert (version in unknown) == (not told)
        assert (version in ending) == (bool(told) and told <= {"2.0.0", "6.3.0"})
