# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A token that somebody else has obtained is used as it is, and looked at before it is."""

from __future__ import annotations

import pytest
from token_cloud import token, trail

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud


def test_it_is_handed_out_without_a_request_and_nobody_knows_its_end(http: Http, scripted_cloud: ScriptedCloud) -> None:
    grant = ReadyToken(token(1)).obtain_grant(http, {"expires_in": "60"}, {})
    assert (grant.access_token, grant.token_type, grant.expires_in) == (token(1), "bearer", None)
    assert trail(scripted_cloud) == []


def test_another_token_is_another_login_and_names_nobody() -> None:
    login = ReadyToken("short-token")
    assert login.get_identity() == ("access_token", "short-token")
    assert (login.display_names, login.account) == (("", ""), None)


def test_it_is_never_shown_however_short_it_is() -> None:
    redact = Redactor()
    ReadyToken("short-token").mask_secrets(redact)
    assert redact("It is short-token.") == f"It is {MASK}."
    assert "short-token" not in repr(ReadyToken("short-token"))


@pytest.mark.parametrize("given", [token(1), "t", "~!+/="])
def test_any_word_may_be_a_token(given: str) -> None:
    assert ReadyToken(given).find_problems() == []


def test_an_empty_one_is_said_to_be_empty() -> None:
    (problem,) = ReadyToken("").find_problems()
    assert (problem.code, problem.message) == ("token_invalid", "The access token is empty.")


@pytest.mark.parametrize("given", [token(1) + "\n", "two words", "t\u00f6ken", "t\x00"])
def test_what_no_token_holds_is_told_with_the_way_out_and_without_the_token(given: str) -> None:
    (problem,) = ReadyToken(given).find_problems()
    assert problem.code == "token_invalid"
    assert problem.message == "The access token contains spaces, line breaks or other invalid characters."
    assert problem.hint == "Give the bare token; when it is read from a file, remove the line break with '| trim'."
