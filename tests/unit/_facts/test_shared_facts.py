# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One look at a fleet serves all who ask within a moment, and nothing of it is shown to others."""

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

ONE, TWO, STRANGER = device_id(1), device_id(2), device_id(99)
START = 1_800_000_000.0
HEARD = "2027-01-15T07:59:30.000Z"  # half a minute before START
TOKEN = "c0ffee" * 6 + "c0de"


class Fleet:
    """A fleet that counts how often it is looked at, and a clock that is turned by hand."""

    def __init__(self, folder: Path, **trouble: Any) -> None:
        self.folder = folder
        self.time = START
        self.looks = 0
        self.error: ParticleError | None = None
        self.name = "weiß 💡"
        self.complete = True

    def look(self) -> GatheredFacts:
        self.looks += 1
        if self.error is not None:
            raise self.error
        rows = [
            {"id": device, "name": self.name, "online": True, "last_heard": HEARD, "mobile_secret": "hush"}
            for device in (ONE, TWO)
        ]
        return GatheredFacts({str(row["id"]): build_facts(row) for row in rows}, (), {}, 1, self.complete, 0.0)

    def see(self, device: str, max_age: float = 60, fleet: tuple[str, ...] = ("cloud", TOKEN)) -> dict[str, Any] | None:
        return Snapshot(self.folder, fleet, lambda: self.time).get_facts(device, max_age, self.look).facts

    @property
    def file(self) -> Path:
        (path,) = self.folder.glob("facts-*.json")
        return path


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_all_who_ask_within_a_minute_share_one_look(fleet: Fleet) -> None:
    first = fleet.see(ONE)
    assert first is not None
    assert first["name"] == "weiß 💡"
    fleet.time += 59
    assert (fleet.see(TWO) or {})["id"] == TWO
    assert fleet.looks == 1
    fleet.time += 1
    fleet.see(TWO)
    assert fleet.looks == 2


def test_those_who_ask_at_the_same_moment_share_it_too(fleet: Fleet) -> None:
    together = threading.Barrier(16)

    def ask(number: int) -> object:
        together.wait()
        return fleet.see((ONE, TWO, STRANGER)[number % 3])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert fleet.looks == 1
    assert sum(answer is None for answer in answers) == 5


def test_a_device_that_was_not_there_is_not_looked_for_again(fleet: Fleet) -> None:
    assert fleet.see(STRANGER) is None
    assert fleet.see(STRANGER) is None
    assert fleet.looks == 1


def test_a_device_that_an_incomplete_look_may_have_missed_is_looked_for_again_after_a_moment(fleet: Fleet) -> None:
    fleet.complete = False
    for _unused in range(500):
        assert fleet.see(STRANGER) is None
    assert fleet.looks == 1
    fleet.time += INCOMPLETE_SECONDS
    for _unused in range(500):
        assert fleet.see(STRANGER) is None
    assert fleet.looks == 2


def test_those_that_an_incomplete_look_has_found_are_seen_by_it(fleet: Fleet) -> None:
    fleet.complete = False
    fleet.see(ONE)
    fleet.time += 59
    assert fleet.see(TWO) is not None
    assert fleet.looks == 1


def test_what_is_seen_later_is_older(fleet: Fleet) -> None:
    assert (fleet.see(ONE) or {})["last_heard_age"] == 30
    fleet.time += 50
    later = fleet.see(ONE) or {}
    assert (later["last_heard_age"], later["presence"]) == (80, "probable")


def test_whoever_wants_it_fresh_looks_anew(fleet: Fleet) -> None:
    fleet.see(ONE)
    fleet.see(ONE, max_age=0)
    assert fleet.looks == 2


def test_another_fleet_is_another_look(fleet: Fleet) -> None:
    fleet.see(ONE)
    fleet.see(ONE, fleet=("cloud", TOKEN[::-1]))
    fleet.see(ONE, fleet=("cloud", TOKEN, "product"))
    assert fleet.looks == 3


def test_a_clock_that_was_set_back_makes_nothing_last_for_ever(fleet: Fleet) -> None:
    fleet.see(ONE)
    fleet.time -= 86_400
    fleet.see(ONE)
    assert fleet.looks == 2


def test_a_failure_is_everybodys_for_half_a_minute(fleet: Fleet) -> None:
    fleet.error = ParticleError("not_found", "No such product.", status=404, route="GET /v1/products/:p")
    for _unused in range(2):
        with pytest.raises(ParticleError) as caught:
            fleet.see(ONE)
    assert fleet.looks == 1
    assert (caught.value.code, caught.value.status) == ("not_found", 404)
    assert "30 seconds" in caught.value.hint
    fleet.error = None
    fleet.time += REFUSAL_SECONDS
    assert fleet.see(ONE) is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"read_at": "now"}\n', b'{"read_at": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_file_is_as_good_as_none(fleet: Fleet, content: bytes) -> None:
    fleet.see(ONE)
    fleet.file.write_bytes(content)
    assert fleet.see(ONE) is not None
    assert fleet.looks == 2


def test_a_file_that_others_can_read_is_replaced(fleet: Fleet) -> None:
    fleet.see(ONE)
    fleet.file.chmod(0o644)
    assert fleet.see(ONE) is not None
    assert stat.S_IMODE(fleet.file.stat().st_mode) == 0o600


def test_what_lies_about_is_for_its_user_alone_and_holds_no_secret(fleet: Fleet) -> None:
    umask = os.umask(0)
    try:
        fleet.see(ONE)
    finally:
        os.umask(umask)
    files = sorted(fleet.folder.iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 2
    left = " ".join([*(file.name for file in files), *(file.read_text() for file in files)])
    assert "hush" not in left
    assert TOKEN not in left


def test_what_nobody_has_asked_for_in_an_hour_is_swept_away(fleet: Fleet) -> None:
    fleet.see(ONE)
    old = fleet.file
    os.utime(old, (START - 3601, START - 3601))
    fleet.see(ONE, fleet=("another",))
    assert not old.exists()
    assert fleet.file.exists()
