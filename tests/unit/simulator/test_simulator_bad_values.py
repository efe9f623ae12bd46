# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that values which no client should send get an ordinary response, and no internal error."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import DEVICES, EVENTS, FREE, PRODUCT, User

LONG = "9" * 5000
"""More digits than Python reads as a number."""
LARGE = "9" * 25
"""More digits than fit into 64 bits."""


@pytest.mark.parametrize("digits", [LONG, LARGE], ids=["long", "large"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (DEVICES + "?page={}", 200),
        ("/v1/ledgers?page={}", 200),
        (PRODUCT + "/sims?perPage={}", 200),
        ("/v1/device-os/versions?internal_version={}", 200),
        ("/v1/system_firmware/upgrade?platform_id={}&current_system_firmware_version=4.0.2", 400),
        (PRODUCT + "/firmware/{}", 404),
        ("/v1/products/{}", 404),
    ],
)
def test_very_large_number_in_the_address_is_not_an_internal_error(
    demo: User, path: str, status: int, digits: str
) -> None:
    assert demo.call("GET", path.format(digits)).status_code == status


@pytest.mark.parametrize("digits", [LONG, LARGE], ids=["long", "large"])
@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("PUT", f"{DEVICES}/{FREE[0]}", ["desired_firmware_version"]),
        ("PUT", f"{PRODUCT}/firmware/release", ["version"]),
        ("POST", EVENTS, ["ttl", "name"]),
        ("POST", "/v1/devices", ["product_id"]),
        ("POST", "/v1/binaries", ["platform_id"]),
    ],
)
def test_very_large_number_in_the_body_is_refused(
    demo: User, method: str, path: str, fields: list[str], digits: str
) -> None:
    demo.bring_in(FREE[0])
    assert demo.call(method, path, data=dict.fromkeys(fields, digits)).status_code == 400
    assert demo.call("GET", DEVICES).status_code == 200


@pytest.mark.parametrize("kind", [[], {}, None, 1])
def test_integration_type_that_is_not_a_text_is_refused(demo: User, kind: Any) -> None:
    assert demo.post("/v1/integrations", {"integration_type": kind}).status_code == 400
