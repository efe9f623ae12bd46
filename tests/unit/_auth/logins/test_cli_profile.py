# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The login of the official command line tool is used where it is, and never for another cloud than its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.cli_profile import Profile, read_profile
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    Settings,
    read_settings,
)

API, OWN = "https://api.particle.io", "https://own.example.com"


def log_in(home: Path, name: str = "particle", content: Any = None, **keys: Any) -> Path:
    path = home / ".particle" / f"{name}.config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps({"access_token": "tools-token", **keys}))
    return path


def settled(home: Path, **given_options: str) -> Settings:
    return read_settings(given_options, {"HOME": str(home)}, now=0.0)


# Reading


@pytest.mark.parametrize(
    ("keys", "profile"),
    [
        ({}, Profile("tools-token", None, None)),
        ({"username": "demo@example.com"}, Profile("tools-token", "demo@example.com", None)),
        ({"apiUrl": OWN}, Profile("tools-token", None, OWN)),
        ({"username": 7, "apiUrl": None, "lastUpdated": 1}, Profile("tools-token", None, None)),
    ],
)
def test_a_login_is_read_as_the_tool_has_left_it(tmp_path: Path, keys: dict[str, Any], profile: Profile) -> None:
    log_in(tmp_path, **keys)
    assert read_profile("particle", tmp_path) == profile
    assert "tools-token" not in repr(profile)


@pytest.mark.parametrize(
    "content",
    [
        '{"username": "demo@example.com"}',
        '{"access_token": null}',
        '{"access_token": ""}',
        '{"access_token": 7}',
        "[]",
        '"text"',
    ],
)
def test_a_tool_that_is_logged_out_has_no_login(tmp_path: Path, content: str) -> None:
    log_in(tmp_path, content=content)
    assert read_profile("particle", tmp_path) is None


def test_a_tool_that_was_never_here_has_none_either(tmp_path: Path) -> None:
    assert read_profile("particle", tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", '{"access_token": "tools-token"'])
def test_a_profile_that_cannot_be_read_is_told_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = log_in(tmp_path, content=content)
    with pytest.raises(ParticleError) as caught:
        read_profile("particle", tmp_path)
    assert (caught.value.code, caught.value.message) == ("unsafe_file", f"The profile in {path} cannot be read.")
    assert (
        caught.value.hint == "Log in again with the official command line tool, or give credentials in other options."
    )
    assert "tools-token" not in f"{caught.value.as_failure()}"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../other", "a/b", "/etc/passwd", "a b", "a\n", "-x", ".hidden", "a\x00"]
)
def test_a_name_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParticleError, match="is not a valid profile name") as caught:
        read_profile(name, tmp_path)
    assert (caught.value.code, caught.value.hint) == ("invalid_option", "Correct profile.")


# For which cloud


@pytest.mark.parametrize(
    ("keys", "named", "used"),
    [
        ({}, None, API),
        ({}, API, API),
        ({}, f"{API}/", API),
        ({"apiUrl": f"{API}/"}, API, API),
        ({"apiUrl": OWN}, None, OWN),
        ({"apiUrl": OWN}, f"{OWN}//", OWN),
    ],
)
def test_a_login_is_used_for_its_own_cloud_which_need_not_be_named(
    tmp_path: Path, keys: dict[str, str], named: str | None, used: str
) -> None:
    log_in(tmp_path, **keys)
    settings = settled(tmp_path, **({} if named is None else {"api_url": named}))
    assert (settings.login, settings.connection.api_url) == (ReadyToken("tools-token"), used)
    assert settings.source == "the login of the official command line tool"


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({}, OWN),
        ({"apiUrl": OWN}, API),
        ({"apiUrl": OWN}, f"{OWN}:8443"),
        ({"apiUrl": OWN}, "http://own.example.com"),
        ({"apiUrl": OWN}, f"{OWN}.evil.example.com"),
        ({"apiUrl": OWN}, f"{OWN}/v2"),
    ],
)
@pytest.mark.parametrize("source", ["options", "environment"])
def test_a_token_is_never_sent_to_another_cloud_than_its_own(
    tmp_path: Path, keys: dict[str, str], named: str, source: str
) -> None:
    log_in(tmp_path, **keys)
    options, variables = ({"api_url": named}, {}) if source == "options" else ({}, {"PARTICLE_API_URL": named})
    settings = read_settings({"profile": "particle", **options}, {"HOME": str(tmp_path), **variables}, now=0.0)
    assert (settings.login, settings.connection.api_url) == (None, named)


@given(
    own=st.sampled_from([None, API, OWN, "http://localhost:8080", f"{OWN}/v1"]),
    named=st.sampled_from([None, API, OWN, "http://localhost:8080", f"{OWN}/v1", f"{API}/"]),
)
def test_whatever_is_named_the_token_goes_home_or_nowhere(
    tmp_path_factory: pytest.TempPathFactory, own: str | None, named: str | None
) -> None:
    home = tmp_path_factory.mktemp("home")
    log_in(home, **({} if own is None else {"apiUrl": own}))
    settings = settled(home, **({} if named is None else {"api_url": named}))
    assert settings.login is None or settings.connection.api_url == (own or API)


def test_of_a_login_whose_cloud_is_not_encrypted_there_is_a_warning(tmp_path: Path) -> None:
    log_in(tmp_path, apiUrl="http://own.example.com")
    (warning,) = settled(tmp_path).warnings
    assert "http://own.example.com is not encrypted" in warning


@pytest.mark.parametrize("url", ["ftp://own.example.com", "https://demo:s3cret@own.example.com", "own.example.com"])
def test_a_login_for_what_is_no_cloud_is_refused(tmp_path: Path, url: str) -> None:
    log_in(tmp_path, apiUrl=url)
    with pytest.raises(ParticleError) as caught:
        settled(tmp_path)
    assert caught.value.code == "not_a_cloud"
    assert "s3cret" not in f"{caught.value.as_failure()}"


# Which profile


def test_a_chosen_profile_is_used(tmp_path: Path) -> None:
    log_in(tmp_path, access_token="customary")
    log_in(tmp_path, "staging", access_token="staging")
    assert settled(tmp_path).login == ReadyToken("customary")
    assert settled(tmp_path, profile="staging").login == ReadyToken("staging")
    environment = {"HOME": str(tmp_path), "PARTICLE_PROFILE": "staging"}
    assert read_settings({}, environment, now=0.0).login == ReadyToken("staging")


def test_a_chosen_profile_without_a_login_is_a_mistake_and_not_replaced_by_another(tmp_path: Path) -> None:
    log_in(tmp_path)
    with pytest.raises(ParticleError, match="The profile staging contains no login"):
        settled(tmp_path, profile="staging")


def test_the_customary_profile_need_not_be_there(tmp_path: Path) -> None:
    assert settled(tmp_path).login is None
