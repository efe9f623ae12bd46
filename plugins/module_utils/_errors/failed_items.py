# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the failures of many items in a few lines. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    MAX_SHOWN,
    format_count,
    list_lines,
)

_MAX_REASONS = 5
"""The number of different reasons that a message contains."""


@dataclass(frozen=True)
class FailedItem:
    """A device that has failed.

    :param title: the name of the device and where it is declared, as shown to the user.
    :param identifiers: the identifiers by which messages name the device.
    """

    title: str
    identifiers: tuple[str, ...]
    error: ParticleError


def describe_reasons(failed: Sequence[FailedItem], last_hint: str) -> list[str]:
    """Return each different reason, followed by the titles of the devices that have failed for this reason.

    At most :data:`_MAX_REASONS` reasons and :data:`MAX_SHOWN` devices are named, and the others are counted. Reasons
    with the hint ``last_hint`` come last, and each other reason is followed by its own hint.

    :param failed: at least one device.
    :param last_hint: the hint that belongs at the end of the message.
    :returns: lines of text, without ``last_hint``.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in failed:
        reasons.setdefault((_generalize_message(item), item.error.hint), []).append(item.title)
    if len(failed) == 1:
        reasons = {(failed[0].error.message, failed[0].error.hint): [failed[0].title]}
    shown = list(reasons.items())[:_MAX_REASONS]
    at_most = max(1, MAX_SHOWN // len(shown))
    lines = []
    for (reason, hint), titles in sorted(shown, key=lambda entry: entry[0][1] == last_hint):
        lines.append(reason if hint == last_hint else f"{reason} {hint}")
        lines += [f"  {line}" for line in list_lines(titles, at_most)]
    if len(reasons) > len(shown):
        others = list(reasons.values())[_MAX_REASONS:]
        devices = format_count(sum(map(len, others)), "device")
        lines.append(f"and {format_count(len(others), 'other reason')}, for {devices}")
    return lines


def _generalize_message(item: FailedItem) -> str:
    """Return the message of an error without the identifiers of its device, so that equal reasons have equal messages.

    A device in a message is written as "device" and an identifier.
    """
    message = item.error.message
    for identifier in item.identifiers:
        message = message.replace(f"device {identifier}", "the device").replace(f"Device {identifier}", "The device")
    return message
