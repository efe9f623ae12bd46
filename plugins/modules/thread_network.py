#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: thread_network
short_description: Form a Thread network and let boards join it
version_added: 0.2.0
description:
  - Brings one Thread network to its declared state. The module forms or adopts the network at an OpenThread border
    router, lets the declared boards join, verifies that each board is in the network, and changes the channel, the PAN
    id and the name of a running network.
  - The module does the same as M(meshfleet.particle.fleet) with a manifest that declares one network with
    O(meshfleet.particle.fleet#module:networks.<name>.backend=thread). Use M(meshfleet.particle.fleet) for several
    networks, or for boards that are also devices of the Particle cloud.
  - The module sends no request to the Particle cloud and needs no credentials. It ignores the connection options that
    C(module_defaults) set for the action group.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details: >-
      Check mode refreshes the list of devices at the border router, which is only a cache. The network itself does not
      change.
  diff_mode:
    support: full
    details: The difference contains the names of changed parameters, but never their values.
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the network in results, 1 to 32 of the characters C(a-z), C(0-9), C(_) and C(-). The radio network can
        have another name, see O(parameters.network_name).
    type: str
    required: true
  border_routers:
    description:
      - OpenThread border routers of the network, at least one.
      - Boards join through the first border router that is in a network. If no border router is in a network, the first
        one forms the network. The other border routers are added to it, unless they already are in a network.
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
  parameters:
    description:
      - Settings of the network. For a new network, the border router generates the settings that are not declared. For
        a running network, only the declared settings are compared.
    type: dict
    suboptions:
      channel:
        description: Radio channel, from 11 to 26.
        type: int
      pan_id:
        description: PAN id in hexadecimal digits. Quote the value.
        type: str
      network_name:
        description: Name of the radio network, 1 to 16 bytes.
        type: str
      extended_pan_id:
        description:
          - Extended PAN id of a new network, 16 hexadecimal digits. The extended PAN id of a running network cannot be
            changed.
        type: str
      network_key:
        description:
          - Key of a new network, 32 hexadecimal digits. It is a secret, and the task never shows it. The key of a
            running network cannot be changed.
        type: str
  members:
    description:
      - Boards that belong to the network. Other boards in the network are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      eui64:
        description: EUI-64 of the radio of the board, 16 hexadecimal digits. Quote the value.
        type: raw
        required: true
      joiner:
        description:
          - Key with which the board joins (PSKd), 6 to 32 digits and upper-case letters except C(I), C(O), C(Q) and
            C(Z). Quote the value. It is a secret, and the task never shows it.
          - Without this key, the board must already be a member.
        type: raw
      name:
        description: Name of the board in results.
        type: str
  joiner_timeout:
    description: How long to wait for one board to join, in seconds. The default is V(180).
    type: int
  commissioning_timeout:
    description: How long to wait for all boards to join, in seconds. The default is V(3600).
    type: int
  change_delay:
    description:
      - Delay in seconds after which a change of a running network takes effect, at least 30. The default is V(300).
        Sleeping members must receive the change within this time.
    type: int
  state:
    description:
      - Whether the network exists.
      - V(absent) only checks that no border router is in a network, because no message dissolves a Thread network. If
        the network still exists, the task fails, and the message says which devices to reset. V(absent) cannot be
        combined with O(members).
    type: str
    choices: [present, absent]
    default: present
  verify:
    description:
      - How to verify the changes.
      - With V(none) and V(read), a board counts as changed if it is found in the network after its attempt to join.
      - V(online) also reads the state of all members at the end, and waits for those that are not in the network. A
        member that is not found within O(verify_timeout) is V(pending), unless O(verify_strict=true).
      - In check mode, V(online) does not wait. If there is nothing to change, it reads the states of the members once.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Maximum time in seconds to wait for members at the end, with O(verify=online).
    type: int
    default: 300
  verify_strict:
    description:
      - With O(verify=online), whether a member fails if it is not in the network within O(verify_timeout).
    type: bool
    default: false
requirements:
  - requests >= 2.31
notes:
  - The module always runs on the controller. C(delegate_to) has no effect, and C(async) is not supported. To reach a
    border router that listens on its own computer only, open an SSH tunnel, as the guide shows.
  - A private file in the cache folder of the user stores which address belongs to which EUI-64. It contains no keys.
seealso:
  - module: meshfleet.particle.thread_network_info
  - module: meshfleet.particle.fleet
  - name: Guide to Thread
    description: What a Thread network needs, how boards join, and what is refused.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_thread.md
  - name: Troubleshooting guide
    description: Explains every error code, and how to correct the problem.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_troubleshooting.md
"""

EXAMPLES = r"""
- name: Form a Thread network and let two boards join
  meshfleet.particle.thread_network:
    name: barn
    border_routers:
      - url: http://127.0.0.1:8081
    parameters:
      channel: 15
      network_name: barn
    members:
      - eui64: "18b4300000000001"
        joiner: "{{ joiner_keys['18b4300000000001'] }}"
        name: barn-door
      - eui64: "18b4300000000002"
        joiner: "{{ joiner_keys['18b4300000000002'] }}"
    verify: online

- name: Move the running network to another channel in ten minutes, so that sleeping members receive the change in time
  meshfleet.particle.thread_network:
    name: barn
    border_routers:
      - url: http://127.0.0.1:8081
    parameters:
      channel: 20
    change_delay: 600

- name: Check that the border router is no longer in a network
  meshfleet.particle.thread_network:
    name: barn
    border_routers:
      - url: http://127.0.0.1:8081
    state: absent
"""

RETURN = r"""
members:
  description: Outcomes of the declared members, in the order of O(members).
  returned: unless the task fails before the first write
  type: list
  elements: dict
  contains:
    eui64:
      description: EUI-64 of the member.
      type: str
      returned: always
      sample: 18b4300000000001
    name:
      description: Declared name of the member. V(null) if none is declared.
      type: str
      returned: always
      sample: barn-door
    status:
      description:
        - Status of the member.
        - V(ok) means that the board was in the network already.
        - V(changed) means that the board has joined. In check mode, it means that the board would have to join.
        - V(pending) means that the board is not in the network, which RV(members[].error) explains. The task does not
          fail because of a V(pending) member.
        - V(failed) means that an error occurred, which RV(members[].error) describes.
      type: str
      returned: always
      sample: changed
    changes:
      description: Changed fields of the member, each with its value before and after the change.
      type: dict
      returned: always
      sample:
        mesh:
          before:
          after:
            network: barn
            role: node
    written:
      description: Whether the run has changed the member, although the member is V(pending).
      type: bool
      returned: if V(true)
      sample: true
    mesh:
      description:
        - State of the member. V(null) if the state was not read. The state is read only with O(verify=online).
        - V(joined) means that the EUI-64 of the board was found in the network in this run.
        - V(pending) means that the board was never found in the network.
        - V(lost) means that the board was found in the network in an earlier run, but does not answer now.
      type: str
      returned: always
      sample: joined
    error:
      description:
        - Reason why the member failed or is pending, with the keys of RV(error). V(null) if there is no reason.
      type: dict
      returned: always
summary:
  description: Number of members in total, and by RV(members[].status).
  returned: unless the task fails before the first write
  type: dict
  sample:
    total: 2
    ok: 1
    changed: 1
    failed: 0
    pending: 0
network:
  description:
    - Numbers of declared members. C(nodes) is the number of members, and C(gateways) is always 0, because border
      routers are not members.
    - C(joined), C(pending) and C(lost) are the numbers of members by their state, as in RV(members[].mesh). These
      numbers require O(verify=online). In check mode, they are returned only if there is nothing to change.
  returned: unless the task fails before the first write
  type: dict
  sample:
    gateways: 0
    nodes: 2
    joined: 2
    pending: 0
    lost: 0
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

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import ROUTER_SPEC
from ansible_collections.meshfleet.particle.plugins.module_utils._module import run_by_action
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import VERIFY_SPEC

# The action plugin of the same name carries out this module on the controller.
SPEC = {
    "name": {"type": "str", "required": True},
    "border_routers": {"type": "list", "elements": "dict", "required": True, "options": ROUTER_SPEC},
    "parameters": {"type": "dict"},
    "members": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            # The values are checked like those of a manifest, before a number or a date becomes a text.
            "eui64": {"type": "raw", "required": True},
            "joiner": {"type": "raw", "no_log": True},
            "name": {"type": "str"},
        },
    },
    "joiner_timeout": {"type": "int"},
    "commissioning_timeout": {"type": "int"},
    "change_delay": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **VERIFY_SPEC,
}


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
