# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Fixtures of the tests of the lower layers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.redis_server import RedisServer, running_redis
from support.scripted import ScriptedCloud

sys.path.insert(0, str(Path(__file__).resolve().parent))

from turned_clock import TurnedClock, conversation


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that only moves when somebody sleeps."""
    return TurnedClock()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxies the environment of the tests has, there are none."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def http(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    """A conversation with the scripted cloud, not logged in."""
    http = conversation(scripted_cloud.url, clock)
    yield http
    http.close()


@pytest.fixture(scope="session")
def store() -> Iterator[RedisServer]:
    """A Redis. One for all tests of a process: who uses it empties it first."""
    with running_redis() as server:
        yield server
