# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Find the writes that the cloud has accepted although they changed nothing.

The search uses only the list of writes. It applies each write to its record of what the writes have set. A write that
sets nothing new was needed only if the outcome of the write that had set the same before was uncertain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Write = Mapping[str, Any]
Fact = tuple[Any, ...]

IMPORT = "POST /v1/products/:p/devices"
BATCH = "PUT /v1/products/:p/devices"
ROLLED_OUT = "variables are rolled out"
UNCERTAIN = frozenset({"reset_after", "truncated", "empty"})
"""The effects of faults after which a client cannot know whether its write was carried out."""


class WriteRecord:
    """The record of what all writes have set, keyed by the thing that they set."""

    def __init__(self) -> None:
        self._set: dict[Fact, tuple[Any, bool]] = {}

    def find_unneeded(self, writes: Sequence[Write]) -> list[Write]:
        """Apply the next writes, and return those that were not needed."""
        return [write for write in writes if not self._apply(write)]

    def _apply(self, write: Write) -> bool:
        """Apply a write, and return whether it was needed."""
        method = write["route"].partition(" ")[0]
        if method == "DELETE":
            self._forget(write["path"].values())
            return True  # the cloud refuses to delete what does not exist
        facts = dict(_list_facts(write))
        if not facts:
            return True  # a new resource, and the cloud refuses a second one
        found = [self._set.get(fact) for fact in facts]
        is_uncertain = write["fault"] in UNCERTAIN
        is_needed = any(
            old is None or old[0] != value or old[1] for old, value in zip(found, facts.values(), strict=True)
        )
        self._set.update({fact: (value, is_uncertain) for fact, value in facts.items()})
        if method == "PATCH":
            self._set.pop((*write["path"].values(), ROLLED_OUT), None)  # the variables must be rolled out again
        return is_needed

    def _forget(self, names: Any) -> None:
        """Forget what was set of a deleted resource. All names of the resource occur in each of its facts."""
        gone = set(names)
        self._set = {fact: value for fact, value in self._set.items() if not gone <= set(fact)}


def _list_facts(write: Write) -> Iterator[tuple[Fact, Any]]:
    """Yield what a write sets, and the values. A fact begins with the names in the path of the write."""
    route, fields = write["route"], write["fields"]
    names = tuple(write["path"].values())
    if route == IMPORT:
        yield from (((*names, device, "product"), True) for device in write["answer"]["updatedDeviceIds"])
    elif route == BATCH:
        for device in fields["devices"]:
            for is_member, key in ((True, "add"), (False, "remove")):
                yield from (((*names, device, "group", group), is_member) for group in fields["metadata"].get(key, ()))
    elif "/env" in route:
        yield from _list_variables(write, names)
    elif route.startswith("PUT "):
        yield from (((*names, route, name), value) for name, value in fields.items())


def _list_variables(write: Write, names: Fact) -> Iterator[tuple[Fact, Any]]:
    """Yield the environment variables that a write sets. They take effect when they are rolled out."""
    if write["route"].endswith("/rollout"):
        yield (*names, ROLLED_OUT), True
        return
    for change in write["fields"]["ops"]:
        yield (*names, "variable", change["key"]), change.get("value")
