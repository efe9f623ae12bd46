# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in with the id and secret of an OAuth client. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, request_grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    Client,
    Memory,
    find_client_problems,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class ClientCredentials:
    """A login with the id and secret of an OAuth client, without a user.

    :param scope: a limit for the access token, for example to one customer. If ``scope`` is ``None``, the token is
        valid for the whole product or account to which the OAuth client belongs.
    """

    client: Client
    scope: str | None = field(default=None)

    account = None

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the names to show to the user: an empty string instead of a username, and the OAuth client id."""
        return "", self.client.id

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""
        return ("client_credentials", self.client.id, self.client.secret, self.scope or "")

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the credentials without a request."""
        return find_client_problems(self.client)

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the client secret."""
        self.client.mask_secrets(redact)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request an access token once, without retries (endpoints.yml: token_client_credentials).

        :raises ParticleError: ``unknown_client`` when the cloud does not accept the client id or the client secret.
        """
        form = {"grant_type": "client_credentials", **lifetime}
        if self.scope is not None:
            form["scope"] = self.scope
        action = f"obtain an access token for client {self.client.id}"
        try:
            return request_grant(http, form, self.client.basic_auth, action)
        except ParticleError as error:
            # The cloud sends the same error as for a wrong password. This request contains no password, so the client
            # id or the client secret is wrong.
            if error.code != "invalid_credentials":
                raise
            cause = "the cloud does not accept the id or the secret of this client"
            message = f"Could not {action}: {cause} (HTTP {error.status}{error.quoted})."
            hint = "Check client_id and client_secret."
            raise ParticleError("unknown_client", message, hint=hint, status=error.status, route=error.route) from None
