# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Events and event streams, apart from HTTP (endpoints.yml: sse_wire_format)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.model import Account, Device, Product, format_time

FROM_API = "api"
"""The `coreid` of an event that no device sent. Inferred from the default sender in the test of an integration."""
DEFAULT_TTL = 60
MAX_WAITING_EVENTS = 10_000
"""Maximum number of events that wait for a slow reader of a stream. Older ones are dropped, as on a real connection."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event. Its device, product and account decide which streams carry it."""

    name: str
    data: str
    published_at: float
    ttl: int = DEFAULT_TTL
    private: bool = True
    device: Device | None = None
    product: Product | None = None
    account: Account | None = None

    def encode(self, *, for_product: bool) -> bytes:
        """Encode the event for a stream; streams of a product carry more fields about the sender."""
        content: dict[str, Any] = {
            "data": self.data,
            "ttl": self.ttl,
            "published_at": format_time(self.published_at),
            "coreid": self.device.id if self.device else FROM_API,
        }
        if for_product and self.product is not None:
            content["productID"] = self.product.id
            owner = self.device.owner if self.device else self.account
            if owner is not None:
                content["userid"] = owner.user_id
            if self.device is not None and self.device.firmware_version is not None:
                content["version"] = self.device.firmware_version
        # A line break in a name would end the line of the stream.
        name = self.name.replace("\r", " ").replace("\n", " ")
        return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(content))


class Stream:
    """An open stream: its filter, and the events that wait to be written."""

    __slots__ = ("_waiting", "accepts", "closed", "for_product", "prefix", "wake")

    def __init__(self, prefix: str, accepts: Callable[[Event], bool], *, for_product: bool = False) -> None:
        self.prefix = prefix
        self.accepts = accepts
        self.for_product = for_product
        self.closed = False
        self.wake: Callable[[], None] | None = None
        """Called when an event waits, or when the stream is closed."""
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_EVENTS)

    def push(self, chunk: bytes) -> None:
        """Add an encoded event."""
        self._waiting.append(chunk)
        if self.wake:
            self.wake()

    def take(self) -> bytes:
        """Remove and return all waiting events."""
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        return chunk

    def close(self) -> None:
        """End the stream once the waiting events are written."""
        self.closed = True
        if self.wake:
            self.wake()


class Events:
    """All open streams of the cloud."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()

    def add_stream(self, stream: Stream) -> None:
        """Start sending events to a stream."""
        self._streams.add(stream)

    def remove_stream(self, stream: Stream) -> None:
        """Stop sending events to a stream."""
        self._streams.discard(stream)

    def publish(self, event: Event) -> None:
        """Send an event to every stream that accepts it; it is encoded once for all streams of a kind."""
        chunks: dict[bool, bytes] = {}
        for stream in self._streams:
            if not event.name.startswith(stream.prefix) or not stream.accepts(event):
                continue
            chunk = chunks.get(stream.for_product)
            if chunk is None:
                chunk = chunks[stream.for_product] = event.encode(for_product=stream.for_product)
            stream.push(chunk)

    def close(self) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()
