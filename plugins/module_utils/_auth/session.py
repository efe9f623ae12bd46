# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A logged-in conversation with a cloud, from login to revocation. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.life import revoke
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http

Login = PasswordLogin | ReadyToken
"""Every way to a token: what is wrong with it offline, its secrets, and the grant."""

SESSION_SECONDS = 3600
"""How long a token lives that a task obtains for itself, should the task die before it can revoke it."""


class Session:
    """Use as ``with Session(...) as http``: logs in at the start and leaves no token of its own behind."""

    def __init__(self, http: Http, login: Login, warn: Callable[[str], None]) -> None:
        self._http = http
        self._login = login
        self._warn = warn
        self._token = ""

    def __enter__(self) -> Http:
        """Log in, unless there is a ready token. :raises ParticleError: the refusal; it is not tried again."""
        self._token = self._login.obtain(self._http, SESSION_SECONDS).access_token
        self._http.authorize(self._token)
        return self._http

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(self._login, ReadyToken):
            return
        try:
            revoke(self._http, self._token, (self._login.username, self._login.password))
        except ParticleError as failed:
            # The work is done or has failed for its own reason; an hour ends the token anyway.
            self._warn(f"{failed.message} It ends by itself within an hour, if this cloud honours that.")
