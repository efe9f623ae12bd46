# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in with a refresh token. Private to this collection."""

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
class RefreshToken:
    """A login with a refresh token. A refresh token can be used only once.

    :param refresh_token: ``None`` to use the refresh token that is stored in ``token_file``.
    :param client: the OAuth client to which the refresh token was issued.
    """

    refresh_token: str | None = field(repr=False)
    client: Client

    account = None

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the names to show to the user: an empty string instead of a username, and the OAuth client id."""
        return "", self.client.id

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""
        return ("refresh_token", self.client.id, self.client.secret, self.refresh_token or "")

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the credentials without a request."""
        found = find_client_problems(self.client)
        value = self.refresh_token
        if value is not None and (not value or any(c.isspace() or not c.isprintable() for c in value)):
            hint = (
                "Give only the refresh token. If it is read from a file, remove the line break at its end with the "
                "filter trim."
            )
            found.append(ParticleError("token_invalid", "The refresh token is empty or contains spaces.", hint=hint))
        return found

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the refresh token and the client secret."""
        redact.add_secret(self.refresh_token)
        self.client.mask_secrets(redact)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request an access token once, without retries (endpoints.yml: token_refresh).

        After the request, the refresh token cannot be used again.

        :raises ParticleError: ``invalid_credentials`` when the cloud does not accept the refresh token.
        """
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token or ""}
        action = "obtain an access token from the refresh token"
        try:
            return request_grant(http, form, self.client.basic_auth, action)
        except ParticleError as error:
            if error.code != "invalid_credentials":
                raise
            message = (
                f"Could not {action}: the cloud does not accept this refresh token (HTTP {error.status}{error.quoted})."
            )
            hint = "Log in again: a refresh token can be used once, and expires about 14 days after its access token."
            raise ParticleError(error.code, message, hint=hint, status=error.status, route=error.route) from None
