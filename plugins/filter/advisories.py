# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the devices that are affected by advisories of manufacturers and carriers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: advisories
short_description: Find the devices that advisories affect
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Reads advisories of manufacturers and carriers from YAML files, and returns the devices that each advisory affects.
  - Each file contains a list C(advisories). An advisory has the keys C(id), C(title), C(affects) and optionally C(url).
    C(affects) is a list of rules. The advisory affects a device that matches any of its rules.
  - A rule has one or more of the conditions C(platforms), C(serial_number_prefixes), C(iccid_prefixes), C(device_os)
    and C(mobile_country_codes). A device matches the rule if it meets all conditions. Each condition is a list of
    values. A device meets a condition if any of the values matches. The guide to the report explains each condition.
  - C(mobile_country_codes) needs the vitals of the devices, which
    O(meshfleet.particle.device_info#module:include=vitals) adds.
  - The filter makes no API request. The role C(meshfleet.particle.report) uses it to show advisories in the report.
options:
  _input:
    description: Devices, as returned in RV(meshfleet.particle.device_info#module:devices).
    type: list
    elements: dict
    required: true
  files:
    description:
      - Contents of the YAML files with advisories, keyed by file name. Error messages refer to these file names.
    type: dict
    required: true
positional: files
seealso:
  - plugin: meshfleet.particle.device_info
    plugin_type: module
  - plugin: meshfleet.particle.report
    plugin_type: role
  - name: Guide to the report
    description: Describes the report and the format of advisories.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_report.md
"""

EXAMPLES = r"""
# advisories.yml: the file with advisories
advisories:
  - id: TAN010
    title: SARA-R410 SIM initialization
    url: https://docs.particle.io/reference/technical-advisory-notices/tan010/
    affects:
      - platforms: [boron, bsom]
        iccid_prefixes: ["890103"]
        device_os: ["<2.3.1", ">=3.0.0, <3.3.1", "==4.0.0", ">=5.0.0, <5.1.1"]

---
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Show how many devices each advisory affects
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.hit | length }} of {{ found.count }} devices"
  loop: "{{ found.devices | meshfleet.particle.advisories({'advisories.yml': text}) }}"
  vars:
    text: "{{ lookup('meshfleet.particle.text_file', 'advisories.yml') }}"
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
      sample: TAN010
    title:
      description: Title of the advisory.
      type: str
      sample: SARA-R410 SIM initialization
    url:
      description: URL of the advisory, V(null) if the file does not contain one.
      type: str
      sample: https://docs.particle.io/reference/technical-advisory-notices/tan010/
    hit:
      description: Ids of the devices that match a rule of the advisory. The advisory affects these devices.
      type: list
      elements: str
      sample: [e00fce68aabbccddeeff0022]
    cannot_tell:
      description:
        - Ids of the devices that may or may not be affected, because a fact that a rule needs is unknown. They are not
          in RV(_value[].hit).
      type: list
      elements: str
      sample: []
    missing:
      description:
        - Number of devices in RV(_value[].cannot_tell) for which a fact is unknown, keyed by the name of the fact.
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
    """Return the devices that each advisory affects.

    :param devices: facts of devices, as ``device_info`` returns them.
    :param files: the contents of advisory files, keyed by file name.
    :raises AnsibleFilterError: when a file has mistakes. The message names the file and the line of each mistake.
    """
    if not isinstance(files, Mapping) or not all(isinstance(text, str) for text in files.values()):
        raise AnsibleFilterError("advisories: the files must be a dictionary of file names and their contents.")
    # Convert to plain strings, because the YAML parser refuses strings that Ansible has tagged.
    texts = {str(name): str(text) for name, text in files.items()}
    try:
        return find_affected_devices(read_advisories(texts), check_devices(devices))
    except ParticleError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    """The class in which Ansible looks up the filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter function, keyed by filter name."""
        return {"advisories": advisories}
