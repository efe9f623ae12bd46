# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to a cloud, and log in again when the access token expires. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.grants import get_shared_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


class Session:
    """A login to a cloud for the duration of a ``with`` block: ``with Session(...) as http``.

    All processes of a user share one access token for each login. If no shared token exists, the session logs in. When
    the cloud no longer accepts the token, the session logs in again and repeats the refused request. The session does
    not revoke the shared token at the end of the block, because other processes may need the token. The token expires
    after an hour.
    """

    def __init__(
        self, http: Http, login: Login, store: Callable[[], SessionStore], warn: Callable[[str], None]
    ) -> None:
        self._http = http
        self._login = login
        self._store = store
        self._warn = warn

    def __enter__(self) -> Http:
        """Log in, and return the HTTP client. If the user gave an access token, use this token without a login.

        :raises ParticleError: when the cloud refuses the login. The caller must not try the login again.
        """
        if isinstance(self._login, ReadyToken):
            self._http.use_token(self._login.access_token)
            return self._http
        self._http.use_token(self._obtain_token(None))
        self._http.renew = self._renew_token
        return self._http

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.renew = None

    def _obtain_token(self, refused_token: str | None) -> str:
        return get_shared_token(self._http, self._login, self._store(), refused_token)

    def _renew_token(self, refused_token: str) -> str:
        self._warn("The cloud no longer accepts the token of this session; logging in again.")
        return self._obtain_token(refused_token)
