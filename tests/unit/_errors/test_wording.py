# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the parts of sentences from which messages are built."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.failed_items import (
    FailedItem,
    describe_reasons,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    format_count,
    list_lines,
)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((0, "device"), "0 devices"),
        ((1, "device"), "1 device"),
        ((2_000, "device"), "2,000 devices"),
        ((1, "device is", "devices are"), "1 device is"),
        ((2, "device is", "devices are"), "2 devices are"),
    ],
)
def test_number_is_shown_with_singular_or_plural(words: tuple[int, str], text: str) -> None:
    assert format_count(*words) == text


@pytest.mark.parametrize(
    ("number", "others_in", "last"),
    [
        (2, "", "line 1"),
        (3, "", "and 1 more"),
        (1_002, "", "and 1,000 more"),
        (3, "devices", "and 1 more; see devices"),
    ],
)
def test_lines_beyond_the_maximum_are_counted(number: int, others_in: str, last: str) -> None:
    lines = list_lines([f"line {each}" for each in range(number)], 2, others_in=others_in)
    assert lines == ["line 0", *(["line 1"] if number > 2 else []), last]


def test_one_reason_that_is_not_named_is_counted_as_one() -> None:
    failed = [FailedItem(f"unit-{number}", (), ParticleError("conflict", f"Reason {number}.")) for number in range(6)]
    assert describe_reasons(failed, failed[0].error.hint)[-1] == "and 1 other reason, for 1 device"


def test_hint_at_the_end_of_a_message_belongs_to_the_last_reason() -> None:
    codes = ("conflict", "forbidden", "conflict")
    failed = [
        FailedItem(f"unit-{number}", (), ParticleError(code, f"Reason {number}.", hint=f"Remedy of {code}."))
        for number, code in enumerate(codes)
    ]
    assert describe_reasons(failed, failed[0].error.hint) == [
        "Reason 1. Remedy of forbidden.",
        "  unit-1",
        "Reason 0.",
        "  unit-0",
        "Reason 2.",
        "  unit-2",
    ]
