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
  - Particle has retired this registry, so the module works only with a cloud that still offers the registry. On any
    other cloud, the task fails with error code V(unsupported).
  - Needs credentials, for example O(access_token), or O(username) and O(password).
  - The registry does not contain networks with backend V(ledger). To find these networks, use
    M(meshfleet.particle.device_info), which returns the network of each device.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.delegation
attributes:
  check_mode:
    support: full
    details: The module only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  name:
    description:
      - Name of the only network to return. If the network does not exist, RV(networks) is empty.
      - The list of networks contains only networks that a gateway has confirmed. To find any other network, set its
        name.
    type: str
  members:
    description:
      - Whether to return the members of each network, both its gateways and its nodes, in RV(networks[].devices).
      - This takes one request for each hundred devices of a network.
    type: bool
    default: true
seealso:
  - module: meshfleet.particle.network
  - module: meshfleet.particle.device_info
  - name: Guide to networks
    description: How networks form, change and are verified.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_mesh.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: List the networks
  meshfleet.particle.network_info:
  register: mesh

- name: Show the gateways of each network
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.devices | selectattr('role', 'eq', 'gateway') | map(attribute='id') | list }}"
  loop: "{{ mesh.networks }}"

- name: Read one network without its devices
  meshfleet.particle.network_info:
    name: barn
    members: false
"""

RETURN = r"""
networks:
  description: List of networks. Each network has the keys below, and all further keys that the cloud returns.
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
      description: Members of the network, both its gateways and its nodes.
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
    - Where the credentials come from. For display only. The credentials themselves are not returned.
    - The value is V(the task's options), V(the environment), the path of O(token_file), V(the login of the official
      command line tool) for O(profile), or V(nowhere) if the task has found no credentials or needs no credentials.
  returned: unless the task ends before it reads the credentials
  type: str
  sample: the environment
cloud:
  description: Number of requests that the task sent to the cloud, and its waiting times.
  returned: unless the task ends before it connects to the cloud
  type: dict
  contains:
    requests:
      description: Number of requests, including logins and retries.
      type: int
      returned: always
      sample: 11
    writes:
      description:
        - Number of requests that may have changed something in the cloud.
        - Requests that only obtain or revoke tokens are not included.
      type: int
      returned: always
      sample: 0
    retries:
      description: Number of requests that were sent again, after a temporary error or because the cloud asked to wait.
      type: int
      returned: always
      sample: 0
    throttled_seconds:
      description: Time in seconds that the task waited because the cloud asked to wait.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description:
        - Time in seconds that the task waited to stay within its request budget.
      type: float
      returned: always
      sample: 0.0
error:
  description:
    - Description of the error that made the task fail.
    - C(msg) contains the whole message and RV(error.hint) as one text.
  returned: failure
  type: dict
  contains:
    code:
      description: Error code, for use in conditions. The troubleshooting guide of the collection explains every code.
      type: str
      returned: always
      sample: invalid_credentials
    status:
      description: HTTP status of the response that caused the error. V(null) if no response caused it.
      type: int
      returned: always
      sample: 400
    message:
      description: Failed action and its cause. If the message has several lines, this is only the first one.
      type: str
      returned: always
      sample: >-
        Could not obtain an access token for jane@example.com: the cloud does not accept this username and password
        (HTTP 400: User credentials are invalid).
    hint:
      description: How to correct the problem.
      type: str
      returned: always
      sample: >-
        Check username and password. Do not retry in a loop: after 10 refused logins in a row, the cloud blocks your IP
        address for 30 minutes.
    route:
      description: Method and path template of the request that failed. V(null) if no request failed.
      type: str
      returned: always
      sample: POST /oauth/token
"""

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.registry_network import show_networks
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(name={"type": "str"}, members={"type": "bool", "default": True})


def network_info(task: Task) -> dict[str, Any]:
    """Return all networks of the account, or only the network with the name in option ``name``."""
    with task.open_session() as http:
        return show_networks(http, task.options["name"], members=task.options["members"])


def main() -> None:
    """Run the module."""
    run_module(SPEC, network_info)


if __name__ == "__main__":
    main()
