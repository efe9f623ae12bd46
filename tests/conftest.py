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
from support.otbr import BorderRouters, running_border_routers
from support.paths import ROOT
from support.real_server import RealServer, running_real_server
from support.scripted import ScriptedCloud, scripted_cloud
from support.simulator import Simulator, running_simulator

FLEET = 20
NODES = 6
LONGEST = frozenset(
    "test_auth_doctor test_check_mode test_examples test_report test_secrets test_tokens "
    "test_declared_state_property test_fault_storm test_faults test_mesh_moments test_mesh_runs test_reconcile "
    "test_rollout_budget test_rollout_truth "
    "test_token_lifecycle".split()
)
"""The slowest files of a short run: integration tests of more than a minute, unit tests of more than five seconds."""

# Hypothesis reads this variable when it first needs its folder.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".cache" / "hypothesis"))

# Short runs use the same examples each time; full runs use new ones. A shared machine can be slow at any moment, so
# examples have no deadline, and the check for slow generation of data is off.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", patient, max_examples=QUICK_EXAMPLES, derandomize=True)
settings.register_profile("full", patient, max_examples=FULL_EXAMPLES, print_blob=True)
settings.load_profile("full" if FULL else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that only `make proofs` runs, and sort the others.

    The slowest files come first, and then the files with long tests. A slow file that started last would run alone
    while the other workers are idle.
    """
    left_out = [] if FULL else [item for item in items if item.get_closest_marker("only_full")]
    config.hook.pytest_deselected(items=left_out)
    long = {item.path for item in items for mark in ("full", "only_full", "timeout") if item.get_closest_marker(mark)}
    selected = (item for item in items if item not in left_out)
    items[:] = sorted(selected, key=lambda item: (item.path.stem not in LONGEST, item.path not in long))


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers here and not in pyproject.toml, which ansible-test does not read."""
    only_full = "only_full: a test that runs only under MESHFLEET_FULL=1, because it is long or requires root"
    config.addinivalue_line("markers", only_full)
    config.addinivalue_line("markers", "full: a long test, with larger counts under MESHFLEET_FULL=1")
    config.addinivalue_line("markers", "timeout: time limit of a test in seconds, which requires pytest-timeout")
    config.addinivalue_line("markers", "real_server: requires the cloud from npm, which `make test` installs")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded with `record_property("said", text)`.

    Tests record them because the output of pytest-xdist workers is lost.
    """
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
    """The simulator with a fleet of 20 devices, reset to its initial state."""
    _simulator_process.reset()
    return _simulator_process


@pytest.fixture(scope="session")
def _otbr_process() -> Iterator[BorderRouters]:
    with running_border_routers("--routers=2", f"--nodes={NODES}") as routers:
        yield routers


@pytest.fixture
def otbr(_otbr_process: BorderRouters) -> BorderRouters:
    """Two border routers without a network and six nodes that try to join, in their start state. The clock is still."""
    _otbr_process.reset()
    return _otbr_process


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealServer]:
    """The compatible cloud from npm. All tests share it, so each test must create a separate account."""
    with running_real_server() as server:
        yield server


@pytest.fixture(name="scripted_cloud")
def scripted_cloud_fixture() -> Iterator[ScriptedCloud]:
    """A cloud with scripted answers."""
    with scripted_cloud() as cloud:
        yield cloud
