# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build errors from Ansible's messages about invalid options, with suggestions. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.validation import check_type_dict

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar

_SUPPORTED_MARK = ". Supported parameters include: "
"""A string in Ansible's message about unknown options.

The message lists the unknown options before this string, and the supported options after this string.
"""


def add_suggestions(messages: Sequence[str], given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> str:
    """Return Ansible's messages about invalid options as one string, with suggestions of similar names and choices.

    :param messages: the messages of Ansible's validation. The messages quote option values, and can contain secrets.
    :param given: the options of the task.
    :param spec: the argument spec with which Ansible validated the options.
    """
    hints = []
    for name, option in spec.items():
        values = given.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value not in option.get("choices", (value,)):
                hints.append(suggest_similar(value, option["choices"]))
    refused = "; ".join(message for message in messages if _SUPPORTED_MARK not in message) + "".join(hints)
    unknown = [_describe_unknown(message, spec) for message in messages if _SUPPORTED_MARK in message]
    return ". ".join(filter(None, [refused, *unknown]))


def build_option_error(message: str) -> ParticleError:
    """Return the error about invalid options.

    :param message: the message of :func:`add_suggestions`, without secrets.
    """
    return ParticleError("invalid_option", f"{message.rstrip('.')}.")


def find_wrong_mappings(given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a message for each option that must be a mapping and is another value, keyed by option.

    Ansible's validation of such a value ends with an exception.
    """
    wrong = {}
    for name, option in spec.items():
        value = given.get(name)
        if option.get("type") != "dict" or "options" not in option or value is None or isinstance(value, Mapping):
            continue
        try:
            check_type_dict(value)
        except TypeError:
            keys = ", ".join(option["options"])
            wrong[name] = f"{name} must be a mapping, got {describe_type(value)}. Its keys are: {keys}"
    return wrong


def _describe_unknown(message: str, spec: Mapping[str, Any]) -> str:
    """Return a clearer form of Ansible's message about unknown options.

    The result has one sentence for each unknown option, and one sentence with the supported options.
    """
    names, _between, supported = message.partition(_SUPPORTED_MARK)
    known = [*spec, *supported.rstrip(".").split(", ")]
    phrase = [
        f"Unsupported option: {name}{suggest_similar(name.rpartition('.')[2], known)}. " for name in names.split(", ")
    ]
    return f"{''.join(phrase)}Supported options: {supported}"
