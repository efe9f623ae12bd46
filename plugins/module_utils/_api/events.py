# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish events (endpoints.yml: publish, publish_product). Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

MAX_NAME_BYTES = 64
"""The maximum size of the name of an event in bytes (firmware-and-events.md, section 6)."""


@dataclass(frozen=True)
class NewEvent:
    """An event to publish.

    :param data: the data, if any; always a text.
    :param ttl: the lifetime in seconds; ``None`` for the default of the cloud.
    :param private: whether only the account can receive the event; ``None`` for the default of the cloud.
    """

    name: str
    data: str | None = field(default=None, repr=False)
    ttl: int | None = None
    private: bool | None = None

    def check(self) -> None:
        """Check the name.

        :raises ParticleError: ``invalid_option`` when the name is empty, too long or has several lines.
        """
        size = len(self.name.encode(errors="surrogatepass"))
        is_one_line = "\n" not in self.name and "\r" not in self.name
        if is_one_line and 1 <= size <= MAX_NAME_BYTES:
            return
        message = f"name must be one line of 1 to {MAX_NAME_BYTES} bytes, got {size} bytes."
        raise ParticleError("invalid_option", message, hint="Correct the name of the event.")


def publish(http: Http, product: str | None, event: NewEvent) -> None:
    """Publish an event once. It is not sent again if the response is lost.

    :param product: the id or slug of the product; ``None`` to publish for the account.
    :raises ParticleError: ``ambiguous_write`` when it is not known whether the event was published.
    """
    fields = {"name": event.name, "data": event.data, "ttl": event.ttl, "private": event.private}
    body = {name: value for name, value in fields.items() if value is not None}
    route = "POST /v1/devices/events" if product is None else "POST /v1/products/:p/events"
    path_params = {} if product is None else {"p": product}
    masked = (event.data,) if event.data else ()
    try:
        http.send(Request(route, f"publish event {event.name}", path_params, json=body, masked=masked))
    except ParticleError as error:
        if error.code == "ambiguous_write":
            error.hint = "Look for the event before you run again: another run publishes the event a second time."
        raise
