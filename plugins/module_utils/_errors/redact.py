# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask secrets in strings. Private to this collection."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

SECRET_NAME = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|authorization|signature"
    r"|(?:api|private|access|account|policy|shared|signing)[-_]?key"
    r"|(?:^|[-_])(?:pass|pwd|pin|otp|key|auth|sig)(?:$|[-_])",
    re.IGNORECASE,
)
"""The names of parameters, headers and keys whose values are secret, however short they are."""

MASK = "********"


_TOKEN_LIKE = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")


_TOKEN_IN_QUERY = re.compile(r"(access_token=)[^&\s\"']+")


_GAP = r"(?:\s|\+|:|%20|%09|%3a|\\[nrt]|\\u00(?:20|09|0a|0d)|&nbsp;|&#(?:32|x20);)+"
_AUTHORIZATION = re.compile(rf"(?i)\b(bearer|basic)({_GAP}(?:[\"'\\]|%22|%27|&quot;)*)([^\s\"'<>,;()]+)")
"""The name of an HTTP authentication scheme, and what follows it. A server may echo only a part of a long token, or
change it, so that the token itself is not found. The gap can be percent-encoded, or escaped in JSON or HTML."""

_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}[A-Za-z0-9_.=-]*")
"""A JSON Web Token, or its beginning: every one begins with the encoded form of ``{\"``."""
_WHOLE_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


_LONGEST_WORD = 16
_BEGINNING = 16
"""Number of characters at the beginning of a long secret by which a shortened secret is recognised."""


_ENCODING_ERRORS = "surrogatepass"  # environment variables may hold bytes that are not UTF-8


def _escape_json(text: str) -> set[str]:
    """Return the two JSON forms of a string: with and without escapes for characters outside ASCII."""
    return {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _encode_percent(text: str) -> set[str]:
    """Return all percent-encoded forms of a string.

    The encoding differs between URL paths and form bodies, and between Python and JavaScript. The hexadecimal digits
    can be upper or lower case.
    """
    forms = {
        quote(text, safe=safe, errors=_ENCODING_ERRORS)
        for quote in (urllib.parse.quote, urllib.parse.quote_plus)
        for safe in ("", "!'()*")
    }
    return forms | {re.sub("%..", lambda found: found[0].lower(), form) for form in forms}


def _mask_authorization(found: re.Match[str]) -> str:
    """Mask what follows ``Bearer`` or ``Basic``, unless it is a word, as in "Basic Auth" and "bearer token."."""
    word = found[3].rstrip(".!?:")
    is_word = word.isalpha() and (word.islower() or word.istitle()) and len(word) < _LONGEST_WORD
    return found[0] if is_word else f"{found[1]}{found[2]}{MASK}"


def _mask_beginning(text: str, secret: str) -> str:
    """Mask each beginning of a long secret: servers shorten what they echo."""
    start, position, parts = secret[:_BEGINNING], 0, []
    while (at := text.find(start, position)) >= 0:
        end = at + _BEGINNING
        while text[end : end + 1] and text[end : end + 1] == secret[end - at : end - at + 1]:
            end += 1
        parts += [text[position:at], MASK]
        position = end
    return "".join([*parts, text[position:]])


class Redactor:
    """A callable that masks all known secrets in a message, and all text that looks like a secret."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    @property
    def secrets(self) -> frozenset[str]:
        """Return all encoded forms of all known secrets."""
        return frozenset(self._forms)

    def add_secrets(self, secrets: Iterable[str]) -> None:
        """Mask each of ``secrets`` from now on."""
        for secret in secrets:
            self.add_secret(secret)

    def add_secret(self, secret: str | None, *, username: str | None = None) -> None:
        """Mask ``secret`` from now on, also in percent-encoded and JSON-escaped form and in an HTTP Basic header.

        :param username: the username that is sent together with the secret in an HTTP Basic header, if any.
        """
        if secret is None or not secret.strip():  # a secret of spaces would mask every space of a message
            return
        forms = {secret, *_encode_percent(secret), *_escape_json(secret)}
        for escaped in _escape_json(secret):  # a JSON string can itself contain JSON
            forms |= _escape_json(escaped)
        if username is not None:
            forms.add(base64.b64encode(f"{username}:{secret}".encode(errors=_ENCODING_ERRORS)).decode())
        self._forms |= forms

    def __call__(self, text: str) -> str:
        """Return a message with all secrets masked.

        This includes what a cloud may have made of a secret: the beginning of a token, and all that follows the name of
        an authentication scheme.
        """
        text = self._mask_value(text)
        for form in self._sort_forms():
            if len(form) >= 2 * _BEGINNING:
                text = _mask_beginning(text, form)
        if "eyJ" in text:  # both checks save time, because most texts are names of devices
            text = _JWT.sub(MASK, text)
        if "ear" in text.lower() or "bas" in text.lower():
            text = _AUTHORIZATION.sub(_mask_authorization, text)
        return text

    def _sort_forms(self) -> list[str]:
        """Return the longest forms first, because a secret may be a part of the encoded form of another secret."""
        return sorted(self._forms, key=len, reverse=True)

    def _mask_value(self, text: str) -> str:
        """Return ``text`` with the known secrets and all complete tokens masked.

        Names and notes of devices are values, too. A name such as "Basic Pump-3" is not a secret.
        """
        for form in self._sort_forms():
            text = text.replace(form, MASK)
        text = _TOKEN_IN_QUERY.sub(r"\1" + MASK, _TOKEN_LIKE.sub(MASK, text))
        return _WHOLE_JWT.sub(MASK, text) if "eyJ" in text else text

    def mask_values(self, value: Any) -> Any:
        """Return ``value`` with all secrets masked, including those in nested lists and in keys and values of mappings.

        Messages of the cloud must be masked before, because this method masks only complete secrets in them.
        """
        if isinstance(value, str):
            return self._mask_value(value)
        if isinstance(value, Mapping):
            return {self.mask_values(key): self.mask_values(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.mask_values(item) for item in value]
        return value
