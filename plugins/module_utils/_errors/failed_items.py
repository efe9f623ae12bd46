# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the failures of many items in a few lines. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count

_MAX_ITEMS = 10
"""The number of failed items that a message names."""

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

    At most :data:`_MAX_REASONS` reasons and :data:`_MAX_ITEMS` devices are named, and the others are counted. Reasons
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
    named = [
        [reason if hint == last_hint else f"{reason} {hint}", *_list_titles(titles, max(1, _MAX_ITEMS // len(shown)))]
        for (reason, hint), titles in sorted(shown, key=lambda entry: entry[0][1] == last_hint)
    ]
    lines = [line for reason in named for line in reason]
    if len(reasons) > len(shown):
        others = list(reasons.values())[_MAX_REASONS:]
        devices = format_count(sum(map(len, others)), "device")
        lines.append(f"and {format_count(len(others), 'other reason')}, for {devices}")
    return lines


def _list_titles(titles: Sequence[str], at_most: int) -> Iterable[str]:
    yield from (f"  {title}" for title in titles[:at_most])
    if len(titles) > at_most:
        yield f"  and {len(titles) - at_most:,} more"


def _generalize_message(item: FailedItem) -> str:
    """Return the message of an error without the identifiers of its device, so that equal reasons have equal messages.

    A device in a message is written as "device" and an identifier.
    """
    message = item.error.message
    for identifier in item.identifiers:
        message = message.replace(f"device {identifier}", "the device").replace(f"Device {identifier}", "The device")
    return message
