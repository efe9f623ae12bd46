# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll out the environment variables of one device. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    IMMEDIATE,
    build_device_scope,
    read_level,
    start_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


def roll_out_variables(http: Http, device: str) -> None:
    """Roll out the edits of a device. The device restarts, as soon as it is online.

    If the response is lost, the variables are read, and the rollout is started again only if it did not take effect.

    :raises ParticleError: ``ambiguous_write`` when the second response is lost, too.
    """
    scope = build_device_scope(device)
    try:
        start_rollout(http, scope, IMMEDIATE)
    except ParticleError as error:
        if error.code != "ambiguous_write":
            raise
        level = read_level(http, scope)
        if level.edited != level.rolled_out:
            start_rollout(http, scope, IMMEDIATE)
