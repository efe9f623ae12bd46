# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From any answer of a cloud to one error a user can act on.

Private to this collection. A cloud of this family has no single error envelope: fourteen shapes of bodies are
known, from OAuth objects to HTML pages of a proxy. They are read here, and nowhere else, into a
:class:`ParticleError` with a code of the closed list, one sentence about the cause and one about what to do.
"""

from __future__ import annotations

import base64
import difflib
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HINTS: Mapping[str, str] = {
    "unreachable": "Check api_url, the network and any proxy, then run again: nothing is lost.",
    "tls_untrusted": "Give the authority that signed the cloud's certificate as ca_path, or correct api_url.",
    "not_a_cloud": "Check api_url: it must be the API endpoint itself, for example https://api.particle.io.",
    "clock_skew": "Set this machine's clock, for example with NTP.",
    "malformed_username": "Give the e-mail of the account exactly as registered, without spaces or line breaks.",
    "malformed_password": "Give the bare password; when it is read from a file, remove the line break with '| trim'.",
    "invalid_credentials": "Check username and password; do not try in a loop: after 10 refusals in a row the "
    "cloud locks your address out for 30 minutes.",
    "unknown_client": "Leave client_id and client_secret out to use the customary client, or check both.",
    "invalid_client_secret": "Check client_secret, or leave client_id and client_secret out.",
    "mfa_required": "Give the one-time code as otp, or for unattended use the secret behind it as otp_secret.",
    "otp_refused": "Check the one-time code and this machine's clock.",
    "sso_account": "Accounts with single sign-on cannot log in by password: give a ready access_token.",
    "locked_out": "Wait 30 minutes before the next login from this address, and correct the credentials first.",
    "token_invalid": "Give a valid access_token, or username and password to obtain one.",
    "token_expired": "Obtain a new access token, or give username and password instead.",
    "not_a_token": "Give an access token, not a client secret or a password.",
    "missing_scope": "Use a token that has the scope for this call.",
    "listing_refused": "Listing tokens needs the account's username and password, not a token or a client.",
    "listing_retired": "The cloud no longer lists tokens; keep your own record of those you obtain.",
    "forbidden": "Use an account that may do this.",
    "not_found": "Check the id or the slug, and that this account can see it.",
    "device_offline": "Power the device, wait until it is online, and run again.",
    "device_not_yours": "Check the id; when another account or product has the device, have it released there first.",
    "platform_mismatch": "A product takes devices of its own platform only.",
    "conflict": "Look at the state in the cloud, correct what is declared, and run again.",
    "invalid_manifest": "Correct the places named and run again; no request was sent.",
    "unsupported": "Leave this out of what is declared, or use a cloud that has it.",
    "rate_limited": "Wait a few minutes and run again, or allow longer waits with max_wait.",
    "budget_exhausted": "Run again when the window has passed.",
    "cloud_error": "Run again later; when it stays, ask whoever runs the cloud.",
    "bad_response": "Run again; when it stays, check for a proxy that changes answers.",
    "ambiguous_write": "Run again: what took effect is found and not repeated.",
    "too_many_removals": "Confirm the removals, or correct what is declared.",
    "run_in_progress": "Wait for the other run to end.",
    "internal": "This is a mistake in the collection: please report it with the text above.",
}
"""The closed list of error codes, each with the next step for the user."""


def some_of(names: Sequence[str], at_most: int) -> str:
    """The first of many names as words of a sentence, and how many more there are."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def perhaps(word: Any, known: Iterable[str]) -> str:
    """What to put behind a refusal of ``word``: the one of ``known`` that it looks like, or nothing."""
    near = difflib.get_close_matches(str(word).lower(), list(map(str, known)), n=1)
    return f"; perhaps {near[0]} is meant" if near else ""


REFUSED_LOGIN = frozenset(
    [
        "invalid_credentials",
        "unknown_client",
        "invalid_client_secret",
        "mfa_required",
        "otp_refused",
        "sso_account",
        "locked_out",
    ]
)
"""A login that was refused so is refused again when nothing is corrected; it must not be tried in a loop."""


class ParticleError(Exception):
    """A failure that a user can act on.

    :param code: one of the keys of :data:`HINTS`.
    :param message: one sentence about what failed, on what, and why; free of secrets.
    :param hint: one sentence about what to do; the one of the code when not given.
    :param status: the HTTP status behind it, if any.
    :param route: method and path template (never a URL with values), if a request was behind it.
    :param answer: what the cloud said, for the code to go on from; it may hold secrets and is never shown.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        route: str | None = None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = HINTS[code] if hint is None else hint
        self.status = status
        self.route = route
        self.answer: Mapping[str, Any] = answer or {}

    def as_result(self) -> dict[str, Any]:
        """The documented return value ``error``."""
        return {
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "hint": self.hint,
            "route": self.route,
        }

    def as_failure(self) -> dict[str, Any]:
        """The documented result of a task that fails with this."""
        return {"failed": True, "msg": f"{self.message} {self.hint}".strip(), "error": self.as_result()}


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
