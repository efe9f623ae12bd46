# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test variables, functions, flashing and provisioning of devices, and the answers for offline devices."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import DEVICES, FREE, OFFLINE, PRODUCT, UNKNOWN, User

from support.firmware import make_binary

DEVICE = f"/v1/devices/{FREE[0]}"
PRODUCT_DEVICE = f"{DEVICES}/{FREE[0]}"
BASES = pytest.mark.parametrize("base", [DEVICE, PRODUCT_DEVICE])


@pytest.fixture(autouse=True)
def product_devices(demo: User) -> None:
    """Import two devices into the product, one of them offline."""
    demo.bring_in(FREE[0], OFFLINE)


def test_only_an_online_device_lists_functions_and_variables(demo: User) -> None:
    body = demo.get(DEVICE)
    assert body["functions"] == ["led", "length", "number"]
    assert body["variables"]["soil_pct"] == "int32"
    offline = demo.get(f"/v1/devices/{OFFLINE}")
    assert (offline["functions"], offline["variables"]) == (None, None)


@BASES
@pytest.mark.parametrize(("name", "kind"), [("soil_pct", int), ("temperature", float), ("site", str), ("armed", bool)])
def test_variable_has_a_value_of_its_type(demo: User, base: str, name: str, kind: type) -> None:
    body = demo.get(f"{base}/{name}")
    assert body["result"].__class__ is kind  # a bool is an int too
    assert body["name"] == name
    assert (body["coreInfo"]["deviceID"], body["coreInfo"]["connected"]) == (FREE[0], True)
    assert demo.get(f"{base}/{name}")["result"] == body["result"]


def test_raw_format_returns_the_bare_value(demo: User) -> None:
    value = demo.get(f"{DEVICE}/armed")["result"]
    answer = demo.call("GET", f"{DEVICE}/armed", params={"format": "raw"})
    assert answer.text == str(value).lower()
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_unknown_variable_is_not_found(demo: User) -> None:
    answer = demo.call("GET", f"{DEVICE}/nope")
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Variable not found"})


def test_variable_of_an_offline_device_times_out(demo: User) -> None:
    answer = demo.call("GET", f"/v1/devices/{OFFLINE}/soil_pct")
    assert (answer.status_code, answer.json()) == (408, {"error": "Timed out."})


@BASES
@pytest.mark.parametrize("fields", [{"arg": "on"}, {"args": "on"}])
def test_function_returns_a_number(demo: User, base: str, fields: dict[str, str]) -> None:
    body = demo.post(f"{base}/led", fields).json()
    assert (body["id"], body["connected"], body["return_value"]) == (FREE[0], True, 1)


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [("led", "off", 0), ("led", "blue", -1), ("length", "12345", 5), ("number", "-17", -17), ("number", "x", -1)],
)
def test_function_result_depends_on_its_argument(demo: User, name: str, argument: str, result: int) -> None:
    assert demo.post(f"{DEVICE}/{name}", {"arg": argument}).json()["return_value"] == result


def test_function_without_argument_gets_an_empty_text(demo: User) -> None:
    assert demo.call("POST", f"{DEVICE}/length").json()["return_value"] == 0
    assert demo.post(f"{DEVICE}/length", {"arg": 7}).status_code == 400
    assert demo.post(f"{DEVICE}/length", {"arg": "abc", "format": "raw"}).text == "3"


def test_refusal_of_an_unknown_function_contains_its_name(demo: User) -> None:
    answer = demo.post(f"{DEVICE}/toggle", {"arg": ""})
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Function toggle not found"})


def test_function_of_an_offline_device_times_out(demo: User) -> None:
    answer = demo.post(f"/v1/devices/{OFFLINE}/led", {"arg": "on"})
    assert (answer.status_code, answer.json()) == (400, {"ok": False, "error": "Timed out."})


@pytest.mark.parametrize(("method", "path"), [("GET", "soil_pct"), ("POST", "led")])
def test_call_of_an_unknown_device_is_forbidden(demo: User, method: str, path: str) -> None:
    for base in ("/v1/devices", DEVICES):
        assert demo.call(method, f"{base}/{UNKNOWN}/{path}").status_code == 403


def test_function_call_counts_as_write_and_variable_read_does_not(demo: User) -> None:
    before = demo.cloud.stats()["writes"]
    demo.get(f"{DEVICE}/soil_pct")
    assert demo.cloud.stats()["writes"] == before
    demo.post(f"{DEVICE}/led", {"arg": "on"})
    assert demo.cloud.stats()["writes"] == before + 1


# ---------------------------------------------------------------------- flashing


@BASES
def test_flash_of_a_binary_starts_an_update(demo: User, base: str) -> None:
    answer = demo.call("PUT", base, files={"file": ("app.bin", make_binary())})
    assert (answer.status_code, answer.json()) == (200, {"id": FREE[0], "status": "Update started"})


def test_flash_of_sources_starts_an_update(demo: User) -> None:
    answer = demo.call("PUT", DEVICE, files={"file": ("app.ino", b"void setup() {}")})
    assert answer.json() == {"ok": True, "message": "Update started"}


def test_flash_of_broken_sources_is_answered_with_200_and_build_errors(demo: User) -> None:
    answer = demo.call("PUT", DEVICE, files={"file": ("app.ino", b"#error no")})
    body = answer.json()
    assert (answer.status_code, body["ok"], body["output"]) == (200, False, "build didn't produce binary")
    assert "app.ino" in body["errors"][0]


def test_flash_of_an_offline_device_times_out(demo: User) -> None:
    answer = demo.call("PUT", f"/v1/devices/{OFFLINE}", files={"file": ("app.bin", make_binary())})
    assert answer.status_code == 500
    assert answer.json() == {"ok": False, "code": 500, "errors": ["Request Timed Out"]}


def test_sources_are_compiled_to_a_binary_that_can_be_downloaded(demo: User) -> None:
    body = demo.call("POST", "/v1/binaries", files={"file": ("app.ino", b"void loop() {}")}).json()
    assert (body["ok"], body["binary_url"]) == (True, f"/v1/binaries/{body['binary_id']}")
    assert demo.call("GET", body["binary_url"]).content
    assert demo.call("GET", "/v1/binaries/nope").status_code == 404
    assert demo.call("POST", "/v1/binaries").status_code == 400
    broken = demo.call("POST", "/v1/binaries", files={"file": ("app.ino", b"#error")}).json()
    assert broken["ok"] is False


def test_build_targets_are_readable_without_a_token(demo: User) -> None:
    body = demo.cloud.call("GET", "/v1/build_targets").json()
    assert body["default_versions"]["13"] == body["targets"][0]["version"]
    featured = demo.cloud.call("GET", "/v1/build_targets", params={"featured": "true"}).json()
    assert len(featured["targets"]) == 1


def test_device_os_versions_are_listed_by_platform(demo: User) -> None:
    rows = demo.get("/v1/device-os/versions", platform_id="13")["versions"]
    assert {row["platform_id"] for row in rows} == {13}
    page = demo.get("/v1/device-os/versions", platform_id="13", page="2", per_page="1")
    assert page == {"versions": rows[1:2]}
    assert demo.get(f"/v1/device-os/versions/{rows[0]['version']}")["version"] == rows[0]["version"]
    assert demo.call("GET", "/v1/device-os/versions/0.0.0").status_code == 404


@pytest.mark.parametrize(
    ("internal_version", "versions"), [("4200", {"4.2.0"}), ("4006", {"4.0.2"}), ("1", set()), ("None", set())]
)
def test_internal_version_selects_a_version_of_device_os(demo: User, internal_version: str, versions: set[str]) -> None:
    rows = demo.get("/v1/device-os/versions", internal_version=internal_version)["versions"]
    assert {row["version"] for row in rows} == versions
    assert {str(row["module_version"]) for row in rows} <= {internal_version}


def test_version_of_device_os_without_a_known_number_has_no_module_version(demo: User) -> None:
    assert "module_version" not in demo.get("/v1/device-os/versions/6.3.4")


UPGRADE = "/v1/system_firmware/upgrade"


@pytest.mark.parametrize("current", ["4.2.0", "6.3.3", "6.3.4-rc.1"])
def test_older_device_os_has_an_upgrade_that_can_be_downloaded(demo: User, current: str) -> None:
    address = demo.get(UPGRADE, platform_id="13", current_system_firmware_version=current)["binary_url"]
    assert demo.call("GET", address).status_code == 200


@pytest.mark.parametrize(("platform", "current"), [("13", "6.3.4"), ("13", "7.0.0"), ("999", "1.0.0")])
def test_nothing_is_answered_if_there_is_no_upgrade(demo: User, platform: str, current: str) -> None:
    query = {"platform_id": platform, "current_system_firmware_version": current}
    answer = demo.call("GET", UPGRADE, params=query)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("query", [{}, {"platform_id": "13"}, {"platform_id": "x"}])
def test_request_for_an_upgrade_needs_platform_and_version(demo: User, query: dict[str, str]) -> None:
    assert demo.call("GET", UPGRADE, params=query).status_code == 400


# ---------------------------------------------------------------------- provisioning


@pytest.mark.parametrize("path", ["/v1/device_claims", f"{PRODUCT}/device_claims"])
def test_claim_code_is_answered_with_the_claimed_devices(demo: User, path: str) -> None:
    demo.post("/v1/devices", {"id": FREE[1]})
    body = demo.post(path, {}).json()
    assert len(body["claim_code"]) == 64
    assert body["device_ids"] == [FREE[1]]


def test_claim_code_for_the_product_of_another_user_is_forbidden(other: User) -> None:
    assert other.post(f"{PRODUCT}/device_claims", {}).status_code == 403


@pytest.mark.parametrize(("product", "platform"), [(31337, 13), (12, 12)])
def test_new_device_identity_is_created_for_a_product(demo: User, product: int, platform: int) -> None:
    body = demo.post("/v1/devices", {"product_id": product}).json()
    assert (body["platform_id"], body["product_id"], body["online"]) == (platform, product, False)
    assert demo.get(f"/v1/devices/{body['id']}")["owner"] == "demo@example.com"


@pytest.mark.parametrize(("product", "status"), [("x", 400), (999, 404), (40000, 403)])
def test_new_device_identity_for_an_invalid_product_is_refused(demo: User, product: Any, status: int) -> None:
    assert demo.post("/v1/devices", {"product_id": product}).status_code == status


def test_public_key_of_a_known_device_is_accepted(demo: User) -> None:
    key = {"deviceID": FREE[0], "publicKey": "-----BEGIN PUBLIC KEY-----", "algorithm": "ec"}
    assert demo.post(f"/v1/provisioning/{FREE[0]}", key).json() == "Success!"
    for missing in ("deviceID", "publicKey"):
        assert demo.post(f"/v1/provisioning/{FREE[0]}", key | {missing: ""}).status_code == 400
    assert demo.post(f"/v1/provisioning/{UNKNOWN}", key).status_code == 403


@BASES
def test_device_protection_is_removed_in_two_steps(demo: User, base: str) -> None:
    nonce = demo.put(f"{base}/unprotect", {"action": "prepare"}).json()["server_nonce"]
    confirm = {
        "action": "confirm",
        "server_nonce": nonce,
        "device_nonce": "n",
        "device_signature": "s",
        "device_public_key_fingerprint": "f",
    }
    assert demo.put(f"{base}/unprotect", confirm).status_code == 200
    assert demo.put(f"{base}/unprotect", {"action": "confirm"}).status_code == 400
    assert demo.put(f"{base}/unprotect", {"action": "open"}).status_code == 400


def test_product_has_no_device_orders(demo: User) -> None:
    assert demo.get(f"{PRODUCT}/device_orders") == []


@pytest.mark.parametrize("status", [404, 408, 400, 500])
def test_offline_device_is_answered_with_the_configured_status(demo: User, status: int) -> None:
    demo.cloud.call("POST", f"/_simulator/devices/{OFFLINE}", json={"offline_face": status})
    assert demo.call("GET", f"/v1/devices/{OFFLINE}/soil_pct").status_code == status
    assert demo.post(f"/v1/devices/{OFFLINE}/led", {"arg": "on"}).status_code == status
