# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A dataset is compared with its declaration, and changed as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import (
    ACTIVE_TIMESTAMP,
    CHANNEL,
    CHANNEL_MASK,
    EXTENDED_PAN_ID,
    MESH_PREFIX,
    NETWORK_KEY,
    NETWORK_NAME,
    PAN_ID,
    PSKC,
    SECURITY_POLICY,
    Dataset,
    change_tlvs,
    check_complete,
    convert_to_old_keys,
    encode_parameters,
    find_differences,
    list_tlv_secrets,
    normalize_keys,
    read_seconds,
    split_tlvs,
)

KEY, PSKC_VALUE = "00112233445566778899AABBCCDDEEFF", "ffeeddccbbaa99887766554433221100"
WAKE_UP_CHANNEL = 0x4A
FIELDS = {
    ACTIVE_TIMESTAMP: (7).to_bytes(6, "big") + bytes(2),
    CHANNEL: bytes([0, 0, 15]),
    WAKE_UP_CHANNEL: bytes([0, 0, 19]),
    PAN_ID: bytes.fromhex("4f2a"),
    NETWORK_NAME: b"barn",
    NETWORK_KEY: bytes.fromhex(KEY),
    PSKC: bytes.fromhex(PSKC_VALUE),
}


def encode_fields(fields: Mapping[int, bytes]) -> str:
    """Return the binary form of a dataset in hexadecimal digits."""
    return b"".join(bytes((kind, len(value))) + value for kind, value in fields.items()).hex()


TLVS = encode_fields(FIELDS).upper()
VALUES = {"networkName": "barn", "channel": 15, "panId": 0x4F2A, "extPanId": "AABB112233445566", "networkKey": KEY}


def test_change_replaces_only_the_declared_fields_and_the_timestamp() -> None:
    changed = dict(split_tlvs(change_tlvs(TLVS, {"channel": 21, "network_name": "yard"})))
    expected = {CHANNEL: bytes([0, 0, 21]), NETWORK_NAME: b"yard", ACTIVE_TIMESTAMP: (8).to_bytes(6, "big") + bytes(2)}
    assert changed == {**FIELDS, **expected}


@given(seconds=st.integers(0, 2**40), others=st.dictionaries(st.integers(0x40, 0x7F), st.binary(max_size=40)))
def test_change_keeps_unknown_fields_and_raises_the_timestamp(seconds: int, others: dict[int, bytes]) -> None:
    fields = {**others, ACTIVE_TIMESTAMP: seconds.to_bytes(6, "big") + b"\x00\x01"}
    text = encode_fields(fields)
    changed = change_tlvs(text, {"pan_id": "0x1234"})
    assert read_seconds(changed) == seconds + 1
    assert {kind: value for kind, value in split_tlvs(changed) if kind in others} == others


@pytest.mark.parametrize("text", ["0", "zz", "00", "000300", "0005aa"])
def test_incomplete_dataset_is_an_error_without_its_text(text: str) -> None:
    with pytest.raises(ParticleError) as caught:
        list(split_tlvs(text))
    assert caught.value.code == "bad_response"
    assert text not in caught.value.message


def test_dataset_that_lacks_a_field_is_not_sent() -> None:
    fields = {**FIELDS, EXTENDED_PAN_ID: bytes(8), MESH_PREFIX: bytes(8), SECURITY_POLICY: bytes(4)}
    fields[CHANNEL_MASK] = bytes(6)
    del fields[WAKE_UP_CHANNEL]
    check_complete(encode_fields(fields))
    for kind in fields:
        with pytest.raises(ParticleError) as caught:
            check_complete(encode_fields({other: value for other, value in fields.items() if other != kind}))
        assert caught.value.code == "bad_response"
        assert caught.value.message == "The border router sent a dataset that is not complete."


def test_secrets_of_a_binary_dataset_are_its_keys_and_itself() -> None:
    secrets = list_tlv_secrets(TLVS)
    assert {KEY, KEY.lower(), PSKC_VALUE, TLVS, TLVS.lower()} <= set(secrets)


def test_secrets_are_not_shown() -> None:
    dataset = Dataset({**VALUES, "pskc": PSKC_VALUE})
    shown = {"network_name": "barn", "channel": 15, "pan_id": "4F2A", "extended_pan_id": "aabb112233445566"}
    assert dataset.show() == shown
    assert KEY not in repr(dataset)
    assert {KEY, KEY.lower(), PSKC_VALUE} <= set(dataset.list_secrets())


@pytest.mark.parametrize(
    ("parameters", "differing"),
    [
        ({}, []),
        ({"channel": 15, "pan_id": "4f2a", "network_name": "barn", "network_key": KEY.lower()}, []),
        ({"extended_pan_id": "aabb112233445566", "pan_id": "0x4F2A"}, []),
        ({"channel": 16, "network_name": "Barn"}, ["channel", "network_name"]),
        ({"network_key": PSKC_VALUE, "extended_pan_id": "0000000000000001"}, ["extended_pan_id", "network_key"]),
    ],
)
def test_only_declared_parameters_are_compared(parameters: dict[str, object], differing: list[str]) -> None:
    assert find_differences(parameters, Dataset(VALUES)) == differing


def test_declared_parameters_take_the_form_of_the_border_router() -> None:
    assert encode_parameters({"pan_id": "00ff", "channel": 11, "extended_pan_id": "0xAABB112233445566"}) == {
        "panId": 255,
        "channel": 11,
        "extPanId": "aabb112233445566",
    }


def test_keys_of_old_border_routers_are_understood() -> None:
    old = {"NetworkName": "barn", "PanId": 1, "PSKc": PSKC_VALUE, "ActiveTimestamp": {"Seconds": 7}}
    new = {"networkName": "barn", "panId": 1, "pskc": PSKC_VALUE, "activeTimestamp": {"seconds": 7}}
    assert normalize_keys(old) == new
    assert convert_to_old_keys(new) == old
