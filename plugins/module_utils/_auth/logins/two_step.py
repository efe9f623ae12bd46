# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in with the two-step session flow of older clouds. Private to this collection.

The first request sends username and password, and returns a session. The second request sends the session, and returns
an access token. The Particle cloud used this flow in 2014, before the OAuth endpoint of the cloud was public
(errors-and-limits.md, section 6). Some self-hosted clouds possibly still use this flow. The URLs of the two requests
are not documented, so the user must give both URLs.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, is_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Memory, find_account_problems
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_seconds_until
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry


@dataclass(frozen=True)
class TwoStepLogin:
    """A login with an account through the two-step session flow.

    :param login_url: a full URL, or a path below ``api_url``. The first request obtains a session from this URL.
    :param token_url: a full URL, or a path below ``api_url``. The second request obtains an access token from this URL.
    """

    username: str
    password: str = field(repr=False)
    login_url: str
    token_url: str

    @property
    def account(self) -> tuple[str, str]:
        """Return username and password. Self-hosted clouds require both to revoke an access token."""
        return self.username, self.password

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the names to show to the user: the username, and an empty string instead of an OAuth client id."""
        return self.username, ""

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""
        return ("session", self.username, self.password, self.login_url, self.token_url)

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the credentials and the URLs without a request."""
        found = find_account_problems(self.username, self.password)
        for name, url in (("session_login_url", self.login_url), ("session_token_url", self.token_url)):
            if not _is_url_or_path(url):
                message = f"{name} must be a URL or a path that starts with a slash."
                found.append(ParticleError("not_a_cloud", message, hint=f"Correct {name}."))
        return found

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the password."""
        redact.add_secret(self.password, username=self.username)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Send each of the two requests once, without retries, and return the access token as a grant.

        ``lifetime`` is ignored, because the two-step flow cannot request a lifetime.

        :raises ParticleError: ``invalid_credentials`` when the cloud refuses the first request; ``bad_response`` when
            the first response contains no session, or the second response contains no access token.
        """
        first = self._send(http, "POST", self.login_url, json={"username": self.username, "password": self.password})
        session = first.get("auth_token")
        token = session.get("token") if isinstance(session, dict) else None
        if not is_token(token):
            raise _build_missing_token_error(self.username, "session")
        second = self._send(http, "GET", self.token_url, bearer=token)
        access_token = second.get("access_token")
        if not is_token(access_token):
            raise _build_missing_token_error(self.username, "access token")
        http.redact.add_secret(access_token)
        left = compute_seconds_until(second.get("access_token_expires_at"), http.now())
        return Grant(access_token, "bearer", None if left is None else max(1, int(left)))

    def _send(self, http: Http, method: str, url: str, json: Any = None, bearer: str | None = None) -> dict[str, Any]:
        parts = urllib.parse.urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}" if parts.scheme else http.connection.api_url
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection = replace(http.connection, api_url=base)
        step = Http(connection, redact=http.redact, budget=http.budget, clock=Clock(sleep=http.sleep))
        step.use_token(bearer)
        try:
            action = f"obtain an access token for {self.username}"
            data = step.send(Request(f"{method} {path}", action, json=json, retry=Retry.NEVER, writes=False)).data
        except ParticleError as error:
            # The error responses of this flow are not documented. If the cloud refuses the first request, report a
            # wrong username or password.
            if error.status in (400, 401, 403) and bearer is None:
                meaning = "With grant=session, this response means that the username or the password is wrong."
                message = f"{error.message} {meaning}"
                raise ParticleError("invalid_credentials", message, status=error.status, route=error.route) from None
            raise
        finally:
            http.usage.add(step.usage)
            step.close()
        return data if isinstance(data, dict) else {}


def _is_url_or_path(url: str) -> bool:
    """Return whether ``url`` is an http or https URL, or a path that starts with one slash.

    A URL with a username or a password is not valid. A path must not start with two slashes, because the text after the
    slashes would be used as a host name.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        _unused = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    if "@" in url or any(c.isspace() for c in url):
        return False
    if parts.scheme in ("http", "https"):
        return bool(parts.hostname)
    return url.startswith("/") and not url.startswith("//")


def _build_missing_token_error(username: str, what: str) -> ParticleError:
    message = f"Could not obtain an access token for {username}: the response contains no {what}."
    return ParticleError("bad_response", message, hint="Check session_login_url and session_token_url.")
