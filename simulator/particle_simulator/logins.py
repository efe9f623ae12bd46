# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The access tokens, and the logins with several steps that are not complete yet."""

from __future__ import annotations

from collections.abc import Iterable

from particle_simulator.model import Account, Client, MfaLogin, Token


class Logins:
    """All valid tokens and all unfinished logins."""

    __slots__ = ("mfa_logins", "mfa_setups", "refresh_tokens", "sessions_2014", "tokens")

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        """Access tokens by value."""
        self.refresh_tokens: dict[str, Token] = {}
        """Access tokens by the value of their refresh token."""
        self.mfa_logins: dict[str, MfaLogin] = {}
        """Logins that wait for a one-time code, by mfa_token."""
        self.mfa_setups: dict[str, tuple[Account, str]] = {}
        """One-time code secrets that wait for their first code, by mfa_token."""
        self.sessions_2014: dict[str, tuple[Account, float]] = {}
        """Logins of 2014 between their two steps, by session token: the account and the time of expiry."""

    def add_token(self, token: Token) -> None:
        """Make a token and its refresh token valid."""
        self.tokens[token.value] = token
        if token.refresh_token:
            self.refresh_tokens[token.refresh_token] = token

    def list_tokens(self, account: Account) -> list[Token]:
        """List the tokens of an account, expired ones included."""
        return [token for token in self.tokens.values() if token.account is account]

    def revoke(self, token: Token) -> None:
        """Revoke a token and its refresh token."""
        self.tokens.pop(token.value, None)
        if token.refresh_token:
            self.refresh_tokens.pop(token.refresh_token, None)

    def revoke_account(self, account: Account) -> None:
        """Revoke all tokens of an account."""
        self._revoke_all(self.list_tokens(account))

    def revoke_client(self, client: Client) -> None:
        """Revoke all tokens of an OAuth client."""
        self._revoke_all([token for token in self.tokens.values() if token.client_id == client.id])

    def _revoke_all(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            self.revoke(token)
