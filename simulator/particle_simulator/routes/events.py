# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that open event streams and publish events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from particle_simulator.digits import parse_number
from particle_simulator.errors import bad_request, permission_denied, plain_error
from particle_simulator.events import DEFAULT_TTL, Event, Stream
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Organization, Product
from particle_simulator.permissions import can_see
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.owners import find_organization
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "events"
MAX_NAME_BYTES = 64
MAX_DATA_BYTES = 16_384
"""The maximum size of an event since Device OS 6.3 (firmware-and-events.md, section 6)."""


def _build_stream_reply(call: Call, accepts: Callable[[Event], bool], *, for_product: bool = False) -> Reply:
    """Build the reply with a stream of the events that `accepts` allows and that begin with the prefix in the path."""
    stream = Stream(call.token, call.path.get("prefix", ""), accepts, for_product=for_product)
    return Reply(content_type=None, stream=stream)


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

    return _build_stream_reply(call, accepts)


def stream_mine(world: World, call: Call) -> Reply:
    """Stream the events of the caller's own devices (endpoints.yml: events_mine).

    Also stream the events that the caller publishes for the account. Events for a product or an organization are not
    part of this stream (firmware-and-events.md, section 5).
    """
    account = call.account

    def accepts(event: Event) -> bool:
        if event.product_only:
            return False
        if event.device is not None:
            return event.device.owner is account
        return event.account is account and event.product is None and event.org is None

    return _build_stream_reply(call, accepts)


def stream_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the account route (endpoints.yml: events_device)."""
    device = find_visible_device(world, call.account, call.path["id"])
    return _build_stream_reply(call, lambda event: event.device is device)


def stream_product_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the product route (endpoints.yml: events_device)."""
    product, device = find_product_device(world, call)
    return _build_stream_reply(
        call, lambda event: event.device is device and event.is_in_product(product), for_product=True
    )


def stream_org_device(world: World, call: Call) -> Reply:
    """Stream the events of one device, on the organization route (endpoints.yml: events_device)."""
    org = find_organization(world, call)
    device = world.devices.by_id.get(call.path["id"].lower())
    if device is None or device.product is None or device.product.org is not org:
        raise permission_denied()
    return _build_stream_reply(call, lambda event: event.device is device and event.is_in_org(org), for_product=True)


def stream_product(world: World, call: Call) -> Reply:
    """Stream the events of one product (endpoints.yml: events_product)."""
    product = find_product(world, call)
    return _build_stream_reply(call, lambda event: event.is_in_product(product), for_product=True)


def stream_org(world: World, call: Call) -> Reply:
    """Stream the events of an organization and of all its products (endpoints.yml: events_product)."""
    org = find_organization(world, call)
    return _build_stream_reply(call, lambda event: event.is_in_org(org), for_product=True)


# ---------------------------------------------------------------------- publishing


def _read_ttl(value: Any) -> int:
    seconds = parse_number(value)
    if seconds is None:
        raise bad_request("ttl must be a number of seconds")
    return seconds


def _read_name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= MAX_NAME_BYTES:
        raise bad_request(f"name must be a string of 1 to {MAX_NAME_BYTES} bytes")
    return value


def _read_data(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise bad_request("data must be a string")
    if len(value.encode()) > MAX_DATA_BYTES:
        raise bad_request(f"data must have at most {MAX_DATA_BYTES} bytes")
    return value


def _publish_event(
    world: World,
    call: Call,
    *,
    product: Product | None = None,
    device: Device | None = None,
    org: Organization | None = None,
) -> Reply:
    """Publish an event.

    If the name or the data is invalid, respond with status 400. That error response is inferred, not documented. Also
    inferred: without data, the `data` of the event is null.
    """
    event = Event(
        name=_read_name(call.fields.get("name")),
        data=_read_data(call.fields.get("data")),
        published_at=world.now(),
        ttl=_read_ttl(call.fields.get("ttl", DEFAULT_TTL)),
        # Without the field `private` an event is public. This was the default when Particle introduced the field.
        # Events of an organization do not have the field, and are private (inferred).
        private=org is not None or call.fields.get("private", False) in (True, "true", "1"),
        device=device,
        product=product,
        account=call.sandbox,
        org=org,
        product_only=product is not None,
    )
    world.events.publish(event)
    return json_reply({"ok": True})


def publish_event(world: World, call: Call) -> Reply:
    """Publish an event for the caller's account (endpoints.yml: publish)."""
    return _publish_event(world, call)


def publish_product_event(world: World, call: Call) -> Reply:
    """Publish an event for a product, or for one device of the product (endpoints.yml: publish_product)."""
    product = find_product(world, call)
    device = None
    if call.fields.get("as_device_id"):
        device = product.devices.get(str(call.fields["as_device_id"]).lower())
        if device is None:
            raise permission_denied()
    return _publish_event(world, call, product=product, device=device)


def publish_org_event(world: World, call: Call) -> Reply:
    """Publish an event for an organization (endpoints.yml: publish_org).

    Inferred: only the stream of the organization sends the event, besides the caller's stream of all events.
    """
    return _publish_event(world, call, org=find_organization(world, call))


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
    Route(GROUP, "publish_org", "POST", ORG, publish_org_event, kind=Kind.WRITE),
]
