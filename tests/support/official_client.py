# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test clouds with Particle's official client for JavaScript (npm package: particle-api-js)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.counts import FULL
from support.paths import OFFICIAL_CLIENT, TESTS
from support.processes import ProcessFailed
from support.simulator import PASSWORD, USERNAME

SUITE = TESTS / "official_client"
ACCOUNTS = SUITE / "accounts.json"
FLEET = SUITE / "fleet.json"
ORG = "acme"
PACKAGES = ("particle-api-js", "particle-api-js-11", "binary-version-reader")
SUITE_SECONDS = 180.0
TOOL_SECONDS = 60.0

COUNTS = re.compile(r"^assertions (\d+) methods (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class SuiteRun:
    """The result of the test suite.

    :ivar assertions: the number of assertions that were checked.
    :ivar methods: the number of methods of the client that were called.
    """

    returncode: int
    output: str
    assertions: int
    methods: int


def run_suite(clouds: Mapping[str, str], installed: Path = OFFICIAL_CLIENT) -> SuiteRun:
    """Run the test suite `tests/official_client/suite.mjs`. With MESHFLEET_FULL=1, also run the tests that take long.

    :param clouds: the URL of each cloud, keyed by the environment variable from which the suite reads the URL.
    :param installed: the folder into which npm has installed the client.
    :raises ProcessFailed: if the client is not installed, or the suite does not end in time.
    """
    check_installed(installed)
    # Without `--test`, node runs all tests in one process, so that the timeout ends all tests.
    argv = ["node", "--test-reporter=spec", str(SUITE / "suite.mjs")]
    full = "1" if FULL else "0"
    env = {"PATH": os.environ["PATH"], "OFFICIAL_CLIENT": str(installed), "MESHFLEET_FULL": full, **clouds}
    try:
        run = subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SUITE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        printed = (late.output or b"").decode(errors="replace")
        raise ProcessFailed(f"the suite did not end within {SUITE_SECONDS:g} s. It printed:\n{printed}") from late
    output = run.stdout.decode(errors="replace")
    counts = COUNTS.search(output)
    assertions, methods = (int(counts[1]), int(counts[2])) if counts else (0, 0)
    return SuiteRun(run.returncode, output, assertions, methods)


def read_mesh_networks(url: str, *command: str, installed: Path = OFFICIAL_CLIENT) -> dict[str, Any]:
    """Read the mesh networks of a cloud with the last version of the official client that supports mesh networks.

    :param command: the arguments of `tests/official_client/networks.mjs`; `create NAME GATEWAY NODE...` creates a
        network first.
    :returns: the `type`, the `state` and the `members` of each network, keyed by network name. `members` contains the
        role of each member, keyed by device id.
    :raises ProcessFailed: if the client is not installed, or the program fails.
    """
    check_installed(installed)
    credentials = {"USERNAME": USERNAME, "PASSWORD": PASSWORD, "MESH_CLOUD_URL": url}
    run = subprocess.run(
        ["node", str(SUITE / "networks.mjs"), *(command or ("read",))],
        env={"PATH": os.environ["PATH"], "OFFICIAL_CLIENT": str(installed), **credentials},
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    if run.returncode != 0:
        raise ProcessFailed(f"the official client ended with {run.returncode}. It printed:\n{run.stderr}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def check_installed(installed: Path) -> None:
    """Raise `ProcessFailed` unless npm has installed all packages into a folder."""
    if not all((installed / "node_modules" / name / "package.json").is_file() for name in PACKAGES):
        raise ProcessFailed(
            "The official client is not installed. Run `make test` or `make integration`, which need Node.js with npm."
        )
