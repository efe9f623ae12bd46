# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""All processes of a user share one login, good or bad, and what they share it through gives nothing away."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_cloud import GRANT, LOGIN, PASSWORD, REFUSED, USERNAME, granting, mode, run_child, token
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth import shared_logins as session_store
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client, Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import (
    SESSION_SECONDS,
    SessionStore,
    identify_login,
    locate_session_file,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file
from support.scripted import ScriptedCloud

IDENTITY = ("https://cloud.example.com", *LOGIN.get_identity())
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
FULL_LOGIN = PasswordLogin(USERNAME, PASSWORD, Client("my-client", "my-secret"), otp="123456", otp_secret=OTP_SECRET)

TWENTY_AT_ONCE = """
import os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Connection, Http
from token_cloud import LOGIN

def work():
    store = lambda: SessionStore(Path(sys.argv[2]))
    try:
        with Session(Http(Connection(sys.argv[1])), LOGIN, store, print) as http:
            return http.token
    except ParticleError as error:
        return error.code

for _ in range(20):
    if os.fork() == 0:
        os.write(1, f"{work()}\\n".encode())
        os._exit(0)
for _ in range(20):
    os.wait()
"""


class Grants:
    """Grants `token(1)`, `token(2)` and so on, or refuses; counts both."""

    def __init__(self, refusal: ParticleError | None = None, expires_in: int | None = SESSION_SECONDS) -> None:
        self.refusal = refusal
        self.expires_in = expires_in
        self.asked = 0

    def __call__(self, memory: Memory) -> Grant:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        return Grant(token(self.asked), "bearer", self.expires_in)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


@pytest.fixture
def store(path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(path, clock)


@pytest.fixture
def grants() -> Grants:
    return Grants()


def refused(code: str = "invalid_credentials") -> Grants:
    return Grants(ParticleError(code, "Could not log in.", status=400, route="POST /oauth/token"))


def error_of(ask: Callable[[], object]) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        ask()
    return caught.value


# One login for all


def test_twenty_processes_at_once_make_one_login(scripted_cloud: ScriptedCloud, path: Path) -> None:
    granting(scripted_cloud, token(1))
    child = run_child(TWENTY_AT_ONCE, scripted_cloud.url, path)
    assert child.stdout.split() == [token(1)] * 20, child.stderr
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_twenty_processes_with_one_wrong_password_make_one_refusal(scripted_cloud: ScriptedCloud, path: Path) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    child = run_child(TWENTY_AT_ONCE, scripted_cloud.url, path)
    assert child.stdout.split() == ["invalid_credentials"] * 20, child.stderr
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_a_token_is_shared_until_its_last_minute(store: SessionStore, grants: Grants, clock: TurnedClock) -> None:
    given_out = []
    for _unused in range(5):
        given_out.append(store.get_token(IDENTITY, grants))
        clock.sleep(1180)
    assert given_out == [token(1)] * 3 + [token(2)] * 2
    assert grants.asked == 2


@pytest.mark.parametrize("expires_in", [None, 0, SESSION_SECONDS, 90 * 86400])
def test_no_token_is_shared_for_longer_than_an_hour_whatever_the_cloud_makes_of_the_wish(
    store: SessionStore, clock: TurnedClock, expires_in: int | None
) -> None:
    grants = Grants(expires_in=expires_in)
    store.get_token(IDENTITY, grants)
    clock.sleep(SESSION_SECONDS)
    assert store.find_token(IDENTITY) is None
    assert store.get_token(IDENTITY, grants) == token(2)


def test_a_life_that_the_cloud_makes_shorter_is_believed(store: SessionStore, clock: TurnedClock) -> None:
    grants = Grants(expires_in=300)
    store.get_token(IDENTITY, grants)
    clock.sleep(250)
    assert store.get_token(IDENTITY, grants) == token(2)


@pytest.mark.parametrize(
    "other",
    [
        replace(FULL_LOGIN, password="other"),
        replace(FULL_LOGIN, username="other@example.com"),
        replace(FULL_LOGIN, client=Client("my-client", "other")),
        replace(FULL_LOGIN, client=Client("other", "my-secret")),
        replace(FULL_LOGIN, otp="654321"),
        replace(FULL_LOGIN, otp_secret=None),
    ],
    ids=["password", "username", "client_secret", "client_id", "otp", "otp_secret"],
)
def test_whatever_differs_it_is_another_login(store: SessionStore, other: PasswordLogin) -> None:
    connection = Connection("https://cloud.example.com")
    refuse, grant = refused(), Grants()
    error_of(lambda: store.get_token(identify_login(connection, FULL_LOGIN), refuse))
    assert store.get_token(identify_login(connection, other), grant) == token(1)


def test_a_token_of_one_cloud_is_not_given_to_another(store: SessionStore, grants: Grants) -> None:
    here, there = (identify_login(Connection(f"https://{host}.example.com"), LOGIN) for host in ("here", "there"))
    assert store.get_token(here, grants) != store.get_token(there, grants)
    assert store.find_token(here) == token(1)


def test_who_only_looks_makes_no_login(store: SessionStore, grants: Grants) -> None:
    assert store.find_token(IDENTITY) is None
    store.get_token(IDENTITY, grants)
    assert store.find_token(IDENTITY) == token(1)


# Refusals


@pytest.mark.parametrize(
    "code",
    [
        "invalid_credentials",
        "unknown_client",
        "invalid_client_secret",
        "mfa_required",
        "otp_refused",
        "sso_account",
        "locked_out",
    ],
)
@pytest.mark.parametrize("way", ["get_token", "obtain_grant"])
def test_a_refusal_is_remembered_for_ten_minutes_and_then_tried_again(
    store: SessionStore, path: Path, clock: TurnedClock, code: str, way: str
) -> None:
    refuse = refused(code)
    first = error_of(lambda: getattr(store, way)(IDENTITY, refuse))
    clock.sleep(599)
    again = error_of(lambda: store.get_token(IDENTITY, refuse))
    assert refuse.asked == 1
    assert (again.code, again.message, again.status, again.route) == (code, first.message, 400, "POST /oauth/token")
    assert again.hint.startswith(first.hint)
    assert f"not tried again for 1 minutes, unless you remove {path}" in again.hint
    clock.sleep(1)
    error_of(lambda: store.obtain_grant(IDENTITY, refuse))
    assert refuse.asked == 2


def test_a_corrected_password_is_tried_at_once(store: SessionStore, grants: Grants) -> None:
    error_of(lambda: store.get_token(IDENTITY, refused()))
    corrected = identify_login(Connection("https://cloud.example.com"), PasswordLogin(USERNAME, "corrected"))
    assert store.get_token(corrected, grants) == token(1)


@pytest.mark.parametrize("code", ["cloud_error", "bad_response", "not_a_cloud", "tls_untrusted"])
def test_a_failure_that_says_nothing_about_the_login_is_not_remembered(store: SessionStore, code: str) -> None:
    error_of(lambda: store.get_token(IDENTITY, refused(code)))
    assert store.get_token(IDENTITY, Grants()) == token(1)


def test_a_success_ends_the_memory_of_a_refusal(store: SessionStore, path: Path, clock: TurnedClock) -> None:
    error_of(lambda: store.get_token(IDENTITY, refused()))
    clock.sleep(600)
    store.get_token(IDENTITY, Grants())
    assert "refusal" not in path.read_text()


def test_a_cloud_that_is_out_of_reach_is_left_alone_for_half_a_minute(store: SessionStore, clock: TurnedClock) -> None:
    refuse = refused("unreachable")
    first = error_of(lambda: store.get_token(IDENTITY, refuse))
    clock.sleep(29)
    again = error_of(lambda: store.get_token(IDENTITY, refuse))
    assert (refuse.asked, again.code, again.message) == (1, "unreachable", first.message)
    assert "not tried again for 1 seconds" in again.hint
    clock.sleep(1)
    assert store.get_token(IDENTITY, Grants()) == token(1)


# One at a time for each login, and no longer than it has to be


def test_a_login_that_takes_its_time_keeps_nobody_else_waiting(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "_MAX_LOGIN_SECONDS", 0.0)
    monkeypatch.setattr(session_store, "_SLOTS", 2**31)  # so that no two share a lock by chance
    slow, other = ("https://slow.example.com", "somebody"), ("https://cloud.example.com", "somebody else")

    def obtain(memory: Memory) -> Grant:
        assert store.get_token(other, Grants()) == token(1)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.get_token(slow, obtain) == token(7)
    assert store.find_token(slow) == token(7)


def test_a_token_at_hand_is_given_out_whoever_holds_the_lock(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "_MAX_LOGIN_SECONDS", 0.0)
    store.get_token(IDENTITY, Grants())

    def obtain(memory: Memory) -> Grant:
        assert store.get_token(IDENTITY, Grants()) == token(1)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.obtain_grant(IDENTITY, obtain).access_token == token(7)


def test_who_waits_for_a_login_in_vain_is_told_for_which(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def obtain(memory: Memory) -> Grant:
        monkeypatch.setattr(session_store, "_MAX_LOGIN_SECONDS", 0.0)
        error = error_of(lambda: store.get_token(IDENTITY, Grants()))
        assert (error.code, "the login to https://cloud.example.com" in error.message) == ("run_in_progress", True)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.get_token(IDENTITY, obtain) == token(7)


def test_a_login_that_waits_for_the_budget_of_requests_is_waited_for(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lock of a file may be waited for in vain in less time than a window of the budget takes.
    monkeypatch.setattr(private_file, "_LOCK_SECONDS", 0.0)
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr("time.sleep", lambda seconds: go_on.set())  # by whoever comes second and waits

    def obtain(memory: Memory) -> Grant:
        begun.set()
        assert go_on.wait(10)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.get_token, IDENTITY, obtain)
        assert begun.wait(10)
        assert store.get_token(IDENTITY, Grants()) == first.result() == token(7)


def test_however_many_logins_there_are_the_lock_files_are_few_and_tell_nothing(store: SessionStore, path: Path) -> None:
    for number in range(100):
        store.get_token(("https://cloud.example.com", f"{number}@example.com"), Grants())
    names = {found.name for found in path.parent.iterdir()}
    locks = {name for name in names if re.fullmatch(r"sessions\.json\.\d\d?\.lock", name)}
    assert names - locks == {"sessions.json", "sessions.json.lock"}
    assert len(locks) <= 64
    assert {mode(path.with_name(name)) for name in locks} == {0o600}


def test_a_token_that_is_revoked_while_its_login_is_busy_does_not_come_back(store: SessionStore) -> None:
    store.get_token(IDENTITY, Grants())

    def obtain(memory: Memory) -> Grant:
        store.forget_token(token(1))
        memory.update(otp_period=7, keep_until=60.0)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    store.obtain_grant(IDENTITY, obtain)
    assert store.find_token(IDENTITY) is None


def test_what_a_login_remembers_can_be_used_without_a_grant(store: SessionStore) -> None:
    store.use_memory(IDENTITY, lambda memory: memory.update(otp_period=7, keep_until=60.0))
    assert store.use_memory(IDENTITY, lambda memory: memory["otp_period"]) == 7


# Where there is no place for logins


def no_place() -> Path:
    raise ParticleError("unsafe_file", "No folder.")


def test_without_a_place_nothing_is_known_and_nothing_to_forget() -> None:
    nowhere = SessionStore(no_place)
    nowhere.forget_token(token(1))
    assert nowhere.is_of_check_mode(token(1)) is False


@pytest.mark.parametrize("way", ["get_token", "obtain_grant"])
def test_without_a_place_there_is_no_login(way: str) -> None:
    grants = Grants()
    assert error_of(lambda: getattr(SessionStore(no_place), way)(IDENTITY, grants)).code == "unsafe_file"
    assert grants.asked == 0


def test_who_has_no_home_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    error = error_of(lambda: locate_session_file({}))
    assert (error.code, error.message) == (
        "unsafe_file",
        "Logins are shared through ~/.cache/meshfleet.particle, which cannot be used: "
        "HOME is not set, and this user has no home folder.",
    )
    assert error.hint == "Set XDG_CACHE_HOME to a folder of your own, or give an access_token."


# Dead tokens, and those of one's own


def test_a_dead_token_is_replaced_once_for_all_who_met_it(store: SessionStore, grants: Grants) -> None:
    dead = store.get_token(IDENTITY, grants)
    assert [store.get_token(IDENTITY, grants, refused_token=dead) for _unused in range(3)] == [token(2)] * 3
    assert store.get_token(IDENTITY, grants) == token(2)


def test_a_grant_of_ones_own_is_not_shared(store: SessionStore, grants: Grants) -> None:
    assert store.obtain_grant(IDENTITY, grants).access_token == token(1)
    assert store.find_token(IDENTITY) is None
    assert store.obtain_grant(IDENTITY, grants).access_token == token(2)


def test_a_revoked_token_is_handed_out_no_more(store: SessionStore, grants: Grants) -> None:
    other = ("https://cloud.example.com", *replace(LOGIN, username="other@example.com").get_identity())
    mine, theirs = store.get_token(IDENTITY, grants), store.get_token(other, grants)
    store.forget_token(mine)
    assert (store.find_token(IDENTITY), store.find_token(other)) == (None, theirs)


def test_forgetting_what_nobody_knows_is_nothing(store: SessionStore) -> None:
    store.forget_token(token(1))


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=4000), st.booleans()), max_size=20))
def test_whatever_happens_a_token_that_is_given_out_lives_and_is_not_the_dead_one(
    steps: list[tuple[int, bool]],
) -> None:
    clock, grants, births = TurnedClock(), Grants(), dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        store, last = SessionStore(Path(folder, "sessions.json"), clock), None
        for seconds, died in steps:
            clock.sleep(seconds)
            dead = last if died else None
            last = store.get_token(IDENTITY, grants, refused_token=dead)
            born = births.setdefault(last, clock.now)
            assert last != dead
            assert clock.now < born + SESSION_SECONDS - 60
        assert grants.asked == len(births) <= len(steps)


# What a login remembers


def test_a_login_finds_again_what_it_has_remembered_also_after_a_failure(
    store: SessionStore, clock: TurnedClock
) -> None:
    def remember(memory: Memory) -> Grant:
        memory.update(otp_period=7, keep_until=clock.now + 60)
        raise ParticleError("cloud_error", "Down.")

    def recall(memory: Memory) -> Grant:
        assert memory["otp_period"] == 7
        return Grant(token(1), "bearer", SESSION_SECONDS)

    error_of(lambda: store.obtain_grant(IDENTITY, remember))
    assert store.obtain_grant(IDENTITY, recall).access_token == token(1)


def test_what_is_over_is_thrown_away(store: SessionStore, path: Path, grants: Grants, clock: TurnedClock) -> None:
    names = [f"{number}@example.com" for number in range(5)]
    for name in names:
        store.get_token(("https://cloud.example.com", name), grants)
    clock.sleep(SESSION_SECONDS)
    store.get_token(IDENTITY, grants)
    assert len(json.loads(path.read_text())["logins"]) == 1


# Nothing is given away


def test_the_file_tells_nobody_a_password(store: SessionStore, path: Path) -> None:
    identity = identify_login(Connection("https://cloud.example.com"), FULL_LOGIN)
    store.get_token(identity, Grants())
    error_of(lambda: store.get_token(IDENTITY, refused()))
    content = path.read_text()
    assert mode(path) == 0o600
    for secret in (PASSWORD, "my-secret", "123456", OTP_SECRET):
        plain = secret.encode()
        forms = (plain, base64.b64encode(plain), plain.hex().encode(), hashlib.sha256(plain).hexdigest().encode())
        assert not [form for form in forms if form.decode() in content]
        pair = base64.b64encode(f"{USERNAME}:{secret}".encode()).decode()
        assert pair not in content


def test_the_name_of_a_login_is_of_no_use_in_another_file(tmp_path: Path, clock: TurnedClock) -> None:
    def key(name: str) -> Any:
        SessionStore(tmp_path / name, clock).get_token(IDENTITY, Grants())
        return next(iter(json.loads((tmp_path / name).read_text())["logins"]))

    assert key("here.json") != key("there.json")


def test_a_password_that_the_cloud_repeats_does_not_get_into_the_file(
    http: Http, scripted_cloud: ScriptedCloud, store: SessionStore, path: Path
) -> None:
    LOGIN.mask_secrets(http.redact)
    said = {"error": "invalid_grant", "error_description": f"{PASSWORD} is wrong"}
    scripted_cloud.answer("POST", GRANT, 400, json=said)
    error_of(lambda: store.get_token(IDENTITY, lambda memory: LOGIN.obtain_grant(http, {}, memory)))
    assert PASSWORD not in path.read_text()


# Tokens of check mode


def test_only_a_token_of_check_mode_is_known_as_one_until_it_is_forgotten(store: SessionStore, path: Path) -> None:
    assert store.is_of_check_mode(token(1)) is False
    store.note_check_mode(token(1))
    assert (store.is_of_check_mode(token(1)), store.is_of_check_mode(token(2))) == (True, False)
    assert token(1) not in path.read_text(), "a note does not hold the token"
    store.forget_token(token(1))
    assert store.is_of_check_mode(token(1)) is False


def test_notes_of_tokens_long_dead_are_thrown_away(store: SessionStore, clock: TurnedClock) -> None:
    store.note_check_mode("old")
    clock.sleep(91 * 86400)
    store.note_check_mode("young")
    assert (store.is_of_check_mode("old"), store.is_of_check_mode("young")) == (False, True)


# Where it lies


@pytest.mark.parametrize(
    ("given_names", "used"),
    [(("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), "XDG_RUNTIME_DIR"), (("XDG_CACHE_HOME",), "XDG_CACHE_HOME")],
)
def test_logins_lie_where_the_system_keeps_what_need_not_last(
    tmp_path: Path, given_names: tuple[str, ...], used: str
) -> None:
    environment = {"XDG_RUNTIME_DIR": "", **{name: str(tmp_path / name) for name in given_names}}
    assert locate_session_file(environment) == tmp_path / used / "meshfleet.particle" / "sessions.json"
    assert mode(tmp_path / used / "meshfleet.particle") == 0o700
    assert locate_session_file(environment).parent.is_dir(), "a folder that is there already is as good"


def test_without_a_runtime_folder_they_lie_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate_session_file({}) == tmp_path / ".cache" / "meshfleet.particle" / "sessions.json"


@pytest.mark.parametrize("permissions", [0o770, 0o707, 0o777, 0o1777], ids=oct)
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, permissions: int) -> None:
    folder = tmp_path / "meshfleet.particle"
    folder.mkdir()
    folder.chmod(permissions)
    error = error_of(lambda: locate_session_file({"XDG_CACHE_HOME": str(tmp_path)}))
    assert (error.code, str(folder) in error.message) == ("unsafe_file", True)
    assert "XDG_CACHE_HOME" in error.hint


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    assert error_of(lambda: locate_session_file({"XDG_CACHE_HOME": str(tmp_path)})).message == (
        f"Logins are shared through {tmp_path}/meshfleet.particle, which cannot be used: other users can write to it."
    )


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    error = error_of(lambda: locate_session_file({"XDG_RUNTIME_DIR": str(tmp_path / "taken")}))
    assert "Not a directory" in error.message
    assert "XDG_RUNTIME_DIR" in error.hint


def test_no_two_logins_are_taken_for_one(store: SessionStore) -> None:
    parts = ["", "a", "b", "ab"]
    identities = {tuple(row) for row in itertools.product(parts, repeat=3)}
    grants = Grants()
    assert len({store.get_token(identity, grants) for identity in identities}) == len(identities)
