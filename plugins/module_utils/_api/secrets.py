# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change cloud secrets (endpoints.yml: secrets). Private to this collection.

A cloud secret belongs to the organization ``org``, or to the account if ``org`` is ``None``. It never belongs to a
product. No response contains the value of a secret.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.owners import build_owner_route
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def list_secrets(http: Http, org: str | None) -> list[dict[str, Any]]:
    """Return all cloud secrets of an organization or of the account, without values (endpoints.yml: secrets_list)."""
    route, path_params = build_owner_route("GET", org, "/secrets")
    request = Request(route, "list the cloud secrets", path_params)
    return extract_rows(http.send(request).data, RowForm(("secrets",), ("name",)), request)


def put_secret(http: Http, org: str | None, name: str, value: str) -> None:
    """Create a cloud secret, or replace the value of an existing one (endpoints.yml: secret_put).

    The request may be sent again after a lost response, unlike secret_create. The body is that of the official command
    line tool; the documented body has no key ``secret``.
    """
    route, path_params = build_owner_route("PUT", org, "/secrets/:name")
    action, body = f"write cloud secret {name}", {"secret": {"value": value}}
    http.send(Request(route, action, {**path_params, "name": name}, json=body, private=True))


def delete_secret(http: Http, org: str | None, name: str) -> None:
    """Delete a cloud secret that no integration and no Logic function uses (endpoints.yml: secret_delete)."""
    route, path_params = build_owner_route("DELETE", org, "/secrets/:name")
    http.send(Request(route, f"remove cloud secret {name}", {**path_params, "name": name}))
