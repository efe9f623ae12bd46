# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The members of a Thread network are listed with their parents, in facts, exports and the report."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.inventory.data import InventoryData

from ansible_collections.meshfleet.particle.plugins.filter.report import report_csv, report_data, report_json
from ansible_collections.meshfleet.particle.plugins.inventory import devices as inventory
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import select_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from ansible_collections.meshfleet.particle.plugins.modules import device_info as info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._inventory_cache import CacheOrigin
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import build_rows
from support.thread_networks import ROUTER, ThreadRunner, build_manifest

SIX = {f"18b43000{number:08x}": f"J01NME{number:04d}" for number in range(1, 7)}
FIRST, *_OTHERS = SIX
SLEEPER = "18b43000000000aa"


def list_networks(runner: ThreadRunner) -> list[dict[str, Any]]:
    """Return option ``thread_networks`` with network barn."""
    return [{"name": "barn", "border_routers": [{"url": url} for url in runner.otbr.urls]}]


def run_device_info(runner: ThreadRunner, **options: Any) -> dict[str, Any]:
    """Return the result of ``device_info`` for network barn."""
    defaults = {"mac_variable": None, "products": [], "account_devices": False, "include": ["mesh"]}
    defaults |= {"variables": [], "as_manifest": False, "manifest_form": "minimal", "api_url": ROUTER}
    options = {**defaults, "thread_networks": list_networks(runner), **options}
    return carry_out_work(Task(options, False, [].append, [].append), info.device_info)


@pytest.fixture
def formed(runner: ThreadRunner) -> ThreadRunner:
    """Return a runner whose network has seven members. One of them sleeps."""
    runner.otbr.add_nodes([{"eui64": SLEEPER, "pskd": "S1EEPER", "kind": "sleepy"}])
    result = runner.run(build_manifest({**SIX, SLEEPER: "S1EEPER"}, urls=runner.otbr.urls))
    assert not result.get("failed"), result
    return runner


def test_facts_show_network_parent_and_link_of_each_member(formed: ThreadRunner) -> None:
    result = run_device_info(formed)
    assert not result.get("failed"), result
    found = {device["eui64"]: device for device in result["devices"]}
    assert found.keys() == {*SIX, SLEEPER}
    assert {device["mesh"]["state"] for device in found.values()} == {"joined"}
    truth = {node["eui64"]: node for node in formed.otbr.nodes()}
    by_address = {row["ext_address"]: row["eui64"] for row in (*formed.otbr.nodes(), *formed.otbr.routers())}
    for eui64, device in found.items():
        parent = truth[eui64]["parent"]
        parents = (None,) if parent is None else (parent, by_address[parent])
        assert device["thread"]["parent"] in parents
        assert (device["thread"]["link_quality"] is None) is (parent is None)
        assert (device["id"], device["online"], device["presence"]) == (None, True, "confirmed")


def test_member_that_is_gone_is_listed_as_lost(formed: ThreadRunner) -> None:
    formed.otbr.change_node(FIRST, powered=False)
    formed.otbr.advance(600)
    (lost,) = [device for device in run_device_info(formed)["devices"] if device["eui64"] == FIRST]
    assert (lost["mesh"]["state"], lost["online"]) == ("lost", False)


def test_exported_manifest_changes_nothing(formed: ThreadRunner) -> None:
    manifest = run_device_info(formed, as_manifest=True)["manifest"]
    assert manifest["networks"]["barn"]["border_routers"] == [{"url": url} for url in formed.otbr.urls]
    result = formed.run(manifest)
    assert (result["changed"], result["summary"]["ok"]) == (False, 7)


def test_report_and_inventory_have_a_row_for_each_member(formed: ThreadRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = build_rows(run_device_info(formed)["devices"])
    assert {(row["network"], row["role"], row["state"]) for row in rows} == {("barn", "node", "joined")}
    options = {
        **dict.fromkeys(inventory.SPEC),
        **{"products": [], "account_devices": False, "accounts": [], "page_size": 100},
        **{"hostnames": ["name", "id"], "group_by": ["network"], "thread_networks": list_networks(formed)},
    }
    (gathered,) = inventory.read_accounts(options, Filters())
    plugin = inventory.InventoryModule()
    plugin.inventory = InventoryData()
    monkeypatch.setattr(plugin, "_construct", lambda constructed, devices: None)
    plugin._add_hosts(select_devices(gathered, Filters(), 0.0), options)
    assert {host.name for host in plugin.inventory.groups["network_barn"].hosts} == {*SIX, SLEEPER}


def test_inventory_cache_contains_no_hash_of_a_proxy_password() -> None:
    recipes = []
    for password in ("one-pr0xypass", "two-pr0xypass"):
        router = {"url": ROUTER, "username": "jane", "password": password}
        networks = [{"name": "barn", "border_routers": [router]}]
        recipes.append(CacheOrigin("barn.yml", {"accounts": [], "thread_networks": networks}, ()).recipe)
    assert recipes[0] == recipes[1]


def test_files_of_a_report_contain_no_key(formed: ThreadRunner) -> None:
    devices = run_device_info(formed)["devices"]
    about = {"products": [], "advisories": []}
    files = [report_csv(devices), report_json(devices, about), report_data(devices, about)]
    assert all(FIRST in text for text in files)
    datasets = [row["dataset"] for row in formed.otbr.routers()]
    secrets = [*SIX.values(), "S1EEPER", *(dataset[key] for dataset in datasets for key in ("networkKey", "pskc"))]
    assert [secret for secret in secrets for text in files if secret.lower() in text.lower()] == []


def test_mistakes_in_the_option_are_reported_together(runner: ThreadRunner) -> None:
    networks = [{"name": "Barn 1", "border_routers": [{"url": "10.0.0.1"}]}]
    result = run_device_info(runner, thread_networks=networks)
    assert result["error"]["code"] == "invalid_option"
    assert "thread_networks[0].name: is not a valid network name" in result["msg"]
    assert "thread_networks[0].border_routers[0].url: must be the URL of a border router" in result["msg"]


def test_border_router_without_a_network_is_an_error(runner: ThreadRunner) -> None:
    result = run_device_info(runner)
    assert result["error"]["code"] == "not_found"
    assert "No border router of network barn is in a network" in result["msg"]
