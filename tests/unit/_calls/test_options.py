# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The options of a call are read, and all mistakes are named at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import Status
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import Declaration, read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

DEFAULTS: dict[str, Any] = {
    **{"product": None, "function": "led", "argument": None, "expect": None, "offline": "fail"},
    **{"on_error": "continue", "max_failures": None, "filters": None},
}


def read(**options: Any) -> Declaration:
    return read_declaration({**DEFAULTS, **options})


def find_mistakes(**options: Any) -> str:
    """Return the message about options that are not valid."""
    with pytest.raises(ParticleError) as raised:
        read(**options)
    assert raised.value.code == "invalid_option"
    return raised.value.message


def test_call_has_the_values_of_its_options() -> None:
    declared = read(products=["barn"], argument=600, expect=[0, 1, 0], filters={"groups": ["north"]})
    assert (declared.call.function, declared.call.argument, declared.call.expected) == ("led", "600", {0, 1})
    assert (declared.sources.products, declared.filters.groups) == (("barn",), {"north"})
    assert read().call.expected is None


class TaggedInt(int):
    """An integer of a subclass, as Ansible passes the values of a playbook."""


@pytest.mark.timeout(20)
def test_values_of_a_playbook_are_checked_at_once() -> None:
    values = [TaggedInt(-(2**31)), TaggedInt(2**31 - 1)]
    assert read(expect=values).call.expected == frozenset(values)


@pytest.mark.parametrize(("on_error", "given", "most"), [("stop", 9, 0), ("continue", 9, 9), ("continue", None, None)])
def test_on_error_stop_allows_no_failure(on_error: str, given: int | None, most: int | None) -> None:
    assert read(on_error=on_error, max_failures=given).call.max_failures == most


def test_offline_devices_fail_the_task_unless_they_are_skipped() -> None:
    assert read(offline="fail").call.is_failure(Status.OFFLINE)
    assert not read(offline="skip").call.is_failure(Status.OFFLINE)
    assert read(offline="skip").call.is_failure(Status.UNKNOWN)


@pytest.mark.parametrize("argument", ["", "x" * 1024, "é" * 512, 0, -5])
def test_argument_is_text_or_a_whole_number(argument: Any) -> None:
    assert read(argument=argument).call.argument == str(argument)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"function": " "}, "function is empty"),
        ({"function": "ping"}, "the cloud uses this name for another route"),
        ({"function": ".."}, "the cloud uses this name for another route"),
        ({"function": "é" * 33}, "at most 64 bytes, got 66"),
        ({"argument": True}, "put words such as on and off, and decimals, in quotes"),
        ({"argument": 1.5}, "put words such as on and off, and decimals, in quotes"),
        ({"argument": {"a": 1}}, "argument must be text or a whole number"),
        ({"argument": "é" * 513}, "at most 1,024 bytes, got 1,026"),
        ({"expect": []}, "expect is empty"),
        ({"expect": [2**31, 1]}, "expect contains 2147483648"),
        ({"max_failures": -1}, "max_failures must be 0 or more"),
        ({"account_devices": False}, "No devices are selected"),
        ({"filters": {"ids": ["barn"]}}, "not a valid device id"),
    ],
)
def test_mistake_is_named(options: dict[str, Any], words: str) -> None:
    assert words in find_mistakes(**options)


def test_all_mistakes_are_named_without_the_argument() -> None:
    message = find_mistakes(
        function="", argument="secret-canary" * 100, expect=[], max_failures=-1, filters={"ids": []}
    )
    assert message.count(";") >= 4
    assert "secret-canary" not in message
