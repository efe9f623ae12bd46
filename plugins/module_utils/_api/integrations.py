# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the integrations of a product (endpoints.yml: integrations). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def list_integrations(http: Http, product: str) -> list[dict[str, Any]]:
    """Return all integrations of a product, without secrets and templates (endpoints.yml: integrations_list)."""
    action = f"list the integrations of product {product}"
    request = Request("GET /v1/products/:p/integrations", action, {"p": product})
    return extract_rows(http.send(request).data, RowForm(("integrations", "webhooks")), request)


def get_integration(http: Http, product: str, integration: str) -> dict[str, Any]:
    """Return one integration with all its settings (endpoints.yml: integration_get).

    :raises ParticleError: ``bad_response`` when the response contains no integration.
    """
    route, action = "GET /v1/products/:p/integrations/:id", f"read integration {integration}"
    # An error response may quote secrets. Here these secrets are not known and cannot be masked, so the text of an
    # error response is not shown.
    data = http.send(Request(route, action, {"p": product, "id": integration}, private=True)).data
    found = data.get("integration", data.get("webhook")) if isinstance(data, dict) else None
    if not isinstance(found, dict):
        message = f"Could not {action}: the response contains no integration."
        raise ParticleError("bad_response", message, status=200, route=route)
    return found


def create_integration(http: Http, product: str, body: Mapping[str, Any]) -> None:
    """Create an integration (endpoints.yml: webhook_create, azure_create, gcp_create, gmaps_create).

    If the request is sent twice, the cloud creates two integrations with the same name.
    """
    action = f"create integration {body.get('name')}"
    send_create(http, Request("POST /v1/products/:p/integrations", action, {"p": product}, json=dict(body)))


def edit_integration(http: Http, product: str, integration: str, body: Mapping[str, Any]) -> None:
    """Replace all settings of an integration with the settings in ``body`` (endpoints.yml: integration_edit)."""
    action = f"change integration {body.get('name')} ({integration})"
    path_params = {"p": product, "id": integration}
    http.send(Request("PUT /v1/products/:p/integrations/:id", action, path_params, json=dict(body)))


def delete_integration(http: Http, product: str, integration: str) -> None:
    """Delete an integration, including its log and its counters (endpoints.yml: integration_delete)."""
    path_params = {"p": product, "id": integration}
    http.send(Request("DELETE /v1/products/:p/integrations/:id", f"remove integration {integration}", path_params))
