# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Device OS that the firmware of a rollout needs. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import download_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import InvalidBinary
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import parse_file
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Assessment, State

_BEGINNING_OF_BUNDLES = b"PK"


class NeededDeviceOs:
    """The Device OS that a version needs. The binary that names it is downloaded at most once."""

    def __init__(self, target: Target, version: int) -> None:
        self._target = target
        self._version = version
        self._is_read = False
        self.module_version: int | None = None
        """The module version of the oldest Device OS that runs the version; ``None`` if unknown."""

    def read_for(self, assessments: Mapping[str, Assessment]) -> bool:
        """Read the module version if devices are in safe mode, and return whether it has become known.

        The device list does not show which module a device lacks (firmware-and-events.md, section 4.4). A binary that
        cannot be read is not an error: the evidence is then shorter.
        """
        if self._is_read or not any(assessment.state is State.SAFE_MODE for assessment in assessments.values()):
            return False
        self._is_read = True
        try:
            content = download_firmware(self._target.http, self._target.required_product.id, self._version)
            name = "bundle.zip" if content.startswith(_BEGINNING_OF_BUNDLES) else "binary.bin"
            self.module_version = parse_file(name, content).binary.device_os
        except (ParticleError, InvalidBinary):
            return False
        return self.module_version is not None
