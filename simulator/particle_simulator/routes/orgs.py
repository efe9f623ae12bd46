# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that read organizations, and that create a product in an organization or in a sandbox."""

from __future__ import annotations

import re
from typing import Any

from particle_simulator.errors import bad_request
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Organization, Product
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Kind, Route
from particle_simulator.shapes import build_product_row
from particle_simulator.world import World

GROUP = "products"
FIRST_NEW_ID = 40_001


def _build_row(org: Organization) -> dict[str, str]:
    return {"id": org.id, "slug": org.slug, "name": org.name}


def list_orgs(world: World, call: Call) -> Reply:
    """List the organizations of which the caller is a member (endpoints.yml: orgs_list)."""
    return json_reply({"organizations": [_build_row(org) for org in world.orgs.list_for_member(call.sandbox)]})


def get_org(world: World, call: Call) -> Reply:
    """Respond with one organization (endpoints.yml: org_get)."""
    return json_reply({"organization": _build_row(find_organization(world, call))})


def list_org_products(world: World, call: Call) -> Reply:
    """List the products of an organization (endpoints.yml: products_list)."""
    org = find_organization(world, call)
    return json_reply({"products": [build_product_row(product) for product in world.products.list_in_org(org)]})


def create_product(world: World, call: Call) -> Reply:
    """Create a product in the sandbox of the caller (endpoints.yml: product_create)."""
    return json_reply({"product": build_product_row(_create_product(world, call, None))})


def create_org_product(world: World, call: Call) -> Reply:
    """Create a product in an organization (endpoints.yml: product_create)."""
    return json_reply({"product": build_product_row(_create_product(world, call, find_organization(world, call)))})


def _create_product(world: World, call: Call, org: Organization | None) -> Product:
    """Create a product from the value of the key `product` in the request body.

    The error responses are inferred, not documented.
    """
    definition: Any = call.fields.get("product")
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str) or not definition["name"]:
        raise bad_request("product.name is required")
    platform = definition.get("platform_id")
    if not isinstance(platform, int) or isinstance(platform, bool) or platform < 0:
        raise bad_request("product.platform_id is required")
    slug = re.sub(r"[^a-z0-9]+", "-", definition["name"].lower()).strip("-") or "product"
    number = max([FIRST_NEW_ID - 1, *world.products.by_id]) + 1
    if world.products.find(slug) is not None:
        slug = f"{slug}-{number}"
    product = Product(number, slug, definition["name"], platform, call.sandbox, str(definition.get("description", "")))
    product.org = org
    product.location_opt_in = _read_location_opt_in(definition)
    world.products.add(product)
    return product


def _read_location_opt_in(definition: dict[str, Any]) -> bool | None:
    """Return the setting `settings.location.opt_in` of a new product, or None if the request does not contain it."""
    settings = definition.get("settings")
    location = settings.get("location") if isinstance(settings, dict) else None
    opt_in = location.get("opt_in") if isinstance(location, dict) else None
    if not isinstance(opt_in, (bool, type(None))):
        raise bad_request("product.settings.location.opt_in must be true or false")
    return opt_in


USER = "/v1/user/products"
ORG = "/v1/orgs/:org"

ROUTES = [
    Route(GROUP, "orgs_list", "GET", "/v1/orgs", list_orgs),
    Route(GROUP, "org_get", "GET", ORG, get_org, scope="organization:get"),
    Route(GROUP, "products_list", "GET", f"{ORG}/products", list_org_products, scope="products:list"),
    Route(GROUP, "product_create", "POST", USER, create_product, kind=Kind.WRITE),
    Route(GROUP, "product_create", "POST", f"{ORG}/products", create_org_product, kind=Kind.WRITE),
]
