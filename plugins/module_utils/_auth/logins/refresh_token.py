# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a refresh token to the next access token. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, ask_for_grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    Client,
    Memory,
    client_problems,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token, good for one grant, with the client that it was made for.

    :param refresh_token: ``None`` for the one that is kept beside the access token.
    """

    refresh_token: str | None = field(repr=False)
    client: Client

    account = None

    @property
    def names(self) -> tuple[str, str]:
        """Account and OAuth client as they may be shown."""
        return "", self.client.id

    def identity(self) -> tuple[str, ...]:
        """All that makes this login this login."""
        return ("refresh_token", self.client.id, self.client.secret, self.refresh_token or "")

    def problems(self) -> list[ParticleError]:
        """All mistakes that can be seen without asking the cloud."""
        found = client_problems(self.client)
        value = self.refresh_token
        if value is not None and (not value or any(c.isspace() or not c.isprintable() for c in value)):
            hint = "Give the bare refresh token; when it is read from a file, remove the line break with '| trim'."
            found.append(ParticleError("token_invalid", "The refresh token is empty or holds spaces.", hint=hint))
        return found

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know what must never be shown."""
        redact.learn(self.refresh_token)
        self.client.teach(redact)

    def obtain(self, http: Http, wish: Mapping[str, str], memory: Memory) -> Grant:
        """One grant, one request (endpoints.yml: token_refresh). The refresh token is used up by it."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token or ""}
        doing = "obtain an access token from the refresh token"
        try:
            return ask_for_grant(http, form, self.client.pair, doing)
        except ParticleError as error:
            if error.code != "invalid_credentials":
                raise
            message = f"Could not {doing}: the cloud does not accept it; it answered {error.status}."
            hint = "A refresh token is good once, and ends about 14 days after its access token: log in again."
            raise ParticleError(error.code, message, hint=hint, status=error.status, route=error.route) from None
