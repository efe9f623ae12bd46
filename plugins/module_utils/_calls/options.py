# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options that describe the call of a function. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import RESERVED_NAMES
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import Call
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    FILTER_SPEC,
    SOURCE_SPEC,
    Filters,
    Sources,
    read_filters,
    read_sources,
)

SPEC: Mapping[str, Mapping[str, Any]] = {
    **SOURCE_SPEC,
    **FILTER_SPEC,
    "function": {"type": "str", "required": True},
    "argument": {"type": "raw", "no_log": True},
    "expect": {"type": "list", "elements": "int"},
    "offline": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "on_error": {"type": "str", "choices": ["continue", "stop"], "default": "continue"},
    "max_failures": {"type": "int"},
    "fail": {"type": "bool", "default": True},
}
"""The argument spec of the options that describe a call."""

MAX_NAME_BYTES = 64
"""The maximum size of the name of a function (errors-and-limits.md, section 7)."""
MAX_ARGUMENT_BYTES = 1024
"""The maximum size of an argument on the newest devices (errors-and-limits.md, section 7)."""
_MIN_VALUE, _MAX_VALUE = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Declaration:
    """The call that the options of a task describe, and the devices that they select."""

    call: Call
    sources: Sources
    filters: Filters


def read_declaration(options: Mapping[str, Any]) -> Declaration:
    """Read and check all options of a task that calls a function.

    :raises ParticleError: ``invalid_option`` when an option is not valid; the message lists all mistakes.
    """
    mistakes = [*_check_function(options["function"]), *_check_argument(options["argument"])]
    mistakes += _check_expected(options["expect"])
    if (most := options["max_failures"]) is not None and most < 0:
        mistakes.append(f"max_failures must be 0 or more, got {most}")
    sources, filters = Sources((), None, False), Filters()
    try:
        sources = read_sources(options)
    except ParticleError as error:
        mistakes.append(error.message.removesuffix("."))
    try:
        filters = read_filters(options)
    except ParticleError as error:
        mistakes.append(error.message.removesuffix("."))
    if mistakes:
        message = f"The call is not valid: {'; '.join(mistakes)}."
        raise ParticleError("invalid_option", message, hint="Correct these options, and run again.")
    argument, expected = options["argument"], options["expect"]
    call = Call(
        options["function"],
        None if argument is None else str(argument),
        None if expected is None else frozenset(expected),
        0 if options["on_error"] == "stop" else most,
        options["offline"] == "fail",
    )
    return Declaration(call, sources, filters)


def _check_function(name: str) -> list[str]:
    if not name.strip():
        return ["function is empty"]
    if name in RESERVED_NAMES or name in (".", ".."):
        return [f"function {name!r} cannot be called: the cloud uses this name for another route"]
    size = len(name.encode(errors="surrogatepass"))
    return [f"function must have at most {MAX_NAME_BYTES} bytes, got {size}"] if size > MAX_NAME_BYTES else []


def _check_argument(argument: Any) -> list[str]:
    """Return the mistakes in the argument. The messages do not contain it, because it may be a secret."""
    if argument is None:
        return []
    if isinstance(argument, bool) or not isinstance(argument, (str, int)):
        return ["argument must be text or a whole number; put words such as on and off, and decimals, in quotes"]
    size = len(str(argument).encode(errors="surrogatepass"))
    if size <= MAX_ARGUMENT_BYTES:
        return []
    return [f"argument must have at most {MAX_ARGUMENT_BYTES:,} bytes, got {size:,}"]


def _check_expected(expected: list[int] | None) -> list[str]:
    if expected == []:
        return ["expect is empty; leave it out to accept every value"]
    # Not a test for membership in a range: Ansible's tagged integers would be compared with each number of the range.
    wrong = [str(value) for value in expected or () if not _MIN_VALUE <= value <= _MAX_VALUE]
    return [f"expect contains {list_names(wrong)}, but functions return numbers of 32 bits"] if wrong else []
