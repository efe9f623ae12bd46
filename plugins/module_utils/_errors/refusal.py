# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn an error response of the cloud into a :class:`ParticleError`. Private to this collection.

A Particle cloud has no uniform error format. Error bodies have fourteen known shapes, from OAuth objects to HTML pages
of a proxy (errors-and-limits.md, section 1). No other file parses error bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.scopes import explain_missing_scope
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import shorten


@dataclass(frozen=True)
class Refusal:
    """The parsed body of an error response, in one form for all shapes of error bodies.

    :param word: the machine-readable error word, such as ``invalid_grant``; empty if the body has no error word.
    :param text: the complete human-readable error message. The message can be empty, and may contain secrets.
    :param form: ``json``, ``html``, ``text`` or ``empty``. Responses from proxies and for unknown routes are not JSON.
    :param data: the body, if the body is a JSON object; otherwise empty.
    """

    word: str
    text: str
    form: str  # json | html | text | empty
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


_WORD = re.compile(r"[a-z][a-z_]*\Z")


_TEXT_LIMIT = 300
"""The maximum number of characters of an error text of the cloud that a message quotes."""

_PAGE_LIMIT = 10_000
"""The maximum number of characters of an HTML page that are searched for an error text."""


def read_refusal(body: bytes) -> Refusal:
    """Parse an error body of any known shape (errors-and-limits.md, section 1, E1 to E14)."""
    text = body.decode("utf-8", errors="replace")
    if not text.strip():
        return Refusal("", "", "empty")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip().startswith("<"):
            page = text[:_PAGE_LIMIT]
            visible = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)
            return Refusal("", visible, "html")
        return Refusal("", text, "text")
    if not isinstance(data, dict):
        return Refusal("", "", "json")
    error = data.get("error")
    word = error if isinstance(error, str) and _WORD.match(error) else ""
    return Refusal(word, "; ".join(_read_sentences(data)), "json", data)


def _read_sentences(data: Mapping[str, Any]) -> list[str]:
    """Return the error messages in a JSON body.

    The shapes E11 and E3 spread the message over two or three keys. Machine-readable words are left out if there is
    also a sentence. If there is none, only the words of the first key are used.
    """
    if data.get("message") and data.get("description"):  # E11: the input violates a JSON Schema
        violations = [json.dumps(one) for one in _wrap_in_list(data.get("violations") or [])]
        return [str(data["message"]), str(data["description"]), *violations]
    if data.get("error") and data.get("info"):  # E3: only ``info`` says that the error is about a device
        return [str(data["error"]), str(data["info"])]
    keys = ("error_description", "error", "errors", "info", "description", "message")
    found = [[text for text in map(_read_words, _wrap_in_list(data.get(key))) if text] for key in keys]
    sentences = dict.fromkeys(text for texts in found for text in texts if not _WORD.match(text))
    return list(sentences) or next(filter(None, found), [])


def _wrap_in_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read_words(item: Any) -> str:
    """Return the error message in one value of an error body, such as one element of ``errors``.

    The value is a string, a pair of string and number, or a JSON object with the key ``error`` or ``message``.
    """
    if isinstance(item, list):
        return _read_words(item[0]) if item else ""
    if isinstance(item, dict):
        inner = item.get("error", item.get("message"))
        return _read_words(inner.get("status")) if isinstance(inner, dict) else _read_words(inner)
    return "" if item is None else str(item)


def _join_lines(text: str) -> str:
    return shorten(" ".join("".join(c if c.isprintable() else " " for c in text).split()), _TEXT_LIMIT)


TOKEN_ROUTE = "POST /oauth/token"
_TOO_LARGE = 413


def classify_refusal(status: int, refusal: Refusal, route: str) -> str:
    """Return the error code for an error response.

    A redirect, a rate limit or a request that is too large is recognised by the status alone. For all other errors, the
    text of the body is checked before the status, because the text is more precise.
    """
    text = refusal.text.lower()
    if status == _TOO_LARGE:
        return "cloud_error"  # a proxy before the cloud may have sent a web page, and has not passed the request on
    if refusal.form == "html" and status < 500 and status not in (408, 429):
        # The web framework Express answers an unknown route with a web page that contains "Cannot" and the route. A
        # cloud sends no other web pages with these statuses.
        return "unsupported" if status == 404 and "cannot " in text and route != TOKEN_ROUTE else "not_a_cloud"
    if 300 <= status < 400:
        return "not_a_cloud"
    if route == TOKEN_ROUTE:
        return _classify_grant(status, refusal)
    if status in (429, 529):
        return "rate_limited"
    if refusal.form == "html":
        return "cloud_error"  # a proxy sent this web page, and its text says nothing about the request
    if refusal.word in ("unauthorized", "invalid_scope", "insufficient_scope"):
        return "missing_scope"
    about_token = refusal.word in ("invalid_token", "expired_token") or "access token" in text
    if about_token and status in (400, 401, 403):
        return "token_expired" if "expired" in text or refusal.word == "expired_token" else "token_invalid"
    for pattern, code in _CODES_BY_TEXT:
        if pattern in text:
            return code
    if status == 401:
        return "token_invalid"
    if status == 404 and refusal.form == "text":
        return "unsupported"  # self-hosted clouds answer unknown routes with plain text
    return {403: "forbidden", 404: "not_found", 408: "device_offline", 409: "conflict", 412: "conflict"}.get(
        status, "cloud_error"
    )


_NO_UPLOAD = "firmware file not provided"
_CODES_BY_TEXT = (
    ("bad password", "invalid_credentials"),
    ("wrong password", "invalid_credentials"),
    ("unknown user", "invalid_credentials"),
    ("belongs to someone else", "device_not_yours"),
    ("i didn't recognize that device", "device_not_yours"),
    ("doesn't have access", "device_not_yours"),
    ("isn't online", "device_offline"),
    ("timed out", "device_offline"),
    ("didn't hear back", "device_offline"),
    ("is not connected", "device_offline"),
    ("device does not exist", "not_found"),
    ("already claimed", "conflict"),
    ("already exists", "conflict"),
    # A self-hosted cloud takes a PUT request with a field that it does not know, such as notes, for an upload.
    (_NO_UPLOAD, "unsupported"),
)


_WRONG_CREDENTIALS = re.compile(
    r"\b(wrong|bad|incorrect|invalid) (user(name)?|password|login|credentials)\b"
    r"|\b(unknown|no such) (user|account)\b"
    r"|\b(user|username|account)\b.{0,80}\b(doesn.?t exist|does not exist|not exist|not found)"
    r"|\bcredentials are invalid"
)


def _classify_grant(status: int, refusal: Refusal) -> str:
    """Return the error code for an error response of the token endpoint.

    The token endpoint blocks an IP address after ten refused logins in a row.
    """
    text = refusal.text.lower()
    if status in (429, 529):
        return "locked_out"
    if refusal.word == "mfa_required":
        return "mfa_required"
    if refusal.word == "sso_user":
        return "sso_account"
    if refusal.word == "invalid_scope":
        return "missing_scope"
    if refusal.word in ("invalid_client", "unauthorized_client"):
        return "invalid_client_secret" if "client_secret" in text else "unknown_client"
    # A self-hosted cloud sends such sentences with status 503, but the cloud works: only the credentials are wrong.
    if refusal.word == "invalid_grant" or _WRONG_CREDENTIALS.search(text):
        return "invalid_credentials"
    if status == 404:
        return "not_a_cloud"
    return "invalid_credentials" if status == 401 else "cloud_error"


def build_refusal(status: int, body: bytes, *, route: str, action: str, redact: Callable[[str], str]) -> ParticleError:
    """Return the :class:`ParticleError` for an error response.

    An error response has a status of 300 or more, or a body that reports a failure or is a web page.

    :param action: the failed action, in words that follow "Could not" in the message: ``rename device e00f…``.
    :param redact: a function that masks the secrets in the error message of the cloud.
    """
    refusal = read_refusal(body)
    code = classify_refusal(status, refusal, route)
    # Mask secrets before the text is shortened: a secret that is cut or has other spaces is no longer recognised.
    words = "" if refusal.form in ("html", "empty") else _join_lines(redact(refusal.text))
    phrase = f": {words}" if words else ""
    kind = {"html": " with a web page instead of data", "empty": " with an empty body"}.get(refusal.form, "")
    cause = _CAUSES.get(code, _DEFAULT_CAUSE)
    hint = None
    if code == "unsupported" and _NO_UPLOAD not in refusal.text.lower():
        hint = "This cloud does not have this API route. " + HINTS[code]
    elif code == "missing_scope":
        cause, hint = explain_missing_scope(refusal.word, refusal.text, route) or (cause, None)
    elif status == _TOO_LARGE:
        cause = "the request is too large for the cloud, or for a proxy before it"
        hint = "Send less at once, or ask the operator of the cloud or of the proxy to allow larger requests."
    elif code == "cloud_error" and 400 <= status < 500:
        cause, hint = (
            _DEFAULT_CAUSE,
            "Correct the named value; if none is named, ask the operator of the cloud.",
        )
    message = f"Could not {action}: {cause} (HTTP {status}{kind}{phrase})."
    error = ParticleError(code, message, hint=hint, status=status, route=route)
    error.response, error.words = refusal.data, words
    return error


_DEFAULT_CAUSE = "the cloud refused the request"


_CAUSES: Mapping[str, str] = {
    "not_a_cloud": "the server that answered is not a Particle cloud",
    "invalid_credentials": "the cloud does not accept this username and password",
    "unknown_client": "the cloud does not accept this OAuth client",
    "invalid_client_secret": "the cloud does not accept the secret of this OAuth client",
    "mfa_required": "the account has two-factor login and needs a one-time code",
    "sso_account": "the account uses single sign-on and cannot log in with a password",
    "locked_out": "the cloud accepts no more logins from this IP address for now",
    "token_invalid": "the cloud does not accept this access token",
    "token_expired": "the access token has expired",
    "missing_scope": "the access token does not have the scope for this call",
    "forbidden": "this account does not have permission for that",
    "not_found": "the cloud did not find it",
    "device_offline": "the device is offline or did not answer",
    "device_not_yours": "the device is unknown or belongs to another account",
    "conflict": "it conflicts with the state in the cloud",
    "unsupported": "this cloud does not support that",
    "rate_limited": "the rate limit of the cloud is exceeded",
    "cloud_error": "the cloud failed",
}
