# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The registry of products."""

from __future__ import annotations

from particle_simulator.digits import parse_number
from particle_simulator.model import Account, Organization, Product
from particle_simulator.permissions import can_access


class Products:
    """All products."""

    __slots__ = ("by_id",)

    def __init__(self) -> None:
        self.by_id: dict[int, Product] = {}

    def find(self, id_or_slug: str) -> Product | None:
        """Return the product with this id or slug, or None."""
        number = parse_number(id_or_slug)
        if number is not None:
            return self.by_id.get(number)
        return next((product for product in self.by_id.values() if product.slug == id_or_slug), None)

    def add(self, product: Product) -> None:
        """Add a product."""
        self.by_id[product.id] = product

    def list_accessible_to(self, account: Account) -> list[Product]:
        """Return the products that an account can access."""
        return [product for product in self.by_id.values() if can_access(account, product)]

    def list_in_org(self, org: Organization) -> list[Product]:
        """Return the products of an organization."""
        return [product for product in self.by_id.values() if product.org is org]
