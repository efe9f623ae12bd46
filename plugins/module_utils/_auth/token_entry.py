# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the entries of a token file. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import MAX_LIFETIME, is_token
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_seconds_until
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import describe_type

LABEL_FIELDS = ("api_url", "account", "client", "purpose")
"""The fields that identify an entry."""


def find_problem(data: Mapping[str, Any]) -> str | None:
    """Return a description of the first fault in the content of a token file, with its place; ``None`` if the content
    is valid.

    The text does not contain values of the file, because the file contains secrets.

    :param data: the content of the token file; empty for a new file.
    """
    if data and "tokens" not in data:
        return "it has no key tokens, so another program may have written it"
    entries = data.get("tokens", [])
    if not isinstance(entries, list):
        return _describe("tokens", "a list", entries)
    return next(filter(None, (_check_entry(entry, f"tokens[{number}]") for number, entry in enumerate(entries))), None)


def _check_entry(entry: Any, place: str) -> str | None:
    if not isinstance(entry, dict):
        return _describe(place, "a mapping", entry)
    for name in LABEL_FIELDS:
        if not isinstance(entry.get(name), str):
            return _describe(f"{place}.{name}", "a string", entry.get(name))
    problem = _check_token_fields(entry, place)
    if problem is not None:
        return problem
    if "next" in entry:
        begun = entry["next"]
        if not isinstance(begun, dict) or "access_token" not in begun:
            return _describe(f"{place}.next", "a mapping with access_token", begun)
        problem = _check_token_fields(begun, f"{place}.next")
        if problem is not None:
            return problem
    previous = entry.get("previous", [])
    if not isinstance(previous, list):
        return _describe(f"{place}.previous", "a list", previous)
    for number, token in enumerate(previous):
        if not is_token(token):
            return _describe(f"{place}.previous[{number}]", "a token without spaces and line breaks", token)
    return None


def _check_token_fields(entry: Mapping[str, Any], place: str) -> str | None:
    """Check the fields that describe a token. A field that is missing is not a problem."""
    for name, (form, is_valid) in _TOKEN_FIELDS.items():
        if name in entry and not is_valid(entry[name]):
            return _describe(f"{place}.{name}", form, entry[name])
    return None


def _is_moment(value: Any) -> bool:
    return value is None or compute_seconds_until(value, 0.0) is not None


def _is_lifetime(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_LIFETIME)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


_TOKEN_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "access_token": ("a token without spaces and line breaks", is_token),
    "refresh_token": ("a token without spaces and line breaks", is_token),
    "token_type": ("a string", _is_text),
    "fingerprint": ("a string", _is_text),
    "expires_in": ("a number of seconds", _is_lifetime),
    "expires_at": ("an ISO 8601 time", _is_moment),
    "obtained_at": ("an ISO 8601 time", _is_moment),
}
"""The form of each field that describes a token, in words and as a condition."""


def _describe(place: str, form: str, value: Any) -> str:
    """Return the sentence that a value does not have the expected form."""
    return f"{place} must be {form}, got {describe_type(value)}"
