# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ledgers and their instances (endpoints.yml: ledgers). Private to this collection.

Ledgers belong to an account or to an organisation, never to a product: ``org`` says which, ``None`` for the
account. What stands in an instance may be a join key, which a refusal may quote: its words are not passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing, read_pages
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Answer, Http


def list_ledgers(http: Http, org: str | None) -> Listing:
    """All ledger definitions (endpoints.yml: ledgers_list)."""
    route, at = _route("GET", "", org)
    return read_pages(http, route, keys=("ledgers", "ledger_definitions"), doing="list the ledgers", at=at)


def create_ledger(http: Http, org: str | None, definition: Mapping[str, str]) -> None:
    """Create one; ``definition`` has name, scope, direction, description (endpoints.yml: ledger_create)."""
    _call(http, "POST", "", org, doing=f"create ledger {definition['name']}", json={"ledger": dict(definition)})


def list_instances(http: Http, org: str | None, ledger: str) -> Listing:
    """Whose all instances are and their data, of all products of the owner (endpoints.yml: ledger_instances)."""
    route, at = _route("GET", "/:name/instances", org)
    at["name"] = ledger
    doing = f"list the instances of ledger {ledger}"
    return read_pages(http, route, keys=("instances",), doing=doing, at=at, keep={"scope", "data"}, private=True)


def get_instance(http: Http, org: str | None, ledger: str, device: str) -> dict[str, Any]:
    """One device's instance (endpoints.yml: ledger_instance_get). :raises ParticleError: ``not_found``."""
    doing = f"read ledger {ledger} of device {device}"
    data = _call(http, "GET", _INSTANCE, org, doing=doing, private=True, name=ledger, scopeValue=device).data
    instance = data.get("instance") if isinstance(data, dict) else None
    return instance if isinstance(instance, dict) else {}


def set_instance(http: Http, org: str | None, ledger: str, device: str, data: Mapping[str, Any]) -> None:
    """Replace one device's data (endpoints.yml: ledger_instance_set)."""
    doing = f"write ledger {ledger} of device {device}"
    body = {"instance": {"data": dict(data)}}
    _call(http, "PUT", _INSTANCE, org, doing=doing, json=body, private=True, name=ledger, scopeValue=device)


def delete_instance(http: Http, org: str | None, ledger: str, device: str) -> None:
    """Remove one device's instance (endpoints.yml: ledger_instance_delete)."""
    doing = f"remove ledger {ledger} of device {device}"
    _call(http, "DELETE", _INSTANCE, org, doing=doing, private=True, name=ledger, scopeValue=device)


_INSTANCE = "/:name/instances/:scopeValue"


def _route(method: str, path: str, org: str | None) -> tuple[str, dict[str, object]]:
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
    route, base = _route(method, path, org)
    return http.call(route, doing=doing, at={**base, **at}, json=json, private=private)
