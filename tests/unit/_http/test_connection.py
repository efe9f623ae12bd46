# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that all spellings of the URL of a cloud lead to the same run lock, session, stored token and profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore, build_entry
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import read_connection
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import read_settings
from support.token_cloud import LOGIN


def connect(url: str) -> Connection:
    return read_connection({"api_url": url}, {})[0]


SPELLINGS = [
    ("http://localhost:8080", "http://127.0.0.1:8080"),
    ("http://localhost:8080", "HTTP://LocalHost.:8080/"),
    ("http://localhost", "http://127.0.0.1:80"),
    ("https://cloud.example.com", "https://Cloud.Example.COM:443/"),
    ("https://cloud.example.com/api", "https://cloud.example.com.:443/api//"),
    ("http://[::1]:8080", "http://[::1]:8080/"),
]


@pytest.mark.parametrize(("url", "same"), SPELLINGS)
def test_spellings_of_a_url_share_run_lock_and_session(tmp_path: Path, url: str, same: str) -> None:
    first, second = connect(url), connect(same)
    assert identify_login(first, LOGIN) == identify_login(second, LOGIN)
    with (
        hold_run_lock(tmp_path, first.cloud, "pump"),
        pytest.raises(ParticleError, match="Another run is working on product pump"),
        hold_run_lock(tmp_path, second.cloud, "pump"),
    ):
        pytest.fail("the lock is held twice")


def store_token(path: Path, label: Label, token: str) -> None:
    with TokenStore(path).lock_entry(label) as locked:
        locked.entry.update(build_entry(Grant(token, "bearer", 3600), 0.0))
        locked.save()


@pytest.mark.parametrize(("url", "same"), SPELLINGS)
def test_spellings_of_a_url_share_stored_tokens(tmp_path: Path, url: str, same: str) -> None:
    path = tmp_path / "tokens.json"
    store_token(path, Label(connect(url).api_url, "a@example.com", "particle", ""), "first-token")
    options = {"api_url": same, "token_file": str(path)}
    assert read_settings(options, {}, now=0.0).login == ReadyToken("first-token")
    store_token(path, Label(connect(same).api_url, "a@example.com", "particle", ""), "second-token")
    assert [entry["api_url"] for entry in TokenStore(path).list_entries(0.0)] == [connect(url).api_url]


def test_stored_token_with_an_invalid_url_belongs_to_no_cloud(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    label = Label("https://cloud.example.com:port", "a@example.com", "particle", "")
    store_token(path, label, "stored-token")
    options = {"api_url": "https://cloud.example.com", "token_file": str(path)}
    assert read_settings(options, {"HOME": str(tmp_path)}, now=0.0).login is None


@pytest.mark.parametrize(("url", "same"), SPELLINGS)
def test_spellings_of_a_url_share_a_profile(tmp_path: Path, url: str, same: str) -> None:
    profile = {"access_token": "tools-token", "apiUrl": url}
    (tmp_path / ".particle").mkdir()
    (tmp_path / ".particle" / "particle.config.json").write_text(json.dumps(profile))
    settings = read_settings({"api_url": same}, {"HOME": str(tmp_path)}, now=0.0)
    assert settings.login == ReadyToken("tools-token")


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
