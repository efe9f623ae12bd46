# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The accounts of the cloud, and the OAuth clients."""

from __future__ import annotations

from particle_simulator.model import Account, Client

OFFICIAL_CLIENTS = ("particle", "particle-api", "particle-cli")
"""The ids of the OAuth clients with which every account can log in.

The secret of each client is equal to the id of the client.
"""


class Accounts:
    """All accounts, and the OAuth clients through which accounts log in."""

    __slots__ = ("by_username", "clients")

    def __init__(self) -> None:
        self.by_username: dict[str, Account] = {}
        """Accounts, keyed by username in lower case, because usernames are case-insensitive."""
        self.clients = {name: Client(name, name) for name in OFFICIAL_CLIENTS}
        """OAuth clients, keyed by client id."""

    def find(self, username: str) -> Account | None:
        """Return the account with this username, or None. Usernames are case-insensitive."""
        return self.by_username.get(username.lower())

    def add(self, account: Account) -> None:
        """Add an account."""
        self.by_username[account.username.lower()] = account
