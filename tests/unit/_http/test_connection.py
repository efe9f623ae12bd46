# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that all spellings of the URL of a cloud lead to the same run lock and session."""

from __future__ import annotations

from pathlib import Path

import pytest
from token_cloud import LOGIN

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import read_connection


def connect(url: str) -> Connection:
    return read_connection({"api_url": url}, {})[0]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "HTTP://LocalHost.:8080/"),
        ("http://localhost", "http://127.0.0.1:80"),
        ("https://cloud.example.com", "https://Cloud.Example.COM:443/"),
        ("https://cloud.example.com/api", "https://cloud.example.com.:443/api//"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
    ],
)
def test_spellings_of_a_url_share_run_lock_and_session(tmp_path: Path, url: str, same: str) -> None:
    first, second = connect(url), connect(same)
    assert identify_login(first, LOGIN) == identify_login(second, LOGIN)
    with (
        hold_run_lock(tmp_path, first.cloud, "pump"),
        pytest.raises(ParticleError, match="Another run is working on product pump"),
        hold_run_lock(tmp_path, second.cloud, "pump"),
    ):
        pytest.fail("the lock is held twice")


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://localhost:8080", "http://localhost:8081"),
        ("http://localhost:8080", "https://localhost:8080"),
        ("http://localhost", "http://localhost:443"),
        ("http://localhost", "http://127.0.0.2"),
        ("http://localhost", "http://[::1]"),
        ("https://cloud.example.com", "https://cloud.example.com/api"),
        ("https://cloud.example.com/api", "https://cloud.example.com/API"),
    ],
)
def test_different_clouds_share_nothing(url: str, other: str) -> None:
    assert connect(url).cloud != connect(other).cloud
