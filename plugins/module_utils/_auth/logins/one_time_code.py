# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time codes from a shared secret (RFC 6238, as authenticator apps compute them). Private to this collection."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

PERIOD = 30
"""Seconds for which a code is good."""

DIGITS = 6


def key_of(secret: str) -> bytes:
    """The bytes of a base32 secret as people copy it: in groups, in either case, without padding.

    :raises ValueError: when it is no base32.
    """
    text = "".join(secret.split()).replace("-", "").upper().rstrip("=")
    if not text:
        raise ValueError("the secret is empty")
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ValueError("the secret is no base32") from None


def period_at(now: float) -> int:
    """The number of the period in which ``now`` (seconds since 1970) lies."""
    return int(now // PERIOD)


def code_for(secret: str, period: int) -> str:
    """The code of a period, six digits with leading zeros. :raises ValueError: as :func:`key_of`."""
    digest = hmac.new(key_of(secret), struct.pack(">Q", period), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"
