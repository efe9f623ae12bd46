# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the proofs under faults share: the faults there are, and what must be told of a run whatever strikes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
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
"""Statuses that web pages come with: of a captive portal, of a server that is no cloud, of a gateway."""
PATIENCE_ASKED = (None, "1", "86400")
"""What stands in Retry-After."""


def fault(route: str, effect: str, *, asked: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of a schedule. `asked` is what the answer says in Retry-After."""
    headers = {} if asked is None else {"headers": {"Retry-After": asked}}
    return {"route": route, "effect": effect, **headers, **more}


def through(http: RecordingHttp, manifest: Mapping[str, Any], **options: Any) -> dict[str, Any] | None:
    """The result of a run, `None` when it ended in words before it had one. `options` as for `run`."""
    try:
        return run(http, manifest, **options)
    except ParticleError:
        return None


def assert_told(result: Mapping[str, Any] | None, called: Sequence[str], *, changed: bool) -> None:
    """Every device has its outcome, once; only a run that has changed nothing may end without them.

    :param called: what the manifest calls its devices.
    :param changed: whether the cloud is another than before.
    """
    if result is None:
        assert not changed
        return
    assert [device["identifier"] for device in result["devices"]] == list(called)
    counted = dict.fromkeys(("ok", "changed", "failed", "pending"), 0)
    for device in result["devices"]:
        counted[device["status"]] += 1
        assert device["error"] is not None or device["status"] != "failed"
        assert device["error"] is None or device["error"]["code"] in HINTS
    assert read_counts(result) == {"total": len(called), **counted}
    if counted["failed"] or any(is_unreached(device) for device in result["devices"]):
        assert result["failed"]
        assert result["error"]["code"] in HINTS
    if changed and not in_doubt(result):
        assert result["changed"]


def is_unreached(device: Mapping[str, Any]) -> bool:
    """Whether the run ended before it came to a device; one that waits for its time says so, and is no failure."""
    return device["status"] == "pending" and device["error"] is None


def in_doubt(result: Mapping[str, Any]) -> bool:
    """Whether the run says that it does not know what became of all its writes."""
    return stopped(result) or any(
        device["error"] and device["error"]["code"] == "ambiguous_write" for device in result["devices"]
    )


def stopped(result: Mapping[str, Any]) -> bool:
    """Whether the run gave up before it had looked at what it did."""
    return "The run ended early" in result.get("msg", "")


def assert_done(result: Mapping[str, Any], now: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    """Who is told to be done is as declared, whatever became of the others; a run that gave up claims less.

    What members are told of gateways that have not come in is left open. `now` and `declared` as in
    `support.declared`.
    """
    if stopped(result):
        return
    done = [device["id"] for device in result["devices"] if device["status"] in ("ok", "changed") and device["id"]]
    open_keys = {"gateways"} if len(done) < len(result["devices"]) else set[str]()
    for device in done:
        assert now["devices"].get(device) == declared["devices"].get(device)
        assert orders_of(now, device, open_keys) == orders_of(declared, device, open_keys)


def orders_of(state: Mapping[str, Any], device: str, open_keys: Set[str]) -> dict[str, Any]:
    """A device's instance of the mesh ledger, without some of its keys."""
    orders = state["ledgers"].get("mesh", {"data": {}})["data"].get(device) or {}
    return {key: value for key, value in orders.items() if key not in open_keys}
