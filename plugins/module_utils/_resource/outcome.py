# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the outcome of a run for the resources of one kind. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import (
    ChangedItem,
    Diff,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import (
    ParticleError,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Row,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Once,
)


@dataclass
class Outcome:
    """The outcome of a run for all declared resources.

    :param changes: the first plan, with one change for each resource.
    :param rows: the rows from the last reading of each resource, keyed by resource key.
    :param written: the keys of resources that were written, completely or partly.
    :param errors: the errors of failed resources, keyed by resource key.
    :param once: secrets that only the responses to the writes have shown, keyed by resource key.
    :param pending: for each written resource that will show its new state only later, the reason.
    :param stopped: the error that ended the run before all resources were written and read again.
    """

    changes: tuple[Change, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    errors: dict[str, ParticleError] = field(default_factory=dict)
    once: dict[str, Once] = field(default_factory=dict, repr=False)
    pending: dict[str, str] = field(default_factory=dict)
    stopped: ParticleError | None = None

    @property
    def error(self) -> ParticleError | None:
        """Return the error to report, or ``None`` if the run has no error.

        An error that ended the run takes precedence over the error of the first failed resource.
        """
        failed = (self.errors[change.key] for change in self.changes if change.key in self.errors)
        return self.stopped or next(failed, None)

    @property
    def changing(self) -> tuple[Change, ...]:
        """The changes of the resources that are not as declared."""
        return tuple(change for change in self.changes if change.action is not Action.NONE)

    @property
    def diff(self) -> Diff:
        """The changing fields of each resource, with their values before and after the change."""
        return Diff(
            tuple(
                ChangedItem(change.key, pair_values(change), is_removal=change.action is Action.DELETE)
                for change in self.changing
            )
        )


def pair_values(change: Change) -> dict[str, tuple[Any, Any]]:
    """Return the values of the changing fields before and after a change. A value that does not exist is ``None``."""
    names = dict.fromkeys((*change.before, *change.after))
    return {name: (change.before.get(name), change.after.get(name)) for name in names}
