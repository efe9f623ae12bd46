# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Requests and responses in the form that route handlers use, and the parsing of request bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, MultipartReader, web

from particle_simulator.digits import parse_number
from particle_simulator.errors import Refusal, bad_request
from particle_simulator.events import Stream
from particle_simulator.model import Account, Token
from simulator_base.messages import Reply as BaseReply

FORM = "application/x-www-form-urlencoded"
SCHEMA = "application/schema+json"
"""The content type of a request body that is a JSON Schema."""


@dataclass(slots=True)
class Call:
    """A request: the parameters of the path, the query, headers, body fields, uploaded files and the access token."""

    method: str
    path: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    content_type: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    filenames: dict[str, str] = field(default_factory=dict)
    """The names of the uploaded files, keyed by form field."""
    file_types: dict[str, str] = field(default_factory=dict)
    """The content types of the uploaded files, keyed by form field."""
    document: Any = None
    """The JSON value in the request body, if the body is a JSON Schema. The value can have any type."""
    bearer: Token | None = None
    address: str = ""
    fault: str | None = None
    """The effect of the fault that damages, loses or delays the response, or None."""

    @property
    def token(self) -> Token:
        """The access token of the request. Raises `RuntimeError` on a route that requires no access token."""
        if self.bearer is None:
            raise RuntimeError("this route does not require an access token")
        return self.bearer

    @property
    def account(self) -> Account:
        """The account to which the access token belongs."""
        return self.token.account

    @property
    def sandbox(self) -> Account:
        """The account whose sandbox the request uses.

        This is the account of the access token, unless `acts_for` of this account is set to another account.
        """
        return self.account.acts_for or self.account

    def read_number(self, *names: str, default: int) -> int:
        """Return the value of the first query parameter in `names` that is a positive number, or the default."""
        for name in names:
            number = parse_number(self.query.get(name))
            if number:
                return number
        return default


@dataclass(slots=True)
class Reply(BaseReply):
    """An HTTP response, or an event stream."""

    stream: Stream | None = None
    """The event stream to send instead of a body, or None."""


def json_reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Build a response with a JSON body."""
    return Reply(status, orjson.dumps(content), headers or {})


def no_content() -> Reply:
    """Build a response with status 204 and without a body."""
    return Reply(204, b"", {}, None)


def not_found_text() -> Reply:
    """Build the response for an unknown route, in plain text (errors-and-limits.md, section 1, E14)."""
    return Reply(404, b"Not Found", {}, "text/plain")


def refusal_reply(refusal: Refusal) -> Reply:
    """Build the response for a `Refusal`."""
    return json_reply(refusal.content, refusal.status, dict(refusal.headers))


def parse_query(text: str) -> dict[str, str]:
    """Parse a query string. If several values have the same name, the last value wins."""
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _parse_form(text: str) -> dict[str, Any]:
    """Parse a form body. `key[]=a&key[]=b` becomes the list `[a, b]` under `key`."""
    fields: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if key.endswith("[]"):
            fields.setdefault(key[:-2], []).append(value)
        else:
            fields[key] = value
    return fields


def _parse_json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # This error body is not documented.
        raise bad_request("The request body is not valid JSON") from error


def _parse_json_object(raw: bytes) -> dict[str, Any]:
    content = _parse_json(raw)
    if not isinstance(content, dict):
        raise bad_request("The request body must be a JSON object")
    return content


async def read_body(request: web.BaseRequest, call: Call) -> None:
    """Read the body of a request into the fields and files of a `Call`. Every route accepts both JSON and forms."""
    call.content_type = request.content_type
    if request.content_type == "multipart/form-data":
        # Do not use `request.multipart()`: its size limit is too low for a file that lists a whole fleet.
        async for part in MultipartReader(request.headers, request.content):
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            raw = bytes(await part.read())
            if part.filename is None:
                call.fields[part.name] = raw.decode("utf-8", "replace")
            else:
                call.files[part.name] = raw
                call.filenames[part.name] = part.filename
                call.file_types[part.name] = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return
    raw = await request.content.read()
    if not raw:
        return
    if request.content_type == FORM:
        call.fields = _parse_form(raw.decode("utf-8", "replace"))
    elif request.content_type == "application/json":
        call.fields = _parse_json_object(raw)
    elif request.content_type == SCHEMA:
        call.document = _parse_json(raw)
