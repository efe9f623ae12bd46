# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Names and values of environment variables are checked before any request."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import (
    MAX_BYTES,
    MAX_VARIABLES,
    convert_value,
    find_mistakes,
)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (30, "30"), (1.5, "1.5"), ("", ""), ("True", "True")]
)
def test_numbers_and_booleans_become_their_json_text(value: Any, text: str) -> None:
    assert convert_value(value) == text
    assert find_mistakes({"NAME": value}) == []


@pytest.mark.parametrize("name", ["A", "_", "REPORT_SECONDS", "_2", "PARTICLE", "A" * 128])
def test_valid_names_are_accepted(name: str) -> None:
    assert find_mistakes({name: "1"}) == []


@pytest.mark.parametrize("name", ["", "a", "2A", "A-B", "A B", "Ä", "A\n", "A" * 129])
def test_invalid_names_are_refused(name: str) -> None:
    (mistake,) = find_mistakes({name: "1"})
    assert mistake.startswith(f"{name!r} is not a valid name: use up to 128 upper-case letters")


@pytest.mark.parametrize("name", ["PARTICLE_", "PARTICLE_ID"])
def test_reserved_names_are_refused(name: str) -> None:
    assert find_mistakes({name: "1"}) == [f"{name} is reserved, as all names that begin with PARTICLE_"]


@pytest.mark.parametrize("value", [None, ["t0ken"], {"a": "t0ken"}])
def test_values_that_are_not_scalars_are_refused_without_quoting_them(value: Any) -> None:
    assert find_mistakes({"NAME": value}) == ["the value of NAME is not a text, number or boolean"]


def test_limits_of_the_cloud_are_checked() -> None:
    names = [f"NAME_{number}" for number in range(MAX_VARIABLES + 1)]
    assert find_mistakes(dict.fromkeys(names[1:], "1")) == []
    assert find_mistakes(dict.fromkeys(names, "1")) == ["101 variables are more than the 100 that the cloud accepts"]
    longest = MAX_BYTES - len('{"NAME":""}')
    assert find_mistakes({"NAME": "x" * longest}) == []
    (mistake,) = find_mistakes({"NAME": "ä" + "x" * (longest - 1)})
    assert mistake == "the variables have 16,385 bytes as JSON, but the cloud accepts at most 16,384"


def test_all_mistakes_are_found_at_once() -> None:
    assert len(find_mistakes({"a": None, "PARTICLE_A": "x" * 20_000})) == 4
