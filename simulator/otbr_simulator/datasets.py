# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Operational datasets: their JSON form, the rules for values, and new random datasets (otbr-rest.md, section 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from random import Random
from typing import Any

from otbr_simulator import tlvs as tlv
from otbr_simulator.errors import Refusal
from otbr_simulator.tlvs import Tlvs

MAX_NAME_BYTES = 16
CHANNELS = range(11, 27)
ALL_CHANNELS_MASK = 134215680
DEFAULT_ROTATION_HOURS = 672
DEFAULT_POLICY_FLAGS = 0xF7F8

# The bit of each flag, and whether the bit is set when the flag is false.
POLICY_FLAGS: dict[str, tuple[int, bool]] = {
    "obtainNetworkKey": (1 << 15, False),
    "nativeCommissioning": (1 << 14, False),
    "routers": (1 << 13, False),
    "externalCommissioning": (1 << 12, False),
    "commercialCommissioning": (1 << 10, True),
    "autonomousEnrollment": (1 << 9, True),
    "networkKeyProvisioning": (1 << 8, True),
    "tobleLink": (1 << 7, False),
    "nonCcmRouters": (1 << 6, True),
}


def build_random_dataset(random: Random) -> Tlvs:
    """Return a complete dataset of a new network: the base of everything that a client leaves out."""
    pan_id = random.randrange(0xFFFF)
    return {
        tlv.ACTIVE_TIMESTAMP: tlv.encode_timestamp(1),
        tlv.CHANNEL: tlv.encode_channel(random.choice(CHANNELS)),
        tlv.WAKEUP_CHANNEL: tlv.encode_channel(random.choice(CHANNELS)),
        tlv.CHANNEL_MASK: tlv.encode_channel_mask(ALL_CHANNELS_MASK),
        tlv.EXTENDED_PAN_ID: random.randbytes(8),
        tlv.MESH_LOCAL_PREFIX: b"\xfd" + random.randbytes(7),
        tlv.NETWORK_KEY: random.randbytes(16),
        tlv.NETWORK_NAME: f"OpenThread-{pan_id:04x}".encode(),
        tlv.PAN_ID: pan_id.to_bytes(2, "big"),
        tlv.PSKC: random.randbytes(16),
        tlv.SECURITY_POLICY: DEFAULT_ROTATION_HOURS.to_bytes(2, "big") + DEFAULT_POLICY_FLAGS.to_bytes(2, "big"),
    }


def overlay_new_name(dataset: Tlvs, given: Tlvs) -> Tlvs:
    """Lay given TLVs over a new dataset. If no name is given, the name follows the PAN id."""
    merged = dataset | given
    if tlv.PAN_ID in given and tlv.NETWORK_NAME not in given:
        merged[tlv.NETWORK_NAME] = f"OpenThread-{int.from_bytes(merged[tlv.PAN_ID], 'big'):04x}".encode()
    return merged


# ---------------------------------------------------------------------- JSON to TLVs


def parse_json(body: bytes) -> Any:
    """Parse a JSON body. Raise a `Refusal` with status 400 if it is malformed."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refusal(400) from error


def read_active_fields(content: Any, stored: Tlvs) -> Tlvs:
    """Return the TLVs that a JSON object sets. Fields that are unknown, null or of a wrong type are ignored.

    :raises Refusal: with status 400 or 500 if a value is not allowed.
    """
    if not isinstance(content, dict):
        raise Refusal(400)
    given: Tlvs = {}
    for name, field in _FIELDS.items():
        value = content.get(name)
        if value is None:
            continue
        read = field.read(value, stored.get(field.type))
        if read is not None:
            given[field.type] = read
    return given


def read_timestamp(value: Any, stored: bytes | None = None) -> bytes:
    """Return the timestamp of a JSON object, or raise a `Refusal` with status 400 for any other value."""
    if not isinstance(value, dict):
        raise Refusal(400)
    seconds, ticks, authoritative = tlv.decode_timestamp(stored) if stored else (1, 0, False)
    if _is_number(value.get("seconds")):
        seconds = int(value["seconds"])
    if _is_number(value.get("ticks")):
        ticks = int(value["ticks"])
    if isinstance(value.get("authoritative"), bool):
        authoritative = value["authoritative"]
    return tlv.encode_timestamp(seconds, ticks, authoritative=authoritative)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63


def _read_name(value: Any, stored: bytes | None) -> bytes | None:
    if not isinstance(value, str):
        return None
    name = value.encode("utf-8", "replace")
    if len(name) > MAX_NAME_BYTES:
        raise Refusal(400)
    return name


def _read_channel(value: Any, stored: bytes | None) -> bytes | None:
    if not _is_number(value):
        return None
    if int(value) not in CHANNELS:
        raise Refusal(500)
    return tlv.encode_channel(int(value))


def _read_channel_mask(value: Any, stored: bytes | None) -> bytes | None:
    if not _is_number(value):
        return None
    if not int(value) & ALL_CHANNELS_MASK:
        raise Refusal(500)
    return tlv.encode_channel_mask(int(value))


def _read_pan_id(value: Any, stored: bytes | None) -> bytes | None:
    """Return the lower 16 bits of the number: larger numbers are cut without an error."""
    return (int(value) & 0xFFFF).to_bytes(2, "big") if _is_number(value) else None


def _make_hex_reader(length: int) -> Callable[[Any, bytes | None], bytes | None]:
    """Build the reader of a field with a fixed number of bytes in hexadecimal digits."""

    def read_hex(value: Any, stored: bytes | None) -> bytes | None:
        if not isinstance(value, str):
            return None
        try:
            raw = bytes.fromhex(value)
        except ValueError as error:
            raise Refusal(400) from error
        if len(raw) != length or len(value) != 2 * length:
            raise Refusal(400)
        return raw

    return read_hex


def _read_prefix(value: Any, stored: bytes | None) -> bytes | None:
    """Return the first 64 bits of the prefix, whatever length it names."""
    if not isinstance(value, str):
        return None
    address, _unused, length = value.partition("/")
    try:
        packed = IPv6Address(address).packed
        int(length or "64")
    except ValueError as error:
        raise Refusal(400) from error
    return packed[:8]


def _read_policy(value: Any, stored: bytes | None) -> bytes | None:
    """Return the security policy. A flag that the object leaves out becomes false."""
    if not isinstance(value, dict):
        return None
    hours = int.from_bytes((stored or DEFAULT_ROTATION_HOURS.to_bytes(2, "big"))[:2], "big")
    if _is_number(value.get("rotationTime")):
        hours = int(value["rotationTime"]) & 0xFFFF
    flags = DEFAULT_POLICY_FLAGS & 0x0838
    for name, (bit, inverted) in POLICY_FLAGS.items():
        if (value.get(name) is True) != inverted:
            flags |= bit
    return hours.to_bytes(2, "big") + flags.to_bytes(2, "big")


# ---------------------------------------------------------------------- TLVs to JSON


def show_active(tlvs: Tlvs) -> dict[str, Any]:
    """Return a dataset as a JSON object with camelCase keys. Hexadecimal digits are in lower case."""
    return {name: field.show(tlvs[field.type]) for name, field in _FIELDS.items() if field.type in tlvs}


def show_timestamp(value: bytes) -> dict[str, Any]:
    """Return a timestamp as a JSON object."""
    seconds, ticks, authoritative = tlv.decode_timestamp(value)
    return {"seconds": seconds, "ticks": ticks, "authoritative": authoritative}


def show_name(tlvs: Tlvs) -> str:
    """Return the name of the network."""
    return tlvs.get(tlv.NETWORK_NAME, b"").decode("utf-8", "replace")


def show_prefix(value: bytes) -> str:
    """Return a mesh-local prefix as text."""
    return f"{IPv6Address(value + bytes(8))}/64"


def _show_number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _show_policy(value: bytes) -> dict[str, Any]:
    flags = int.from_bytes(value[2:4], "big")
    shown = {name: bool(flags & bit) != inverted for name, (bit, inverted) in POLICY_FLAGS.items()}
    return {"rotationTime": int.from_bytes(value[:2], "big"), **shown}


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of the JSON form. `read` receives the JSON value and the stored TLV, and returns None to ignore it."""

    type: int
    read: Callable[[Any, bytes | None], bytes | None]
    show: Callable[[bytes], Any]


_FIELDS: dict[str, _Field] = {
    "activeTimestamp": _Field(tlv.ACTIVE_TIMESTAMP, read_timestamp, show_timestamp),
    "networkKey": _Field(tlv.NETWORK_KEY, _make_hex_reader(16), bytes.hex),
    "networkName": _Field(tlv.NETWORK_NAME, _read_name, lambda value: value.decode("utf-8", "replace")),
    "extPanId": _Field(tlv.EXTENDED_PAN_ID, _make_hex_reader(8), bytes.hex),
    "meshLocalPrefix": _Field(tlv.MESH_LOCAL_PREFIX, _read_prefix, show_prefix),
    "panId": _Field(tlv.PAN_ID, _read_pan_id, _show_number),
    "channel": _Field(tlv.CHANNEL, _read_channel, tlv.decode_channel),
    "pskc": _Field(tlv.PSKC, _make_hex_reader(16), bytes.hex),
    "securityPolicy": _Field(tlv.SECURITY_POLICY, _read_policy, _show_policy),
    "channelMask": _Field(tlv.CHANNEL_MASK, _read_channel_mask, tlv.decode_channel_mask),
}


# ---------------------------------------------------------------------- the keys of older border routers

PASCAL_EXCEPTIONS = {"pskc": "PSKc"}


def to_pascal_keys(content: Any) -> Any:
    """Return JSON data with the keys of border routers before September 2025 (otbr-rest.md, section 1)."""
    if isinstance(content, list):
        return [to_pascal_keys(each) for each in content]
    if not isinstance(content, dict):
        return content
    return {_to_pascal(name): to_pascal_keys(value) for name, value in content.items()}


def from_pascal_keys(content: Any) -> Any:
    """Return JSON data of an old client with camelCase keys. Keys in camelCase are unknown to old border routers."""
    if not isinstance(content, dict):
        return content
    return {
        _to_camel(name): from_pascal_keys(value)
        for name, value in content.items()
        if _to_pascal(_to_camel(name)) == name
    }


def _to_pascal(name: str) -> str:
    return PASCAL_EXCEPTIONS.get(name, name[:1].upper() + name[1:])


def _to_camel(name: str) -> str:
    return next((camel for camel, pascal in PASCAL_EXCEPTIONS.items() if pascal == name), name[:1].lower() + name[1:])
