# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The accounts of the cloud and its OAuth clients."""

from __future__ import annotations

from particle_simulator.model import Account, Client

OFFICIAL_CLIENTS = ("particle", "particle-api", "particle-cli")
"""Clients that every account may use, each with its own name as its secret."""


class Accounts:
    """All accounts, and the OAuth clients through which they log in."""

    __slots__ = ("by_username", "clients")

    def __init__(self) -> None:
        self.by_username: dict[str, Account] = {}
        """Accounts by username in lower case: usernames ignore case."""
        self.clients = {name: Client(name, name) for name in OFFICIAL_CLIENTS}
        """OAuth clients by their ids."""

    def find(self, username: str) -> Account | None:
        """Find an account by its username."""
        return self.by_username.get(username.lower())

    def add(self, account: Account) -> None:
        """Add an account."""
        self.by_username[account.username.lower()] = account

    def rename(self, account: Account, username: str) -> None:
        """Give an account another username."""
        del self.by_username[account.username.lower()]
        account.username = username
        self.by_username[username.lower()] = account

    def remove(self, account: Account) -> None:
        """Remove an account, if it is registered."""
        self.by_username.pop(account.username.lower(), None)
