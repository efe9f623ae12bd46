# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Messages about refused options suggest the most similar valid one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.module_utils._options.suggestions import (
    add_suggestions,
    build_option_error,
    find_wrong_mappings,
)

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


@pytest.mark.parametrize("given", [{"state": "presnt"}, {"stat": "present"}, {"state": "absent", "group_by": "a.."}])
def test_error_about_options_ends_with_one_full_stop_and_the_hint(given: dict[str, Any]) -> None:
    error = build_option_error(refusal(given))
    assert error.code == "invalid_option"
    assert error.message.endswith(".")
    assert not error.message.endswith("..")
    assert error.as_failure()["msg"] == f"{error.message} Correct the option and run again."


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


@pytest.mark.parametrize(("value", "kind"), [(5, "a number"), (False, "false"), ([1], "a list"), ("5%", "a string")])
def test_value_in_place_of_a_mapping_is_named_with_the_keys(value: Any, kind: str) -> None:
    spec = {"brake": {"type": "dict", "options": {"failed": {"type": "str"}, "offline": {"type": "str"}}}}
    expected = f"brake must be a mapping, got {kind}. Its keys are: failed, offline"
    assert find_wrong_mappings({"brake": value, "other": 5}, spec) == {"brake": expected}


def test_mapping_and_its_text_are_not_wrong_mappings() -> None:
    spec = {"brake": {"type": "dict", "options": {"failed": {"type": "str"}}}, "body": {"type": "dict"}}
    for value in (None, {}, {"failed": "5%"}, '{"failed": "5%"}', "failed=5%"):
        assert find_wrong_mappings({"brake": value, "body": 5}, spec) == {}
