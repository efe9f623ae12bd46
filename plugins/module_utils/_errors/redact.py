# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take secrets out of any text. Private to this collection."""

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


_ANY_TEXT = "surrogatepass"  # the environment may hold bytes that are no UTF-8


def _json_escaped(text: str) -> set[str]:
    """As Python writes it, and as most others do, who leave letters of other scripts as they are."""
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _percent_encoded(text: str) -> set[str]:
    """As in paths and forms, with what JavaScript leaves alone, and with either case of the digits."""
    forms = {
        quote(text, safe=safe, errors=_ANY_TEXT)
        for quote in (urllib.parse.quote, urllib.parse.quote_plus)
        for safe in ("", "!'()*")
    }
    return forms | {re.sub("%..", lambda found: found[0].lower(), form) for form in forms}


class Redactor:
    """Takes known secrets, and what looks like an access token, out of any text before it leaves."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    @property
    def secrets(self) -> frozenset[str]:
        """Everything that is hidden, in all its forms."""
        return frozenset(self._forms)

    def learn_all(self, secrets: Iterable[str]) -> None:
        """From now on hide each of ``secrets``."""
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str | None, *, username: str | None = None) -> None:
        """From now on hide ``secret``, also percent-encoded, JSON-escaped, and as the pair of a Basic header."""
        if not secret:
            return
        forms = {secret, *_percent_encoded(secret), *_json_escaped(secret)}
        for escaped in _json_escaped(secret):  # JSON inside of JSON
            forms |= _json_escaped(escaped)
        if username is not None:
            forms.add(base64.b64encode(f"{username}:{secret}".encode(errors=_ANY_TEXT)).decode())
        self._forms |= forms

    def __call__(self, text: str) -> str:
        # The longest first: a secret may be part of another one's encoded form.
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return _TOKEN_IN_QUERY.sub(r"\1" + MASK, _TOKEN_LIKE.sub(MASK, text))

    def clean(self, value: Any) -> Any:
        """The same for every text inside lists and mappings, keys included."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.clean(key): self.clean(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(item) for item in value]
        return value
