# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Fill a simulator with things of every kind, so that a probe can send each documented GET request.

All that a user can choose contains a canary: a text that must appear in no report of a probe. Many canaries look like
the name of a field, so that their form alone does not keep them out of a report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from support.simulator import PRODUCT_ID, Simulator, running_simulator

WORD = "canary"
USERNAME = "canary_user@canary.example"
PASSWORD = "canary_password"
ORG = "canary-org"
PRODUCT = f"/v1/products/{PRODUCT_ID}"
IN_PRODUCT = 3
DEVICES: list[dict[str, Any]] = [
    {
        "id": f"e00fce68ca9a{number:012x}",
        "name": f"canary_device_{number}",
        "notes": "canary_note",
        "serial_number": f"B40CANARY00000{number}",
        "imei": f"35275309876543{number}",
        "iccid": f"890141039876543210{number}",
        "mobile_secret": f"CANARYSECRET{number:03}",
        "owner": None if number < IN_PRODUCT else USERNAME,
        "position": {"longitude": 8.523456, "latitude": 47.423456},
    }
    for number in range(6)
]
CLAIMED = DEVICES[IN_PRODUCT]["id"]
CANARIES = (
    WORD,
    *(device[name] for device in DEVICES for name in ("id", "imei", "iccid")),
    "8.523456",
    "47.423456",
    "CA9A",
)
"""Texts that no report may contain, in any case."""

_TIMEOUT = 120.0


@contextmanager
def running_probed_cloud(folder: Path, *flags: str) -> Iterator[Simulator]:
    """Run a simulator that has things of every kind until the end of the block.

    :param folder: a folder for the files that the simulator reads.
    :param flags: more command line options of the simulator.
    """
    fleet, accounts = folder / "fleet.json", folder / "accounts.json"
    fleet.write_text(json.dumps(DEVICES))
    accounts.write_text(json.dumps([{"username": USERNAME, "password": PASSWORD}]))
    with running_simulator("--fleet", str(fleet), "--accounts", str(accounts), *flags) as simulator:
        _fill(simulator, flags)
        yield simulator


def log_in(simulator: Simulator) -> str:
    """Return a new access token of the account."""
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    pair = ("particle", "particle")
    response = requests.post(f"{simulator.url}/oauth/token", data=form, auth=pair, timeout=_TIMEOUT)
    return str(response.json()["access_token"])


def _fill(simulator: Simulator, flags: tuple[str, ...]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {log_in(simulator)}"
        user_id = session.get(f"{simulator.url}/v1/user/identify", timeout=_TIMEOUT).json()["id"]
        for method, path, body in _list_writes(flags, user_id):
            response = session.request(method, f"{simulator.url}{path}", json=body, timeout=_TIMEOUT)
            assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        simulator.add_firmware(7, 8)
        simulator.advance(120)
        session.delete(f"{simulator.url}/v1/access_tokens/current", timeout=_TIMEOUT)


def _list_writes(flags: tuple[str, ...], user_id: str) -> Iterator[tuple[str, str, Any]]:
    member = DEVICES[0]["id"]
    yield "POST", f"{PRODUCT}/devices", {"ids": [device["id"] for device in DEVICES[:IN_PRODUCT]]}
    yield "PUT", f"{PRODUCT}/devices/{member}", {"groups": ["canary_group"], "notes": "canary_note"}
    yield "POST", f"{PRODUCT}/groups", {"name": "canary_north", "description": "canary_text"}
    yield "POST", f"{PRODUCT}/team", {"friendly_name": "canary_robot", "scopes": ["devices:list"]}
    yield "POST", f"{PRODUCT}/customers", {"email": "canary_customer@canary.example", "password": "x"}
    yield "PUT", f"{PRODUCT}/config", {"location": {"radius_canary": 5}}
    yield "PUT", f"{PRODUCT}/config/{member}", {"location": {"radius": 6}}
    yield "POST", f"/v1/diagnostics/{member}/update", None
    hook = {
        **{"integration_type": "Webhook", "event": "canary_event", "url": "https://canary.example/in"},
        **{"name": "canary_hook", "headers": {"X-Canary": "v"}, "json": {"canary_key": "{{x}}"}},
    }
    org = f"/v1/orgs/{ORG}"
    for base in ("/v1", PRODUCT, *([org] if "--org" in flags else [])):
        yield "POST", f"{base}/integrations", hook
        yield "PUT", f"{base}/env/CANARY_ENV", {"value": "canary_value"}
    yield "PUT", f"/v1/env/{member}/CANARY_ON_DEVICE", {"value": "canary_value"}
    for base in ("/v1", PRODUCT):
        yield "POST", f"{base}/clients", {"name": "canary_client", "type": "installed"}
    for base, scope, value in (
        ("/v1", "Owner", user_id),
        *([(org, "Product", PRODUCT_ID)] if "--org" in flags else []),
    ):
        yield "POST", f"{base}/secrets", {"name": "CANARY_SECRET", "value": "canary_value"}
        for name in ("canary-ledger", "canary-ledger-2"):
            yield "POST", f"{base}/ledgers", {"ledger": {"name": name, "scope": scope, "description": "canary_text"}}
            for version in range(2):
                data = {"canary_data": {"canary_below": version}}
                yield "PUT", f"{base}/ledgers/{name}/instances/{value}", {"instance": {"data": data}}
    if "--mesh" in flags:
        yield "POST", "/v1/networks", {"name": "canary_net", "device_id": CLAIMED}
