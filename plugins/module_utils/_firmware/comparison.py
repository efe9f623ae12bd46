# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a firmware file with the bytes of a version that exists. Private to this collection."""

from __future__ import annotations

import hashlib

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import download_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import Problem, show_hash
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import FirmwareFile, build_wrong_binary
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Row

_OTHER_BYTES = (
    "Give the changed firmware a new version: raise PRODUCT_VERSION, and build it again. A version that was never "
    "released can also be removed first, with state: absent."
)


def refuse_other_bytes(target: Target, version: int, row: Row, file: FirmwareFile) -> None:
    """Refuse a file that differs from the uploaded version. If the sizes are equal, this needs one download.

    :raises ParticleError: ``wrong_binary`` when the bytes differ; ``bad_response`` when the download is incomplete.
    """
    product, size = target.required_product, row.get("size")
    text = f"version {version} of product {product.slug} already exists with other bytes"
    if isinstance(size, int) and size != len(file.content):
        text = f"{text}: {size:,} bytes there, {len(file.content):,} bytes in the file"
        raise build_wrong_binary(file.name, [Problem(text, _OTHER_BYTES)])
    try:
        found = download_firmware(target.http, product.id, version)
    except ParticleError as error:
        if error.code != "unsupported" or not isinstance(size, int):
            raise
        target.warn(
            f"{file.name} has the size of version {version}, but the bytes were not compared, because this cloud "
            "offers no download of firmware."
        )
        return
    if isinstance(size, int) and len(found) != size:
        message = f"Could not compare {file.name} with version {version}: the download has {len(found):,} bytes"
        raise ParticleError("bad_response", f"{message}, but the list names {size:,}.", status=200)
    digest = hashlib.sha256(found).hexdigest()
    if digest != file.sha256:
        text = f"{text}: SHA-256 {show_hash(digest)} there, {show_hash(file.sha256)} in the file"
        raise build_wrong_binary(file.name, [Problem(text, _OTHER_BYTES)])
