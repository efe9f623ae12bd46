# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the firmware versions of a product (endpoints.yml: product_firmware). Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def list_firmware_versions(http: Http, product: str) -> frozenset[int]:
    """Return the version numbers of all firmware of a product (endpoints.yml: firmware_list)."""
    request = Request("GET /v1/products/:p/firmware", f"list the firmware of product {product}", {"p": product})
    form = RowForm(("firmware",), ("version",), is_numbered=True)
    rows = extract_rows(http.send(request).data, form, request)
    versions = map(form.read_identity, rows)
    return frozenset(int(version) for version in versions if version is not None and version.isdecimal())
