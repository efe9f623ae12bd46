# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert declared options to the settings in the record of a rollout, and back. Private to this collection.

With the settings, ``rollout_info`` assesses a rollout as its last run did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_json
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import NO_RELEASE, Rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    SPEC,
    WAIT_SPEC,
    Declaration,
    read_declaration,
)

MAX_FILTERS_SIZE = 4_000
"""The maximum size of the filters in the record as JSON, in bytes.

The rest is left to the other parts of the record.
"""

TOO_LARGE = "too large"
"""The value of the setting ``filters`` if the filters are too large for the record."""

_NAMES = ("waves", "soak", "offline_after", "brake", "approve", "unavailable", "rollback", "release", "filters")
"""The options that the record contains. A selection of devices is valid only after the release is read."""

_VALIDATOR = ArgumentSpecValidator({**SPEC, **WAIT_SPEC})


def build_settings(rollout: Rollout, filters: Filters) -> dict[str, Any]:
    """Return the declared options that the record contains, in the form in which the module declares them."""
    most, release = rollout.unavailable, rollout.release
    return {
        "waves": [wave.as_data() for wave in rollout.waves],
        "soak": int(rollout.health.soak),
        "offline_after": None if rollout.health.offline_after is None else int(rollout.health.offline_after),
        "brake": rollout.brake.as_data(),
        "approve": "each" if rollout.needs_approval else "none",
        "unavailable": None if most is None else {"per": "group", "most": str(most)},
        "rollback": "lock" if rollout.is_rolled_back else "none",
        "release": NO_RELEASE if release is None else dict(release),
        "filters": _show_filters(filters),
    }


def _show_filters(filters: Filters) -> Any:
    given = {each.name: getattr(filters, each.name) for each in fields(filters) if each.compare}
    shown = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in given.items()
        if value is not None
    }
    return TOO_LARGE if measure_json(shown) > MAX_FILTERS_SIZE else shown or None


def read_settings(version: int, settings: Mapping[str, Any]) -> Declaration:
    """Return the declaration that a record describes. Settings that are missing or damaged have their defaults."""
    options = _VALIDATOR.validate({"version": version}).validated_parameters
    for name in _NAMES:
        options = _add_setting(options, name, settings.get(name, options[name]))
    return read_declaration(options)


def _add_setting(options: Mapping[str, Any], name: str, value: Any) -> Mapping[str, Any]:
    """Return the options with a setting, or without it if it is not valid."""
    try:
        # A ledger may store numbers as floating-point numbers. The validation converts them.
        checked = _VALIDATOR.validate({**options, name: value})
        if checked.error_messages:
            return options
        read_declaration(checked.validated_parameters)
    except (ParticleError, TypeError, AttributeError):  # Ansible cannot validate a number in place of a mapping
        return options
    found: Mapping[str, Any] = checked.validated_parameters
    return found
