# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return the contents of regular text files of a bounded size."""

from __future__ import annotations

DOCUMENTATION = r"""
name: text_file
short_description: Return the contents of text files
version_added: 0.2.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Returns the contents of text files on the controller, like P(ansible.builtin.file#lookup), but with the spaces and
    line ends at the end of each file.
  - Refuses files that are not regular files, such as named pipes, and files of more than 64 MB. With
    P(ansible.builtin.file#lookup), reading a named pipe would wait forever.
  - The files may be encrypted with Ansible Vault. Their encoding is UTF-8, or UTF-16 with a byte order mark.
  - The lookup makes no API request. The role C(meshfleet.particle.report) uses it to read advisories.
options:
  _terms:
    description:
      - Paths of the files. A relative path is searched in the folder C(files) of the role or the play, and then beside
        the playbook.
    type: list
    elements: path
    required: true
seealso:
  - plugin: meshfleet.particle.advisories
    plugin_type: filter
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Show the devices that each advisory affects
  ansible.builtin.debug:
    msg: "{{ found.devices | meshfleet.particle.advisories({'advisories.yml': text}) }}"
  vars:
    text: "{{ lookup('meshfleet.particle.text_file', 'advisories.yml') }}"
"""

RETURN = r"""
_raw:
  description: Contents of the files, in the order of O(_terms).
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.encoding import decode_text
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.plugin_utils._user_files import (
    build_missing_file_error,
    read_user_file,
)


class LookupModule(LookupBase):
    """A lookup that returns the contents of regular text files."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the contents of the files.

        :raises AnsibleLookupError: when a file cannot be read, or is not a text.
        """
        try:
            return [self._read_text(str(term), variables or {}) for term in terms]
        except ParticleError as error:
            raise AnsibleLookupError(f"{error.message} {error.hint}") from None

    def _read_text(self, path: str, variables: dict[str, Any]) -> str:
        name = f"The file {path}"
        found = self.find_file_in_search_path(variables, "files", path, ignore_missing=True)
        if found is None:
            raise build_missing_file_error(name, ())
        return decode_text(read_user_file(found, name, self._loader), path)
