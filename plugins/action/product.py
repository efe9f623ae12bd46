# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``product`` on the controller: bring a product to the state that its definition declares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFileNotFound
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import REMOVALS, read_confirm
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import Definition, read_definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.reconcile import (
    Settings,
    check_prune,
    reconcile_product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.api_users import API_USERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.firmware import FIRMWARE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS, order_kinds
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import MIN_PASSWORD
from ansible_collections.meshfleet.particle.plugins.modules.product import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_files import (
    build_missing_file_error,
    read_document,
    read_user_file,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_token_file import refuse_own_token_file

CONFIRMATIONS = (REMOVALS, *(kind.removal_confirmation for kind in KINDS.values() if kind.removal_confirmation))
"""The words that the option ``confirm`` may contain."""


class ActionModule(ParticleAction):
    """The action plugin of module ``product``."""

    SPEC = SPEC
    _folder: Path | None = None
    """The folder of the file of the definition; ``None`` if the definition is not a file."""

    def work(self, task: Task) -> dict[str, Any]:
        """Read the definition before any API request, then bring the product to the state that it declares."""
        options = task.options
        if options["max_removals"] is not None and options["max_removals"] < 0:
            message = f"max_removals must be 0 or more, got {options['max_removals']}."
            raise ParticleError("invalid_option", message, hint="Correct max_removals.")
        check_prune(options["prune"], KINDS)
        # A given secret stays secret, wherever the definition uses it.
        task.redact.add_secrets(text for text in map(str, options["secrets"].values()) if len(text) >= MIN_PASSWORD)
        named = self._read_definition(options["definition"])
        if unknown := named.find_unknown_secrets(options["secrets"]):
            task.warn(f"secrets contains values that the definition does not name: {', '.join(unknown)}.")
        definition = self._find_files(named.fill(options["secrets"]))
        users = definition.resources.get(API_USERS.name, ())
        refuse_own_token_file(task, [user.values.get(API_USERS.secret_file) for user in users])
        settings = Settings(
            options["prune"],
            options["update_secrets"],
            options["max_removals"],
            confirmed=read_confirm(options["confirm"], CONFIRMATIONS),
            force=options["force"],
        )
        with task.open_product() as target:
            outcome = reconcile_product(target, order_kinds(), definition, settings, check_mode=task.check_mode)
        masked: dict[str, Any] = remove_values(task.show_diff(outcome.as_result()), task.redact.secrets)
        return masked

    def _read_definition(self, given: Any) -> Definition:
        if isinstance(given, str):
            data, where = read_document(given, "definition", self._read_file)
            return read_definition(data, KINDS, where)
        return read_definition(given, KINDS)

    def _read_file(self, path: str) -> bytes:
        """Return the content of the definition. The file may be encrypted with Ansible Vault."""
        name = f"The definition {path}"
        try:
            found = self._find_needle("files", path)
        except AnsibleFileNotFound as error:
            raise build_missing_file_error(name, error.paths or ()) from None
        self._folder = Path(found).parent
        return read_user_file(found, name, self._loader)

    def _find_file(self, path: str) -> str:
        """Return the path of a file that the definition names. It may be beside the file of the definition."""
        beside = None if self._folder is None else self._folder / path
        return str(beside if beside is not None and beside.is_file() else self._find_needle("files", path))

    def _find_files(self, definition: Definition) -> Definition:
        """Return the definition with the paths of the firmware files that it names.

        :raises ParticleError: ``wrong_binary`` when files do not exist. The message names all of them.
        """
        missing, found = list[str](), list[Declared]()
        for declared in definition.resources.get(FIRMWARE.name, ()):
            values = dict(declared.values)
            if "file" in values:
                try:
                    values["file"] = self._find_file(values["file"])
                except AnsibleFileNotFound:
                    missing.append(f"{values['file']} of version {declared.key}")
            found.append(replace(declared, values=values))
        if missing:
            message = f"These firmware files do not exist: {list_names(missing)}."
            hint = "Correct the paths. They are searched beside the definition, in files and beside the playbook."
            raise ParticleError("wrong_binary", message, hint=hint)
        return Definition({**definition.resources, FIRMWARE.name: tuple(found)}) if found else definition
