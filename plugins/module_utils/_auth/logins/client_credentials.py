# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an OAuth client's own id and secret to a token. Private to this collection."""

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
class ClientCredentials:
    """A client that acts for itself: for its product, its account or, by ``scope``, one of its customers."""

    client: Client
    scope: str | None = field(default=None)

    account = None

    @property
    def names(self) -> tuple[str, str]:
        """Account and OAuth client as they may be shown."""
        return "", self.client.id

    def identity(self) -> tuple[str, ...]:
        """All that makes this login this login."""
        return ("client_credentials", self.client.id, self.client.secret, self.scope or "")

    def problems(self) -> list[ParticleError]:
        """All mistakes that can be seen without asking the cloud."""
        return client_problems(self.client)

    def teach(self, redact: Redactor) -> None:
        """Let ``redact`` know what must never be shown."""
        self.client.teach(redact)

    def obtain(self, http: Http, wish: Mapping[str, str], memory: Memory) -> Grant:
        """One grant, one request (endpoints.yml: token_client_credentials)."""
        form = {"grant_type": "client_credentials", **wish}
        if self.scope is not None:
            form["scope"] = self.scope
        doing = f"obtain an access token for client {self.client.id}"
        try:
            return ask_for_grant(http, form, self.client.pair, doing)
        except ParticleError as error:
            # The word of a wrong password, but here there is only the client that can be wrong.
            if error.code != "invalid_credentials":
                raise
            message = f"Could not {doing}: the cloud does not accept its id or secret; it answered {error.status}."
            hint = "Check client_id and client_secret."
            raise ParticleError("unknown_client", message, hint=hint, status=error.status, route=error.route) from None
