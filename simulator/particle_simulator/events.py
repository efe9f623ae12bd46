# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Events and the streams that carry them, apart from HTTP (endpoints.yml: sse_wire_format)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.model import Account, Device, Product, format_time

FROM_API = "api"
"""The `coreid` of what no device sent. Inferred from the default sender of an integration's test."""
DEFAULT_TTL = 60
MAX_WAITING_EVENTS = 10_000
"""Events kept for a stream whose reader is slow; older ones are lost, as on a real connection."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One event: who may see it follows from the device, the product and the account."""

    name: str
    data: str
    published_at: float
    ttl: int = DEFAULT_TTL
    private: bool = True
    device: Device | None = None
    product: Product | None = None
    account: Account | None = None

    def encode(self, *, for_product: bool) -> bytes:
        """The event on the wire; product streams tell more about the sender."""
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
    """One open stream: what it lets through and what waits to be written."""

    __slots__ = ("_waiting", "accepts", "closed", "for_product", "prefix", "wake")

    def __init__(self, prefix: str, accepts: Callable[[Event], bool], *, for_product: bool = False) -> None:
        self.prefix = prefix
        self.accepts = accepts
        self.for_product = for_product
        self.closed = False
        self.wake: Callable[[], None] | None = None
        """Called when there is something to write, or when the stream is over."""
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_EVENTS)

    def push(self, chunk: bytes) -> None:
        """Adds an event."""
        self._waiting.append(chunk)
        if self.wake:
            self.wake()

    def take(self) -> bytes:
        """Everything that waits."""
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        return chunk

    def close(self) -> None:
        """Ends the stream after what waits is written."""
        self.closed = True
        if self.wake:
            self.wake()


class Events:
    """All open streams of the cloud."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()

    def add_stream(self, stream: Stream) -> None:
        """From now on the stream gets events."""
        self._streams.add(stream)

    def remove_stream(self, stream: Stream) -> None:
        """The stream gets no more."""
        self._streams.discard(stream)

    def publish(self, event: Event) -> None:
        """Hands an event to every stream that wants it; it is encoded once for all of them."""
        chunks: dict[bool, bytes] = {}
        for stream in self._streams:
            if not event.name.startswith(stream.prefix) or not stream.accepts(event):
                continue
            chunk = chunks.get(stream.for_product)
            if chunk is None:
                chunk = chunks[stream.for_product] = event.encode(for_product=stream.for_product)
            stream.push(chunk)

    def close(self) -> None:
        """Ends all streams: the world is over."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()
