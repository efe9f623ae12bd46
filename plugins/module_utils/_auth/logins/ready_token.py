# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest way to a token: the user has one. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class ReadyToken:
    """A token that somebody else obtained and somebody else will revoke."""

    access_token: str = field(repr=False)

    account = None

    @property
    def names(self) -> tuple[str, str]:
        """Account and OAuth client as they may be shown."""
        return "", ""

    def identity(self) -> tuple[str, ...]:
        """All that makes this login this login."""
        return ("access_token", self.access_token)

    def problems(self) -> list[ParticleError]:
        """Mistakes that can be seen without asking the cloud."""
        token = self.access_token
        if not token:
            return [ParticleError("token_invalid", "The access token is empty.")]
        if token.isascii() and token.isprintable() and " " not in token:
            return []
        message = "The access token holds spaces, line breaks or other characters that no token has."
        hint = "Give the bare token; when it is read from a file, remove the line break with '| trim'."
        return [ParticleError("token_invalid", message, hint=hint)]

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know what must never be shown."""
        redact.learn(self.access_token)

    def obtain(self, http: Http, wish: Mapping[str, str], memory: Memory) -> Grant:
        """The token itself; no request."""
        return Grant(self.access_token, "bearer", None)
