# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From e-mail and password to a token: the password grant. Private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, grant_by_password
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError, Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http

CUSTOMARY_CLIENT = ("particle", "particle")
"""Any client works for one's own account (endpoints.yml: client_basic); this pair is public and no secret."""

_CLIENT_ID = re.compile(r"[a-z0-9_-]{3,40}\Z", re.IGNORECASE)


@dataclass(frozen=True)
class PasswordLogin:
    """Username and password of an account, with the OAuth client that asks for them."""

    username: str
    password: str = field(repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    @property
    def client(self) -> tuple[str, str]:
        """Id and secret of the OAuth client."""
        if self.client_id is None or self.client_secret is None:
            return CUSTOMARY_CLIENT
        return self.client_id, self.client_secret

    def problems(self) -> list[ParticleError]:
        """All mistakes that can be seen without asking the cloud: each saves one of ten refusals."""
        found = []
        if not self.username:
            found.append(ParticleError("malformed_username", "The username is empty."))
        elif not self.username.isprintable() or any(c.isspace() for c in self.username):
            # repr() shows where the stray character is; a username is no secret.
            message = f"The username {self.username!r} holds spaces, line breaks or control characters."
            found.append(ParticleError("malformed_username", message))
        if not self.password:
            found.append(ParticleError("malformed_password", "The password is empty."))
        elif self.password.endswith(("\n", "\r")):
            found.append(ParticleError("malformed_password", "The password ends with a line break."))
        elif not self.password.isprintable():
            found.append(ParticleError("malformed_password", "The password holds a control character."))
        if (self.client_id is None) != (self.client_secret is None):
            message = "client_id and client_secret belong together, and only one of them is given."
            found.append(ParticleError("invalid_client_secret", message))
        if self.client_id is not None and not _CLIENT_ID.match(self.client_id):
            message = f"client_id {self.client_id!r} is none: 3 to 40 letters, digits, hyphens and underscores."
            found.append(ParticleError("unknown_client", message))
        return found

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know what must never be shown."""
        redact.learn(self.password, username=self.username)
        if self.client_secret not in (None, CUSTOMARY_CLIENT[1]):
            redact.learn(self.client_secret, username=self.client_id)

    def obtain(self, http: Http, expires_in: int | None) -> Grant:
        """One grant, one request. :raises ParticleError: the refusal, which must end the run."""
        return grant_by_password(http, self.username, self.password, self.client, expires_in)
