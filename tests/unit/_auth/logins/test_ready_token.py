# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the use of an access token that the user gives."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import list_requests, token


def test_token_is_used_without_a_request_and_has_no_known_expiry(http: Http, scripted_cloud: ScriptedCloud) -> None:
    grant = ReadyToken(token(1)).obtain_grant(http, {"expires_in": "60"}, {})
    assert (grant.access_token, grant.token_type, grant.expires_in) == (token(1), "bearer", None)
    assert list_requests(scripted_cloud) == []


def test_token_is_the_identity_and_has_no_account() -> None:
    login = ReadyToken("short-token")
    assert login.get_identity() == ("access_token", "short-token")
    assert (login.display_names, login.account) == (("", ""), None)


def test_short_token_is_masked_and_not_shown() -> None:
    redact = Redactor()
    ReadyToken("short-token").mask_secrets(redact)
    assert redact("It is short-token.") == f"It is {MASK}."
    assert "short-token" not in repr(ReadyToken("short-token"))


@pytest.mark.parametrize("value", [token(1), "t", "~!+/="])
def test_token_may_be_short_or_contain_punctuation(value: str) -> None:
    assert ReadyToken(value).find_problems() == []


def test_empty_token_is_reported_as_empty() -> None:
    (problem,) = ReadyToken("").find_problems()
    assert (problem.code, problem.message) == ("token_invalid", "The access token is empty.")


@pytest.mark.parametrize("value", [token(1) + "\n", "two words", "t\u00f6ken", "t\x00"])
def test_token_with_invalid_characters_is_refused_with_a_hint(value: str) -> None:
    (problem,) = ReadyToken(value).find_problems()
    assert problem.code == "token_invalid"
    assert problem.message.endswith(" characters contains spaces, line breaks or other invalid characters.")
    assert (
        problem.hint
        == "Give only the token. If it is read from a file, remove the line break at its end with the filter trim."
    )
