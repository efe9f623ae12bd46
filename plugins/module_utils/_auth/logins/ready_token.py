# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Use an access token that the user already has. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Memory
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.token_form import find_token_mistake


@dataclass(frozen=True)
class ReadyToken:
    """A login with an access token that the user gave. No access token is requested."""

    access_token: str = field(repr=False)

    account = None

    @property
    def display_names(self) -> tuple[str, str]:
        """Return two empty strings, because neither the username nor the OAuth client of the token is known."""
        return "", ""

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""
        return ("access_token", self.access_token)

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the access token without a request."""
        mistake = find_token_mistake(self.access_token)
        return [] if mistake is None else [mistake]

    def mask_secrets(self, redact: Redactor) -> None:
        """Tell ``redact`` to mask the access token."""
        redact.add_secret(self.access_token)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Return the given access token as a grant. No request is sent."""
        return Grant(self.access_token, "bearer", None)
