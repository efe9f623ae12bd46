#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_facts
short_description: Gather facts about the device of each host
version_added: 0.1.0
description:
  - Returns the facts of one device as C(ansible_facts.particle). The inventory plugin
    P(meshfleet.particle.devices#inventory) sets the same facts as the host variable C(particle).
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    products.
  - All hosts of a run share one copy of the device lists. Later plays use this copy until it is older than O(max_age).
  - If no device list contains the device, the task fails with error code V(not_found).
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.delegation
  - meshfleet.particle.selection
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
  id:
    description:
      - Id of the device whose facts to gather. It has 24 hexadecimal digits. Quote an id that consists of decimal
        digits only.
    type: str
    required: true
  max_age:
    description:
      - Maximum age in seconds of the device lists that hosts share. The first host that needs newer lists reads the
        lists again for all hosts.
      - Set V(600) if gathering takes longer than 60 seconds, for example with many hundred hosts. Otherwise the lists
        are read several times.
      - With V(0), every host reads the lists separately.
      - If a list changes in the cloud while it is read, a device can be missing from the copy. A host that does not
        find its device in such a copy reads the lists again, unless the copy is less than three seconds old.
    type: int
    default: 60
notes:
  - As a task, the module runs on the controller, without a Python process for each host. If C(ansible_facts_modules)
    contains the module, C(gather_facts) runs the module on the target of the connection. In this case, set
    C(ansible_connection=local).
seealso:
  - module: meshfleet.particle.device_info
  - plugin: meshfleet.particle.devices
    plugin_type: inventory
  - name: Guide to inventories
    description: How to use devices as the hosts of an inventory.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_inventory.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Gather facts about the device of each host
  meshfleet.particle.device_facts:
    id: "{{ device_id }}"
    product: field-logger

- name: End the play for hosts whose device is not online
  ansible.builtin.meta: end_host
  when: ansible_facts.particle.presence in ['stale', 'offline']

- name: Find each device in several products or among the devices of the account
  meshfleet.particle.device_facts:
    id: "{{ device_id }}"
    products: [field-logger, pump-watch]
    account_devices: true

---
# A complete play
- name: Gather the same facts at the start of a play
  hosts: all
  gather_facts: true
  vars:
    ansible_connection: local
    ansible_facts_modules: [meshfleet.particle.device_facts]
  module_defaults:
    meshfleet.particle.device_facts:
      id: "{{ device_id }}"
      product: field-logger
      max_age: 600
  tasks:
    - name: Show the Device OS version
      ansible.builtin.debug:
        var: ansible_facts.particle.system_firmware_version
"""

RETURN = r"""
ansible_facts:
  description: Facts that Ansible stores for the host.
  returned: success
  type: dict
  contains:
    particle:
      description:
        - Facts about the device. They contain the keys below, and all attributes that the cloud returns, except the
          setup secret of the device. The attributes have the same names as in the cloud.
      returned: success
      type: dict
      contains:
        id:
          description: Device id, 24 hexadecimal digits.
          type: str
          returned: success
          sample: e00fce68aabbccddeeff0022
        name:
          description: Name of the device, V(null) if it has none.
          type: str
          returned: success
          sample: barn-gateway
        owner:
          description: Username of the account that has claimed the device. V(null) if no account has claimed it.
          type: str
          returned: success
          sample: jane@example.com
        notes:
          description: Notes about the device. V(null) if there are none.
          type: str
          returned: success
          sample: North wall, beside the window
        serial_number:
          description: Serial number of the device. V(null) if the cloud does not know it.
          type: str
          returned: success
          sample: P046AB123456789
        iccid:
          description: ICCID of the SIM card of the device. V(null) if the cloud does not know it.
          type: str
          returned: success
          sample: "8901410300000000001"
        platform_id:
          description: Number of the platform of the device.
          type: int
          returned: if the cloud returns it
          sample: 13
        firmware_version:
          description:
            - Version of the product firmware that the device runs. V(null) if the cloud does not know it.
            - RV(ansible_facts.particle.firmware_lock) is the version to which the device is locked.
          type: int
          returned: success
          sample: 42
        firmware_lock:
          description:
            - Version of the product firmware to which the device is locked. V(unlocked) if the device follows the
              firmware releases of the product. V(null) for a device that is in the device list of the account only.
          type: raw
          returned: success
          sample: unlocked
        system_firmware_version:
          description: Version of Device OS that the device runs. V(null) if the cloud does not know it.
          type: str
          returned: success
          sample: 6.3.4
        last_heard:
          description: Time when the cloud last heard from the device. V(null) if that time is unknown.
          type: str
          returned: success
          sample: "2026-06-01T00:00:00.000Z"
        product:
          description:
            - Slug of the product of the device, V(null) if the device is in no product.
            - The device list of the account contains no slugs. For a device that is only in this list, the value is the
              id of the product.
          type: str
          returned: success
          sample: field-logger
        platform:
          description: Name of the platform of the device.
          type: str
          returned: success
          sample: boron
        online:
          description: Whether the cloud shows the device as online.
          type: bool
          returned: success
          sample: true
        last_heard_age:
          description:
            - Seconds since the cloud last heard from the device. If that time is unknown, seconds since the last
              handshake of the device. V(null) if both times are unknown.
          type: int
          returned: success
          sample: 312
        presence:
          description:
            - Estimate of whether the device is online now. The cloud can take up to 46 minutes to notice that a
              cellular device is offline. For other devices, the cloud needs about a minute, but the estimate uses 46
              minutes for all devices.
            - V(confirmed) means that the cloud shows the device as online and heard from it within the last minute.
            - V(probable) means that the cloud shows the device as online and heard from it within the last 46 minutes.
            - V(stale) means that the cloud shows the device as online, but has not heard from it within the last 46
              minutes.
            - V(offline) means that the cloud shows the device as offline.
          type: str
          returned: success
          sample: probable
        groups:
          description: Device groups of the device.
          type: list
          elements: str
          returned: for devices of a product
          sample: [north, mesh-barn, mesh-gateway]
        mac:
          description:
            - MAC address of the Wi-Fi interface. V(null) if the cloud does not know the address.
          type: str
          returned: success
          sample: "94:94:4A:00:00:01"
        mesh:
          description: Network and role of the device. V(null) if the device is in no network.
          type: dict
          returned: success
          contains:
            network:
              description: Name of the network.
              type: str
              returned: always
              sample: barn
            role:
              description: Role of the device, V(gateway) or V(node).
              type: str
              returned: always
              sample: gateway
age:
  description: Age in seconds of the device lists from which the facts were taken.
  returned: success
  type: float
  sample: 4.2
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

import time
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import check_device_id
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import GatheredFacts, gather_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import SOURCE_SPEC, read_sources
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.shared_facts import (
    INCOMPLETE_SECONDS,
    DeviceRead,
    Snapshot,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import ensure_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(
    **SOURCE_SPEC,
    id={"type": "str", "required": True},
    max_age={"type": "int", "default": 60},
)


def device_facts(task: Task) -> dict[str, Any]:
    """Return the facts of one device, from the cloud or from stored facts that are at most ``max_age`` seconds old."""
    device, sources = check_device_id(task.options["id"], "id"), read_sources(task.options)
    with task.open_session() as http:
        folder = ensure_folder(task.environment, "Facts", "use device_info", of_login=True)
        whose = (http.connection.cloud, http.token, str(sources.account), sources.organization or "")
        snapshot = Snapshot(folder, (*whose, *sorted(sources.products)), time.time)

        def read_fleet() -> GatheredFacts:
            return gather_facts(http, sources, [{}])

        seen = snapshot.get_facts(device, task.options["max_age"], read_fleet)
    if seen.facts is None:
        message = f"Device {device} is not among the devices of {sources.describe()}."
        raise ParticleError("not_found", message, hint=_build_hint(seen))
    return {"changed": False, "ansible_facts": {"particle": seen.facts}, "age": round(seen.age, 1)}


def _build_hint(seen: DeviceRead) -> str:
    """Return a hint for a device that was not found."""
    if not seen.complete:
        moment = f"Run again in {INCOMPLETE_SECONDS} seconds"
        return f"{moment}: the list of devices changed while it was read, so this device may be missing in it."
    return f"Check the id and the products. The list is {seen.age:.0f} seconds old; set max_age to 0 to read it again."


def main() -> None:
    """Run the module."""
    run_module(SPEC, device_facts)


if __name__ == "__main__":
    main()
