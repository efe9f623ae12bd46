# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Fixtures for all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# pyproject.toml tells pytest where `support` is, and `make setup` installs the simulator. ansible-test does neither.
sys.path.extend([str(Path(__file__).parent), str(Path(__file__).parents[1] / "simulator")])

from support.counts import FULL, FULL_EXAMPLES, QUICK_EXAMPLES
from support.paths import ROOT
from support.real_server import RealServer, running_real_server
from support.scripted import ScriptedCloud, scripted_cloud
from support.simulator import Simulator, running_simulator

FLEET = 20
LONGEST = frozenset("test_auth_doctor test_check_mode test_examples test_report test_secrets test_tokens".split())
"""The files that take longest in a short run: each more than a minute."""

# Hypothesis asks for its folder when it first needs it.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".cache" / "hypothesis"))

# Short runs find the same today and tomorrow; the full ones look further each time. A shared machine may be
# slow at any moment, so no example has a deadline, and none is too slow to be made.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", patient, max_examples=QUICK_EXAMPLES, derandomize=True)
settings.register_profile("full", patient, max_examples=FULL_EXAMPLES, print_blob=True)
settings.load_profile("full" if FULL else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make proofs` runs; pytest says how much that is.

    The longest files come first, then those with long proofs: one that began last would run alone, while the other
    workers have nothing left.
    """
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("only_full")]
    config.hook.pytest_deselected(items=left_out)
    long = {item.path for item in items for mark in ("full", "only_full", "timeout") if item.get_closest_marker(mark)}
    kept = (item for item in items if item not in left_out)
    items[:] = sorted(kept, key=lambda item: (item.path.stem not in LONGEST, item.path not in long))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known here, where ansible-test finds them too: it has settings of its own."""
    alone = "only_full: a proof that runs under MESHFLEET_FULL=1 alone, because it is long or wants the rights of root"
    config.addinivalue_line("markers", alone)
    config.addinivalue_line("markers", "full: a long proof, whose counts grow under MESHFLEET_FULL=1")
    config.addinivalue_line("markers", "timeout: seconds that a proof may take, heeded where pytest-timeout is there")
    config.addinivalue_line("markers", "real_server: needs the compatible cloud from npm, which `make test` installs")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what proofs have measured: `record_property("said", text)`. What a worker of pytest-xdist prints is lost."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    calls = [report for report in reports if getattr(report, "when", None) == "call"]
    figures = [text for report in calls for name, text in report.user_properties if name == "said"]
    if figures:
        terminalreporter.section("figures")
    for text in figures:
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def _simulator_process() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(FLEET)) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator_process: Simulator) -> Simulator:
    """The simulator with a fleet of 20, as fresh as on its first day."""
    _simulator_process.reset()
    return _simulator_process


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealServer]:
    """The compatible cloud from npm. One for all tests: give each test an account of its own."""
    with running_real_server() as server:
        yield server


@pytest.fixture(name="scripted_cloud")
def scripted_cloud_fixture() -> Iterator[ScriptedCloud]:
    """A cloud that answers what the test has scripted."""
    with scripted_cloud() as cloud:
        yield cloud
