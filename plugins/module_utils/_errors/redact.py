# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask secrets in texts. Private to this collection."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "********"


_TOKEN_LIKE = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")


_TOKEN_IN_QUERY = re.compile(r"(access_token=)[^&\s\"']+")


_ENCODING_ERRORS = "surrogatepass"  # the environment may hold bytes that are not UTF-8


def _escape_json(text: str) -> set[str]:
    """Return the two forms of a text in JSON: with and without escapes for characters outside ASCII."""
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _encode_percent(text: str) -> set[str]:
    """Return all percent-encoded forms of a text.

    The forms differ between paths and form bodies, between Python and JavaScript, and in the case of the hexadecimal
    digits.
    """
    forms = {
        quote(text, safe=safe, errors=_ENCODING_ERRORS)
        for quote in (urllib.parse.quote, urllib.parse.quote_plus)
        for safe in ("", "!'()*")
    }
    return forms | {re.sub("%..", lambda found: found[0].lower(), form) for form in forms}


class Redactor:
    """A function that masks known secrets, and everything that looks like an access token, in a text."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    @property
    def secrets(self) -> frozenset[str]:
        """Return all masked secrets in all their encoded forms."""
        return frozenset(self._forms)

    def add_secrets(self, secrets: Iterable[str]) -> None:
        """Mask each of ``secrets`` from now on."""
        for secret in secrets:
            self.add_secret(secret)

    def add_secret(self, secret: str | None, *, username: str | None = None) -> None:
        """Mask ``secret`` from now on, also percent-encoded, JSON-escaped and in an HTTP Basic header.

        :param username: the username that is sent with the secret in a Basic header, if any.
        """
        if not secret:
            return
        forms = {secret, *_encode_percent(secret), *_escape_json(secret)}
        for escaped in _escape_json(secret):  # JSON inside a JSON text
            forms |= _escape_json(escaped)
        if username is not None:
            forms.add(base64.b64encode(f"{username}:{secret}".encode(errors=_ENCODING_ERRORS)).decode())
        self._forms |= forms

    def __call__(self, text: str) -> str:
        """Return ``text`` with all secrets masked."""
        # Longest first, because a secret may be part of the encoded form of another one.
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return _TOKEN_IN_QUERY.sub(r"\1" + MASK, _TOKEN_LIKE.sub(MASK, text))

    def mask_values(self, value: Any) -> Any:
        """Return ``value`` with the secrets masked in all its texts, including those in lists, mappings and keys."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.mask_values(key): self.mask_values(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.mask_values(item) for item in value]
        return value
