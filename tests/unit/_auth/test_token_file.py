# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the token file, which stores each token under its label and lists tokens without their values."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_fingerprint
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import (
    Label,
    TokenStore,
    build_entry,
    compute_seconds_left,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file
from support.counts import FULL_EXAMPLES, QUICK_EXAMPLES, count
from support.token_cloud import DAY, USERNAME, mode, token, write_private

URL = "https://cloud.example.com"
LABEL = Label(URL, USERNAME, "particle", "nightly report")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def store(path: Path) -> TokenStore:
    return TokenStore(path)


def store_token(
    store: TokenStore, number: int, label: Label = LABEL, expires_in: int | None = 3600, now: float = 0.0
) -> None:
    with store.lock_entry(label) as locked:
        locked.entry.update(build_entry(Grant(token(number), "bearer", expires_in), now))
        locked.save()


def test_stored_token_is_found_under_its_label(store: TokenStore, path: Path) -> None:
    store_token(store, 1)
    with store.lock_entry(LABEL) as locked:
        assert locked.token == token(1)
    assert mode(path) == 0o600


def test_unknown_label_has_no_token_and_creates_no_file(store: TokenStore, path: Path) -> None:
    with store.lock_entry(LABEL) as locked:
        assert locked.token is None
    assert not path.exists()


@pytest.mark.parametrize(
    "other",
    [
        replace(LABEL, api_url="https://other.example.com"),
        replace(LABEL, account="other@example.com"),
        replace(LABEL, client="other"),
        replace(LABEL, purpose=""),
    ],
    ids=["cloud", "account", "client", "purpose"],
)
def test_labels_that_differ_in_one_field_have_separate_tokens(store: TokenStore, other: Label) -> None:
    store_token(store, 1)
    store_token(store, 2, other)
    store_token(store, 3)
    for label, number in ((LABEL, 3), (other, 2)):
        with store.lock_entry(label) as locked:
            assert locked.token == token(number)
    assert len(store.list_entries(0.0)) == 2


def test_file_below_a_file_is_refused_when_entries_are_forgotten(path: Path) -> None:
    path.touch(0o600)
    with pytest.raises(ParticleError, match="Not a directory"):
        TokenStore(path / "tokens.json").forget_entries(lambda entry: True)


@pytest.mark.parametrize(
    ("expires_in", "expires_at"),
    [(3600, "1970-01-02T01:00:00Z"), (0, None), (None, None)],
)
def test_entry_contains_all_facts_of_a_token(expires_in: int | None, expires_at: str | None) -> None:
    entry = build_entry(Grant(token(1), "bearer", expires_in), DAY)
    assert entry == {
        "access_token": token(1),
        "token_type": "bearer",
        "fingerprint": compute_fingerprint(token(1)),
        "obtained_at": "1970-01-02T00:00:00Z",
        "expires_in": expires_in,
        "expires_at": expires_at,
    }
    assert compute_seconds_left(entry, DAY + 600) == (3000 if expires_in else float("inf"))


def test_refresh_token_is_stored_but_not_listed(store: TokenStore) -> None:
    with store.lock_entry(LABEL) as locked:
        locked.entry.update(build_entry(Grant(token(1), "bearer", 3600, "fresh"), 0.0))
        locked.save()
    with store.lock_entry(LABEL) as locked:
        assert locked.entry["refresh_token"] == "fresh"
    assert "fresh" not in str(store.list_entries(0.0))


def test_entry_is_found_without_a_lock_and_can_be_removed(store: TokenStore, path: Path) -> None:
    assert store.find_entry(LABEL) is None
    assert list(path.parent.iterdir()) == []
    store_token(store, 1)
    found = store.find_entry(LABEL)
    assert found is not None
    assert found["access_token"] == token(1)
    with store.lock_entry(LABEL) as locked:
        locked.remove()
    assert store.find_entry(LABEL) is None


# The token for a task with token_file


def test_task_uses_the_token_that_expires_last(store: TokenStore) -> None:
    for number, days in ((1, 1), (2, 3), (3, 2)):
        store_token(store, number, replace(LABEL, purpose=str(number)), expires_in=int(days * DAY))
    assert store.find_usable_token(URL, None, 0.0) == token(2)


def test_task_prefers_a_token_that_does_not_expire(store: TokenStore) -> None:
    store_token(store, 1, replace(LABEL, purpose="1"), expires_in=0)
    store_token(store, 2, replace(LABEL, purpose="2"))
    assert store.find_usable_token(URL, None, 0.0) == token(1)


@pytest.mark.parametrize(("now", "is_usable"), [(3599.0, True), (3600.0, False)])
def test_task_does_not_use_an_expired_token(store: TokenStore, now: float, is_usable: bool) -> None:
    store_token(store, 1)
    assert (store.find_usable_token(URL, None, now) == token(1)) is is_usable


@pytest.mark.parametrize("other", ["https://other.example.com", "http://cloud.example.com", f"{URL}:444", f"{URL}/x"])
def test_task_does_not_use_a_token_of_another_cloud(store: TokenStore, other: str) -> None:
    store_token(store, 1)
    assert store.find_usable_token(other, None, 0.0) is None


@pytest.mark.parametrize(("username", "is_found"), [(None, True), (USERNAME, True), ("other@example.com", False)])
def test_task_with_a_username_uses_only_tokens_of_that_account(
    store: TokenStore, username: str | None, is_found: bool
) -> None:
    store_token(store, 1)
    assert (store.find_usable_token(URL, username, 0.0) is not None) is is_found


def test_unverified_token_is_neither_used_nor_listed(store: TokenStore) -> None:
    with store.lock_entry(LABEL) as locked:
        locked.entry["next"] = build_entry(Grant(token(1), "bearer", 3600), 0.0)
        locked.save()
    assert store.find_usable_token(URL, None, 0.0) is None
    assert store.list_entries(0.0) == []


def test_missing_file_has_no_tokens_and_is_not_created(store: TokenStore, path: Path) -> None:
    assert store.find_usable_token(URL, None, 0.0) is None
    assert store.list_entries(0.0) == []
    store.forget_entries(lambda entry: True)
    assert not path.exists()


# Listing


@pytest.mark.parametrize(
    ("expires_in", "now", "days_left"),
    [(int(10 * DAY), 0.0, 10), (int(10 * DAY), 1.0, 9), (int(DAY) - 1, 0.0, 0), (60, 61.0, -1), (None, 0.0, None)],
)
def test_entry_is_listed_with_its_days_left(
    store: TokenStore, expires_in: int | None, now: float, days_left: int | None
) -> None:
    store_token(store, 1, expires_in=expires_in)
    (row,) = store.list_entries(now)
    assert row["days_left"] == days_left
    assert (row["account"], row["purpose"], row["api_url"], row["client"]) == (
        USERNAME,
        "nightly report",
        URL,
        "particle",
    )
    assert row["fingerprint"] == compute_fingerprint(token(1))


def test_listing_contains_no_token(store: TokenStore) -> None:
    store_token(store, 1)
    with store.lock_entry(LABEL) as locked:
        locked.entry.update(previous=[token(2)], next=build_entry(Grant(token(3), "bearer", 60), 0.0))
        locked.save()
    shown = str(store.list_entries(0.0))
    assert not [number for number in (1, 2, 3) if token(number) in shown]


# Removed and damaged entries


def test_only_matching_entries_are_removed(store: TokenStore, path: Path) -> None:
    store_token(store, 1, replace(LABEL, purpose="1"))
    store_token(store, 2, replace(LABEL, purpose="2"))
    store.forget_entries(lambda entry: entry["access_token"] == token(1))
    assert [entry["access_token"] for entry in json.loads(path.read_text())["tokens"]] == [token(2)]


def test_unknown_keys_of_the_file_are_preserved(store: TokenStore, path: Path) -> None:
    write_private(path, {"comment": "mine", "tokens": []})
    store_token(store, 1)
    assert json.loads(path.read_text())["comment"] == "mine"


@pytest.mark.parametrize(
    "tokens",
    [
        {"a": 1},
        "text",
        7,
        ["text"],
        [None],
        [{"access_token": "s3cret"}],
        [{"api_url": URL, "account": USERNAME, "client": "particle", "purpose": "", "expires_at": "soon"}],
    ],
)
def test_damaged_file_is_refused_and_not_quoted(store: TokenStore, path: Path, tokens: Any) -> None:
    write_private(path, {"tokens": tokens})

    def open_entry() -> None:
        with store.lock_entry(LABEL):
            pytest.fail("a damaged file must be refused")

    for use_file in (
        lambda: store.find_usable_token(URL, None, 0.0),
        lambda: store.list_entries(0.0),
        lambda: store.forget_entries(lambda entry: True),
        open_entry,
    ):
        with pytest.raises(ParticleError, match="is damaged") as caught:
            use_file()
        assert (caught.value.code, "s3cret" in str(caught.value.as_failure())) == ("unsafe_file", False)


VALID = {"api_url": URL, "account": USERNAME, "client": "particle", "purpose": ""}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["access_token", "refresh_token"], JSON | st.just("a\r\nb") | st.just(token(1))),
        **dict.fromkeys(["expires_at", "obtained_at"], JSON | st.just("2030-01-01T00:00:00Z")),
        **dict.fromkeys(["token_type", "fingerprint", "expires_in", "previous"], JSON),
    },
)
ENTRY = st.builds(
    lambda fields, begun: {**VALID, **fields, **begun}, FIELDS, st.just({}) | st.builds(dict, next=FIELDS)
)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"access_token": 5}, "tokens[1].access_token must be a token without spaces and line breaks, got a number."),
        ({"access_token": "s3cret\r\n"}, "tokens[1].access_token must be a token without spaces and line breaks, got"),
        ({"expires_in": "x"}, "tokens[1].expires_in must be a number of seconds, got a string."),
        ({"expires_in": -1}, "tokens[1].expires_in must be a number of seconds, got a number."),
        ({"expires_at": "9999-99"}, "tokens[1].expires_at must be an ISO 8601 time, got a string."),
        ({"refresh_token": ["s3cret"]}, "tokens[1].refresh_token must be a token"),
        ({"next": {"expires_in": 5}}, "tokens[1].next must be a mapping with access_token, got a mapping."),
        ({"next": {"access_token": None}}, "tokens[1].next.access_token must be a token"),
        ({"previous": "s3cret"}, "tokens[1].previous must be a list, got a string."),
        ({"previous": [token(1), {}]}, "tokens[1].previous[1] must be a token"),
        ({"account": None}, "tokens[1].account must be a string, got nothing."),
    ],
)
def test_damage_is_named_with_its_place_and_left_unchanged(
    store: TokenStore, path: Path, fields: dict[str, Any], problem: str
) -> None:
    write_private(path, {"tokens": [VALID, {**VALID, **fields}]})
    before = path.read_bytes()
    with pytest.raises(ParticleError) as caught, store.lock_entry(LABEL) as locked:
        locked.save()
    assert caught.value.code == "unsafe_file"
    assert f"{path} is damaged: {problem}" in caught.value.message
    assert "s3cret" not in str(caught.value.as_failure())
    assert path.read_bytes() == before


def test_file_of_another_program_is_refused_and_left_unchanged(store: TokenStore, path: Path) -> None:
    write_private(path, {"access_token": "s3cret", "expires_in": 3600})
    before = path.read_bytes()
    with pytest.raises(ParticleError, match="it has no key tokens, so another program may have written it"):
        store_token(store, 1)
    assert path.read_bytes() == before


@settings(max_examples=count(quick=QUICK_EXAMPLES, full=FULL_EXAMPLES), deadline=None)
@given(st.fixed_dictionaries({}, optional={"tokens": JSON | st.lists(ENTRY | JSON, max_size=2)}) | JSON)
def test_any_content_is_read_or_refused_and_never_overwritten(content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokens.json")
        write_private(path, content)
        before, store = path.read_bytes(), TokenStore(path)
        for use in (
            lambda: store.find_usable_token(URL, None, 0.0),
            lambda: store.list_entries(0.0),
            lambda: store.forget_entries(lambda entry: False),
        ):
            with contextlib.suppress(private_file.DamagedFileError):
                use()
        assert path.read_bytes() == before
