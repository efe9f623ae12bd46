#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_group
short_description: Create, change and remove device groups of a product
version_added: 0.2.0
description:
  - Manages one device group of a product. A firmware version can be released to device groups, see
    M(meshfleet.particle.firmware), and devices can be selected by their groups.
  - The members of a group are declared for each device, see the option C(groups) of M(meshfleet.particle.fleet) and
    O(meshfleet.particle.device#module:groups). These modules also create groups that do not exist, without a
    description.
  - If an option is not set, the setting remains unchanged.
  - If the response to a request is lost, the module reads the list of groups again to find out whether the request took
    effect.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
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
  product:
    description: Id or slug of the product.
    type: str
    required: true
  name:
    description:
      - Name of the group, with up to 64 lower-case letters, digits, dashes and underscores. The module cannot rename a
        group.
      - Names that begin with C(mesh-) are refused. They are reserved for the members of mesh networks.
    type: str
    required: true
  description:
    description: Description of the group. V("") removes the description.
    type: str
  color:
    description: Color in which the console shows the group, with six hexadecimal digits, such as V(#ff8800).
    type: str
  force:
    description:
      - Whether to remove the group even if it is in use. The devices then lose the group, and the release of firmware
        to the group ends, so that devices may get another firmware version.
    type: bool
    default: false
  state:
    description:
      - Whether the group should exist.
      - V(absent) removes the group. Without O(force), the task fails if devices are in the group, or if firmware is
        released to it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.device
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.firmware
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Create a group for the first devices that get new firmware
  meshfleet.particle.device_group:
    product: field-logger
    name: canary
    description: Devices on our own roof
    color: "#ff8800"

- name: Remove a group that contains no devices
  meshfleet.particle.device_group:
    product: field-logger
    name: canary
    state: absent
"""

RETURN = r"""
device_group:
  description:
    - The group after the task. In check mode, the group as it would be. V(null) if the group does not exist.
  returned: if the group was read
  type: dict
  contains:
    name:
      description: Name of the group.
      type: str
      returned: always
      sample: canary
    description:
      description: Description of the group. V(null) if it has none.
      type: str
      returned: always
      sample: Devices on our own roof
    color:
      description: Color of the group. V(null) if check mode would create the group without a color.
      type: str
      returned: always
      sample: "#ff8800"
changes:
  description: Changed settings, each with its value before and after the change.
  returned: if the group was read
  type: dict
  sample:
    description:
      before: null
      after: Devices on our own roof
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import read_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.groups import GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    force={"type": "bool", "default": False},
    **GROUPS.build_option_specs(),
)


def device_group(task: Task) -> dict[str, Any]:
    """Bring the device group to the state that the options declare."""
    declared, force = read_declared(GROUPS, task.options), task.options["force"]
    with task.open_product() as target:
        result = reconcile_resource(target, GROUPS, declared, check_mode=task.check_mode, force=force)
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, device_group)


if __name__ == "__main__":
    main()
