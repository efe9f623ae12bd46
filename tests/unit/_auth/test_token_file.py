# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The file of kept tokens: each under its label, shown without its secret, found for its own cloud only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_cloud import DAY, USERNAME, mode, token, write_private

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_fingerprint
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import (
    Label,
    TokenStore,
    build_entry,
    compute_seconds_left,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

URL = "https://cloud.example.com"
LABEL = Label(URL, USERNAME, "particle", "nightly report")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def store(path: Path) -> TokenStore:
    return TokenStore(path)


def keep(store: TokenStore, number: int, label: Label = LABEL, expires_in: int | None = 3600, now: float = 0.0) -> None:
    with store.lock_entry(label) as kept:
        kept.entry.update(build_entry(Grant(token(number), "bearer", expires_in), now))
        kept.save()


def test_what_is_kept_is_found_again_under_its_label(store: TokenStore, path: Path) -> None:
    keep(store, 1)
    with store.lock_entry(LABEL) as kept:
        assert kept.token == token(1)
    assert mode(path) == 0o600


def test_under_a_label_that_nobody_knows_there_is_nothing_and_looking_keeps_nothing(
    store: TokenStore, path: Path
) -> None:
    with store.lock_entry(LABEL) as kept:
        assert kept.token is None
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
def test_tokens_are_kept_side_by_side(store: TokenStore, other: Label) -> None:
    keep(store, 1)
    keep(store, 2, other)
    keep(store, 3)
    for label, number in ((LABEL, 3), (other, 2)):
        with store.lock_entry(label) as kept:
            assert kept.token == token(number)
    assert len(store.list_entries(0.0)) == 2


@pytest.mark.parametrize(
    ("expires_in", "expires_at"),
    [(3600, "1970-01-02T01:00:00Z"), (0, None), (None, None)],
)
def test_a_record_says_all_about_a_token(expires_in: int | None, expires_at: str | None) -> None:
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


def test_a_refresh_token_is_kept_beside_its_token_and_not_shown(store: TokenStore) -> None:
    with store.lock_entry(LABEL) as kept:
        kept.entry.update(build_entry(Grant(token(1), "bearer", 3600, "fresh"), 0.0))
        kept.save()
    with store.lock_entry(LABEL) as kept:
        assert kept.entry["refresh_token"] == "fresh"
    assert "fresh" not in str(store.list_entries(0.0))


# The token for a task that names the file


def test_for_a_task_there_is_the_token_that_lives_longest(store: TokenStore) -> None:
    for number, days in ((1, 1), (2, 3), (3, 2)):
        keep(store, number, replace(LABEL, purpose=str(number)), expires_in=int(days * DAY))
    assert store.find_usable_token(URL, None, 0.0) == token(2)


def test_a_token_without_end_lives_longest(store: TokenStore) -> None:
    keep(store, 1, replace(LABEL, purpose="1"), expires_in=0)
    keep(store, 2, replace(LABEL, purpose="2"))
    assert store.find_usable_token(URL, None, 0.0) == token(1)


@pytest.mark.parametrize(("now", "usable"), [(3599.0, True), (3600.0, False)])
def test_a_token_that_has_ended_is_for_nobody(store: TokenStore, now: float, usable: bool) -> None:
    keep(store, 1)
    assert (store.find_usable_token(URL, None, now) == token(1)) is usable


@pytest.mark.parametrize("other", ["https://other.example.com", "http://cloud.example.com", f"{URL}:444", f"{URL}/x"])
def test_a_token_is_never_for_another_cloud(store: TokenStore, other: str) -> None:
    keep(store, 1)
    assert store.find_usable_token(other, None, 0.0) is None


@pytest.mark.parametrize(("username", "found"), [(None, True), (USERNAME, True), ("other@example.com", False)])
def test_where_an_account_is_named_it_is_a_token_of_that_account(
    store: TokenStore, username: str | None, found: bool
) -> None:
    keep(store, 1)
    assert (store.find_usable_token(URL, username, 0.0) is not None) is found


def test_a_token_that_is_not_proved_yet_is_for_nobody(store: TokenStore) -> None:
    with store.lock_entry(LABEL) as kept:
        kept.entry["next"] = build_entry(Grant(token(1), "bearer", 3600), 0.0)
        kept.save()
    assert store.find_usable_token(URL, None, 0.0) is None
    assert store.list_entries(0.0) == []


def test_without_a_file_there_is_nothing(store: TokenStore, path: Path) -> None:
    assert store.find_usable_token(URL, None, 0.0) is None
    assert store.list_entries(0.0) == []
    store.forget_entries(lambda entry: True)
    assert not path.exists()


# What is shown


@pytest.mark.parametrize(
    ("expires_in", "now", "days_left"),
    [(int(10 * DAY), 0.0, 10), (int(10 * DAY), 1.0, 9), (int(DAY) - 1, 0.0, 0), (60, 61.0, -1), (None, 0.0, None)],
)
def test_each_is_shown_with_the_days_that_are_left(
    store: TokenStore, expires_in: int | None, now: float, days_left: int | None
) -> None:
    keep(store, 1, expires_in=expires_in)
    (row,) = store.list_entries(now)
    assert row["days_left"] == days_left
    assert (row["account"], row["purpose"], row["api_url"], row["client"]) == (
        USERNAME,
        "nightly report",
        URL,
        "particle",
    )
    assert row["fingerprint"] == compute_fingerprint(token(1))


def test_no_token_is_shown(store: TokenStore) -> None:
    keep(store, 1)
    with store.lock_entry(LABEL) as kept:
        kept.entry.update(previous=[token(2)], next=build_entry(Grant(token(3), "bearer", 60), 0.0))
        kept.save()
    shown = str(store.list_entries(0.0))
    assert not [number for number in (1, 2, 3) if token(number) in shown]


# Forgetting


def test_only_what_is_gone_is_forgotten(store: TokenStore, path: Path) -> None:
    keep(store, 1, replace(LABEL, purpose="1"))
    keep(store, 2, replace(LABEL, purpose="2"))
    store.forget_entries(lambda entry: entry["access_token"] == token(1))
    assert [entry["access_token"] for entry in json.loads(path.read_text())["tokens"]] == [token(2)]


def test_what_others_have_put_into_the_file_stays_there(store: TokenStore, path: Path) -> None:
    write_private(path, {"comment": "mine", "tokens": []})
    keep(store, 1)
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
def test_a_file_that_somebody_has_written_otherwise_is_refused_in_words(
    store: TokenStore, path: Path, tokens: Any
) -> None:
    write_private(path, {"tokens": tokens})

    def opened() -> None:
        with store.lock_entry(LABEL):
            pytest.fail("nobody may go on from this")

    for look in (
        lambda: store.find_usable_token(URL, None, 0.0),
        lambda: store.list_entries(0.0),
        lambda: store.forget_entries(lambda entry: True),
        opened,
    ):
        with pytest.raises(ParticleError, match="is damaged") as caught:
            look()
        assert (caught.value.code, "s3cret" in str(caught.value.as_failure())) == ("unsafe_file", False)
