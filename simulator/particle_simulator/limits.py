# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The rate limits of the cloud: sliding windows, concurrent streams, and the lockout after refused logins.

The documented response is 429 with `rate_limit_exceeded`. (The documentation mentions 529 once, for streams.) The
response has no Retry-After header, because the documentation does not mention this header. A window counts only the
requests that the window allows.
"""

from __future__ import annotations

from array import array
from collections import Counter

from particle_simulator.errors import NO_STORE, Refusal
from particle_simulator.routing import Route

FIVE_MINUTES = 300.0
HOUR = 3600.0
MAX_REQUESTS = 10_000
MAX_SPECIAL_REQUESTS = 100
MAX_LOOKUPS = 50
MAX_STREAMS = 100
MAX_REFUSALS = 10
LOCKOUT_SECONDS = 1800.0

TOKEN_ROUTE = "token_password"
LOOKUP_ROUTE = "serial_number_lookup"
STREAM_ROUTES = frozenset({"events_all", "events_mine", "events_device", "events_product"})
WINDOW_OF: dict[str, str] = {
    TOKEN_ROUTE: "token grants",
    "token_list_legacy": "token listing",
    "token_revoke_one": "token deletion",
    "user_create": "user creation",
    "user_delete": "user deletion",
    "user_password_reset": "password reset",
    **dict.fromkeys(STREAM_ROUTES, "stream opens"),
}
"""The names of the special windows, keyed by endpoint id.

A special window allows 100 requests in 5 minutes.
"""


def rate_limit_exceeded() -> Refusal:
    """Build the `Refusal` for too many requests."""
    return Refusal(429, {"error": "rate_limit_exceeded"}, NO_STORE)


class Window:
    """A sliding window, which allows at most `size` requests within any period of `seconds`.

    The times of the latest requests are stored in a ring buffer.
    """

    __slots__ = ("_next", "_ring", "_seconds")

    def __init__(self, size: int, seconds: float) -> None:
        self._ring = array("d", bytes(8 * size))
        self._next = 0
        self._seconds = seconds

    def take(self, now: float) -> bool:
        """Return whether the window allows a request now. Count the request if it is allowed."""
        at = self._next
        if self._ring[at] > now - self._seconds:
            return False
        self._ring[at] = now
        self._next = at + 1 if at + 1 < len(self._ring) else 0
        return True


class Lockout:
    """The lockout of client addresses. Ten refused token requests in a row lock an address out for half an hour.

    The lockout does not depend on the option `--limits`. Inferred: only the token route is locked, because the
    documentation mentions the lockout only for this route.
    """

    def __init__(self) -> None:
        self._refused: Counter[str] = Counter()
        self._until: dict[str, float] = {}

    def is_locked(self, address: str, now: float) -> bool:
        """Return whether an address is locked out."""
        until = self._until.get(address)
        if until is None:
            return False
        if until > now:
            return True
        del self._until[address]
        return False

    def record_answer(self, address: str, now: float, *, refused: bool) -> None:
        """Count a refused token request of an address. An accepted token request resets the count to zero."""
        if not refused:
            del self._refused[address]
            return
        self._refused[address] += 1
        if self._refused[address] >= MAX_REFUSALS:
            del self._refused[address]
            self._until[address] = now + LOCKOUT_SECONDS


class Limits:
    """The state of all limits.

    For each client address: the windows, the number of open streams and the lockout. For each account: one window.
    """

    def __init__(self, *, documented: bool) -> None:
        self.documented = documented
        self.lockout = Lockout()
        self._all: dict[str, Window] = {}
        self._special: dict[tuple[str, str], Window] = {}
        self._lookups: dict[str, Window] = {}
        self._streams: Counter[str] = Counter()

    def admit(self, route: Route | None, address: str, now: float) -> Refusal | None:
        """Count a request. Return a `Refusal` if the request exceeds a limit of its address, or None otherwise."""
        if self.documented:
            window = self._all.get(address)
            if window is None:
                window = self._all[address] = Window(MAX_REQUESTS, FIVE_MINUTES)
            if not window.take(now):
                return rate_limit_exceeded()
            name = WINDOW_OF.get(route.id) if route else None
            if name is not None and not self._window(address, name).take(now):
                return rate_limit_exceeded()
        if route is not None and route.id == TOKEN_ROUTE and self.lockout.is_locked(address, now):
            return rate_limit_exceeded()
        return None

    def _window(self, address: str, name: str) -> Window:
        return self._special.setdefault((address, name), Window(MAX_SPECIAL_REQUESTS, FIVE_MINUTES))

    def admit_account(self, route: Route, username: str, now: float) -> None:
        """Check the limit for lookups of serial numbers. Raise a `Refusal` if the account has exceeded this limit.

        This limit is the only limit per account.
        """
        if self.documented and route.id == LOOKUP_ROUTE:
            window = self._lookups.setdefault(username, Window(MAX_LOOKUPS, HOUR))
            if not window.take(now):
                raise rate_limit_exceeded()

    def open_stream(self, address: str) -> None:
        """Count a new event stream of an address. Raise a `Refusal` if the address has too many open streams.

        The caller must call `close_stream` when the stream ends.
        """
        if self.documented and self._streams[address] >= MAX_STREAMS:
            raise rate_limit_exceeded()
        self._streams[address] += 1

    def close_stream(self, address: str) -> None:
        """Remove an ended event stream from the count of open streams of an address."""
        self._streams[address] -= 1
