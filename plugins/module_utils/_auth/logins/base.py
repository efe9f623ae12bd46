# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all ways to a token have in common. Private to this collection."""

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
"""What is remembered of one login between its uses."""


class Login(Protocol):
    """A way to a token."""

    @property
    def account(self) -> tuple[str, str] | None:
        """Username and password, for clouds that revoke only for the account; ``None`` when they are not known."""

    @property
    def names(self) -> tuple[str, str]:
        """Account and OAuth client as they may be shown, empty where there is none."""

    def identity(self) -> tuple[str, ...]:
        """All that makes this login this login, secrets included."""

    def problems(self) -> list[ParticleError]:
        """All mistakes that can be seen without asking the cloud: each saves one of ten refusals."""

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know what must never be shown."""

    def obtain(self, http: Http, wish: Mapping[str, str], memory: Memory) -> Grant:
        """Ask for a grant, once.

        :param wish: how long the token shall live, as fields of the request.
        :param memory: what this login remembers between its uses.
        :raises ParticleError: the refusal, which must end the run.
        """


@dataclass(frozen=True)
class Client:
    """An OAuth client."""

    id: str
    secret: str = field(repr=False)

    @property
    def pair(self) -> tuple[str, str]:
        """As HTTP Basic wants it."""
        return self.id, self.secret

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know the secret, unless everybody knows it."""
        if self.secret != CUSTOMARY_CLIENT.secret:
            redact.learn(self.secret, username=self.id)


CUSTOMARY_CLIENT = Client("particle", "particle")
"""Any client works for one's own account (endpoints.yml: client_basic); this one is public."""

_CLIENT_ID = re.compile(r"[a-z0-9_-]{3,40}\Z", re.IGNORECASE)


def client_problems(client: Client) -> list[ParticleError]:
    """Mistakes of a client that can be seen without asking the cloud."""
    found = []
    if not _CLIENT_ID.match(client.id):
        message = f"client_id {client.id!r} is none: 3 to 40 letters, digits, hyphens and underscores."
        found.append(ParticleError("unknown_client", message))
    if not client.secret or any(c.isspace() or not c.isprintable() for c in client.secret):
        message = "client_secret is empty, or holds spaces or control characters."
        found.append(ParticleError("invalid_client_secret", message))
    return found


def account_problems(username: str, password: str) -> list[ParticleError]:
    """Mistakes of username and password that can be seen without asking the cloud."""
    found = []
    if not username:
        found.append(ParticleError("malformed_username", "The username is empty."))
    elif not username.isprintable() or any(c.isspace() for c in username):
        # repr() shows where the stray character is; a username is no secret.
        message = f"The username {username!r} holds spaces, line breaks or control characters."
        found.append(ParticleError("malformed_username", message))
    if not password:
        found.append(ParticleError("malformed_password", "The password is empty."))
    elif password.endswith(("\n", "\r")):
        found.append(ParticleError("malformed_password", "The password ends with a line break."))
    elif not password.isprintable():
        found.append(ParticleError("malformed_password", "The password holds a control character."))
    return found
