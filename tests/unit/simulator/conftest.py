# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Provide a running simulator to the tests, which share its process and reset it before each test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from simulator_client import (
    ACCOUNTS,
    FLEET,
    OTHER,
    Cloud,
    EventStream,
    OpenStream,
    User,
    open_stream,
    started,
    write_json,
)


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run a simulator with several accounts and a device of every kind."""
    folder = tmp_path_factory.mktemp("simulator")
    accounts = write_json(folder / "accounts.json", ACCOUNTS)
    fleet = write_json(folder / "fleet.json", FLEET)
    with started(folder, "--accounts", accounts, "--fleet", fleet) as (_unused, port):
        yield Cloud(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def cloud_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cloud]]:
    """Return a function that runs the same simulator with more flags, and resets it at each call."""
    ports: dict[tuple[str, ...], int] = {}
    with ExitStack() as running:

        def get(*flags: str) -> Cloud:
            if flags not in ports:
                folder = tmp_path_factory.mktemp("simulator")
                accounts = write_json(folder / "accounts.json", ACCOUNTS)
                fleet = write_json(folder / "fleet.json", FLEET)
                process = started(folder, "--accounts", accounts, "--fleet", fleet, *flags)
                ports[flags] = running.enter_context(process)[1]
            fresh = Cloud(f"http://127.0.0.1:{ports[flags]}")
            assert fresh.call("POST", "/_simulator/reset").status_code == 200
            return fresh

        yield get


@pytest.fixture
def cloud(running_cloud: Cloud) -> Cloud:
    """Return the simulator in its start state, with a new connection."""
    fresh = Cloud(running_cloud.base)
    assert fresh.call("POST", "/_simulator/reset").status_code == 200
    return fresh


@pytest.fixture
def demo(cloud: Cloud) -> User:
    """Return the owner of the product."""
    return cloud.user()


@pytest.fixture
def other(cloud: Cloud) -> User:
    """Return a user without a product."""
    return cloud.user(OTHER)


@pytest.fixture
def listen() -> Iterator[OpenStream]:
    """Return a function that opens a stream on a new connection; the streams are closed after the test."""
    with ExitStack() as stack:
        yield lambda user, path: EventStream(stack.enter_context(open_stream(user, path)))
