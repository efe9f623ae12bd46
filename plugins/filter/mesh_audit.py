# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit the remains of a Particle Mesh: its networks, its risks and the manifests to migrate it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_audit
short_description: Judge a stranded Particle Mesh, and plan the way out
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Judges the facts of devices and, where the cloud still tells them, the networks of the registry. Says what there is
    and what would break it, and gives manifests that lead to networks of backend C(ledger).
  - Only reads what it is given. The task file C(mesh_audit) of the role C(meshfleet.particle.provision) gathers that.
options:
  _input:
    description: The devices, as RV(meshfleet.particle.device_info#module:devices) has them.
    type: list
    elements: dict
    required: true
  networks:
    description:
      - The networks, as RV(meshfleet.particle.network_info#module:networks) has them. Not given where the cloud has no
        registry any more.
    type: list
    elements: dict
positional: networks
seealso:
  - plugin: meshfleet.particle.network_info
    plugin_type: module
"""

EXAMPLES = r"""
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Say what would break, on a cloud that no longer has the registry
  ansible.builtin.debug:
    msg: "{{ (found.devices | meshfleet.particle.mesh_audit).risks }}"
"""

RETURN = r"""
_value:
  description: What was found.
  type: dict
  contains:
    registry:
      description: V(present) where networks were given, V(retired) where not.
      type: str
      sample: retired
    networks:
      description: Each network with the ids of its C(gateways) and C(nodes), as far as they are known.
      type: list
      elements: dict
    devices:
      description:
        - Each device that is in a network or has the radio, with C(platform), C(device_os), C(network), C(role),
          whether its Device OS still C(meshes), and its C(risks), one sentence each. That it must be updated to Device
          OS 6.1 before it can be in the network that is planned for it, is one of them.
      type: list
      elements: dict
    risks:
      description: What would break networks, or has, one sentence each.
      type: list
      elements: str
      sample: ["network barn stands on one gateway, and no other can be added"]
    left_behind:
      description: The members that no network of backend C(ledger) can have, each with the C(reason).
      type: list
      elements: dict
    manifests:
      description:
        - For each product and platform a C(manifest) for M(meshfleet.particle.fleet), and a name for its C(file).
        - Where C(product) is V(null) nothing tells of a product of the devices, and M(meshfleet.particle.fleet) refuses
          the manifest until it names one. C(needs) says so, and what to do; it is V(null) for all others.
      type: list
      elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.audit import audit_mesh


def mesh_audit(devices: Any, networks: Any = None) -> dict[str, Any]:
    """Return the networks, the risks and the migration manifests of gathered devices.

    :raises AnsibleFilterError: when an argument is not a list of dictionaries.
    """
    for what, given in (("devices", devices), ("networks", networks or ())):
        if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
            raise AnsibleFilterError(f"mesh_audit: the {what} must be a list of dictionaries.")
        if not all(isinstance(item, Mapping) for item in given):
            raise AnsibleFilterError(f"mesh_audit: the {what} must be a list of dictionaries.")
    return audit_mesh(devices, networks)


class FilterModule:
    """The filter of this file, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"mesh_audit": mesh_audit}
