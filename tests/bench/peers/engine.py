# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the engine of `fleet` in a separate process, to measure its CPU time and memory without Ansible.

Usage: engine.py URL TOKEN MANIFEST WORKERS; prints requests, writes, seconds, CPU seconds (of the run, and of the whole
program) and peak megabytes as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from peak import peak_megabytes

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import Allowance
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest


def main() -> None:
    """Run the engine, and print the measurements."""
    url, token, path, workers = sys.argv[1:5]
    manifest = read_manifest(*parse_yaml(Path(path).read_text(), Path(path).name))
    start, start_cpu = time.monotonic(), time.process_time()
    # No budget, because waits for the rate limit of the cloud would distort the measurement.
    http = Http(Connection(url), budget=Budget(Allowance({})), workers=int(workers))
    http.use_token(token)
    result = reconcile(http, manifest, RunSettings(False, Verification("none")), Callbacks(print))
    print(
        json.dumps(
            {
                "summary": {status: number for status, number in result["summary"].items() if status != "networks"},
                "requests": http.usage.requests,
                "writes": http.usage.writes,
                "seconds": time.monotonic() - start,
                "cpu": time.process_time() - start_cpu,
                "whole_cpu": time.process_time(),
                "megabytes": peak_megabytes(),
            }
        )
    )


if __name__ == "__main__":
    main()
