# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read products, and read and change devices of products (endpoints.yml: products, devices). Private to this
collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import (
    DEFAULT_OPTIONS,
    Listing,
    ListOptions,
    read_pages,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import (
    DEVICE_ROWS,
    RowForm,
    extract_rows,
    list_texts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    format_count,
    list_names,
    suggest_similar,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry

_PRODUCT_ROWS = RowForm(("products",), is_numbered=True)


@dataclass(frozen=True)
class Product:
    """A product, with the values that other requests need.

    :param platform_id: the number of the platform; ``None`` if the response contains no platform number.
    :param org: the organization that owns the product; ``None`` if an account owns the product.
    """

    id: str
    slug: str
    platform_id: int | None
    org: str | None


def get_product(http: Http, product: str) -> Product:
    """Return a product by its id or slug (endpoints.yml: product_get).

    :raises ParticleError: ``not_found`` when the product does not exist, or when the account cannot see the product: in
        both cases, the cloud can answer "Permission denied". ``bad_response`` when the response contains no product.
    """
    route, action = "GET /v1/products/:p", f"read product {product}"
    try:
        data = http.send(Request(route, action, {"p": product})).data
    except ParticleError as error:
        if error.status not in (403, 404) or error.code not in ("forbidden", "not_found"):
            raise
        slugs = list_account_slugs(http)
        similar = suggest_similar(product, slugs)
        cause = f"it does not exist, or this account cannot see it{similar} (HTTP {error.status}{error.quoted})"
        message = f"Could not {action}: {cause}."
        hint = f"Name one of the products of this account: {list_names(slugs)}." if slugs else None
        raise ParticleError("not_found", message, status=error.status, route=route, hint=hint) from None
    found = data.get("product") if isinstance(data, dict) else None
    if isinstance(found, list) and found:  # in an early recorded response, the product is the item of a list
        found = found[0]
    if not isinstance(found, dict) or _PRODUCT_ROWS.read_identity(found) is None:
        message = f"Could not {action}: the response contains no product."
        raise ParticleError("bad_response", message, status=200, route=route)
    return _parse_product(found)


def list_account_slugs(http: Http) -> list[str]:
    """Return the slugs of the products of the account.

    The slugs are only for advice, so the result is empty if the products cannot be listed.
    """
    try:
        return [product.slug for product in list_account_products(http, Retry.NEVER)]
    except ParticleError:
        return []


def describe_products_instead(http: Http) -> str | None:
    """Return a warning for an account without own devices that names its products; ``None`` without products."""
    slugs = list_account_slugs(http)
    if not slugs:
        return None
    names = list_names(slugs)
    return f"The account has claimed no devices. Name a product to see the devices of the product: {names}."


def list_products(http: Http, org: str) -> tuple[Product, ...]:
    """Return all products of an organization (endpoints.yml: products_list, org_path).

    :param org: the id or slug of the organization.
    """
    request = Request("GET /v1/orgs/:org/products", f"list the products of organization {org}", {"org": org})
    rows = extract_rows(http.send(request).data, _PRODUCT_ROWS, request)
    return tuple(map(_parse_product, rows))


def list_account_products(http: Http, retry: Retry | None = None) -> tuple[Product, ...]:
    """Return the products of the account itself, without those of its organizations (endpoints.yml: products_list).

    :param retry: the rule that says whether the request may be retried; ``None`` for the rule of reads.
    """
    request = Request("GET /v1/user/products", "list the products of the account", retry=retry)
    return tuple(_parse_product(row) for row in extract_rows(http.send(request).data, _PRODUCT_ROWS, request))


def _parse_product(row: Mapping[str, Any]) -> Product:
    platform = row.get("platform_id")
    return Product(
        id=str(row["id"]),
        slug=str(row.get("slug") or row["id"]),
        platform_id=platform if isinstance(platform, int) else None,
        org=row.get("org") or row.get("organization_id") or None,
    )


def list_product_devices(
    http: Http, product: str, filters: Mapping[str, str] | None = None, options: ListOptions = DEFAULT_OPTIONS
) -> Listing:
    """Return all devices of a product, sorted by id (endpoints.yml: product_devices_list).

    The request asks for a fixed order, because the default order of the cloud changes when devices reconnect. If the
    order changed between two pages, the same device could be on both pages.

    :param filters: query parameters by which the cloud filters the list. The filters for id, name and serial number
        also match a part of the value.
    """
    request = Request(
        "GET /v1/products/:p/devices",
        f"list the devices of product {product}",
        {"p": product},
        query={"sortAttr": "deviceId", "sortDir": "asc", **(filters or {})},
    )
    return read_pages(http, request, DEVICE_ROWS, options)


def probe_product_devices(http: Http, product: str) -> None:
    """Check that the access token in use is allowed to list the devices of a product.

    :raises ParticleError: when the cloud refuses the request.
    """
    action = f"list the devices of product {product}"
    http.send(Request("GET /v1/products/:p/devices", action, {"p": product}, query={"page": "1", "perPage": "1"}))


def get_product_device(http: Http, product: str, device: str) -> dict[str, Any]:
    """Return one device of a product with all its attributes (endpoints.yml: device_get)."""
    action = f"read device {device}"
    data = http.send(Request("GET /v1/products/:p/devices/:id", action, {"p": product, "id": device})).data
    return data if isinstance(data, dict) else {}


def import_devices(http: Http, product: str, devices: Sequence[str], claim_user: str | None = None) -> dict[str, str]:
    """Import devices into a product, by uploading a file of identifiers (endpoints.yml: product_device_import).

    Sometimes, the cloud imports only some of the devices. The response contains several lists of rejected devices, with
    one list for each reason.

    :param devices: ids, serial numbers, ICCIDs or IMEIs.
    :param claim_user: the username of the team member for whom all devices are claimed; ``None`` to claim no device.
    :returns: ``{device: reason}`` for the devices that were *not* imported. ``device`` is spelled as in ``devices``.
        ``reason`` is the key of a list of rejected devices in the response, such as ``invalidDeviceIds``.
    :raises ParticleError: ``ambiguous_write`` when the response contains no data.
    """
    action = f"import {format_count(len(devices), 'device')} into product {product}"
    content = "".join(f"{device}\n" for device in devices).encode()
    route = "POST /v1/products/:p/devices"
    query = {"claim_user": claim_user} if claim_user else None
    file = FilePart("devices.txt", content, "text/plain")
    data = send_create(http, Request(route, action, {"p": product}, query=query, file=file))
    reasons = ("nonmemberDeviceIds", "invalidDeviceIds", "protectedDeviceIds")
    return {device: reason for reason in reasons for device in list_texts(data.get(reason))}


def update_product_device(http: Http, product: str, device: str, fields: Mapping[str, Any]) -> None:
    """Set several fields of a device in one request (endpoints.yml: device_update, product_path)."""
    names = " and ".join(fields)
    http.send(
        Request(
            "PUT /v1/products/:p/devices/:id",
            f"set {names} of device {device}",
            {"p": product, "id": device},
            json=dict(fields),
        )
    )


def unclaim_product_device(http: Http, product: str, device: str) -> None:
    """Unclaim a device, but keep the device in the product (endpoints.yml: device_unclaim_product)."""
    path_params = {"p": product, "id": device}
    http.send(Request("DELETE /v1/products/:p/devices/:id/owner", f"unclaim device {device}", path_params))


def remove_product_device(http: Http, product: str, device: str) -> None:
    """Remove a device from a product (endpoints.yml: product_device_remove)."""
    action = f"remove device {device} from product {product}"
    http.send(Request("DELETE /v1/products/:p/devices/:id", action, {"p": product, "id": device}))


def deny_product_device(http: Http, product: str, device: str) -> None:
    """Keep a device out of a product until it is imported again (endpoints.yml: device_deny_quarantined)."""
    action = f"deny device {device} access to product {product}"
    path_params = {"p": product, "id": device}
    http.send(Request("DELETE /v1/products/:p/devices/:id", action, path_params, json={"deny": True}))


def change_group_of_devices(http: Http, product: str, group: str, change: str, devices: Sequence[str]) -> None:
    """Add devices to a group, or remove devices from a group (endpoints.yml: product_devices_batch_groups).

    :param change: ``add`` or ``remove``.
    """
    http.send(
        Request(
            "PUT /v1/products/:p/devices",
            f"{change} group {group} for {format_count(len(devices), 'device')}",
            {"p": product},
            json={"action": "groups", "devices": list(devices), "metadata": {change: [group]}},
        )
    )
