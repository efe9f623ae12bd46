# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request access tokens so that no token stays valid unnoticed. Private to this collection.

A request is recorded before it is sent. If a later step fails, the token is revoked. If the process is killed, or the
response is lost, the record stays, and shows that a token may exist.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import MAX_LIFETIME, Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login, Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import Record, Stage, hash_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import (
    SESSION_SECONDS,
    SessionStore,
    identify_login,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import revoke_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifetime import (
    DEFAULT_LIFETIME,
    compute_requested_seconds,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import (
    find_parent_id,
    has_ended,
    identify_process,
)

_MARGIN_SECONDS = 60
_USED_REFRESH_TOKEN_HINT = (
    "The refresh token has been used up, and its successor could not be stored, so log in again to obtain another one."
)
_LOST_RESPONSE_HINT = (
    "If the cloud has granted a token, module access_token_info lists it under orphaned, and module access_token with "
    "state=absent and which=orphaned revokes it if the cloud lists tokens."
)


class GrantAttempt:
    """One login. It ends with a token that is stored, returned or revoked, or with a record of the request.

    :param lifetime: the form fields that request a lifetime for the token, such as ``{"expires_in": "3600"}``.
    :param token_file: the token file in which the token is to be stored; ``None`` for no such file.
    """

    def __init__(
        self,
        http: Http,
        login: Login,
        lifetime: Mapping[str, str],
        sessions: SessionStore,
        token_file: Path | None = None,
    ) -> None:
        self._http = http
        self._login = login
        self.lifetime = lifetime
        self._sessions = sessions
        self._token_file = None if token_file is None else os.path.abspath(token_file)
        self._record: Record | None = None
        self._grant: Grant | None = None
        self._play = identify_process(find_parent_id())

    @property
    def has_grant(self) -> bool:
        """Return whether the cloud has granted a token."""
        return self._grant is not None

    def request(self, memory: Memory) -> Grant:
        """Record the request, send it and return the grant.

        :param memory: the stored data of the login.
        :raises ParticleError: when the request cannot be recorded, or the login fails.
        """
        account, client = self._login.display_names
        now = self._http.now()
        ends_at = self._compute_requested_end(now)
        url, holder = self._http.connection.api_url, identify_process(os.getpid())
        record = Record(url, account, client, now, ends_at, holder, token_file=self._token_file)
        self._sessions.requests.add(record)
        self._record = record
        try:
            self._grant = self._login.obtain_grant(self._http, self.lifetime, memory)
        except ParticleError as error:
            if _has_granted_nothing(error):
                self._drop_record()
            else:
                error.hint = f"{error.hint} {_LOST_RESPONSE_HINT}"
            raise
        return self._grant

    def settle(self, stored_for: float | None = None) -> None:
        """Record that the token is stored in a file. A token that outlives its storage is then listed as orphaned.

        :param stored_for: for how many seconds the token is stored; ``None`` if it is stored until it expires.
        :raises ParticleError: ``unsafe_file`` when the record cannot be written.
        """
        if self._grant is None:
            return
        life, usable_until = self._grant.expires_in, None
        # Some clouds ignore the requested lifetime, and some do not tell the lifetime that they have chosen.
        if stored_for is not None and (not life or life > stored_for + _MARGIN_SECONDS):
            usable_until = self._http.now() + stored_for
        self._note_token(Stage.STORED, usable_until=usable_until)

    def hold(self, *, is_temporary: bool) -> None:
        """Record the token, which no file stores.

        :param is_temporary: whether the play is expected to revoke the token.
        """
        self._note_token(Stage.HELD, is_temporary=is_temporary)

    def hand_over(self) -> None:
        """Record that the token is returned to the play, which runs in the parent process.

        If the parent process has ended, revoke the token, because nothing receives it.

        :raises ParticleError: when the record cannot be written, or the token cannot be revoked.
        """
        if has_ended(self._play):
            self.revoke()
        elif self._record is not None:
            self._record = self._sessions.requests.update(self._record, stage=Stage.RETURNED, holder=self._play)

    def revoke(self) -> None:
        """Revoke the token, if one was granted, and remove its record.

        :raises ParticleError: when the token could not be revoked. The record then lists the token as orphaned.
        """
        if self._record is None:
            return
        if self._grant is None:
            self._mark_as_lost()
            return
        try:
            revoke_token(self._http, self._grant.access_token, self._login.account)
        except BaseException:
            self._mark_as_lost()
            raise
        self._drop_record()
        with contextlib.suppress(ParticleError):  # an unusable file contains no token that other processes could use
            self._sessions.forget_token(self._grant.access_token)

    def _mark_as_lost(self) -> None:
        with contextlib.suppress(ParticleError):  # an unchanged record lists the token when this process has ended
            self._note_token(Stage.LOST)

    def _note_token(self, stage: Stage, **changes: Any) -> None:
        """Record the stage of the request and, if the cloud has granted a token, its hash and its end."""
        if self._record is None:
            return
        if self._grant is not None:
            changes.update(token_hash=hash_token(self._grant.access_token), ends_at=self._find_end(self._grant))
        self._record = self._sessions.requests.update(self._record, stage=stage, **changes)

    def _drop_record(self) -> None:
        record, self._record = self._record, None
        if record is not None:
            self._sessions.requests.remove(lambda each: each.id == record.id)

    def _find_end(self, grant: Grant) -> float | None:
        """Return when a token expires, in seconds since 1970. Return ``None`` if it never expires."""
        if grant.expires_in == 0:
            return None
        # A cloud that does not tell the lifetime may have ignored the requested one.
        return self._http.now() + (DEFAULT_LIFETIME if grant.expires_in is None else grant.expires_in)

    def _compute_requested_end(self, now: float) -> float | None:
        """Return when a token with the requested lifetime expires. Return ``None`` if it never expires."""
        seconds = compute_requested_seconds(self.lifetime, now)
        if seconds == float("inf"):
            return None
        return now + min(DEFAULT_LIFETIME if seconds is None else seconds, MAX_LIFETIME)


@contextlib.contextmanager
def open_attempt(
    http: Http,
    login: Login,
    lifetime: Mapping[str, str],
    sessions: SessionStore,
    token_file: Path | None = None,
) -> Iterator[GrantAttempt]:
    """Yield a login attempt. If the ``with`` block fails, revoke the token that the attempt has obtained."""
    attempt = GrantAttempt(http, login, lifetime, sessions, token_file)
    try:
        yield attempt
    except BaseException as error:
        if isinstance(error, ParticleError) and isinstance(login, RefreshToken) and attempt.has_grant:
            error.hint = f"{error.hint} {_USED_REFRESH_TOKEN_HINT}"
        try:
            attempt.revoke()
        except ParticleError as failure:
            if isinstance(error, ParticleError):
                error.hint = f"{error.hint} The new token could not be revoked: {failure.message} {_LOST_RESPONSE_HINT}"
        raise


def get_shared_token(http: Http, login: Login, sessions: SessionStore, refused_token: str | None = None) -> str:
    """Return the shared access token of a login. If no valid shared token exists, log in and share the new token.

    :param refused_token: a shared token that the cloud no longer accepts. This token is not returned again.
    :raises ParticleError: when the login fails, or when the same login failed a short time ago.
    """
    with open_attempt(http, login, {"expires_in": str(SESSION_SECONDS)}, sessions) as attempt:
        identity = identify_login(http.connection, login)
        token = sessions.get_token(identity, attempt.request, refused_token=refused_token)
        attempt.settle(stored_for=SESSION_SECONDS)
        return token


def _has_granted_nothing(error: ParticleError) -> bool:
    """Return whether a failed login has certainly not led to a token."""
    if error.unsent:
        return True
    if error.code in ("unreachable", "bad_response", "ambiguous_write") or error.status in (408, 502, 504):
        return False
    if error.status is None or error.status < 500:
        return True
    # A proxy may send this status after the cloud has granted a token. Only the cloud sends an OAuth error word.
    return isinstance(error.response.get("error"), str)
