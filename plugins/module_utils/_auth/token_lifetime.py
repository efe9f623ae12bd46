# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the lifetime of an access token with the requested lifetime. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_seconds_until
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY

DEFAULT_LIFETIME = 90 * DAY
"""The number of seconds for which a token is valid if no lifetime is requested, or if the cloud ignores the request
(errors-and-limits.md, section 4).
"""

MAX_FACTOR = 2.0
"""A lifetime fits if it is at most this many times as long, and at least this fraction of, the requested lifetime."""

_FOR_EVER = float("inf")


def compute_requested_seconds(lifetime: Mapping[str, str], now: float) -> float | None:
    """Return the requested lifetime of a token in seconds.

    :param lifetime: the form fields that request the lifetime, such as ``{"expires_in": "3600"}``.
    :param now: seconds since 1970.
    :returns: infinity for a token that never expires; ``None`` if the cloud is to choose the lifetime.
    """
    if "expires_at" in lifetime:
        left = compute_seconds_until(lifetime["expires_at"], now)
        return None if left is None else max(0.0, left)
    if "expires_in" not in lifetime:
        return None
    return float(lifetime["expires_in"]) or _FOR_EVER


def fits_request(entry: Mapping[str, Any], lifetime: Mapping[str, str], now: float) -> bool:
    """Return whether a stored token lives about as long as a task requests.

    A token that was obtained by the same request always fits, even if the cloud chose another lifetime. Otherwise, each
    run would replace the token.

    :param entry: the entry of the token in the token file.
    :param lifetime: the form fields of the task, such as ``{"expires_in": "3600"}``.
    :param now: seconds since 1970.
    """
    requested = compute_requested_seconds(lifetime, now)
    if requested is None or entry.get("requested") == dict(lifetime):
        return True
    left = compute_seconds_until(entry.get("expires_at"), now)
    if (_FOR_EVER if left is None else left) > MAX_FACTOR * requested:
        return False
    granted = entry.get("expires_in")
    return granted is None or (granted or _FOR_EVER) * MAX_FACTOR >= requested


def describe_other_lifetime(expires_in: int | None, lifetime: Mapping[str, str], now: float) -> str | None:
    """Return a warning if the cloud has granted a token with a lifetime that is far from the requested one.

    :param expires_in: the granted lifetime in seconds; 0 if the token never expires, ``None`` if not known.
    """
    requested = compute_requested_seconds(lifetime, now)
    if requested is None or expires_in is None:
        return None
    granted = expires_in or _FOR_EVER
    if granted <= MAX_FACTOR * requested and granted * MAX_FACTOR >= requested:
        return None
    wanted = _describe(requested)
    return f"The cloud has granted a token that {_describe(granted)}, but the task requests one that {wanted}."


def _describe(seconds: float) -> str:
    return "never expires" if seconds == _FOR_EVER else f"expires in {seconds:.0f} seconds"
