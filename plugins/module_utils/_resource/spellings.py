# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert the spellings of a setting to one form, so that settings can be compared. Private to this collection."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK

_KEY_IN_PATH = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w.~:=+-]{16,}")
"""A part of the path of a URL that may be a key: a long part with letters and digits."""


def parse_template(value: Any) -> Any:
    """Parse a template as JSON.

    Some templates are JSON only after their variables are filled in. Return such a template as a string, without
    surrounding spaces.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value.strip()


def to_texts(value: Any) -> Any:
    """Convert numbers and booleans in a mapping to strings.

    The cloud sends all values in forms, queries and headers as strings.
    """
    if not isinstance(value, Mapping):
        return value
    return {
        str(name): json.dumps(item) if isinstance(item, (bool, int, float)) else item for name, item in value.items()
    }


def normalize_headers(value: Any) -> Any:
    """Convert header names to lower case, because header names are case-insensitive."""
    texts = to_texts(value)
    return {name.lower(): text for name, text in texts.items()} if isinstance(texts, Mapping) else texts


def normalize_auth(value: Any) -> Any:
    """Replace a missing username or password by a mask. Some clouds omit these values in responses to hide secrets."""
    parts = ("username", "password")
    return {part: value.get(part) or MASK for part in parts} if isinstance(value, Mapping) else value


def _split_url(value: str) -> tuple[urllib.parse.SplitResult, str, str]:
    """Return three values: the parts of a URL, the login including the ``@`` at its end, and the host."""
    parts = urllib.parse.urlsplit(value)
    login, at, host = parts.netloc.rpartition("@")
    return parts, login + at, host


def normalize_url(value: str) -> str:
    """Convert the scheme and host of a URL to lower case, and an empty path to ``/``."""
    try:
        parts, login, host = _split_url(value)
    except ValueError:  # the URL has brackets without an IPv6 address; the cloud will refuse this URL
        return value
    host = host if "{" in host else host.lower()  # a host with a brace has a variable; variables are case-sensitive
    return parts._replace(netloc=login + host, path=parts.path or "/").geturl() if host else value


def show_url(value: str) -> str:
    """Return a URL with masks in place of the login, the values of the query, and parts of the path that may be keys.

    The whole address of some receivers of webhooks is a key, for example that of a chat.
    """
    try:
        parts, login, host = _split_url(value)
    except ValueError:
        return MASK
    names = [name for name, _unused in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)]
    query = "&".join(f"{name}={MASK}" for name in names)
    path = "/".join(MASK if _KEY_IN_PATH.fullmatch(part) else part for part in parts.path.split("/"))
    return parts._replace(netloc=(f"{MASK}@" if login else "") + host, path=path, query=query).geturl()


def to_switch(value: Any) -> Any:
    """Convert the string ``true`` or ``false`` to a boolean; return any other value unchanged.

    The cloud shows a string for a boolean that was set by a form.
    """
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
