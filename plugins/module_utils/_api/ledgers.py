# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change ledgers and their instances (endpoints.yml: ledgers). Private to this collection.

A ledger belongs to an organisation, which is given as ``org``, or to the account if ``org`` is ``None``. It never
belongs to a product. An instance may hold a secret join key, which a refusal may quote, so the text of refusals is not
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing, read_pages
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Answer, Http


def list_ledgers(http: Http, org: str | None) -> Listing:
    """Return all ledger definitions of an owner (endpoints.yml: ledgers_list)."""
    route, at = _build_route("GET", "", org)
    return read_pages(http, route, keys=("ledgers", "ledger_definitions"), doing="list the ledgers", at=at)


def create_ledger(http: Http, org: str | None, definition: Mapping[str, str]) -> None:
    """Create a ledger (endpoints.yml: ledger_create).

    :param definition: name, scope, direction and description.
    """
    _call(http, "POST", "", org, doing=f"create ledger {definition['name']}", json={"ledger": dict(definition)})


def list_instances(http: Http, org: str | None, ledger: str) -> Listing:
    """Return scope and data of all instances of a ledger, across all products (endpoints.yml: ledger_instances)."""
    route, at = _build_route("GET", "/:name/instances", org)
    at["name"] = ledger
    doing = f"list the instances of ledger {ledger}"
    return read_pages(http, route, keys=("instances",), doing=doing, at=at, keep={"scope", "data"}, private=True)


def get_instance(http: Http, org: str | None, ledger: str, device: str) -> dict[str, Any]:
    """Return the instance of one device (endpoints.yml: ledger_instance_get).

    :raises ParticleError: ``not_found`` when the device has no instance.
    """
    doing = f"read ledger {ledger} of device {device}"
    data = _call(http, "GET", _INSTANCE, org, doing=doing, private=True, name=ledger, scopeValue=device).data
    instance = data.get("instance") if isinstance(data, dict) else None
    return instance if isinstance(instance, dict) else {}


def set_instance(http: Http, org: str | None, ledger: str, device: str, data: Mapping[str, Any]) -> None:
    """Replace the data of one device's instance (endpoints.yml: ledger_instance_set)."""
    doing = f"write ledger {ledger} of device {device}"
    body = {"instance": {"data": dict(data)}}
    _call(http, "PUT", _INSTANCE, org, doing=doing, json=body, private=True, name=ledger, scopeValue=device)


def delete_instance(http: Http, org: str | None, ledger: str, device: str) -> None:
    """Delete one device's instance (endpoints.yml: ledger_instance_delete)."""
    doing = f"remove ledger {ledger} of device {device}"
    _call(http, "DELETE", _INSTANCE, org, doing=doing, private=True, name=ledger, scopeValue=device)


_INSTANCE = "/:name/instances/:scopeValue"


def _build_route(method: str, path: str, org: str | None) -> tuple[str, dict[str, object]]:
    """Return the route of the account or of an organisation, and the values of its path template."""
    if org is None:
        return f"{method} /v1/ledgers{path}", {}
    return f"{method} /v1/orgs/:org/ledgers{path}", {"org": org}


def _call(
    http: Http,
    method: str,
    path: str,
    org: str | None,
    *,
    doing: str,
    json: Any = None,
    private: bool = False,
    **at: str,
) -> Answer:
    route, base = _build_route(method, path, org)
    return http.call(route, doing=doing, at={**base, **at}, json=json, private=private)
