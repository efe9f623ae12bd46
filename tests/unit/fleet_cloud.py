# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Provide clients, scripted answers and manifests for the tests of the fleet engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import (
    CONFIRMATIONS,
    CONFIRMED_BY_TRUE,
    Bounds,
    RunState,
    WriteState,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator

PRODUCT = "field-logger"
OURS = Product("31337", PRODUCT, 13, None)
BASE = "/v1/products/31337"
DEVICES = f"{BASE}/devices"
GROUPS = f"{BASE}/groups"
INSTANCES = "/v1/ledgers/mesh/instances"
REPORTS = "/v1/ledgers/mesh-status/instances"
ROLLOUT = "/v1/ledgers/rollouts/instances/31337"

EXPIRED = {"error": "invalid_token", "error_description": "The access token provided has expired."}
LEDGER_ROWS = (
    {"name": "mesh", "scope": "Device", "direction": "Downstream"},
    {"name": "mesh-status", "scope": "Device", "direction": "Upstream"},
)


def target_of(http: Http, product: Product | None) -> Target:
    """Build a target for a client and a product; its warnings are ignored."""
    return Target(http, product, lambda warning: None)


def device_id(number: int) -> str:
    """Build a device id that ends in a number."""
    return f"e00fce68{number:016x}"


def grouped(device: str, *groups: str) -> DevicePlan:
    """Build a plan that adds a device to groups."""
    return DevicePlan(device, {"groups": ([], sorted(groups))}, add_groups=frozenset(groups))


def read_imported(request: Request) -> list[str]:
    """Return the devices in the file of an import request."""
    return [] if request.file is None else request.file.content.decode().split()


class RecordingHttp(Http):
    """A client that records the requests it sends."""

    def __init__(self, connection: Connection, **arguments: Any) -> None:
        super().__init__(connection, **arguments)
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return super().send(request)

    @property
    def writes(self) -> list[str]:
        """The routes of all requests that may change the fleet, in order."""
        return [request.route for request in self.sent if request.is_write]

    @property
    def imported(self) -> list[list[str]]:
        """The devices of each import request, in order."""
        return [read_imported(request) for request in self.sent if request.route == "POST /v1/products/:p/devices"]


class Killed(BaseException):
    """The end of the process, in place of a request or of its response."""


class MortalHttp(RecordingHttp):
    """A client whose process ends after a number of requests.

    :ivar left: how many requests are left.
    :ivar is_sent: whether the last request still reaches the cloud.
    """

    left = 10**9
    is_sent = False

    def send(self, request: Request) -> Response:
        self.left -= 1
        if self.left < 0:
            raise Killed
        if self.left == 0:
            if self.is_sent:
                super().send(request)
            raise Killed
        return super().send(request)


@contextmanager
def client(url: str, *, workers: int = 16, timeout: float = 10) -> Iterator[RecordingHttp]:
    """Open a client that is not logged in and never sleeps."""
    http = RecordingHttp(Connection(url, timeout=timeout), workers=workers, clock=Clock(sleep=lambda seconds: None))
    try:
        yield http
    finally:
        http.close()


@contextmanager
def user(simulator: Simulator, *, workers: int = 16, timeout: float = 10) -> Iterator[RecordingHttp]:
    """Open a client that is logged in as the simulator's user, with an empty record of requests."""
    with client(simulator.url, workers=workers, timeout=timeout) as http:
        http.use_token(log_in(http))
        http.sent.clear()
        yield http


def log_in(http: Http) -> str:
    """Log in as the simulator's user and return the access token."""
    return PasswordLogin(USERNAME, PASSWORD).obtain_grant(http, {"expires_in": "3600"}, {}).access_token


def run(
    http: Http,
    data: Mapping[str, Any],
    *,
    check_mode: bool = False,
    verify: str = "read",
    warnings: list[str] | None = None,
    absent: bool = False,
    mesh: Mesh | None = None,
    confirm: bool | Sequence[str] = False,
    **bounds: Any,
) -> dict[str, Any]:
    """Run a manifest as the module does, and return the result. `bounds` are more parameters of `Bounds`."""
    confirmed = read_confirm(confirm, CONFIRMATIONS, CONFIRMED_BY_TRUE)
    return reconcile(
        http,
        read_manifest(data, absent=absent),
        RunSettings(
            check_mode, Verification(verify, 60, sleep=lambda seconds: None), Bounds(confirmed=confirmed, **bounds)
        ),
        Callbacks((warnings if warnings is not None else []).append),
        mesh,
    )


def done(state: RunState) -> set[str]:
    """Return the devices whose writes are all done."""
    return state.find_devices(WriteState.DONE)


def statuses(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of each device in a result, by its id."""
    return {device["id"]: device["status"] for device in result["devices"]}


def errors(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the error code of each device that has an error, by its id."""
    return {device["id"]: device["error"]["code"] for device in result["devices"] if device["error"]}


def ids_of(simulator: Simulator, count: int | None = None) -> list[str]:
    """List the ids of the simulator's devices, or only the first `count`."""
    return [str(device["id"]) for device in simulator.state()["devices"]][:count]


def named(ids: Sequence[str], **more: Any) -> dict[str, Any]:
    """Build a manifest that names each device; `more` is declared of every device."""
    return {
        "product": PRODUCT,
        "devices": [{"id": device, "name": f"unit-{index}", **more} for index, device in enumerate(ids)],
    }


def barn(ids: Sequence[str], **parameters: Any) -> dict[str, Any]:
    """Build a manifest with one network, whose gateway is the first device."""
    data = named(ids)
    data["networks"] = {"barn": {"parameters": parameters}}
    for index, device in enumerate(data["devices"]):
        device["mesh"] = {"network": "barn", "role": "node" if index else "gateway"}
    return data


def script(
    cloud: ScriptedCloud,
    devices: Sequence[Mapping[str, Any]] = (),
    *,
    groups: Sequence[str] = (),
    ledgers: Sequence[Mapping[str, Any]] = LEDGER_ROWS,
    instances: Sequence[Mapping[str, Any]] = (),
) -> ScriptedCloud:
    """Script the answers to all reads of one product; they may be repeated."""
    cloud.answer("GET", f"/v1/products/{PRODUCT}", json={"product": {"id": 31337, "slug": PRODUCT}}, repeat=True)
    cloud.answer("GET", DEVICES, json={"devices": list(devices), "meta": {"total_pages": 1}}, repeat=True)
    cloud.answer("GET", f"{BASE}/firmware", json=[{"version": version} for version in (41, 42)], repeat=True)
    cloud.answer("GET", ROLLOUT, 404, json={"ok": False, "error": "Ledger instance not found."}, repeat=True)
    cloud.answer("GET", GROUPS, json={"groups": [{"name": name} for name in groups]}, repeat=True)
    cloud.answer("GET", "/v1/ledgers", json={"ledgers": list(ledgers)}, repeat=True)
    return cloud.answer("GET", INSTANCES, json={"instances": list(instances)}, repeat=True)


def row(device: str, **more: Any) -> dict[str, Any]:
    """Build a device as the list of a product shows it."""
    return {"id": device, "name": None, "notes": None, "groups": [], **more}


def instance(device: str, data: Mapping[str, Any] | None, ledger: str = "mesh") -> dict[str, Any]:
    """Build a ledger instance as a list shows it, without data if `data` is `None`."""
    shown = {"name": ledger, "scope": {"type": "Device", "value": device}}
    return shown if data is None else {**shown, "data": dict(data)}
