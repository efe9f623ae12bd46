# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which firmware files the simulator accepts for a product, and which files devices accept."""

from __future__ import annotations

import pytest
import requests
from simulator_client import DEVICES, FREE, PRODUCT, EventStream, OpenStream, User

from particle_simulator.firmware_files import FirmwareFile, read_firmware_file
from support.firmware import BORON, NOT_A_PRODUCT, ZIP_TYPE, make_application, make_archive, make_binary, make_bundle

FIRMWARE = f"{PRODUCT}/firmware"
PRODUCT_ID = 31337
ARGON = 12
ASSETS = {"cat.jpg": b"meow"}
OCTETS = "application/octet-stream"


def upload(
    user: User, content: bytes, version: int = 7, name: str = "app.bin", content_type: str = OCTETS
) -> requests.Response:
    fields = {"version": str(version), "title": f"v{version}"}
    return user.call("POST", FIRMWARE, data=fields, files={"file": (name, content, content_type)})


def get_refusal(answer: requests.Response) -> str:
    body = answer.json()
    assert (answer.status_code, body["ok"], set(body)) == (400, False, {"ok", "error"}), answer.text
    return str(body["error"])


# ---------------------------------------------------------------------- uploads


@pytest.mark.parametrize("product_id", [PRODUCT_ID, BORON, NOT_A_PRODUCT])
def test_upload_accepts_the_id_of_product_or_platform_or_no_product_id(demo: User, product_id: int) -> None:
    assert upload(demo, make_binary(7, product_id=product_id)).status_code == 201


def test_upload_of_a_binary_of_another_product_is_refused(demo: User) -> None:
    assert "product 40000" in get_refusal(upload(demo, make_binary(7, product_id=40_000)))


def test_upload_of_a_binary_of_another_platform_is_refused(demo: User) -> None:
    assert "platform 12" in get_refusal(upload(demo, make_binary(7, platform_id=ARGON)))


def test_upload_of_another_version_than_the_form_is_refused(demo: User) -> None:
    assert "version 8" in get_refusal(upload(demo, make_binary(8), version=7))


@pytest.mark.parametrize("version", [7, NOT_A_PRODUCT])
def test_upload_of_a_binary_without_a_version_is_refused(demo: User, version: int) -> None:
    assert "no product version" in get_refusal(upload(demo, make_binary(NOT_A_PRODUCT), version))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"binary", "is not a firmware file"),
        (b"", "is not a firmware file"),
        (make_binary(7)[:-4], "is not a firmware file"),
        (make_binary(7)[:-1] + b"\0\0", "is not a firmware file"),
        (make_binary(7).replace(b"code", b"cods"), "CRC"),
        (make_binary(7, code=bytes(262_144)), "too large"),
        (make_binary(7, function=4), "is not a user module"),
    ],
)
def test_upload_of_an_invalid_binary_is_refused(demo: User, content: bytes, reason: str) -> None:
    assert reason in get_refusal(upload(demo, content))
    assert demo.get(FIRMWARE) == []


def test_upload_of_a_version_that_exists_is_refused(demo: User) -> None:
    upload(demo, make_binary(7))
    assert "already exists" in get_refusal(upload(demo, make_binary(7)))


def test_uploaded_bundle_is_downloaded_unchanged(demo: User) -> None:
    bundle = make_bundle(ASSETS, 7)
    answer = upload(demo, bundle, name="app.zip", content_type=ZIP_TYPE)
    assert (answer.status_code, answer.json()["size"]) == (201, len(bundle))
    assert demo.call("GET", f"{FIRMWARE}/7/binary").content == bundle


@pytest.mark.parametrize("content_type", [OCTETS, "text/plain", ""])
def test_upload_of_a_bundle_of_another_type_than_zip_is_refused(demo: User, content_type: str) -> None:
    answer = upload(demo, make_bundle(ASSETS, 7), name="app.zip", content_type=content_type)
    assert ZIP_TYPE in get_refusal(answer)


def test_upload_of_a_bundle_that_lacks_an_asset_is_refused(demo: User) -> None:
    bundle = make_archive({"app.bin": make_application(ASSETS, 7)})
    assert "cat.jpg" in get_refusal(upload(demo, bundle, name="app.zip", content_type=ZIP_TYPE))


def test_upload_is_announced_on_the_stream_of_the_product(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, f"{PRODUCT}/events")
    upload(demo, make_binary(7))
    name, content = stream.read_event()
    assert (name, content["data"]) == ("particle/firmware/create", '{"version":"7"}')
    assert (content["coreid"], content["version"], content["productID"]) == ("api", 0, PRODUCT_ID)


def test_upload_is_not_announced_on_the_stream_of_the_account(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, "/v1/devices/events")
    upload(demo, make_binary(7))
    demo.post("/v1/devices/events", {"name": "later"})
    assert stream.read_event()[0] == "later"


def test_version_of_the_admin_route_has_a_valid_binary(demo: User) -> None:
    demo.cloud.call("POST", "/_simulator/products/31337", json={"firmware": [41]})
    file = download(demo, f"{FIRMWARE}/41/binary")
    assert (file.platform_id, file.product_id, file.product_version) == (BORON, BORON, 41)


# ---------------------------------------------------------------------- flashing


def flash(user: User, listen: OpenStream, name: str, content: bytes) -> str:
    """Flash a device, and return how the update ends according to its events."""
    user.bring_in(FREE[0])
    stream = listen(user, f"{PRODUCT}/events/spark%2Fflash")
    answer = user.call("PUT", f"{DEVICES}/{FREE[0]}", files={"file": (name, content)})
    assert (answer.status_code, answer.json()) == (200, {"id": FREE[0], "status": "Update started"})
    user.cloud.advance(60)
    assert read_word(stream) == "started"
    return read_word(stream)


def read_word(stream: EventStream) -> str:
    """Return the first word of the next event: a file name can follow it."""
    return str(stream.read_event()[1]["data"]).split()[0]


@pytest.mark.parametrize(
    ("name", "content"), [("app.bin", make_binary(7)), ("APP.BIN", make_binary(7)), ("app.zip", make_bundle(ASSETS))]
)
def test_device_accepts_a_valid_file_for_its_platform(
    demo: User, listen: OpenStream, name: str, content: bytes
) -> None:
    assert flash(demo, listen, name, content) == "success"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("app.bin", b"binary"),
        ("app.bin", make_binary(7).replace(b"code", b"cods")),
        ("app.bin", make_binary(7, platform_id=ARGON)),
        ("app.bin", make_binary(7, code=bytes(262_144))),
        ("app.zip", make_archive({"app.bin": make_application(ASSETS)})),
    ],
)
def test_device_refuses_a_file_that_it_cannot_run(demo: User, listen: OpenStream, name: str, content: bytes) -> None:
    assert flash(demo, listen, name, content) == "failed"


# ---------------------------------------------------------------------- compiling


def download(user: User, path: str) -> FirmwareFile:
    return read_firmware_file("app.bin", user.call("GET", path).content)


def compile_sources(user: User, source: bytes, **fields: str) -> FirmwareFile:
    files = {"file": ("app.ino", source)}
    return download(user, user.call("POST", "/v1/binaries", data=fields, files=files).json()["binary_url"])


def test_compiled_binary_is_valid_for_the_platform_of_the_request(demo: User) -> None:
    file = compile_sources(demo, b"void loop() {}", platform_id="12")
    assert (file.platform_id, file.product_version) == (ARGON, None)


def test_binary_compiled_without_a_platform_is_for_the_default_platform(demo: User) -> None:
    assert compile_sources(demo, b"void loop() {}").platform_id == BORON


def test_compiled_binary_has_the_product_version_of_the_sources(demo: User) -> None:
    file = compile_sources(demo, b"PRODUCT_VERSION(9)\nvoid loop() {}")
    assert (file.product_id, file.product_version) == (BORON, 9)


@pytest.mark.parametrize(("target", "needed"), [("4.2.0", 4200), ("4.0.2", 4006), ("5.8.2", None)])
def test_compiled_binary_needs_the_device_os_of_its_build_target(demo: User, target: str, needed: int | None) -> None:
    assert compile_sources(demo, b"void loop() {}", build_target_version=target).needed_device_os == needed


def test_binaries_of_different_sources_differ(demo: User) -> None:
    first, second = (compile_sources(demo, source).app_hash for source in (b"void loop() {}", b"int i;"))
    assert first != second


@pytest.mark.parametrize("platform_id", ["x", "-1", "70000"])
def test_compilation_for_an_invalid_platform_is_refused(demo: User, platform_id: str) -> None:
    files = {"file": ("app.ino", b"void loop() {}")}
    assert demo.call("POST", "/v1/binaries", data={"platform_id": platform_id}, files=files).status_code == 400


def test_device_accepts_sources(demo: User, listen: OpenStream) -> None:
    demo.bring_in(FREE[0])
    stream = listen(demo, f"{PRODUCT}/events/spark%2Fflash")
    demo.call("PUT", f"{DEVICES}/{FREE[0]}", files={"file": ("app.ino", b"void loop() {}")})
    demo.cloud.advance(60)
    assert [read_word(stream), read_word(stream)] == ["started", "success"]
