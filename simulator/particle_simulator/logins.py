# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The access tokens, and the logins that wait for their next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from particle_simulator.model import Account, Client, MfaLogin, Token


class Logins:
    """All access tokens that are not revoked, all unfinished logins, and all unfinished setups of one-time codes."""

    __slots__ = ("mfa_logins", "mfa_setups", "on_revocation", "refresh_tokens", "sessions_2014", "tokens")

    def __init__(self, on_revocation: Callable[[Token], None] | None = None) -> None:
        self.on_revocation = on_revocation
        """A function that is called with each token that is revoked, or None."""
        self.tokens: dict[str, Token] = {}
        """Access tokens, keyed by value."""
        self.refresh_tokens: dict[str, Token] = {}
        """Access tokens, keyed by the value of their refresh token."""
        self.mfa_logins: dict[str, MfaLogin] = {}
        """Logins that wait for a one-time code, keyed by `mfa_token`."""
        self.mfa_setups: dict[str, tuple[Account, str]] = {}
        """(account, secret) for each unfinished setup of one-time codes, keyed by `mfa_token`."""
        self.sessions_2014: dict[str, tuple[Account, float]] = {}
        """(account, time of expiry) for each session of the two-step login of 2014, keyed by session token.

        The first step of this login starts a session. The second step returns an access token for the session.
        """

    def add_token(self, token: Token) -> None:
        """Store an access token and its refresh token. Both tokens are valid from now on."""
        self.tokens[token.value] = token
        if token.refresh_token:
            self.refresh_tokens[token.refresh_token] = token

    def list_tokens(self, account: Account) -> list[Token]:
        """Return the access tokens of an account, including expired tokens."""
        return [token for token in self.tokens.values() if token.account is account]

    def revoke(self, token: Token) -> None:
        """Revoke an access token and its refresh token."""
        self.tokens.pop(token.value, None)
        if token.refresh_token:
            self.refresh_tokens.pop(token.refresh_token, None)
        if self.on_revocation:
            self.on_revocation(token)

    def revoke_account(self, account: Account) -> None:
        """Revoke all access tokens of an account."""
        self._revoke_all(self.list_tokens(account))

    def revoke_client(self, client: Client) -> None:
        """Revoke all access tokens of an OAuth client."""
        self._revoke_all([token for token in self.tokens.values() if token.client_id == client.id])

    def _revoke_all(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            self.revoke(token)
