#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device
short_description: Bring one device to its declared state
version_added: 0.1.0
description:
  - One record of M(meshfleet.particle.fleet), with the same meaning and by the same engine. What is not given is left
    alone.
  - Each task costs Ansible's price for a task and looks at the device by itself. For more than a handful of devices
    M(meshfleet.particle.fleet) does the same with a fraction of the time and of the requests.
  - Runs on the controller, and may run for several hosts at once.
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
    details: The values of parameters of networks and their members are never shown, as they may be join keys.
  idempotent:
    support: full
options:
  id:
    description: Device id. Exactly one of O(id), O(serial_number), O(iccid) and O(imei) is needed.
    type: str
  serial_number:
    description:
      - Serial number from the label. Without a O(product), a device that the account has not claimed yet is looked up
        by it, which the cloud allows 50 times in an hour.
    type: str
  iccid:
    description: ICCID of the device's SIM.
    type: str
  imei:
    description: IMEI of the device's modem.
    type: str
  product:
    description:
      - Id or slug of the product that the device belongs into. Without it, the account's own devices are meant.
    type: str
  name:
    description: Name of the device.
    type: str
  notes:
    description: Notes of the device. An empty text removes them.
    type: str
  groups:
    description: Device groups, which are created when they are missing. Only with a O(product).
    type: list
    elements: str
  groups_mode:
    description:
      - V(add) puts the device into O(groups), V(exact) also takes it out of all others. V(add) when not given.
    type: str
    choices: [add, exact]
  development:
    description: Whether firmware of the product is kept away from the device. Only with a O(product).
    type: bool
  firmware_version:
    description:
      - The number of the firmware version that the device is locked to, or V(unlocked). Only with a O(product).
    type: str
  claimed:
    description: Whether the account itself has claimed the device.
    type: bool
  mesh:
    description:
      - C(network), C(role) (V(node) or V(gateway), the former when not given) and C(parameters), or C(state)
        V(absent) to leave whatever network the device is in. C(parameters) are what this device alone is told, over
        those of its network and key by key. Only with a O(product), unless the network has C(backend) V(networks).
    type: dict
  networks:
    description:
      - The network of O(mesh), by name, with its C(gateways) and, where they are to be written, its C(parameters).
    type: dict
  state:
    description:
      - V(absent) takes the device out of its network, its groups and the product. The claim is given up only with
        O(claimed) V(false).
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description:
      - Whether a member of a network of C(backend) V(networks) may be locked to firmware that only runs on a Device OS
        without Particle Mesh.
    type: bool
    default: false
  mesh_ledger:
    description:
      - Name of the ledger in which members of networks of C(backend) V(ledger) are told what they need to join.
        Your firmware determines this name. Lower-case letters, digits and dashes, 32 at most.
    type: str
    default: mesh
  mesh_status_ledger:
    description: Name of the ledger in which those members report what became of them.
    type: str
    default: mesh-status
  verify:
    description:
      - V(read) looks again after writing and fails when the device is not as declared, V(online) also waits until it
        reports that it has joined its network, V(none) believes the cloud's answers.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Seconds to wait for the device to join.
    type: int
    default: 300
  verify_strict:
    description: Whether the device has failed when it has not joined in time, with O(verify=online).
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.device_info
"""

EXAMPLES = r"""
- name: Put one device into a product, with its name and groups
  meshfleet.particle.device:
    access_token: "{{ token.access_token }}"
    product: field-logger
    serial_number: P046AB123456789
    name: pump-house
    groups: [north]

- name: Let a node join a network whose gateway is there
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0023
    mesh:
      network: barn
    networks:
      barn:
        gateways: [e00fce68aabbccddeeff0022]

- name: Give up the claim to a device of one's own
  meshfleet.particle.device:
    id: e00fce68aabbccddeeff0011
    claimed: false
"""

RETURN = r"""
device:
  description: What became of the device.
  returned: when the cloud was asked
  type: dict
  contains:
    id:
      description: Device id, V(null) as long as only the label of the device is known.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    identifier:
      description: What the device is declared by, its id or what stands on its label.
      type: str
      returned: always
      sample: P046AB123456789
    name:
      description: Declared name.
      type: str
      returned: always
      sample: barn-gateway
    status:
      description: V(ok), V(changed), V(failed), or V(pending) when it is not there yet and nothing is wrong with it.
      type: str
      returned: always
      sample: changed
    changes:
      description: For each field that differs, what it was and what it becomes.
      type: dict
      returned: always
      sample:
        name:
          before:
          after: barn-gateway
    mesh:
      description:
        - What has become of the device in its network. V(joined); V(pending) when it is on its way, asleep or silent;
          V(lost) when it was in and is no more; V(wrong_network). V(null) when that was not asked.
      type: str
      returned: always
      sample: joined
    error:
      description:
        - Why the device failed or is pending, in the form of the task's own RV(error). V(null) without a reason.
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

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import build_option_specs
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_identity_keys, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RECONCILE
from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
    id={"type": "str"},
    serial_number={"type": "str"},
    iccid={"type": "str"},
    imei={"type": "str"},
    **{key: {"type": "str"} for key in list_identity_keys()},
    product={"type": "str"},
    **build_option_specs(),
    groups={"type": "list", "elements": "str"},
    groups_mode={"type": "str", "choices": ["add", "exact"]},
    claimed={"type": "bool"},
    mesh={"type": "dict"},
    networks={"type": "dict"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    confirm={"type": "bool", "default": False},
    **list_options(RECONCILE),
    verify={"type": "str", "choices": ["none", "read", "online"], "default": "read"},
    verify_timeout={"type": "int", "default": 300},
    verify_strict={"type": "bool", "default": False},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
