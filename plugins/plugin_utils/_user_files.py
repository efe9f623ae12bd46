# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the files that users name in plays. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleFileNotFound

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_MANIFEST_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.encoding import decode_text
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Where, parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import find_file_mistake

FILE_HINT = "Correct the path. A relative path is searched in files and beside the playbook."
"""The hint for a file that Ansible does not find."""

ReadFile = Callable[[str], bytes]
"""A function that returns the content of a file, decrypted if necessary."""

# The beginning of a mapping or list in one line. A path could begin like this, but files are not named so.
_MAPPING_TEXT = re.compile(r"""\s*(?:[{[]|["']?\w+["']?\s*:\s)""")


def is_mapping_text(text: str) -> bool:
    """Return whether a string is the text of a mapping in one line, for example from a survey, and not a path."""
    return not has_line_break(text) and _MAPPING_TEXT.match(text) is not None


def has_line_break(text: str) -> bool:
    """Return whether a string has several lines, so that it is a text and not a path."""
    return "\n" in text.strip() or "\r" in text.strip()


def read_document(given: str, kind: str, read_file: ReadFile) -> tuple[Any, Where]:
    """Parse a text in YAML or JSON, or the file that a path names.

    :param kind: the word for the document in messages, such as ``definition``.
    :returns: the data, and a function that describes a place in the data for messages.
    :raises ParticleError: ``invalid_manifest`` when the file cannot be read or is not valid YAML.
    """
    if has_line_break(given) or is_mapping_text(given):
        return parse_yaml(given, kind, kind)
    path = given.strip()
    return parse_yaml(decode_text(read_file(path), path), Path(path).name, kind)


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
        raise build_missing_file_error(name, error.paths or [found]) from None
    except AnsibleError as error:
        message = f"{name} cannot be read: {error}"
        raise ParticleError("invalid_manifest", message, hint=_advise_on_file(error)) from None
    return str(text).encode("latin-1")


def build_missing_file_error(name: str, paths: Sequence[str]) -> ParticleError:
    """Return the error for a file that Ansible does not find.

    :param name: the name of the file for messages, such as ``The manifest fleet.yml``.
    :param paths: the paths at which Ansible has searched for the file. They may be repeated.
    """
    searched = ", ".join(dict.fromkeys(map(str, paths))) or "any of the folders that are searched"
    message = f"{name} cannot be read: it was not found in {searched}."
    return ParticleError("invalid_manifest", message, hint=FILE_HINT)


def _advise_on_file(error: AnsibleError) -> str:
    """Return the hint for a file that exists but cannot be read."""
    if "vault" in str(error).lower() or "decrypt" in str(error).lower():
        return "Give the vault password with which the file was encrypted, for example with --vault-password-file."
    return "Check the permissions of the file."
