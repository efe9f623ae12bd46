# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read one inventory file as Ansible does, and print what that took: `inventory.py FILE`.

CPU seconds are those of reading and filling the inventory, without the start of Python and of Ansible.
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
    init_plugin_loader()
    inventory_loader.get("meshfleet.particle.devices")  # what is loaded once is no cost of a host
    began = time.process_time()
    inventory = InventoryManager(loader=DataLoader(), sources=sys.argv[1:2])
    cpu = time.process_time() - began
    megabytes = peak_megabytes()
    measured = {"hosts": len(inventory.hosts), "groups": len(inventory.groups), "cpu": cpu, "megabytes": megabytes}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
