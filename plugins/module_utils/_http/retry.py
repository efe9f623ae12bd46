# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long a request that failed in passing waits before it is sent again. Private to this collection."""

from __future__ import annotations

import email.utils
import random

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_ATTEMPTS = 5
_LONGEST_PAUSE = 30.0


class Passing(Exception):
    """An attempt that failed in a way that another attempt may not; ``wait`` as the cloud asked, in seconds."""

    def __init__(
        self, error: ParticleError, *, unsent: bool, wait: float | None = None, too_fast: bool = False
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.unsent = unsent
        self.wait = wait
        self.too_fast = too_fast


class Patience:
    """After what pauses one request is sent again, and when it has been enough.

    :param doing: what the request attempts, to follow "Could not".
    :param max_wait: in seconds, the longest that one pause may be, and all together while the cloud is too busy.
    """

    def __init__(self, doing: str, max_wait: float) -> None:
        self._doing = doing
        self._max_wait = max_wait
        self._failures = 0
        self._refusals = 0
        self._waited = 0.0
        """For as long as the cloud was too busy, in seconds."""

    def pause_after(self, passing: Passing) -> float:
        """Seconds to wait before the next attempt. :raises ParticleError: when there shall be none."""
        if passing.wait is not None and passing.wait > self._max_wait:
            raise _too_long(passing.error, self._doing, passing.wait, self._max_wait) from None
        if passing.too_fast and passing.wait != 0:
            return self._pause_while_busy(passing)
        self._failures += 1
        if self._failures == _ATTEMPTS:
            raise passing.error from None
        return min(_pause(self._failures), self._max_wait) if passing.wait is None else passing.wait

    def _pause_while_busy(self, passing: Passing) -> float:
        """The cloud is busy, not broken: who is told to wait and does so has not failed, as often as it may be."""
        left = self._max_wait - self._waited
        self._refusals += 1
        pause = min(_pause(self._refusals), left) if passing.wait is None else passing.wait
        if left <= 0 or pause > left:
            raise _busy(passing.error, self._doing, self._waited, self._max_wait) from None
        self._waited += pause
        return pause


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds of a Retry-After header, in either of its two forms; ``now`` in seconds since 1970."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _pause(number: int) -> float:
    """Seconds that are ours to choose: about twice as many each time, and never the same."""
    return min(2.0 ** min(number, 10), 2 * _LONGEST_PAUSE) * random.uniform(0.25, 0.5)


def _too_long(error: ParticleError, doing: str, wait: float, max_wait: float) -> ParticleError:
    return ParticleError(
        "rate_limited",
        f"Could not {doing}: the cloud asks to wait {wait:.0f} seconds, longer than max_wait ({max_wait:g}).",
        status=error.status,
        route=error.route,
    )


def _busy(error: ParticleError, doing: str, waited: float, max_wait: float) -> ParticleError:
    return ParticleError(
        "rate_limited",
        f"Could not {doing}: the cloud is too busy, and still was after {waited:.0f} seconds of waiting. "
        f"All waits for one request may last max_wait ({max_wait:g}).",
        status=error.status,
        route=error.route,
    )
