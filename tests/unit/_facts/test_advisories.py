# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Advisory files are validated, and devices are matched against their rules."""

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
MATCHING_ROW = {"id": ONE, "platform_id": 13, "iccid": "89010312345678901234", "system_firmware_version": "3.2.0"}


def find_verdict(text: str, row: dict[str, Any], **more: Any) -> str:
    """Match a device against a file with one advisory, and return the verdict."""
    (found,) = find_affected_devices(read_advisories({"notices.yml": text}), [{**build_facts(row), **more}])
    return "hit" if found["hit"] else "cannot tell" if found["cannot_tell"] else "spared"


def rule(condition: str) -> str:
    """Return the text of an advisories file with one rule."""
    return f"advisories: [{{id: a, title: t, affects: [{{{condition}}}]}}]"


class TestRule:
    """A rule matches a device that meets all conditions; of the values of one condition, any is enough."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
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
    def test_verdict_depends_on_all_conditions_and_on_missing_data(
        self, changes: dict[str, Any], expected: str
    ) -> None:
        assert find_verdict(SIM, {**MATCHING_ROW, **changes}) == expected

    def test_device_of_another_platform_is_spared_despite_missing_data(self) -> None:
        assert find_verdict(SIM, {"id": ONE, "platform_id": 6}) == "spared"

    def test_verdict_is_cannot_tell_for_a_device_without_data(self) -> None:
        assert find_verdict(SIM, {"id": ONE}) == "cannot tell"

    @pytest.mark.parametrize(
        ("serial_number", "expected"),
        [("B40HAB123456789", "hit"), ("b40hab1", "hit"), ("B404AB", "spared"), (None, "cannot tell")],
    )
    def test_serial_number_prefix_is_compared_ignoring_case(self, serial_number: str | None, expected: str) -> None:
        text = rule("serial_number_prefixes: [b40h]")
        assert find_verdict(text, {"id": ONE, "serial_number": serial_number}) == expected

    @pytest.mark.parametrize(
        ("code", "expected"),
        [(310, "hit"), ("310", "hit"), (1, "hit"), ("001", "hit"), (262, "spared"), ("?", "cannot tell")],
    )
    def test_mobile_country_code_is_read_from_the_vitals(self, code: object, expected: str) -> None:
        cell = {"cell_global_identity": {"mobile_country_code": code}}
        vitals = {"device": {"network": {"cellular": cell}}}
        assert find_verdict(rule('mobile_country_codes: [310, "001"]'), {"id": ONE}, vitals=vitals) == expected

    @pytest.mark.parametrize("vitals", [None, {}, {"device": None}, {"device": {"network": {"cellular": 7}}}, "x"])
    def test_country_is_unknown_without_usable_vitals(self, vitals: object) -> None:
        assert find_verdict(rule("mobile_country_codes: [310]"), {"id": ONE}, vitals=vitals) == "cannot tell"
        assert find_verdict(rule("mobile_country_codes: [310]"), {"id": ONE}) == "cannot tell"


class TestAdvisory:
    """An advisory affects a device that matches any of its rules."""

    TWO_KINDS = """\
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
        ("row", "expected"),
        [
            ({"platform_id": 6}, "hit"),
            ({"platform_id": 13, "iccid": "8901"}, "hit"),
            ({"platform_id": 13, "iccid": "8934"}, "cannot tell"),
            ({"platform_id": 13, "iccid": "8934", "serial_number": "E0"}, "spared"),
            ({"iccid": "8934", "serial_number": "E0"}, "cannot tell"),
        ],
    )
    def test_device_is_spared_only_if_every_rule_spares_it(self, row: dict[str, Any], expected: str) -> None:
        assert find_verdict(self.TWO_KINDS, {"id": ONE, **row}) == expected

    def test_missing_fields_are_counted(self) -> None:
        rows: list[dict[str, Any]] = [{"id": ONE, "platform_id": 13}, {"id": TWO, "platform_id": 13, "iccid": "8934"}]
        (found,) = find_affected_devices(
            read_advisories({"notices.yml": self.TWO_KINDS}), [build_facts(row) for row in rows]
        )
        assert found == {
            "id": "both",
            "title": "Two kinds",
            "url": "https://example.com/notice",
            "hit": [],
            "cannot_tell": [ONE, TWO],
            "missing": {"iccid": 1, "serial_number": 2},
        }

    def test_result_is_empty_without_devices(self) -> None:
        (found,) = find_affected_devices(read_advisories({"notices.yml": self.TWO_KINDS}), [])
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
    """Mistakes are reported together, each with its file, line and place."""

    def test_mistakes_of_all_files_are_reported_together(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": WRONG, "b.yml": "advisories: [", "c.yml": "- x", "d.yml": "{}", "e.yml": ""})
        assert caught.value.code == "invalid_manifest"
        message = caught.value.message
        assert message.startswith("The advisories have 25 mistakes:\n")
        for line in (
            "a.yml:2 advisories[0]: has no id",
            "a.yml:2 advisories[0].title: is empty",
            "a.yml:3 advisories[0].url: must be a URL that begins with https:// or http://, got 'javascript:alert(1)'",
            "a.yml:4 advisories[0].affects: is empty",
            "a.yml:5 advisories[0].severity: unknown key; valid keys are id, title, url, affects",
            "a.yml:6 advisories[1].id: 'no; id' is not a valid id: use 1 to 40 letters, digits,",
            "a.yml:7 advisories[1].title: must be a string, got a number; put it in quotes",
            "a.yml:9 advisories[1].affects[0].platforms[0]: 'borom' is not the name or number of a platform",
            "a.yml:9 advisories[1].affects[0].platforms[1]: True is not the name or number of a platform",
            "a.yml:10 advisories[1].affects[0].iccid_prefixes[0]: must be a string, got a number; put it in quotes",
            "a.yml:10 advisories[1].affects[0].iccid_prefixes[1]: '89 01' is not the beginning of an ICCID (digits)",
            "a.yml:11 advisories[1].affects[0].device_os[0]: '>= x' is not a valid bound: write one of <=, <, >=, >",
            "a.yml:11 advisories[1].affects[0].device_os[1]: '3.0.0' is not a valid bound",
            "a.yml:11 advisories[1].affects[0].device_os[2]: must be a string, got a number; put it in quotes",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[0]: 'US' is not a mobile country code",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[1]: 31 is not a mobile country code",
            "a.yml:12 advisories[1].affects[0].mobile_country_codes[2]: nothing is not a mobile country code",
            "a.yml:13 advisories[1].affects[0].sku: unknown key",
            "a.yml:14 advisories[1].affects[1]: has no condition; use one or more of platforms,",
            "a.yml:15 advisories[1].affects[2].serial_number_prefixes: must be a list, got a string",
            "a.yml:16 advisories[2]: must be a mapping, got a string; valid keys are id, title, url, affects",
            "The advisories file is not valid YAML:\n  b.yml:",
            "c.yml:1 the advisories file: must be a mapping, got a list; valid keys are advisories",
            "d.yml:1 the advisories file: the key advisories is missing",
            "e.yml:1 the advisories file: must be a mapping, got nothing; valid keys are advisories",
        ):
            assert line in message, line

    def test_duplicate_id_in_another_file_is_refused(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": SIM, "b.yml": SIM})
        assert "b.yml:2 advisories[0].id: 'sim' is already used at a.yml:2 advisories[0].id" in caught.value.message
        assert caught.value.message.startswith("The advisories have a mistake:\n")

    def test_report_shows_at_most_a_hundred_mistakes(self) -> None:
        text = "advisories:\n" + "  - x\n" * 500
        with pytest.raises(ParticleError) as caught:
            read_advisories({"a.yml": text})
        assert caught.value.message.endswith("and 400 more")

    def test_filter_refuses_mistakes_and_invalid_arguments(self) -> None:
        advisories = FilterModule().filters()["advisories"]
        with pytest.raises(AnsibleFilterError, match="of a platform"):
            advisories([], {"a.yml": rule("platforms: [borom]")})
        for devices, files in (("text", {}), ([ONE], {}), ([], ["a.yml"]), ([], {"a.yml": None})):
            with pytest.raises(AnsibleFilterError):
                advisories(devices, files)

    def test_empty_list_of_advisories_is_valid(self) -> None:
        assert read_advisories({"a.yml": "advisories: []"}) == ()


class TestDeviceOsVersion:
    """Versions are ordered as they were released."""

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

    def test_prereleases_sort_before_their_release(self) -> None:
        orders = [parse_version(version) for version in self.ORDER]
        assert orders == sorted(orders)  # type: ignore[type-var]
        assert len(set(orders)) == len(orders)

    @pytest.mark.parametrize("text", ["", "newest", "3.x", "3.0.0-", "3.0.0 or so", "9" * 5000 + ".0", "\u0663.0.0"])
    def test_invalid_version_is_not_parsed_and_not_a_valid_bound(self, text: str) -> None:
        assert parse_version(text) is None
        with pytest.raises(ValueError, match="is not a valid bound"):
            parse_range(f">={text}")

    @given(st.text(max_size=30))
    def test_any_text_is_a_comparable_version_or_none(self, text: str) -> None:
        order = parse_version(text)
        assert order is None or parse_range(">=0.0.0-0").contains(order) in (True, False)

    @pytest.mark.parametrize(
        ("text", "inside", "outside"),
        [
            (">=2.0.0, <3.1.0", ("2.0.0", "3.0.9", "3.1.0-rc.1"), ("2.0.0-rc.1", "3.1.0")),
            (">2,<=3.1", ("2.0.1", "3.1.0"), ("2.0.0", "3.1.1")),
            ("== 4.0.0", ("4.0.0",), ("4.0.0-rc.1", "4.0.1")),
        ],
    )
    def test_range_contains_the_versions_within_its_bounds(
        self, text: str, inside: tuple[str, ...], outside: tuple[str, ...]
    ) -> None:
        found = parse_range(text)
        orders = {version: parse_version(version) for version in (*inside, *outside)}
        assert [version for version, order in orders.items() if order and found.contains(order)] == list(inside)


def test_filter_reads_text_that_ansible_has_marked() -> None:
    # Ansible marks texts of a playbook by a class of its own, which the YAML reader refuses.
    text = trust_as_template(SIM)
    assert text.__class__ is not str
    (found,) = FilterModule().filters()["advisories"]([build_facts(MATCHING_ROW)], {"notices.yml": text})
    assert found["hit"] == [ONE]
