#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_facts
short_description: Gather the facts of a host's own device
version_added: 0.1.0
description:
  - Tells what the cloud knows of one device as C(ansible_facts.particle), the same as the host variable C(particle)
    of the inventory plugin P(meshfleet.particle.devices#inventory).
  - The lists of the fleet are read once for all hosts of a run, and for all plays within O(max_age).
  - As a task it runs on the controller, without a process for each host. Where C(gather_facts) calls it, named in
    C(ansible_facts_modules), it is a module like any other, on the machine that the host's connection leads to;
    with C(ansible_connection=local) that is the controller, too.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.selection
attributes:
  check_mode:
    support: full
    details: Only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: N/A
    details: Changes nothing.
options:
  id:
    description:
      - Id of the device.
    type: str
    required: true
  max_age:
    description:
      - How old in seconds the list may be that the facts are taken from. A host that finds it older reads it anew, for
        all.
      - C(gather_facts) over many hundred hosts takes longer than the default; V(600) then saves the cloud the same
        question again.
      - With V(0) every host reads the list for itself.
      - A list that changed while it was read serves the devices that it shows. Who looks for another one reads it
        anew, three seconds later at the earliest.
    type: int
    default: 60
seealso:
  - module: meshfleet.particle.device_info
  - plugin: meshfleet.particle.devices
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Gather the facts of each host's device
  meshfleet.particle.device_facts:
    id: "{{ device_id }}"
    product: field-logger

- name: Skip the hosts whose device is not there
  ansible.builtin.meta: end_host
  when: ansible_facts.particle.presence in ['stale', 'offline']

- name: Gather the same facts at the start of a play
  hosts: all
  gather_facts: true
  vars:
    ansible_facts_modules: [meshfleet.particle.device_facts]
  module_defaults:
    meshfleet.particle.device_facts:
      id: "{{ device_id }}"
      product: field-logger
  tasks:
    - name: Show the Device OS
      ansible.builtin.debug:
        var: ansible_facts.particle.system_firmware_version
"""

RETURN = r"""
ansible_facts:
  description: Facts that the host keeps.
  returned: success
  type: dict
  contains:
    particle:
      description:
        - The attributes that the cloud gives under the cloud's names, and those below. The device's setup secret is
          left out.
        - C(name), C(owner), C(notes), C(serial_number), C(mac), C(iccid), C(firmware_version),
          C(system_firmware_version) and C(last_heard) are always there, V(null) where the cloud tells nothing.
      returned: success
      type: dict
      contains:
        id:
          description: Device id, 24 hexadecimal digits.
          type: str
          returned: success
          sample: e00fce68aabbccddeeff0022
        name:
          description: Name of the device, V(null) when it has none.
          type: str
          returned: success
          sample: barn-gateway
        product:
          description:
            - Slug of its product. In the list of the account, which tells no slug, the product's id. V(null) for a
              device in no product.
          type: str
          returned: success
          sample: field-logger
        platform:
          description: Name of the platform that C(platform_id) stands for.
          type: str
          returned: success
          sample: boron
        online:
          description: Whether the cloud holds a session with the device.
          type: bool
          returned: success
          sample: true
        last_heard_age:
          description:
            - Seconds since the cloud last heard the device, or since the device's last session began where only that
              is told. V(null) when the cloud says neither.
          type: int
          returned: success
          sample: 312
        presence:
          description:
            - How sure it is that the device is there. V(confirmed), online and heard within the last minute.
              V(probable), online and heard within 46 minutes, the longest that the cloud takes to notice that a
              cellular device is gone. It takes about a minute with others, but the 46 minutes are used for all
              devices. V(stale), online as the cloud says, but not heard for longer than that, or never. V(offline),
              the cloud holds no session.
          type: str
          returned: success
          sample: probable
        groups:
          description: Device groups.
          type: list
          elements: str
          returned: for devices of a product
          sample: [north, mesh-barn, mesh-gateway]
        mac:
          description:
            - MAC address of the Wi-Fi interface, V(null) where the cloud does not know one. Never guessed.
          type: str
          returned: success
          sample: "94:94:4A:00:00:01"
        mesh:
          description: Network and role, V(null) for a device in no network.
          type: dict
          returned: success
          contains:
            network:
              description: Name of the network.
              type: str
              returned: always
              sample: barn
            role:
              description: V(gateway) or V(node).
              type: str
              returned: always
              sample: gateway
age:
  description: How many seconds ago the list was read that the facts are taken from.
  returned: success
  type: float
  sample: 4.2
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

import time
from typing import Any

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
    """Return the facts of one device, from the lists of the cloud or a recent snapshot that all hosts share."""
    device, sources = task.options["id"].strip().lower(), read_sources(task.options)
    if not device:
        raise ParticleError("invalid_option", "id is empty.", hint="Set id to the id of the device of this host.")
    with task.open_session() as http:
        folder = ensure_folder(task.environment, "Facts", "use device_info", of_login=True)
        whose = (http.connection.api_url, http.token, str(sources.account), sources.organization or "")
        snapshot = Snapshot(folder, (*whose, *sorted(sources.products)), time.time)

        def look() -> GatheredFacts:
            return gather_facts(http, sources, [{}])

        seen = snapshot.get_facts(device, task.options["max_age"], look)
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
