# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the text that Ansible shows in diff mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import (
    MAX_LINES,
    ChangedItem,
    Diff,
    describe_diff,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor

NORTH = {"groups": ([], ["north"])}
MAX_SIZE = 250_000


def build_device(number: int, **more: Any) -> ChangedItem:
    changes = {"name": (f"barn-{number}", f"barn-{number}-north"), "notes": (None, "north wall")}
    return ChangedItem(f"e00fce68{number:016x}", **{"name": f"barn-{number}", "changes": changes, **more})


def list_lines(diff: Diff, **options: Any) -> list[str]:
    return describe_diff(diff, lambda value: value, **options).splitlines()


def test_device_has_one_line_with_name_id_and_changes() -> None:
    lines = list_lines(Diff((build_device(7),)))
    assert lines == ["barn-7 (e00fce680000000000000007): name 'barn-7' -> 'barn-7-north'; notes null -> 'north wall'"]


def test_device_without_a_name_is_shown_by_its_identifier() -> None:
    assert list_lines(Diff((ChangedItem("P046AB", NORTH),))) == ["P046AB: groups [] -> ['north']"]


def test_value_that_looks_the_same_is_shown_once() -> None:
    mesh = {"network": "barn", "role": "node"}
    expected = "P046AB: mesh {network: 'barn', role: 'node'} written again"
    assert list_lines(Diff((ChangedItem("P046AB", {"mesh": (mesh, mesh)}),))) == [expected]


def test_note_is_at_the_end_of_each_line() -> None:
    devices = [ChangedItem(f"P046AB{number}", NORTH, note="restarts") for number in range(4)]
    assert list_lines(Diff((devices[0],))) == ["P046AB0: groups [] -> ['north'] (restarts)"]
    (line,) = list_lines(Diff(tuple(devices)))
    assert line.startswith("groups [] -> ['north'] (restarts) on 4 devices: ")


def test_diff_without_changes_is_empty() -> None:
    assert describe_diff(Diff(), lambda value: value) == ""


def test_devices_with_equal_changes_share_a_line() -> None:
    devices = tuple(build_device(number, changes=NORTH) for number in range(18))
    expected = "groups [] -> ['north'] on 18 devices: barn-0, barn-1, barn-2 and 15 more"
    assert list_lines(Diff((build_device(99), *devices)))[0] == expected


def test_devices_without_a_line_are_counted_by_field() -> None:
    lines = list_lines(Diff(tuple(map(build_device, range(20)))))
    assert len(lines) == MAX_LINES
    assert lines[-1] == "and 9 more devices (name on 9, notes on 9); run with -v for all"


def test_last_line_shows_a_device_if_all_devices_fit() -> None:
    lines = list_lines(Diff(tuple(map(build_device, range(MAX_LINES)))))
    assert [line.split()[0] for line in lines] == [f"barn-{number}" for number in range(MAX_LINES)]


def test_removals_come_before_all_other_changes() -> None:
    removal = build_device(50, changes={"product": ("field-logger", None)}, is_removal=True)
    folded = tuple(build_device(number, changes=NORTH) for number in range(18))
    lines = list_lines(Diff((*folded, removal), {"groups": ("north",)}, {"networks": ("barn",)}))
    assert lines[0].startswith("barn-50 ")
    assert lines[1:3] == ["remove networks: barn", "create groups: north"]


def test_removal_without_values_is_shown() -> None:
    removals = tuple(ChangedItem(f"KEY_{number}", {}, is_removal=True) for number in range(3))
    assert list_lines(Diff(removals[:1])) == ["KEY_0: removed"]
    assert list_lines(Diff(removals)) == ["removed on 3 devices: KEY_0, KEY_1, KEY_2"]


def test_hidden_removals_are_counted() -> None:
    devices = (build_device(number, changes={"product": (f"{number}", None)}, is_removal=True) for number in range(30))
    assert list_lines(Diff(tuple(devices)))[-1] == (
        "and 19 more devices (19 removals, product on 19); run with -v for all"
    )


def test_diff_of_any_size_has_no_more_than_twelve_lines() -> None:
    names = tuple(f"group-{number}" for number in range(1_000))
    kinds = {"groups": names, "ledgers": ("mesh", "mesh-status")}
    devices = tuple(build_device(number, is_removal=number % 2 == 0) for number in range(10_000))
    lines = list_lines(Diff(devices, kinds, {"networks": names}), uncertain=names)
    assert len(lines) == MAX_LINES
    assert lines[-1] == "uncertain for 1,000 devices: group-0, group-1, group-2 and 997 more"


def test_whole_diff_has_a_line_for_each_device() -> None:
    devices = tuple(build_device(number, changes=NORTH) for number in range(1_000))
    assert len(list_lines(Diff(devices), max_size=MAX_SIZE)) == 1_000


@pytest.mark.parametrize("notes", ["north wall", "é" * 5_000])
def test_whole_diff_of_ten_thousand_devices_is_bounded(notes: str) -> None:
    devices = tuple(build_device(number, changes={"notes": (None, notes)}) for number in range(10_000))
    text = describe_diff(Diff(devices), lambda value: value, max_size=MAX_SIZE)
    assert 0.9 * MAX_SIZE < len(json.dumps(text)) < MAX_SIZE + 1_000
    hidden = f"{10_000 - text.count(chr(10)) + 1:,}"
    assert text.endswith(f"and {hidden} more devices (notes on {hidden}); the result has no room for them\n")


def test_long_values_are_shortened_around_their_difference() -> None:
    before, after = "a" * 3_000 + "left" + "b" * 3_000, "a" * 3_000 + "right" + "b" * 3_000
    (line,) = list_lines(Diff((build_device(1, changes={"notes": (before, after)}),)))
    assert "notes ..." + "a" * 10 + "leftb" in line
    assert "-> ..." + "a" * 10 + "rightb" in line
    assert len(line) < 250


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (42, "42"),
        ("it's", '"it\'s"'),
        (("north", "south"), "['north', 'south']"),
        ({"network": "barn", "role": "gateway"}, "{network: 'barn', role: 'gateway'}"),
    ],
)
def test_value_is_shown_as_in_yaml(value: Any, shown: str) -> None:
    (line,) = list_lines(Diff((ChangedItem("35", {"field": ("", value)}),)))
    assert line == f"35: field '' -> {shown}"


def test_control_characters_are_escaped() -> None:
    hostile = "\x1b[2J\r\nbarn\u202e"
    (line,) = list_lines(Diff((build_device(1, name=hostile, changes={"name": (hostile, "barn")}),)))
    assert line.isprintable()
    (line,) = list_lines(Diff((), {"groups": (hostile,)}))
    assert line.isprintable()


def test_secret_that_would_be_shortened_is_masked() -> None:
    redact = Redactor()
    redact.add_secret("canary-" * 20)
    changes = {"notes": (None, "key: " + "canary-" * 20), "list": ([], ["canary-" * 20])}
    text = describe_diff(Diff((build_device(1, changes=changes),)), redact.mask_values)
    assert "canary" not in text
    assert "********" in text
