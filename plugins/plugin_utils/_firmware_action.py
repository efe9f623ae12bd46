# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the base class of the action plugins that read a firmware file. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFileNotFound

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_files import FILE_HINT


class FirmwareAction(ModuleAction):
    """An action plugin whose option ``file`` is searched like the files of other actions, for example of copy."""

    def work(self, task: Task) -> dict[str, Any]:
        """Find the firmware file, and do the work of the module.

        :raises ParticleError: ``wrong_binary`` when the file does not exist.
        """
        if (path := task.options["file"]) is not None:
            try:
                task.options = {**task.options, "file": self._find_needle("files", path)}
            except AnsibleFileNotFound as error:
                message = f"The firmware file {path} cannot be read: {error}"
                raise ParticleError("wrong_binary", message, hint=FILE_HINT) from None
        return super().work(task)
