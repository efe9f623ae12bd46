# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Device vitals and the metrics of a fleet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson

from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Product, iso
from particle_simulator.routes.devices import visible_device
from particle_simulator.routes.products import asked_product, asked_product_device
from particle_simulator.routing import Route
from particle_simulator.vitals import KEPT_SECONDS, records, refresh
from particle_simulator.world import World

GROUP = "diagnostics_and_fleet_health"
DEFAULT_BUCKET = 900
SMALLEST_BUCKET = 16
MOST_BUCKETS = 3000
DEFAULT_SPAN = 86_400.0
"""What metrics cover when no dates are given. Inferred."""


def _device(world: World, call: Call) -> Device:
    call.path["id"] = call.path["deviceId"]
    if "p" in call.path:
        return asked_product_device(world, call)[1]
    return visible_device(world, call.account, call.path["id"])


def _bad_dates(description: str) -> Refusal:
    """E10: the key is `description`."""
    return Refusal(400, {"error": "bad_request", "description": description})


def _date(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _bad_dates("start_date and end_date must be ISO8601 formatted") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# ---------------------------------------------------------------------- vitals


def refresh_vitals(world: World, call: Call) -> Reply:
    """vitals_refresh: the answer says nothing about whether the device is there."""
    refresh(world, _device(world, call))
    return json_reply({"ok": True}, 202)


def last_vitals(world: World, call: Call) -> Reply:
    """vitals_last. The body of its 404 is inferred."""
    known = records(world, _device(world, call))
    if not known:
        raise plain_error(404, "No diagnostics found for this device")
    return json_reply({"diagnostics": known[-1][1]})


def vitals_history(world: World, call: Call) -> Reply:
    """vitals_history: from `start_date` on and before `end_date`, as JSON or as CSV."""
    device = _device(world, call)
    start, end = _date(call, "start_date"), _date(call, "end_date")
    if start is not None and start < world.now() - KEPT_SECONDS:
        # The doubled word is the cloud's own.
        raise _bad_dates("start_date must not be more than than 30 days ago")
    chosen = [
        row
        for moment, row in records(world, device)
        if (start is None or moment >= start) and (end is None or moment < end)
    ]
    if "text/csv" in call.headers.get("Accept", ""):
        return _csv(chosen)
    return json_reply({"diagnostics": chosen})


def _csv(rows: list[dict[str, Any]]) -> Reply:
    """The same as a table. Which columns the cloud writes is not documented."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["updated_at", "deviceID", "payload"])
    for row in rows:
        writer.writerow([row["updated_at"], row["deviceID"], orjson.dumps(row["payload"]).decode()])
    return Reply(200, text.getvalue().encode(), {}, "text/csv")


# ---------------------------------------------------------------------- metrics


def _counted(product: Product, call: Call) -> int:
    """How many devices the online metric counts, with its filters."""
    group, version, system = (call.query.get(name) for name in ("device_group", "product_fw", "device_os_version"))
    return sum(
        1
        for device in product.devices.values()
        if device.online
        and group in (None, "", *device.groups)
        and version in (None, "", str(device.firmware_version))
        and system in (None, "", device.system_firmware_version)
    )


def _times(world: World, call: Call) -> list[str | None]:
    """The starts of the buckets. A bucket must be longer than 15 seconds."""
    size = call.number("bucket_size", default=DEFAULT_BUCKET)
    if size < SMALLEST_BUCKET:
        raise bad_request("bucket_size must be greater than 15")
    end = _date(call, "end_date") or world.now()
    start = _date(call, "start_date") or end - DEFAULT_SPAN
    first = int(start // size * size)
    return [iso(moment) for moment in range(first, int(end), size)[:MOST_BUCKETS]]


def online_metrics(world: World, call: Call) -> Reply:
    """fleet_metrics, online. The virtual fleet has always been as it is now."""
    product = asked_product(world, call)
    count = _counted(product, call)
    return json_reply({"online": [{"time": time, "count": count} for time in _times(world, call)]})


def _quiet(world: World, call: Call, key: str, *names: str) -> Reply:
    """fleet_metrics of what is not counted here: zeros. The cloud may leave them out."""
    asked_product(world, call)
    return json_reply({key: [{"time": time, **dict.fromkeys(names, 0)} for time in _times(world, call)]})


def event_metrics(world: World, call: Call) -> Reply:
    """fleet_metrics, events."""
    return _quiet(world, call, "events", "received")


def integration_metrics(world: World, call: Call) -> Reply:
    """fleet_metrics, integrations: the path has the singular, the answer the plural."""
    return _quiet(world, call, "integrations", "success", "failure", "sleep")


def function_metrics(world: World, call: Call) -> Reply:
    """fleet_metrics, functions."""
    return _quiet(world, call, "functions", "success", "failure", "offline")


def variable_metrics(world: World, call: Call) -> Reply:
    """fleet_metrics, variables."""
    return _quiet(world, call, "variables", "success", "failure", "offline")


def _rows(base: str) -> list[Route]:
    one = f"{base}/:deviceId"
    get = "devices.diagnostics:get"
    return [
        # A refresh asks a device and changes nothing, like a ping.
        Route(GROUP, "vitals_refresh", "POST", f"{one}/update", refresh_vitals, scope="devices.diagnostics:update"),
        Route(GROUP, "vitals_last", "GET", f"{one}/last", last_vitals, scope=get),
        Route(GROUP, "vitals_history", "GET", one, vitals_history, scope=get),
    ]


METRICS = "/v1/products/:p/metrics"

ROUTES = [
    *_rows("/v1/diagnostics"),
    *_rows("/v1/products/:p/diagnostics"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/online", online_metrics, scope="metrics.online:get"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/events", event_metrics, scope="metrics.events:get"),
    Route(
        GROUP, "fleet_metrics", "GET", f"{METRICS}/integration", integration_metrics, scope="metrics.integrations:get"
    ),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/functions", function_metrics, scope="metrics.functions:get"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/variables", variable_metrics, scope="metrics.variables:get"),
]
