# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Firmware files are read, and each kind of damage is named, with the bytes of Particle's documented layout."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_FIRMWARE_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware import bundle
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import (
    Binary,
    InvalidBinary,
    parse_binary,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.checks import (
    choose_version,
    refuse_wrong_file,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import (
    FirmwareFile,
    find_problems,
    parse_file,
    read_firmware_file,
)
from support.firmware import (
    NOT_A_PRODUCT,
    encode_asset_dependency,
    make_application,
    make_archive,
    make_archive_of_a_newer_format,
    make_binary,
    make_bundle,
    seal,
)

P2, BORON, PHOTON = 32, 13, 6
PRODUCT = Product("31337", "field-logger", BORON, None)
ASSETS = {"cat.jpg": b"meow" * 100, "dog.jpg": b"woof"}


def list_texts(name: str, content: bytes) -> list[str]:
    """Return the problems of a file, whether or not it can be parsed."""
    try:
        return [problem.text for problem in find_problems(parse_file(name, content))]
    except InvalidBinary as error:
        return [str(error)]


def refuse(content: bytes, version: int = 8, name: str = "app.bin", product: Product = PRODUCT) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        refuse_wrong_file(parse_file(name, content), version, product)
    assert caught.value.code == "wrong_binary"
    return caught.value


# ---------------------------------------------------------------------- parsing


def test_binary_is_read_with_all_its_fields() -> None:
    content = make_binary(8)
    assert parse_binary(content) == Binary(
        size=len(content),
        platform_id=BORON,
        product_id=BORON,
        product_version=8,
        device_os=4200,
        app_hash=content[-38:-6].hex(),
        assets={},
    )


@pytest.mark.parametrize("size", [0x184, 0x200, 0x40])
def test_prefix_is_found_behind_an_interrupt_table(size: int) -> None:
    assert parse_binary(make_binary(8, table=bytes(size))).product_version == 8


@pytest.mark.parametrize(
    "content",
    [
        make_binary(NOT_A_PRODUCT, product_id=NOT_A_PRODUCT),
        make_binary(8, has_product_fields=False),
        make_binary(0),
    ],
)
def test_binary_without_a_product_version_has_none(content: bytes) -> None:
    assert parse_binary(content).product_version is None
    error = refuse(content)
    assert "the binary contains no product version" in error.message
    assert "PRODUCT_VERSION" in error.hint


def test_needed_device_os_is_unknown_without_a_dependency() -> None:
    assert parse_binary(make_binary(8, needed_device_os=None)).device_os is None


def test_assets_are_read_from_both_places_of_extensions() -> None:
    in_suffix = parse_binary(make_application(ASSETS, 8))
    in_prefix = parse_binary(make_binary(8, prefix_extensions=(encode_asset_dependency("cat.jpg", b"meow"),)))
    assert (sorted(in_suffix.assets), sorted(in_prefix.assets)) == (["cat.jpg", "dog.jpg"], ["cat.jpg"])


def test_unknown_extension_is_skipped() -> None:
    extension = struct.pack("<HH", 0x13, 6) + b"ab"
    assert parse_binary(make_binary(8, suffix_extensions=(extension,))).problems == ()


# ---------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has only 0 bytes"),
        (b"\x7fELF" + bytes(500), "is not a firmware binary"),
        (make_binary(8)[:-7], "it is incomplete or damaged: it has 84 bytes, but its header names 91"),
        (make_binary(8) + b"more", "it has 95 bytes, but its header names 91"),
        (make_binary(8)[:-1] + b"\x00", "its CRC is"),
        (make_binary(8, code=b"a" * 9).replace(b"aaa", b"bbb"), "its hash is"),
        (make_binary(8, function=4), "it is a part of Device OS, not an application"),
        (make_binary(8, function=77), "it is a module with the function 77, not an application"),
        (seal(make_binary(8)[:-6] + b"\xff\xff" + bytes(4)), "its suffix cannot have 65535 bytes"),
        (make_binary(8, suffix_extensions=(struct.pack("<HH", 0x12, 900),)), "an extension in it cannot have 900"),
        (make_binary(8, suffix_extensions=(struct.pack("<HHBB", 0x12, 6, 1, 9),)), "names an asset in an unknown way"),
        (make_binary(8, suffix_extensions=(encode_asset_dependency("a", b"1"),) * 2), "names the asset a twice"),
    ],
)
def test_damage_of_a_binary_is_named(content: bytes, words: str) -> None:
    assert words in "\n".join(list_texts("app.bin", content))


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused_with_a_sentence(content: bytes) -> None:
    for name in ("app.bin", "app.zip"):
        assert all(list_texts(name, content)), "an empty sentence"


@given(st.data())
def test_changed_byte_is_always_noticed(data: st.DataObject) -> None:
    name, whole = data.draw(st.sampled_from([("app.bin", make_binary(8)), ("app.bin", make_application(ASSETS, 8))]))
    place = data.draw(st.integers(0, len(whole) - 1))
    content = bytearray(whole)
    content[place] ^= data.draw(st.integers(1, 255))
    assert list_texts(name, bytes(content)) != []


@given(st.data())
def test_changed_bundle_is_parsed_or_refused(data: st.DataObject) -> None:
    content = bytearray(make_bundle(ASSETS, 8))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    assert all(list_texts("app.zip", bytes(content)))


# ---------------------------------------------------------------------- bundles


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"app.bin": make_application(ASSETS, 8), "assets/cat.jpg": ASSETS["cat.jpg"]}, "lacks the asset dog.jpg"),
        ({"app.bin": make_binary(8), "assets/cat.jpg": b"meow"}, "contains the asset cat.jpg, which the binary does"),
        (
            {"app.bin": make_application({"cat.jpg": b"meow"}, 8), "assets/cat.jpg": b"moo"},
            "the asset cat.jpg has the hash",
        ),
        ({"assets/cat.jpg": b"meow"}, "must contain exactly one file outside of folders, the binary, but has 0"),
        ({"a.bin": make_binary(8), "b.bin": make_binary(8)}, "but has 2: a.bin, b.bin"),
        ({"app.bin": bytes(2_000_000)}, "app.bin in it is too large"),
        ({f"assets/{number}": b"" for number in range(1_001)}, "more than 1,000 files"),
    ],
)
def test_mistake_of_a_bundle_is_named(files: dict[str, bytes], words: str) -> None:
    assert words in "\n".join(list_texts("app.zip", make_archive(files)))


@pytest.mark.parametrize("content", [make_archive({}), make_archive({"a": b"", "b": b""}), b"no zip file"])
def test_remedy_for_a_wrong_bundle_is_to_make_it_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app.zip").write_bytes(content)
    with pytest.raises(ParticleError) as caught:
        read_firmware_file(str(tmp_path / "app.zip"))
    assert caught.value.hint.startswith("Make the bundle again from the binary and its assets")


def test_bundle_of_a_newer_zip_format_is_refused() -> None:
    with pytest.raises(bundle.InvalidBundle, match="not a zip file"):
        bundle.unpack_bundle(make_archive_of_a_newer_format({"app.bin": make_binary(8)}))


def test_bundle_that_unpacks_to_gigabytes_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_UNPACKED_BYTES", 1_000_000)
    packed = {f"assets/{number}": bytes(400_000) for number in range(9)}
    content = make_archive({"app.bin": make_binary(8), **packed})
    assert list_texts("app.zip", content) == ["assets/2 in it is too large"]


def test_bundle_with_variables_and_matching_assets_has_no_problem() -> None:
    packed = {f"assets/{name}": content for name, content in ASSETS.items()}
    files = {"app.bin": make_application(ASSETS, 8), **packed, "env/env-vars.json": b"{}"}
    assert list_texts("app.ZIP", make_archive(files)) == []


def test_binary_that_needs_assets_is_refused_outside_of_a_bundle() -> None:
    assert list_texts("app.bin", make_application(ASSETS, 8)) == [
        "the binary needs 2 assets, but the file is not a bundle"
    ]


# ---------------------------------------------------------------------- sizes


def make_sized(size: int, **fields: object) -> bytes:
    rest = len(make_binary(8, code=b"", **fields))
    return make_binary(8, code=bytes(size - rest), **fields)


@pytest.mark.parametrize(
    ("platform", "device_os", "limit"),
    [(PHOTON, 3300, 131_072), (BORON, 3000, 131_072), (BORON, 4200, 262_144), (P2, 5000, 1_572_864)],
)
def test_binary_at_the_limit_passes_and_one_byte_more_is_refused(platform: int, device_os: int, limit: int) -> None:
    fields = {"platform_id": platform, "needed_device_os": device_os}
    assert list_texts("app.bin", make_sized(limit, **fields)) == []
    (text,) = list_texts("app.bin", make_sized(limit + 1, **fields))
    assert (f"{limit + 1:,}" in text, f"{limit:,}" in text) == (True, True)


def make_random(size: int) -> bytes:
    return os.urandom(size)


def test_assets_that_need_more_storage_than_a_device_has_are_refused() -> None:
    assets = {str(number): make_random(570_000) for number in range(2)}
    assert list_texts("app.zip", make_bundle({"0": assets["0"]}, 8)) == []
    (text,) = list_texts("app.zip", make_bundle(assets, 8))
    assert text == "the assets need 280 blocks of storage, but a device of platform boron has 278"


def test_single_asset_above_its_limit_is_refused() -> None:
    assert list_texts("app.zip", make_bundle({"a": make_random(605_900)}, 8)) == []
    (text,) = list_texts("app.zip", make_bundle({"a": make_random(606_209)}, 8))
    assert "but an asset of a device of platform boron may have 606,208" in text


# ---------------------------------------------------------------------- comparison with the product


@pytest.mark.parametrize("product_id", [31337, BORON, NOT_A_PRODUCT])
def test_id_of_the_product_the_platform_or_none_is_accepted(product_id: int) -> None:
    refuse_wrong_file(parse_file("app.bin", make_binary(8, product_id=product_id)), 8, PRODUCT)


def test_binary_of_another_product_is_refused_with_both_ids() -> None:
    message = refuse(make_binary(8, product_id=4711)).message
    assert "was built for product 4711, but product field-logger has id 31337" in message


def test_binary_for_another_platform_is_refused_with_both_platforms() -> None:
    message = refuse(make_binary(8, platform_id=P2)).message
    assert "for platform 32 (p2), but product field-logger is for platform 13 (boron)" in message


def test_platform_is_not_compared_if_the_cloud_does_not_show_it() -> None:
    product = Product("31337", "field-logger", None, None)
    refuse_wrong_file(parse_file("app.bin", make_binary(8, platform_id=P2)), 8, product)


def test_all_reasons_are_named_at_once() -> None:
    error = refuse(make_binary(7, platform_id=P2, product_id=4711)[:-1] + b"!")
    assert error.message.startswith("The firmware file app.bin is refused for 4 reasons:\n")
    assert all(
        words in error.message for words in ("CRC", "version 7, but version is 8", "platform 32", "product 4711")
    )


def test_control_characters_in_the_name_of_an_asset_are_not_shown() -> None:
    content = make_archive({"app.bin": make_application({"a\x1b[31m\nb": b"x"}, 8)})
    with pytest.raises(ParticleError) as caught:
        refuse_wrong_file(parse_file("app.zip", content), 8, PRODUCT)
    assert "lacks the asset a\ufffd[31m\ufffdb" in caught.value.message


# ---------------------------------------------------------------------- version and file


def read_without_version() -> FirmwareFile:
    return parse_file("app.bin", make_binary(8, has_product_fields=False))


@pytest.mark.parametrize("version", [0, 65_535, -1])
def test_impossible_version_is_refused(version: int) -> None:
    with pytest.raises(ParticleError, match="from 1 to 65534") as caught:
        choose_version(None, version)
    assert caught.value.code == "invalid_option"


def test_version_comes_from_the_binary_unless_it_is_declared() -> None:
    file = parse_file("app.bin", make_binary(8))
    assert (choose_version(file, None), choose_version(file, 9), choose_version(None, 9)) == (8, 9, 9)


def test_version_is_needed_if_the_binary_has_none() -> None:
    with pytest.raises(ParticleError, match="no product version"):
        choose_version(read_without_version(), None)
    with pytest.raises(ParticleError, match="Neither file nor version"):
        choose_version(None, None)


@pytest.fixture
def unusual_files(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / name for name in ("pipe.bin", "folder.bin", "missing.bin", "huge.bin")}
    os.mkfifo(files["pipe.bin"])
    files["folder.bin"].mkdir()
    with files["huge.bin"].open("wb") as file:
        file.truncate(MAX_FIRMWARE_BYTES + 1)
    return files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pipe.bin", "it is not a regular file"),
        ("folder.bin", "Is a directory"),
        ("missing.bin", "No such file"),
        ("huge.bin", "at most 16 MB are read"),
    ],
)
def test_file_that_cannot_be_read_is_refused(unusual_files: dict[str, Path], name: str, words: str) -> None:
    with pytest.raises(ParticleError) as caught:
        read_firmware_file(str(unusual_files[name]))
    assert caught.value.code == "wrong_binary"
    assert str(unusual_files[name]) in caught.value.message
    assert words in caught.value.message
