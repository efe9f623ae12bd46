# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the vitals of a device and the metrics of a product's fleet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import orjson

from particle_simulator.errors import Refusal, bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Product, format_time
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Route
from particle_simulator.vitals import RETENTION_SECONDS, list_records, report_vitals
from particle_simulator.world import World

GROUP = "diagnostics_and_fleet_health"
DEFAULT_BUCKET_SECONDS = 900
MIN_BUCKET_SECONDS = 16
MAX_BUCKETS = 3000
DEFAULT_PERIOD_SECONDS = 86_400.0
"""The period in seconds that metrics cover if the request has no start date. Inferred, not documented."""


def _find_device(world: World, call: Call) -> Device:
    """Find the device in the request path. Account paths and product paths are accepted."""
    call.path["id"] = call.path["deviceId"]
    if "p" in call.path:
        return find_product_device(world, call)[1]
    return find_visible_device(world, call.account, call.path["id"])


def _date_error(description: str) -> Refusal:
    """Build the error for an invalid date: status 400 and error body E10 (errors-and-limits.md, section 1)."""
    return Refusal(400, {"error": "bad_request", "description": description})


def _read_date(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _date_error("start_date and end_date must be ISO8601 formatted") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# ---------------------------------------------------------------------- vitals


def refresh_vitals(world: World, call: Call) -> Reply:
    """Ask a device to report its vitals (endpoints.yml: vitals_refresh).

    The response does not depend on whether the device is online.
    """
    report_vitals(world, _find_device(world, call))
    return json_reply({"ok": True}, 202)


def get_last_vitals(world: World, call: Call) -> Reply:
    """Respond with the latest record of a device's vitals (endpoints.yml: vitals_last).

    The body of the 404 response is inferred, not documented.
    """
    records = list_records(world, _find_device(world, call))
    if not records:
        raise plain_error(404, "No diagnostics found for this device")
    return json_reply({"diagnostics": records[-1][1]})


def get_vitals_history(world: World, call: Call) -> Reply:
    """List the records of a device's vitals, as JSON or CSV (endpoints.yml: vitals_history).

    `start_date` is included, `end_date` is excluded. Both query parameters are optional.
    """
    device = _find_device(world, call)
    start, end = _read_date(call, "start_date"), _read_date(call, "end_date")
    if start is not None and start < world.now() - RETENTION_SECONDS:
        # The cloud's own message repeats the word "than".
        raise _date_error("start_date must not be more than than 30 days ago")
    rows = [
        row
        for moment, row in list_records(world, device)
        if (start is None or moment >= start) and (end is None or moment < end)
    ]
    if "text/csv" in call.headers.get("Accept", ""):
        return _build_csv_reply(rows)
    return json_reply({"diagnostics": rows})


def _build_csv_reply(rows: list[dict[str, Any]]) -> Reply:
    """Build a CSV response from records of vitals. The columns are inferred, not documented."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["updated_at", "deviceID", "payload"])
    for row in rows:
        writer.writerow([row["updated_at"], row["deviceID"], orjson.dumps(row["payload"]).decode()])
    return Reply(200, text.getvalue().encode(), {}, "text/csv")


# ---------------------------------------------------------------------- metrics


def _count_online_devices(product: Product, call: Call) -> int:
    """Count the online devices of a product that match the query filters for group, firmware and Device OS."""
    group, version, system = (call.query.get(name) for name in ("device_group", "product_fw", "device_os_version"))
    return sum(
        1
        for device in product.devices.values()
        if device.online
        and group in (None, "", *device.groups)
        and version in (None, "", str(device.firmware_version))
        and system in (None, "", device.system_firmware_version)
    )


def _list_bucket_times(world: World, call: Call) -> list[str | None]:
    """List the start times of the buckets (time intervals) in the requested period.

    If the bucket size is 15 seconds or less, respond with status 400.
    """
    size = call.read_number("bucket_size", default=DEFAULT_BUCKET_SECONDS)
    if size < MIN_BUCKET_SECONDS:
        raise bad_request("bucket_size must be greater than 15")
    end = _read_date(call, "end_date") or world.now()
    start = _read_date(call, "start_date") or end - DEFAULT_PERIOD_SECONDS
    first = int(start // size * size)
    return [format_time(moment) for moment in range(first, int(end), size)[:MAX_BUCKETS]]


def get_online_metrics(world: World, call: Call) -> Reply:
    """Respond with the number of online devices over time (endpoints.yml: fleet_metrics).

    The simulator stores no history. Therefore the response has the current number for every time interval.
    """
    product = find_product(world, call)
    count = _count_online_devices(product, call)
    return json_reply({"online": [{"time": time, "count": count} for time in _list_bucket_times(world, call)]})


def _reply_with_zeros(world: World, call: Call, key: str, *names: str) -> Reply:
    """Respond with zeros for a metric that the simulator does not count.

    The response has one entry for each time interval. The cloud can omit intervals without data.
    """
    find_product(world, call)
    return json_reply({key: [{"time": time, **dict.fromkeys(names, 0)} for time in _list_bucket_times(world, call)]})


def get_event_metrics(world: World, call: Call) -> Reply:
    """Respond with the event metrics of a product, always 0 (endpoints.yml: fleet_metrics)."""
    return _reply_with_zeros(world, call, "events", "received")


def get_integration_metrics(world: World, call: Call) -> Reply:
    """Respond with the integration metrics of a product, always 0 (endpoints.yml: fleet_metrics).

    The path says `integration`, but the key in the response is `integrations`.
    """
    return _reply_with_zeros(world, call, "integrations", "success", "failure", "sleep")


def get_function_metrics(world: World, call: Call) -> Reply:
    """Respond with the metrics of function calls, always 0 (endpoints.yml: fleet_metrics)."""
    return _reply_with_zeros(world, call, "functions", "success", "failure", "offline")


def get_variable_metrics(world: World, call: Call) -> Reply:
    """Respond with the metrics of variable reads, always 0 (endpoints.yml: fleet_metrics)."""
    return _reply_with_zeros(world, call, "variables", "success", "failure", "offline")


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:deviceId"
    get = "devices.diagnostics:get"
    return [
        # A refresh does not count as a write, because a refresh changes no setting of a device.
        Route(GROUP, "vitals_refresh", "POST", f"{one}/update", refresh_vitals, scope="devices.diagnostics:update"),
        Route(GROUP, "vitals_last", "GET", f"{one}/last", get_last_vitals, scope=get),
        Route(GROUP, "vitals_history", "GET", one, get_vitals_history, scope=get),
    ]


METRICS = "/v1/products/:p/metrics"

ROUTES = [
    *_build_routes("/v1/diagnostics"),
    *_build_routes("/v1/products/:p/diagnostics"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/online", get_online_metrics, scope="metrics.online:get"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/events", get_event_metrics, scope="metrics.events:get"),
    Route(
        GROUP,
        "fleet_metrics",
        "GET",
        f"{METRICS}/integration",
        get_integration_metrics,
        scope="metrics.integrations:get",
    ),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/functions", get_function_metrics, scope="metrics.functions:get"),
    Route(GROUP, "fleet_metrics", "GET", f"{METRICS}/variables", get_variable_metrics, scope="metrics.variables:get"),
]
