# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the body of a refused answer to a code of the closed list. Private to this collection.

A cloud of this family has no single error envelope: fourteen shapes of bodies are known, from OAuth objects to HTML
pages of a proxy (errors-and-limits.md, section 1). They are read here, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


@dataclass(frozen=True)
class Refusal:
    """What the body of a refused answer says, whatever its shape.

    ``word`` is the machine word (``invalid_grant``), empty when there is none; ``text`` the words for people,
    possibly empty, whole and with any secret they hold; ``form`` tells JSON from the bodies that proxies and
    unknown routes send.
    """

    word: str
    text: str
    form: str  # json | html | text | empty
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


_WORD = re.compile(r"[a-z][a-z_]*\Z")


_TEXT_LIMIT = 300


_PAGE_LIMIT = 10_000


def read_refusal(body: bytes) -> Refusal:
    """Read any of the known error bodies (errors-and-limits.md, section 1, E1 to E14)."""
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
    return Refusal(word, "; ".join(_sentences(data)), "json", data)


def _sentences(data: Mapping[str, Any]) -> list[str]:
    """The words of a body, from the first key of the known order that has any."""
    if data.get("message") and data.get("description"):  # E11: a JSON Schema refused the input
        violations = [json.dumps(one) for one in _as_list(data.get("violations") or [])]
        return [str(data["message"]), str(data["description"]), *violations]
    if data.get("error") and data.get("info"):  # E3: only the second says that it is about a device
        return [str(data["error"]), str(data["info"])]
    for key in ("error_description", "error", "errors", "info", "description", "message"):
        if key == "error" and data.get("description"):  # E10: the word says less than the description
            continue
        found = [text for text in map(_words_of, _as_list(data.get(key))) if text]
        if found:
            return found
    return []


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words_of(item: Any) -> str:
    """One element of ``errors``: a text, an object with ``error``, or a pair of text and number."""
    if isinstance(item, list):
        return _words_of(item[0]) if item else ""
    if isinstance(item, dict):
        inner = item.get("error", item.get("message"))
        return _words_of(inner.get("status")) if isinstance(inner, dict) else _words_of(inner)
    return "" if item is None else str(item)


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 1] + "…"


TOKEN_ROUTE = "POST /oauth/token"


def classify(status: int, refusal: Refusal, route: str) -> str:
    """The code of the closed list for a refused answer. The words of the body say more than the status."""
    text = refusal.text.lower()
    if refusal.form == "html" and status < 500 and status not in (408, 429):
        # Express names the unknown route in a page of its own; any other page is not from a cloud.
        return "unsupported" if status == 404 and "cannot " in text and route != TOKEN_ROUTE else "not_a_cloud"
    if 300 <= status < 400:
        return "not_a_cloud"
    if route == TOKEN_ROUTE:
        return _classify_grant(status, refusal)
    if status in (429, 529):
        return "rate_limited"
    if refusal.form == "html":
        return "cloud_error"  # the page of a gateway, whose words are about the gateway
    if refusal.word in ("unauthorized", "invalid_scope", "insufficient_scope"):
        return "missing_scope"
    about_token = refusal.word in ("invalid_token", "expired_token") or "access token" in text
    if about_token and status in (400, 401, 403):
        return "token_expired" if "expired" in text or refusal.word == "expired_token" else "token_invalid"
    for pattern, code in _BY_WORDS:
        if pattern in text:
            return code
    if status == 401:
        return "token_invalid"
    if status == 404 and refusal.form == "text":
        return "unsupported"  # an unknown route of a self-hosted cloud answers plain text
    return {403: "forbidden", 404: "not_found", 408: "device_offline", 409: "conflict", 412: "conflict"}.get(
        status, "cloud_error"
    )


_BY_WORDS = (
    ("bad password", "invalid_credentials"),
    ("wrong password", "invalid_credentials"),
    ("unknown user", "invalid_credentials"),
    ("belongs to someone else", "device_not_yours"),
    ("i didn't recognize that device", "device_not_yours"),
    ("doesn't have access", "device_not_yours"),
    ("isn't online", "device_offline"),
    ("timed out", "device_offline"),
    ("didn't hear back", "device_offline"),
    ("device does not exist", "not_found"),
    ("already claimed", "conflict"),
    ("already exists", "conflict"),
)


def _classify_grant(status: int, refusal: Refusal) -> str:
    """Codes of the token endpoint, where one wrong guess costs the address one of ten refusals."""
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
    # A self-hosted server answers 503 with these words: a refusal, not an outage.
    if refusal.word == "invalid_grant" or "wrong password" in text or "credentials are invalid" in text:
        return "invalid_credentials"
    if status == 404:
        return "not_a_cloud"
    return "invalid_credentials" if status == 401 else "cloud_error"


def refused(status: int, body: bytes, *, route: str, doing: str, redact: Callable[[str], str]) -> ParticleError:
    """The error for a refused answer.

    :param doing: what was attempted, to follow "Could not": ``rename device e00f…``.
    :param redact: takes the secrets out of the cloud's words.
    """
    refusal = read_refusal(body)
    code = classify(status, refusal, route)
    # Redacted while it is whole: a secret that is cut or respaced is no longer recognised.
    words = "" if refusal.form == "html" else _one_line(redact(refusal.text))
    said = f" ({words})" if words else ""
    kind = {"html": " with a web page instead of data", "empty": " without a word"}.get(refusal.form, "")
    cause = _CAUSES.get(code, _REFUSED)
    hint = None
    if code == "unsupported":
        hint = "This cloud does not have that route. " + HINTS[code]
    elif code == "cloud_error" and 400 <= status < 500:
        cause, hint = _REFUSED, "Correct what the cloud names; when it names nothing, ask whoever runs it."
    message = f"Could not {doing}: {cause}; it answered {status}{kind}{said}."
    return ParticleError(code, message, hint=hint, status=status, route=route, answer=refusal.data)


_REFUSED = "the cloud refused"


_CAUSES: Mapping[str, str] = {
    "not_a_cloud": "what answered is not a Particle cloud",
    "invalid_credentials": "the cloud does not accept this username and password",
    "unknown_client": "the cloud does not accept this OAuth client",
    "invalid_client_secret": "the cloud does not accept the secret of this OAuth client",
    "mfa_required": "the account has two-factor login and needs a one-time code",
    "sso_account": "the account uses single sign-on and may not log in by password",
    "locked_out": "the cloud takes no more logins from this address for now",
    "token_invalid": "the cloud does not know this access token",
    "token_expired": "the access token has expired",
    "missing_scope": "the token may not make this call",
    "forbidden": "this account may not do that",
    "not_found": "the cloud does not know it",
    "device_offline": "the device is offline or did not answer",
    "device_not_yours": "the device is unknown or belongs to somebody else",
    "conflict": "it stands against what is there",
    "unsupported": "this cloud cannot do that",
    "rate_limited": "the cloud asks for fewer requests",
    "cloud_error": "the cloud failed",
}
