# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the devices that an advisory of a manufacturer or a carrier affects."""

from __future__ import annotations

DOCUMENTATION = r"""
name: advisories
short_description: Find the devices that advisories affect
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Reads advisories of manufacturers and carriers from YAML files, and returns the devices that each advisory affects.
  - An advisory has rules about the facts of devices, such as platform, ICCID and Device OS version. The guide to the
    report describes the format of the files.
  - If a fact that a rule needs is unknown, the device is returned in RV(_value[].cannot_tell), and counts neither as
    affected nor as unaffected.
  - The filter makes no API request. The role C(meshfleet.particle.report) uses it to show advisories in the report.
options:
  _input:
    description: Devices, as returned in RV(meshfleet.particle.device_info#module:devices).
    type: list
    elements: dict
    required: true
  files:
    description: Contents of the YAML files with advisories, by file name. Error messages refer to these file names.
    type: dict
    required: true
positional: files
"""

EXAMPLES = r"""
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Show how many of them each advisory affects
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.hit | length }} of {{ found.count }} devices"
  loop: "{{ found.devices | meshfleet.particle.advisories({'advisories.yml': text}) }}"
  vars:
    text: "{{ lookup('ansible.builtin.file', 'advisories.yml') }}"
"""

RETURN = r"""
_value:
  description: One dictionary for each advisory, in the order of the files.
  type: list
  elements: dict
  contains:
    id:
      description: Id of the advisory.
      type: str
      sample: sunset-2g
    title:
      description: Title of the advisory.
      type: str
      sample: The 2G network is switched off
    url:
      description: URL of the advisory, V(null) if the file does not contain one.
      type: str
      sample: https://example.com/notices/sunset-2g
    hit:
      description: Ids of the devices that the advisory affects.
      type: list
      elements: str
      sample: [e00fce68aabbccddeeff0022]
    cannot_tell:
      description: Ids of the devices for which facts are unknown, so that the advisory may or may not affect them.
      type: list
      elements: str
      sample: []
    missing:
      description: Number of devices in C(cannot_tell) for which a fact is unknown, by the name of the fact.
      type: dict
      sample:
        iccid: 3
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.advisories import (
    find_affected_devices,
    read_advisories,
)
from ansible_collections.meshfleet.particle.plugins.plugin_utils._report import check_devices


def advisories(devices: Any, files: Any) -> list[dict[str, Any]]:
    """Return which devices each advisory affects.

    :param devices: facts of devices, as ``device_info`` returns them.
    :param files: the texts of advisory files by their names.
    :raises AnsibleFilterError: when a file has mistakes; the error names each one with its file and line.
    """
    if not isinstance(files, Mapping) or not all(isinstance(text, str) for text in files.values()):
        raise AnsibleFilterError("advisories: the files must be a dictionary from file names to texts.")
    # Convert to plain strings, because the YAML parser refuses strings that Ansible has tagged.
    texts = {str(name): str(text) for name, text in files.items()}
    try:
        return find_affected_devices(read_advisories(texts), check_devices(devices))
    except ParticleError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    """The filter of this file, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"advisories": advisories}
