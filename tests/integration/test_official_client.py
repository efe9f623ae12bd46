# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the simulator with Particle's official client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.official_client import ACCOUNTS, FLEET, ORG, SuiteRun, run_suite
from support.simulator import running_simulator

MIN_ASSERTIONS = 80
MIN_METHODS = 60

CLOUDS = {
    "CLOUD_URL": ("--fleet", "40", "--clock", "still"),
    "MESH_CLOUD_URL": ("--fleet", "60", "--mesh", "enabled"),
    "ORG_CLOUD_URL": ("--fleet", str(FLEET), "--org", ORG),
    "CLOSING_CLOUD_URL": ("--streams-at-token-end", "close"),
}


@pytest.fixture(scope="module")
def suite_run() -> Iterator[SuiteRun]:
    with ExitStack() as stack:
        urls = {
            variable: stack.enter_context(running_simulator("--accounts", str(ACCOUNTS), *flags)).url
            for variable, flags in CLOUDS.items()
        }
        yield run_suite(urls)


def test_official_client_suite_passes_on_the_simulator(suite_run: SuiteRun) -> None:
    assert suite_run.returncode == 0, suite_run.output


def test_suite_makes_enough_assertions_and_calls_enough_methods(suite_run: SuiteRun) -> None:
    assert suite_run.assertions >= MIN_ASSERTIONS, suite_run.output
    assert suite_run.methods >= MIN_METHODS, suite_run.output
