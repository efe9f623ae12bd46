# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Events and event streams, without the HTTP part (endpoints.yml: sse_wire_format)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.model import Account, Device, Organization, Product, Token, format_time
from particle_simulator.stream_faults import Delivery, StreamFaults

FROM_API = "api"
"""The `coreid` of an event that no device has sent. Inferred: the cloud uses this value in its own events."""
DEFAULT_TTL = 60
MAX_WAITING_EVENTS = 10_000
"""The maximum number of events that wait in a stream for a slow client.

If more events arrive, the oldest events are dropped. A slow client can lose events in the real cloud, too.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event. Its name, its publisher and the fields `private` and `product_only` decide which streams send it."""

    name: str
    data: str | None
    published_at: float
    ttl: int = DEFAULT_TTL
    private: bool = True
    device: Device | None = None
    product: Product | None = None
    account: Account | None = None
    version: int | None = None
    """The version of the product firmware. None means the version that the device reported at its last handshake."""
    org: Organization | None = None
    """The organization for which the event was published. None for an event of a product or an account."""
    product_only: bool = False
    """Whether a client published the event for a product. Such an event is not part of the stream of an account."""

    def is_in_product(self, product: Product) -> bool:
        """Return whether the streams of a product send the event.

        They do not send the events of a quarantined or denied device (firmware-and-events.md, section 4.6).
        """
        return self.product is product and not (self.device and (self.device.quarantined or self.device.denied))

    def is_in_org(self, org: Organization) -> bool:
        """Return whether the streams of an organization send the event."""
        if self.product is None:
            return self.org is org
        return self.product.org is org and self.is_in_product(self.product)

    def encode(self, *, for_product: bool) -> bytes:
        """Encode the event for a stream.

        With `for_product`, add the fields that only the streams of products and organizations carry
        (firmware-and-events.md, section 4).
        """
        content: dict[str, Any] = {
            "data": self.data,
            "ttl": self.ttl,
            "published_at": format_time(self.published_at),
            "coreid": self.device.id if self.device else FROM_API,
        }
        if for_product:
            content |= self._describe_origin()
        # A line break in the name would end the `event:` line too early.
        name = self.name.replace("\r", " ").replace("\n", " ")
        return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(content))

    def _describe_origin(self) -> dict[str, Any]:
        """Return the fields `userid`, `version`, `public` and `productID`.

        An event that no device has sent has the version 0. An event for an organization has no `productID` (inferred).
        """
        owner = self.device.owner if self.device else self.account
        reported = self.device.firmware_version if self.device else None
        origin: dict[str, Any] = {
            "userid": owner.user_id if owner else "",
            "version": (reported or 0) if self.version is None else self.version,
            # Recorded product streams carry false for every event.
            "public": False,
        }
        if self.product is not None:
            origin["productID"] = self.product.id
        return origin


class Stream:
    """An open event stream: a filter for events, the events that wait to be sent, and the faults of the stream."""

    __slots__ = ("_end_actions", "_waiting", "accepts", "closed", "delivery", "for_product", "prefix", "token", "wake")

    def __init__(
        self, token: Token, prefix: str, accepts: Callable[[Event], bool], *, for_product: bool = False
    ) -> None:
        self.token = token
        self.prefix = prefix
        self.accepts = accepts
        self.for_product = for_product
        self.closed = False
        self.delivery = Delivery()
        self.wake: Callable[[], None] | None = None
        """A function that is called when an event is added, and when the stream is closed."""
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_EVENTS)
        self._end_actions: list[Callable[[], object]] = []

    def push(self, chunk: bytes) -> None:
        """Add an encoded event to the waiting events, unless a fault of the stream loses or holds the event."""
        self._add_waiting(self.delivery.deliver(chunk))

    def _add_waiting(self, chunks: list[bytes]) -> None:
        self._waiting.extend(chunks)
        if chunks and self.wake:
            self.wake()

    def take(self) -> bytes:
        """Remove all waiting events, and return the encoded events as one byte string."""
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        return chunk

    def apply_faults(self, faults: StreamFaults) -> None:
        """Set faults on the stream."""
        self._add_waiting(self.delivery.set_faults(faults))
        if faults.cut:
            self.close()

    def at_end(self, action: Callable[[], object]) -> None:
        """Register a function that is called once, when the stream ends."""
        self._end_actions.append(action)

    def close(self) -> None:
        """End the stream, for whatever reason. The server sends the events that are still waiting or held."""
        if self.closed:
            return
        self.closed = True
        self._add_waiting(self.delivery.release())
        for action in self._end_actions:
            action()
        if self.wake:
            self.wake()


class Events:
    """All open streams of the cloud."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()

    @property
    def open_streams(self) -> tuple[Stream, ...]:
        """All streams that are open at present."""
        return tuple(self._streams)

    @property
    def has_streams(self) -> bool:
        """Whether a stream is open. Otherwise no event needs to be built."""
        return bool(self._streams)

    def add_stream(self, stream: Stream) -> None:
        """Send events to a stream until the stream ends."""
        self._streams.add(stream)
        stream.at_end(lambda: self._streams.discard(stream))

    def publish(self, event: Event) -> None:
        """Send an event to every stream that accepts the event."""
        chunks: dict[bool, bytes] = {}
        for stream in self._streams:
            if not event.name.startswith(stream.prefix) or not stream.accepts(event):
                continue
            chunk = chunks.get(stream.for_product)
            if chunk is None:
                chunk = chunks[stream.for_product] = event.encode(for_product=stream.for_product)
            stream.push(chunk)

    def end_streams_of(self, token: Token) -> None:
        """End the streams that were opened with an access token."""
        for stream in self.open_streams:
            if stream.token is token:
                stream.close()

    def close(self) -> None:
        """End all streams."""
        for stream in self.open_streams:
            stream.close()
