# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a firmware file with the declared version and with the product. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import get_platform_name
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    MAX_FIRMWARE_VERSION,
    MIN_FIRMWARE_VERSION,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import Problem
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import (
    MACRO,
    FirmwareFile,
    build_wrong_binary,
    find_problems,
)


def choose_version(file: FirmwareFile | None, declared: int | None) -> int:
    """Return the declared version or, without one, the version in the binary.

    :raises ParticleError: ``invalid_option`` when the declared version is not possible, or when there is neither a file
        nor a version; ``wrong_binary`` when there is no declared version, and the binary has no version.
    """
    if declared is not None:
        if not MIN_FIRMWARE_VERSION <= declared <= MAX_FIRMWARE_VERSION:
            bounds = f"{MIN_FIRMWARE_VERSION} to {MAX_FIRMWARE_VERSION}"
            message = f"version must be a number from {bounds}, got {declared}."
            raise ParticleError("invalid_option", message, hint="Correct version.")
        return declared
    if file is None:
        raise ParticleError("invalid_option", "Neither file nor version is set.", hint="Set at least one of them.")
    if file.binary.product_version is None:
        problems = [*find_problems(file), Problem("the binary contains no product version", MACRO)]
        raise build_wrong_binary(file.name, problems)
    return file.binary.product_version


def refuse_wrong_file(file: FirmwareFile, version: int, product: Product) -> None:
    """Refuse a file that must not be uploaded to a product as this version.

    :raises ParticleError: ``wrong_binary`` with all problems of the file.
    """
    problems = [*find_problems(file), *_compare_with_declaration(file, version), *_compare_with_product(file, product)]
    if problems:
        raise build_wrong_binary(file.name, problems)


def refuse_other_version(file: FirmwareFile, version: int) -> None:
    """Refuse a file whose version is not the declared one. Nothing else in the file is checked.

    :raises ParticleError: ``wrong_binary`` when the versions differ, or when the binary has no version.
    """
    problems = list(_compare_with_declaration(file, version))
    if problems:
        raise build_wrong_binary(file.name, problems)


def _compare_with_declaration(file: FirmwareFile, version: int) -> Iterator[Problem]:
    found = file.binary.product_version
    if found is None:
        yield Problem("the binary contains no product version", MACRO)
    elif found != version:
        remedy = "Correct version, or set PRODUCT_VERSION in the source code and build it again."
        yield Problem(f"the binary contains version {found}, but version is {version}", remedy)


def _compare_with_product(file: FirmwareFile, product: Product) -> Iterator[Problem]:
    binary, platform = file.binary, product.platform_id
    if platform is not None and binary.platform_id != platform:
        text = (
            f"the binary is for platform {_describe_platform(binary.platform_id)}, but product {product.slug} is for "
            f"platform {_describe_platform(platform)}"
        )
        yield Problem(text, "Build it for the platform of the product, or correct product.")
    # Since Device OS 4.0, builds carry the platform id in place of the product id.
    if binary.product_id is not None and str(binary.product_id) not in (product.id, str(binary.platform_id)):
        text = f"the binary was built for product {binary.product_id}, but product {product.slug} has id {product.id}"
        yield Problem(text, "Correct product, or correct PRODUCT_ID in the source code and build it again.")


def _describe_platform(number: int) -> str:
    return f"{number} ({get_platform_name(number)})"
