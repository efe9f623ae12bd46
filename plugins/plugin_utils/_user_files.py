# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the files that users name in plays. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleFileNotFound

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_MANIFEST_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import find_file_mistake

FILE_HINT = "Correct the path. A relative path is searched in files and beside the playbook."
"""The hint for a file that Ansible does not find."""


def read_user_file(found: str, name: str, loader: Any) -> bytes:
    """Return the content of a file. The file may be encrypted with Ansible Vault.

    :param found: the path of the file.
    :param name: the name of the file for messages, such as ``The manifest fleet.yml``.
    :param loader: Ansible's ``DataLoader``.
    :raises ParticleError: ``invalid_manifest`` when the file is not a regular file, is too large or cannot be read.
    """
    if mistake := find_file_mistake(Path(found), MAX_MANIFEST_BYTES):
        hint = "Name a regular file, or split the file."
        raise ParticleError("invalid_manifest", f"{name} {mistake}.", hint=hint)
    try:
        # Decrypt in memory: a temporary file that a killed run leaves behind could contain join keys. The encoding maps
        # each byte to one character, so that the bytes can be restored.
        text = loader.get_text_file_contents(found, encoding="latin-1")
    except AnsibleFileNotFound as error:
        raise build_missing_file_error(name, str(error)) from None
    except AnsibleError as error:
        message = f"{name} cannot be read: {error}"
        raise ParticleError("invalid_manifest", message, hint=_advise_on_file(error)) from None
    return str(text).encode("latin-1")


def build_missing_file_error(name: str, reason: str) -> ParticleError:
    """Return the error for a file that Ansible does not find.

    :param name: the name of the file for messages, such as ``The manifest fleet.yml``.
    :param reason: the sentence of Ansible that tells where it searched.
    """
    return ParticleError("invalid_manifest", f"{name} cannot be read: {reason}", hint=FILE_HINT)


def _advise_on_file(error: AnsibleError) -> str:
    """Return the hint for a file that exists but cannot be read."""
    if "vault" in str(error).lower() or "decrypt" in str(error).lower():
        return "Give the vault password with which the file was encrypted, for example with --vault-password-file."
    return "Check the permissions of the file."
