# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receive the events of Particle devices, and report each period in which events may be missing.

Event-Driven Ansible runs this file alone and cannot import the collection. The file therefore contains everything that
it needs. A test compares the messages about refused requests with those of the collection.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import datetime as dt
import email.utils
import hashlib
import hmac
import json
import logging
import math
import os
import random
import re
import ssl
import stat
import struct
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping

DOCUMENTATION = r"""
---
short_description: Receive the events of Particle devices
version_added: 0.2.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Receives the events of a product, an organization, a device or all devices of the account from one event stream of
    the Particle cloud. An event stream is a connection on which the cloud sends events as they are published.
  - The cloud does not repeat the events that were published while the connection was interrupted. After each
    interruption, the source therefore emits an event of kind C(gap), which says from when to when events may be
    missing, and why. With O(catch_up=true), this event also contains the current device list.
  - A connection can be interrupted without notice. If the cloud has sent nothing for O(silence) seconds, not even a
    keep-alive, the source opens a new connection.
  - The source waits for 2 seconds before it opens a new connection, and doubles this time up to O(max_backoff) after
    each further failure. It opens far fewer connections than the cloud allows, 100 per 5 minutes and IP address. Use
    one source for the whole product rather than one source for each device.
  - "Each event is C({'particle': {...}, 'meta': {'uuid': ...}}). The keys of C(particle) are C(kind) (V(event), V(gap)
    or V(lag)), C(name), C(data) (the text that was published, or null), C(json) (the value of C(data) if C(data) is
    JSON, else null), C(device) (the id of the device, or null if the cloud itself published the event),
    C(published_at), C(product) (the id of the product, or null), C(version) (the version of the firmware, or null) and
    C(raw) (C(data) as received). C(data) differs from C(raw) only in events named C(spark/flash/status), whose spaces
    are removed."
  - C(json) is also null if the rule engine cannot process the value, because an object in it has an empty key, there
    are more than 100 levels, or a number is not finite.
  - "In an event of kind C(gap), C(json) is C({'from': ..., 'to': ..., 'seconds': ..., 'cause': ..., 'prefix': [...],
    'devices': [...]}). C(devices) is null without O(catch_up=true), and if the device list could not be read."
  - "If the rules are busy for so long that 10,000 events are waiting, newer events are dropped until half of the
    waiting events have been processed. Then an event of kind C(lag) follows, whose C(json) is C({'from': ...,
    'to': ..., 'dropped': ...})."
  - The cloud may send an event twice. The source drops an event if its device, name, data and C(published_at) are
    equal to those of one of the last 10,000 events. Events are passed on in the order in which the cloud sends them.
  - If the cloud refuses the access token or the stream, the source ends with a message that says why, after one
    request.
  - With O(username) and O(password), the source logs in itself, with access tokens that are valid for an hour. It
    renews them without an interruption of the events, logs in once more when the cloud no longer accepts the current
    one, and revokes its access token when it ends. C(ansible-rulebook) does not let it do so when a signal ends the
    rule engine, for example Ctrl-C or a stop by systemd; the access token then stays valid for the rest of its hour.
options:
  api_url:
    description: URL of the API of the cloud.
    type: str
    default: https://api.particle.io
  access_token:
    description:
      - Access token. Exactly one of O(access_token), O(token_file) and O(username) with O(password) is needed.
      - The access token of an API user needs the scope C(events:get), and C(devices:list) for O(catch_up=true).
    type: str
  token_file:
    description:
      - Path of the file in which M(meshfleet.particle.access_token) stores tokens. The file is read again before each
        new connection, so that another program can replace the access token.
      - If the file contains several valid access tokens for the cloud, the one that expires last is used.
    type: path
  username:
    description: E-mail address of the account, for a login with O(password).
    type: str
  password:
    description: Password of the account.
    type: str
  otp_secret:
    description: Secret from which the one-time codes are computed, for an account with two-factor login.
    type: str
  product:
    description: Id or slug of the product whose events to receive.
    type: str
  organization:
    description: Id or slug of the organization whose events to receive.
    type: str
  device:
    description:
      - Id of the device whose events to receive. Can be combined with O(product) or O(organization).
      - Without O(product), O(organization) and O(device), the source receives the events of the devices that the
        account has claimed.
    type: str
  prefix:
    description: Receive only events whose names begin with this text, or with one of these texts.
    type: list
    elements: str
    default: []
  silence:
    description:
      - Number of seconds without any byte after which the connection counts as interrupted. The minimum is 15, because
        the cloud sends a keep-alive every 9 to 13 seconds.
    type: float
    default: 30
  max_backoff:
    description:
      - Maximum number of seconds between two attempts to open a connection. The minimum is 15.
      - If the cloud says that there were too many requests, the source waits for a minute, or longer if the cloud says
        so.
    type: float
    default: 60
  catch_up:
    description:
      - Whether to read the device list after each interruption. Cannot be combined with O(organization).
    type: bool
    default: false
  validate_certs:
    description: Whether to verify the TLS certificate of the cloud.
    type: bool
    default: true
  ca_path:
    description: >-
      Path of the CA bundle with which the TLS certificate of the cloud is verified. A CA bundle is a file with the
      certificates of trusted certificate authorities.
    type: path
notes:
  - A proxy is used if the usual environment variables name one, for example E(https_proxy).
"""

EXAMPLES = r"""
- name: Report devices of a product that connect or disconnect
  hosts: localhost
  sources:
    - name: Events of the field loggers
      meshfleet.particle.events:
        access_token: "{{ PARTICLE_ACCESS_TOKEN }}"
        product: field-logger
        prefix: spark/status
  rules:
    - name: A device went offline
      condition: event.particle.name == "spark/status" and event.particle.data == "offline"
      action:
        debug:
          msg: "Device {{ event.particle.device }} is offline."
    - name: Events may be missing
      condition: event.particle.kind == "gap"
      action:
        debug:
          msg: "{{ event.particle.data }}"
"""

LOG = logging.getLogger("meshfleet.particle.events")
RANDOM = random.SystemRandom()

DEFAULT_API_URL = "https://api.particle.io"
DEFAULT_SILENCE = 30.0
MIN_SILENCE = 15.0
DEFAULT_MAX_BACKOFF = 60.0
MIN_MAX_BACKOFF = 15.0
MAX_SECONDS = 86_400.0

FIRST_BACKOFF = 2.0
STABLE_SECONDS = 60.0
"""Minimum number of seconds for which a stream must have been open, so that the next wait is the shortest one again.
With this rule and the minimum of `max_backoff`, the source makes at most 40 attempts in 5 minutes. aiohttp may send a
request twice if the connection breaks, so this is less than half of the 100 streams that the cloud allows
(firmware-and-events.md, section 6)."""
SHORTEST_PAUSES = {"rate_limited": 60.0, "locked_out": 300.0}
"""The minimum number of seconds until the next attempt, for each error code. The cloud counts the logins of 5 minutes
(errors-and-limits.md, section 3)."""
MAX_RETRY_AFTER = 600.0

OVERLAP_SECONDS = 15.0
"""Number of seconds for which two streams are open while one replaces the other.

This is longer than the time between two keep-alives, so that a keep-alive shows whether the old stream was still alive.
"""

MAX_WAITING = 10_000
REMEMBERED = 10_000
PAUSE_SECONDS = 5.0
"""Maximum number of seconds for which the source stops reading while the rules are busy.

Then it continues to read, and drops events for which there is no room.
"""

MAX_EVENT_BYTES = 1_048_576
MAX_JSON_DEPTH = 100
MAX_BODY_BYTES = 16_777_216
MAX_FILE_BYTES = 1_048_576
MAX_TOKEN_LENGTH = 4096
PAGE_SIZE = 100
MAX_PAGES = 1000

GRANT_SECONDS = 3600
RENEW_BEFORE = 900.0
"""Number of seconds before its expiry at which an access token is renewed.

This is enough for three logins after a refused one.
"""
RETRY_RENEWAL = 60.0
CLOSE_SECONDS = 10.0
OTP_PERIOD = 30
OTP_DIGITS = 6

STREAM_TYPE = "text/event-stream"
FLASH_STATUS = "spark/flash/status"
DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z", re.IGNORECASE)
DEVICE_FIELDS = ("id", "name", "online", "last_heard", "last_handshake_at", "firmware_version", "quarantined")
NAMESPACE = uuid.UUID("3d7ffb33-4f1c-5c8e-8f6f-8a2f4f3c9b61")

T = TypeVar("T")
Event = dict[str, Any]


class EventsError(Exception):
    """A failure that another attempt would not correct.

    The message tells the user what to do, and contains no secrets.
    """


class TokenRefusedError(EventsError):
    """The cloud does not accept the access token."""


class StreamLostError(Exception):
    """A failure after which the source opens another stream. The message is a cause, such as "no connection to HOST".

    :ivar pause: the minimum number of seconds until the next attempt.
    """

    def __init__(self, cause: str, pause: float = 0.0) -> None:
        super().__init__(cause)
        self.pause = pause


class Clock:
    """The time for the whole source. Tests use another clock, so that they need not wait."""

    def now(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return a number of seconds that never decreases, and also counts while the machine is suspended."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        await asyncio.sleep(seconds)


async def run_within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """Return the result of ``work``, or raise ``TimeoutError`` and cancel ``work`` after a number of seconds."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        alarm.cancel()
        await end_tasks(task)


async def end_tasks(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks that still run, and wait until they have ended. Ignore their results."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def format_time(seconds: float) -> str:
    """Return a time of day in the form that the cloud uses, such as ``2026-03-01T10:20:30.456Z``."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(value: object) -> float | None:
    """Return an ISO 8601 time in seconds since 1970, or ``None`` if ``value`` is not such a time."""
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


# ---------------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Settings:
    """The checked arguments of the source. The documentation above describes them."""

    api_url: str = DEFAULT_API_URL
    access_token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    otp_secret: str | None = field(default=None, repr=False)
    product: str | None = None
    organization: str | None = None
    device: str | None = None
    prefix: tuple[str, ...] = ()
    silence: float = DEFAULT_SILENCE
    max_backoff: float = DEFAULT_MAX_BACKOFF
    catch_up: bool = False
    validate_certs: bool = True
    ca_path: str | None = None

    @property
    def subject(self) -> str:
        """Return whose events the source receives, in words."""
        named = [
            f"{kind} {value}"
            for kind, value in (
                ("device", self.device),
                ("product", self.product),
                ("organization", self.organization),
            )
            if value is not None
        ]
        return " of ".join(named) or "the account"

    @property
    def owner_path(self) -> str:
        """Return the beginning of all paths of the product or organization."""
        if self.product is not None:
            return f"/v1/products/{quote(self.product)}"
        return "/v1" if self.organization is None else f"/v1/orgs/{quote(self.organization)}"

    @property
    def stream_path(self) -> str:
        """Return the path of the event stream (endpoints.yml: events_mine, events_device, events_product)."""
        if self.device is not None:
            path = f"{self.owner_path}/devices/{quote(self.device)}/events"
        elif self.product is None and self.organization is None:
            path = "/v1/devices/events"
        else:
            path = f"{self.owner_path}/events"
        # The paths of organizations have no element for a prefix.
        return f"{path}/{quote(self.prefix[0])}" if len(self.prefix) == 1 and self.organization is None else path


def quote(text: str) -> str:
    """Return ``text`` as one element of a path."""
    return urllib.parse.quote(text, safe="")


def read_settings(args: Mapping[str, Any]) -> Settings:
    """Return the checked arguments. An empty text counts as an argument that is not given.

    :raises ValueError: with all mistakes in the arguments.
    """
    given = {name: value for name, value in args.items() if value not in (None, "") and name != "eda_feedback_queue"}
    mistakes, values = [], {}
    for name, value in given.items():
        if name not in READERS:
            mistakes.append(f"{name} is not an option; the options are {', '.join(READERS)}")
            continue
        try:
            values[name] = READERS[name](value)
        except ValueError as error:
            mistakes.append(f"{name} {error}")
    mistakes += find_contradictions(given, catch_up=values.get("catch_up", False))
    if mistakes:
        message = f"The arguments of meshfleet.particle.events are not valid: {'; '.join(mistakes)}."
        raise ValueError(message)
    return Settings(**values)


def find_contradictions(given: Mapping[str, Any], *, catch_up: bool) -> list[str]:
    """Return the mistakes that concern several arguments."""
    found = []
    ways = [name for name in ("access_token", "token_file", "password") if name in given]
    if not ways:
        found.append("credentials are missing; give access_token, token_file, or username with password")
    if len(ways) > 1:
        found.append(f"{' cannot be combined with '.join(ways)}")
    if "password" in given and "username" not in given:
        found.append("password needs username")
    if "username" in given and "password" not in given:
        found.append("username needs password")
    if "otp_secret" in given and "password" not in given:
        found.append("otp_secret needs username and password")
    if "product" in given and "organization" in given:
        found.append("product cannot be combined with organization")
    if catch_up and "organization" in given:
        found.append("catch_up cannot be combined with organization")
    return found


def read_text(value: object) -> str:
    """Return a text. A number is accepted, because a product can be named by its id."""
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).isprintable():
        message = "must be a text without line breaks and other control characters"
        raise ValueError(message)
    return str(value)


def read_path(value: object) -> str:
    """Return the path of a file, in which ``~`` is replaced by the home folder."""
    try:
        return str(Path(read_text(value)).expanduser())
    except RuntimeError:
        message = f"begins with a home folder that does not exist, got {value!r}"
        raise ValueError(message) from None


def read_url(value: object) -> str:
    """Return the URL of a cloud without a slash at its end."""
    text = read_text(value).strip().rstrip("/")
    try:
        parts = urllib.parse.urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or "@" in text or "?" in text or "#" in text or any(c.isspace() for c in text):
        message = "must be a URL such as https://api.particle.io, without a username or a password"
        raise ValueError(message)
    return text


def read_token(value: object) -> str:
    """Return an access token. The message of the error does not contain the value."""
    if not is_token(value):
        message = "must be one access token without spaces and line breaks"
        raise ValueError(message)
    return str(value)


def is_token(value: object) -> bool:
    """Return whether a value can be sent as an access token."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN_LENGTH:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def read_secret(value: object) -> str:
    """Return a password. The message of the error does not contain the value."""
    if not isinstance(value, str) or not value.isprintable():
        message = "must be a text without line breaks and other control characters"
        raise ValueError(message)
    return value


def read_otp_secret(value: object) -> str:
    """Return the secret of one-time codes. The message of the error does not contain the value."""
    try:
        decode_otp_secret(read_secret(value))
    except binascii.Error:
        message = "must be the base32 text that was shown beside the QR code for two-factor login"
        raise ValueError(message) from None
    return str(value)


def read_device(value: object) -> str:
    """Return the id of a device in lower case."""
    text = read_text(value)
    if not DEVICE_ID.match(text):
        message = f"{text!r} is not a device id (24 hexadecimal digits)"
        raise ValueError(message)
    return text.lower()


def read_prefixes(value: object) -> tuple[str, ...]:
    """Return one or several beginnings of event names."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(one, str) and one for one in values):
        message = "must be a text or a list of texts"
        raise ValueError(message)
    return tuple(values)


def read_seconds(minimum: float) -> Callable[[object], float]:
    """Return a function that reads a number of seconds from ``minimum`` to a day."""

    def read(value: object) -> float:
        try:
            seconds = math.nan if isinstance(value, bool) else float(str(value))
        except ValueError:
            seconds = math.nan
        if not minimum <= seconds <= MAX_SECONDS:
            message = f"must be a number of seconds from {minimum:g} to {MAX_SECONDS:g}, got {value!r}"
            raise ValueError(message)
        return seconds

    return read


def read_bool(value: object) -> bool:
    """Return a truth value, which a rulebook may also give as a text."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    text = str(value).lower()
    if text not in words:
        message = f"must be true or false, got {value!r}"
        raise ValueError(message)
    return words[text]


READERS: dict[str, Callable[[object], Any]] = {
    "api_url": read_url,
    "access_token": read_token,
    "token_file": read_path,
    "username": read_text,
    "password": read_secret,
    "otp_secret": read_otp_secret,
    "product": read_text,
    "organization": read_text,
    "device": read_device,
    "prefix": read_prefixes,
    "silence": read_seconds(MIN_SILENCE),
    "max_backoff": read_seconds(MIN_MAX_BACKOFF),
    "catch_up": read_bool,
    "validate_certs": read_bool,
    "ca_path": read_path,
}
"""The functions that check the arguments, keyed by argument."""


# ---------------------------------------------------------------------- secrets and refusals

MASK = "********"
TOKEN_LIKE = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")
JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}[A-Za-z0-9_.=-]*")
AUTHORIZATION = re.compile(r"(?i)\b(bearer|basic)(\s+|%20|\+)[^\s\"'<>,;()]{16,}")


class Redactor:
    """A callable that masks the known secrets in a message of the cloud, and all text that looks like a secret."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def add_secret(self, secret: str | None) -> None:
        """Mask ``secret`` from now on, also in percent-encoded and JSON-escaped form."""
        if secret and secret.strip():
            forms = {secret, quote(secret), urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1]}
            self._secrets |= forms

    def __call__(self, text: str) -> str:
        """Return ``text`` with all secrets masked."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        text = JWT.sub(MASK, TOKEN_LIKE.sub(MASK, text))
        return AUTHORIZATION.sub(lambda found: f"{found[1]}{found[2]}{MASK}", text)


@dataclass(frozen=True)
class Refusal:
    """The parsed body of an error response (errors-and-limits.md, section 1).

    :param word: the error word, such as ``invalid_grant``; empty if the body has no error word.
    :param text: the complete message of the cloud, which may contain secrets.
    :param form: ``json``, ``html``, ``text`` or ``empty``.
    :param data: the body, if the body is a JSON object; otherwise empty.
    """

    word: str
    text: str
    form: str
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


WORD = re.compile(r"[a-z][a-z_]*\Z")
MAX_WORDS = 300
MAX_PAGE = 10_000


def read_refusal(body: bytes) -> Refusal:
    """Parse an error body of any known shape (errors-and-limits.md, section 1, E1 to E14)."""
    text = body.decode("utf-8", errors="replace")
    if not text.strip():
        return Refusal("", "", "empty")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip().startswith("<"):
            visible = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text[:MAX_PAGE], flags=re.DOTALL | re.IGNORECASE)
            return Refusal("", visible, "html")
        return Refusal("", text, "text")
    if not isinstance(data, dict):
        return Refusal("", "", "json")
    error = data.get("error")
    word = error if isinstance(error, str) and WORD.match(error) else ""
    return Refusal(word, "; ".join(read_sentences(data)), "json", data)


def read_sentences(data: Mapping[str, Any]) -> list[str]:
    """Return the error messages in a JSON body. Error words are left out if there is also a sentence."""
    if data.get("message") and data.get("description"):  # E11: the input violates a JSON Schema
        violations = [json.dumps(one) for one in wrap_in_list(data.get("violations") or [])]
        return [str(data["message"]), str(data["description"]), *violations]
    if data.get("error") and data.get("info"):  # E3: only `info` says that the error is about a device
        return [str(data["error"]), str(data["info"])]
    keys = ("error_description", "error", "errors", "info", "description", "message")
    found = [[text for text in map(read_words, wrap_in_list(data.get(key))) if text] for key in keys]
    sentences = dict.fromkeys(text for texts in found for text in texts if not WORD.match(text))
    return list(sentences) or next(filter(None, found), [])


def wrap_in_list(value: Any) -> list[Any]:
    """Return a list unchanged, and any other value as the only item of a list."""
    return value if isinstance(value, list) else [value]


def read_words(item: Any) -> str:
    """Return the error message in one value of an error body, such as one element of ``errors``."""
    if isinstance(item, list):
        return read_words(item[0]) if item else ""
    if isinstance(item, dict):
        inner = item.get("error", item.get("message"))
        return read_words(inner.get("status")) if isinstance(inner, dict) else read_words(inner)
    return "" if item is None else str(item)


WRONG_CREDENTIALS = re.compile(
    r"\b(wrong|bad|incorrect|invalid) (user(name)?|password|login|credentials)\b"
    r"|\b(unknown|no such) (user|account)\b"
    r"|\b(user|username|account)\b.{0,80}\b(doesn.?t exist|does not exist|not exist|not found)"
    r"|\bcredentials are invalid"
)
NO_ACCESS = ("belongs to someone else", "i didn't recognize that device", "doesn't have access")

CAUSES: Mapping[str, str] = {
    "not_a_cloud": "the server that answered is not a Particle cloud",
    "invalid_credentials": "the cloud does not accept this username and password",
    "unknown_client": "the cloud does not accept this OAuth client",
    "invalid_client_secret": "the cloud does not accept the secret of this OAuth client",
    "mfa_required": "the account has two-factor login and needs a one-time code",
    "sso_account": "the account uses single sign-on and cannot log in with a password",
    "locked_out": "the cloud accepts no more logins from this IP address for now",
    "otp_refused": "the cloud does not accept the one-time code",
    "token_invalid": "the cloud does not accept this access token",
    "token_expired": "the access token has expired",
    "missing_scope": "the access token does not have the scope for this call",
    "forbidden": "this account does not have permission for that",
    "not_found": "the cloud did not find it",
    "device_not_yours": "the device is unknown or belongs to another account",
    "unsupported": "this cloud does not support that",
    "rate_limited": "the rate limit of the cloud is exceeded",
    "cloud_error": "the cloud failed",
}
DEFAULT_CAUSE = "the cloud refused the request"
HINTS: Mapping[str, str] = {
    "not_a_cloud": "Check api_url: it must be the API endpoint itself, for example https://api.particle.io.",
    "invalid_credentials": "Check username and password. Do not retry in a loop: after 10 refused logins in a row, the "
    "cloud blocks your IP address for 30 minutes.",
    "unknown_client": "Use another cloud: this source logs in with the client of the Particle cloud.",
    "invalid_client_secret": "Use another cloud: this source logs in with the client of the Particle cloud.",
    "mfa_required": "Set otp_secret to the secret behind the one-time codes.",
    "otp_refused": "Check otp_secret and this machine's clock.",
    "sso_account": "Give an existing access_token instead of username and password.",
    "locked_out": "Correct the credentials, and wait 30 minutes before the next login from this IP address.",
    "token_invalid": "Give a valid access_token, or username and password to obtain one.",
    "token_expired": "Obtain a new access token, or give username and password instead.",
    "missing_scope": "Use a token that has the scope events:get.",
    "forbidden": "Use an account that has this permission.",
    "not_found": "Check the id or slug, and whether this account has access to it.",
    "device_not_yours": "Check the id. If it is correct, ask the owner of the device to release it.",
    "unsupported": "This cloud does not have this API route. Use a cloud that supports it.",
    "cloud_error": "Correct the named value; if none is named, ask the operator of the cloud.",
}
REFUSED_TOKEN = ("token_invalid", "token_expired")
HEALED_BY_TIME = ("rate_limited", "cloud_error", "not_a_cloud", "unsupported", "locked_out")
"""The error codes of an outage, if the cloud has opened a stream before. A proxy may then answer for the cloud, and
other logins from the same IP address may have used up the limit."""

PROXY_LOGIN_REQUIRED, TIMEOUT, TOO_MANY, OVERLOADED, SERVER_ERROR = 407, 408, 429, 529, 500
OK, REDIRECT, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 300, 400, 401, 403, 404


def classify_refusal(status: int, refusal: Refusal, *, is_login: bool) -> str:
    """Return the error code for an error response to a request for a stream, a list or an access token."""
    text = refusal.text.lower()
    if refusal.form == "html" and status < SERVER_ERROR and status not in (TIMEOUT, TOO_MANY):
        # Express answers an unknown route with a web page that contains "Cannot" and the route.
        return "unsupported" if status == NOT_FOUND and "cannot " in text and not is_login else "not_a_cloud"
    if REDIRECT <= status < BAD_REQUEST:
        return "not_a_cloud"
    if is_login:
        return classify_login(status, refusal)
    if status in (TOO_MANY, OVERLOADED):
        return "rate_limited"
    if refusal.form == "html":
        return "cloud_error"
    if refusal.word in ("unauthorized", "invalid_scope", "insufficient_scope"):
        return "missing_scope"
    about_token = refusal.word in ("invalid_token", "expired_token") or "access token" in text
    if about_token and status in (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN):
        return "token_expired" if "expired" in text or refusal.word == "expired_token" else "token_invalid"
    if any(words in text for words in NO_ACCESS):
        return "device_not_yours"
    if status == UNAUTHORIZED:
        return "token_invalid"
    if status == NOT_FOUND and refusal.form == "text":
        return "unsupported"
    return {FORBIDDEN: "forbidden", NOT_FOUND: "not_found"}.get(status, "cloud_error")


def classify_login(status: int, refusal: Refusal) -> str:
    """Return the error code for an error response of the token endpoint."""
    text = refusal.text.lower()
    if status in (TOO_MANY, OVERLOADED):
        return "locked_out"
    words = {"mfa_required": "mfa_required", "sso_user": "sso_account", "invalid_scope": "missing_scope"}
    if refusal.word in words:
        return words[refusal.word]
    if refusal.word in ("invalid_client", "unauthorized_client"):
        # The cloud knows the client of this source, so only its secret can be wrong.
        return "invalid_client_secret"
    # A self-hosted cloud sends such sentences with status 503, but the cloud works: only the credentials are wrong.
    if refusal.word == "invalid_grant" or WRONG_CREDENTIALS.search(text):
        return "invalid_credentials"
    if status == NOT_FOUND:
        return "not_a_cloud"
    return "invalid_credentials" if status == UNAUTHORIZED else "cloud_error"


def describe_refusal(action: str, code: str, status: int, refusal: Refusal, redact: Callable[[str], str]) -> str:
    """Return the message about an error response: what failed, why, and what the user can do.

    :param action: the failed action, in words that follow "Could not" in the message.
    """
    words = "" if refusal.form in ("html", "empty") else join_lines(redact(refusal.text))
    kind = {"html": " with a web page instead of data", "empty": " with an empty body"}.get(refusal.form, "")
    is_value_wrong = code == "cloud_error" and BAD_REQUEST <= status < SERVER_ERROR
    cause = DEFAULT_CAUSE if is_value_wrong else CAUSES[code]
    phrase = f": {words}" if words else ""
    return f"Could not {action}: {cause} (HTTP {status}{kind}{phrase})."


def join_lines(text: str) -> str:
    """Return a text of the cloud as one line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 1] + "…"


# ---------------------------------------------------------------------- requests


@dataclass(frozen=True)
class Answer:
    """A complete response."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""

    def read_json(self) -> Any:
        """Return the body as JSON, or ``None`` if the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Cloud:
    """The requests of the source.

    :ivar redact: masks the secrets that have been sent or received.
    :ivar has_answered: whether the cloud has opened a stream before. Until then, a response that no cloud would send
        shows that `api_url` is wrong. Later, a proxy may send such responses while the cloud cannot be reached.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._host = urllib.parse.urlsplit(settings.api_url).netloc
        self._tls = build_tls(settings)
        self._streams: list[aiohttp.ClientResponse] = []
        self.redact = Redactor()
        self.has_answered = False

    async def open_stream(self, token: str) -> aiohttp.ClientResponse:
        """Return the response with the event stream, of which only the headers have been read.

        :raises StreamLostError: if another attempt may succeed.
        :raises EventsError: if the cloud refuses the stream.
        """
        opened = await self._bound(self._open_or_read(token))
        if isinstance(opened, Answer):
            raise self.explain(opened, f"open the event stream of {self._settings.subject}")
        self.has_answered = True
        return opened

    async def _open_or_read(self, token: str) -> aiohttp.ClientResponse | Answer:
        """Return the response with the event stream, or the complete response if it is another one."""
        response = await self._send("GET", self._settings.stream_path, bearer(token), {"Accept": STREAM_TYPE})
        if response.status == OK and response.content_type == STREAM_TYPE:
            self._streams = [stream for stream in self._streams if not stream.closed] + [response]
            return response
        return await self._read(response)

    def close(self) -> None:
        """Close all streams, including one that was opened while the source was cancelled."""
        for stream in self._streams:
            stream.close()

    async def send(self, method: str, path: str, authorization: str, form: Mapping[str, str] | None = None) -> Answer:
        """Send a request, and return the response whatever its status is.

        :raises StreamLostError: if there is no complete response.
        """
        return await self._bound(self._send_and_read(method, path, authorization, form))

    async def _bound(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``, which must not take longer than the silence of a stream."""
        try:
            return await run_within(self._clock, self._settings.silence, work)
        except TimeoutError:
            cause = f"{self._host} did not answer within {self._settings.silence:g} seconds"
            raise StreamLostError(cause) from None

    async def _send_and_read(
        self, method: str, path: str, authorization: str, form: Mapping[str, str] | None
    ) -> Answer:
        return await self._read(await self._send(method, path, authorization, {}, form))

    async def _send(
        self,
        method: str,
        path: str,
        authorization: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        url = self._settings.api_url + path
        data = None if form is None else urllib.parse.urlencode(form).encode()
        kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            return await self._session.request(
                method,
                URL(url, encoded=True),
                data=data,
                headers={"Authorization": authorization, "Accept-Encoding": "identity", **kind, **headers},
                allow_redirects=False,
                ssl=self._tls,
                proxy=find_proxy(url),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._explain_network(error) from None

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        """Read the rest of a response, up to a bound, and close the connection."""
        body = b""
        try:
            while len(body) < MAX_BODY_BYTES and (chunk := await response.content.readany()):
                body += chunk
        except (aiohttp.ClientError, OSError) as error:
            raise self._explain_network(error) from None
        finally:
            response.close()
        return Answer(response.status, body, response.headers.get("Retry-After", ""))

    def explain(self, answer: Answer, action: str, *, is_login: bool = False) -> Exception:
        """Return the exception for a response that is not the expected one."""
        refusal = read_refusal(answer.body)
        code = classify_refusal(answer.status, refusal, is_login=is_login)
        if answer.status < REDIRECT:
            code, refusal = "not_a_cloud", Refusal("", "", refusal.form)
        message = describe_refusal(action, code, answer.status, refusal, self.redact)
        is_value_wrong = BAD_REQUEST <= answer.status < SERVER_ERROR and answer.status not in (TIMEOUT, TOO_MANY)
        is_setting_wrong = is_value_wrong or code in ("not_a_cloud", "locked_out")
        if code in HEALED_BY_TIME and (self.has_answered or not is_setting_wrong):
            return StreamLostError(f"{CAUSES[code]} (HTTP {answer.status})", self._read_pause(code, answer))
        message = f"{message} {HINTS[code]}"
        return TokenRefusedError(message) if code in REFUSED_TOKEN else EventsError(message)

    def _read_pause(self, code: str, answer: Answer) -> float:
        """Return the minimum number of seconds until the next attempt after an error response."""
        if code not in SHORTEST_PAUSES:
            return 0.0
        wanted = parse_retry_after(answer.retry_after, self._clock.now())
        return max(SHORTEST_PAUSES[code], min(wanted, MAX_RETRY_AFTER))

    def _explain_network(self, error: Exception) -> Exception:
        """Return the exception for a request without a complete response, in words that contain no secret."""
        host = self._host
        if isinstance(error, aiohttp.ClientSSLError) and not self.has_answered:
            message = (
                f"Could not open the event stream of {self._settings.subject}: the certificate of {host} is not "
                "trusted. Set ca_path to the certificate of the authority that signed the cloud's certificate, or "
                "correct api_url."
            )
            return EventsError(message)
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError)):
            return StreamLostError(f"no connection to {host}")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            if error.status == PROXY_LOGIN_REQUIRED and not self.has_answered:
                message = (
                    f"Could not connect to {host}: the proxy requires a username and a password (HTTP {error.status}). "
                    "Set the environment variable of the proxy to a URL with both."
                )
                return EventsError(message)
            return StreamLostError(f"the proxy does not connect to {host} (HTTP {error.status})")
        return StreamLostError(f"{host} closed the connection")


def parse_retry_after(header: str, now: float) -> float:
    """Return the seconds to wait according to the header ``Retry-After``, which contains seconds or a date.

    :returns: 0 if the header is missing or is invalid.
    """
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, TypeError, IndexError):
        return 0.0


def bearer(token: str) -> str:
    """Return the value of the header ``Authorization`` for an access token."""
    return f"Bearer {token}"


def basic(username: str, password: str) -> str:
    """Return the value of the header ``Authorization`` for a username and a password."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def build_tls(settings: Settings) -> ssl.SSLContext | bool:
    """Return how the certificate of the cloud is verified.

    :raises EventsError: if ``ca_path`` cannot be read.
    """
    if not settings.validate_certs:
        return False
    if settings.ca_path is None:
        return True
    try:
        if Path(settings.ca_path).is_dir():
            return ssl.create_default_context(capath=settings.ca_path)
        return ssl.create_default_context(cafile=settings.ca_path)
    except OSError as error:
        message = f"ca_path {settings.ca_path} cannot be read: {error.strerror or 'it contains no certificate'}."
        raise EventsError(message) from None


def find_proxy(url: str) -> str | None:
    """Return the URL of the proxy that the environment variables name for ``url``, if there is one.

    :raises EventsError: if aiohttp cannot use the proxy. The message does not contain its URL, which may be secret.
    """
    parts = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    if not proxies.get(name) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxies[name] if "://" in proxies[name] else f"http://{proxies[name]}"
    with contextlib.suppress(ValueError):
        address = urllib.parse.urlsplit(proxy)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return proxy
    message = (
        f"The environment variable {name}_proxy does not contain the URL of an HTTP proxy. Correct it, for example to "
        "http://proxy.example.com:3128, or unset it."
    )
    raise EventsError(message)


# ---------------------------------------------------------------------- access tokens


class Tokens:
    """The access token of the argument ``access_token``, and the interface of the other ways to access tokens.

    :ivar renew_at: when to obtain another access token, in seconds of ``Clock.monotonic``; infinity for never.
    """

    def __init__(self, token: str = "") -> None:
        self._given = token
        self.renew_at = math.inf

    async def get(self) -> str:
        """Return the current access token. Log in if there is none."""
        return self._given

    async def replace(self, refused: str) -> str | None:
        """Return an access token instead of the refused one, or ``None`` if there is no other."""
        return None

    async def renew(self) -> None:
        """Obtain another access token before the current one expires."""

    async def retire(self) -> None:
        """Revoke the access tokens that this object has obtained and that are no longer used."""

    async def close(self) -> None:
        """Revoke all access tokens that this object has obtained."""


class TokenFile(Tokens):
    """The access tokens in the file of the argument ``token_file``."""

    def __init__(self, settings: Settings, clock: Clock, redact: Redactor) -> None:
        super().__init__()
        self._path = Path(settings.token_file or "")
        self._api_url = settings.api_url
        self._clock = clock
        self._redact = redact

    async def get(self) -> str:
        """Read the file, and return the valid access token for the cloud that expires last.

        :raises EventsError: if the file is not safe, is damaged, or has no such access token.
        """
        now = self._clock.now()
        found = []
        for entry in self._read_entries():
            expiry = entry.get("expires_at")
            end = math.inf if expiry is None else parse_time(expiry) or 0.0
            if is_token(entry.get("access_token")) and end > now and is_same_cloud(entry["api_url"], self._api_url):
                found.append((end, str(entry["access_token"])))
        if not found:
            message = (
                f"{self._path} has no valid access token for {self._api_url}. Obtain one with the module "
                "meshfleet.particle.access_token and its option token_file."
            )
            raise EventsError(message)
        token = max(found)[1]
        self._redact.add_secret(token)
        return token

    async def replace(self, refused: str) -> str | None:
        """Return the access token of the file, if another program has replaced the refused one."""
        token = await self.get()
        return None if token == refused else token

    def _read_entries(self) -> list[dict[str, Any]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                facts = os.fstat(file.fileno())
                if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_FILE_BYTES:
                    message = f"{self._path} is not a file of tokens."
                    raise EventsError(message)
                if facts.st_mode & 0o077:
                    message = f"Other users can read {self._path}. Run chmod 600 on it, and replace its tokens."
                    raise EventsError(message)
                data = json.loads(file.read())
            entries = data["tokens"]
        except OSError as error:
            message = f"{self._path} cannot be read: {error.strerror}."
            raise EventsError(message) from None
        except (ValueError, RecursionError, KeyError, TypeError):
            entries = None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("api_url"), str) for entry in entries
        ):
            message = f"{self._path} is damaged, or another program has written it. Restore or remove it."
            raise EventsError(message)
        return entries


def is_same_cloud(url: str, other: str) -> bool:
    """Return whether two URLs are spellings of the URL of one cloud."""
    return normalize_url(url) == normalize_url(other)


def normalize_url(url: str) -> tuple[str, str, int | None, str]:
    """Return the parts of a URL in a form that is equal for all spellings of the same URL."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ("", "", None, url)
    return parts.scheme, "localhost" if host == "127.0.0.1" else host, port, parts.path.rstrip("/")


class Login(Tokens):
    """The access tokens of a login with username and password."""

    def __init__(self, settings: Settings, cloud: Cloud, clock: Clock) -> None:
        super().__init__()
        self._username = settings.username or ""
        self._password = settings.password or ""
        self._otp_secret = settings.otp_secret
        self._cloud = cloud
        self._clock = clock
        self._token: str | None = None
        self._retired: list[str] = []
        self._used_period = -1
        self._blocked_until = -math.inf
        self._due_at = math.inf
        self._grant: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """Return the current access token. Log in if there is none."""
        return self._token or await self._obtain()

    async def replace(self, refused: str) -> str | None:
        """Log in again after the cloud has refused the current access token."""
        LOG.warning("The cloud no longer accepts the access token of the event source; logging in again.")
        return await self._obtain()

    async def renew(self) -> None:
        """Log in again, unless the current access token is not due for renewal. ``retire`` revokes the earlier one."""
        if self._clock.monotonic() >= self._due_at:
            await self._obtain()
        # A failed attempt to open a stream has set another time.
        self.renew_at = self._due_at

    async def _obtain(self) -> str:
        """Log in, and return the new access token.

        When this method is cancelled, the login continues, because the cloud may already have granted an access token.
        ``close`` waits for the login, and revokes the access token.
        """
        self._grant = asyncio.ensure_future(self._log_in())
        return await asyncio.shield(self._grant)

    async def _log_in(self) -> str:
        """Request an access token once, without retries (endpoints.yml: token_mfa_otp).

        If the cloud has refused a login because of too many logins, no request is sent before the pause is over.
        """
        if (left := self._blocked_until - self._clock.monotonic()) > 0:
            raise StreamLostError(CAUSES["locked_out"], left)
        action = f"obtain an access token for {self._username}"
        form = {"grant_type": "password", "username": self._username, "password": self._password}
        answer = await self._request_grant({**form, "expires_in": str(GRANT_SECONDS)})
        refusal = read_refusal(answer.body)
        mfa_token = refusal.data.get("mfa_token")
        if refusal.word == "mfa_required" and isinstance(mfa_token, str) and self._otp_secret is not None:
            self._cloud.redact.add_secret(mfa_token)
            code = await self._compute_code(self._otp_secret)
            answer = await self._request_grant(
                {"grant_type": "urn:custom:mfa-otp", "mfa_token": mfa_token, "otp": code}
            )
            if answer.status in (BAD_REQUEST, UNAUTHORIZED):
                refusal = read_refusal(answer.body)
                message = describe_refusal(action, "otp_refused", answer.status, refusal, self._cloud.redact)
                message = f"{message} {HINTS['otp_refused']}"
                raise EventsError(message)
        if answer.status != OK:
            failure = self._cloud.explain(answer, action, is_login=True)
            if isinstance(failure, StreamLostError):
                self._blocked_until = self._clock.monotonic() + failure.pause
            raise failure
        data = answer.read_json()
        token = data.get("access_token") if isinstance(data, dict) else None
        if not is_token(token):
            message = f"Could not {action}: the response contains no valid access token. {HINTS['not_a_cloud']}"
            raise EventsError(message)
        self._accept(str(token), data.get("expires_in"))
        return str(token)

    def _accept(self, token: str, expires_in: object) -> None:
        self._cloud.redact.add_secret(token)
        if self._token is not None:
            self._retired.append(self._token)
        self._token = token
        try:
            seconds = float(str(expires_in))
        except ValueError:
            seconds = 0.0
        # Zero means that the token never expires. NaN and negative numbers are not lifetimes.
        life = max(seconds - RENEW_BEFORE, seconds / 2) if 0 < seconds < math.inf else math.inf
        self.renew_at = self._due_at = self._clock.monotonic() + life

    async def _request_grant(self, form: Mapping[str, str]) -> Answer:
        # Any existing client can be used to log in to an account (endpoints.yml: client_basic).
        return await self._cloud.send("POST", "/oauth/token", basic("particle", "particle"), form)

    async def _compute_code(self, secret: str) -> str:
        """Return a one-time code. The cloud accepts each code only once, so wait until there is a new one."""
        period = int(self._clock.now() // OTP_PERIOD)
        if period <= self._used_period <= period + 1:
            period = self._used_period + 1
            await self._clock.sleep(max(0.0, period * OTP_PERIOD - self._clock.now()))
        self._used_period = period
        return compute_otp(secret, period)

    async def retire(self) -> None:
        """Revoke the access tokens that are no longer used."""
        while self._retired:
            await self._revoke(self._retired[-1])
            self._retired.pop()

    async def close(self) -> None:
        """Revoke all access tokens, including the one that a cancelled login still receives."""
        if self._grant is not None:
            with contextlib.suppress(StreamLostError, EventsError, TimeoutError):
                await run_within(self._clock, CLOSE_SECONDS, self._grant)
        if self._token is not None:
            self._retired.append(self._token)
            self._token = None
        await self.retire()

    async def _revoke(self, token: str) -> None:
        """Revoke an access token (endpoints.yml: token_revoke_current, token_revoke_one)."""
        try:
            answer = await self._cloud.send("DELETE", "/v1/access_tokens/current", bearer(token))
            if answer.status in (BAD_REQUEST, NOT_FOUND):
                # Self-hosted clouds offer no other way. This is the only request with an access token in its URL.
                path = f"/v1/access_tokens/{quote(token)}"
                answer = await self._cloud.send("DELETE", path, basic(self._username, self._password))
            failed = answer.status >= REDIRECT and answer.status != UNAUTHORIZED
        except StreamLostError:
            failed = True
        if failed:
            LOG.warning("The access token of the event source could not be revoked; it stays valid until it expires.")


def decode_otp_secret(secret: str) -> bytes:
    """Decode a base32 secret, which may contain spaces, hyphens and lower-case letters."""
    text = "".join(secret.split()).replace("-", "").upper().rstrip("=")
    if not text:
        raise binascii.Error
    return base64.b32decode(text + "=" * (-len(text) % 8))


def compute_otp(secret: str, period: int) -> str:
    """Return the one-time code of a period of 30 seconds (RFC 6238)."""
    digest = hmac.new(decode_otp_secret(secret), struct.pack(">Q", period), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 10**OTP_DIGITS:0{OTP_DIGITS}}"


def build_tokens(settings: Settings, cloud: Cloud, clock: Clock) -> Tokens:
    """Return the place from which access tokens come, according to the arguments."""
    for secret in (settings.access_token, settings.password, settings.otp_secret):
        cloud.redact.add_secret(secret)
    if settings.access_token is not None:
        return Tokens(settings.access_token)
    if settings.token_file is not None:
        return TokenFile(settings, clock, cloud.redact)
    return Login(settings, cloud, clock)


# ---------------------------------------------------------------------- events


class StreamParser:
    """Turn the bytes of an event stream into events (endpoints.yml: sse_wire_format)."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that are complete after the next bytes of the stream.

        :raises StreamLostError: if an event is too large.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            event = self._feed_line(line.removesuffix(b"\r").decode("utf-8", errors="replace"))
            if event is not None:
                yield event
        if len(self._rest) + self._size > MAX_EVENT_BYTES:
            cause = f"the cloud sent an event of more than {MAX_EVENT_BYTES} bytes"
            raise StreamLostError(cause)

    def _feed_line(self, line: str) -> Event | None:
        """Return the event that a line completes, if it is the empty line at the end of an event."""
        key, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            self._name = value
        elif key == "data":
            self._data.append(value)
            self._size += len(line)
        if line:
            return None
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        return build_event(name, "\n".join(data)) if name and data else None


def build_event(name: str, text: str) -> Event:
    """Return an event of the cloud.

    :param text: the line after ``data:``, which is a JSON object.
    """
    fields = None
    with contextlib.suppress(ValueError, RecursionError):
        fields = json.loads(text)
    fields = fields if isinstance(fields, dict) else {"data": text}
    raw = fields.get("data")
    raw = raw if raw is None or isinstance(raw, str) else json.dumps(raw)
    raw = None if raw is None else replace_surrogates(raw)
    published_at = fields.get("published_at")
    device = fields.get("coreid")
    particle = {
        "kind": "event",
        "name": name,
        # The cloud has sent the words with and without a blank at their end (endpoints.yml: special_events).
        "data": raw.strip() if raw is not None and name == FLASH_STATUS else raw,
        "json": None if raw is None else parse_data(raw),
        "device": device.lower() if isinstance(device, str) and DEVICE_ID.match(device) else None,
        "published_at": replace_surrogates(published_at) if isinstance(published_at, str) else None,
        "product": parse_number(fields.get("productID")),
        "version": parse_number(fields.get("version")),
        "raw": raw,
    }
    identity = json.dumps([particle["device"], name, particle["published_at"], raw])
    return {"particle": particle, "meta": {"uuid": str(uuid.uuid5(NAMESPACE, identity))}}


def build_notice(kind: str, text: str, since: float, until: float, **facts: Any) -> Event:
    """Return an event of the source itself, about a period in which events may be missing."""
    period = {"from": format_time(since), "to": format_time(until)}
    particle = {
        "kind": kind,
        "name": kind,
        "data": text,
        "json": {**period, **facts},
        "device": None,
        "published_at": period["to"],
        "product": None,
        "version": None,
        "raw": text,
    }
    return {"particle": particle, "meta": {"uuid": str(uuid.uuid4())}}


def parse_data(text: str) -> Any:
    """Return the JSON value of the data of an event, or ``None`` if the rule engine cannot process it."""
    value = parse_json(text)
    return value if is_processable(value, MAX_JSON_DEPTH) else None


def is_processable(value: Any, depth: int) -> bool:
    """Return whether the rule engine can process a JSON value with at most ``depth`` levels.

    After an object with an empty key, ansible-rulebook 1.3.2 ignores all further events and reports no error. Its
    actions fail if there are several hundred levels.
    """
    if isinstance(value, dict):
        return depth > 0 and "" not in value and all(is_processable(inner, depth - 1) for inner in value.values())
    if isinstance(value, list):
        return depth > 0 and all(is_processable(inner, depth - 1) for inner in value)
    return True


def parse_json(text: str) -> Any:
    """Return a JSON value, or ``None`` if ``text`` is not JSON.

    Numbers that are not finite and characters that cannot be written as UTF-8 count as invalid, because the rule engine
    cannot process them.
    """
    try:
        value = json.loads(text, parse_constant=refuse_constant, parse_float=parse_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def refuse_constant(name: str) -> float:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(name)


def parse_finite(text: str) -> float:
    """Return a number, and refuse one that is too large for a floating-point number."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def replace_surrogates(text: str) -> str:
    """Replace the characters that cannot be written as UTF-8 by question marks."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()


def parse_number(value: object) -> int | None:
    """Return a whole number, which the cloud may also send as a text, or ``None``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else None


class Repeats:
    """Recognise the events that the cloud sends twice, among the latest ones."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def is_repeated(self, event: Event) -> bool:
        """Return whether an equal event is among the latest ones, and remember the event."""
        key = event["meta"]["uuid"]
        if key in self._known:
            return True
        self._known.add(key)
        self._order.append(key)
        if len(self._order) > REMEMBERED:
            self._known.discard(self._order.popleft())
        return False


class Outbox:
    """The events that wait for the rules, oldest first."""

    def __init__(self, queue: asyncio.Queue[Event], clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._waiting: deque[Event | asyncio.Task[Event]] = deque()
        self._repeats = Repeats()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._may_pause = True
        self._dropped = 0
        self._dropping_since: float | None = None

    def add_event(self, event: Event) -> None:
        """Add an event of the cloud, unless it is a repeated one. Drop the event if too many are waiting."""
        if self._repeats.is_repeated(event):
            return
        if self._dropping_since is None and len(self._waiting) >= MAX_WAITING:
            self._dropping_since = self._clock.now()
            LOG.warning("%d events are waiting for the rules; dropping newer events.", MAX_WAITING)
        if self._dropping_since is None:
            self._append(event)
        else:
            self._dropped += 1

    def add_notice(self, notice: Event | asyncio.Task[Event]) -> None:
        """Add an event of the source itself. A task represents its result, and later events wait for it."""
        self._append(notice)

    def _append(self, item: Event | asyncio.Task[Event]) -> None:
        self._waiting.append(item)
        self._arrived.set()
        if len(self._waiting) >= MAX_WAITING // 2:
            self._has_room.clear()

    async def wait_for_room(self) -> None:
        """Wait while many events are waiting, so that the cloud sends more slowly.

        The wait is bounded. Otherwise the cloud might end a stream from which nothing is read.
        """
        if self._has_room.is_set() or not self._may_pause:
            return
        try:
            await run_within(self._clock, PAUSE_SECONDS, self._has_room.wait())
        except TimeoutError:
            self._may_pause = False

    async def send_all(self) -> None:
        """Put the events into the queue of the rule engine, without end."""
        while True:
            await self._arrived.wait()
            while self._waiting:
                item = self._waiting.popleft()
                if len(self._waiting) < MAX_WAITING // 2:
                    self._make_room()
                await self._queue.put(await item if isinstance(item, asyncio.Task) else item)
                await asyncio.sleep(0)
            self._arrived.clear()

    def _make_room(self) -> None:
        self._has_room.set()
        self._may_pause = True
        if self._dropping_since is None:
            return
        since, until = self._dropping_since, self._clock.now()
        text = (
            f"{self._dropped} events were dropped from {format_time(since)} to {format_time(until)}, because the rules "
            f"were too slow and {MAX_WAITING} events were waiting."
        )
        self.add_notice(build_notice("lag", text, since, until, dropped=self._dropped))
        LOG.warning("%s", text)
        self._dropping_since, self._dropped = None, 0


# ---------------------------------------------------------------------- streams


class Stream:
    """An open event stream. A task reads it until it ends.

    :ivar opened_at: when the stream was opened, in seconds since 1970.
    :ivar last_byte_at: when the last byte arrived, in seconds since 1970.
    :ivar heard_at: when the last byte arrived, in seconds of ``Clock.monotonic``.
    :ivar resumed_at: when reading was continued after a pause, in seconds of ``Clock.monotonic``.
    :ivar reading: the task, which ends with a ``StreamLostError``.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        outbox: Outbox,
        clock: Clock,
        *,
        prefix: tuple[str, ...] = (),
        hold: bool = False,
    ) -> None:
        self._response = response
        self._prefix = prefix
        self._outbox = outbox
        self._clock = clock
        self._held: list[Event] | None = [] if hold else None
        self.opened_at = self.last_byte_at = clock.now()
        self.opened = self.heard_at = self.resumed_at = clock.monotonic()
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        parser = StreamParser()
        while True:
            try:
                chunk = await self._response.content.readany()
            except (aiohttp.ClientError, OSError):
                cause = "the connection broke"
                raise StreamLostError(cause) from None
            if not chunk:
                cause = "the cloud closed the stream"
                raise StreamLostError(cause)
            self.last_byte_at, self.heard_at = self._clock.now(), self._clock.monotonic()
            for event in parser.feed(chunk):
                self._pass_on(event)
            await self._outbox.wait_for_room()
            self.resumed_at = self._clock.monotonic()

    def _pass_on(self, event: Event) -> None:
        if self._prefix and not event["particle"]["name"].startswith(self._prefix):
            return
        if self._held is None:
            self._outbox.add_event(event)
        else:
            self._held.append(event)

    def release(self) -> None:
        """Pass on the events that were held, and hold no more events."""
        held, self._held = self._held or [], None
        for event in held:
            self._outbox.add_event(event)

    async def close(self) -> None:
        """Close the connection, and end the task."""
        await end_tasks(self.reading)
        self._response.close()


@dataclass
class Loss:
    """The period that began when the last byte arrived.

    :param since: seconds since 1970.
    :param heard_at: seconds of ``Clock.monotonic``.
    """

    since: float
    heard_at: float
    cause: str


class Source:
    """Keep one event stream open."""

    def __init__(self, settings: Settings, cloud: Cloud, tokens: Tokens, outbox: Outbox, clock: Clock) -> None:
        self._settings = settings
        self._cloud = cloud
        self._tokens = tokens
        self._outbox = outbox
        self._clock = clock
        self._stream: Stream | None = None
        self._catching_up: set[asyncio.Task[Event]] = set()
        self._backoff = FIRST_BACKOFF

    async def run(self) -> None:
        """Receive events without end, and open a new stream whenever the current one is lost.

        :raises EventsError: if the cloud refuses the stream or the login.
        """
        loss: Loss | None = None
        pause = 0.0
        while True:
            begun = Loss(self._clock.now(), self._clock.monotonic(), "")
            try:
                self._stream = await self._open()
                if loss is not None:
                    self._report_gap(loss, self._stream)
                loss = None
                await self._follow()
            except StreamLostError as error:
                if self._stream is not None:
                    begun = Loss(self._stream.last_byte_at, self._stream.heard_at, "")
                loss = loss or Loss(begun.since, begun.heard_at, str(error))
                pause = self._next_backoff(error)
                LOG.warning("The event stream of %s is lost: %s.", self._settings.subject, error)
            except EventsError as error:
                if loss is None:
                    raise
                message = f"{error} Events are missing since {format_time(loss.since)}."
                raise EventsError(message) from None
            finally:
                await self._close_stream()
            await self._clock.sleep(pause)

    async def close(self) -> None:
        """End all tasks of the source."""
        await self._close_stream()
        await end_tasks(*self._catching_up)

    async def _close_stream(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.close()

    def _next_backoff(self, error: StreamLostError) -> float:
        """Return the number of seconds to wait before the next attempt, and double it for the attempt after that."""
        if self._stream is not None and self._clock.monotonic() - self._stream.opened >= STABLE_SECONDS:
            self._backoff = FIRST_BACKOFF
        longest = min(self._backoff, self._settings.max_backoff)
        self._backoff = min(2 * longest, self._settings.max_backoff)
        # Sources that lose their streams at the same moment must not all return at the same moment.
        return max(RANDOM.uniform(longest / 2, longest), error.pause)

    async def _open(self, *, hold: bool = False) -> Stream:
        """Open a stream. If the cloud refuses the access token, try another one once, if there is another one."""
        token = await self._tokens.get()
        try:
            response = await self._cloud.open_stream(token)
        except TokenRefusedError:
            other = await self._tokens.replace(token)
            if other is None:
                raise
            response = await self._cloud.open_stream(other)
        LOG.info("The event stream of %s is open.", self._settings.subject)
        return Stream(response, self._outbox, self._clock, prefix=self._settings.prefix, hold=hold)

    async def _follow(self) -> None:
        """Wait until the stream is lost. Replace it before its access token expires.

        :raises StreamLostError: always.
        """
        while self._stream is not None:
            now = self._clock.monotonic()
            deaf_at = max(self._stream.heard_at, self._stream.resumed_at) + self._settings.silence
            if self._stream.reading.done():
                self._stream.reading.result()
            if now >= deaf_at:
                cause = f"the cloud sent nothing for {self._settings.silence:g} seconds"
                raise StreamLostError(cause)
            if now >= self._tokens.renew_at:
                await self._renew(self._stream)
                continue
            await self._wait(self._stream, min(deaf_at, self._tokens.renew_at) - now)

    async def _wait(self, stream: Stream, seconds: float) -> None:
        """Wait until a stream ends, at most for a number of seconds."""
        with contextlib.suppress(TimeoutError):
            await run_within(self._clock, seconds, wait_until_done(stream.reading))

    async def _renew(self, old: Stream) -> None:
        """Open a stream with a new access token, and close the old stream only then, so that no event is missed.

        It is not known what the cloud does with an open stream whose access token expires (firmware-and-events.md,
        section 6). While both streams are open, the events of the new one are held, so that their order is kept.
        """
        try:
            await self._tokens.renew()
            new = await self._open(hold=True)
        except StreamLostError as error:
            LOG.warning("The access token of the event source could not be renewed: %s.", error)
            self._tokens.renew_at = self._clock.monotonic() + max(RETRY_RENEWAL, error.pause)
            return
        self._stream = new
        try:
            await self._wait(old, OVERLAP_SECONDS)
        finally:
            await old.close()
        if old.heard_at < new.opened:
            self._report_gap(Loss(old.last_byte_at, old.heard_at, "the stream had ended unnoticed"), new)
        new.release()
        # A cloud may end the streams of a revoked access token, so revoke it only now.
        await self._tokens.retire()

    def _report_gap(self, loss: Loss, stream: Stream) -> None:
        """Add an event of kind ``gap``, with the device list if it is wanted."""
        text = (
            f"Events from {format_time(loss.since)} to {format_time(stream.opened_at)} may be missing, because "
            f"{loss.cause}."
        )
        LOG.warning("%s", text)
        facts = {
            "seconds": round(stream.opened - loss.heard_at, 3),
            "cause": loss.cause,
            "prefix": list(self._settings.prefix),
            "devices": None,
        }
        notice = build_notice("gap", text, loss.since, stream.opened_at, **facts)
        if not self._settings.catch_up:
            self._outbox.add_notice(notice)
            return
        task = asyncio.ensure_future(self._catch_up(notice))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)
        self._outbox.add_notice(task)

    async def _catch_up(self, notice: Event) -> Event:
        """Return the notice about a gap, with the device list if it can be read."""
        try:
            notice["particle"]["json"]["devices"] = await self._list_devices()
        except (StreamLostError, EventsError) as error:
            LOG.warning("The device list after a gap could not be read: %s", error)
        return notice

    async def _list_devices(self) -> list[Event]:
        """Return the current devices (endpoints.yml: devices_list, device_get, product_devices_list)."""
        settings = self._settings
        path = f"{settings.owner_path}/devices"
        if settings.device is not None:
            return select_fields([await self._read(f"{path}/{quote(settings.device)}")])
        if settings.product is None:
            return select_fields(await self._read(path))
        devices: list[Event] = []
        for page in range(1, MAX_PAGES + 1):
            data = await self._read(f"{path}?page={page}&perPage={PAGE_SIZE}&sortAttr=deviceId")
            found = select_fields(data.get("devices") if isinstance(data, dict) else None)
            devices += found
            meta = data.get("meta")
            pages = meta.get("total_pages") if isinstance(meta, dict) else None
            if not found or not isinstance(pages, int) or page >= pages:
                break
        return devices

    async def _read(self, path: str) -> Any:
        answer = await self._cloud.send("GET", path, bearer(await self._tokens.get()))
        if answer.status != OK:
            raise self._cloud.explain(answer, "read the device list")
        return parse_json(answer.body.decode("utf-8", errors="replace"))


async def wait_until_done(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, without its result."""
    await asyncio.wait({task})


def select_fields(rows: object) -> list[Event]:
    """Return the state of devices from the rows of a device list, without details such as addresses.

    :raises StreamLostError: if the response of the cloud contained no such rows.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        cause = "the response contains no device list"
        raise StreamLostError(cause)
    return [{name: row[name] for name in DEVICE_FIELDS if name in row} for row in rows]


# ---------------------------------------------------------------------- entry points


async def main(queue: asyncio.Queue[Event], args: dict[str, Any], clock: Clock | None = None) -> None:
    """Receive events, and put them into the queue of the rule engine. Never return.

    :param args: the options, see DOCUMENTATION.
    :param clock: another clock, for tests.
    :raises ValueError: with all mistakes in the options.
    :raises EventsError: if the cloud refuses the stream or the login.
    """
    settings = read_settings(args)
    clock = clock or Clock()
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None, sock_read=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        cloud = Cloud(settings, session, clock)
        tokens = build_tokens(settings, cloud, clock)
        outbox = Outbox(queue, clock)
        source = Source(settings, cloud, tokens, outbox, clock)
        tasks = (asyncio.ensure_future(source.run()), asyncio.ensure_future(outbox.send_all()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            await end_tasks(*tasks)
            await source.close()
            cloud.close()
            await tokens.close()


class PrintingQueue(asyncio.Queue[Event]):
    """A queue that prints each event as a line of JSON."""

    async def put(self, item: Event) -> None:
        """Print an event."""
        sys.stdout.write(json.dumps(item) + "\n")
        sys.stdout.flush()


def print_events(arguments: list[str]) -> int:
    """Print events until Ctrl-C is pressed: ``events.py product=field-logger prefix=spark/status``.

    Credentials come from the environment variables PARTICLE_ACCESS_TOKEN, PARTICLE_TOKEN_FILE, PARTICLE_USERNAME,
    PARTICLE_PASSWORD and PARTICLE_OTP_SECRET, because other users can see the arguments of a program.
    """
    if not all("=" in argument for argument in arguments):
        sys.stderr.write("Usage: events.py [OPTION=VALUE ...], for example: events.py product=field-logger\n")
        return 2
    names = ("api_url", "access_token", "token_file", "username", "password", "otp_secret")
    given = {name: os.environ.get(f"PARTICLE_{name.upper()}", "") for name in names}
    given |= dict(argument.partition("=")[::2] for argument in arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        asyncio.run(main(PrintingQueue(), given))
    except (ValueError, EventsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(print_events(sys.argv[1:]))
