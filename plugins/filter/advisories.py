# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the devices that an advisory of a manufacturer or a carrier affects."""

from __future__ import annotations

DOCUMENTATION = r"""
name: advisories
short_description: Which devices a notice hits
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Evaluates notices, written as rules, for the facts of devices. Makes no API request.
  - A rule applies only to known facts. A device without the facts that a rule needs is listed separately, neither as
    affected nor as unaffected.
  - The role C(meshfleet.particle.report) shows what is found on its page. The guide to the report describes the files.
options:
  _input:
    description: The devices, as RV(meshfleet.particle.device_info#module:devices) has them.
    type: list
    elements: dict
    required: true
  files:
    description: The texts of the YAML files with the notices, by the names that mistakes are told with.
    type: dict
    required: true
positional: files
"""

EXAMPLES = r"""
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Say how many of them each notice hits
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.hit | length }} of {{ found.count }} devices"
  loop: "{{ found.devices | meshfleet.particle.advisories({'advisories.yml': text}) }}"
  vars:
    text: "{{ lookup('ansible.builtin.file', 'advisories.yml') }}"
"""

RETURN = r"""
_value:
  description: What was found of each notice, in the order of the files.
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: sunset-2g
    title:
      description: Its title.
      type: str
      sample: The 2G network is switched off
    url:
      description: Where it is published, V(null) when the file does not say.
      type: str
      sample: https://example.com/notices/sunset-2g
    hit:
      description: Ids of the devices that it hits.
      type: list
      elements: str
      sample: [e00fce68aabbccddeeff0022]
    cannot_tell:
      description: Ids of the devices without the facts that its rules need.
      type: list
      elements: str
      sample: []
    missing:
      description: For each fact, how many of those devices lack it.
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
