# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that no host of the inventory has the name of a group, so that a name always selects the right devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet_files import device_id
from support.inventories import Inventory, read_inventory, write_inventory
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_ID, USERNAME, Simulator, running_simulator

BARN, NORTH = device_id(1), device_id(2)
NO_PREFIX = {"key": "particle.groups", "prefix": "", "separator": ""}


@pytest.fixture(scope="module")
def _fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    file = tmp_path_factory.mktemp("fleet") / "fleet.json"
    rows = [
        {"id": BARN, "product_id": PRODUCT_ID, "owner": USERNAME, "name": "barn", "groups": ["north"]},
        {"id": NORTH, "product_id": PRODUCT_ID, "owner": USERNAME, "name": "north"},
    ]
    file.write_text(json.dumps(rows))
    with running_simulator("--fleet", str(file)) as cloud:
        yield cloud


@pytest.fixture
def cloud(_fleet: Simulator) -> Simulator:
    _fleet.reset()
    return _fleet


def read(cloud: Simulator, folder: Path, *files: Path) -> Inventory:
    sources = [argument for file in files[1:] for argument in ("-i", str(file))]
    inventory = read_inventory(files[0], cloud_environment(cloud.url), *sources, "--list", home=folder)
    assert inventory.rc == 0, inventory.stderr
    assert "Found both group and host" not in inventory.stderr
    return inventory


def said(inventory: Inventory) -> str:
    return " ".join(inventory.stderr.split())


def list_members(inventory: Inventory, group: str) -> list[str]:
    """Return the ids of the devices that the host pattern `group` selects."""
    names = {*inventory.groups.get(group, []), *({group} & inventory.hosts.keys())}
    return sorted(inventory.hosts[name]["particle"]["id"] for name in names)


def test_limit_to_a_group_selects_only_its_devices(cloud: Simulator, tmp_path: Path) -> None:
    file = write_inventory(
        tmp_path,
        keyed_groups=[NO_PREFIX],
        leading_separator=False,
        groups={"reflash_me": f"particle.id == '{NORTH}'"},
    )
    task = {"name": "Show", "ansible.builtin.debug": {"var": "particle.id"}}
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    for limit, hosts in (("reflash_me", {NORTH}), ("north", {"barn"})):
        run = run_playbook(
            [play], env=cloud_environment(cloud.url), args=["-i", str(file), "--limit", limit]
        ).succeeded()
        assert {task.host for task in run.tasks} == hosts
        assert f"north ({NORTH})" in " ".join(run.output.split())
        assert run.output.count("A group has the same name as these devices") == 1


NAMESAKES = (
    *("mine", "site_north", "boron", "parent", "nothing", "n_True", "composed", "platform_boron", "all", "ungrouped"),
    *("a-b", "c_d"),
)
"""Names of devices. All except `a-b` are names of groups by OPTIONS, because Ansible makes the group `c-d` `c_d`."""

OPTIONS = {
    "group_by": ["platform"],
    "compose": {"site": "'composed'"},
    "groups": {"mine": f"particle.id == '{BARN}'", "a-b": True, "c-d": True},
    "keyed_groups": [
        {"key": "particle.groups", "prefix": "site"},
        {"key": "particle.platform", "prefix": "", "separator": "", "parent_group": "parent"},
        {"key": "particle.notes", "separator": "", "default_value": "nothing"},
        {"key": "{'n': particle.id == '" + BARN + "'}", "separator": ""},
        {"key": "{'n_': true}", "separator": ""},
        {"key": "site", "separator": ""},
    ],
}


def test_devices_with_names_of_groups_are_called_by_their_ids(tmp_path: Path) -> None:
    ids = {device_id(number): name for number, name in enumerate(NAMESAKES, 10)}
    rows = [{"id": device, "product_id": PRODUCT_ID, "name": name} for device, name in ids.items()]
    rows.append({"id": BARN, "product_id": PRODUCT_ID, "name": "barn", "groups": ["north"]})
    (tmp_path / "fleet.json").write_text(json.dumps(rows))
    with running_simulator("--fleet", str(tmp_path / "fleet.json")) as cloud:
        file = write_inventory(tmp_path, **OPTIONS)
        inventory = read(cloud, tmp_path, file)
    assert inventory.hosts.keys() - ids.keys() == {"barn", "a-b"}
    assert list_members(inventory, "mine") == [BARN]
    assert inventory.stderr.count("A group has the same name as these devices") == 1
    assert "and 1 more" in said(inventory)


def test_other_names_remain_when_one_device_is_named_by_its_id(cloud: Simulator, tmp_path: Path) -> None:
    options = {"keyed_groups": [NO_PREFIX], "compose": {"label": "particle.name"}, "group_by": ["platform"]}
    inventory = read(cloud, tmp_path, write_inventory(tmp_path, **options))
    assert set(inventory.hosts) == {"barn", NORTH}
    assert inventory.hosts[NORTH]["label"] == "north"
    assert sorted(inventory.groups["platform_boron"]) == ["barn", NORTH]
    assert list_members(inventory, "north") == [BARN]


def test_group_with_the_id_of_a_device_selects_only_its_members(cloud: Simulator, tmp_path: Path) -> None:
    options = {"groups": {NORTH: f"particle.id == '{BARN}'"}, "hostnames": ["id"]}
    inventory = read(cloud, tmp_path, write_inventory(tmp_path, **options))
    assert list_members(inventory, NORTH) == [BARN]
    assert len(inventory.hosts) == 2


def test_template_with_the_host_name_cannot_name_a_host(cloud: Simulator, tmp_path: Path) -> None:
    options = {"keyed_groups": [{"key": "inventory_hostname", "prefix": "", "separator": ""}]}
    inventory = read(cloud, tmp_path, write_inventory(tmp_path, **options))
    assert inventory.groups == {"barn": [BARN], "north": [NORTH]}


class TestSeveralSources:
    """Tests of names in an inventory with several sources."""

    def test_group_of_an_earlier_source_keeps_its_name(self, cloud: Simulator, tmp_path: Path) -> None:
        static = tmp_path / "a.yml"
        static.write_text(json.dumps({"north": {"hosts": {"server": {"particle": {"id": "x"}}}}}))
        inventory = read(cloud, tmp_path, static, write_inventory(tmp_path))
        assert list_members(inventory, "north") == ["x"]
        assert NORTH in inventory.hosts

    def test_group_of_a_later_file_renames_hosts_of_an_earlier_file(self, cloud: Simulator, tmp_path: Path) -> None:
        first = write_inventory(tmp_path, "a", group_by=["platform"])
        only_barn = {"filters": {"ids": [BARN]}, "keyed_groups": [NO_PREFIX]}
        inventory = read(cloud, tmp_path, first, write_inventory(tmp_path, "b", **only_barn))
        assert set(inventory.hosts) == {"barn", NORTH}
        assert sorted(inventory.groups["platform_boron"]) == ["barn", NORTH]
        assert list_members(inventory, "north") == [BARN]
        assert f"north ({NORTH})" in said(inventory)

    def test_host_of_another_source_with_the_name_of_a_group_is_named(self, cloud: Simulator, tmp_path: Path) -> None:
        static = tmp_path / "a.yml"
        static.write_text(json.dumps({"all": {"hosts": {"db1": {"particle": {"id": None}}}}}))
        file = write_inventory(tmp_path, groups={"db1": True})
        inventory = read_inventory(static, cloud_environment(cloud.url), "-i", str(file), "--list", home=tmp_path)
        assert "select both: db1. Rename the hosts, or add a prefix to keyed_groups." in said(inventory)
