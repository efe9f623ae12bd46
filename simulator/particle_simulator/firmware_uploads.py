# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The checks of a firmware file that is uploaded for a product (endpoints.yml: firmware_upload)."""

from __future__ import annotations

from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.firmware_files import FirmwareFile, InvalidFirmwareFile, is_bundle, read_firmware_file
from particle_simulator.messages import Call
from particle_simulator.model import Product

FILE_FIELDS = ("file", "binary")
"""The names of the form field that contains the uploaded file. Old clients send `binary`."""
BUNDLE_TYPE = "application/zip"


def find_file_field(call: Call) -> str:
    """Return the name of the form field that contains the uploaded file."""
    field = next((name for name in FILE_FIELDS if name in call.files), None)
    if field is None:
        raise bad_request("file is required")
    return field


def read_uploaded_file(call: Call, field: str, product: Product, version: int) -> FirmwareFile:
    """Read an uploaded file. Refuse a file that cannot be this version for this product.

    The bodies of the error responses are inferred, not documented.
    """
    name = call.filenames[field]
    if is_bundle(name) and call.file_types[field] != BUNDLE_TYPE:
        raise _refuse(f"A bundle must have the content type {BUNDLE_TYPE}")
    try:
        file = read_firmware_file(name, call.files[field])
    except InvalidFirmwareFile as error:
        raise _refuse(error.reason) from error
    if file.platform_id != product.platform_id:
        raise _refuse(f"The binary is for platform {file.platform_id}, but the product has {product.platform_id}")
    # Binaries for Device OS 4.0 and newer contain the platform id as product id, so that one binary can serve several
    # products (firmware-and-events.md, section 2).
    if file.product_id not in (None, product.platform_id, product.id):
        raise _refuse(f"The binary is for product {file.product_id}, not for product {product.id}")
    if file.product_version is None:
        raise _refuse("The binary has no product version")
    if file.product_version != version:
        raise _refuse(f"The binary contains version {file.product_version}, not version {version}")
    return file


def _refuse(reason: str) -> Refusal:
    return plain_error(400, reason)
