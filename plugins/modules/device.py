#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device
short_description: Manage one Particle device
version_added: 0.1.0
description:
  - Brings one device to its declared state, which covers its product, name, notes, device groups, firmware lock, claim
    and network.
  - Changes nothing that the task does not declare.
  - Needs credentials of an account that has access to the product or to the device.
  - The options have the same meaning as the keys of a device in O(meshfleet.particle.fleet#module:devices), and the
    same engine carries them out.
  - Each task reads the cloud on its own. To manage more than a few devices, use M(meshfleet.particle.fleet), which
    needs much less time and far fewer requests.
  - Runs on the controller. Tasks of several hosts can run in parallel.
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
    details: The values of the parameters of networks and members are never shown, because they can be join keys.
  idempotent:
    support: full
options:
  id:
    description:
      - Device id, 24 hexadecimal digits.
      - Exactly one of O(id), O(serial_number), O(iccid) and O(imei) is required.
    type: str
  serial_number:
    description:
      - Serial number of the device, as printed on its label.
      - Without O(product), the module looks up the id of a device that the account has not claimed yet. The cloud
        allows 50 of these lookups per hour.
    type: str
  iccid:
    description: ICCID of the SIM of the device.
    type: str
  imei:
    description: IMEI of the modem of the device.
    type: str
  product:
    description:
      - Id or slug of the product of the device. A device that is not in the product yet is imported.
      - Without O(product), the module manages a device of the account itself.
    type: str
  name:
    description: Name of the device.
    type: str
  notes:
    description: Notes about the device. An empty string removes the existing notes.
    type: str
  groups:
    description:
      - Device groups to which the device belongs. Missing groups are created.
      - Requires O(product).
    type: list
    elements: str
  groups_mode:
    description:
      - How to treat device groups that O(groups) does not contain.
      - V(add) leaves them unchanged. V(exact) removes the device from them, except from the groups of networks, whose
        names begin with C(mesh-).
    type: str
    choices: [add, exact]
    default: add
  development:
    description:
      - Whether the device is a development device, which does not receive the firmware releases of the product.
      - Requires O(product).
    type: bool
  firmware_version:
    description:
      - Version number of the product firmware to which the device is locked. V(unlocked) removes the lock.
      - Requires O(product).
    type: str
  claimed:
    description:
      - Whether the account claims the device. V(true) claims it, and V(false) gives up the claim.
      - Devices of a product do not need a claim. A device outside a product must be online to be claimed.
    type: bool
  mesh:
    description:
      - Network to which the device belongs.
      - Requires O(product), except with O(networks.backend=networks).
    type: dict
    suboptions:
      network:
        description: Name of the network. O(networks) must contain it. Required unless O(mesh.state=absent).
        type: str
      role:
        description: Role of the device in the network.
        type: str
        choices: [node, gateway]
        default: node
      parameters:
        description:
          - Parameters for this device only. Each key overrides the same key in O(networks.parameters).
          - Supported with O(networks.backend=ledger) only.
        type: dict
        default: {}
      state:
        description:
          - Whether the device is a member of O(mesh.network).
          - V(absent) removes the device from any network that it is in, and cannot be combined with the other keys.
        type: str
        choices: [present, absent]
        default: present
  networks:
    description:
      - Networks by name. The keys of the dictionary are names, and each value is a dictionary with the keys below.
      - Declare the network of O(mesh) here.
    type: dict
    suboptions:
      backend:
        description:
          - How the network is implemented.
          - V(ledger) is for devices of a product whose firmware implements the mesh contract of this collection.
          - V(networks) is for the registry of Particle Mesh. Particle has retired this registry, so V(networks)
            requires a cloud that still has it.
        type: str
        choices: [ledger, networks]
        default: ledger
      gateways:
        description: Ids of the gateways of the network. The task that adds a node must name at least one gateway.
        type: list
        elements: str
        default: []
      parameters:
        description:
          - Parameters of the network.
          - With O(networks.backend=ledger), every member receives them, and the firmware determines the keys. If they
            are not declared, existing members keep their parameters, and a new member receives those of the other
            members. The task fails if the other members have different parameters.
          - With O(networks.backend=networks), the keys are C(type) (V(micro_wifi), V(micro_cellular),
            V(high_availability) or V(large_site)) and C(limit), the maximum number of devices. C(limit) is V(100) by
            default, and has no effect on the C(micro) types, which allow 10 devices.
        type: dict
      state:
        description:
          - Whether the network exists.
          - V(absent) dissolves the network. All its members leave it, also those that the task does not declare.
        type: str
        choices: [present, absent]
        default: present
  state:
    description:
      - Whether the device belongs to the fleet.
      - V(absent) removes the device from its network, its device groups and the product. It gives up the claim only
        with O(claimed=false).
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description:
      - Whether to allow a firmware lock that may end the membership of the device in Particle Mesh.
      - Particle Mesh requires Device OS 1.5.x or older. If O(firmware_version) may require a newer Device OS, the task
        fails for a member of a network with O(networks.backend=networks), unless O(confirm=true).
    type: bool
    default: false
  mesh_ledger:
    description:
      - Name of the ledger from which members of networks with O(networks.backend=ledger) read how to join.
      - The firmware of the devices determines the name. It has 1 to 32 lower-case letters, digits and dashes.
    type: str
    default: mesh
  mesh_status_ledger:
    description:
      - Name of the ledger to which members of networks with O(networks.backend=ledger) report their state.
      - The firmware of the devices determines the name. It has 1 to 32 lower-case letters, digits and dashes.
    type: str
    default: mesh-status
  verify:
    description:
      - How to verify the device after the writes.
      - V(read) reads the device again, and fails if it is not as declared.
      - V(online) also waits until the device reports that it has joined its network.
      - V(none) trusts the answers of the cloud.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Maximum number of seconds to wait for the device to join its network, with O(verify=online).
    type: int
    default: 300
  verify_strict:
    description:
      - Whether the task fails if the device has not joined its network within O(verify_timeout), with O(verify=online).
        With V(false), the status of the device is then V(pending).
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.device_info
"""

EXAMPLES = r"""
- name: Import a device into a product, with a name and a device group
  meshfleet.particle.device:
    access_token: "{{ token.access_token }}"
    product: field-logger
    serial_number: P046AB123456789
    name: pump-house
    groups: [north]

- name: Remove the device from all device groups except north and beta
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    groups: [north, beta]
    groups_mode: exact

- name: Let the device receive the firmware releases of its product
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    development: false
    firmware_version: unlocked

- name: Make a device the gateway of a network
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0024
    mesh:
      network: yard
      role: gateway
      parameters:
        power: 8
    networks:
      yard:
        parameters:
          channel: 20
          power: 0

- name: Add a node to a network that has a gateway
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    mesh:
      network: yard
    networks:
      yard:
        gateways: [e00fce68aabbccddeeff0024]
        parameters:
          channel: 20
          power: 0

- name: Remove the node from its network
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    mesh:
      state: absent

- name: Remove a device from its network, its device groups and the product
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    state: absent

- name: Give up the claim to a device of the account
  meshfleet.particle.device:
    id: e00fce68aabbccddeeff0011
    claimed: false
"""

RETURN = r"""
device:
  description: Outcome for the device.
  returned: unless the task fails before the first write
  type: dict
  contains:
    id:
      description: Device id, V(null) while only the identifier on the label is known.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    identifier:
      description: Identifier by which the task declares the device, its id, serial number, ICCID or IMEI.
      type: str
      returned: always
      sample: P046AB123456789
    name:
      description: Declared name, V(null) if the task declares none.
      type: str
      returned: always
      sample: barn-gateway
    status:
      description:
        - Status of the device.
        - V(ok) means that the device is as declared and needed no change.
        - V(changed) means that the device was changed, or would be changed in check mode.
        - V(failed) means that an error occurred.
        - V(pending) means that the device is not as declared yet, without an error. For example, it has not joined its
          network yet. Run the task again to finish.
      type: str
      returned: always
      sample: changed
    changes:
      description: Fields that differ from the declared state, each with the value C(before) and the value C(after).
      type: dict
      returned: always
      sample:
        name:
          before:
          after: barn-gateway
    mesh:
      description:
        - State of the device in its network, which is read with O(verify=online) only. Otherwise it is V(null).
        - V(joined) means that the device is in the network, in its declared role.
        - V(pending) means that the device is joining, is asleep or has never reported.
        - V(lost) means that the device was in the network and is no longer in it.
        - V(wrong_network) means that the device is in another network.
      type: str
      returned: always
      sample: joined
    error:
      description:
        - Reason for the status V(failed) or V(pending), with the same keys as RV(error). V(null) if there is no such
          reason.
      type: dict
      returned: always
credentials_source:
  description:
    - Where the credentials come from. For display only. The credentials themselves are not returned.
    - The value is V(the task's options), V(the environment), the path of O(token_file), V(the login of the official
      command line tool) for O(profile), or V(nowhere) if the task has found no credentials or needs none.
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
      description: Time in seconds that the task waited because the cloud asked to wait.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description:
        - Time in seconds that the task waited for its request budget, so that it stays within the rate limit of the
          cloud.
      type: float
      returned: always
      sample: 0.0
error:
  description:
    - Description of the error that made the task fail.
    - C(msg) contains RV(error.message) and RV(error.hint) as one text.
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
    groups_mode={"type": "str", "choices": ["add", "exact"], "default": "add"},
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
