# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read an inventory file as Ansible does, and print hosts, groups, CPU seconds and peak megabytes as JSON.

Usage: inventory.py FILE. The CPU seconds do not include the start of Python and Ansible.
"""

from __future__ import annotations

import json
import sys
import time

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from peak import peak_megabytes


def main() -> None:
    """Read the inventory, and print the measurements."""
    init_plugin_loader()
    # Loading the plugin is not measured, because it does not depend on the number of hosts.
    inventory_loader.get("meshfleet.particle.devices")
    start = time.process_time()
    inventory = InventoryManager(loader=DataLoader(), sources=sys.argv[1:2])
    cpu = time.process_time() - start
    megabytes = peak_megabytes()
    measured = {"hosts": len(inventory.hosts), "groups": len(inventory.groups), "cpu": cpu, "megabytes": megabytes}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
