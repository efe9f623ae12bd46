#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Keep one network of the Particle Mesh registry as declared
version_added: 0.1.0
description:
  - Particle Mesh ended with Device OS 1.5, and Particle has retired its registry of networks. This is for clouds that
    still have it; on others the task fails with error code V(unsupported) before anything is written, and
    M(meshfleet.particle.fleet) forms networks of backend C(ledger) instead.
  - The registry says which devices are in which network. To form a network also takes the boards themselves and its
    password, over USB or Bluetooth, and not through the cloud.
  - A device is in one network, so who is in another one leaves it first. Gateways come before nodes, and a gateway goes
    after the one in its place has come.
  - For a whole fleet M(meshfleet.particle.fleet) does the same, with backend C(networks).
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the network, at most 16 bytes. An account has one network of a name.
    type: str
    required: true
  gateways:
    description:
      - Ids of the gateways, which have an uplink of their own. A network comes into being with one of them, and is
        confirmed when a gateway is online.
      - Required with O(state=present).
    type: list
    elements: str
    aliases: [gateway]
  members:
    description: Ids of the nodes. They need not be claimed yet.
    type: list
    elements: str
    default: []
  exact:
    description: Whether devices that are neither O(gateways) nor O(members) leave the network.
    type: bool
    default: false
  type:
    description:
      - Type of a network that is not there yet. When not given, V(micro_cellular) or V(micro_wifi), after its gateway,
        for at most 10 devices with 1 gateway, and V(large_site) for all others.
      - The type of a network cannot be changed.
    type: str
    choices: [micro_wifi, micro_cellular, high_availability, large_site]
  limit:
    description: Maximum number of devices in a network that is not one of the micro types.
    type: int
    default: 100
  state:
    description: V(absent) dissolves the network. All its devices are free then.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.network_info
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
- name: Declare a network with its gateway and two nodes
  meshfleet.particle.network:
    access_token: "{{ token.access_token }}"
    name: barn
    gateway: e00fce68aabbccddeeff0022
    members:
      - e00fce68aabbccddeeff0023
      - e00fce68aabbccddeeff0024

- name: Replace a failed gateway and remove all other members from the network
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
  description: The network as the cloud describes it now, V(null) when there is none or it could not be read.
  returned: when the cloud was asked
  type: dict
  sample:
    id: 5c11aa22bb33cc44dd55ee66
    name: barn
    type: micro_cellular
    state: confirmed
    device_count: 3
    gateway_count: 1
devices:
  description: What became of each device that was declared, or had to leave.
  returned: when the cloud was asked
  type: list
  elements: dict
  contains:
    id:
      description: Device id.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0023
    status:
      description: V(ok), V(changed), V(failed), or V(pending) when it was not reached.
      type: str
      returned: always
      sample: changed
    changes:
      description: Network and role before and after, in C(mesh), where they differ.
      type: dict
      returned: always
      sample:
        mesh:
          before:
          after:
            network: barn
            role: node
    error:
      description: Why the device failed, in the form of the task's own RV(error). V(null) when it did not.
      type: dict
      returned: always
credentials_source:
  description:
    - Source of the credentials. The credentials themselves are not returned.
    - The value is V(the task's options), V(the environment), the path of O(token_file), V(the login of the official
      command line tool), or V(nowhere) if the task has found no credentials or needs none.
  returned: unless the task ends before it reads the credentials
  type: str
  sample: the environment
cloud:
  description: Requests that the task sent to the cloud, and the time that it waited.
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
      description: Time in seconds that the task waited because the cloud asked for it.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description: Time in seconds that the task waited to stay within the rate limit of the cloud.
      type: float
      returned: always
      sample: 0.0
error:
  description: Description of the error that made the task fail.
  returned: failure
  type: dict
  contains:
    code:
      description: Error code, for use in conditions. The troubleshooting guide of the collection explains every code.
      type: str
      returned: always
      sample: invalid_credentials
    status:
      description: HTTP status of the answer that caused the error. V(null) if no answer caused it.
      type: int
      returned: always
      sample: 400
    message:
      description: What failed, and why.
      type: str
      returned: always
      sample: >-
        Could not obtain an access token for jane@example.com: the cloud does not accept this username and password; it
        answered 400 (User credentials are invalid).
    hint:
      description: How to correct the problem.
      type: str
      returned: always
      sample: >-
        Check username and password; do not try in a loop: after 10 refusals in a row the cloud locks your address out
        for 30 minutes.
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
    """Check the declared network, which makes no API request, then log in and bring it to its declared state."""
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
        return reconcile_network(http, wanted, check_mode=task.check_mode, warn=task.warn)


def main() -> None:
    """Run the module."""
    run_module(SPEC, network)


if __name__ == "__main__":
    main()
