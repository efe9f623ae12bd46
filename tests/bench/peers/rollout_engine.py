# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the engine of `rollout` in a separate process, to measure its CPU time and memory without Ansible.

Usage: rollout_engine.py URL TOKEN OPTIONS POLLS; OPTIONS is a file with all options of the module as JSON, and POLLS is
the number of further checks of a run that waits. The waiting time between two checks is skipped. Prints the state of
the rollout, requests and writes, the requests of the first check, CPU seconds and peak megabytes as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from peak import peak_megabytes

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import Allowance
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import Waiting, read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.reconcile import Run, run_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store

PRODUCT = "field-logger"
PAUSE = 5.0


class SkippingClock:
    """A clock that moves forward by the waiting times, and does not wait."""

    def __init__(self) -> None:
        self.waited = 0.0

    def sleep(self, seconds: float) -> None:
        """Move the clock forward."""
        self.waited += seconds

    def as_clock(self) -> Clock:
        """Return the functions with which the engine tells the time and waits."""
        return replace(SYSTEM_CLOCK, sleep=self.sleep, monotonic=lambda: self.waited)


def main() -> None:
    """Run the engine, and print the measurements."""
    url, token, path, polls = sys.argv[1:5]
    declared = read_declaration(json.loads(Path(path).read_text()))
    start = time.process_time()
    # No budget, because waits for the rate limit of the cloud would distort the measurement.
    http = Http(Connection(url), budget=Budget(Allowance({})), workers=16)
    http.use_token(token)
    clock = SkippingClock().as_clock()
    target = Target(http, get_product(http, PRODUCT), lambda warning: None)
    looks: list[int] = []
    run = Run(
        target,
        declared.rollout,
        declared.filters,
        Store(open_memory(target, None), clock),
        False,
        Waiting(PAUSE * int(polls), PAUSE, PAUSE) if int(polls) else None,
        clock,
        report=lambda line: looks.append(http.usage.requests),
    )
    result = run_rollout(run).as_result()
    print(
        json.dumps(
            {
                "state": result["state"],
                "requests": http.usage.requests,
                "writes": http.usage.writes,
                "first_look": looks[0],
                "looks": len(looks),
                "cpu": time.process_time() - start,
                "megabytes": peak_megabytes(),
            }
        )
    )


if __name__ == "__main__":
    main()
