# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Reports contain the facts of devices, and no value becomes a formula or a script."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.filter.report import FilterModule
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import add_presence, build_facts
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import (
    COLUMNS,
    build_rows,
    compute_digest,
    format_csv,
    format_json,
    format_page_data,
    hash_source,
)
from support.paths import ROOT

ONE = device_id(1)
HOSTILE_TEXT = "{{ 7*7 }}</script><!--<img src=x onerror=alert(1)>\u2028&amp;"
FORMULA_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"


def rows(*devices: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a report about device rows of the cloud."""
    return list(build_rows(add_presence(build_facts(device, "field-logger"), 1.8e9) for device in devices))


class TestRows:
    """The rows are flat and leave unknown values empty."""

    def test_row_contains_the_main_facts_of_a_device(self) -> None:
        (row,) = rows(
            {
                "id": ONE,
                "name": "barn-gateway",
                "platform_id": 13,
                "groups": ["south", "mesh-barn", "mesh-gateway", "north"],
                "firmware_version": 42,
                "online": True,
                "last_heard": "2027-01-15T07:59:30Z",
                "mobile_secret": "hush",
                "iccid": "8934",
            }
        )
        assert tuple(row) == COLUMNS
        known = {name: value for name, value in row.items() if value is not None}
        assert known == {
            "id": ONE,
            "name": "barn-gateway",
            "platform": "boron",
            "product": "field-logger",
            "groups": ["north", "south"],
            "network": "barn",
            "role": "gateway",
            "firmware_version": 42,
            "presence": "confirmed",
            "last_heard": "2027-01-15T07:59:30Z",
            "last_heard_age": 30,
            "iccid": "8934",
        }

    def test_values_that_the_cloud_omits_are_empty(self) -> None:
        (row,) = rows({"id": ONE, "name": "", "connected": False})
        assert {name for name, value in row.items() if value not in (None, [])} == {"id", "product", "presence"}

    def test_row_with_invalid_characters_can_be_written_to_a_file(self) -> None:
        (row,) = rows({"id": ONE, "name": "a\ud800b", "notes": {"odd": [1]}, "groups": ["\udfff"]})
        assert row["name"] == "a?b"
        assert row["notes"] == "{'odd': [1]}"
        json.dumps(row, ensure_ascii=False).encode()


NOTICE = {
    "id": "n-1",
    "title": HOSTILE_TEXT,
    "url": None,
    "hit": [ONE],
    "cannot_tell": [device_id(2)],
    "missing": {"iccid": 1},
}


class TestAdvisories:
    """Advisories are listed at the devices that they affect, and their devices are counted."""

    def test_advisories_are_listed_at_each_affected_device(self) -> None:
        facts = [build_facts({"id": device_id(number)}) for number in (1, 2, 3)]
        found = [(row["advisories"], row["advisories_open"]) for row in build_rows(facts, [NOTICE])]
        assert found == [(["n-1"], []), ([], ["n-1"]), ([], [])]
        for no_advisories in (None, []):
            assert {(row["advisories"], row["advisories_open"]) for row in build_rows(facts, no_advisories)} == {
                (None, None)
            }

    @pytest.mark.parametrize("format_report", [format_json, format_page_data])
    def test_devices_of_each_advisory_are_counted(self, format_report: Callable[..., str]) -> None:
        (shown,) = json.loads(format_report({"advisories": [NOTICE]}, []))["advisories"]
        assert shown == {**NOTICE, "hit": 1, "cannot_tell": 1}
        assert "</script>" not in format_page_data({"advisories": [NOTICE]}, [])


class TestCsv:
    """CSV text opens in a spreadsheet without calculating anything."""

    def test_csv_has_a_header_and_a_line_for_each_device(self) -> None:
        text = format_csv(rows({"id": ONE, "name": 'say "hi", you', "groups": ["a", "b"], "notes": "two\nlines"}))
        (line,) = csv.DictReader(io.StringIO(text))
        assert (line["name"], line["groups"], line["notes"]) == ('say "hi", you', "a;b", "two\nlines")
        assert line["mac"] == ""

    @pytest.mark.parametrize("sign", FORMULA_SIGNS)
    @pytest.mark.parametrize(
        "before", ["", " ", "\t", "\r", '"', "a;", "a; ", 'a;"', "a\n", "a\r\n", "a\t", ";;", "a\u2028"]
    )
    def test_csv_contains_no_formula_with_any_delimiter(self, before: str, sign: str) -> None:
        name = f"{before}{sign}cmd|'/C calc'!A0"
        text = format_csv(rows({"id": ONE, "name": name, "groups": ["b", f"{sign}1"]}))
        (line,) = csv.DictReader(io.StringIO(text, newline=""))
        assert (line["id"], line["name"].replace("'", "")) == (ONE, name.replace("'", ""))
        for delimiter in ",;\t":
            # A spreadsheet interprets a quote only at the beginning of a cell, and so does csv.reader.
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                for cell in cells:
                    for part in cell.splitlines():
                        assert not part.strip(' \t"').startswith(tuple(FORMULA_SIGNS)), (delimiter, cell)

    @pytest.mark.parametrize("name", ["a-b", "a = b", "x@y", "e00f+1", "a; b", "two\nlines"])
    def test_signs_that_begin_no_formula_are_unchanged(self, name: str) -> None:
        (line,) = csv.DictReader(io.StringIO(format_csv(rows({"id": ONE, "name": name})), newline=""))
        assert line["name"] == name

    def test_numbers_are_unchanged(self) -> None:
        (line,) = csv.DictReader(io.StringIO(format_csv([{**rows({"id": ONE})[0], "firmware_version": -1}])))
        assert line["firmware_version"] == "-1"


class Page(HTMLParser):
    """Parse the tags and the script text of a page, as a browser does."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.script += data


@given(st.text() | st.just(HOSTILE_TEXT) | st.text(alphabet="</script!->&\u2028\\\"'", max_size=30))
def test_any_device_name_stays_data_inside_a_page(name: str) -> None:
    found = rows({"id": ONE, "name": name})
    page = Page(f'<script type="application/json">{format_page_data({"title": name}, found)}</script><p>')
    assert page.tags == ["script", "p"]
    data = json.loads(page.script)
    assert dict(zip(data["columns"], data["rows"][0], strict=True)) == json.loads(json.dumps(found[0]))


def test_all_columns_are_documented_in_their_order() -> None:
    page = yaml.safe_load((ROOT / "plugins" / "filter" / "report_csv.yml").read_text(encoding="utf-8"))
    (listed,) = (text for text in page["DOCUMENTATION"]["description"] if text.startswith("The columns are"))
    assert re.findall(r"C\((\w+)\)", listed) == list(COLUMNS)
    assert page["RETURN"]["_value"]["sample"] == ",".join(COLUMNS)


def test_json_report_has_one_object_for_each_device() -> None:
    text = format_json({"complete": True}, rows({"id": ONE, "name": HOSTILE_TEXT}))
    assert json.loads(text)["complete"] is True
    assert json.loads(text)["devices"][0]["name"] == HOSTILE_TEXT


ABOUT = {
    "title": "Fleet",
    "generated_at": "2026-01-01T00:00:00Z",
    "token": {"fingerprint": "11111111"},
    "kept": [{"fingerprint": "22222222", "days_left": 9}],
    "rollouts": [],
}


def read_digest(about: dict[str, Any] | None = None, **device: Any) -> str:
    facts = {"id": ONE, "name": "barn", "presence": "confirmed", "last_heard": "2026-01-01T00:00:00Z", **device}
    return compute_digest(about or ABOUT, build_rows([facts]))


@pytest.mark.parametrize(
    "later",
    [
        {"last_heard": "2026-01-02T00:00:00Z", "last_heard_age": 9, "presence": "probable"},
        {"about": {**ABOUT, "generated_at": "2026-01-02T00:00:00Z"}},
        {"about": {**ABOUT, "token": {"fingerprint": "33333333"}}},
        {"about": {**ABOUT, "kept": [{"fingerprint": "22222222", "days_left": 8}]}},
    ],
)
def test_digest_stays_the_same_while_only_times_change(later: dict[str, Any]) -> None:
    assert read_digest(**later) == read_digest()


@pytest.mark.parametrize(
    "later",
    [
        {"presence": "stale"},
        {"name": "yard"},
        {"about": {**ABOUT, "title": "Barn"}},
        {"about": {**ABOUT, "kept": []}},
    ],
)
def test_digest_changes_with_the_devices_and_the_facts(later: dict[str, Any]) -> None:
    assert read_digest(**later) != read_digest()


def test_digest_is_part_of_the_json_report() -> None:
    found = rows({"id": ONE})
    assert json.loads(format_json(ABOUT, found))["digest"] == compute_digest(ABOUT, found)


@pytest.mark.parametrize("format_report", [format_json, format_page_data])
def test_memory_for_a_report_is_a_small_multiple_of_its_size(format_report: Callable[..., str]) -> None:
    facts = add_presence(build_facts({"id": ONE, "name": "barn", "groups": ["north"]}, "field-logger"), 1.8e9)
    format_report(ABOUT, build_rows([facts]))  # allocates what is allocated once
    tracemalloc.start()
    text = format_report(ABOUT, build_rows([facts] * 2_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert text.count(ONE) == 2_000
    assert peak < 4 * len(text)


def test_hash_of_a_source_is_its_base64_sha256() -> None:
    # The output of `printf abc | openssl dgst -sha256 -binary | base64`.
    assert hash_source("abc") == "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="


@pytest.mark.parametrize("value", ["text", {"id": ONE}, 7, [ONE], None])
def test_value_that_is_not_a_list_of_devices_is_refused(value: object) -> None:
    with pytest.raises(AnsibleFilterError):
        FilterModule().filters()["report_csv"](value)
