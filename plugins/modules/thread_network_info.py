#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: thread_network_info
short_description: Show the state of a Thread network
version_added: 0.2.0
description:
  - Shows the border routers, the settings and the members of one Thread network, with the parent and the link of each
    member. The module reads them from OpenThread border routers. Keys are never returned.
  - The members are listed through the first border router that is in a network and can list members. This takes about
    half a minute. The module refreshes the list of devices at this border router, which is only a cache. The network
    itself does not change.
  - The module sends no request to the Particle cloud and needs no credentials. It ignores the connection options that
    C(module_defaults) set for the action group.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.attributes
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
      - Name of the network in results, 1 to 32 of the characters C(a-z), C(0-9), C(_) and C(-). The radio network can
        have another name.
    type: str
    required: true
  border_routers:
    description:
      - OpenThread border routers of the network, at least one.
      - If a border router does not answer, the others are used. If none answers, the task fails with error code
        V(unreachable).
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: URL of the REST API of the border router, for example C(http://127.0.0.1:8081).
        type: str
        required: true
      ca_path:
        description: File with the certificate authorities to trust, for a URL that begins with C(https).
        type: str
      username:
        description: Username for a proxy in front of the border router. The border router itself has no login.
        type: str
      password:
        description: Password for this proxy.
        type: str
requirements:
  - requests >= 2.31
notes:
  - The module runs on the controller, with two exceptions. With C(delegate_to), it runs on the host that the task is
    delegated to, unless the connection to that host is C(local). With C(async), it runs on the target of the
    connection. In both cases, the requirements must be installed on that host.
  - A private file in the cache folder of the user stores which address belongs to which EUI-64. It contains no keys.
    Members of earlier runs are known only from this file, which means only to the same user on the same host.
seealso:
  - module: meshfleet.particle.thread_network
  - module: meshfleet.particle.device_info
  - name: Guide to Thread
    description: What a Thread network needs, how boards join, and what is refused.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_thread.md
  - name: Troubleshooting guide
    description: Explains every error code, and how to correct the problem.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_troubleshooting.md
"""

EXAMPLES = r"""
- name: Read the state of a Thread network
  meshfleet.particle.thread_network_info:
    name: barn
    border_routers:
      - url: http://127.0.0.1:8081
  register: barn

- name: Show the members with a weak link to their parent
  ansible.builtin.debug:
    msg: "{{ barn.members | selectattr('link_quality', 'eq', 1) | map(attribute='eui64') | list }}"

- name: Read the same on the computer of the border router, where no tunnel is needed
  meshfleet.particle.thread_network_info:
    name: barn
    border_routers:
      - url: http://127.0.0.1:8081
  delegate_to: border-router
"""

RETURN = r"""
name:
  description: Name of the network, as in O(name).
  returned: success
  type: str
  sample: barn
network:
  description:
    - Settings of the network without its keys. V(null) if no border router is in a network and can list its members.
  returned: success
  type: dict
  contains:
    network_name:
      description: Name of the radio network.
      type: str
      returned: always
      sample: barn
    channel:
      description: Radio channel.
      type: int
      returned: always
      sample: 15
    pan_id:
      description: PAN id in hexadecimal digits.
      type: str
      returned: always
      sample: 4F2A
    extended_pan_id:
      description: Extended PAN id, which identifies the network.
      type: str
      returned: always
      sample: aabb112233445566
border_routers:
  description: Border routers in the order of O(border_routers).
  returned: success
  type: list
  elements: dict
  contains:
    url:
      description: URL of the border router.
      type: str
      returned: always
      sample: http://127.0.0.1:8081
    state:
      description:
        - State that the border router shows, V(disabled), V(detached), V(child), V(router) or V(leader). V(null) if it
          does not answer.
      type: str
      returned: always
      sample: leader
    address:
      description: Extended address of the border router in its network. V(null) if it is not known.
      type: str
      returned: always
      sample: 1a2b3c4d5e6f7080
    extended_pan_id:
      description: Extended PAN id of the network of the border router. V(null) if it has no network.
      type: str
      returned: always
      sample: aabb112233445566
    error:
      description: Reason why the border router does not answer. V(null) if it answers.
      type: str
      returned: always
members:
  description:
    - Members of the network without the border routers, and boards that were members in an earlier run. Empty if
      RV(network) is V(null).
  returned: success
  type: list
  elements: dict
  contains:
    eui64:
      description: EUI-64 of the member.
      type: str
      returned: always
      sample: 18b4300000000001
    state:
      description:
        - V(joined) for a member. V(lost) for a board that was found in an earlier run and does not answer now.
      type: str
      returned: always
      sample: joined
    asleep:
      description: Whether the member did not answer itself, but its parent knows it.
      type: bool
      returned: always
      sample: false
    address:
      description: Extended address of the member. V(null) for a board that is lost.
      type: str
      returned: always
      sample: 1a2b3c4d5e6f7081
    rloc16:
      description: Address of the member in the tree of the network. V(null) if it is not known.
      type: str
      returned: always
      sample: "0x5c01"
    is_router:
      description: Whether the member is a router of the Thread network. V(null) if it is not known.
      type: bool
      returned: always
      sample: false
    parent:
      description:
        - EUI-64 of the parent of a child, or its address if its EUI-64 is unknown. V(null) for a router, because it has
          no parent.
      type: str
      returned: always
      sample: 18b4300000000002
    link_quality:
      description: Quality of the link from the member to its parent, from 0 to 3. V(null) without a parent.
      type: int
      returned: always
      sample: 3
    rssi:
      description: Strength of the signal that the parent receives from the member, in dBm. V(null) without a parent.
      type: int
      returned: always
      sample: -52
count:
  description: Number of members whose state is V(joined).
  returned: success
  type: int
  sample: 2
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

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import JOINED
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.backend import ThreadBackend
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import (
    ROUTER_SPEC,
    THREAD,
    read_network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, run_module

SPEC: Mapping[str, Any] = {
    "name": {"type": "str", "required": True},
    "border_routers": {"type": "list", "elements": "dict", "required": True, "options": ROUTER_SPEC},
}


def thread_network_info(task: Task) -> dict[str, Any]:
    """Return the border routers, the settings and the members of a Thread network."""
    network = read_network(task.options["name"], task.options["border_routers"])
    task.redact.add_secrets(THREAD.find_secrets(network, ()))
    with closing(ThreadBackend({})) as backend:
        view = backend.read_network(network)
    for router in view.routers:
        if router["error"] is not None:
            task.warn(router["error"])
    return {
        "changed": False,
        "name": network.name,
        "network": view.dataset,
        "border_routers": list(view.routers),
        "members": list(view.members),
        "count": sum(1 for member in view.members if member["state"] == JOINED),
    }


def main() -> None:
    """Run the module."""
    run_module(SPEC, thread_network_info)


if __name__ == "__main__":
    main()
