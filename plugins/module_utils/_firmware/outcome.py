# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the result of a run for a firmware version. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import (
    RELEASE_PREFIX,
    Changes,
    Row,
    show_version,
)


@dataclass
class Outcome:
    """The result of a run; in check mode, the result that a run would have.

    :param row: the version after the run; ``None`` if it does not exist.
    :param ended: the releases of other versions that the release ends, keyed by version.
    :param changed: whether the run has changed the version, or would change it.
    :param impact: how many devices the release would update; ``None`` if this was not read.
    :param error: the error that ended the run after its first write.
    """

    version: int
    row: Row | None = None
    changes: Changes = field(default_factory=dict)
    ended: Mapping[int, Changes] = field(default_factory=dict)
    changed: bool = False
    is_removal: bool = False
    impact: Mapping[str, Any] | None = None
    error: ParticleError | None = None

    def as_result(self) -> dict[str, Any]:
        """Return the documented result. The key ``diff`` contains a :class:`Diff`."""
        items = [ChangedItem(f"firmware {self.version}", self.changes, is_removal=self.is_removal)]
        items += [ChangedItem(f"firmware {version}", changes) for version, changes in self.ended.items()]
        result: dict[str, Any] = {
            "changed": self.changed,
            "firmware": None if self.row is None else show_version(self.row),
            "changes": _show_changes(self.changes),
            "ended_releases": [{"version": each, "changes": _show_changes(self.ended[each])} for each in self.ended],
            "diff": Diff(tuple(items) if self.changes else ()),
        }
        if self.impact is not None:
            result["impact"] = dict(self.impact)
        return {**result, **(self.error.as_failure() if self.error else {})}

    def end_with(self, error: ParticleError, row: Row | None, *, is_released: bool, has_settings: bool) -> None:
        """Record an error in the outcome, and remove the changes that were not made because of it."""
        self.error, self.row = error, row
        if not is_released:
            self.ended = {}
        self.changes = {
            name: pair
            for name, pair in self.changes.items()
            if (is_released if name.startswith(RELEASE_PREFIX) else has_settings)
        }


def _show_changes(changes: Changes) -> dict[str, Any]:
    return {name: {"before": before, "after": after} for name, (before, after) in changes.items()}
