# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compare the simulator's reader and builder of firmware files with Particle's own library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from particle_simulator.firmware_files import FirmwareFile, build_firmware_file, read_firmware_file
from particle_simulator.firmware_uploads import read_uploaded_file
from particle_simulator.messages import Call
from particle_simulator.model import Product
from support.binary_reader import ReadFile, make_files, read_files
from support.firmware import (
    NOT_A_PRODUCT,
    ZIP_TYPE,
    encode_asset_dependency,
    make_application,
    make_binary,
    make_bundle,
)
from support.simulator import Simulator, running_simulator

PHOTON, ARGON, BORON, TRACKER, P2 = 6, 12, 13, 26, 32
PLATFORMS = (PHOTON, ARGON, BORON, TRACKER, P2)
SYSTEM_PART = {"func": 4, "index": 1, "version": 4200}
ASSETS = {"cat.jpg": "meow" * 500, "Hündin.txt": "woof"}
TIMEOUT_SECONDS = 60
ABSENT = (NOT_A_PRODUCT, -1)
"""The values of the library for a product field that has no value."""


def describe_file(platform: int, kind: str, **more: Any) -> dict[str, Any]:
    """Describe a file that the library makes: version 7 for a platform, with `more` options or contents."""
    assets, variables = more.pop("assets", None), more.pop("variables", None)
    options = {"platformId": platform, "productId": platform, "productVersion": 7, "deps": [SYSTEM_PART], **more}
    name = f"{platform}-{kind}.{'bin' if assets is None else 'zip'}"
    return {"name": name, "options": options, "assets": assets, "variables": variables}


FILES = [
    *(describe_file(platform, "product") for platform in PLATFORMS),
    *(describe_file(platform, "plain", productId=65_535, productVersion=65_535) for platform in PLATFORMS),
    *(describe_file(platform, "table", addVectorTable=True) for platform in PLATFORMS),
    *(describe_file(platform, "alone", deps=[]) for platform in PLATFORMS),
    *(describe_file(platform, "empty", assets={}) for platform in PLATFORMS),
    *(describe_file(platform, "assets", assets=ASSETS) for platform in PLATFORMS if platform != PHOTON),
    describe_file(BORON, "variables", assets=ASSETS, variables={"FAN": "on"}),
]
ACCEPTED = [file["name"] for file in FILES if file["options"]["productVersion"] == 7]
ACCEPTED_FOR_BORON = [name for name in ACCEPTED if name.startswith(f"{BORON}-")]

OWN_ASSETS = {"cat.jpg": b"meow", "dog.jpg": b"woof"}
OWN_FILES = {
    **{
        f"built-{platform}-{version}.bin": build_firmware_file(platform, version, needed_device_os=4200, code=b"code")
        for platform in PLATFORMS
        for version in (None, 7)
    },
    "test.bin": make_binary(7),
    "test-product.bin": make_binary(7, platform_id=P2, product_id=31_337, needed_device_os=None),
    "test-plain.bin": make_binary(NOT_A_PRODUCT, product_id=NOT_A_PRODUCT),
    "test-short-suffix.bin": make_binary(7, has_product_fields=False),
    "test-gen3-table.bin": make_binary(7, table=bytes(0x200)),
    "test-other-table.bin": make_binary(7, table=bytes(0x40)),
    "test-suffix-assets.bin": make_application(OWN_ASSETS, 7),
    "test-prefix-assets.bin": make_binary(7, prefix_extensions=(encode_asset_dependency("cat.jpg", b"meow"),)),
    "test-bundle.zip": make_bundle(OWN_ASSETS, 7),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("binaries")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, ReadFile]:
    """Make all files with the library, and return their contents as the library reads them."""
    return make_files(folder, FILES)


@pytest.fixture(scope="module")
def own(folder: Path) -> dict[str, ReadFile]:
    """Return the contents of the files of the simulator and of the tests, as the library reads them."""
    for name, content in OWN_FILES.items():
        (folder / name).write_bytes(content)
    return dict(zip(OWN_FILES, read_files(*(folder / name for name in OWN_FILES)), strict=True))


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


def convert(read: ReadFile) -> FirmwareFile:
    """Return the contents that the simulator should read in a file that the library has read."""
    assert read.crc_ok
    return FirmwareFile(
        platform_id=read.platform_id,
        product_id=None if read.product_id in ABSENT else read.product_id,
        product_version=None if read.product_version in ABSENT else read.product_version,
        app_hash=read.app_hash,
        needed_device_os=read.needed_device_os,
        assets=read.assets,  # type: ignore[arg-type]
    )


# ---------------------------------------------------------------------- files of the library


@pytest.mark.parametrize("name", [file["name"] for file in FILES])
def test_simulator_reads_the_same_fields_as_the_library(made: dict[str, ReadFile], folder: Path, name: str) -> None:
    assert read_firmware_file(name, (folder / name).read_bytes()) == convert(made[name])


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", ACCEPTED_FOR_BORON)
def test_simulator_accepts_the_upload_of_a_file_of_the_library(cloud: Simulator, folder: Path, name: str) -> None:
    cloud.reset()
    answer = requests.post(
        f"{cloud.url}/v1/products/field-logger/firmware",
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        data={"version": "7", "title": "v7"},
        files={"file": (name, (folder / name).read_bytes(), find_content_type(name))},
        timeout=TIMEOUT_SECONDS,
    )
    assert answer.status_code == 201, answer.text


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", sorted(set(ACCEPTED) - set(ACCEPTED_FOR_BORON)))
def test_check_of_uploads_accepts_a_file_for_another_platform(folder: Path, name: str) -> None:
    # The only product to which the simulator gives access is a product for Borons.
    product = Product(40_000, "other", "other", int(name.partition("-")[0]), None)
    call = Call("POST", {}, {}, {}, files={"file": (folder / name).read_bytes()}, filenames={"file": name})
    call.file_types["file"] = find_content_type(name)
    assert read_uploaded_file(call, "file", product, 7).platform_id == product.platform_id


def find_content_type(name: str) -> str:
    return ZIP_TYPE if name.endswith(".zip") else "application/octet-stream"


# ---------------------------------------------------------------------- files for the library


@pytest.mark.parametrize("name", OWN_FILES)
def test_library_reads_the_same_fields_as_the_simulator(own: dict[str, ReadFile], name: str) -> None:
    assert convert(own[name]) == read_firmware_file(name, OWN_FILES[name])
    assert own[name].function == 5


@pytest.mark.parametrize("platform", PLATFORMS)
def test_library_reads_the_fields_of_a_built_file(own: dict[str, ReadFile], platform: int) -> None:
    product, plain = own[f"built-{platform}-7.bin"], own[f"built-{platform}-None.bin"]
    assert (product.platform_id, product.product_id, product.product_version) == (platform, platform, 7)
    assert product.needed_device_os == 4200
    assert (plain.product_id, plain.product_version) == (NOT_A_PRODUCT, NOT_A_PRODUCT)


def test_library_finds_the_assets_of_a_bundle_valid(own: dict[str, ReadFile]) -> None:
    assert sorted(own["test-bundle.zip"].valid_assets) == sorted(OWN_ASSETS)
