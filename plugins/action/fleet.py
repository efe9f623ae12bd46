# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a fleet to its declared state: the module of the same name, on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.documents import Where, dotted, parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.manifest import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import Proof, reconcile
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.fleet import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction

_SHORT_FORM = ("product", "devices", "networks")


class ActionModule(ParticleAction):
    """Reads the manifest, which needs no cloud, and reconciles."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        manifest = read_manifest(*self._declared(task))
        with task.session() as http:
            return reconcile(
                http,
                manifest,
                check_mode=task.check_mode,
                proof=Proof(task.options["verify"], task.options["verify_timeout"]),
                warn=task.warn,
            )

    def _declared(self, task: Task) -> tuple[Any, Where]:
        """The data of the manifest, and how to name its places to the user."""
        short = {name: task.options[name] for name in _SHORT_FORM if task.options[name] is not None}
        manifest = task.options["manifest"]
        if manifest is None:
            return short, dotted
        if short:
            message = f"manifest and {', '.join(short)} are both given."
            raise ParticleError("invalid_manifest", message, hint="Say it all in the manifest, or all in the task.")
        if isinstance(manifest, str):
            return self._read_file(manifest)
        return manifest, dotted

    def _read_file(self, path: str) -> tuple[Any, Where]:
        try:
            found = self._find_needle("files", path)
            readable = self._loader.get_real_file(found, decrypt=True)
        except AnsibleError as error:
            message = f"The manifest {path} cannot be read: {error}"
            raise ParticleError("invalid_manifest", message, hint="Check the path, and the vault password.") from None
        try:
            text = Path(readable).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"The manifest {path} cannot be read: {error}"
            raise ParticleError("invalid_manifest", message, hint="Save it as text in UTF-8.") from None
        finally:
            self._loader.cleanup_tmp_file(readable)
        return parse_yaml(text, Path(path).name)
