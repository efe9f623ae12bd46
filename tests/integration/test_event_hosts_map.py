# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event filter reads the output of `ansible-inventory` with the inventory plugin of the collection."""

from __future__ import annotations

from pathlib import Path

from support.event_cloud import add_to_product
from support.event_source import load_plugin
from support.inventories import read_cloud_inventory, rename_device
from support.simulator import Simulator


def test_output_of_ansible_inventory_is_a_map(simulator: Simulator, tmp_path: Path) -> None:
    # given devices with names in an inventory
    device, other = add_to_product(simulator, 2)
    rename_device(simulator, device, "barn-gateway")
    listed = read_cloud_inventory(simulator, tmp_path)
    path = tmp_path / "hosts.json"
    path.write_text(listed.stdout)
    # when the filter receives their events
    main = load_plugin("event_filter", "hosts").main
    events = [main({"particle": {"device": one}}, map=str(path)) for one in (device, other)]
    # then each event has the host of its device
    assert [event["meta"]["hosts"] for event in events] == [["barn-gateway"], [other]]
