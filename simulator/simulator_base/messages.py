# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The response to a request, in the form that handlers and scheduled faults use."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson


@dataclass(slots=True)
class Reply:
    """An HTTP response. Without a content type, the response has no such header."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = "application/json"


def json_reply(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Build a response with a JSON body."""
    return Reply(status, orjson.dumps(content), headers or {})
