# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Provide the fixtures that all unit tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.redis_server import RedisServer, running_redis
from support.scripted import ScriptedCloud
from support.turned_clock import TurnedClock, conversation

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture
def clock() -> TurnedClock:
    """Return a clock that moves only when its `sleep` is called."""
    return TurnedClock()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all proxy variables from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def http(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    """Return a client for the scripted cloud, without a token."""
    http = conversation(scripted_cloud.url, clock)
    yield http
    http.close()


@pytest.fixture(scope="session")
def store() -> Iterator[RedisServer]:
    """Start a Redis for all tests of this process. A test that uses it must empty it first."""
    with running_redis() as server:
        yield server
