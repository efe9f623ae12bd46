# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run a soak in this process: `python -m support.soak FOLDER DAYS`. Prints a line of JSON for each day."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

from support.fleet_files import device_id
from support.simulator import PASSWORD, USERNAME, running_simulator
from support.soak.clock import Clock
from support.soak.fleet import READER_FILE, START

# The event source must be loaded before Ansible's loader, which would search for a package at its path.
from support.soak.watcher import Watcher

FLAGS = ("--limits", "documented", "--token-listing", "enabled", "--streams-at-token-end", "close")


def main() -> None:
    """Start the cloud, replace the clock and run the story."""
    folder, days = Path(sys.argv[1]), int(sys.argv[2])
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def report(day: dict[str, Any]) -> None:
        output.write(json.dumps(day) + "\n")
        output.flush()

    # Devices have environment variables since Device OS 6.4.
    fleet = [{"id": device_id(number), "system_firmware_version": "6.4.0"} for number in range(START + 10 + days)]
    file = folder / "fleet.json"
    file.write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(file), *FLAGS) as simulator:
        os.environ.update(PARTICLE_API_URL=simulator.url, PARTICLE_USERNAME=USERNAME, PARTICLE_PASSWORD=PASSWORD)
        clock = Clock(simulator.url)
        with clock.replace_system_clock():
            # Ansible finds the plugins of a collection only if its loader is there before the collection is imported.
            init_plugin_loader()
            from support.soak.story import Story

            watcher = Watcher(simulator, clock, folder / READER_FILE)
            Story(simulator, clock, watcher, folder, days).tell(days, report)


if __name__ == "__main__":
    main()
