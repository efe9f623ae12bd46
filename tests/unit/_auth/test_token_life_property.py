# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test with random runs and failures that each valid token is stored, in use, or listed as orphaned."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._auth import grants, request_log
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch, revoke_orphans
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import RequestLog, hash_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._local import private_file
from support.token_cloud import LOGIN, USERNAME
from support.turned_clock import TurnedClock, conversation

URL = "https://cloud.example"
LABEL = Label(URL, USERNAME, "particle", "")
KINDS = ("shared", "stored", "rotated", "temporary", "plain", "running", "check mode")
FAULTS = (None, "kill", "disk full", "response lost")


class Killed(BaseException):
    """The process was killed. Whatever it still tries to do fails in the same way."""


@dataclass
class World:
    """A cloud that grants, checks, lists and revokes tokens, and the run that is under way."""

    clock: TurnedClock
    tokens: dict[str, float | None] = field(default_factory=dict)
    """The time at which each valid token expires, keyed by token."""
    fault: str | None = None
    steps_left: int = 0
    """The number of steps until the fault occurs. A step is a request, a response, or a write to a file."""
    has_failed: bool = False
    run: int = 0
    running: set[int] = field(default_factory=set)
    """The numbers of the runs whose plays have not ended."""
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def take_step(self, kind: str) -> None:
        """Count a step of the run, and raise the error of the fault once its time has come."""
        self.steps_left -= 1
        if self.fault == "kill" and self.steps_left < 0:
            self.has_failed = True
            raise Killed
        if self.fault == "disk full" and self.steps_left < 0 and kind == "write":
            raise ParticleError("unsafe_file", "No space left.")
        if self.fault == "response lost" and self.steps_left < 0 and kind == "response" and not self.has_failed:
            self.has_failed = True
            raise ParticleError("unreachable", "The connection was closed.")

    def send(self, http: Http, request: Any) -> Response:
        self.take_step("request")
        answer = self.answer(http, request)
        self.take_step("response")
        return answer

    def answer(self, http: Http, request: Any) -> Response:
        if request.route == "POST /oauth/token":
            life = int(request.form.get("expires_in", 90 * 86400))
            value = f"token{next(self._names):035}"
            self.tokens[value] = self.clock.now + life
            return Response(200, {"access_token": value, "expires_in": life})
        if request.route == "GET /v1/access_tokens":
            return Response(200, [self.describe(value) for value in self.tokens])
        if http.token not in self.tokens:
            raise ParticleError("token_invalid", "Unknown.", status=401)
        if request.method == "DELETE":
            del self.tokens[http.token]
        return Response(200, {"client": "particle"})

    def describe(self, value: str) -> dict[str, Any]:
        end = datetime.datetime.fromtimestamp(self.tokens[value] or 0.0, datetime.UTC).isoformat()
        return {"token": value, "expires_at": end, "client": "__PASSWORD_ONLY__"}

    def drop_expired(self) -> None:
        self.tokens = {value: end for value, end in self.tokens.items() if end is None or end > self.clock.now}


def build_tokens(world: World, folder: Path) -> Tokens:
    http = conversation(URL, world.clock)
    http.send = lambda request: world.send(http, request)  # type: ignore[method-assign]
    requests = RequestLog(lambda: folder / request_log.FILE_NAME, clock=world.clock)
    sessions = SessionStore(folder / "sessions.json", world.clock, requests=requests)
    return Tokens(http, sessions, TokenStore(folder / "tokens.json"), lambda text: None)


def obtain(tokens: Tokens, kind: str) -> None:
    """Obtain a token as a task does."""
    if kind == "shared":
        grants.get_shared_token(tokens.http, LOGIN, tokens.sessions)
        return
    if kind not in ("stored", "rotated"):
        tokens.store = None
    tokens.is_temporary = kind in ("temporary", "running")
    with tokens.hand_over():
        if kind == "rotated":
            tokens.rotate(LOGIN, LABEL, {}, check_mode=False)
        else:
            lifetime = {} if kind == "stored" else {"expires_in": "7200"}
            tokens.ensure_present(LOGIN, LABEL, lifetime, None, check_mode=kind == "check mode")


def search_orphans(tokens: Tokens) -> OrphanSearch:
    """Return a search of a task that does not name the token file."""
    return OrphanSearch(tokens.http, tokens.sessions)


def hash_stored_tokens(tokens: Tokens) -> set[str]:
    return tokens.sessions.hash_tokens() | (set() if tokens.store is None else tokens.store.hash_tokens())


def check_every_token_is_known(world: World, tokens: Tokens) -> None:
    """Check that each valid token is stored, used by a running play, or listed as orphaned."""
    world.drop_expired()
    records = tokens.sessions.requests.list_records()
    used = {record.token_hash for record in records if record.reason is None}
    stored = hash_stored_tokens(tokens)
    orphans = search_orphans(tokens).list_orphans()
    listed = {record.token_hash for record in orphans}
    unknown = [value for value in world.tokens if hash_token(value) not in stored | used | listed]
    assert len(unknown) <= sum(record.token_hash is None for record in orphans)


@contextlib.contextmanager
def patched(world: World) -> Iterator[None]:
    """Let the run of `world` be the process that the records name, and let its faults affect each write."""
    replace_file: Callable[..., None] = private_file.replace_file

    def write(path: Path, content: bytes) -> None:
        world.take_step("write")
        replace_file(path, content)
        world.take_step("written")

    def identify(pid: int) -> dict[str, str]:
        return {"host": "", "boot": "", "namespace": "", "pid": str(world.run), "started": ""}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_file, "replace_file", write)
        patch.setattr(grants, "identify_process", identify)
        for module in (grants, request_log):
            patch.setattr(module, "has_ended", lambda holder: int(holder["pid"]) not in world.running)
        yield


runs = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(FAULTS),
        st.integers(0, 30),
        st.sampled_from((1.0, 300.0, 4000.0)),
    ),
    min_size=1,
    max_size=6,
)


@given(runs=runs)
def test_each_valid_token_is_stored_or_in_use_or_orphaned(runs: list[tuple[str, str | None, int, float]]) -> None:
    clock = TurnedClock()
    clock.now = 1e9
    world = World(clock)
    with tempfile.TemporaryDirectory() as name, patched(world):
        folder = Path(name)
        for kind, fault, steps, pause in runs:
            world.run += 1
            world.running.add(world.run)
            world.fault, world.steps_left, world.has_failed = fault, steps, False
            with contextlib.suppress(ParticleError, Killed):
                obtain(build_tokens(world, folder), kind)
            if kind != "running" or world.has_failed:
                world.running.discard(world.run)
            world.fault = None
            check_every_token_is_known(world, build_tokens(world, folder))
            clock.now += pause

        other = "another-machine"
        world.tokens[other] = clock.now + 12345.0
        tokens = build_tokens(world, folder)
        world.drop_expired()
        records = tokens.sessions.requests.list_records()
        used = {record.token_hash for record in records if record.reason is None}
        kept = hash_stored_tokens(tokens) | used | {hash_token(other)}
        alive = {value for value in world.tokens if hash_token(value) in kept}
        revoke_orphans(search_orphans(tokens), LOGIN, tokens.warn, check_mode=False)
        assert alive <= set(world.tokens), "a token in use was revoked"
        left = [record.token_hash for record in tokens.sessions.requests.list_records()]
        unknown = [value for value in world.tokens if hash_token(value) not in kept.union(filter(None, left))]
        assert len(unknown) <= left.count(None)
