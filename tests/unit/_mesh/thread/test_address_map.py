# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The addresses of members are remembered for later runs, and a run without the file goes on."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.address_map import AddressMap

BARN, YARD = "aabb112233445566", "0000000000000001"
FIRST, SECOND = "18b4300000000001", "18b4300000000002"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path)}


def find_file(environment: dict[str, str]) -> Path:
    (file,) = Path(environment["XDG_CACHE_HOME"]).rglob("thread-members.json")
    return file


def test_addresses_are_found_by_later_runs_of_the_same_network(environment: dict[str, str]) -> None:
    known = AddressMap.open(environment, BARN)
    assert (known.known, known.find_eui64("a1"), known.list_addresses(FIRST)) == (frozenset(), None, set())
    known.add({"a1": FIRST, "a2": SECOND})
    AddressMap.open(environment, YARD).add({"a1": SECOND})
    again = AddressMap.open(environment, BARN)
    assert again.known == known.known == {FIRST, SECOND}
    assert (again.find_eui64("a1"), again.list_addresses(SECOND)) == (FIRST, {"a2"})
    assert AddressMap.open(environment, YARD).find_eui64("a1") == SECOND
    assert stat.S_IMODE(find_file(environment).stat().st_mode) == 0o600


def test_device_that_has_joined_again_loses_its_former_address(environment: dict[str, str]) -> None:
    known = AddressMap.open(environment, BARN)
    known.add({"a1": FIRST, "a2": SECOND})
    known.add({"a3": FIRST})
    for addresses in (known, AddressMap.open(environment, BARN)):
        assert (addresses.find_eui64("a1"), addresses.find_eui64("a2")) == (None, SECOND)
        assert addresses.list_addresses(FIRST) == {"a3"}


def test_nothing_is_written_without_a_new_address(environment: dict[str, str]) -> None:
    AddressMap.open(environment, BARN).add({})
    assert list(Path(environment["XDG_CACHE_HOME"]).rglob("*.json")) == []


def test_oldest_networks_are_forgotten(environment: dict[str, str]) -> None:
    for number in range(201):
        AddressMap.open(environment, f"{number:016x}").add({"a1": FIRST})
    networks = json.loads(find_file(environment).read_text())
    assert list(networks) == [f"{number:016x}" for number in range(1, 201)]
    AddressMap.open(environment, f"{1:016x}").add({"a2": SECOND})
    networks = json.loads(find_file(environment).read_text())
    assert list(networks) == [f"{number:016x}" for number in (*range(2, 201), 1)]


def test_damaged_file_is_replaced(environment: dict[str, str]) -> None:
    AddressMap.open(environment, BARN).add({"a1": FIRST})
    find_file(environment).write_text("{")
    known = AddressMap.open(environment, BARN)
    assert known.known == frozenset()
    known.add({"a2": SECOND})
    assert AddressMap.open(environment, BARN).known == {SECOND}


def test_addresses_are_known_in_the_run_if_no_file_can_be_used(environment: dict[str, str]) -> None:
    AddressMap.open(environment, BARN).add({"a1": FIRST})
    find_file(environment).chmod(0o644)
    known = AddressMap.open(environment, BARN)
    assert known.known == frozenset()
    known.add({"a2": SECOND})
    known.add({"a3": FIRST})
    assert (known.find_eui64("a2"), known.find_eui64("a3")) == (SECOND, FIRST)
    assert json.loads(find_file(environment).read_text()) == {BARN: {"a1": FIRST}}


def test_folder_that_cannot_be_made_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    known = AddressMap.open({"XDG_CACHE_HOME": str(tmp_path / "cache")}, BARN)
    known.add({"a1": FIRST})
    assert known.known == {FIRST}
