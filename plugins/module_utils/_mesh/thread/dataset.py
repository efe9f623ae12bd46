# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, compare and change the dataset of a Thread network. Private to this collection.

The dataset holds the radio settings and the keys of a network. This module sends no requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

CHANNEL, PAN_ID, EXTENDED_PAN_ID, NETWORK_NAME, PSKC, NETWORK_KEY = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05
MESH_PREFIX, SECURITY_POLICY, ACTIVE_TIMESTAMP, CHANNEL_MASK = 0x07, 0x0C, 0x0E, 0x35
_REQUIRED_TYPES = (
    *(CHANNEL, PAN_ID, EXTENDED_PAN_ID, NETWORK_NAME, PSKC, NETWORK_KEY),
    *(MESH_PREFIX, SECURITY_POLICY, ACTIVE_TIMESTAMP, CHANNEL_MASK),
)
_SECRET_TYPES = (PSKC, NETWORK_KEY)

# The key of each parameter in the JSON form of a dataset (otbr-rest.md, section 3.1).
JSON_KEYS: Mapping[str, str] = {
    "channel": "channel",
    "pan_id": "panId",
    "network_name": "networkName",
    "extended_pan_id": "extPanId",
    "network_key": "networkKey",
}
CHANGEABLE = ("channel", "pan_id", "network_name")
"""The parameters that members take over while they stay in the network."""

_OLD_NAMES = {"pskc": "PSKc"}


def normalize_keys(value: Any) -> Any:
    """Return ``value`` with all keys in the style of current border routers.

    Older border routers begin each key with a capital letter (otbr-rest.md, section 1).
    """
    if isinstance(value, Mapping):
        old = {old: new for new, old in _OLD_NAMES.items()}
        return {old.get(key, key[:1].lower() + key[1:]): normalize_keys(item) for key, item in value.items()}
    return value


def convert_to_old_keys(value: Any) -> Any:
    """Return ``value`` with all keys in the style of older border routers."""
    if isinstance(value, Mapping):
        return {
            _OLD_NAMES.get(key, key[:1].upper() + key[1:]): convert_to_old_keys(item) for key, item in value.items()
        }
    return value


@dataclass(frozen=True)
class Dataset:
    """The dataset that a border router uses.

    :param values: the JSON form of the dataset. It holds the keys of the network.
    """

    values: Mapping[str, Any] = field(repr=False)

    @property
    def extended_pan_id(self) -> str:
        """Return the id of the network, which never changes."""
        return str(self.values.get("extPanId", "")).lower()

    @property
    def name(self) -> str:
        """Return the name of the network."""
        return str(self.values.get("networkName", ""))

    def list_secrets(self) -> list[str]:
        """Return the keys of the network in both spellings of hexadecimal digits."""
        found = [str(self.values[key]) for key in ("networkKey", "pskc") if self.values.get(key)]
        return [spelling for secret in found for spelling in (secret, secret.lower(), secret.upper())]

    def show(self) -> dict[str, Any]:
        """Return the settings that are not secret, for a result."""
        pan_id = self.values.get("panId")
        return {
            "network_name": self.name,
            "channel": self.values.get("channel"),
            "pan_id": f"{pan_id:04X}" if isinstance(pan_id, int) else None,
            "extended_pan_id": self.extended_pan_id,
        }


@dataclass(frozen=True)
class Pending:
    """A changed dataset that has not taken effect yet.

    :param delay: the number of seconds until the dataset takes effect.
    """

    dataset: Dataset
    delay: float


def encode_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return declared parameters in the JSON form of a dataset."""
    found = {JSON_KEYS[name]: value for name, value in parameters.items()}
    if "panId" in found:
        found["panId"] = int(found["panId"], 16)
    for key in ("extPanId", "networkKey"):
        if key in found:
            found[key] = str(found[key]).strip().lower().removeprefix("0x")
    return found


def find_differences(parameters: Mapping[str, Any], dataset: Dataset) -> list[str]:
    """Return the names of the declared parameters that have another value in a dataset."""
    wanted = encode_parameters(parameters)

    def fold(value: Any, name: str) -> Any:
        return value.lower() if isinstance(value, str) and name != "network_name" else value

    return [
        name
        for name, key in JSON_KEYS.items()
        if key in wanted and fold(dataset.values.get(key), name) != fold(wanted[key], name)
    ]


def split_tlvs(text: str) -> Iterator[tuple[int, bytes]]:
    """Return the type and the value of each field of a dataset in its binary form.

    :param text: the binary form in hexadecimal digits.
    :raises ParticleError: ``bad_response`` when a field is incomplete. The message does not show the text.
    """
    try:
        data = bytes.fromhex(text.strip())
    except ValueError:
        data = b"\0"
    at = 0
    while at < len(data):
        end = at + 2 + data[at + 1] if at + 1 < len(data) else len(data) + 1
        if end > len(data):
            raise ParticleError("bad_response", "The border router sent a dataset that is not complete.")
        yield data[at], data[at + 2 : end]
        at = end


def check_complete(text: str) -> None:
    """Check that the binary form of a dataset has all fields of a network.

    A border router would fill in each missing field at random, which destroys the network (otbr-rest.md, section 3.3).

    :raises ParticleError: ``bad_response`` when a field is missing.
    """
    found = {kind for kind, _value in split_tlvs(text)}
    if not found.issuperset(_REQUIRED_TYPES):
        raise ParticleError("bad_response", "The border router sent a dataset that is not complete.")


def list_tlv_secrets(text: str) -> list[str]:
    """Return the keys in the binary form of a dataset, and the binary form itself."""
    keys = [value.hex() for kind, value in split_tlvs(text) if kind in _SECRET_TYPES]
    return [spelling for secret in (*keys, text.strip()) for spelling in (secret.lower(), secret.upper())]


def change_tlvs(text: str, parameters: Mapping[str, Any]) -> str:
    """Return the binary form of a dataset with other parameters and a later timestamp.

    All other fields stay, including fields that the JSON form lacks (otbr-rest.md, section 3.3). A pending dataset
    that lacks a field would replace this field by a random value.

    :param parameters: the new values of some of :data:`CHANGEABLE`.
    """
    fields = dict(split_tlvs(text))
    wanted = encode_parameters(parameters)
    if "channel" in wanted:
        page = fields.get(CHANNEL, b"\0")[:1]
        fields[CHANNEL] = page + int(wanted["channel"]).to_bytes(2, "big")
    if "panId" in wanted:
        fields[PAN_ID] = int(wanted["panId"]).to_bytes(2, "big")
    if "networkName" in wanted:
        fields[NETWORK_NAME] = str(wanted["networkName"]).encode()
    stamp = fields.get(ACTIVE_TIMESTAMP, bytes(8))
    fields[ACTIVE_TIMESTAMP] = (int.from_bytes(stamp[:6], "big") + 1).to_bytes(6, "big") + bytes(2)
    return b"".join(bytes((kind, len(value))) + value for kind, value in fields.items()).hex()


def read_seconds(text: str) -> int:
    """Return the seconds of the timestamp in the binary form of a dataset."""
    return int.from_bytes(dict(split_tlvs(text)).get(ACTIVE_TIMESTAMP, bytes(8))[:6], "big")
