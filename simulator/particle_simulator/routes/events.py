# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that open event streams and publish events."""

from __future__ import annotations

from typing import Any

from particle_simulator.errors import bad_request, permission_denied, plain_error
from particle_simulator.events import DEFAULT_TTL, Event, Stream
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Product
from particle_simulator.permissions import can_see
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.owners import find_organization
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "events"
MAX_NAME_LENGTH = 64


def _build_stream_reply(stream: Stream) -> Reply:
    return Reply(content_type=None, stream=stream)


def _read_prefix(call: Call) -> str:
    return call.path.get("prefix", "")


# ---------------------------------------------------------------------- streams


def require_prefix(world: World, call: Call) -> Reply:
    """Refuse a stream of all events, because the request has no prefix filter (endpoints.yml: events_all).

    Particle has required the prefix filter since 2018.
    """
    raise plain_error(400, "event prefix filter is required")


def stream_all(world: World, call: Call) -> Reply:
    """Stream all public events (endpoints.yml: events_all).

    Also stream the private events of the caller, and the private events of devices that the caller can see.
    """
    account = call.account

    def accepts(event: Event) -> bool:
        if not event.private or event.account is account:
            return True
        return event.device is not None and can_see(account, event.device)

    return _build_stream_reply(Stream(_read_prefix(call), accepts))


def stream_mine(world: World, call: Call) -> Reply:
    """Stream the events of the caller's own devices (endpoints.yml: events_mine).

    Also stream the events that the caller publishes for the account, not for a product.
    """
    account = call.account

    def accepts(event: Event) -> bool:
        # An event that was published for a product, but for no device, is not part of this stream.
        return event.device.owner is account if event.device else event.account is account and event.product is None

    return _build_stream_reply(Stream(_read_prefix(call), accepts))


def _build_device_stream(device: Device, call: Call, *, for_product: bool = False) -> Reply:
    return _build_stream_reply(
        Stream(_read_prefix(call), lambda event: event.device is device, for_product=for_product)
    )


def stream_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the account route (endpoints.yml: events_device)."""
    return _build_device_stream(find_visible_device(world, call.account, call.path["id"]), call)


def stream_product_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the product route (endpoints.yml: events_device)."""
    _unused, device = find_product_device(world, call)
    return _build_device_stream(device, call, for_product=True)


def stream_org_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the organisation route (endpoints.yml: events_device)."""
    org = find_organization(world, call)
    device = world.devices.by_id.get(call.path["id"].lower())
    if device is None or device.product is None or device.product.org is not org:
        raise permission_denied()
    return _build_device_stream(device, call, for_product=True)


def stream_product(world: World, call: Call) -> Reply:
    """Stream the events of one product (endpoints.yml: events_product)."""
    product = find_product(world, call)
    return _build_stream_reply(Stream(_read_prefix(call), lambda event: event.product is product, for_product=True))


def stream_org(world: World, call: Call) -> Reply:
    """Stream the events of all products of an organisation (endpoints.yml: events_product)."""
    org = find_organization(world, call)

    def accepts(event: Event) -> bool:
        return event.product is not None and event.product.org is org

    return _build_stream_reply(Stream(_read_prefix(call), accepts, for_product=True))


# ---------------------------------------------------------------------- publishing


def _read_ttl(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise bad_request("ttl must be a number of seconds")


def _publish_event(world: World, call: Call, product: Product | None, device: Device | None) -> Reply:
    """Publish an event.

    If the name is missing or too long, respond with status 400. That error response is inferred, not documented.
    """
    name, data = call.fields.get("name"), call.fields.get("data", "")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise bad_request(f"name must be a string of 1 to {MAX_NAME_LENGTH} characters")
    if not isinstance(data, str):
        raise bad_request("data must be a string")
    # Without the field `private` an event is public. This was the default when Particle introduced the field.
    private = call.fields.get("private", False) in (True, "true", "1")
    ttl = _read_ttl(call.fields.get("ttl", DEFAULT_TTL))
    world.events.publish(Event(name, data, world.now(), ttl, private, device, product, call.sandbox))
    return json_reply({"ok": True})


def publish_event(world: World, call: Call) -> Reply:
    """Publish an event for the caller's account (endpoints.yml: publish)."""
    return _publish_event(world, call, None, None)


def publish_product_event(world: World, call: Call) -> Reply:
    """Publish an event for a product, or for one device of the product (endpoints.yml: publish_product)."""
    product = find_product(world, call)
    device = None
    if call.fields.get("as_device_id"):
        device = product.devices.get(str(call.fields["as_device_id"]).lower())
        if device is None:
            raise permission_denied()
    return _publish_event(world, call, product, device)


ALL = "/v1/events"
MINE = "/v1/devices/events"
DEVICE = "/v1/devices/:id/events"
PRODUCT = "/v1/products/:p/events"
PRODUCT_DEVICE = "/v1/products/:p/devices/:id/events"
ORG = "/v1/orgs/:org/events"
ORG_DEVICE = "/v1/orgs/:org/devices/:id/events"
READ = "events:get"

ROUTES = [
    Route(GROUP, "events_all", "GET", ALL, require_prefix),
    Route(GROUP, "events_all", "GET", f"{ALL}/:prefix", stream_all),
    Route(GROUP, "events_mine", "GET", MINE, stream_mine),
    Route(GROUP, "events_mine", "GET", f"{MINE}/:prefix", stream_mine),
    Route(GROUP, "events_device", "GET", DEVICE, stream_device),
    Route(GROUP, "events_device", "GET", f"{DEVICE}/:prefix", stream_device),
    Route(GROUP, "events_device", "GET", PRODUCT_DEVICE, stream_product_device),
    Route(GROUP, "events_device", "GET", f"{PRODUCT_DEVICE}/:prefix", stream_product_device),
    Route(GROUP, "events_device", "GET", ORG_DEVICE, stream_org_device),
    Route(GROUP, "events_device", "GET", f"{ORG_DEVICE}/:prefix", stream_org_device),
    Route(GROUP, "events_product", "GET", PRODUCT, stream_product, scope=READ),
    Route(GROUP, "events_product", "GET", f"{PRODUCT}/:prefix", stream_product, scope=READ),
    Route(GROUP, "events_product", "GET", ORG, stream_org, scope=READ),
    Route(GROUP, "events_product", "GET", f"{ORG}/:prefix", stream_org, scope=READ),
    Route(GROUP, "publish", "POST", MINE, publish_event, kind=Kind.WRITE),
    Route(GROUP, "publish_product", "POST", PRODUCT, publish_product_event, kind=Kind.WRITE, scope="events:send"),
]
