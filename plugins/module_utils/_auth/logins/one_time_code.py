# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute one-time codes with the algorithm of authenticator apps (RFC 6238). Private to this collection."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

PERIOD = 30
"""The number of seconds for which a one-time code is valid."""

DIGITS = 6


def decode_secret(secret: str) -> bytes:
    """Decode a base32 secret.

    The secret may contain spaces, hyphens, upper-case and lower-case letters. The padding of the secret may be missing.

    :raises ValueError: when the secret is empty or is not base32.
    """
    text = "".join(secret.split()).replace("-", "").upper().rstrip("=")
    if not text:
        raise ValueError("the secret is empty")
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ValueError("the secret is not valid base32") from None


def find_period(now: float) -> int:
    """Return the number of the 30-second period that contains ``now`` (seconds since 1970)."""
    return int(now // PERIOD)


def compute_code(secret: str, period: int) -> str:
    """Return the one-time code of a period: six digits, with leading zeros.

    :param secret: the base32 secret of the account.
    :param period: the number of a 30-second period, as returned by :func:`find_period`.
    :raises ValueError: when the secret is empty or is not base32.
    """
    digest = hmac.new(decode_secret(secret), struct.pack(">Q", period), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"
