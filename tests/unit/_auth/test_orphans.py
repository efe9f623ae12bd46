# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which listed tokens count as orphaned, and that only these are revoked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.account_tokens import ListedToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch, revoke_orphans
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.orphans import (
    Surroundings,
    describe_orphan,
    plan_cleanup,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    MAX_DELAY,
    MAX_LOGIN_SECONDS,
    Reason,
    Record,
    Stage,
    hash_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import (
    report_listed_tokens,
    report_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import identify_process
from support.scripted import ScriptedCloud
from support.token_cloud import (
    CURRENT,
    LOGIN,
    USERNAME,
    list_bearers,
    list_requests,
    token,
    write_private,
)
from support.turned_clock import TurnedClock, conversation

LIST = "/v1/access_tokens"
START, LIFE = 1000.0, 3600.0
HERE = identify_process(os.getpid())
ENDED = {**HERE, "started": "1"}
ELSEWHERE = {**HERE, "host": "another"}
PENDING = Record("https://cloud.example", USERNAME, "particle", START, START + LIFE, ENDED, id="pending")
KNOWN = replace(PENDING, token_hash=hash_token(token(1)), id="known")
ROW = ListedToken(token(1), "__PASSWORD_ONLY__", START + LIFE + 1)
OTHER_ROW = replace(ROW, value=token(2))


def compare(
    orphans: list[Record],
    listed: list[ListedToken],
    in_use: Sequence[str] = (),
    under_way: Sequence[Record] = (),
    now: float = START + LIFE / 2,
) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Return the found, gone and left records, some time after the records were made."""
    around = Surroundings(frozenset(in_use), tuple(under_way), now)
    plan = plan_cleanup(orphans, listed, around)
    found = [(record.id, listed.value) for record, listed in plan.found]
    return found, [record.id for record in plan.gone], [record.id for record in plan.left]


# Records with the hash of the token


def test_listed_token_with_the_hash_of_a_record_is_found() -> None:
    assert compare([KNOWN], [OTHER_ROW, ROW]) == ([("known", token(1))], [], [])


def test_record_whose_token_is_not_listed_is_gone() -> None:
    assert compare([KNOWN], [OTHER_ROW]) == ([], ["known"], [])


def test_record_without_an_account_stays_if_its_token_is_not_listed() -> None:
    assert compare([replace(KNOWN, account="")], [OTHER_ROW]) == ([], [], ["known"])


def test_token_in_use_is_never_found() -> None:
    assert compare([KNOWN], [ROW], [hash_token(token(1))]) == ([], [], ["known"])
    assert compare([PENDING], [ROW], [hash_token(token(1))]) == ([], ["pending"], [])


def test_token_that_was_returned_to_a_play_is_never_found() -> None:
    returned = replace(KNOWN, stage=Stage.RETURNED, is_temporary=False)
    assert compare([returned], [ROW]) == ([], [], ["known"])


# Records without a hash


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, ends_at=START + LIFE),
        replace(ROW, ends_at=START + LIFE + MAX_DELAY),
        replace(ROW, client=None),
        replace(ROW, client="particle"),
        replace(ROW, ends_at=START + 90 * 86400 + 1),
    ],
    ids=["at once", "late", "no client", "client by its id", "lifetime ignored"],
)
def test_pending_request_matches_a_token_by_client_and_expiry(row: ListedToken) -> None:
    assert compare([PENDING], [row]) == ([("pending", token(1))], [], [])


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, ends_at=START + LIFE - 60),
        replace(ROW, ends_at=START + LIFE + MAX_DELAY + 1),
        replace(ROW, ends_at=None),
    ],
    ids=["earlier", "later", "never expires"],
)
def test_token_with_another_expiry_is_not_revoked_and_the_record_stays(row: ListedToken) -> None:
    assert compare([PENDING], [row]) == ([], [], ["pending"])


def test_pending_request_is_gone_if_no_listed_token_has_its_client() -> None:
    assert compare([PENDING], [replace(ROW, client="spark-ide")]) == ([], ["pending"], [])


def test_pending_request_for_an_endless_token_matches_no_token() -> None:
    endless = replace(PENDING, ends_at=None)
    assert compare([endless], [replace(ROW, ends_at=None)]) == ([], [], ["pending"])


def test_more_tokens_than_pending_requests_are_left_alone() -> None:
    assert compare([PENDING], [ROW, OTHER_ROW]) == ([], [], ["pending"])


def test_as_many_tokens_as_pending_requests_are_all_found() -> None:
    second = replace(PENDING, id="second")
    found, gone, left = compare([PENDING, second], [ROW, OTHER_ROW])
    assert ({listed for _unused, listed in found}, gone, left) == ({token(1), token(2)}, [], [])


def test_token_of_a_record_with_a_hash_is_not_matched_again() -> None:
    found, _unused, left = compare([PENDING, KNOWN], [ROW, OTHER_ROW])
    assert (dict(found), left) == ({"pending": token(2), "known": token(1)}, [])


# Logins under way


def test_no_token_is_assigned_while_a_login_is_under_way() -> None:
    under_way = replace(PENDING, id="other", holder=HERE)
    assert compare([PENDING], [ROW], under_way=[under_way]) == ([], [], ["pending"])
    unnamed = replace(ROW, client=None)
    assert compare([PENDING], [unnamed], under_way=[replace(under_way, client="my-client")]) == ([], [], ["pending"])


def test_login_of_another_client_does_not_prevent_an_assignment() -> None:
    under_way = replace(PENDING, id="other", holder=HERE, client="my-client")
    assert compare([PENDING], [ROW], under_way=[under_way]) == ([("pending", token(1))], [], [])


def test_request_is_not_gone_while_the_cloud_may_still_grant_its_token() -> None:
    assert compare([PENDING], [], now=START + MAX_DELAY) == ([], [], ["pending"])
    assert compare([PENDING], [], now=START + MAX_DELAY + 1) == ([], ["pending"], [])


def test_token_held_in_another_container_is_found_after_the_longest_login() -> None:
    held = replace(KNOWN, stage=Stage.HELD, holder=ELSEWHERE)
    assert compare([held], [ROW], now=START + MAX_LOGIN_SECONDS - 1) == ([], [], ["known"])
    assert compare([held], [ROW], now=START + MAX_LOGIN_SECONDS) == ([("known", token(1))], [], [])


def test_request_of_another_container_is_found_after_the_longest_login(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    search.sessions.requests.add(replace(PENDING, api_url=scripted_cloud.url, holder=ELSEWHERE))
    rows = [{"token": token(1), "expires_at": "1970-01-01T01:16:41Z", "client": "__PASSWORD_ONLY__"}]
    assert search.plan_cleanup(search.list_orphans(), rows, LOGIN).found == []
    clock.now = START + MAX_LOGIN_SECONDS
    assert len(search.plan_cleanup(search.list_orphans(), rows, LOGIN).found) == 1


# Revocation


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def search(
    scripted_cloud: ScriptedCloud, clock: TurnedClock, tmp_path: Path, no_proxies: None
) -> Iterator[OrphanSearch]:
    clock.now = START + MAX_DELAY + 10
    http = conversation(scripted_cloud.url, clock)
    sessions = SessionStore(tmp_path / "sessions.json", clock)
    yield OrphanSearch(http, sessions, (TokenStore(tmp_path / "tokens.json"),))
    http.close()


def list_rows(cloud: ScriptedCloud, *values: str) -> None:
    rows = [{"token": value, "expires_at": "1970-01-01T01:16:41Z", "client": "__PASSWORD_ONLY__"} for value in values]
    cloud.answer("GET", LIST, json=rows, headers={"Date": "Thu, 01 Jan 1970 00:18:50 GMT"})


def test_orphaned_tokens_are_revoked_and_their_records_removed(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, tmp_path: Path, warnings: list[str]
) -> None:
    label = {"api_url": scripted_cloud.url, "account": USERNAME, "client": "particle", "purpose": ""}
    write_private(tmp_path / "tokens.json", {"tokens": [{**label, "access_token": token(3)}]})
    for record in (PENDING, KNOWN, replace(KNOWN, id="elsewhere", api_url="https://other.example")):
        is_here = record.id != "elsewhere"
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url) if is_here else record)
    list_rows(scripted_cloud, token(1), token(2), token(3), token(4))
    for _unused in range(2):
        scripted_cloud.answer("DELETE", CURRENT, json={"ok": True})
    search = replace(search, in_use=frozenset({hash_token(token(4))}))
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert (result["changed"], len(result["revoked"]), result["orphaned"]) == (True, 2, [])
    assert sorted(list_bearers(scripted_cloud)) == sorted([token(1), token(2)])
    assert [record.id for record in search.sessions.requests.list_records()] == ["elsewhere"]
    assert warnings == []


def test_check_mode_only_predicts_the_revocation_of_orphans(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    search.sessions.requests.add(replace(KNOWN, api_url=scripted_cloud.url))
    list_rows(scripted_cloud, token(1))
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=True)
    assert (result["changed"], result["revoked"]) == (True, [hash_token(token(1))[:8]])
    assert list_requests(scripted_cloud) == [f"GET {LIST}"]
    assert len(search.sessions.requests.list_records()) == 1


def test_cloud_without_a_list_is_reported_with_what_remains(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    search.sessions.requests.add(replace(PENDING, api_url=scripted_cloud.url))
    scripted_cloud.answer("GET", LIST, 404, body="Not Found")
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert (result["changed"], result["listing_error"]["code"]) == (False, "listing_retired")
    (left,) = result["orphaned"]
    assert (left["reason"], left["expires_at"]) == ("lost", "1970-01-01T01:18:40Z")
    assert "valid until 1970-01-01T01:18:40Z" in warnings[0]


def test_orphans_without_account_credentials_fail_the_task(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    search.sessions.requests.add(replace(PENDING, api_url=scripted_cloud.url))
    with pytest.raises(ParticleError) as caught:
        revoke_orphans(search, None, warnings.append, check_mode=False)
    assert caught.value.code == "listing_refused"


def test_no_orphan_means_no_request(search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]) -> None:
    assert revoke_orphans(search, LOGIN, warnings.append, check_mode=False)["changed"] is False
    assert scripted_cloud.requests == []


def test_orphan_that_cannot_be_revoked_remains(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    search.sessions.requests.add(replace(KNOWN, api_url=scripted_cloud.url))
    list_rows(scripted_cloud, token(1))
    scripted_cloud.answer("DELETE", CURRENT, 403, json={"error": "forbidden"})
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert (result["changed"], [row["fingerprint"] for row in result["orphaned"]]) == (False, [KNOWN.token_hash[:8]])
    assert "could not be revoked" in warnings[0]


@pytest.fixture
def unreadable_file(search: OrphanSearch, scripted_cloud: ScriptedCloud, tmp_path: Path) -> Path:
    """A token file that other users can read, named by the record of a killed run, beside a known orphan."""
    file = tmp_path / "other.json"
    file.write_text("{}")
    file.chmod(0o644)
    for record in (
        replace(PENDING, token_file=str(file)),
        replace(KNOWN, id="stored", token_hash=hash_token(token(3)), token_file=str(file)),
        KNOWN,
    ):
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url))
    return file


def test_report_lists_records_whose_token_file_cannot_be_read(
    search: OrphanSearch, unreadable_file: Path, warnings: list[str]
) -> None:
    search = replace(search, warn=warnings.append)
    rows = report_tokens(search, None, None)["orphaned"]
    assert [row["revocable"] for row in rows] == [False, False, None]
    (warning,) = warnings
    assert str(unreadable_file) in warning
    assert warning.endswith("is revoked.")


def test_cleanup_spares_tokens_that_an_unreadable_file_may_store(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, unreadable_file: Path, warnings: list[str]
) -> None:
    list_rows(scripted_cloud, token(1), token(2), token(3))
    scripted_cloud.answer("DELETE", CURRENT, json={"ok": True})
    search = replace(search, warn=warnings.append)
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert result["revoked"] == [hash_token(token(1))[:8]]
    assert [row["revocable"] for row in result["orphaned"]] == [False, False]
    assert [str(unreadable_file) in warning for warning in warnings] == [True, False]


def test_list_option_shows_tokens_of_an_unreadable_file_as_kept(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, unreadable_file: Path
) -> None:
    list_rows(scripted_cloud, token(1), token(2), token(3))
    rows = report_listed_tokens(search, LOGIN)["orphaned"]
    assert [row["revocable"] for row in rows] == [False, False, True]


def test_unreadable_token_file_of_the_task_fails_the_report(
    search: OrphanSearch, unreadable_file: Path, warnings: list[str]
) -> None:
    search = replace(search, stores=(TokenStore(unreadable_file),), warn=warnings.append)
    with pytest.raises(ParticleError, match="other users can access it"):
        report_tokens(search, None, None)
    assert warnings == []


def test_list_option_leaves_out_tokens_that_do_not_exist(search: OrphanSearch, scripted_cloud: ScriptedCloud) -> None:
    for record in (PENDING, replace(KNOWN, token_hash=hash_token(token(9)))):
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url))
    list_rows(scripted_cloud, token(1))
    result = report_listed_tokens(search, LOGIN)
    assert [row["fingerprint"] for row in result["orphaned"]] == [hash_token(token(1))[:8]]
    assert token(1) not in json.dumps(result)


def test_stored_token_of_a_rerun_is_not_taken_for_the_lost_token(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    rerun = replace(KNOWN, id="rerun", stage=Stage.STORED)
    for record in (PENDING, rerun):
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url))
    list_rows(scripted_cloud, token(1))
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert (result["revoked"], result["orphaned"]) == ([], [])
    assert [record.id for record in search.sessions.requests.list_records()] == ["rerun"]


def test_running_login_prevents_the_revocation_of_a_token_without_a_record(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    for record in (PENDING, replace(PENDING, id="running", holder=HERE)):
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url))
    list_rows(scripted_cloud, token(1))
    result = revoke_orphans(search, LOGIN, warnings.append, check_mode=False)
    assert (result["revoked"], len(result["orphaned"])) == ([], 1)


def test_listing_shows_exactly_the_tokens_that_a_cleanup_revokes(
    search: OrphanSearch, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    search = replace(search, in_use=frozenset({hash_token(token(4))}))
    returned = replace(KNOWN, id="returned", stage=Stage.RETURNED, is_temporary=False, token_hash=hash_token(token(3)))
    in_use = replace(KNOWN, id="in use", token_hash=hash_token(token(4)))
    for record in (PENDING, KNOWN, returned, in_use):
        search.sessions.requests.add(replace(record, api_url=scripted_cloud.url))
    for _unused in range(2):
        list_rows(scripted_cloud, *map(token, range(1, 5)))
    shown = report_listed_tokens(search, LOGIN)["orphaned"]
    cleanup = revoke_orphans(search, LOGIN, warnings.append, check_mode=True)
    assert sorted(row["fingerprint"] for row in shown if row["revocable"]) == sorted(cleanup["revoked"])
    assert [row for row in shown if not row["revocable"]] == cleanup["orphaned"]
    assert len(cleanup["revoked"]) == 2


def test_description_contains_no_token_and_the_latest_expiry() -> None:
    shown = describe_orphan(KNOWN)
    assert shown == {
        "fingerprint": hash_token(token(1))[:8],
        "account": USERNAME,
        "api_url": "https://cloud.example",
        "client": "particle",
        "requested_at": "1970-01-01T00:16:40Z",
        "expires_at": "1970-01-01T01:18:40Z",
        "reason": Reason.LOST.value,
        "revocable": None,
    }
