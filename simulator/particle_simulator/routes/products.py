# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that read products, and functions that find the product and the device in a request path."""

from __future__ import annotations

from particle_simulator.errors import permission_denied, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Product
from particle_simulator.permissions import can_access
from particle_simulator.routing import Route
from particle_simulator.shapes import build_product_row
from particle_simulator.world import World

GROUP = "products"


def find_product(world: World, call: Call) -> Product:
    """Find the product whose id or slug is in the request path.

    The 404 response for an unknown product is copied from a recorded response of the cloud. For a product that the
    caller cannot access, only the status 403 and the error message "Permission denied" are known.
    """
    product = world.products.find(call.path["p"])
    if product is None:
        raise plain_error(404, "Product not found.")
    if not can_access(call.account, product):
        raise plain_error(403, "Permission denied")
    return product


def find_product_device(world: World, call: Call) -> tuple[Product, Device]:
    """Find the product and the device in the request path. Product routes accept device ids, but not device names."""
    product = find_product(world, call)
    device = product.devices.get((call.path.get("id") or call.path["deviceId"]).lower())
    if device is None:
        raise permission_denied()
    return product, device


def list_products(world: World, call: Call) -> Reply:
    """List the products that the caller can access (endpoints.yml: products_list).

    This handler serves two paths: the documented path, and the path that the JavaScript client uses.
    """
    products = world.products.list_accessible_to(call.account)
    return json_reply({"products": [build_product_row(product) for product in products]})


def get_product(world: World, call: Call) -> Reply:
    """Respond with one product (endpoints.yml: product_get)."""
    return json_reply({"product": build_product_row(find_product(world, call))})


ROUTES = [
    Route(GROUP, "products_list", "GET", "/v1/user/products", list_products, scope="products:list"),
    Route(GROUP, "products_list", "GET", "/v1/products", list_products, scope="products:list"),
    Route(GROUP, "product_get", "GET", "/v1/products/:p", get_product, scope="products:get"),
]
