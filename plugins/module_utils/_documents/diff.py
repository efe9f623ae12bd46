# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the changes of a task as the short text that Ansible shows in diff mode. Private to this collection.

The text has one line for each device, or one line for several devices with the same changes. The exact values are in
other return values, so long values are shortened.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    format_count,
    list_names,
    show_text,
)

MAX_LINES = 12
"""The maximum number of lines without ``-v``. With the other output of Ansible, a screen of 25 lines is enough."""

MAX_TEXT_SIZE = 250_000
"""The maximum size of the text with ``-v``, as JSON in ASCII. This is enough for 2,000 devices."""

_MAX_VALUE_LENGTH = 60
_MAX_NAMES = 3
_MIN_SHARED = 3
"""The number of devices from which on equal changes are shown in one line."""

_SHOWN_BEFORE_DIFFERENCE = 10
"""Number of equal characters of two long values that are shown before their first difference."""


@dataclass(frozen=True)
class ChangedItem:
    """A device or a resource that a task changes.

    :param key: the identifier of the item.
    :param changes: the values before and after the change, keyed by field.
    :param name: the name of the item, if it has a name besides ``key``.
    :param is_removal: whether the task takes the item out of the product or the account.
    :param note: a word about a consequence of the changes; empty if there is none.
    """

    key: str
    changes: Mapping[str, tuple[Any, Any]]
    name: str | None = None
    is_removal: bool = False
    note: str = ""


@dataclass(frozen=True)
class Diff:
    """Everything that a task changes.

    :param created: the names of created resources, keyed by kind, such as ``groups``.
    :param removed: the names of removed resources, keyed by kind.
    :param changed: the names of changed resources, keyed by kind.
    :param noun: the word for an item, to count items.
    """

    items: tuple[ChangedItem, ...] = ()
    created: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    noun: str = "device"


def describe_diff(
    diff: Diff, mask: Callable[[Any], Any], *, uncertain: Sequence[str] = (), max_size: int | None = None
) -> str:
    """Return the text of a diff. Removals come first, then resources, then the other changes.

    :param mask: masks the secrets in a value. Values are masked before they are shortened.
    :param uncertain: the identifiers of the devices for which check mode cannot predict the changes of the run.
    :param max_size: the maximum size of a text with one line for each device. ``None`` means a text of at most
        :data:`MAX_LINES` lines, in which devices with the same changes share a line.
    """
    removals = [[item] for item in diff.items if item.is_removal]
    others = [[item] for item in diff.items if not item.is_removal]
    if max_size is None:
        removals, others = _fold_items(removals), _fold_items(others)
    resources = [
        f"{verb} {kind}: {_list_names(names, mask)}"
        for verb, kinds in (("remove", diff.removed), ("create", diff.created), ("change", diff.changed))
        for kind, names in kinds.items()
    ]
    last = []
    if uncertain:
        last.append(f"uncertain for {format_count(len(uncertain), diff.noun)}: {_list_names(uncertain, mask)}")
    room = MAX_LINES - len(resources) - len(last) if max_size is None else max_size
    shown: list[str] = []
    folds = [*removals, *others]
    for fold in folds:
        line = _describe_fold(fold, mask, diff.noun)
        room -= 1 if max_size is None else len(json.dumps(line))
        is_last = len(shown) + 1 == len(folds)
        if room < 0 or (room == 0 and not is_last):  # there must be room for the line that counts the others
            break
        shown.append(line)
    if len(shown) < len(folds):
        hidden = [item for fold in folds[len(shown) :] for item in fold]
        last.insert(0, _count_hidden(hidden, diff.noun, can_show_more=max_size is None))
    before = min(len(shown), len(removals))
    return "".join(f"{line}\n" for line in [*shown[:before], *resources, *shown[before:], *last])


def _fold_items(items: Iterable[list[ChangedItem]]) -> list[list[ChangedItem]]:
    """Put items with equal changes together if there are many of them. The largest folds come first."""
    equal: dict[str, list[ChangedItem]] = {}
    for item in (item for fold in items for item in fold):
        equal.setdefault(repr(item.changes), []).append(item)
    folds: list[list[ChangedItem]] = []
    for same in equal.values():
        folds += [same] if len(same) >= _MIN_SHARED else [[item] for item in same]
    return sorted(folds, key=len, reverse=True)


def _describe_fold(fold: Sequence[ChangedItem], mask: Callable[[Any], Any], noun: str) -> str:
    changes = "; ".join(_describe_change(name, *mask(change)) for name, change in fold[0].changes.items())
    changes = changes or ("removed" if fold[0].is_removal else "")
    changes += f" ({fold[0].note})" if fold[0].note else ""
    if len(fold) > 1:
        names = _list_names([item.name or item.key for item in fold], mask)
        return f"{changes} on {format_count(len(fold), noun)}: {names}"
    key, name = (None if text is None else show_text(mask(text)) for text in (fold[0].key, fold[0].name))
    title = f"{name} ({key})" if name else str(key)
    return f"{title}: {changes}" if changes else title


def _describe_change(name: str, before: Any, after: Any) -> str:
    old, new = _format_value(before), _format_value(after)
    if old == new:  # parts of the value that are not shown differ, such as the device groups of a member
        return f"{name} {_shorten(new, 0)} written again"
    start = 0
    if max(len(old), len(new)) > _MAX_VALUE_LENGTH:
        shorter = min(len(old), len(new))
        equal = next((at for at in range(shorter) if old[at] != new[at]), shorter)
        start = equal - _SHOWN_BEFORE_DIFFERENCE if equal > _MAX_VALUE_LENGTH // 2 else 0
    return f"{name} {_shorten(old, start)} -> {_shorten(new, start)}"


def _count_hidden(hidden: Sequence[ChangedItem], noun: str, *, can_show_more: bool) -> str:
    """Return the line that counts the items without a line, and the fields that change on these items."""
    fields = Counter(name for item in hidden for name in item.changes)
    removals = sum(item.is_removal for item in hidden)
    counts = [f"{format_count(removals, 'removal')}"] if removals else []
    counts += [f"{name} on {number:,}" for name, number in fields.items()]
    more = format_count(len(hidden), f"more {noun}")
    hint = "run with -v for all" if can_show_more else "the result has no room for them"
    return f"and {more} ({', '.join(counts)}); {hint}"


def _list_names(names: Sequence[str], mask: Callable[[Any], Any]) -> str:
    shown = [show_text(mask(name)) for name in names[:_MAX_NAMES]]
    return list_names([*shown, *names[_MAX_NAMES:]], _MAX_NAMES)


def _format_value(value: Any) -> str:
    """Return a value in one line, as YAML spells it. Characters that cannot be printed are escaped."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{show_text(str(key))}: {_format_value(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_format_value, value))}]"
    if isinstance(value, str):
        return repr(str(value))
    return json.dumps(value)


def _shorten(text: str, start: int) -> str:
    """Return a part of a text that begins at ``start``, with ``...`` in place of what is left out."""
    part = text[start : start + _MAX_VALUE_LENGTH]
    return ("..." if start else "") + part + ("..." if start + len(part) < len(text) else "")
