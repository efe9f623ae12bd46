# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event filter names the host of a device, so that a playbook runs on this host only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.event_source import load_plugin

DEVICE = "e00fce68aabbccddeeff0022"
OTHER = "e00fce68aabbccddeeff0033"

Filter = Callable[..., dict[str, Any]]


@pytest.fixture
def hosts() -> Filter:
    """The event filter, which has read no file yet."""
    main: Filter = load_plugin("event_filter", "hosts").main
    return main


def build_event(device: str | None = DEVICE, key: str = "particle") -> dict[str, Any]:
    """Return an event of a device."""
    return {key: {"device": device, "name": "reading"}, "meta": {"uuid": "1"}}


def write_map(path: Path, **hostvars: Any) -> Path:
    """Write a file as `ansible-inventory --list` does, and return its path."""
    text = json.dumps({"_meta": {"hostvars": hostvars}, "all": {"children": ["ungrouped"]}})
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
    return path


def test_id_is_the_host_without_a_map(hosts: Filter) -> None:
    assert hosts(build_event())["meta"] == {"uuid": "1", "hosts": [DEVICE]}


@pytest.mark.parametrize("variable", ["particle", "particle_device"])
def test_host_is_found_by_the_id_in_its_variable(hosts: Filter, tmp_path: Path, variable: str) -> None:
    path = write_map(
        tmp_path / "hosts.json", barn={variable: {"id": DEVICE.upper()}}, gate={variable: {"id": OTHER}}, router={}
    )
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == ["barn"]
    assert hosts(build_event(OTHER), map=str(path))["meta"]["hosts"] == ["gate"]


def test_id_can_be_marked_as_a_value_from_a_cloud(hosts: Filter, tmp_path: Path) -> None:
    path = write_map(tmp_path / "hosts.json", barn={"particle": {"id": {"__ansible_unsafe": DEVICE}}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == ["barn"]


def test_host_may_have_the_id_as_its_name(hosts: Filter, tmp_path: Path) -> None:
    path = write_map(tmp_path / "hosts.json", **{DEVICE: {}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == [DEVICE]


def test_event_of_a_webhook_has_the_device_in_its_payload(hosts: Filter) -> None:
    assert hosts(build_event(key="payload"))["meta"]["hosts"] == [DEVICE]


@pytest.mark.parametrize("event", [build_event(None), build_event("all"), {"other": 5}, {"particle": None}, {}])
def test_event_without_a_device_is_not_changed(hosts: Filter, event: dict[str, Any]) -> None:
    before = json.dumps(event)
    assert json.dumps(hosts(event)) == before


def test_unknown_device_is_limited_to_a_host_that_does_not_exist(hosts: Filter, tmp_path: Path) -> None:
    path = write_map(tmp_path / "hosts.json", gate={"particle": {"id": OTHER}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == [DEVICE]


@pytest.mark.parametrize("name", ["all:!gate", "~.*", "*", "@file", "a,b", "ga[te]", "-x"])
def test_name_that_is_a_pattern_is_never_used(hosts: Filter, tmp_path: Path, name: str) -> None:
    path = write_map(tmp_path / "hosts.json", **{name: {"particle": {"id": DEVICE}}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == [DEVICE]


@pytest.mark.parametrize("name", ["all", "ungrouped", "north"])
def test_name_that_is_also_a_group_is_never_used(hosts: Filter, tmp_path: Path, name: str) -> None:
    # given a device that has the name of a group, with which a playbook would run on all hosts of the group
    content = {"_meta": {"hostvars": {name: {"particle": {"id": DEVICE}}}}, "north": {"hosts": [name, "gate"]}}
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps(content))
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == [DEVICE]


def test_changed_map_is_read_again(hosts: Filter, tmp_path: Path) -> None:
    path = write_map(tmp_path / "hosts.json", barn={"particle": {"id": DEVICE}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == ["barn"]
    write_map(path, stable={"particle": {"id": DEVICE}})
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == ["stable"]


@pytest.mark.parametrize("damage", ["write", "remove"])
def test_damaged_map_does_not_replace_the_earlier_one(
    hosts: Filter, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_map(tmp_path / "hosts.json", barn={"particle": {"id": DEVICE}})
    hosts(build_event(), map=str(path))
    if damage == "write":
        path.write_text('{"_meta"')
    else:
        path.unlink()
    assert hosts(build_event(), map=str(path))["meta"]["hosts"] == ["barn"]
    assert "The earlier content stays in use." in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "not the output of ansible-inventory"),
        ("[]", "not the output of ansible-inventory"),
        ('{"_meta": {"hostvars": []}}', "not the output of ansible-inventory"),
    ],
)
def test_unusable_map_is_named_at_the_first_event(
    hosts: Filter, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "hosts.json"
    if content is not None:
        path.write_text(content)
    for _unused in range(2):
        with pytest.raises(ValueError, match=message) as caught:
            hosts(build_event(), map=str(path))
        assert str(path) in str(caught.value)


def test_pipe_is_not_read_as_a_map(hosts: Filter, tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not a regular file"):
        hosts(build_event(), map=str(path))
