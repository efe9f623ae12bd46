# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the interface of logins. A login is a way to obtain an access token. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http

Memory = dict[str, Any]
"""The data that the file of shared logins stores for one login, such as the shared access token."""


class Login(Protocol):
    """A way to obtain an access token, for example with username and password."""

    @property
    def account(self) -> tuple[str, str] | None:
        """Return username and password, or ``None`` if the login does not use a username and a password.

        Self-hosted clouds require username and password to revoke an access token.
        """

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the names to show to the user: the username and the OAuth client id.

        A name that does not exist or is not known is an empty string.
        """

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the credentials without a request.

        The caller must not send credentials with a mistake, because the cloud locks out an IP address after ten refused
        logins in a row.
        """

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the secrets of this login."""

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request an access token once, without retries, and return the token as a :class:`Grant`.

        :param lifetime: the form fields that request a lifetime for the token, such as ``{"expires_in": "3600"}``.
        :param memory: the stored data of this login. The method can change this data.
        :raises ParticleError: when the cloud refuses the login. The caller must not try the login again.
        """


@dataclass(frozen=True)
class Client:
    """An OAuth client."""

    id: str
    secret: str = field(repr=False)

    @property
    def basic_auth(self) -> tuple[str, str]:
        """Return client id and client secret, which are sent with HTTP Basic authentication."""
        return self.id, self.secret

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the client secret. The public secret of the default client is not masked."""
        if self.secret != DEFAULT_CLIENT.secret:
            redact.add_secret(self.secret, username=self.id)


DEFAULT_CLIENT = Client("particle", "particle")
"""The default OAuth client, whose id and secret are public.

Any existing OAuth client can be used to log in to an account (endpoints.yml: client_basic).
"""

_CLIENT_ID = re.compile(r"[a-z0-9_-]{3,40}\Z", re.IGNORECASE)


def find_client_problems(client: Client) -> list[ParticleError]:
    """Return the mistakes that can be found in an OAuth client without a request."""
    found = []
    if not _CLIENT_ID.match(client.id):
        message = f"client_id {client.id!r} is not valid: use 3 to 40 letters, digits, hyphens or underscores."
        found.append(ParticleError("unknown_client", message))
    if not client.secret or any(c.isspace() or not c.isprintable() for c in client.secret):
        message = "client_secret is empty, or contains spaces or control characters."
        found.append(ParticleError("invalid_client_secret", message))
    return found


def find_account_problems(username: str, password: str) -> list[ParticleError]:
    """Return the mistakes that can be found in a username and a password without a request."""
    found = []
    if not username:
        found.append(ParticleError("malformed_username", "The username is empty."))
    elif not username.isprintable() or any(c.isspace() for c in username):
        # repr() shows where the invalid character is. A username is not a secret.
        message = f"The username {username!r} contains spaces, line breaks or control characters."
        found.append(ParticleError("malformed_username", message))
    if not password:
        found.append(ParticleError("malformed_password", "The password is empty."))
    elif password.endswith(("\n", "\r")):
        found.append(ParticleError("malformed_password", "The password ends with a line break."))
    elif not password.isprintable():
        found.append(ParticleError("malformed_password", "The password contains a control character."))
    return found
