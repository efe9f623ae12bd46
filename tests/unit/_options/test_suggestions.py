# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Options that Ansible refuses are refused with the one that was probably meant."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import add_suggestions

SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"]},
    "group_by": {"type": "list", "elements": "str", "choices": ["platform", "network"]},
    "password": {"type": "str", "no_log": True},
}


def refusal(given: dict[str, Any]) -> str:
    """What is said of `given`."""
    return add_suggestions(ArgumentSpecValidator(SPEC).validate(given).error_messages, given, SPEC)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"state": "presnt"}, "present"),
        ({"group_by": ["platform", "networks"]}, "network"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(given: dict[str, Any], meant: str) -> None:
    assert refusal(given).endswith(f" (did you mean {meant}?)")


def test_an_unknown_option_is_a_sentence_with_what_was_meant_before_those_that_there_are() -> None:
    said = "Unsupported option: stat (did you mean state?). Supported options: group_by, password, state."
    assert refusal({"stat": "present"}) == said


def test_unknown_options_have_a_sentence_each_behind_all_else() -> None:
    first, *unknown, known = refusal({"state": "Absent", "stat": 1, "pasword": 2}).split(". ")
    assert first.endswith(" (did you mean absent?)")
    assert unknown == [
        "Unsupported option: pasword (did you mean password?)",
        "Unsupported option: stat (did you mean state?)",
    ]
    assert known.startswith("Supported options: ")


def test_an_unknown_option_in_an_option_is_answered_too() -> None:
    spec = {"accounts": {"type": "list", "elements": "dict", "options": {"username": {"type": "str"}}}}
    given = {"accounts": [{"usernam": "a"}]}
    messages = ArgumentSpecValidator(spec).validate(given).error_messages
    assert add_suggestions(messages, given, spec).startswith(
        "Unsupported option: accounts.usernam (did you mean username?). "
    )


def test_what_is_like_nothing_known_is_refused_in_ansibles_words_alone() -> None:
    assert "did you mean" not in refusal({"state": "gone", "colour": "red"})


def test_two_slips_are_both_answered() -> None:
    assert refusal({"state": "Absent", "pasword": "x"}).count(" (did you mean ") == 2
