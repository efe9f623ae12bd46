#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_info
short_description: Gather facts of the devices of an account or a product
version_added: 0.1.0
description:
  - Reads all devices of a product or of the account, to the last page, by list calls only.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
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
  product:
    description:
      - Id or slug of a product. Without it, the devices that the account itself has claimed.
    type: str
seealso:
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    access_token: "{{ token.access_token }}"
    product: field-logger
  register: fleet

- name: Name the devices that are offline
  ansible.builtin.debug:
    msg: "{{ fleet.devices | rejectattr('online') | map(attribute='name') | list }}"

- name: Gather the account's own devices, with PARTICLE_ACCESS_TOKEN in the environment
  meshfleet.particle.device_info:
"""

RETURN = r"""
devices:
  description:
    - One dictionary for each device, with the attributes that the cloud gives under the cloud's names, and those
      below. The device's setup secret is left out.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Device id, 24 hexadecimal digits.
      type: str
      returned: success
      sample: e00fce68aabbccddeeff0022
    name:
      description: Name of the device, if it has one.
      type: str
      returned: success
      sample: barn-gateway
    platform:
      description: Name of the platform that C(platform_id) stands for.
      type: str
      returned: success
      sample: boron
    online:
      description: Whether the cloud holds a session with the device. For cellular devices this may lag by 46 minutes.
      type: bool
      returned: success
      sample: true
    groups:
      description: Device groups.
      type: list
      elements: str
      returned: for devices of a product
      sample: [north, mesh-barn, mesh-gateway]
    mac:
      description: MAC address of the Wi-Fi interface, V(null) where the cloud does not know one. Never guessed.
      type: str
      returned: success
      sample: "94:94:4A:00:00:01"
    mesh:
      description: Network and role, V(null) for a device in no network.
      type: dict
      returned: success
      sample:
        network: barn
        role: gateway
count:
  description: Number of devices.
  returned: success
  type: int
  sample: 1000
pages:
  description: Number of pages that were read.
  returned: success
  type: int
  sample: 10
complete:
  description: Whether the list held still while it was read. If V(false), run again for a complete picture.
  returned: success
  type: bool
  sample: true
credentials_source:
  description:
    - Where the credentials come from, V(the task's options), V(the environment), the path of a O(token_file),
      V(the login of the official command line tool), or V(nowhere). Never what they are.
  returned: when credentials were looked for
  type: str
  sample: the environment
cloud:
  description: What the task cost.
  returned: when a cloud was asked
  type: dict
  contains:
    requests:
      description: Requests sent, logins included.
      type: int
      returned: always
      sample: 11
    writes:
      description: Those of them that may change the fleet.
      type: int
      returned: always
      sample: 0
    retries:
      description: Requests that were sent again after a passing failure.
      type: int
      returned: always
      sample: 0
    throttled_seconds:
      description: Seconds waited because the cloud asked for it.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description: Seconds waited so that the cloud need not ask.
      type: float
      returned: always
      sample: 0.0
error:
  description: Why the task failed.
  returned: failure
  type: dict
  contains:
    code:
      description: One word of the closed list, to act on.
      type: str
      returned: always
      sample: token_expired
    status:
      description: HTTP status behind it, V(null) without one.
      type: int
      returned: always
      sample: 401
    message:
      description: What failed, and why.
      type: str
      returned: always
      sample: "Could not list the devices of the account: the access token has expired; it answered 401."
    hint:
      description: What to do.
      type: str
      returned: always
      sample: Obtain a new access token, or give username and password instead.
    route:
      description: Method and path template of the request behind it, V(null) without one.
      type: str
      returned: always
      sample: GET /v1/devices
"""

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.facts import gather
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    argument_spec,
    run_module,
)

SPEC = argument_spec(product={"type": "str"})


def device_info(task: Task) -> dict[str, Any]:
    """Log in and gather."""
    with task.session() as http:
        return gather(http, task.options["product"])


def main() -> None:
    run_module(SPEC, device_info)


if __name__ == "__main__":
    main()
