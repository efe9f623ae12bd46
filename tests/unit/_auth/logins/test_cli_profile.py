# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the use of the login of the official command line tool, for the cloud of that login only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.cli_profile import (
    Profile,
    list_profile_tokens,
    read_active_name,
    read_profile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    Settings,
    read_settings,
)
from support.turned_clock import TurnedClock

API, SELF_HOSTED = "https://api.particle.io", "https://own.example.com"


def write_profile(home: Path, name: str = "particle", content: Any = None, **keys: Any) -> Path:
    """Write a profile as the official command line tool does, and return its path."""
    path = home / ".particle" / f"{name}.config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps({"access_token": "tools-token", **keys}))
    return path


def load_settings(home: Path, **options: Any) -> Settings:
    return read_settings(options, {"HOME": str(home)}, now=0.0)


# Reading a profile


@pytest.mark.parametrize(
    ("keys", "profile"),
    [
        ({}, (None, None)),
        ({"username": "demo@example.com"}, ("demo@example.com", None)),
        ({"apiUrl": SELF_HOSTED}, (None, SELF_HOSTED)),
        ({"username": 7, "apiUrl": None, "lastUpdated": 1}, (None, None)),
        ({"apiUrl": ""}, (None, None)),
    ],
)
def test_token_username_and_cloud_are_read_from_the_profile(
    tmp_path: Path, keys: dict[str, Any], profile: tuple[str | None, str | None]
) -> None:
    path = write_profile(tmp_path, **keys)
    assert read_profile("particle", tmp_path) == Profile("tools-token", *profile, path)
    assert "tools-token" not in repr(profile)


@pytest.mark.parametrize(
    "content",
    [
        '{"username": "demo@example.com"}',
        '{"access_token": null}',
        '{"access_token": ""}',
        "null",
    ],
)
def test_profile_without_an_access_token_counts_as_logged_out(tmp_path: Path, content: str) -> None:
    write_profile(tmp_path, content=content)
    assert read_profile("particle", tmp_path) is None


def test_missing_profile_counts_as_logged_out(tmp_path: Path) -> None:
    assert read_profile("particle", tmp_path) is None


DAMAGED = [
    ("", "it is not valid JSON (Expecting value at line 1, column 1)"),
    ('{\n"access_token": "tools-token"', "it is not valid JSON (Expecting ',' delimiter at line 2, column 30)"),
    (b"\xff\xfe{", "it is not encoded in UTF-8"),
    ("[]", "it must contain a JSON object, got a list"),
    ('"tools-token"', "it must contain a JSON object, got a string"),
    ("[" * 100_000, "it is not valid JSON"),
]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        *DAMAGED,
        ('{"access_token": 7}', "access_token must be a string, got a number"),
        ('{"access_token": {"tools-token": 1}}', "access_token must be a string, got a mapping"),
        ('{"access_token": "tools-token", "apiUrl": ["x"]}', "apiUrl must be a string, got a list"),
        ('{"access_token": "tools-token", "apiUrl": true}', "apiUrl must be a string, got true"),
    ],
)
def test_damaged_profile_is_reported_without_its_content(tmp_path: Path, content: str | bytes, reason: str) -> None:
    path = write_profile(tmp_path)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ParticleError) as caught:
        read_profile("particle", tmp_path)
    expected = f"The profile in {path} cannot be read: {reason}."
    assert (caught.value.code, caught.value.message) == ("unsafe_file", expected)
    assert "Log in again with the official command line tool" in caught.value.hint
    assert "tools-token" not in f"{caught.value.as_failure()}"


def test_folder_in_place_of_a_profile_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".particle" / "particle.config.json").mkdir(parents=True)
    with pytest.raises(ParticleError, match="cannot be read: Is a directory"):
        read_profile("particle", tmp_path)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../other", "a/b", "/etc/passwd", "a b", "a\n", "-x", ".hidden", "a\x00"]
)
def test_invalid_profile_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParticleError, match="is not a valid profile name") as caught:
        read_profile(name, tmp_path)
    assert (caught.value.code, caught.value.hint) == ("invalid_option", "Correct profile.")


# The cloud of a profile


@pytest.mark.parametrize(
    ("keys", "api_url", "expected_url"),
    [
        ({}, None, API),
        ({}, API, API),
        ({}, f"{API}/", API),
        ({"apiUrl": f"{API}/"}, API, API),
        ({"apiUrl": SELF_HOSTED}, None, SELF_HOSTED),
        ({"apiUrl": SELF_HOSTED}, f"{SELF_HOSTED}//", SELF_HOSTED),
    ],
)
def test_profile_is_used_for_its_own_cloud_with_or_without_api_url(
    tmp_path: Path, keys: dict[str, str], api_url: str | None, expected_url: str
) -> None:
    write_profile(tmp_path, **keys)
    settings = load_settings(tmp_path, **({} if api_url is None else {"api_url": api_url}))
    assert (settings.login, settings.connection.api_url) == (ReadyToken("tools-token"), expected_url)
    assert settings.source == "the login of the official command line tool"


@pytest.mark.parametrize(
    ("keys", "api_url"),
    [
        ({}, SELF_HOSTED),
        ({"apiUrl": SELF_HOSTED}, API),
        ({"apiUrl": SELF_HOSTED}, f"{SELF_HOSTED}:8443"),
        ({"apiUrl": SELF_HOSTED}, "http://own.example.com"),
        ({"apiUrl": SELF_HOSTED}, f"{SELF_HOSTED}.evil.example.com"),
        ({"apiUrl": SELF_HOSTED}, f"{SELF_HOSTED}/v2"),
    ],
)
@pytest.mark.parametrize("source", ["options", "environment"])
def test_profile_is_not_used_for_another_cloud(tmp_path: Path, keys: dict[str, str], api_url: str, source: str) -> None:
    write_profile(tmp_path, **keys)
    options, variables = ({"api_url": api_url}, {}) if source == "options" else ({}, {"PARTICLE_API_URL": api_url})
    settings = read_settings({"profile": "particle", **options}, {"HOME": str(tmp_path), **variables}, now=0.0)
    assert (settings.login, settings.connection.api_url) == (None, api_url)


@given(
    profile_url=st.sampled_from([None, API, SELF_HOSTED, "http://localhost:8080", f"{SELF_HOSTED}/v1"]),
    api_url=st.sampled_from([None, API, SELF_HOSTED, "http://localhost:8080", f"{SELF_HOSTED}/v1", f"{API}/"]),
)
def test_any_api_url_uses_the_token_only_for_its_own_cloud(
    tmp_path_factory: pytest.TempPathFactory, profile_url: str | None, api_url: str | None
) -> None:
    home = tmp_path_factory.mktemp("home")
    write_profile(home, **({} if profile_url is None else {"apiUrl": profile_url}))
    settings = load_settings(home, **({} if api_url is None else {"api_url": api_url}))
    assert settings.login is None or settings.connection.api_url == (profile_url or API)


def test_host_of_a_profile_that_is_too_long_is_reported_with_the_file(tmp_path: Path) -> None:
    path = write_profile(tmp_path, apiUrl=f"https://{'h' * 64}.example.com")
    with pytest.raises(ParticleError, match="64 characters between two dots") as caught:
        load_settings(tmp_path)
    assert caught.value.message.startswith(f"The host in apiUrl in the profile {path} has ")
    assert caught.value.hint.startswith("Correct apiUrl, log in again")


def test_invalid_timeout_beside_a_profile_is_not_blamed_on_the_profile(tmp_path: Path) -> None:
    write_profile(tmp_path, apiUrl=SELF_HOSTED)
    with pytest.raises(ParticleError) as caught:
        load_settings(tmp_path, timeout=0)
    assert (caught.value.message, caught.value.hint) == (
        "timeout must be a number of seconds above 0, got 0.",
        "Correct timeout.",
    )


def test_unreachable_cloud_of_a_profile_is_reported_with_the_file(tmp_path: Path) -> None:
    path = write_profile(tmp_path, apiUrl="http://127.0.0.1:9")
    clock = TurnedClock()
    http = Http(load_settings(tmp_path).connection, clock=Clock(clock.sleep, clock, clock))
    with pytest.raises(ParticleError) as caught:
        http.send(Request("GET /v1/devices", "list the devices"))
    assert caught.value.code == "unreachable"
    assert caught.value.hint.startswith(f"Check apiUrl in the profile {path}, the network and any proxy")


def test_named_pipe_in_place_of_a_profile_is_reported(tmp_path: Path) -> None:
    path = write_profile(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ParticleError) as caught:
        load_settings(tmp_path)
    assert caught.value.message == f"The profile in {path} cannot be read: it is not a regular file."


def test_unencrypted_cloud_of_a_profile_causes_a_warning(tmp_path: Path) -> None:
    write_profile(tmp_path, apiUrl="http://own.example.com")
    (warning,) = load_settings(tmp_path).warnings
    assert "http://own.example.com is not encrypted" in warning


@pytest.mark.parametrize("url", ["ftp://own.example.com", "https://demo:s3cret@own.example.com", "own.example.com"])
def test_profile_with_an_invalid_cloud_url_is_refused(tmp_path: Path, url: str) -> None:
    write_profile(tmp_path, apiUrl=url)
    with pytest.raises(ParticleError) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "not_a_cloud"
    assert f"apiUrl in the profile {tmp_path}/.particle/particle.config.json" in caught.value.message
    assert "s3cret" not in f"{caught.value.as_failure()}"


# The choice of a profile


def test_chosen_profile_is_used(tmp_path: Path) -> None:
    write_profile(tmp_path, access_token="customary")
    write_profile(tmp_path, "staging", access_token="staging")
    assert load_settings(tmp_path).login == ReadyToken("customary")
    assert load_settings(tmp_path, profile="staging").login == ReadyToken("staging")
    environment = {"HOME": str(tmp_path), "PARTICLE_PROFILE": "staging"}
    assert read_settings({}, environment, now=0.0).login == ReadyToken("staging")


def write_active_name(home: Path, content: str | bytes) -> Path:
    """Write the file in which the official command line tool stores the name of the active profile."""
    path = home / ".particle" / "profile.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_active_profile_is_used_unless_another_is_chosen(tmp_path: Path) -> None:
    write_profile(tmp_path, access_token="customary")
    write_profile(tmp_path, "staging", access_token="staging", apiUrl=SELF_HOSTED)
    write_active_name(tmp_path, '{"name": "staging"}')
    active = load_settings(tmp_path)
    assert (active.login, active.connection.api_url) == (ReadyToken("staging"), SELF_HOSTED)
    assert load_settings(tmp_path, profile="particle").login == ReadyToken("customary")
    environment = {"HOME": str(tmp_path), "PARTICLE_PROFILE": "particle"}
    assert read_settings({}, environment, now=0.0).login == ReadyToken("customary")


def test_active_profile_without_a_login_is_not_replaced_by_another(tmp_path: Path) -> None:
    write_profile(tmp_path, access_token="customary")
    write_active_name(tmp_path, '{"name": "staging"}')
    assert load_settings(tmp_path).login is None


@pytest.mark.parametrize("content", ["null", "{}", '{"name": null}', '{"name": ""}', '{"name": "particle"}'])
def test_default_profile_is_active_unless_another_is_named(tmp_path: Path, content: str) -> None:
    assert read_active_name(tmp_path) == "particle"
    write_active_name(tmp_path, content)
    assert read_active_name(tmp_path) == "particle"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        *DAMAGED,
        ('{"name": 5}', "name must be a string, got a number"),
        ('{"name": "../other"}', "name must be a valid profile name, got '../other'"),
    ],
)
def test_damaged_name_of_the_active_profile_is_reported(tmp_path: Path, content: str | bytes, reason: str) -> None:
    write_profile(tmp_path)
    path = write_active_name(tmp_path, content)
    with pytest.raises(ParticleError) as caught:
        load_settings(tmp_path)
    expected = f"The profile in {path} cannot be read: {reason}."
    assert (caught.value.code, caught.value.message) == ("unsafe_file", expected)


def test_damaged_profile_does_not_matter_with_other_credentials(tmp_path: Path) -> None:
    write_active_name(tmp_path, "{")
    assert load_settings(tmp_path, access_token="given").login == ReadyToken("given")


def test_chosen_profile_without_a_login_is_an_error(tmp_path: Path) -> None:
    write_profile(tmp_path)
    with pytest.raises(ParticleError, match="The profile staging contains no login"):
        load_settings(tmp_path, profile="staging")


def test_default_profile_may_be_missing(tmp_path: Path) -> None:
    assert load_settings(tmp_path).login is None


# All profiles


def test_tokens_of_all_readable_profiles_are_listed(tmp_path: Path) -> None:
    assert list_profile_tokens(tmp_path) == []
    write_profile(tmp_path)
    write_profile(tmp_path, "staging", access_token="other-token")
    write_profile(tmp_path, "damaged", "{")
    write_profile(tmp_path, "empty", access_token=None)
    write_profile(tmp_path, "-not-a-name")
    assert list_profile_tokens(tmp_path) == ["tools-token", "other-token"]
