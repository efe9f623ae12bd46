# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the reader and the builder of firmware files."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from particle_simulator.firmware_files import (
    FirmwareFile,
    InvalidFirmwareFile,
    build_firmware_file,
    read_firmware_file,
)
from support.firmware import (
    BORON,
    NOT_A_PRODUCT,
    encode_asset_dependency,
    make_application,
    make_archive,
    make_archive_of_a_newer_format,
    make_binary,
    make_bundle,
    seal,
)

ARGON, ELECTRON, XENON, P2, B5_SOM = 12, 10, 14, 32, 25
MEBIBYTE = 1 << 20
ASSETS = {"cat.jpg": b"meow" * 300, "dog.jpg": b"woof"}


def read(content: bytes, name: str = "app.bin") -> FirmwareFile:
    return read_firmware_file(name, content)


def get_refusal(content: bytes, name: str = "app.bin") -> str:
    with pytest.raises(InvalidFirmwareFile) as caught:
        read_firmware_file(name, content)
    return caught.value.reason


def make_noise(size: int) -> bytes:
    """Make bytes that no compression makes smaller."""
    return random.Random(size).randbytes(size)


# ---------------------------------------------------------------------- user modules


def test_fields_of_a_user_module_are_read() -> None:
    binary = make_binary(7)
    assert read(binary) == FirmwareFile(
        platform_id=BORON,
        product_id=BORON,
        product_version=7,
        app_hash=sha256(binary[:-38]).hexdigest(),
        needed_device_os=4200,
        assets=(),
    )


@pytest.mark.parametrize("size", [0x200, 0x184, 4, 0x40, 8192])
def test_prefix_behind_a_table_is_found(size: int) -> None:
    assert read(make_binary(3, table=make_noise(size), platform_id=ARGON)).platform_id == ARGON


def test_prefix_beyond_8_kib_is_not_found() -> None:
    assert "is not a firmware file" in get_refusal(make_binary(table=make_noise(8196)))


def test_module_that_is_not_product_firmware_has_no_product_fields() -> None:
    file = read(make_binary(NOT_A_PRODUCT, product_id=NOT_A_PRODUCT))
    assert (file.product_id, file.product_version) == (None, None)


def test_suffix_without_product_fields_gives_none() -> None:
    file = read(make_binary(7, has_product_fields=False))
    assert (file.product_id, file.product_version) == (None, None)


def test_module_without_a_dependency_needs_no_device_os() -> None:
    assert read(make_binary(needed_device_os=None)).needed_device_os is None


@pytest.mark.parametrize("place", ["prefix_extensions", "suffix_extensions"])
def test_asset_dependencies_are_read_from_prefix_and_suffix(place: str) -> None:
    extensions = tuple(encode_asset_dependency(name, content) for name, content in ASSETS.items())
    file = read(make_binary(7, **{place: extensions}))
    assert file.assets == tuple((name, sha256(content).hexdigest()) for name, content in ASSETS.items())
    assert file.product_version == 7


@pytest.mark.parametrize("function", [0, 2, 3, 4, 9])
def test_module_of_another_function_is_refused(function: int) -> None:
    assert "is not a user module" in get_refusal(make_binary(function=function))


@pytest.mark.parametrize("content", [b"", b"binary", bytes(64), b"\xff" * 400])
def test_bytes_that_are_not_a_module_are_refused(content: bytes) -> None:
    assert "is not a firmware file" in get_refusal(content)


def test_truncated_module_is_refused() -> None:
    assert "is not a firmware file" in get_refusal(make_binary()[:-10])


def test_module_with_a_wrong_crc_is_refused() -> None:
    binary = bytearray(make_binary())
    binary[40] ^= 1
    assert "CRC" in get_refusal(bytes(binary))


def test_patched_module_with_a_matching_crc_is_refused() -> None:
    binary = bytearray(make_binary())
    binary[-10] ^= 1
    patched = bytes(binary[:-4])
    assert "SHA-256" in get_refusal(patched + struct.pack(">I", zlib.crc32(patched)))


@pytest.mark.parametrize("size", [0, 35, 2000])
def test_suffix_of_an_impossible_size_is_refused(size: int) -> None:
    binary = bytearray(make_binary())
    binary[-6:-4] = struct.pack("<H", size)
    assert "suffix" in get_refusal(seal(bytes(binary)))


@pytest.mark.parametrize(
    "extension",
    [
        struct.pack("<HH", 0x12, 3),
        struct.pack("<HH", 0x12, 400),
        struct.pack("<HH", 0x12, 4),
        struct.pack("<HHBB", 0x12, 38, 1, 32) + bytes(32),
        struct.pack("<HHBB", 0x12, 37, 0, 31) + bytes(31),
        struct.pack("<HHBB", 0x12, 39, 0, 32) + bytes(32) + b"\xff",
    ],
)
def test_malformed_extension_is_refused(extension: bytes) -> None:
    assert "extension" in get_refusal(make_binary(suffix_extensions=(extension,)))


# ---------------------------------------------------------------------- size limits


@pytest.mark.parametrize(
    ("platform_id", "needed", "limit"),
    [
        (ELECTRON, 1512, 131_072),
        (XENON, 1512, 131_072),
        (BORON, 2003, 131_072),
        (BORON, 4200, 262_144),
        (B5_SOM, 4200, 262_144),
        (P2, 5800, 1_572_864),
    ],
)
def test_module_up_to_the_limit_of_its_platform_is_accepted(platform_id: int, needed: int, limit: int) -> None:
    def make(size: int) -> bytes:
        return make_binary(platform_id=platform_id, needed_device_os=needed, code=bytes(size - 68))

    assert read(make(limit)).platform_id == platform_id
    assert "too large" in get_refusal(make(limit + 1))


# ---------------------------------------------------------------------- bundles


def test_bundle_has_the_fields_of_its_application() -> None:
    application = make_application(ASSETS, 7)
    bundle = make_bundle(ASSETS, 7)
    assert read(bundle, "app.zip") == read(application)
    assert read(bundle, "APP.ZIP").product_version == 7


def test_bundle_may_contain_folders_and_environment_variables() -> None:
    files = {"app.bin": make_application(ASSETS), "assets/": b"", "env/env-vars.json": b"{}"}
    files |= {f"assets/{name}": content for name, content in ASSETS.items()}
    assert len(read(make_archive(files), "app.zip").assets) == 2


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "exactly one file"),
        ({"a.bin": make_binary(), "b.bin": make_binary()}, "exactly one file"),
        ({"a.bin": make_binary(), "readme.txt": b""}, "exactly one file"),
        ({"folder/a.bin": make_binary()}, "exactly one file"),
        ({"a.txt": make_binary()}, ".bin"),
        ({"a.bin": b"binary"}, "is not a firmware file"),
        ({"a.bin": make_application(ASSETS)}, "does not contain the asset cat.jpg"),
        ({"a.bin": make_binary(), "assets/cat.jpg": b"meow"}, "does not need the asset cat.jpg"),
        ({"a.bin": make_application({"cat.jpg": b"meow"}), "assets/cat.jpg": b"woof"}, "SHA-256"),
    ],
)
def test_bundle_that_breaks_a_rule_is_refused(files: dict[str, bytes], reason: str) -> None:
    assert reason in get_refusal(make_archive(files), "app.zip")


def test_bundle_with_two_files_of_one_name_is_refused() -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("a.bin", make_binary())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.bin", make_binary())
    assert "twice" in get_refusal(output.getvalue(), "app.zip")


def test_module_that_needs_two_assets_of_one_name_is_refused() -> None:
    twins = (encode_asset_dependency("cat.jpg", b"1"), encode_asset_dependency("cat.jpg", b"2"))
    files = {"a.bin": make_binary(suffix_extensions=twins), "assets/cat.jpg": b"2"}
    assert "same name" in get_refusal(make_archive(files), "app.zip")


def test_bundle_for_a_platform_without_assets_is_refused() -> None:
    assert "platform 14" in get_refusal(make_bundle(ASSETS, platform_id=XENON), "app.zip")


@pytest.mark.parametrize(
    ("platform_id", "sizes", "accepted"),
    [
        (BORON, [600_000], True),
        (BORON, [607_000], False),
        (BORON, [560_000, 560_000], True),
        (BORON, [580_000, 580_000], False),
        (P2, [607_000], True),
        (P2, [1_180_000], False),
        (B5_SOM, [1_500_000, 500_000], True),
        (B5_SOM, [1_574_000], False),
    ],
)
def test_assets_up_to_the_limits_of_the_platform_are_accepted(
    platform_id: int, sizes: list[int], accepted: bool
) -> None:
    bundle = make_bundle({f"{number}": make_noise(size) for number, size in enumerate(sizes)}, platform_id=platform_id)
    if accepted:
        assert len(read(bundle, "app.zip").assets) == len(sizes)
    else:
        assert "too large" in get_refusal(bundle, "app.zip")


def test_limits_apply_to_the_compressed_size_of_an_asset() -> None:
    assert read(make_bundle({"zeros": bytes(2 * MEBIBYTE)}), "app.zip").platform_id == BORON


def test_bundle_of_a_newer_zip_format_is_refused() -> None:
    content = make_archive_of_a_newer_format({"app.bin": make_binary(7)})
    assert "not a zip file" in get_refusal(content, "app.zip")


@pytest.mark.parametrize("name", ["a.bin", "assets/zeros"])
def test_zip_bomb_is_refused_with_little_memory(name: str) -> None:
    content = bytes(64 * MEBIBYTE)
    bomb = make_archive({"a.bin": make_application({"zeros": content}), name: content})
    del content
    tracemalloc.start()
    try:
        assert "too large" in get_refusal(bomb, "app.zip")
        assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_archive_with_very_many_files_is_refused() -> None:
    files = {f"assets/{number}": b"" for number in range(2000)}
    assert "too many files" in get_refusal(make_archive(files), "app.zip")


@pytest.mark.parametrize("name", ["app.bin", "app.zip"])
def test_huge_file_is_refused(name: str) -> None:
    assert "too large" in get_refusal(bytes(17 * MEBIBYTE), name)


# ---------------------------------------------------------------------- any bytes


def read_or_refuse(name: str, content: bytes) -> None:
    with suppress(InvalidFirmwareFile):
        assert isinstance(read_firmware_file(name, content), FirmwareFile)


@given(st.sampled_from(["app.bin", "app.zip", ""]), st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(name: str, content: bytes) -> None:
    read_or_refuse(name, content)
    read_or_refuse(name, content + make_binary())


MODULE = make_application({"cat.jpg": b"meow"}, 7)
BUNDLE = make_bundle({"cat.jpg": b"meow"}, 7)
CHANGES = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6)


def change_bytes(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in changes:
        changed[-1 - place % len(changed)] = value
    return bytes(changed)


@given(CHANGES)
def test_changed_module_with_matching_sums_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    read_or_refuse("app.bin", seal(change_bytes(MODULE, changes)))


@given(CHANGES)
def test_changed_module_is_refused(changes: list[tuple[int, int]]) -> None:
    changed = change_bytes(MODULE, changes)
    if changed != MODULE:
        get_refusal(changed)


@given(CHANGES, st.integers(0, 4000))
def test_changed_bundle_is_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    changed = change_bytes(BUNDLE, changes)
    read_or_refuse("app.zip", changed)
    read_or_refuse("app.zip", changed[:length])


# ---------------------------------------------------------------------- the builder


@given(
    st.integers(0, 65_535), st.one_of(st.none(), st.integers(1, 65_534)), st.one_of(st.none(), st.integers(1, 65_535))
)
def test_built_file_is_read_with_the_same_fields(platform_id: int, version: int | None, needed: int | None) -> None:
    file = read(build_firmware_file(platform_id, version, needed_device_os=needed))
    assert (file.platform_id, file.product_version, file.needed_device_os) == (platform_id, version, needed)
    assert file.product_id == (None if version is None or platform_id == NOT_A_PRODUCT else platform_id)


def test_built_files_of_different_code_have_different_hashes() -> None:
    files = [read(build_firmware_file(BORON, 1, code=code)) for code in (b"a", b"b")]
    assert files[0].app_hash != files[1].app_hash
