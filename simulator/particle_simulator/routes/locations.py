# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the locations of the devices of a product.

The error responses are inferred, not documented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.locations import Track, build_location_row, find_track
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Product
from particle_simulator.positions import Position
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Route
from particle_simulator.world import World

GROUP = "configuration_and_location"
SCOPE = "locations:get"
PAGE_SIZE = 20
MAX_PAGE_SIZE = 100


# ---------------------------------------------------------------------- reading the query


def _read_pair(call: Call, name: str) -> tuple[str, str] | None:
    """Return the two values of a query parameter, which are separated by a comma, or None."""
    text = call.query.get(name)
    if not text:
        return None
    first, comma, second = text.partition(",")
    if not comma:
        raise bad_request(f"{name} must be two values with a comma between them")
    return first.strip(), second.strip()


def _read_date_range(call: Call) -> tuple[float, float] | None:
    pair = _read_pair(call, "date_range")
    if pair is None:
        return None
    try:
        start, end = (datetime.fromisoformat(text) for text in pair)
    except ValueError:
        raise bad_request("date_range must be two ISO 8601 times") from None
    moments = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (start, end)]
    return moments[0].timestamp(), moments[1].timestamp()


def _read_corner(call: Call, name: str) -> Position | None:
    """Return the corner of a rectangle. The query gives the latitude first."""
    pair = _read_pair(call, name)
    if pair is None:
        return None
    try:
        return Position(float(pair[1]), float(pair[0]))
    except ValueError:
        raise bad_request(f"{name} must be a latitude and a longitude") from None


def _read_rectangle(call: Call) -> tuple[Position, Position] | None:
    bottom_left, top_right = _read_corner(call, "rect_bl"), _read_corner(call, "rect_tr")
    if bottom_left is None and top_right is None:
        return None
    if bottom_left is None or top_right is None:
        raise bad_request("rect_bl and rect_tr must be set together")
    return bottom_left, top_right


def _contains(rectangle: tuple[Position, Position], position: Position) -> bool:
    low, high = rectangle
    return low.latitude <= position.latitude <= high.latitude and low.longitude <= position.longitude <= high.longitude


def _read_groups(call: Call) -> set[str]:
    """Return the names in the filter `groups`.

    The official client writes an array as `groups[0]=a&groups[1]=b`. A list with commas is accepted too, as on the
    other routes.
    """
    values = [value for name, value in call.query.items() if name.partition("[")[0] == "groups"]
    return {name for value in values for name in value.split(",") if name}


def _list_matching_devices(product: Product, call: Call) -> Iterator[Device]:
    """Yield the devices of a product that match the filters of the query.

    The filters for id and name match the beginning of the value, and ignore case. The filter `groups` selects the
    devices that are in at least one of the groups.
    """
    groups = _read_groups(call)
    device_id, name = (call.query.get(key, "").lower() for key in ("device_id", "device_name"))
    for device in product.devices.values():
        in_groups = not groups or not groups.isdisjoint(device.groups)
        if in_groups and device.id.startswith(device_id) and (device.name or "").lower().startswith(name):
            yield device


# ---------------------------------------------------------------------- the tracks


def _list_tracks(world: World, product: Product, call: Call) -> Iterator[Track]:
    """Yield the tracks of the devices that match the filters of the query and have a position."""
    for device in _list_matching_devices(product, call):
        track = find_track(world, device)
        if track is not None:
            yield track


def _cut_track(track: Track, date_range: tuple[float, float] | None) -> Track:
    """Keep only the last report of a track, or only the reports of a period. Both ends of a period are included."""
    if date_range is None:
        return replace(track, times=track.times[-1:])
    start, end = date_range
    return replace(track, times=tuple(moment for moment in track.times if start <= moment <= end))


# ---------------------------------------------------------------------- the routes


def list_fleet_locations(world: World, call: Call) -> Reply:
    """Respond with the last known location of each device (endpoints.yml: locations_fleet)."""
    tracks = _list_tracks(world, find_product(world, call), call)
    return json_reply({"locations": [build_location_row(_cut_track(track, None)) for track in tracks]})


def list_product_locations(world: World, call: Call) -> Reply:
    """List one page of locations (endpoints.yml: locations_product).

    Without `date_range`, list the last known location of each device.
    """
    product = find_product(world, call)
    date_range, rectangle = _read_date_range(call), _read_rectangle(call)
    found = [
        cut
        for track in _list_tracks(world, product, call)
        if (cut := _cut_track(track, date_range)).times and (rectangle is None or _contains(rectangle, track.position))
    ]
    page = call.read_number("page", default=1)
    size = min(call.read_number("per_page", "perPage", default=PAGE_SIZE), MAX_PAGE_SIZE)
    rows = [
        build_location_row(track) | {"online": track.device.online} for track in found[(page - 1) * size : page * size]
    ]
    pages = max(1, -(-len(found) // size))
    meta = {"page": page, "per_page": size, "total_pages": pages, "devices_found": len(found)}
    return json_reply({"locations": rows, "meta": meta})


def get_device_location(world: World, call: Call) -> Reply:
    """Respond with the location of one device (endpoints.yml: locations_device).

    The official client sends `date_range`, which has the same meaning as in the list of locations. Each report has
    made-up values: heading, accuracy, speed and temperature.
    """
    _unused, device = find_product_device(world, call)
    date_range, track = _read_date_range(call), find_track(world, device)
    track = _cut_track(track, date_range) if track is not None else None
    if track is None or not track.times:
        raise plain_error(404, "No location found for this device")
    row: dict[str, Any] = build_location_row(track) | {"online": device.online}
    row["properties"] = [{"hd": 0, "acc_h": 5, "speed": 0, "temp": 20} for _unused_time in track.times]
    return json_reply({"location": row, "meta": {}})


PRODUCT = "/v1/products/:p"

ROUTES = [
    Route(GROUP, "locations_fleet", "GET", f"{PRODUCT}/fleet_locations", list_fleet_locations, scope=SCOPE),
    Route(GROUP, "locations_product", "GET", f"{PRODUCT}/locations", list_product_locations, scope=SCOPE),
    Route(GROUP, "locations_device", "GET", f"{PRODUCT}/locations/:deviceId", get_device_location, scope=SCOPE),
]
