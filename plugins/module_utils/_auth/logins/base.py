# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the interface of a login, which is a way to obtain an access token. Private to this collection."""

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
"""Data that is stored for a login between its uses, such as the last one-time code."""


class Login(Protocol):
    """A way to obtain an access token."""

    @property
    def account(self) -> tuple[str, str] | None:
        """Return username and password, or ``None`` if the login does not use them.

        Self-hosted clouds revoke a token only with the username and password of its account.
        """

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the username and the id of the OAuth client for display; each is empty if there is none."""

    def get_identity(self) -> tuple[str, ...]:
        """Return all values that identify this login, including its secrets."""

    def find_problems(self) -> list[ParticleError]:
        """Return all mistakes that can be found without a request.

        A login with such a mistake must not be sent, because the cloud locks an address out after ten refused logins.
        """

    def mask_secrets(self, redact: Redactor) -> None:
        """Make ``redact`` mask the secrets of this login."""

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request a grant once, without retries.

        :param lifetime: the requested lifetime of the token, as fields of the request.
        :param memory: the data that this login keeps between its uses; it may be changed.
        :raises ParticleError: when the cloud refuses the login. This must end the run.
        """


@dataclass(frozen=True)
class Client:
    """An OAuth client."""

    id: str
    secret: str = field(repr=False)

    @property
    def basic_auth(self) -> tuple[str, str]:
        """Return the id and the secret as HTTP Basic credentials."""
        return self.id, self.secret

    def mask_secrets(self, redact: Redactor) -> None:
        """Make ``redact`` mask the secret, unless it is the public secret of the default client."""
        if self.secret != DEFAULT_CLIENT.secret:
            redact.add_secret(self.secret, username=self.id)


DEFAULT_CLIENT = Client("particle", "particle")
"""The default OAuth client, which is public. Any client works for the user's account (endpoints.yml: client_basic)."""

_CLIENT_ID = re.compile(r"[a-z0-9_-]{3,40}\Z", re.IGNORECASE)


def find_client_problems(client: Client) -> list[ParticleError]:
    """Return the mistakes in an OAuth client that can be found without a request."""
    found = []
    if not _CLIENT_ID.match(client.id):
        message = f"client_id {client.id!r} is not valid: use 3 to 40 letters, digits, hyphens or underscores."
        found.append(ParticleError("unknown_client", message))
    if not client.secret or any(c.isspace() or not c.isprintable() for c in client.secret):
        message = "client_secret is empty, or contains spaces or control characters."
        found.append(ParticleError("invalid_client_secret", message))
    return found


def find_account_problems(username: str, password: str) -> list[ParticleError]:
    """Return the mistakes in a username and password that can be found without a request."""
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
