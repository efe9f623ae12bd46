# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the response to a documented GET request with the facts. Private to this collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import Content, Read, find_values
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Difference, Shapes, name_type

_MEDIA_TYPES = {Content.JSON: "application/json", Content.EVENTS: "text/event-stream"}
"""The documented media types (endpoints.yml: response_format, events_all)."""

_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}\Z")

_LIMIT_HEADER = re.compile(r"(?:retry-after|(?:x-)?rate-?limit(?:-[a-z]{1,20}){0,2})\Z")

_ERROR_FIELDS = frozenset(
    "ok error error_description mfa_token info errors code description message violations output stdout".split()
)
"""The fields of all documented error bodies (errors-and-limits.md, section 1, E1 to E13)."""

_FIRST_ERROR = 300

STATUS = "status"
"""The place of the deviation of a status."""

NO_ACCESS = ("missing_scope", "forbidden")
"""The error codes of a cloud that does not allow a request to this account."""


@dataclass
class Answer:
    """The last response to a request.

    :param status: the HTTP status; ``None`` without a response.
    :param headers: the headers, with names that ignore the case.
    :param body: the bytes of the body.
    :param data: the parsed body of a response; ``None`` if it is empty or not JSON.
    :param code: the error code of a failed request; ``None`` if the request succeeded.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    data: Any = field(default=None, repr=False)
    code: str | None = None

    def observe(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep a response. Further responses to the same request replace it."""
        self.status, self.headers, self.body = status, headers, body

    def is_success(self, read: Read) -> bool:
        """Return whether the response has a status that the facts give for success."""
        return self.status in read.statuses

    def is_accepted(self, read: Read) -> bool:
        """Return whether the request was refused in a documented way, or because the account has no access."""
        return self.status in read.accepts or self.code in NO_ACCESS

    def list_limit_headers(self) -> set[str]:
        """Return the names of the headers about rate limits."""
        return {name.lower() for name in self.headers if _LIMIT_HEADER.match(name.lower())}


def parse_error_body(body: bytes) -> Any:
    """Return the JSON of an error response, or ``None`` if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def compare_answer(answer: Answer, read: Read, shapes: Shapes) -> Iterator[Difference]:
    """Yield the deviations of a response. An error response is compared with all documented error bodies."""
    if not answer.is_success(read) and not answer.is_accepted(read):
        documented = " or ".join(map(str, (*read.statuses, *read.accepts)))
        yield Difference(STATUS, documented, str(answer.status))
    if answer.status is None or answer.status >= _FIRST_ERROR:
        yield from _compare_error_body(answer.data)
        return
    if not answer.body and read.empty:
        return
    yield from _compare_media_type(answer, read)
    if read.content is not Content.JSON:
        return
    if answer.code is not None:
        yield Difference("body", "complete JSON without an error", answer.code.replace("_", " "))
        return
    yield from shapes.compare(answer.data, read.body)
    yield from _compare_lengths(answer.data, read)


def _compare_error_body(data: Any) -> Iterator[Difference]:
    if not isinstance(data, dict):
        return
    for name in data.keys() - _ERROR_FIELDS:
        yield Difference("error_body", "no field", name_type(data[name]), field=name)


def _compare_media_type(answer: Answer, read: Read) -> Iterator[Difference]:
    documented = _MEDIA_TYPES.get(read.content)
    found = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if documented is not None and found != documented:
        shown = found if _MEDIA_TYPE.match(found) else "another one" if found else "no header"
        yield Difference("header Content-Type", documented, shown)


def _compare_lengths(data: Any, read: Read) -> Iterator[Difference]:
    for place, most in (*read.most.items(), *read.rows.items()):
        for items in find_values(data, place):
            if most is not None and isinstance(items, list) and len(items) > most:
                yield Difference(place, f"at most {most} elements", f"{len(items)} elements")
