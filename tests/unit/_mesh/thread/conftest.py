# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Fixtures for the tests of backend thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import BACKENDS
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import THREAD
from support.otbr import BorderRouters
from support.thread_networks import ThreadRunner


@pytest.fixture
def make_runner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_proxies: None
) -> Callable[[BorderRouters], ThreadRunner]:
    """Return a function that creates a runner for simulated border routers, and registers its backend."""

    def make(otbr: BorderRouters) -> ThreadRunner:
        runner = ThreadRunner(otbr, tmp_path)
        monkeypatch.setitem(BACKENDS, THREAD.name, runner.build_row())
        return runner

    return make


@pytest.fixture
def runner(otbr: BorderRouters, make_runner: Callable[[BorderRouters], ThreadRunner]) -> ThreadRunner:
    """Return a runner for two border routers without a network, and six nodes that try to join."""
    return make_runner(otbr)
