# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Mistakes of the same kind are written once, and a message has few lines."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import (
    Mistake,
    describe_mistakes,
    fold_mistakes,
)

SAID = ("It has a mistake", "It has {} mistakes")


def test_mistakes_of_one_kind_are_counted_in_one_line() -> None:
    mistakes = [Mistake(f"t.csv:{line} id", f"'{line}' is not an id", "devices[].id") for line in range(2, 502)]
    others = ", ".join(f"'{line}' at line {line}" for line in range(3, 13))
    assert describe_mistakes(SAID, mistakes, "rows") == (
        "It has 500 mistakes:\n"
        f"  t.csv:2 id: '2' is not an id (on 500 rows, first at line 2; also {others} and 489 more)"
    )


def test_equal_values_of_a_kind_of_mistake_are_named_once() -> None:
    values = ["a", "b", "a", "b", "it's"]
    mistakes = [Mistake(f"t.csv:{line} id", f"{of!r} is wrong", "devices[].id") for line, of in enumerate(values, 2)]
    assert fold_mistakes(mistakes, "rows") == [
        "t.csv:2 id: 'a' is wrong (on 5 rows, first at line 2; also 'b' at line 3, \"it's\" at line 6)"
    ]


def test_other_numbers_and_places_without_lines_are_named() -> None:
    mistakes = [Mistake(f"devices[{at}].x", f"is {0.5 - at}, got 'a'", "devices[].x") for at in range(2)]
    assert fold_mistakes(mistakes, "devices") == [
        "devices[0].x: is 0.5, got 'a' (on 2 devices; also -0.5 at devices[1].x)"
    ]


def test_long_values_are_shortened() -> None:
    mistakes = [Mistake(f"t.csv:{at} id", f"{str(at) * 500!r} is wrong", "devices[].id") for at in (2, 3)]
    (sentence,) = fold_mistakes(mistakes, "rows")
    assert sentence == (
        f"t.csv:2 id: '{'2' * 59}...' is wrong (on 2 rows, first at line 2; also '{'3' * 59}...' at line 3)"
    )


def test_mistakes_of_other_kinds_and_places_stay_apart() -> None:
    mistakes = [
        Mistake("devices[0].id", "is empty", "devices[].id"),
        Mistake("devices[0].name", "is empty", "devices[].name"),
        Mistake("devices[1].id", "is empty", "devices[].id"),
        Mistake("t.csv:1 the header", "duplicate column a"),
        Mistake("t.csv:1 the header", "duplicate column b"),
    ]
    assert describe_mistakes(SAID, mistakes).splitlines() == [
        "It has 5 mistakes, of 4 kinds:",
        "  devices[0].id: is empty (on 2 devices)",
        "  devices[0].name: is empty",
        "  t.csv:1 the header: duplicate column a",
        "  t.csv:1 the header: duplicate column b",
    ]


def test_message_has_at_most_twenty_mistakes() -> None:
    mistakes = [Mistake("here", f"is wrong: {chr(97 + number)}") for number in range(26)]
    lines = describe_mistakes(SAID, mistakes).splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("It has 26 mistakes:", 22, "  and 6 more")


def test_one_mistake_is_not_counted() -> None:
    assert describe_mistakes(SAID, [Mistake("here", "is empty")]) == "It has a mistake:\n  here: is empty"
