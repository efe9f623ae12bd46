# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The engine of `fleet` in a process of its own, so that its CPU time and memory can be told from Ansible's.

Usage: engine.py URL TOKEN MANIFEST.json; prints requests, writes, seconds, CPU seconds and peak megabytes as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.manifest import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import Proof, reconcile
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Connection, Http


def main() -> None:
    url, token, manifest = sys.argv[1:4]
    data = json.loads(Path(manifest).read_text())
    began, cpu = time.monotonic(), time.process_time()
    # Without a budget: what is measured is the engine, and not the patience of the cloud.
    http = Http(Connection(url), budget=Budget({}))
    http.authorize(token)
    result = reconcile(http, read_manifest(data), check_mode=False, proof=Proof("none"), warn=print)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "summary": result["summary"],
                "requests": http.usage.requests,
                "writes": http.usage.writes,
                "waited": http.usage.budget_wait_seconds,
                "seconds": time.monotonic() - began,
                "cpu": time.process_time() - cpu,
                "megabytes": usage.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
