#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_info
short_description: List the networks in the registry of Particle Mesh
version_added: 0.1.0
description:
  - Lists the networks of the account in the registry of Particle Mesh networks, and the devices of each network.
  - The module needs a cloud that still has this registry. Particle has retired it. On a cloud without it, the task
    fails with error code V(unsupported).
  - The registry does not contain networks of backend V(ledger). For these, M(meshfleet.particle.device_info) returns
    the network of each device.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details: This module only reads, so it behaves the same in check mode.
  diff_mode:
    support: N/A
    details: This module changes nothing.
  idempotent:
    support: N/A
    details: This module changes nothing.
options:
  name:
    description:
      - Name of a network. Only this network is returned, or none if it does not exist.
      - A network that no gateway has confirmed yet can only be found by its name, because it is missing from the list.
    type: str
  members:
    description: Whether to return the devices of each network. This takes one request per hundred devices of a network.
    type: bool
    default: true
seealso:
  - module: meshfleet.particle.network
  - module: meshfleet.particle.device_info
"""

EXAMPLES = r"""
- name: List the networks
  meshfleet.particle.network_info:
    access_token: "{{ token.access_token }}"
  register: mesh

- name: Show the gateways of each network
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.devices | selectattr('role', 'eq', 'gateway') | map(attribute='id') | list }}"
  loop: "{{ mesh.networks }}"

- name: Read one network without its devices, with PARTICLE_ACCESS_TOKEN in the environment
  meshfleet.particle.network_info:
    name: barn
    members: false
"""

RETURN = r"""
networks:
  description: Networks, each with the following keys and any others that the cloud returns.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the network, which has 24 hexadecimal digits.
      type: str
      returned: success
      sample: 5c11aa22bb33cc44dd55ee66
    name:
      description: Name of the network.
      type: str
      returned: success
      sample: barn
    type:
      description:
        - Type of the network, which is V(micro_wifi), V(micro_cellular), V(high_availability) or V(large_site).
      type: str
      returned: success
      sample: micro_wifi
    state:
      description: State of the network. V(pending) until a gateway has been online, V(confirmed) afterwards.
      type: str
      returned: success
      sample: confirmed
    devices:
      description: Devices of the network.
      type: list
      elements: dict
      returned: with O(members=true)
      contains:
        id:
          description: Device id.
          type: str
          returned: success
          sample: e00fce68aabbccddeeff0022
        name:
          description: Name of the device. V(null) if it has none.
          type: str
          returned: success
          sample: barn-gateway
        platform_id:
          description: Id of the platform of the device.
          type: int
          returned: success
          sample: 12
        platform:
          description: Name of the platform of the device.
          type: str
          returned: success
          sample: argon
        role:
          description: Role of the device, which is V(gateway) or V(node).
          type: str
          returned: success
          sample: gateway
        state:
          description:
            - State of the role. V(pending) until the device has connected in this role, V(confirmed) afterwards.
          type: str
          returned: success
          sample: confirmed
count:
  description: Number of networks.
  returned: success
  type: int
  sample: 2
credentials_source:
  description:
    - Where the credentials come from, V(the task's options), V(the environment), the path of a O(token_file),
      V(the login of the official command line tool), or V(nowhere). Never what they are.
  returned: when credentials were looked for
  type: str
  sample: the environment
cloud:
  description: What the task cost.
  returned: when a cloud was asked
  type: dict
  contains:
    requests:
      description: Requests sent, logins included.
      type: int
      returned: always
      sample: 11
    writes:
      description: Requests that may have changed the fleet.
      type: int
      returned: always
      sample: 0
    retries:
      description: Requests that were sent again after a passing failure.
      type: int
      returned: always
      sample: 0
    throttled_seconds:
      description: Seconds waited because the cloud asked for it.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description: Seconds spent waiting to stay within the request budget.
      type: float
      returned: always
      sample: 0.0
error:
  description: Why the task failed.
  returned: failure
  type: dict
  contains:
    code:
      description: One word of the closed list, to act on.
      type: str
      returned: always
      sample: token_expired
    status:
      description: HTTP status behind it, V(null) without one.
      type: int
      returned: always
      sample: 401
    message:
      description: What failed, and why.
      type: str
      returned: always
      sample: "Could not list the mesh networks: the access token has expired; it answered 401."
    hint:
      description: What to do.
      type: str
      returned: always
      sample: Obtain a new access token, or give username and password instead.
    route:
      description: Method and path template of the request behind it, V(null) without one.
      type: str
      returned: always
      sample: GET /v1/networks
"""

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.registry_network import look_at_networks
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    argument_spec,
    run_module,
)

SPEC = argument_spec(name={"type": "str"}, members={"type": "bool", "default": True})


def network_info(task: Task) -> dict[str, Any]:
    """Return the networks of the account, or the one that option ``name`` names."""
    with task.session() as http:
        return look_at_networks(http, task.options["name"], members=task.options["members"])


def main() -> None:
    """Run the module."""
    run_module(SPEC, network_info)


if __name__ == "__main__":
    main()
