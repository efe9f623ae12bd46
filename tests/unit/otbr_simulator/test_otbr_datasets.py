# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The simulated border router reads and shows datasets as real ones do (otbr-rest.md, section 3)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otbr_simulator.datasets import read_active_fields, show_active
from otbr_simulator.tlvs import decode_tlvs, encode_tlvs
from support.otbr_client import Router

KEY = "00112233445566778899aabbccddeeff"
DISABLED_FLAGS = {"commercialCommissioning", "autonomousEnrollment", "networkKeyProvisioning", "nonCcmRouters"}


@given(st.dictionaries(st.integers(0, 254), st.binary(max_size=40), max_size=12))
def test_tlvs_survive_their_text_form(tlvs: dict[int, bytes]) -> None:
    assert decode_tlvs(encode_tlvs(tlvs)) == tlvs
    assert decode_tlvs(encode_tlvs(tlvs).lower()) == tlvs


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "networkName": st.text(max_size=4),
            "channel": st.integers(11, 26),
            "channelMask": st.integers(1, 134215680 >> 11).map(lambda bits: bits << 11),
            "panId": st.integers(0, 65535),
            "extPanId": st.binary(min_size=8, max_size=8).map(bytes.hex),
            "networkKey": st.binary(min_size=16, max_size=16).map(bytes.hex),
            "pskc": st.binary(min_size=16, max_size=16).map(bytes.hex),
            "activeTimestamp": st.fixed_dictionaries(
                {
                    "seconds": st.integers(0, 2**48 - 1),
                    "ticks": st.integers(0, 32767),
                    "authoritative": st.booleans(),
                }
            ),
        },
    )
)
def test_valid_json_dataset_is_shown_as_it_was_written(dataset: dict[str, Any]) -> None:
    assert show_active(read_active_fields(dataset, {})) == dataset


class TestNewDataset:
    """What a client leaves out of a new dataset is generated."""

    def test_left_out_fields_are_generated(self, router: Router) -> None:
        assert router.get("/node/dataset/active") is None
        assert router.put("/node/dataset/active", {}) == 201
        dataset = router.active()
        assert dataset["networkName"] == f"OpenThread-{dataset['panId']:04x}"
        assert 11 <= dataset["channel"] <= 26
        assert dataset["channelMask"] == 134215680
        assert dataset["activeTimestamp"] == {"seconds": 1, "ticks": 0, "authoritative": False}
        assert re.fullmatch(r"fd[0-9a-f:]+::/64", dataset["meshLocalPrefix"])
        assert {name for name, value in dataset["securityPolicy"].items() if value is False} == DISABLED_FLAGS
        assert dataset["securityPolicy"]["rotationTime"] == 672
        assert [len(dataset[name]) for name in ("extPanId", "networkKey", "pskc")] == [16, 32, 32]

    def test_two_new_datasets_are_different(self, router: Router) -> None:
        keys = []
        for _unused in range(2):
            router.call("DELETE", "/node")
            router.put("/node/dataset/active", {})
            keys.append(router.active()["networkKey"])
        assert keys[0] != keys[1]

    def test_changed_dataset_keeps_what_is_left_out(self, router: Router) -> None:
        router.put("/node/dataset/active", {"networkName": "barn"})
        before = router.active()
        assert router.put("/node/dataset/active", {"channel": 26}) == 200
        assert router.active() == before | {"channel": 26}

    def test_running_network_is_not_changed(self, leader: Router) -> None:
        before = leader.active()
        assert leader.put("/node/dataset/active", {"channel": 26}) == 409
        assert leader.active() == before

    def test_dataset_is_refused_while_detached(self, router: Router) -> None:
        router.put("/node/state", "enable")
        assert router.put("/node/dataset/active", {}) == 409


class TestValues:
    """The rules for each field (otbr-rest.md, section 3.1)."""

    @pytest.mark.parametrize(
        ("field", "value", "status"),
        [
            ("networkName", "seventeen letters", 400),
            ("networkName", "\u00e4" * 9, 400),
            ("channel", 99, 500),
            ("channel", 10, 500),
            ("channelMask", 0, 500),
            ("extPanId", "abc", 400),
            ("extPanId", "zz00112233445566", 400),
            ("networkKey", KEY[2:], 400),
            ("pskc", f"{KEY}00", 400),
            ("meshLocalPrefix", "fd00", 400),
            ("activeTimestamp", 5, 400),
        ],
    )
    def test_bad_value_is_refused_and_changes_nothing(
        self, router: Router, field: str, value: Any, status: int
    ) -> None:
        assert router.put("/node/dataset/active", {field: value}) == status
        assert router.get("/node/dataset/active") is None

    @pytest.mark.parametrize(
        ("field", "value", "stored"),
        [
            ("networkName", "", ""),
            (
                "networkName",
                "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4",
                "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4",
            ),
            ("panId", 70000, 4464),
            ("panId", 65535, 65535),
            ("meshLocalPrefix", "fd12:3456:789a:bcde::/48", "fd12:3456:789a:bcde::/64"),
            ("meshLocalPrefix", "fd12:3456:789a:bcde::", "fd12:3456:789a:bcde::/64"),
            ("networkKey", KEY.upper(), KEY),
        ],
    )
    def test_surprising_value_is_accepted(self, router: Router, field: str, value: Any, stored: Any) -> None:
        assert router.put("/node/dataset/active", {field: value}) == 201
        assert router.active()[field] == stored

    @pytest.mark.parametrize(
        "content",
        [
            {"channel": "15"},
            {"channelMask": "x"},
            {"channel": None},
            {"colour": 1},
            {"networkName": 5},
            {"panId": True},
        ],
    )
    def test_wrong_type_and_unknown_field_are_ignored(self, router: Router, content: Any) -> None:
        router.put("/node/dataset/active", {"networkName": "barn", "channel": 20})
        before = router.active()
        assert router.put("/node/dataset/active", content) == 200
        assert router.active() == before

    def test_partial_security_policy_sets_all_flags_to_false(self, router: Router) -> None:
        router.put("/node/dataset/active", {"securityPolicy": {"rotationTime": 24, "routers": True}})
        policy = router.active()["securityPolicy"]
        assert policy.pop("rotationTime") == 24
        assert {name for name, value in policy.items() if value} == {"routers"}

    @pytest.mark.parametrize("body", ["", "x", "[]", '"a"', "5"])
    def test_body_that_is_not_an_object_is_refused(self, router: Router, body: str) -> None:
        assert router.call("PUT", "/node/dataset/active", body).status_code == 400


class TestTlvs:
    """Datasets in their TLV form (otbr-rest.md, section 3.2)."""

    def put(self, router: Router, text: str) -> int:
        """Send TLVs as a new active dataset."""
        return router.call("PUT", "/node/dataset/active", text, Content_Type="text/plain").status_code

    def test_text_form_is_upper_case_and_complete(self, router: Router) -> None:
        router.put("/node/dataset/active", {"networkKey": KEY})
        answer = router.call("GET", "/node/dataset/active", Accept="text/plain")
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.text == answer.text.upper()
        assert f"0510{KEY.upper()}" in answer.text
        assert 180 < len(answer.text) < 240
        assert 0x4A in decode_tlvs(answer.text)

    def test_dataset_is_taken_over_by_another_border_router(self, leader: Router) -> None:
        other = Router(leader.otbr, leader.otbr.urls[1])
        assert self.put(other, leader.tlvs()) == 201
        assert other.tlvs() == leader.tlvs()

    def test_one_tlv_is_merged(self, router: Router) -> None:
        router.put("/node/dataset/active", {"channel": 20, "networkName": "barn"})
        assert self.put(router, "000300000f") == 200
        assert (router.active()["channel"], router.active()["networkName"]) == (15, "barn")

    @pytest.mark.parametrize(("text", "status"), [("xyz", 400), ("0003000", 400), ("00030000", 500), ("00", 500)])
    def test_broken_text_is_refused(self, router: Router, text: str, status: int) -> None:
        assert self.put(router, text) == status

    def test_accept_list_is_read_as_json(self, router: Router) -> None:
        router.put("/node/dataset/active", {})
        answer = router.call("GET", "/node/dataset/active", Accept="text/plain, */*")
        assert answer.headers["Content-Type"] == "application/json"
