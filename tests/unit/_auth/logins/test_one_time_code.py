# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the computation of one-time codes from the secret of an authenticator app."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.one_time_code import (
    PERIOD,
    compute_code,
    decode_secret,
    find_period,
)

KEY = b"12345678901234567890"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("time", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_match_the_test_vectors_of_rfc_6238(time: int, code: str) -> None:
    """Compare with RFC 6238, appendix B: these are the last six of its eight digits."""
    assert compute_code(SECRET, find_period(time)) == code


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        SECRET.lower(),
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ",
        f"  {SECRET}\n",
        f"{SECRET[:16]}\t{SECRET[16:]}",
        f"{SECRET}====",
    ],
)
def test_secret_is_decoded_in_all_common_spellings(spelling: str) -> None:
    assert decode_secret(spelling) == KEY


@pytest.mark.parametrize(("secret", "key"), [("ME", b"a"), ("MFRA", b"ab"), ("MFRGG", b"abc"), ("MFRGGZA=", b"abcd")])
def test_missing_padding_is_added(secret: str, key: bytes) -> None:
    assert decode_secret(secret) == key


@pytest.mark.parametrize("secret", ["", " ", "====", "- -", "A", "ABC", "not base32!", "GEZDGNB1", "GEZDGNB8", "é" * 8])
def test_invalid_secret_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match=r"the secret is|ASCII") as caught:
        compute_code(secret, 0)
    assert len(secret.strip()) < 4 or secret not in str(caught.value)


@given(st.binary(min_size=1, max_size=64), st.integers(min_value=1, max_value=8), st.booleans())
def test_any_key_is_decoded_from_any_spelling(key: bytes, group: int, lower: bool) -> None:
    text = base64.b32encode(key).decode().rstrip("=")
    spelling = " ".join(text[start : start + group] for start in range(0, len(text), group))
    assert decode_secret(spelling.lower() if lower else spelling) == key


@given(st.binary(min_size=1, max_size=64), st.integers(min_value=0, max_value=2**40))
def test_code_always_has_six_digits(key: bytes, period: int) -> None:
    code = compute_code(base64.b32encode(key).decode(), period)
    assert len(code) == 6
    assert code.isascii()
    assert code.isdigit()


@given(st.integers(min_value=0, max_value=2**31))
def test_period_includes_its_start_and_excludes_its_end(period: int) -> None:
    assert find_period(period * PERIOD) == period
    assert find_period((period + 1) * PERIOD - 0.001) == period
