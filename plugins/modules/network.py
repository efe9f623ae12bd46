#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Manage one network in the registry of Particle Mesh
version_added: 0.1.0
description:
  - Creates, changes or dissolves one network of the account in the registry of Particle Mesh networks.
  - Particle has retired this registry, so the module works only with a cloud that still offers the registry. On any
    other cloud, the task fails with error code V(unsupported) before the first write. Use M(meshfleet.particle.fleet)
    with backend V(ledger) instead.
  - Particle Mesh needs Device OS 1.5.x or older.
  - Needs credentials, for example O(access_token), or O(username) and O(password).
  - The registry only records which devices belong to a network. To form the network, the devices must also join it
    themselves, over USB or Bluetooth and with the password of the network.
  - A device can be in one network only. A device in another network leaves that network before it joins this network.
  - Gateways join before nodes. If a gateway is replaced with O(exact=true), the old gateway leaves after the new
    gateway has joined. A network of type V(micro_wifi) or V(micro_cellular) can have one gateway only, so the old
    gateway leaves first. With O(exact=false), the old gateway stays, and the task fails for a network of these two
    types.
  - To manage networks together with the other settings of a fleet, use M(meshfleet.particle.fleet) with backend
    V(networks).
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
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the network, which has at most 16 bytes.
    type: str
    required: true
  gateways:
    description:
      - Ids of the gateways, which connect the network to the cloud. Quote an id that consists of decimal digits only.
      - A network is created with its first gateway, and the registry confirms the network when a gateway is online.
      - Required if O(state=present).
    type: list
    elements: str
    aliases: [gateway]
  members:
    description:
      - Ids of the nodes of the network, without its gateways. In other modules, members are both gateways and nodes.
      - Quote an id that consists of decimal digits only.
      - Nodes may be devices that the account has not claimed yet.
    type: list
    elements: str
    default: []
  exact:
    description:
      - Whether to remove undeclared devices from the network. A device is declared if its id is in O(gateways) or
        O(members).
    type: bool
    default: false
  type:
    description:
      - Type of the network. The type of an existing network cannot be changed. If it differs, the task fails before the
        first write.
      - V(micro_wifi) and V(micro_cellular) allow at most 10 devices, of which one is the gateway. For the other types,
        O(limit) applies.
      - The default depends on the declared devices. If the devices fit into a micro type, the type is V(micro_cellular)
        for a cellular gateway, and V(micro_wifi) for any other gateway. If the devices do not fit, the type is
        V(large_site).
    type: str
    choices: [micro_wifi, micro_cellular, high_availability, large_site]
  limit:
    description:
      - Maximum number of devices in a network of type V(high_availability) or V(large_site). If more devices are
        declared, the task fails before the first write.
    type: int
    default: 100
  state:
    description:
      - Whether the network should exist. V(absent) dissolves the network, so that all its devices leave it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.network_info
  - module: meshfleet.particle.fleet
  - name: Guide to networks
    description: How networks form, change and are verified.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_mesh.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Declare a network with one gateway and two nodes
  meshfleet.particle.network:
    name: barn
    gateway: e00fce68aabbccddeeff0022
    members:
      - e00fce68aabbccddeeff0023
      - e00fce68aabbccddeeff0024

- name: Declare a network with two gateways
  meshfleet.particle.network:
    name: field
    type: high_availability
    gateways:
      - e00fce68aabbccddeeff0026
      - e00fce68aabbccddeeff0027
    limit: 50

- name: Replace a failed gateway, and remove all undeclared devices from the network
  meshfleet.particle.network:
    name: barn
    gateway: e00fce68aabbccddeeff0025
    members:
      - e00fce68aabbccddeeff0023
      - e00fce68aabbccddeeff0024
    exact: true

- name: Dissolve a network
  meshfleet.particle.network:
    name: barn
    state: absent
"""

RETURN = r"""
network:
  description:
    - Network at the end of the task, with the keys that the cloud returns. V(null) if the network does not exist, or
      if it could not be read.
  returned: unless the task fails before the first write
  type: dict
  sample:
    id: 5c11aa22bb33cc44dd55ee66
    name: barn
    type: micro_cellular
    state: confirmed
    device_count: 3
    gateway_count: 1
devices:
  description: Outcome of each device that is declared or must leave the network.
  returned: unless the task fails before the first write
  type: list
  elements: dict
  contains:
    id:
      description: Device id.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0023
    status:
      description:
        - Status of the device.
        - V(ok) means that the device needed no change.
        - V(changed) means that the device was changed. In check mode, it means that the device would be changed.
        - V(failed) means that an error occurred, which RV(devices[].error) describes.
        - V(pending) means that the task ended early and did not change the device.
      type: str
      returned: always
      sample: changed
    changes:
      description:
        - Network and role of the device before and after the change, in the key C(mesh). Empty without a change.
      type: dict
      returned: always
      sample:
        mesh:
          before:
          after:
            network: barn
            role: node
    error:
      description: Reason why the device failed, with the keys of RV(error). V(null) if the device did not fail.
      type: dict
      returned: always
managed:
  description:
    - Devices that are in their declared state after the task, as a mapping from device ids to V(null). Empty in check
      mode.
    - An automation controller counts these devices as managed by the job.
  returned: unless the task fails before the first write
  type: dict
  sample:
    e00fce68aabbccddeeff0023:
diff:
  description:
    - Changes that the task makes, as text for the screen, in the key C(prepared). Removals come first. One line shows a
      device, network, webhook or firmware version with its changes, or several devices with the same changes. Long
      values are shortened, and secrets are masked.
    - The text has at most twelve lines, and the last lines count the devices without a line. With C(-v), each device
      has a line, and only the size of the text is limited.
    - In check mode of M(meshfleet.particle.device) and M(meshfleet.particle.fleet), the line C(uncertain for) names
      devices whose outcome depends on whether the cloud accepts them or other devices.
  returned: in diff mode, if the task has computed the changes
  type: dict
  contains:
    prepared:
      description: The text. Empty if nothing changes.
      type: str
      returned: always
      sample: |
        barn-gateway (e00fce68aabbccddeeff0022): name 'gateway' -> 'barn-gateway'; notes null -> 'north wall'
        groups [] -> ['north'] on 18 devices: barn-0001, barn-0002, barn-0003 and 15 more
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

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.registry_network import (
    declare_absent_network,
    declare_network,
    reconcile_network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(
    name={"type": "str", "required": True},
    gateways={"type": "list", "elements": "str", "aliases": ["gateway"]},
    members={"type": "list", "elements": "str", "default": []},
    exact={"type": "bool", "default": False},
    type={"type": "str", "choices": ["micro_wifi", "micro_cellular", "high_availability", "large_site"]},
    limit={"type": "int", "default": 100},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
)


def network(task: Task) -> dict[str, Any]:
    """Check the declared network before any request, then log in and bring the network to its declared state."""
    options = task.options
    if options["state"] == "absent":
        wanted = declare_absent_network(options["name"])
    elif not options["gateways"]:
        message = f"Network {options['name']} is declared without a gateway."
        raise ParticleError(
            "invalid_manifest",
            message,
            hint="Declare at least one gateway: a network is created with its first gateway.",
        )
    else:
        parameters = {key: options[key] for key in ("type", "limit") if options[key] is not None}
        wanted = declare_network(
            options["name"], options["gateways"], options["members"], parameters, exact=options["exact"]
        )
    with task.open_session() as http:
        result = reconcile_network(http, wanted, check_mode=task.check_mode, warn=task.warn)
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, network)


if __name__ == "__main__":
    main()
