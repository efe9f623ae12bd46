# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, upload, release and delete the firmware versions of a product (endpoints.yml: product_firmware).

Private to this collection.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

RELEASE_ROUTE = "PUT /v1/products/:p/firmware/release"
_REFUSED = 400
_UNKNOWN_FIELD = "unexpected field"
"""The words with which a self-hosted cloud refuses the field ``file``. It knows only the older name, ``binary``."""
DELETE_ROUTE = "DELETE /v1/products/:p/firmware/:version"

_ROWS = RowForm(("firmware",), ("version",), is_numbered=True)


def list_firmware(http: Http, product: str) -> dict[int, dict[str, Any]]:
    """Return all firmware of a product, keyed by version number (endpoints.yml: firmware_list)."""
    # A release replaces all groups. If groups in another form counted as none, it would end the release to them.
    return _list_rows(http, product, dataclasses.replace(_ROWS, text_lists=("groups",)))


def list_firmware_versions(http: Http, product: str) -> frozenset[int]:
    """Return the version numbers of all firmware of a product (endpoints.yml: firmware_list)."""
    return frozenset(_list_rows(http, product, _ROWS))


def _list_rows(http: Http, product: str, form: RowForm) -> dict[int, dict[str, Any]]:
    request = Request("GET /v1/products/:p/firmware", f"list the firmware of product {product}", {"p": product})
    rows = extract_rows(http.send(request).data, form, request)
    numbered = ((form.read_identity(row) or "", row) for row in rows)
    return {int(version): row for version, row in numbered if version.isdecimal()}


def upload_firmware(http: Http, product: str, fields: Mapping[str, Any], file: FilePart) -> None:
    """Upload a firmware version (endpoints.yml: firmware_upload).

    :param fields: ``version`` and ``title``, and optionally ``description`` and ``mandatory``.
    :raises ParticleError: ``ambiguous_write`` when the result is not known.
    """
    try:
        _send_upload(http, product, fields, file)
    except ParticleError as error:
        if error.status != _REFUSED or _UNKNOWN_FIELD not in error.words.lower():
            raise
        # The cloud has refused the name of the field before it looked at the file. It requires "current", too, which is
        # its older name for "product_default".
        _send_upload(http, product, {**fields, "current": False}, dataclasses.replace(file, field="binary"))


def _send_upload(http: Http, product: str, fields: Mapping[str, Any], file: FilePart) -> None:
    form = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fields.items()}
    action = f"upload {file.name} as version {form['version']} of product {product}"
    send_create(http, Request("POST /v1/products/:p/firmware", action, {"p": product}, form=form, file=file))


def edit_firmware(http: Http, product: str, version: int, fields: Mapping[str, Any]) -> None:
    """Change the title, the description or the mandatory flag of a version (endpoints.yml: firmware_edit)."""
    action = f"change firmware version {version}"
    path_params = {"p": product, "version": version}
    http.send(Request("PUT /v1/products/:p/firmware/:version", action, path_params, json=dict(fields)))


def download_firmware(http: Http, product: str, version: int) -> bytes:
    """Return the bytes of a firmware version, as they were uploaded (endpoints.yml: firmware_download)."""
    action = f"download firmware version {version}"
    path_params = {"p": product, "version": version}
    data: bytes = http.send(
        Request("GET /v1/products/:p/firmware/:version/binary", action, path_params, binary=True)
    ).data
    return data


def release_firmware(http: Http, product: str, version: int, fields: Mapping[str, Any]) -> None:
    """Replace the targets to which a version is released (endpoints.yml: firmware_release).

    :param fields: ``product_default``, ``groups`` and ``intelligent``.
    """
    body = {"version": version, **fields}
    http.send(Request(RELEASE_ROUTE, f"release firmware version {version}", {"p": product}, json=body))


def delete_firmware(http: Http, product: str, version: int) -> None:
    """Delete a firmware version that was never released (endpoints.yml: firmware_delete)."""
    http.send(Request(DELETE_ROUTE, f"remove firmware version {version}", {"p": product, "version": version}))


def get_release_impact(http: Http, product: str, version: int, *, default: bool, groups: Sequence[str]) -> Any:
    """Return which devices a release would update: ``total`` and ``by_version`` (endpoints.yml: groups_impact).

    :raises ParticleError: ``bad_response`` when the response contains no numbers.
    """
    query = {"action": "edit_groups_for_firmware", "firmware_version": str(version)}
    query |= {"groups": ",".join(groups), "product_default": str(default).lower()}
    action = f"read how many devices a release of firmware version {version} would update"
    request = Request("GET /v1/products/:p/impact", action, {"p": product}, query=query)
    data = http.send(request).data
    found = data.get("devices", data) if isinstance(data, dict) else None  # the documentation also has no wrapper
    found = found.get("firmware_update") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("total"), int):
        message = f"Could not {action}: the response contains no numbers."
        raise ParticleError("bad_response", message, status=200, route=request.route)
    return found
