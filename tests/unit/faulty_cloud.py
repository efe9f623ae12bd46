# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Faults of a cloud for tests of whole runs, and checks of the result that hold for all failures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

from fleet_cloud import EXPIRED, RecordingHttp, run

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.plays import read_counts

IMPORT = "POST /v1/products/:p/devices"
CLAIM = "POST /v1/devices"
READS = (
    "GET /v1/devices",
    "GET /v1/products/:p",
    "GET /v1/products/:p/devices",
    "GET /v1/products/:p/groups",
    "GET /v1/ledgers",
    "GET /v1/ledgers/:name/instances",
    "GET /v1/user",
    "GET /v1/serial_numbers/:serial",
)
CREATIONS = (IMPORT, "POST /v1/products/:p/groups", "POST /v1/ledgers")
CHANGES = (
    "PUT /v1/products/:p/devices",
    "PUT /v1/products/:p/devices/:id",
    "PUT /v1/ledgers/:name/instances/:scopeValue",
)
REMOVALS = (
    "DELETE /v1/ledgers/:name/instances/:scopeValue",
    "DELETE /v1/products/:p/devices/:id/owner",
    "DELETE /v1/products/:p/devices/:id",
)
ACCOUNT_WRITES = (CLAIM, "PUT /v1/devices/:idOrName", "DELETE /v1/devices/:id")

EFFECTS = ("reset_before", "reset_after", "silence", "truncated", "empty", "html", "delay", "status")
SHAPES = tuple(f"E{number}" for number in range(1, 15))
STATUSES = (400, 401, 403, 404, 408, 409, 412, 413, 422, 429, 500, 502, 503, 504, 529)
BODIES = (None, {"ok": False, "error": "No."}, EXPIRED)
PAGES = (200, 404, 502)
"""HTTP statuses of web pages: from a captive portal, from a server that is not a cloud, from a gateway."""
RETRY_AFTER_VALUES = (None, "1", "86400")
"""Values of the header Retry-After; ``None`` leaves it out."""


def fault(route: str, effect: str, *, retry_after: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an entry of a fault schedule of the simulator.

    :param retry_after: value of the header Retry-After of the response.
    """
    headers = {} if retry_after is None else {"headers": {"Retry-After": retry_after}}
    return {"route": route, "effect": effect, **headers, **more}


def run_unless_refused(http: RecordingHttp, manifest: Mapping[str, Any], **options: Any) -> dict[str, Any] | None:
    """Return the result of a run, or `None` if the run failed before it had a result. `options` as for `run`."""
    try:
        return run(http, manifest, **options)
    except ParticleError:
        return None


def assert_outcomes_complete(result: Mapping[str, Any] | None, identifiers: Sequence[str], *, changed: bool) -> None:
    """Check that every device has one outcome. Only a run that changed nothing may end without outcomes.

    :param identifiers: the devices as the manifest names them, in its order.
    :param changed: whether the state of the cloud changed.
    """
    if result is None:
        assert not changed
        return
    assert [device["identifier"] for device in result["devices"]] == list(identifiers)
    counted = dict.fromkeys(("ok", "changed", "failed", "pending"), 0)
    for device in result["devices"]:
        counted[device["status"]] += 1
        assert device["error"] is not None or device["status"] != "failed"
        assert device["error"] is None or device["error"]["code"] in HINTS
    assert read_counts(result) == {"total": len(identifiers), **counted}
    if counted["failed"] or any(is_unprocessed(device) for device in result["devices"]):
        assert result["failed"]
        assert result["error"]["code"] in HINTS
    if changed and not has_uncertain_writes(result):
        assert result["changed"]


def is_unprocessed(device: Mapping[str, Any]) -> bool:
    """Return whether the run ended before it processed a device. A device that only waits has an error as well."""
    return device["status"] == "pending" and device["error"] is None


def has_uncertain_writes(result: Mapping[str, Any]) -> bool:
    """Return whether the result reports a write of which it is not known whether it took effect."""
    return ended_early(result) or any(
        device["error"] and device["error"]["code"] == "ambiguous_write" for device in result["devices"]
    )


def ended_early(result: Mapping[str, Any]) -> bool:
    """Return whether the run ended before it verified its writes."""
    return "The run ended early" in result.get("msg", "")


def assert_done_as_declared(result: Mapping[str, Any], now: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    """Check that each device reported as done is as declared, whether or not other devices failed.

    A run that ended early is not checked. While not all devices are done, the gateways in the ledger instances are
    not compared. `now` and `declared` are states as in `support.declared`.
    """
    if ended_early(result):
        return
    done = [device["id"] for device in result["devices"] if device["status"] in ("ok", "changed") and device["id"]]
    ignored_keys = {"gateways"} if len(done) < len(result["devices"]) else set[str]()
    for device in done:
        assert now["devices"].get(device) == declared["devices"].get(device)
        assert read_instance(now, device, ignored_keys) == read_instance(declared, device, ignored_keys)


def read_instance(state: Mapping[str, Any], device: str, ignored_keys: Set[str]) -> dict[str, Any]:
    """Return the instance of a device in the mesh ledger, without some of its keys."""
    orders = state["ledgers"].get("mesh", {"data": {}})["data"].get(device) or {}
    return {key: value for key, value in orders.items() if key not in ignored_keys}


def assert_finished(result: Mapping[str, Any], failing: Collection[str]) -> None:
    """Assert that exactly the devices in `failing` have failed and all others are done, or are about to leave."""
    statuses = {device["identifier"]: device["status"] for device in result["devices"]}
    assert {key for key, status in statuses.items() if status == "failed"} == failing, result.get("msg")
    pending = [device["error"]["message"] for device in result["devices"] if device["status"] == "pending"]
    assert all(message.endswith("has not reported that it has left.") for message in pending)
