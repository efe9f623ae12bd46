# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the networks and the risks of a retired Particle Mesh, and build manifests to migrate the members."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_audit
short_description: Audit a Particle Mesh and plan its migration
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Returns the remaining networks and members of Particle Mesh, and the risks for these networks and members. Particle
    has retired Particle Mesh.
  - Returns manifests with which M(meshfleet.particle.fleet) migrates the members to networks with backend V(ledger).
  - The filter makes no API request. The task file C(mesh_audit) of the role C(meshfleet.particle.provision) gathers the
    input, and applies the filter.
options:
  _input:
    description: Devices, as returned in RV(meshfleet.particle.device_info#module:devices).
    type: list
    elements: dict
    required: true
  networks:
    description:
      - Networks of the Particle Mesh registry, as returned in RV(meshfleet.particle.network_info#module:networks).
      - Omit this option if the cloud no longer has the registry.
    type: list
    elements: dict
positional: networks
seealso:
  - plugin: meshfleet.particle.network_info
    plugin_type: module
  - plugin: meshfleet.particle.fleet
    plugin_type: module
  - plugin: meshfleet.particle.provision
    plugin_type: role
  - name: Guide to networks
    description: Describes the backends of networks, and how networks are formed, verified and removed.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_mesh.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: found

- name: Gather the networks of the registry
  meshfleet.particle.network_info:
  register: registry

- name: Show the risks, and the devices that cannot be migrated
  ansible.builtin.debug:
    msg: "{{ audit.risks + audit.left_behind }}"
  vars:
    audit: "{{ found.devices | meshfleet.particle.mesh_audit(registry.networks) }}"

- name: Show the risks if the cloud no longer has the registry
  ansible.builtin.debug:
    msg: "{{ (found.devices | meshfleet.particle.mesh_audit).risks }}"
"""

RETURN = r"""
_value:
  description: Result of the audit.
  type: dict
  contains:
    registry:
      description: V(present) if O(networks) is set, V(retired) otherwise.
      type: str
      sample: retired
    networks:
      description: Known networks, sorted by name.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the network.
          type: str
          sample: barn
        type:
          description: Type of the network in the registry, V(null) if it is unknown.
          type: str
          sample: micro_wifi
        state:
          description: State of the network in the registry, V(pending) or V(confirmed). V(null) if it is unknown.
          type: str
          sample: confirmed
        gateways:
          description: Ids of the gateways.
          type: list
          elements: str
          sample: [e00fce68aabbccddeeff0022]
        nodes:
          description: Ids of the nodes.
          type: list
          elements: str
          sample: [e00fce68aabbccddeeff0023]
    devices:
      description: Devices that are in a network, or have the radio of Particle Mesh.
      type: list
      elements: dict
      contains:
        id:
          description: Device id.
          type: str
          sample: e00fce68aabbccddeeff0022
        name:
          description: Name of the device, V(null) if it has none.
          type: str
          sample: barn-gateway
        platform:
          description: Name of the platform, V(null) if it is unknown.
          type: str
          sample: boron
        device_os:
          description: Version of Device OS, V(null) if it is unknown.
          type: str
          sample: 1.5.2
        product:
          description: Slug or id of the product of the device, V(null) if it is unknown.
          type: str
          sample: field-logger
        network:
          description: Name of the network of the device, V(null) if the device is in no network.
          type: str
          sample: barn
        role:
          description: Role of the device in the network, V(gateway) or V(node). V(null) if the device is in no network.
          type: str
          sample: gateway
        meshes:
          description:
            - Whether the device may still run Particle Mesh, which needs Device OS 1.5.x or older. V(true) if the
              version is unknown.
          type: bool
          sample: true
        risks:
          description:
            - Reasons why the device would leave its network or has already left it, and updates that it needs before it
              can join its planned network. Each item is one sentence.
          type: list
          elements: str
          sample: []
    risks:
      description: Risks that concern whole networks, one sentence each.
      type: list
      elements: str
      sample: [network barn has no gateway that is online]
    left_behind:
      description:
        - Members that cannot be migrated, because networks with backend V(ledger) do not support their platform, or
          because no member of their network that can be migrated can be a gateway.
      type: list
      elements: dict
      contains:
        id:
          description: Device id.
          type: str
          sample: e00fce68aabbccddeeff0025
        network:
          description: Name of the network of the device.
          type: str
          sample: barn
        reason:
          description: Reason why the device cannot be migrated.
          type: str
    manifests:
      description: One dictionary for each product and platform of the members that can be migrated.
      type: list
      elements: dict
      contains:
        product:
          description: Slug or id of the product of the devices, V(null) if it is unknown.
          type: str
          sample: field-logger
        platform:
          description: Platform of the devices.
          type: str
          sample: boron
        manifest:
          description: Manifest for O(meshfleet.particle.fleet#module:manifest).
          type: dict
        file:
          description: Suggested file name for the manifest.
          type: str
          sample: field-logger-boron.yml
        needs:
          description:
            - How to add the missing product to the manifest. M(meshfleet.particle.fleet) refuses the manifest until the
              product is added. V(null) if the product is known.
          type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.audit import audit_mesh


def mesh_audit(devices: Any, networks: Any = None) -> dict[str, Any]:
    """Return the networks of the devices, the risks, and the manifests that migrate the devices.

    :raises AnsibleFilterError: when an argument is not a list of dictionaries.
    """
    for what, given in (("devices", devices), ("networks", networks or ())):
        if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
            raise AnsibleFilterError(f"mesh_audit: the {what} must be a list of dictionaries.")
        if not all(isinstance(item, Mapping) for item in given):
            raise AnsibleFilterError(f"mesh_audit: the {what} must be a list of dictionaries.")
    return audit_mesh(devices, networks)


class FilterModule:
    """The class in which Ansible looks up the filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter function, keyed by filter name."""
        return {"mesh_audit": mesh_audit}
