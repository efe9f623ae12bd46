# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Events and event streams, without the HTTP part (endpoints.yml: sse_wire_format)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.model import Account, Device, Product, format_time

FROM_API = "api"
"""The `coreid` of an event that no device has sent. Inferred: the cloud uses this value in its own events."""
DEFAULT_TTL = 60
MAX_WAITING_EVENTS = 10_000
"""The maximum number of events that wait in a stream for a slow client.

If more events arrive, the oldest events are dropped. A slow client can lose events in the real cloud, too.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event. The fields `device`, `product`, `account` and `private` decide which streams send the event."""

    name: str
    data: str
    published_at: float
    ttl: int = DEFAULT_TTL
    private: bool = True
    device: Device | None = None
    product: Product | None = None
    account: Account | None = None
    version: int | None = None
    """The version of the product firmware. None means the version that the device reported at its last handshake."""

    def encode(self, *, for_product: bool) -> bytes:
        """Encode the event for a stream.

        With `for_product`, add the fields that only the streams of products and organisations carry
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

        An event that no device has sent has the version 0. An event for an organisation has no `productID` (inferred).
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
    """An open event stream: a filter for events, and the events that wait to be sent."""

    __slots__ = ("_waiting", "accepts", "closed", "for_product", "prefix", "wake")

    def __init__(self, prefix: str, accepts: Callable[[Event], bool], *, for_product: bool = False) -> None:
        self.prefix = prefix
        self.accepts = accepts
        self.for_product = for_product
        self.closed = False
        self.wake: Callable[[], None] | None = None
        """A function that is called when an event is added, and when the stream is closed."""
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_EVENTS)

    def push(self, chunk: bytes) -> None:
        """Add an encoded event to the waiting events."""
        self._waiting.append(chunk)
        if self.wake:
            self.wake()

    def take(self) -> bytes:
        """Remove all waiting events, and return the encoded events as one byte string."""
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        return chunk

    def close(self) -> None:
        """Mark the stream as closed, and call `wake`. The server then ends the stream."""
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
        """Send an event to every stream that accepts the event."""
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
