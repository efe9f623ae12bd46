# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the lookup returns the token of a task with the same options, and that its errors contain no secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.meshfleet.particle.plugins.lookup.access_token import LookupModule
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from support.scripted import ScriptedCloud
from support.token_cloud import GRANT, PASSWORD, REFUSED, USERNAME, list_requests, script_grants, token, write_private

ACCOUNT = {"username": USERNAME, "password": PASSWORD}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_proxies: None) -> Path:
    """Return an empty home folder, and clear the environment variables that affect a login."""
    for name in [name for name in os.environ if name.startswith(("PARTICLE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def look_up(cloud: ScriptedCloud, **options: object) -> list[str]:
    return LookupModule().run([], {}, api_url=cloud.url, **options)


def expect_failure(cloud: ScriptedCloud, **options: object) -> str:
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(cloud, **options)
    return str(caught.value)


def test_repeated_lookups_log_in_once(scripted_cloud: ScriptedCloud) -> None:
    script_grants(scripted_cloud, token(1))
    assert [look_up(scripted_cloud, **ACCOUNT) for _unused in range(5)] == [[token(1)]] * 5
    assert list_requests(scripted_cloud) == [f"POST {GRANT}"]


def test_task_with_the_same_options_uses_the_same_token(scripted_cloud: ScriptedCloud) -> None:
    script_grants(scripted_cloud, token(1))
    (looked_up,) = look_up(scripted_cloud, **ACCOUNT)
    task = Task({"api_url": scripted_cloud.url, **ACCOUNT}, False, print, print)
    with task.open_session() as http:
        assert http.token == looked_up
        http.close()
    assert list_requests(scripted_cloud) == [f"POST {GRANT}"]


def test_given_access_token_is_returned_without_a_request(scripted_cloud: ScriptedCloud) -> None:
    assert look_up(scripted_cloud, access_token="ready-token") == ["ready-token"]
    assert scripted_cloud.requests == []


def test_credentials_of_options_and_environment_are_not_combined(
    scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTICLE_ACCESS_TOKEN", "token-of-the-environment")
    assert look_up(scripted_cloud) == ["token-of-the-environment"]
    script_grants(scripted_cloud, token(1))
    assert look_up(scripted_cloud, **ACCOUNT) == [token(1)], (
        "username and password replace the access token of the environment"
    )
    monkeypatch.setenv("PARTICLE_USERNAME", USERNAME)
    assert "Only one of username and password" in expect_failure(scripted_cloud, password=PASSWORD)


def test_token_file_and_cli_profile_are_used_as_sources(scripted_cloud: ScriptedCloud, home: Path) -> None:
    (home / ".particle").mkdir()
    profile = {"access_token": "tools-token", "apiUrl": scripted_cloud.url}
    (home / ".particle" / "particle.config.json").write_text(json.dumps(profile))
    assert look_up(scripted_cloud) == ["tools-token"]
    entry = {"api_url": scripted_cloud.url, "account": USERNAME, "client": "particle", "purpose": ""}
    write_private(home / "tokens.json", {"tokens": [{**entry, "access_token": token(2)}]})
    assert look_up(scripted_cloud, token_file="~/tokens.json") == [token(2)]


def test_refused_login_is_sent_once_and_explained_without_the_password(scripted_cloud: ScriptedCloud) -> None:
    answer = {**REFUSED, "error_description": f"{PASSWORD} is wrong"}
    scripted_cloud.answer("POST", GRANT, 400, json=answer)
    for _unused in range(3):
        message = expect_failure(scripted_cloud, **ACCOUNT)
        assert "does not accept this username and password" in message
        assert "Check username and password" in message
        assert PASSWORD not in message
    assert len(scripted_cloud.requests) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Neither an access token nor username and password are given."),
        ({"username": USERNAME}, "Only one of username and password"),
        ({"access_token": "s3cret token"}, "The access token of 12 characters contains spaces"),
        ({"username": USERNAME, "password": "s3cret\n"}, "The password ends with a line break."),
        ({**ACCOUNT, "client_secret": "s3cret"}, "client_id and client_secret must be given together"),
    ],
)
def test_invalid_credentials_are_reported_before_any_request(
    scripted_cloud: ScriptedCloud, options: dict[str, str], words: str
) -> None:
    message = expect_failure(scripted_cloud, **options)
    assert words in message
    assert "s3cret" not in message
    assert scripted_cloud.requests == []


def test_positional_terms_are_refused_and_not_quoted(scripted_cloud: ScriptedCloud) -> None:
    with pytest.raises(AnsibleLookupError, match="only named options") as caught:
        LookupModule().run([PASSWORD], {}, api_url=scripted_cloud.url)
    assert PASSWORD not in str(caught.value)
