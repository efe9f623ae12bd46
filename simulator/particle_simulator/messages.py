# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A request as handlers see it, the answer they give, and how a body becomes fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, MultipartReader, web

from particle_simulator.errors import Refusal, bad_request
from particle_simulator.events import Stream
from particle_simulator.model import Account, Token

FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Call:
    """One request: path values by the names of the template, query, body fields, uploads and who asks."""

    method: str
    path: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    content_type: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    filenames: dict[str, str] = field(default_factory=dict)
    """What the files are called where they come from, by field like the files."""
    bearer: Token | None = None
    address: str = ""

    @property
    def token(self) -> Token:
        """The token of the request; only routes behind the bearer check may ask."""
        if self.bearer is None:
            raise RuntimeError("this route has no bearer check")
        return self.bearer

    @property
    def account(self) -> Account:
        """Whose token it is."""
        return self.token.account

    @property
    def sandbox(self) -> Account:
        """Whose ledgers and other account-wide things the request means."""
        return self.account.acts_for or self.account

    def read_number(self, *names: str, default: int) -> int:
        """A positive number of the query under the first of its spellings, or the default for nonsense."""
        for name in names:
            text = self.query.get(name, "")
            if text.isascii() and text.isdigit() and int(text) > 0:
                return int(text)
        return default


@dataclass(slots=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = "application/json"
    stream: Stream | None = None
    """An event stream that follows the headers instead of a body."""


def json_reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, orjson.dumps(content), headers or {})


def no_content() -> Reply:
    """A 204, which has no body."""
    return Reply(204, b"", {}, None)


def not_found_text() -> Reply:
    """Answer in plain text, as clouds do for an unknown route (errors-and-limits.md, section 1, E14)."""
    return Reply(404, b"Not Found", {}, "text/plain")


def refusal_reply(refusal: Refusal) -> Reply:
    """The answer that a refusal stands for."""
    return json_reply(refusal.content, refusal.status, dict(refusal.headers))


def parse_query(text: str) -> dict[str, str]:
    """Query parameters; the last of equal names wins."""
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _parse_form(text: str) -> dict[str, Any]:
    """A form body; `key[]=a&key[]=b` makes a list."""
    fields: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if key.endswith("[]"):
            fields.setdefault(key[:-2], []).append(value)
        else:
            fields[key] = value
    return fields


def _parse_json(raw: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # The facts have no body for this; the envelope of the newer routes is used.
        raise bad_request("The request body is not valid JSON") from error
    if not isinstance(content, dict):
        raise bad_request("The request body must be a JSON object")
    return content


async def read_body(request: web.BaseRequest, call: Call) -> None:
    """Fills in the fields and files of a call. JSON and forms are interchangeable on almost every route."""
    call.content_type = request.content_type
    if request.content_type == "multipart/form-data":
        # Not `request.multipart()`, which has a limit made for browsers: a file may name a whole fleet.
        async for part in MultipartReader(request.headers, request.content):
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            raw = bytes(await part.read())
            if part.filename is None:
                call.fields[part.name] = raw.decode("utf-8", "replace")
            else:
                call.files[part.name] = raw
                call.filenames[part.name] = part.filename
        return
    raw = await request.content.read()
    if not raw:
        return
    if request.content_type == FORM:
        call.fields = _parse_form(raw.decode("utf-8", "replace"))
    elif request.content_type == "application/json":
        call.fields = _parse_json(raw)
