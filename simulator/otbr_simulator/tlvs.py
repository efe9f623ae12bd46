# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Datasets as TLVs: lists of a type, a length and a value, in the order in which they were written.

The border router stores datasets in this form, so that TLVs without a JSON field survive, for example the wake-up
channel (otbr-rest.md, section 3.1).
"""

from __future__ import annotations

from otbr_simulator.errors import Refusal

CHANNEL = 0x00
PAN_ID = 0x01
EXTENDED_PAN_ID = 0x02
NETWORK_NAME = 0x03
PSKC = 0x04
NETWORK_KEY = 0x05
MESH_LOCAL_PREFIX = 0x07
SECURITY_POLICY = 0x0C
ACTIVE_TIMESTAMP = 0x0E
PENDING_TIMESTAMP = 0x33
DELAY = 0x34
CHANNEL_MASK = 0x35
WAKEUP_CHANNEL = 0x4A

Tlvs = dict[int, bytes]
"""The values of a dataset, keyed by TLV type."""


def decode_tlvs(text: str) -> Tlvs:
    """Read TLVs in hexadecimal digits. Raise a `Refusal`: 400 for other characters, 500 for an incomplete TLV."""
    try:
        raw = bytes.fromhex(text.strip())
    except ValueError as error:
        raise Refusal(400) from error
    tlvs: Tlvs = {}
    position = 0
    while position < len(raw):
        header = raw[position : position + 2]
        if len(header) < 2 or position + 2 + header[1] > len(raw):
            raise Refusal(500)
        tlvs[header[0]] = raw[position + 2 : position + 2 + header[1]]
        position += 2 + header[1]
    return tlvs


def encode_tlvs(tlvs: Tlvs) -> str:
    """Return TLVs in hexadecimal digits, in upper case as the border router shows them."""
    raw = b"".join(bytes([kind, len(value)]) + value for kind, value in tlvs.items())
    return raw.hex().upper()


def encode_timestamp(seconds: int, ticks: int = 0, *, authoritative: bool = False) -> bytes:
    """Return a timestamp: 6 bytes of seconds, 15 bits of ticks, and the authoritative flag."""
    number = (seconds & 0xFFFFFFFFFFFF) << 16 | (ticks & 0x7FFF) << 1 | authoritative
    return number.to_bytes(8, "big")


def decode_timestamp(value: bytes) -> tuple[int, int, bool]:
    """Return the seconds, the ticks and the authoritative flag of a timestamp."""
    number = int.from_bytes(value, "big")
    return number >> 16, number >> 1 & 0x7FFF, bool(number & 1)


def encode_channel(channel: int) -> bytes:
    """Return a channel of page 0."""
    return b"\0" + channel.to_bytes(2, "big")


def decode_channel(value: bytes) -> int:
    """Return the channel without its page."""
    return int.from_bytes(value[1:], "big")


def encode_channel_mask(mask: int) -> bytes:
    """Return a channel mask of page 0. In a TLV, the first channel is the most significant bit."""
    return b"\0\4" + _reverse_bits(mask).to_bytes(4, "big")


def decode_channel_mask(value: bytes) -> int:
    """Return the channel mask as a number whose bit 11 stands for channel 11."""
    return _reverse_bits(int.from_bytes(value[2:6], "big"))


def _reverse_bits(number: int) -> int:
    return int(f"{number & 0xFFFFFFFF:032b}"[::-1], 2)
