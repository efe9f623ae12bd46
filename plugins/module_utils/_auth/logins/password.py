# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in with username and password, and a one-time code if the account needs one. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant, request_grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import (
    DEFAULT_CLIENT,
    Client,
    Memory,
    find_account_problems,
    find_client_problems,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.one_time_code import (
    DIGITS,
    PERIOD,
    compute_code,
    decode_secret,
    find_period,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


@dataclass(frozen=True)
class PasswordLogin:
    """A login with the username and password of an account, through an OAuth client.

    :param otp: a one-time code, which is valid once and for 30 seconds.
    :param otp_secret: the base32 secret from which codes are computed, for unattended use.
    """

    username: str
    password: str = field(repr=False)
    client: Client = DEFAULT_CLIENT
    otp: str | None = field(default=None, repr=False)
    otp_secret: str | None = field(default=None, repr=False)

    @property
    def account(self) -> tuple[str, str]:
        """Return username and password, which self-hosted clouds need to revoke a token."""
        return self.username, self.password

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the username and the id of the OAuth client for display."""
        return self.username, self.client.id

    def get_identity(self) -> tuple[str, ...]:
        """Return all values that identify this login, including its secrets."""
        secrets = (self.client.secret, self.password, self.otp or "", self.otp_secret or "")
        return ("password", self.username, self.client.id, *secrets)

    def find_problems(self) -> list[ParticleError]:
        """Return all mistakes that can be found without a request."""
        found = find_account_problems(self.username, self.password) + find_client_problems(self.client)
        if self.otp is not None and not (self.otp.isascii() and self.otp.isdigit() and len(self.otp) == DIGITS):
            hint = "Put the code in quotes, because leading zeros are lost without quotes."
            found.append(ParticleError("otp_refused", f"otp is not a code of {DIGITS} digits.", hint=hint))
        if self.otp_secret is not None:
            try:
                decode_secret(self.otp_secret)
            except ValueError as error:
                hint = "Give the secret that was shown as text beside the QR code for two-factor login."
                found.append(ParticleError("otp_refused", f"otp_secret cannot be used: {error}.", hint=hint))
        return found

    def mask_secrets(self, redact: Redactor) -> None:
        """Make ``redact`` mask the secrets of this login."""
        redact.add_secret(self.password, username=self.username)
        redact.add_secret(self.otp_secret)
        self.client.mask_secrets(redact)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request a grant once, with a second request if a one-time code is needed (endpoints.yml: token_mfa_otp).

        :raises ParticleError: ``mfa_required`` when a one-time code is needed and none is given; ``otp_refused`` when
            the cloud does not accept the code; the refusal of the cloud otherwise. This must end the run.
        """
        action = f"obtain an access token for {self.username}"
        form = {"grant_type": "password", "username": self.username, "password": self.password, **lifetime}
        try:
            return request_grant(http, form, self.client.basic_auth, action)
        except ParticleError as error:
            mfa_token = error.response.get("mfa_token")
            if error.code != "mfa_required" or not isinstance(mfa_token, str):
                raise
            if self.otp is None and self.otp_secret is None:
                raise
        http.redact.add_secret(mfa_token)
        form = {"grant_type": "urn:custom:mfa-otp", "mfa_token": mfa_token, "otp": self.get_code(http, memory)}
        try:
            return request_grant(http, form, self.client.basic_auth, action)
        except ParticleError as error:
            # It is not known which of these statuses the cloud sends for a wrong code, so accept both.
            if error.status not in (400, 401):
                raise
            message = f"Could not {action}: the cloud does not accept the one-time code (HTTP {error.status})."
            raise ParticleError("otp_refused", message, status=error.status, route=error.route) from None

    def get_code(self, http: Http, memory: Memory) -> str:
        """Return the one-time code to send, and wait for the next code if this login has already used the current one.

        The cloud accepts each code only once.
        """
        if self.otp_secret is None:
            return self.otp or ""
        period = find_period(http.now())
        used = memory.get("otp_period", -1)
        if period <= used <= period + 1:  # an even later ``used`` means that the clock was set back
            period = used + 1
            http.sleep(max(0.0, period * PERIOD - http.now()))
        memory["otp_period"] = period
        memory["keep_until"] = (period + 1) * PERIOD
        return compute_code(self.otp_secret, period)
