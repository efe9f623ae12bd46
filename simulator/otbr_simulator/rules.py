# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The rules for headers and bodies that surprise clients (otbr-rest.md, section 1.1)."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from urllib.parse import unquote

from otbr_simulator.errors import Refusal

JSON_API = "application/vnd.api+json"
JSON = "application/json"
TEXT = "text/plain"
ACCEPTED = (JSON_API, JSON, "*/*")
ALLOWED = frozenset(string.ascii_letters + string.digits + '\n _,.;?-+()[]{}=/*":%')
MAX_HEADERS = 31
MAX_QUERY_PARAMETERS = 15
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")


def check_characters(path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> None:
    """Raise a `Refusal` with status 400 if a part of the request contains a forbidden character."""
    if len(headers) > MAX_HEADERS or len(query) > MAX_QUERY_PARAMETERS:
        raise Refusal(400)
    texts = [path, *query.values(), *headers.values(), body.decode("latin-1")]
    if not all(_is_allowed(text) for text in texts):
        raise Refusal(400)


def _is_allowed(text: str) -> bool:
    if not ALLOWED.issuperset(text):
        return False
    # A percent sign must begin the escape of an allowed character.
    escapes = _ESCAPE.findall(text)
    return len(escapes) == text.count("%") and all(unquote(escape, "latin-1") in ALLOWED for escape in escapes)


def choose_json_form(headers: Mapping[str, str]) -> str:
    """Return the content type that the header `Accept` selects.

    :raises Refusal: with status 406 if the header is missing, is a list, or names another type.
    """
    accept = headers.get("Accept", "")
    if accept not in ACCEPTED:
        raise Refusal(406)
    return JSON if accept == JSON else JSON_API


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise a `Refusal` unless the content type of new tasks is right: 406 if it is missing, 415 for another one."""
    content_type = headers.get("Content-Type")
    if content_type is None:
        raise Refusal(406)
    if content_type != JSON_API:
        raise Refusal(415)
