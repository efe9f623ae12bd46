# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Messages about refused options suggest the most similar valid one."""

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
    """Return the message about the options `given`."""
    return add_suggestions(ArgumentSpecValidator(SPEC).validate(given).error_messages, given, SPEC)


@pytest.mark.parametrize(
    ("given", "suggestion"),
    [
        ({"state": "presnt"}, "present"),
        ({"group_by": ["platform", "networks"]}, "network"),
    ],
)
def test_misspelled_choice_gets_a_suggestion(given: dict[str, Any], suggestion: str) -> None:
    assert refusal(given).endswith(f" (did you mean {suggestion}?)")


def test_unknown_option_is_reported_with_suggestion_and_all_options() -> None:
    message = "Unsupported option: stat (did you mean state?). Supported options: group_by, password, state."
    assert refusal({"stat": "present"}) == message


def test_each_unknown_option_gets_a_sentence_after_other_mistakes() -> None:
    first, *unknown, known = refusal({"state": "Absent", "stat": 1, "pasword": 2}).split(". ")
    assert first.endswith(" (did you mean absent?)")
    assert unknown == [
        "Unsupported option: pasword (did you mean password?)",
        "Unsupported option: stat (did you mean state?)",
    ]
    assert known.startswith("Supported options: ")


def test_unknown_suboption_gets_a_suggestion() -> None:
    spec = {"accounts": {"type": "list", "elements": "dict", "options": {"username": {"type": "str"}}}}
    given = {"accounts": [{"usernam": "a"}]}
    messages = ArgumentSpecValidator(spec).validate(given).error_messages
    assert add_suggestions(messages, given, spec).startswith(
        "Unsupported option: accounts.usernam (did you mean username?). "
    )


def test_dissimilar_values_get_no_suggestion() -> None:
    assert "did you mean" not in refusal({"state": "gone", "colour": "red"})


def test_two_mistakes_get_a_suggestion_each() -> None:
    assert refusal({"state": "Absent", "pasword": "x"}).count(" (did you mean ") == 2
