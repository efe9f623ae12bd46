# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Particle's own client finds in the simulator the cloud that it was written for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.official_client import ACCOUNTS, ORG, SuiteRun, run_suite
from support.simulator import running_simulator

LEAST_ASSERTIONS = 80
LEAST_METHODS = 60

CLOUDS = {
    "CLOUD_URL": ("--fleet", "40"),
    "MESH_CLOUD_URL": ("--fleet", "60", "--mesh", "enabled"),
    "ORG_CLOUD_URL": ("--fleet", "5", "--org", ORG),
}


@pytest.fixture(scope="module")
def verdict() -> Iterator[SuiteRun]:
    with ExitStack() as stack:
        urls = {
            variable: stack.enter_context(running_simulator("--accounts", str(ACCOUNTS), *flags)).url
            for variable, flags in CLOUDS.items()
        }
        yield run_suite(urls)


def test_the_official_client_meets_the_cloud_it_knows(verdict: SuiteRun) -> None:
    assert verdict.returncode == 0, verdict.output


def test_the_official_client_has_looked_at_most_of_what_it_offers(verdict: SuiteRun) -> None:
    assert verdict.assertions >= LEAST_ASSERTIONS, verdict.output
    assert verdict.methods >= LEAST_METHODS, verdict.output
