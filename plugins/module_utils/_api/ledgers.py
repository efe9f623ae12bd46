# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change ledgers and ledger instances (endpoints.yml: ledgers). Private to this collection.

A ledger belongs to the organization ``org``, or to the account if ``org`` is ``None``. A ledger never belongs to a
product. A ledger instance may contain a secret join key, and the cloud may quote the join key in an error response. If
a request for a ledger instance is refused, the error message therefore does not contain the text of the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.owners import build_owner_route
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing, ListOptions, read_pages
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

DEVICE, PRODUCT = "device", "product"
"""Scopes of ledgers: each device has its own instance, or each product has one."""

_ACTIONS = {"GET": "read", "PUT": "write", "DELETE": "remove"}


def list_ledgers(http: Http, org: str | None, *, archived: bool = False) -> Listing:
    """Return the definitions of all ledgers of an organization or of the account (endpoints.yml: ledgers_list).

    :param archived: whether to list the archived ledgers, in place of those that are not archived.
    """
    route, path_params = build_owner_route("GET", org, "/ledgers")
    action = "list the archived ledgers" if archived else "list the ledgers"
    request = Request(route, action, path_params, query={"archived": "true"} if archived else None)
    return read_pages(http, request, RowForm(("ledgers", "ledger_definitions"), ("name",)))


def create_ledger(http: Http, org: str | None, definition: Mapping[str, str]) -> None:
    """Create a ledger (endpoints.yml: ledger_create).

    :param definition: the name, scope, direction and description of the ledger.
    """
    route, path_params = build_owner_route("POST", org, "/ledgers")
    body = {"ledger": dict(definition)}
    send_create(http, Request(route, f"create ledger {definition['name']}", path_params, json=body))


def update_ledger(http: Http, org: str | None, name: str, definition: Mapping[str, str]) -> None:
    """Change the definition of a ledger (endpoints.yml: ledger_update).

    :param definition: the whole definition, because it is not known whether the cloud keeps what the request lacks.
    """
    route, path_params = build_owner_route("PUT", org, "/ledgers/:name")
    body = {"ledger": dict(definition)}
    http.send(Request(route, f"change ledger {name}", {**path_params, "name": name}, json=body))


def archive_ledger(http: Http, org: str | None, name: str) -> None:
    """Archive a ledger, which keeps its data and its name (endpoints.yml: ledger_archive)."""
    route, path_params = build_owner_route("DELETE", org, "/ledgers/:name")
    http.send(Request(route, f"archive ledger {name}", {**path_params, "name": name}))


def list_instances(http: Http, org: str | None, ledger: str) -> Listing:
    """Return ``scope`` and ``data`` of all instances of a ledger (endpoints.yml: ledger_instances).

    The instances can belong to devices of different products.
    """
    route, path_params = build_owner_route("GET", org, "/ledgers/:name/instances")
    action = f"list the instances of ledger {ledger}"
    request = Request(route, action, {**path_params, "name": ledger}, private=True)
    return read_pages(http, request, RowForm(("instances",), ("scope.value",)), ListOptions(keep={"scope", "data"}))


def get_instance(http: Http, org: str | None, ledger: str, value: str, *, scope: str = DEVICE) -> dict[str, Any]:
    """Return the ledger instance of a device or of another scope (endpoints.yml: ledger_instance_get).

    :param value: the id of the device, or of the product or owner if ``scope`` says so.
    :param scope: the scope of the ledger in lower case.
    :raises ParticleError: ``not_found`` when there is no ledger instance.
    """
    data = http.send(_build_instance_request("GET", org, ledger, value, scope)).data
    instance = data.get("instance") if isinstance(data, dict) else None
    return instance if isinstance(instance, dict) else {}


def set_instance(
    http: Http, org: str | None, ledger: str, value: str, data: Mapping[str, Any], *, scope: str = DEVICE
) -> None:
    """Replace the data of a ledger instance (endpoints.yml: ledger_instance_set). For the parameters, see
    :func:`get_instance`."""
    http.send(_build_instance_request("PUT", org, ledger, value, scope, {"instance": {"data": dict(data)}}))


def delete_instance(http: Http, org: str | None, ledger: str, device: str) -> None:
    """Delete the ledger instance of one device (endpoints.yml: ledger_instance_delete)."""
    http.send(_build_instance_request("DELETE", org, ledger, device, DEVICE))


def _build_instance_request(
    method: str, org: str | None, ledger: str, value: str, scope: str, json: Any = None
) -> Request:
    route, path_params = build_owner_route(method, org, "/ledgers/:name/instances/:scopeValue")
    action = f"{_ACTIONS[method]} ledger {ledger} of {scope} {value}"
    return Request(route, action, {**path_params, "name": ledger, "scopeValue": value}, json=json, private=True)
