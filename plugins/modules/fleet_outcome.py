#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_outcome
short_description: Fail only the hosts whose device failed in a fleet run
version_added: 0.1.0
description:
  - Returns the outcome of the device of each host, and fails the hosts whose device failed.
  - The module needs the result of an earlier M(meshfleet.particle.fleet) task, which manages the devices of all hosts
    at once. Set O(meshfleet.particle.fleet#module:from_inventory=true) in the earlier task. Also set
    O(meshfleet.particle.fleet#module:fail=false), because a failure of the earlier task fails all hosts.
  - If the earlier task failed before its first write and the play continues, for example because of C(ignore_errors),
    all hosts fail with the error of the earlier task.
  - If the run ended early, the hosts whose device was not reached fail with the error that ended the run. If the
    changes could not be verified, or if something other than a device of a host failed, all hosts that declare a device
    fail.
  - The task reports a change for the hosts whose device was changed.
  - The module makes no API request and needs no credentials. It ignores the connection options that C(module_defaults)
    set for the action group.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details: The module changes nothing, so check mode makes no difference.
  diff_mode:
    support: full
    details: The difference shows the changes that the run made to the device of the host.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  fleet:
    description:
      - Registered result of the M(meshfleet.particle.fleet) task.
      - With hundreds of hosts or more, do not pass the whole result. For each host, pass only the entry of this host
        from the key C(hosts), or the key C(outcomes_path) if there are too many hosts for C(hosts), as the last example
        does. Ansible copies the value of this option for each host, so the time to copy the whole result grows with the
        square of the number of hosts.
    type: dict
    required: true
requirements:
  - requests >= 2.31
notes:
  - The module always runs on the controller. C(delegate_to) has no effect, and C(async) is not supported.
seealso:
  - module: meshfleet.particle.fleet
  - name: Troubleshooting guide
    description: Explains every error code, and how to correct the problem.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_troubleshooting.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Bring all hosts of the play to the state that their particle_device declares
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      barn: {}
    from_inventory: true
    fail: false
  run_once: true
  register: fleet

- name: Fail only the hosts whose device failed
  meshfleet.particle.fleet_outcome:
    fleet: "{{ fleet }}"

- name: Do the same for thousands of hosts, and pass only the entry of each host
  meshfleet.particle.fleet_outcome:
    fleet: >-
      {{ {'hosts': {inventory_hostname: fleet.hosts.get(inventory_hostname)}} if 'hosts' in fleet
      else {'outcomes_path': fleet.outcomes_path} if fleet.get('outcomes_path')
      else fleet }}
"""

RETURN = r"""
outcome:
  description: Outcome of the device of this host. V(null) if the host declares no device.
  returned: if O(fleet) contains the outcomes of hosts
  type: dict
  contains:
    id:
      description: Device id. V(null) if the id is not known yet because the device is declared by another identifier.
      type: str
      returned: if the host declares a device
      sample: e00fce68aabbccddeeff0022
    identifier:
      description: Identifier that declares the device. It is an id, a serial number, an ICCID or an IMEI.
      type: str
      returned: if the host declares a device
      sample: P046AB123456789
    name:
      description: Declared name of the device. V(null) if none is declared.
      type: str
      returned: if the host declares a device
      sample: barn-gateway
    status:
      description:
        - Status of the device.
        - V(ok) means that the device needed no change.
        - V(changed) means that the device was changed. In check mode, it means that the device would be changed.
        - V(failed) means that an error occurred, which RV(outcome.error) describes.
        - V(pending) means that the device is not in its declared state yet, but has not failed. For example, the run
          ended early, or the device has not joined or left its network yet.
        - The host does not fail because of a V(pending) device. If the run ended early, RV(outcome.run_error) contains
          the reason.
      type: str
      returned: if the host declares a device
      sample: changed
    changes:
      description: Changed fields of the device, each with its value before and after the change.
      type: dict
      returned: if the host declares a device
      sample:
        name:
          before:
          after: barn-gateway
    mesh:
      description:
        - State of the device in its network. V(null) if the state was not read. The state is read only with
          O(meshfleet.particle.fleet#module:verify=online).
        - V(joined) means that the device is in the network with its declared role.
        - V(pending) means that the device has not reported yet that it has joined, for example because it is asleep.
        - V(lost) means that the device was in the network and is no longer in it.
        - V(wrong_network) means that the device is in another network.
      type: str
      returned: if the host declares a device
      sample: joined
    error:
      description:
        - Reason why the device failed or is pending, with the keys of RV(error). V(null) if there is no reason.
      type: dict
      returned: if the host declares a device
    run_error:
      description:
        - Error of the run, with the keys of RV(error), if the host fails although its device has not failed. V(null)
          otherwise.
      type: dict
      returned: if the host declares a device
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import run_by_action

# The action plugin of the same name carries out this module on the controller.
SPEC = {"fleet": {"type": "dict", "required": True}}


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
