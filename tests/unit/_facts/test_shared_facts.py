# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Facts of a fleet are shared through a snapshot file that is private to its user."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import GatheredFacts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.shared_facts import (
    INCOMPLETE_SECONDS,
    REFUSAL_SECONDS,
    Snapshot,
)

ONE, TWO, UNKNOWN = device_id(1), device_id(2), device_id(99)
START = 1_800_000_000.0
HEARD = "2027-01-15T07:59:30.000Z"  # half a minute before START
TOKEN = "c0ffee" * 6 + "c0de"


class Fleet:
    """A fleet that counts how often it is read, with a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = START
        self.reads = 0
        self.error: ParticleError | None = None
        self.name = "weiß 💡"
        self.complete = True

    def read(self) -> GatheredFacts:
        self.reads += 1
        if self.error is not None:
            raise self.error
        rows = [
            {"id": device, "name": self.name, "online": True, "last_heard": HEARD, "mobile_secret": "hush"}
            for device in (ONE, TWO)
        ]
        return GatheredFacts({str(row["id"]): build_facts(row) for row in rows}, (), {}, 1, self.complete, 0.0)

    def get_facts(
        self, device: str, max_age: float = 60, fleet: tuple[str, ...] = ("cloud", TOKEN)
    ) -> dict[str, Any] | None:
        return Snapshot(self.folder, fleet, lambda: self.time).get_facts(device, max_age, self.read).facts

    @property
    def file(self) -> Path:
        (path,) = self.folder.glob("facts-*.json")
        return path


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_fleet_is_read_once_within_max_age(fleet: Fleet) -> None:
    first = fleet.get_facts(ONE)
    assert first is not None
    assert first["name"] == "weiß 💡"
    fleet.time += 59
    assert (fleet.get_facts(TWO) or {})["id"] == TWO
    assert fleet.reads == 1
    fleet.time += 1
    fleet.get_facts(TWO)
    assert fleet.reads == 2


def test_concurrent_reads_share_one_snapshot(fleet: Fleet) -> None:
    barrier = threading.Barrier(16)

    def get_facts(number: int) -> object:
        barrier.wait()
        return fleet.get_facts((ONE, TWO, UNKNOWN)[number % 3])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(get_facts, range(16)))
    assert fleet.reads == 1
    assert sum(answer is None for answer in answers) == 5


def test_missing_device_does_not_cause_another_read(fleet: Fleet) -> None:
    assert fleet.get_facts(UNKNOWN) is None
    assert fleet.get_facts(UNKNOWN) is None
    assert fleet.reads == 1


def test_missing_device_is_read_again_after_an_incomplete_snapshot(fleet: Fleet) -> None:
    fleet.complete = False
    for _unused in range(500):
        assert fleet.get_facts(UNKNOWN) is None
    assert fleet.reads == 1
    fleet.time += INCOMPLETE_SECONDS
    for _unused in range(500):
        assert fleet.get_facts(UNKNOWN) is None
    assert fleet.reads == 2


def test_device_in_an_incomplete_snapshot_needs_no_other_read(fleet: Fleet) -> None:
    fleet.complete = False
    fleet.get_facts(ONE)
    fleet.time += 59
    assert fleet.get_facts(TWO) is not None
    assert fleet.reads == 1


def test_age_and_presence_are_updated_when_a_snapshot_is_reused(fleet: Fleet) -> None:
    assert (fleet.get_facts(ONE) or {})["last_heard_age"] == 30
    fleet.time += 50
    later = fleet.get_facts(ONE) or {}
    assert (later["last_heard_age"], later["presence"]) == (80, "probable")


def test_max_age_zero_reads_the_fleet_again(fleet: Fleet) -> None:
    fleet.get_facts(ONE)
    fleet.get_facts(ONE, max_age=0)
    assert fleet.reads == 2


def test_each_fleet_has_its_own_snapshot(fleet: Fleet) -> None:
    fleet.get_facts(ONE)
    fleet.get_facts(ONE, fleet=("cloud", TOKEN[::-1]))
    fleet.get_facts(ONE, fleet=("cloud", TOKEN, "product"))
    assert fleet.reads == 3


def test_snapshot_is_renewed_after_the_clock_is_set_back(fleet: Fleet) -> None:
    fleet.get_facts(ONE)
    fleet.time -= 86_400
    fleet.get_facts(ONE)
    assert fleet.reads == 2


def test_failure_is_shared_for_thirty_seconds(fleet: Fleet) -> None:
    fleet.error = ParticleError("not_found", "No such product.", status=404, route="GET /v1/products/:p")
    for _unused in range(2):
        with pytest.raises(ParticleError) as caught:
            fleet.get_facts(ONE)
    assert fleet.reads == 1
    assert (caught.value.code, caught.value.status) == ("not_found", 404)
    assert "30 seconds" in caught.value.hint
    fleet.error = None
    fleet.time += REFUSAL_SECONDS
    assert fleet.get_facts(ONE) is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"read_at": "now"}\n', b'{"read_at": 1}\n', b"\xff\xfe\n"])
def test_fleet_is_read_again_when_the_snapshot_is_damaged(fleet: Fleet, content: bytes) -> None:
    fleet.get_facts(ONE)
    fleet.file.write_bytes(content)
    assert fleet.get_facts(ONE) is not None
    assert fleet.reads == 2


def test_damage_at_any_place_never_changes_the_facts(fleet: Fleet) -> None:
    facts = fleet.get_facts(ONE)
    intact = fleet.file.read_bytes()
    for place in range(0, len(intact), 7):
        for changed in (intact[:place], intact[:place] + bytes([intact[place] ^ 1]) + intact[place + 1 :]):
            fleet.file.write_bytes(changed)
            assert fleet.get_facts(ONE) == facts


def test_snapshot_that_others_can_read_is_replaced(fleet: Fleet) -> None:
    fleet.get_facts(ONE)
    fleet.file.chmod(0o644)
    assert fleet.get_facts(ONE) is not None
    assert stat.S_IMODE(fleet.file.stat().st_mode) == 0o600


def test_files_are_private_and_contain_no_secret(fleet: Fleet) -> None:
    umask = os.umask(0)
    try:
        fleet.get_facts(ONE)
    finally:
        os.umask(umask)
    files = sorted(fleet.folder.iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 2
    content = " ".join([*(file.name for file in files), *(file.read_text() for file in files)])
    assert "hush" not in content
    assert TOKEN not in content


def test_snapshot_unused_for_an_hour_is_deleted(fleet: Fleet) -> None:
    fleet.get_facts(ONE)
    old = fleet.file
    os.utime(old, (START - 3601, START - 3601))
    fleet.get_facts(ONE, fleet=("another",))
    assert not old.exists()
    assert fleet.file.exists()
