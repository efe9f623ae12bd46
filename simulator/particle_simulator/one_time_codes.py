# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One-time codes of authenticator apps (RFC 6238): SHA-1, six digits, a new code every 30 seconds."""

from __future__ import annotations

import hashlib
import hmac
import struct

from particle_simulator.settings import decode_otp_secret

STEP_SECONDS = 30


def is_valid(secret: str, code: str, now: float) -> bool:
    """Return whether a code is the current code, the previous code or the next code."""
    step = int(now // STEP_SECONDS)
    return code in {_compute_code(secret, near) for near in (step - 1, step, step + 1)}


def _compute_code(secret: str, step: int) -> str:
    digest = hmac.new(decode_otp_secret(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"
