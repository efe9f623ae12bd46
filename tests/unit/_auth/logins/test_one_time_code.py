# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One-time codes are those that an authenticator app shows."""

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
    ("moment", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(moment: int, code: str) -> None:
    """RFC 6238, appendix B, of whose eight digits these are the last six."""
    assert compute_code(SECRET, find_period(moment)) == code


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
def test_a_secret_is_taken_as_people_copy_it(spelling: str) -> None:
    assert decode_secret(spelling) == KEY


@pytest.mark.parametrize(("secret", "key"), [("ME", b"a"), ("MFRA", b"ab"), ("MFRGG", b"abc"), ("MFRGGZA=", b"abcd")])
def test_padding_is_added_where_it_is_missing(secret: str, key: bytes) -> None:
    assert decode_secret(secret) == key


@pytest.mark.parametrize("secret", ["", " ", "====", "- -", "A", "ABC", "not base32!", "GEZDGNB1", "GEZDGNB8", "é" * 8])
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match=r"the secret is|ASCII") as caught:
        compute_code(secret, 0)
    assert len(secret.strip()) < 4 or secret not in str(caught.value)


@given(st.binary(min_size=1, max_size=64), st.integers(min_value=1, max_value=8), st.booleans())
def test_every_key_survives_every_spelling(key: bytes, group: int, lower: bool) -> None:
    text = base64.b32encode(key).decode().rstrip("=")
    spelled = " ".join(text[start : start + group] for start in range(0, len(text), group))
    assert decode_secret(spelled.lower() if lower else spelled) == key


@given(st.binary(min_size=1, max_size=64), st.integers(min_value=0, max_value=2**40))
def test_a_code_always_has_six_digits(key: bytes, period: int) -> None:
    code = compute_code(base64.b32encode(key).decode(), period)
    assert len(code) == 6
    assert code.isascii()
    assert code.isdigit()


@given(st.integers(min_value=0, max_value=2**31))
def test_a_period_begins_with_its_first_moment_and_ends_before_the_next(period: int) -> None:
    assert find_period(period * PERIOD) == period
    assert find_period((period + 1) * PERIOD - 0.001) == period
