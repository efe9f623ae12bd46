# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a damaged file of shared logins, or a wrong clock, never stops a task."""

from __future__ import annotations

import hashlib
import hmac
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.counts import FULL_EXAMPLES, QUICK_EXAMPLES, count
from support.token_cloud import LOGIN, mode, token, write_private
from support.turned_clock import TurnedClock

IDENTITY = ("https://cloud.example.com", *LOGIN.get_identity())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


def grant_first(memory: Memory) -> Grant:
    return Grant(token(1), "bearer", 3600)


def grant_second(memory: Memory) -> Grant:
    return Grant(token(2), "bearer", 3600)


def refuse(memory: Memory) -> Grant:
    raise ParticleError("invalid_credentials", "Could not log in.", status=400, route="POST /oauth/token")


def lose_connection(memory: Memory) -> Grant:
    raise ParticleError("unreachable", "Could not log in.")


# A damaged file


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMORY = st.fixed_dictionaries(
    {},
    optional={
        "token": JSON | st.just("line\r\nbreak"),
        "ends": JSON,
        "otp_period": JSON,
        "keep_until": JSON,
        "refusal": JSON | st.fixed_dictionaries({"code": JSON, "message": JSON, "hint": JSON, "until": JSON}),
    },
)
SALT = "0" * 32
STORED_KEY = hmac.new(bytes.fromhex(SALT), "\0".join(IDENTITY).encode(), hashlib.sha256).hexdigest()
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "salt": st.just(SALT) | JSON,
        "logins": JSON | st.fixed_dictionaries({STORED_KEY: MEMORY | JSON}),
        "check_mode": JSON | st.dictionaries(st.text(max_size=8), JSON, max_size=2),
    },
)


@settings(max_examples=count(quick=QUICK_EXAMPLES, full=FULL_EXAMPLES), deadline=None)
@given(CONTENT | JSON)
def test_login_works_with_any_content_of_the_file(content: Any) -> None:
    clock = TurnedClock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sessions.json")
        write_private(path, content)
        store = SessionStore(path, clock)
        shared = store.get_token(IDENTITY, grant_first)
        assert re.fullmatch("[!-~]+", shared)
        assert store.get_token(IDENTITY, refuse) == shared
        store.note_check_mode(token(2))
        assert store.is_of_check_mode(token(2))
        store.forget_token(shared)
        assert store.find_token(IDENTITY) is None
        assert mode(path) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        '{"salt": 5}',
        '{"salt": "zz"}',
        f'{{"salt": "{SALT}", "logins": []}}',
        f'{{"salt": "{SALT}", "logins": {{"{STORED_KEY}": {{"token": "a\\r\\nb", "ends": 3000}}}}}}',
        f'{{"salt": "{SALT}", "logins": {{"{STORED_KEY}": {{"token": "abc", "ends": NaN}}}}}}',
        f'{{"salt": "{SALT}", "logins": {{"{STORED_KEY}": {{"refusal": {{"until": 500}}}}}}}}',
        f'{{"salt": "{SALT}", "check_mode": {{"x": "y"}}}}',
        '{"salt": "',
        "",
        "[]",
        "[" * 100_000,
    ],
)
def test_damaged_file_is_replaced_with_a_warning(path: Path, clock: TurnedClock, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)
    warnings: list[str] = []
    assert SessionStore(path, clock, warnings.append).get_token(IDENTITY, grant_first) == token(1)
    assert [f"The stored logins in {path} are damaged." in warning for warning in warnings] == [True]
    warnings.clear()
    assert SessionStore(path, clock, warnings.append).get_token(IDENTITY, grant_first) == token(1)
    assert warnings == []


def test_file_that_others_can_read_is_made_private_and_used(path: Path, clock: TurnedClock) -> None:
    SessionStore(path, clock).get_token(IDENTITY, grant_first)
    path.chmod(0o640)
    warnings: list[str] = []
    assert SessionStore(path, clock, warnings.append).get_token(IDENTITY, refuse) == token(1)
    assert mode(path) == 0o600
    (warning,) = warnings
    assert f"Other users could read {path} (mode 0640)" in warning


@pytest.mark.parametrize("method", ["hash_tokens", "get_token"])
def test_file_that_others_can_write_to_is_refused(path: Path, clock: TurnedClock, method: str) -> None:
    SessionStore(path, clock).get_token(IDENTITY, grant_first)
    path.chmod(0o660)
    with pytest.raises(ParticleError, match="other users can access it") as caught:
        getattr(SessionStore(path, clock), method)(*(() if method == "hash_tokens" else (IDENTITY, refuse)))
    assert "Move the file away" in caught.value.hint


# A wrong clock


@pytest.mark.parametrize("fail", [refuse, lose_connection])
@pytest.mark.parametrize("ahead", [2.0, 30 * 86400.0])
def test_refusal_from_the_future_does_not_block_a_login(
    path: Path, clock: TurnedClock, fail: Callable[[Memory], Grant], ahead: float
) -> None:
    clock.now = ahead
    with pytest.raises(ParticleError):
        SessionStore(path, clock).get_token(IDENTITY, fail)
    clock.now = 0.0
    assert SessionStore(path, clock).get_token(IDENTITY, grant_first) == token(1)


def test_token_from_the_future_is_replaced(path: Path, clock: TurnedClock) -> None:
    clock.now = 30 * 86400.0
    SessionStore(path, clock).get_token(IDENTITY, grant_first)
    clock.now = 0.0
    assert SessionStore(path, clock).get_token(IDENTITY, grant_second) == token(2)
