# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the environment variables of devices. Private to this collection."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    Level,
    build_device_scope,
    read_level,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Observed
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest


def observe_variables(
    target: Target, manifest: Manifest, observed: Observed, known: MutableMapping[str, Level]
) -> Observed:
    """Read the variables of each observed device that declares variables, with one request per device.

    Nothing is read if the manifest removes devices.

    :param known: the variables that were read before, keyed by device. Variables that this function reads are added.
    :returns: ``observed`` with these variables.
    :raises ParticleError: ``unsupported`` when the cloud has no environment variables.
    """
    if manifest.absent:
        return observed
    wanted = [record.id for record in manifest.devices if record.environment and record.id in observed.devices]
    unread = [device for device in wanted if device not in known]
    http = target.http
    read = map_in_parallel(lambda device: read_level(http, build_device_scope(device)), unread, http.workers)
    known.update(zip(unread, read, strict=True))
    found = {device: replace(observed.devices[device], variables=known[device]) for device in wanted}
    return replace(observed, devices={**observed.devices, **found}) if found else observed
