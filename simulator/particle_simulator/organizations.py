# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The registry of organizations."""

from __future__ import annotations

from particle_simulator.model import Account, Organization


class Organizations:
    """All organizations."""

    __slots__ = ("by_id",)

    def __init__(self) -> None:
        self.by_id: dict[str, Organization] = {}

    def find(self, id_or_slug: str) -> Organization | None:
        """Return the organization with this id or slug, or None."""
        found = self.by_id.get(id_or_slug.lower())
        return found or next((org for org in self.by_id.values() if org.slug == id_or_slug), None)

    def add(self, org: Organization) -> None:
        """Add an organization."""
        self.by_id[org.id] = org

    def list_for_member(self, account: Account) -> list[Organization]:
        """Return the organizations of which the account is a member."""
        return [org for org in self.by_id.values() if account in org.members]
