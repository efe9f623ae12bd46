# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Requests and responses of the REST API (otbr-rest.md, section 1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from otbr_simulator.border_router import BorderRouter
from otbr_simulator.errors import Refusal
from otbr_simulator.world import World
from simulator_base.messages import Reply

ON_EVERY_RESPONSE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, POST, PUT",
    "Keep-Alive": "timeout=5, max=100",
}


@dataclass(slots=True)
class Call:
    """A request to one border router. `values` contains the parameters of the path."""

    world: World
    router: BorderRouter
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    values: dict[str, str] = field(default_factory=dict)


def empty_reply(status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Build a response without a body and without a content type."""
    return Reply(status, b"", headers or {}, None)


def refusal_reply(refusal: Refusal, headers: dict[str, str] | None = None) -> Reply:
    """Build the response to a refused request: a JSON object, indented with tabs. Its detail is nearly always empty."""
    phrase = HTTPStatus(refusal.status).phrase
    content = {"title": phrase, "status": refusal.status, "detail": refusal.detail}
    return Reply(refusal.status, json.dumps(content, indent="\t").encode(), headers or {})
