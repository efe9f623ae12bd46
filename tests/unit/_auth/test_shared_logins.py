# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the processes of a user share logins and refusals, through a file that reveals no secret."""

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
from support.token_cloud import GRANT, LOGIN, PASSWORD, REFUSED, USERNAME, mode, run_child, script_grants, token
from support.turned_clock import TurnedClock

IDENTITY = ("https://cloud.example.com", *LOGIN.get_identity())
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
FULL_LOGIN = PasswordLogin(USERNAME, PASSWORD, Client("my-client", "my-secret"), otp="123456", otp_secret=OTP_SECRET)

RUN_TWENTY_PROCESSES = """
import os, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Connection, Http
from support.token_cloud import LOGIN

def log_in():
    store = lambda: SessionStore(Path(sys.argv[2]))
    try:
        with Session(Http(Connection(sys.argv[1])), LOGIN, store, print) as http:
            return http.token
    except ParticleError as error:
        return error.code

for _ in range(20):
    if os.fork() == 0:
        os.write(1, f"{log_in()}\\n".encode())
        os._exit(0)
for _ in range(20):
    os.wait()
"""


class Grants:
    """Function that grants `token(1)`, `token(2)` and so on, or raises a refusal, and counts its calls."""

    def __init__(self, refusal: ParticleError | None = None, expires_in: int | None = SESSION_SECONDS) -> None:
        self.refusal = refusal
        self.expires_in = expires_in
        self.requests = 0

    def __call__(self, memory: Memory) -> Grant:
        self.requests += 1
        if self.refusal is not None:
            raise self.refusal
        return Grant(token(self.requests), "bearer", self.expires_in)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


@pytest.fixture
def store(path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(path, clock)


@pytest.fixture
def grants() -> Grants:
    return Grants()


def build_refusing_grants(code: str = "invalid_credentials", status: int | None = 400) -> Grants:
    return Grants(ParticleError(code, "Could not log in.", status=status, route="POST /oauth/token"))


def catch_error(action: Callable[[], object]) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        action()
    return caught.value


# Sharing a login


def test_twenty_processes_at_once_make_one_login(scripted_cloud: ScriptedCloud, path: Path) -> None:
    script_grants(scripted_cloud, token(1))
    child = run_child(RUN_TWENTY_PROCESSES, scripted_cloud.url, path)
    assert child.stdout.split() == [token(1)] * 20, child.stderr
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_twenty_processes_with_one_wrong_password_make_one_refusal(scripted_cloud: ScriptedCloud, path: Path) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    child = run_child(RUN_TWENTY_PROCESSES, scripted_cloud.url, path)
    assert child.stdout.split() == ["invalid_credentials"] * 20, child.stderr
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_token_is_shared_until_its_last_minute(store: SessionStore, grants: Grants, clock: TurnedClock) -> None:
    returned = []
    for _unused in range(5):
        returned.append(store.get_token(IDENTITY, grants))
        clock.sleep(1180)
    assert returned == [token(1)] * 3 + [token(2)] * 2
    assert grants.requests == 2


@pytest.mark.parametrize("expires_in", [None, 0, SESSION_SECONDS, 90 * 86400])
def test_token_is_shared_for_an_hour_at_most_with_any_granted_lifetime(
    store: SessionStore, clock: TurnedClock, expires_in: int | None
) -> None:
    grants = Grants(expires_in=expires_in)
    store.get_token(IDENTITY, grants)
    clock.sleep(SESSION_SECONDS)
    assert store.find_token(IDENTITY) is None
    assert store.get_token(IDENTITY, grants) == token(2)


def test_shorter_granted_lifetime_is_respected(store: SessionStore, clock: TurnedClock) -> None:
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
def test_refusal_does_not_apply_to_other_credentials(store: SessionStore, other: PasswordLogin) -> None:
    connection = Connection("https://cloud.example.com")
    refusing_grants, grant = build_refusing_grants(), Grants()
    catch_error(lambda: store.get_token(identify_login(connection, FULL_LOGIN), refusing_grants))
    assert store.get_token(identify_login(connection, other), grant) == token(1)


def test_token_is_not_shared_between_clouds(store: SessionStore, grants: Grants) -> None:
    here, there = (identify_login(Connection(f"https://{host}.example.com"), LOGIN) for host in ("here", "there"))
    assert store.get_token(here, grants) != store.get_token(there, grants)
    assert store.find_token(here) == token(1)


def test_finding_a_shared_token_does_not_log_in(store: SessionStore, grants: Grants) -> None:
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
@pytest.mark.parametrize("method", ["get_token", "obtain_grant"])
def test_refused_login_is_not_tried_again_for_ten_minutes(
    store: SessionStore, path: Path, clock: TurnedClock, code: str, method: str
) -> None:
    refusing_grants = build_refusing_grants(code)
    first = catch_error(lambda: getattr(store, method)(IDENTITY, refusing_grants))
    clock.sleep(599)
    again = catch_error(lambda: store.get_token(IDENTITY, refusing_grants))
    assert refusing_grants.requests == 1
    assert (again.code, again.message, again.status, again.route) == (code, first.message, 400, "POST /oauth/token")
    assert again.hint.startswith(first.hint)
    assert f"not tried again for 1 minute, unless you remove {path}" in again.hint
    clock.sleep(1)
    catch_error(lambda: store.obtain_grant(IDENTITY, refusing_grants))
    assert refusing_grants.requests == 2


def test_corrected_password_is_tried_at_once(store: SessionStore, grants: Grants) -> None:
    catch_error(lambda: store.get_token(IDENTITY, build_refusing_grants()))
    corrected = identify_login(Connection("https://cloud.example.com"), PasswordLogin(USERNAME, "corrected"))
    assert store.get_token(corrected, grants) == token(1)


@pytest.mark.parametrize("code", ["tls_untrusted", "unsafe_file"])
def test_failure_without_a_response_is_not_stored(store: SessionStore, code: str) -> None:
    catch_error(lambda: store.get_token(IDENTITY, build_refusing_grants(code, status=None)))
    assert store.get_token(IDENTITY, Grants()) == token(1)


def test_success_removes_the_stored_refusal(store: SessionStore, path: Path, clock: TurnedClock) -> None:
    catch_error(lambda: store.get_token(IDENTITY, build_refusing_grants()))
    clock.sleep(600)
    store.get_token(IDENTITY, Grants())
    assert "refusal" not in path.read_text()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((code, 500) for code in ("unreachable", "cloud_error", "bad_response", "not_a_cloud", "missing_scope")),
        ("unreachable", None),
        ("bad_response", None),  # bytes that are not HTTP
    ],
)
def test_failure_of_the_cloud_is_not_tried_again_for_30_seconds(
    store: SessionStore, clock: TurnedClock, code: str, status: int | None
) -> None:
    refusing_grants = build_refusing_grants(code, status)
    first = catch_error(lambda: store.get_token(IDENTITY, refusing_grants))
    clock.sleep(29)
    again = catch_error(lambda: store.get_token(IDENTITY, refusing_grants))
    assert (refusing_grants.requests, again.code, again.message) == (1, code, first.message)
    assert "not tried again for 1 second," in again.hint
    clock.sleep(1)
    assert store.get_token(IDENTITY, Grants()) == token(1)


# Locks


def test_slow_login_does_not_block_another_login(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_store, "MAX_LOGIN_SECONDS", 0.0)
    monkeypatch.setattr(session_store, "_SLOTS", 2**31)  # so that the two logins never share a lock
    slow, other = ("https://slow.example.com", "somebody"), ("https://cloud.example.com", "somebody else")

    def obtain(memory: Memory) -> Grant:
        assert store.get_token(other, Grants()) == token(1)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.get_token(slow, obtain) == token(7)
    assert store.find_token(slow) == token(7)


def test_shared_token_is_returned_while_the_login_is_locked(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "MAX_LOGIN_SECONDS", 0.0)
    store.get_token(IDENTITY, Grants())

    def obtain(memory: Memory) -> Grant:
        assert store.get_token(IDENTITY, Grants()) == token(1)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.obtain_grant(IDENTITY, obtain).access_token == token(7)


def test_lock_timeout_names_the_login(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def obtain(memory: Memory) -> Grant:
        monkeypatch.setattr(session_store, "MAX_LOGIN_SECONDS", 0.0)
        error = catch_error(lambda: store.get_token(IDENTITY, Grants()))
        assert (error.code, "the login to https://cloud.example.com" in error.message) == ("run_in_progress", True)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    assert store.get_token(IDENTITY, obtain) == token(7)


def test_login_is_awaited_longer_than_a_file_lock(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # A login may wait for the request budget for longer than a file lock is awaited.
    monkeypatch.setattr(private_file, "_LOCK_SECONDS", 0.0)
    locked, waiting = threading.Event(), threading.Event()
    # Called by the second thread while it waits for the lock.
    monkeypatch.setattr("time.sleep", lambda seconds: waiting.set())

    def obtain(memory: Memory) -> Grant:
        locked.set()
        assert waiting.wait(10)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.get_token, IDENTITY, obtain)
        assert locked.wait(10)
        assert store.get_token(IDENTITY, Grants()) == first.result() == token(7)


def test_many_logins_share_at_most_64_private_lock_files(store: SessionStore, path: Path) -> None:
    for number in range(100):
        store.get_token(("https://cloud.example.com", f"{number}@example.com"), Grants())
    names = {found.name for found in path.parent.iterdir()}
    locks = {name for name in names if re.fullmatch(r"sessions\.json\.\d\d?\.lock", name)}
    assert names - locks == {"sessions.json", "sessions.json.lock"}
    assert len(locks) <= 64
    assert {mode(path.with_name(name)) for name in locks} == {0o600}


def test_token_revoked_during_a_login_is_not_restored(store: SessionStore) -> None:
    store.get_token(IDENTITY, Grants())

    def obtain(memory: Memory) -> Grant:
        store.forget_token(token(1))
        memory.update(otp_period=7, keep_until=60.0)
        return Grant(token(7), "bearer", SESSION_SECONDS)

    store.obtain_grant(IDENTITY, obtain)
    assert store.find_token(IDENTITY) is None


def test_memory_of_a_login_is_usable_without_a_grant(store: SessionStore) -> None:
    store.use_memory(IDENTITY, lambda memory: memory.update(otp_period=7, keep_until=60.0))
    assert store.use_memory(IDENTITY, lambda memory: memory["otp_period"]) == 7


# Without a folder for logins


def refuse_folder() -> Path:
    raise ParticleError("unsafe_file", "No folder.")


def test_no_token_is_known_without_a_folder() -> None:
    store = SessionStore(refuse_folder)
    store.forget_token(token(1))
    assert store.is_of_check_mode(token(1)) is False


@pytest.mark.parametrize("method", ["get_token", "obtain_grant"])
def test_login_without_a_folder_is_refused(method: str) -> None:
    grants = Grants()
    assert catch_error(lambda: getattr(SessionStore(refuse_folder), method)(IDENTITY, grants)).code == "unsafe_file"
    assert grants.requests == 0


def test_missing_home_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_missing_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", raise_missing_home)
    error = catch_error(lambda: locate_session_file({}))
    assert (error.code, error.message) == (
        "unsafe_file",
        "Logins are shared through ~/.cache/meshfleet.particle, which cannot be used: "
        "HOME is not set, and this user has no home folder.",
    )
    assert error.hint == "Set XDG_CACHE_HOME to a folder of your own, or give an access_token."


# Refused tokens, and grants that are not shared


def test_refused_token_is_replaced_once_for_all_callers(store: SessionStore, grants: Grants) -> None:
    refused_token = store.get_token(IDENTITY, grants)
    assert [store.get_token(IDENTITY, grants, refused_token=refused_token) for _unused in range(3)] == [token(2)] * 3
    assert store.get_token(IDENTITY, grants) == token(2)


def test_obtained_grant_is_not_shared(store: SessionStore, grants: Grants) -> None:
    assert store.obtain_grant(IDENTITY, grants).access_token == token(1)
    assert store.find_token(IDENTITY) is None
    assert store.obtain_grant(IDENTITY, grants).access_token == token(2)


def test_revoked_token_is_not_returned_again(store: SessionStore, grants: Grants) -> None:
    other = ("https://cloud.example.com", *replace(LOGIN, username="other@example.com").get_identity())
    token_to_revoke, other_token = store.get_token(IDENTITY, grants), store.get_token(other, grants)
    store.forget_token(token_to_revoke)
    assert (store.find_token(IDENTITY), store.find_token(other)) == (None, other_token)


def test_forgetting_an_unknown_token_is_allowed(store: SessionStore) -> None:
    store.forget_token(token(1))


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=4000), st.booleans()), max_size=20))
def test_returned_token_is_always_valid_and_never_the_refused_one(
    steps: list[tuple[int, bool]],
) -> None:
    clock, grants, first_seen_at = TurnedClock(), Grants(), dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        store, last = SessionStore(Path(folder, "sessions.json"), clock), None
        for seconds, is_refused in steps:
            clock.sleep(seconds)
            refused_token = last if is_refused else None
            last = store.get_token(IDENTITY, grants, refused_token=refused_token)
            first_seen = first_seen_at.setdefault(last, clock.now)
            assert last != refused_token
            assert clock.now < first_seen + SESSION_SECONDS - 60
        assert grants.requests == len(first_seen_at) <= len(steps)


# The memory of a login


def test_memory_of_a_login_is_stored_also_after_a_failure(store: SessionStore, clock: TurnedClock) -> None:
    def remember(memory: Memory) -> Grant:
        memory.update(otp_period=7, keep_until=clock.now + 60)
        raise ParticleError("cloud_error", "Down.")

    def recall(memory: Memory) -> Grant:
        assert memory["otp_period"] == 7
        return Grant(token(1), "bearer", SESSION_SECONDS)

    catch_error(lambda: store.obtain_grant(IDENTITY, remember))
    assert store.obtain_grant(IDENTITY, recall).access_token == token(1)


def test_expired_logins_are_removed_from_the_file(
    store: SessionStore, path: Path, grants: Grants, clock: TurnedClock
) -> None:
    names = [f"{number}@example.com" for number in range(5)]
    for name in names:
        store.get_token(("https://cloud.example.com", name), grants)
    clock.sleep(SESSION_SECONDS)
    store.get_token(IDENTITY, grants)
    assert len(json.loads(path.read_text())["logins"]) == 1


# Secrets


def test_file_contains_no_secret_in_any_encoding(store: SessionStore, path: Path) -> None:
    identity = identify_login(Connection("https://cloud.example.com"), FULL_LOGIN)
    store.get_token(identity, Grants())
    catch_error(lambda: store.get_token(IDENTITY, build_refusing_grants()))
    content = path.read_text()
    assert mode(path) == 0o600
    for secret in (PASSWORD, "my-secret", "123456", OTP_SECRET):
        plain = secret.encode()
        forms = (plain, base64.b64encode(plain), plain.hex().encode(), hashlib.sha256(plain).hexdigest().encode())
        assert not [form for form in forms if form.decode() in content]
        pair = base64.b64encode(f"{USERNAME}:{secret}".encode()).decode()
        assert pair not in content


def test_key_of_a_login_differs_between_files(tmp_path: Path, clock: TurnedClock) -> None:
    def key(name: str) -> Any:
        SessionStore(tmp_path / name, clock).get_token(IDENTITY, Grants())
        return next(iter(json.loads((tmp_path / name).read_text())["logins"]))

    assert key("here.json") != key("there.json")


def test_password_quoted_by_the_cloud_is_not_stored(
    http: Http, scripted_cloud: ScriptedCloud, store: SessionStore, path: Path
) -> None:
    LOGIN.mask_secrets(http.redact)
    answer = {"error": "invalid_grant", "error_description": f"{PASSWORD} is wrong"}
    scripted_cloud.answer("POST", GRANT, 400, json=answer)
    catch_error(lambda: store.get_token(IDENTITY, lambda memory: LOGIN.obtain_grant(http, {}, memory)))
    assert PASSWORD not in path.read_text()


# Tokens of check mode


def test_check_mode_token_is_known_until_it_is_forgotten(store: SessionStore, path: Path) -> None:
    assert store.is_of_check_mode(token(1)) is False
    store.note_check_mode(token(1))
    assert (store.is_of_check_mode(token(1)), store.is_of_check_mode(token(2))) == (True, False)
    assert token(1) not in path.read_text(), "the note must not contain the token"
    store.forget_token(token(1))
    assert store.is_of_check_mode(token(1)) is False


def test_notes_of_expired_check_mode_tokens_are_removed(store: SessionStore, clock: TurnedClock) -> None:
    store.note_check_mode("old")
    clock.sleep(91 * 86400)
    store.note_check_mode("young")
    assert (store.is_of_check_mode("old"), store.is_of_check_mode("young")) == (False, True)


# The folder of the file


@pytest.mark.parametrize(
    ("variables", "expected"),
    [(("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), "XDG_RUNTIME_DIR"), (("XDG_CACHE_HOME",), "XDG_CACHE_HOME")],
)
def test_logins_are_stored_in_the_runtime_or_cache_folder(
    tmp_path: Path, variables: tuple[str, ...], expected: str
) -> None:
    environment = {"XDG_RUNTIME_DIR": "", **{name: str(tmp_path / name) for name in variables}}
    assert locate_session_file(environment) == tmp_path / expected / "meshfleet.particle" / "sessions.json"
    assert mode(tmp_path / expected / "meshfleet.particle") == 0o700
    assert locate_session_file(environment).parent.is_dir(), "a folder that exists must be accepted"


def test_logins_are_stored_in_the_home_cache_without_xdg_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate_session_file({}) == tmp_path / ".cache" / "meshfleet.particle" / "sessions.json"


@pytest.mark.parametrize("permissions", [0o770, 0o707, 0o777, 0o1777], ids=oct)
def test_folder_that_other_users_can_write_to_is_refused(tmp_path: Path, permissions: int) -> None:
    folder = tmp_path / "meshfleet.particle"
    folder.mkdir()
    folder.chmod(permissions)
    error = catch_error(lambda: locate_session_file({"XDG_CACHE_HOME": str(tmp_path)}))
    assert (error.code, str(folder) in error.message) == ("unsafe_file", True)
    assert "XDG_CACHE_HOME" in error.hint


def test_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other_user)
    assert catch_error(lambda: locate_session_file({"XDG_CACHE_HOME": str(tmp_path)})).message == (
        f"Logins are shared through {tmp_path}/meshfleet.particle, which cannot be used: other users can write to it."
    )


def test_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    error = catch_error(lambda: locate_session_file({"XDG_RUNTIME_DIR": str(tmp_path / "taken")}))
    assert "Not a directory" in error.message
    assert "XDG_RUNTIME_DIR" in error.hint


def test_similar_identities_are_different_logins(store: SessionStore) -> None:
    parts = ["", "a", "b", "ab"]
    identities = {tuple(row) for row in itertools.product(parts, repeat=3)}
    grants = Grants()
    assert len({store.get_token(identity, grants) for identity in identities}) == len(identities)
