# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Find the owner of the resources at a request path.

A path with `:p` names a product. A path with `:org` names an organization. All other paths belong to the sandbox of the
caller.
"""

from __future__ import annotations

from dataclasses import dataclass

from particle_simulator.errors import permission_denied, plain_error
from particle_simulator.messages import Call
from particle_simulator.model import Account, Device, Organization, Owner, Product
from particle_simulator.resources import Resources
from particle_simulator.routes.products import find_product
from particle_simulator.world import World


@dataclass(frozen=True, slots=True)
class PathOwner:
    """The owner of the resources at a request path: a product, an organization or a sandbox.

    For a product, `product` is set. For an organization, `org` is set. For a sandbox, neither is set.
    """

    resources: Resources
    account: Account
    """The account that owns the sandbox or the product. For an organization, the account of the caller."""
    product: Product | None = None
    org: Organization | None = None

    @property
    def top_owner(self) -> Owner | None:
        """The organization or the account that owns the product or the sandbox.

        None if the owner of the product has no account in the simulator.
        """
        return self.product.top_owner if self.product is not None else self.org or self.account


def find_organization(world: World, call: Call) -> Organization:
    """Find the organization in the request path.

    The error responses are inferred from the error responses for products.
    """
    org = world.orgs.find(call.path["org"])
    if org is None:
        raise plain_error(404, "Organization not found.")
    if org is not call.account.org and call.account not in org.members:
        raise plain_error(403, "Permission denied")
    return org


def find_org_device(world: World, call: Call) -> Device:
    """Find the device in the request path, among the devices in the products of an organization."""
    org = find_organization(world, call)
    device = world.devices.by_id.get(call.path["id"].lower())
    if device is None or device.product is None or device.product.org is not org:
        raise permission_denied()
    return device


def find_owner(world: World, call: Call) -> PathOwner:
    """Find the owner of the resources at the request path: a product, an organization or the caller's sandbox."""
    if "p" in call.path:
        product = find_product(world, call)
        return PathOwner(product.resources, product.owner or call.sandbox, product=product)
    if "org" in call.path:
        org = find_organization(world, call)
        return PathOwner(org.resources, call.sandbox, org=org)
    return PathOwner(call.sandbox.resources, call.sandbox)
