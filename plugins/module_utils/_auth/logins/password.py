# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in with username, password and, if the cloud requires it, a one-time code. Private to this collection."""

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

    :param otp: a one-time code from an authenticator app. A one-time code can be used once, within 30 seconds.
    :param otp_secret: the base32 secret from which one-time codes are computed, so that no user must enter a code.
    """

    username: str
    password: str = field(repr=False)
    client: Client = DEFAULT_CLIENT
    otp: str | None = field(default=None, repr=False)
    otp_secret: str | None = field(default=None, repr=False)

    @property
    def account(self) -> tuple[str, str]:
        """Return username and password. Self-hosted clouds require both to revoke an access token."""
        return self.username, self.password

    @property
    def display_names(self) -> tuple[str, str]:
        """Return the names to show to the user: the username and the OAuth client id."""
        return self.username, self.client.id

    def get_identity(self) -> tuple[str, ...]:
        """Return the strings that identify this login, including the secrets of the login."""
        secrets = (self.client.secret, self.password, self.otp or "", self.otp_secret or "")
        return ("password", self.username, self.client.id, *secrets)

    def find_problems(self) -> list[ParticleError]:
        """Return the mistakes that can be found in the credentials without a request."""
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
        """Tell ``redact`` to mask the secrets of this login."""
        redact.add_secret(self.password, username=self.username)
        redact.add_secret(self.otp_secret)
        self.client.mask_secrets(redact)

    def obtain_grant(self, http: Http, lifetime: Mapping[str, str], memory: Memory) -> Grant:
        """Request an access token once, without retries (endpoints.yml: token_mfa_otp).

        If the cloud requires a one-time code, a second request sends the code.

        :raises ParticleError: ``mfa_required`` when the cloud requires a one-time code, but ``otp`` and ``otp_secret``
            are ``None``; ``otp_refused`` when the cloud does not accept the code; another code when the cloud refuses
            the login for another reason. The caller must not try the login again.
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
            # It is not known whether the cloud sends status 400 or 401 for a wrong code, so handle both statuses.
            if error.status not in (400, 401):
                raise
            message = (
                f"Could not {action}: the cloud does not accept the one-time code (HTTP {error.status}{error.quoted})."
            )
            raise ParticleError("otp_refused", message, status=error.status, route=error.route) from None

    def get_code(self, http: Http, memory: Memory) -> str:
        """Return the one-time code to send. If ``otp_secret`` is given, compute the code, else return ``otp``.

        The cloud accepts each code only once. If this login has already used the current code, wait for the next code.
        """
        if self.otp_secret is None:
            return self.otp or ""
        period = find_period(http.now())
        used = memory.get("otp_period", -1)
        if period <= used <= period + 1:  # a later ``used`` shows that the clock was set back
            period = used + 1
            http.sleep(max(0.0, period * PERIOD - http.now()))
        memory["otp_period"] = period
        memory["keep_until"] = (period + 1) * PERIOD
        return compute_code(self.otp_secret, period)
