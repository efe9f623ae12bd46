# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Which devices a notice hits, and of which nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.template import trust_as_template
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.filter.advisories import FilterModule
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.advisories import (
    find_affected_devices,
    read_advisories,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.device_os import parse_range, parse_version
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts

ONE, TWO = device_id(1), device_id(2)
SIM = """\
advisories:
  - id: sim
    title: A batch of SIM cards
    affects:
      - platforms: [boron, 23]
        iccid_prefixes: ["890103"]
        device_os: ["<2.3.1", ">=3.0.0, <3.3.1", "==4.0.0"]
"""
FITS = {"id": ONE, "platform_id": 13, "iccid": "89010312345678901234", "system_firmware_version": "3.2.0"}


def verdict(text: str, row: dict[str, Any], **more: Any) -> str:
    """What a file with one notice says of one device."""
    (found,) = find_affected_devices(read_advisories({"notices.yml": text}), [{**build_facts(row), **more}])
    return "hit" if found["hit"] else "cannot tell" if found["cannot_tell"] else "spared"


def rule(condition: str) -> str:
    return f"advisories: [{{id: a, title: t, affects: [{{{condition}}}]}}]"


class TestOneRule:
    """Hits what fits all of it; any of what is listed under one condition will do."""

    @pytest.mark.parametrize(
        ("but", "says"),
        [
            ({}, "hit"),
            ({"platform_id": 23}, "hit"),
            ({"system_firmware_version": "4.0.0"}, "hit"),
            ({"system_firmware_version": "2.3.1-rc.1"}, "hit"),
            ({"system_firmware_version": "3.3.1"}, "spared"),
            ({"platform_id": 12}, "spared"),
            ({"iccid": "89014103000000000001"}, "spared"),
            ({"iccid": None}, "cannot tell"),
            ({"system_firmware_version": None}, "cannot tell"),
            ({"system_firmware_version": "newest"}, "cannot tell"),
            ({"platform_id": None}, "cannot tell"),
            ({"platform_id": -1}, "cannot tell"),
            ({"platform_id": 4711}, "spared"),
            ({"iccid": ""}, "cannot tell"),
            ({"iccid": ["890103"]}, "cannot tell"),
        ],
    )
    def test_is_sure_of_what_was_told(self, but: dict[str, Any], says: str) -> None:
        assert verdict(SIM, {**FITS, **but}) == says

    def test_spares_a_device_that_cannot_fit_whatever_else_nobody_has_told(self) -> None:
        assert verdict(SIM, {"id": ONE, "platform_id": 6}) == "spared"

    def test_is_never_sure_of_a_device_of_which_nothing_is_told(self) -> None:
        assert verdict(SIM, {"id": ONE}) == "cannot tell"

    @pytest.mark.parametrize(
        ("serial_number", "says"),
        [("B40HAB123456789", "hit"), ("b40hab1", "hit"), ("B404AB", "spared"), (None, "cannot tell")],
    )
    def test_knows_a_sku_by_the_beginning_of_the_serial_number(self, serial_number: str | None, says: str) -> None:
        text = rule("serial_number_prefixes: [b40h]")
        assert verdict(text, {"id": ONE, "serial_number": serial_number}) == says

    @pytest.mark.parametrize(
        ("code", "says"),
        [(310, "hit"), ("310", "hit"), (1, "hit"), ("001", "hit"), (262, "spared"), ("?", "cannot tell")],
    )
    def test_knows_a_country_from_the_vitals(self, code: object, says: str) -> None:
        cell = {"cell_global_identity": {"mobile_country_code": code}}
        vitals = {"device": {"network": {"cellular": cell}}}
        assert verdict(rule('mobile_country_codes: [310, "001"]'), {"id": ONE}, vitals=vitals) == says

    @pytest.mark.parametrize("vitals", [None, {}, {"device": None}, {"device": {"network": {"cellular": 7}}}, "x"])
    def test_knows_no_country_where_no_vitals_tell_it(self, vitals: object) -> None:
        assert verdict(rule("mobile_country_codes: [310]"), {"id": ONE}, vitals=vitals) == "cannot tell"
        assert verdict(rule("mobile_country_codes: [310]"), {"id": ONE}) == "cannot tell"


class TestANotice:
    """Hits what fits any of its rules."""

    BOTH = """\
advisories:
  - id: both
    title: Two kinds
    url: https://example.com/notice
    affects:
      - platforms: [photon]
      - iccid_prefixes: ["8901"]
      - serial_number_prefixes: [P0]
"""

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ({"platform_id": 6}, "hit"),
            ({"platform_id": 13, "iccid": "8901"}, "hit"),
            ({"platform_id": 13, "iccid": "8934"}, "cannot tell"),
            ({"platform_id": 13, "iccid": "8934", "serial_number": "E0"}, "spared"),
            ({"iccid": "8934", "serial_number": "E0"}, "cannot tell"),
        ],
    )
    def test_and_spares_only_what_fits_none(self, row: dict[str, Any], says: str) -> None:
        assert verdict(self.BOTH, {"id": ONE, **row}) == says

    def test_says_what_was_missing_and_how_often(self) -> None:
        rows: list[dict[str, Any]] = [{"id": ONE, "platform_id": 13}, {"id": TWO, "platform_id": 13, "iccid": "8934"}]
        (found,) = find_affected_devices(
            read_advisories({"notices.yml": self.BOTH}), [build_facts(row) for row in rows]
        )
        assert found == {
            "id": "both",
            "title": "Two kinds",
            "url": "https://example.com/notice",
            "hit": [],
            "cannot_tell": [ONE, TWO],
            "missing": {"iccid": 1, "serial_number": 2},
        }

    def test_hits_nobody_where_nobody_is(self) -> None:
        (found,) = find_affected_devices(read_advisories({"notices.yml": self.BOTH}), [])
        assert (found["hit"], found["cannot_tell"], found["missing"]) == ([], [], {})


WRONG = """\
advisories:
  - title: " "
    url: javascript:alert(1)
    affects: []
    severity: high
  - id: "no; id"
    title: 7
    affects:
      - platforms: [borom, true]
        iccid_prefixes: [890103, "89 01"]
        device_os: [">= x", "3.0.0", 3.1]
        mobile_country_codes: [US, 31, null]
        sku: [B402]
      - {}
      - serial_number_prefixes: "B40H"
  - also
"""


class TestMistakes:
    """Are all told at once, each with its file, its line and its place."""

    def test_of_all_files_are_collected(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": WRONG, "b.yml": "advisories: [", "c.yml": "- x", "d.yml": "{}", "e.yml": ""})
        assert caught.value.code == "invalid_manifest"
        said = caught.value.message
        assert said.startswith("The advisories have 25 mistakes:\n")
        for line in (
            "a.yml:2 advisories[0]: has no id",
            "a.yml:2 advisories[0].title: is empty",
            "a.yml:3 advisories[0].url: must be a URL that begins with https:// or http://, got 'javascript:alert(1)'",
            "a.yml:4 advisories[0].affects: is empty",
            "a.yml:5 advisories[0].severity: unknown key; valid keys are id, title, url, affects",
            "a.yml:6 advisories[1].id: 'no; id' is not a valid id: use 1 to 40 letters, digits,",
            "a.yml:7 advisories[1].title: must be a text, got a number; put it in quotes",
            "a.yml:9 advisories[1].affects[0].platforms[0]: 'borom' is not the name or number of a platform",
            "a.yml:9 advisories[1].affects[0].platforms[1]: True is not the name or number of a platform",
            "a.yml:10 advisories[1].affects[0].iccid_prefixes[0]: must be a text, got a number; put it in quotes",
            "a.yml:10 advisories[1].affects[0].iccid_prefixes[1]: '89 01' is not the beginning of an ICCID (digits)",
            "a.yml:11 advisories[1].affects[0].device_os[0]: '>= x' is not a valid bound: write one of <=, <, >=, >",
            "a.yml:11 advisories[1].affects[0].device_os[1]: '3.0.0' is not a valid bound",
            "a.yml:11 advisories[1].affects[0].device_os[2]: must be a text, got a number; put it in quotes",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[0]: 'US' is not a mobile country code",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[1]: 31 is not a mobile country code",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[2]: nothing is not a mobile country code",
            "a.yml:13 advisories[1].affects[0].sku: unknown key",
            "a.yml:14 advisories[1].affects[1]: has no condition; use one or more of platforms,",
            "a.yml:15 advisories[1].affects[2].serial_number_prefixes: must be a list, got a text",
            "a.yml:16 advisories[2]: must be a mapping, got a text; valid keys are id, title, url, affects",
            "The advisories file is not valid YAML:\n  b.yml:",
            "c.yml:1 the advisories file: must be a mapping, got a list; valid keys are advisories",
            "d.yml:1 the advisories file: the key advisories is missing",
            "e.yml:1 the advisories file: must be a mapping, got nothing; valid keys are advisories",
        ):
            assert line in said, line

    def test_are_ids_that_stand_twice_in_whatever_file(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": SIM, "b.yml": SIM})
        assert "b.yml:2 advisories[0].id: 'sim' is already used at a.yml:2 advisories[0].id" in caught.value.message
        assert caught.value.message.startswith("The advisories have a mistake:\n")

    def test_are_not_shown_without_end(self) -> None:
        text = "advisories:\n" + "  - x\n" * 500
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": text})
        assert caught.value.message.endswith("and 400 more")

    def test_are_told_by_the_filter_in_the_same_words(self) -> None:
        advisories = FilterModule().filters()["advisories"]
        with pytest.raises(AnsibleFilterError, match="of a platform"):
            advisories([], {"a.yml": rule("platforms: [borom]")})
        for devices, files in (("text", {}), ([ONE], {}), ([], ["a.yml"]), ([], {"a.yml": None})):
            with pytest.raises(AnsibleFilterError):
                advisories(devices, files)

    def test_no_list_of_notices_is_too_short(self) -> None:
        assert read_advisories({"a.yml": "advisories: []"}) == ()


class TestVersionsOfDeviceOs:
    """Stand in the order in which they were made."""

    ORDER = (
        "0.8.0-rc.9",
        "0.8.0-rc.27",
        "0.8.0",
        "1.5.4-alpha.1",
        "1.5.4-rc.1",
        "1.5.4",
        "2.0",
        "2.0.1",
        "2.10.0",
        "6.3.2",
    )

    def test_with_those_before_a_release_before_it(self) -> None:
        orders = [parse_version(version) for version in self.ORDER]
        assert orders == sorted(orders)  # type: ignore[type-var]
        assert len(set(orders)) == len(orders)

    @pytest.mark.parametrize("text", ["", "newest", "3.x", "3.0.0-", "3.0.0 or so", "9" * 5000 + ".0", "\u0663.0.0"])
    def test_and_what_is_none_stands_nowhere(self, text: str) -> None:
        assert parse_version(text) is None
        with pytest.raises(ValueError, match="is not a valid bound"):
            parse_range(f">={text}")

    @given(st.text(max_size=30))
    def test_whatever_a_device_says_of_itself(self, text: str) -> None:
        order = parse_version(text)
        assert order is None or parse_range(">=0.0.0-0").contains(order) in (True, False)

    @pytest.mark.parametrize(
        ("text", "within", "without"),
        [
            (">=2.0.0, <3.1.0", ("2.0.0", "3.0.9", "3.1.0-rc.1"), ("2.0.0-rc.1", "3.1.0")),
            (">2,<=3.1", ("2.0.1", "3.1.0"), ("2.0.0", "3.1.1")),
            ("== 4.0.0", ("4.0.0",), ("4.0.0-rc.1", "4.0.1")),
        ],
    )
    def test_are_in_a_range_or_not(self, text: str, within: tuple[str, ...], without: tuple[str, ...]) -> None:
        found = parse_range(text)
        orders = {version: parse_version(version) for version in (*within, *without)}
        assert [version for version, order in orders.items() if order and found.contains(order)] == list(within)


def test_a_text_from_a_variable_is_read_like_any_other() -> None:
    # What a playbook hands over is marked by Ansible: a text of a class of its own, which YAML's reader refuses.
    text = trust_as_template(SIM)
    assert text.__class__ is not str
    (found,) = FilterModule().filters()["advisories"]([build_facts(FITS)], {"notices.yml": text})
    assert found["hit"] == [ONE]
