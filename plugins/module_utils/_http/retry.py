# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a failed request is retried, and how long to wait before the retry. Private to this collection."""

from __future__ import annotations

import email.utils
import enum
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._http.bounded import Deadline

_MAX_ATTEMPTS = 5
_MAX_PAUSE_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 1e9
"""Upper bound of a wait, about thirty years. Longer waits are treated as equal."""


class Retry(enum.Enum):
    """The rule that says whether a failed request may be retried.

    The client does not check before a retry whether the failed request took effect.
    """

    SAFE = "safe"
    """Retry after any temporary failure, because sending the request twice has the same effect as sending it once."""
    UNSENT = "unsent"
    """Retry only if the request certainly had no effect: there was no connection, or the rate limit was exceeded."""
    NEVER = "never"
    """Do not retry, because each attempt counts, for example against the limit of refused logins."""


class Retryable(Exception):
    """An exception for a failed request. A retry of the request may succeed.

    :param error: the error to raise if the request is not retried.
    :param unsent: whether the request certainly had no effect.
    :param wait: for how many seconds the cloud asks to wait; ``None`` if the cloud names no time.
    :param rate_limited: whether the cloud refused the request because of too many requests.
    """

    def __init__(
        self, error: ParticleError, *, unsent: bool, wait: float | None = None, rate_limited: bool = False
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.error.unsent = unsent
        self.unsent = unsent
        self.wait = wait
        self.rate_limited = rate_limited


class RetryPolicy:
    """The retry state of one request. The state decides how long to wait before a retry, and when to give up.

    :param action: the attempted action, which follows "Could not" in error messages.
    :param max_wait: the maximum number of seconds for each pause before a retry. If the cloud refuses too many
        requests, all pauses for this reason together are also limited to ``max_wait`` seconds.
    :param deadline: the time that all attempts may spend on the network.
    """

    def __init__(self, action: str, max_wait: float, deadline: Deadline) -> None:
        self._doing = action
        self._max_wait = max_wait
        self.deadline = deadline
        self._failures = 0
        self._refusals = 0
        self._waited = 0.0
        """The seconds waited so far because the cloud refused too many requests."""

    def compute_pause(self, failure: Retryable) -> float:
        """Return the seconds to wait before a retry.

        The pause is at least as long as the cloud asks for, and at least as long as without such a request: a cloud
        that is overloaded may ask for no pause at all, or name a date that has passed.

        :raises ParticleError: ``rate_limited`` when the wait would be longer than ``max_wait``; the error of
            ``failure`` after the last allowed attempt, and when the deadline has passed.
        """
        if failure.wait is not None and failure.wait > self._max_wait:
            raise _build_wait_error(failure.error, self._doing, failure.wait, self._max_wait) from None
        if self.deadline.compute_left() <= 0:
            raise failure.error from None
        if failure.rate_limited:
            return self._compute_busy_pause(failure)
        self._failures += 1
        if self._failures == _MAX_ATTEMPTS:
            raise failure.error from None
        return max(min(_draw_pause(self._failures), self._max_wait), failure.wait or 0.0)

    def _compute_busy_pause(self, failure: Retryable) -> float:
        """Return the seconds to wait after the cloud refused the request because of too many requests.

        The total time of all pauses for this reason is limited. The number of attempts is not limited.

        :raises ParticleError: ``rate_limited`` when all pauses for this reason together would be longer than
            ``max_wait``.
        """
        left = self._max_wait - self._waited
        self._refusals += 1
        pause = max(min(_draw_pause(self._refusals), left), failure.wait or 0.0)
        if left <= 0 or pause > left:
            raise _build_busy_error(failure.error, self._doing, self._waited, self._max_wait) from None
        self._waited += pause
        return pause


def parse_retry_after(headers: Iterable[str], now: float) -> float | None:
    """Return the seconds to wait according to the Retry-After headers of a response.

    :param headers: the values of the headers. Each value is a number of seconds, or a date.
    :param now: seconds since 1970.
    :returns: the longest wait that a header asks for, 0 for a date that has passed; ``None`` if no header is valid.
    """
    waits = [wait for header in headers if (wait := _parse_wait(header, now)) is not None]
    return max(waits, default=None)


def _parse_wait(header: str, now: float) -> float | None:
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:20]), _LONGEST_WAIT_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(0.0, moment - now), _LONGEST_WAIT_SECONDS)


def _draw_pause(number: int) -> float:
    """Return a random pause in seconds. The pause roughly doubles with each attempt, up to a maximum.

    :param number: the number of failed attempts so far.
    """
    return min(2.0 ** min(number, 10), 2 * _MAX_PAUSE_SECONDS) * random.uniform(0.25, 0.5)


def _build_wait_error(error: ParticleError, action: str, wait: float, max_wait: float) -> ParticleError:
    """Return the error for a cloud that asks for a longer wait than ``max_wait``."""
    return ParticleError(
        "rate_limited",
        f"Could not {action}: the cloud asks to wait {wait:.0f} seconds, "
        f"but max_wait allows only {max_wait:g} seconds (HTTP {error.status}{error.quoted}).",
        status=error.status,
        route=error.route,
    )


def _build_busy_error(error: ParticleError, action: str, waited: float, max_wait: float) -> ParticleError:
    """Return the error for a cloud that refused too many requests for longer than ``max_wait``."""
    return ParticleError(
        "rate_limited",
        f"Could not {action}: the rate limit was still exceeded after {waited:.0f} seconds of waiting, "
        f"and max_wait allows only {max_wait:g} seconds for one request (HTTP {error.status}{error.quoted}).",
        status=error.status,
        route=error.route,
    )
