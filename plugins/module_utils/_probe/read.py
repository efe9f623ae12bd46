# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define a documented GET request, and find values for its path in earlier responses. Private to this collection."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import ROWS
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import ANY_KEY

_PLACEHOLDER = re.compile(r":([a-z_]+)")
_MAX_VALUE_LENGTH = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


class Content(enum.StrEnum):
    """The part of a response that is read."""

    JSON = "json"
    """The whole body, which is JSON."""
    EVENTS = "events"
    """Only status and headers, because the body is a stream of events and never ends."""
    HEAD = "head"
    """Only status and headers, because the body is a file."""


@dataclass(frozen=True)
class Read:
    """A documented GET request, as docs/facts/README.md explains it.

    :param endpoint: the id of the entry in docs/facts/endpoints.yml.
    :param confidence: how far the sources of the entry can be trusted.
    :param path: the path template. Each placeholder is a kind of value, such as ``:product``.
    :param body: the shape of the body.
    :param statuses: the statuses of a successful response.
    :param accepts: other statuses that the facts give.
    :param query: the parameters of the query string. A value such as ``:firmware`` is a kind of value.
    :param values: fixed values for placeholders.
    :param gives: where the response contains a value for other requests, keyed by the kind of the value.
    :param pages: the names of the parameter for the number of rows in a page.
    :param rows: where the response contains the rows of a page, and how many there are by default at most.
    :param most: where the response contains a list of limited length, and its maximum.
    :param content: what is read of the response.
    :param empty: whether the body may be empty.
    """

    endpoint: str
    confidence: str
    path: str
    body: Any = "any"
    statuses: tuple[int, ...] = (200,)
    accepts: tuple[int, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    gives: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[str, ...] = ()
    rows: Mapping[str, int | None] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    content: Content = Content.JSON
    empty: bool = False

    @property
    def route(self) -> str:
        """Return the method and the path template."""
        return f"GET {self.path}"

    def list_kinds(self) -> list[str]:
        """Return the kinds of values that the request needs."""
        places = [self.path, *self.query.values()]
        return [kind for place in places for kind in _PLACEHOLDER.findall(place) if kind not in self.values]


READS: Sequence[Read] = tuple(Read(**{**row, "content": Content(row.get("content", "json"))}) for row in ROWS)
"""The documented GET requests, in the order in which they are sent."""


def find_value(data: Any, place: str) -> str | None:
    """Return the first text or number at a place in a response that a request can contain, as a text.

    :param place: such as ``devices[].id``, or ``variables.*`` for the first key of an object.
    """
    for value in find_values(data, place):
        if isinstance(value, (str, int)) and not isinstance(value, bool) and _can_be_sent(str(value)):
            return str(value)
    return None


def _can_be_sent(value: str) -> bool:
    """Return whether a value can be a part of a path. Half of a surrogate pair cannot be encoded."""
    return value not in ("", ".", "..") and len(value) <= _MAX_VALUE_LENGTH and _SURROGATE.search(value) is None


def find_values(data: Any, place: str) -> Iterator[Any]:
    """Yield the values at a place in a response."""
    name, _dot, rest = place.partition(".")
    step = name.removesuffix("[]")
    if step == ANY_KEY:
        yield from data if isinstance(data, dict) else ()
        return
    below = data
    if step:
        below = data.get(step) if isinstance(data, dict) else None
    items = below if name.endswith("[]") else [below]
    for item in items if isinstance(items, list) else []:
        if rest:
            yield from find_values(item, rest)
        else:
            yield item
