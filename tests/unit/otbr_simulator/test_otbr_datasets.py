# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The simulated border router reads and shows datasets as real ones do (otbr-rest.md, section 3.1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otbr_simulator.tlvs import decode_tlvs, encode_tlvs


@given(st.dictionaries(st.integers(0, 254), st.binary(max_size=40), max_size=12))
def test_tlvs_survive_their_text_form(tlvs: dict[int, bytes]) -> None:
    assert decode_tlvs(encode_tlvs(tlvs)) == tlvs
    assert decode_tlvs(encode_tlvs(tlvs).lower()) == tlvs
