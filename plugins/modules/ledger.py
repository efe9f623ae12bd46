#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Create, describe and archive ledgers
version_added: 0.2.0
description:
  - Manages the definition of one ledger. A ledger stores data that the cloud and the devices share. The data of the
    ledger is neither read nor written.
  - A ledger does not belong to a product, but to the owner of the product. The owner is the organization of the
    product, or the account if the product has no organization. All products of the owner share its ledgers.
  - If an option is not set, the setting remains unchanged. The scope and the direction of a ledger cannot be changed.
    If they differ, the task changes nothing and fails.
  - Devices can only use ledgers that existed when the devices connected, so create the ledgers before the devices
    connect with firmware that uses them.
  - If the response to a request is lost, the module reads the list of ledgers again to find out whether the request
    took effect.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product and to the ledgers of its owner.
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
    description: Id or slug of a product. The ledger belongs to the owner of this product.
    type: str
    required: true
  name:
    description:
      - Name of the ledger, with up to 32 lower-case letters, digits and dashes. The module cannot rename a ledger.
      - The names V(mesh), V(mesh-status) and V(rollouts) are refused. They are the default names of the ledgers that
        M(meshfleet.particle.fleet) and M(meshfleet.particle.rollout) create and use.
    type: str
    required: true
  scope:
    description:
      - Level at which the ledger has separate data. The data of one device, product or owner is an instance of the
        ledger.
      - With V(device), each device has an instance. With V(product), the devices of a product share one instance. With
        V(owner), the devices of all products of the owner share one instance.
      - Required to create a ledger. It cannot be changed later.
    type: str
    choices: [device, owner, product]
  direction:
    description:
      - Direction in which the data is sent. With V(upstream), devices write the data and the cloud receives it. With
        V(downstream), the cloud writes the data and devices receive it.
      - If this option is not set for a new ledger, the ledger exists only in the cloud, and devices do not receive it.
      - It cannot be changed later.
    type: str
    choices: [downstream, upstream]
  description:
    description: Description of the ledger. V("") removes the description.
    type: str
  state:
    description:
      - Whether the ledger should exist.
      - V(absent) archives the ledger. The cloud keeps the data and the name of an archived ledger, so no other ledger
        can get this name, and V(present) then fails for this name.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.rollout
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Create a ledger with the settings of each device
  meshfleet.particle.ledger:
    product: field-logger
    name: settings
    scope: device
    direction: downstream
    description: What each logger measures

- name: Archive a ledger that no firmware uses any longer
  meshfleet.particle.ledger:
    product: field-logger
    name: calibration
    state: absent
"""

RETURN = r"""
ledger:
  description:
    - The definition of the ledger after the task. In check mode, the definition as it would be. V(null) if the ledger
      does not exist or is archived.
  returned: if the ledgers were read
  type: dict
  contains:
    name:
      description: Name of the ledger.
      type: str
      returned: always
      sample: settings
    scope:
      description: Scope of the ledger.
      type: str
      returned: always
      sample: device
    direction:
      description: Direction in which the data is sent. V(null) if the ledger exists only in the cloud.
      type: str
      returned: always
      sample: downstream
    description:
      description: Description of the ledger. V(null) if it has none.
      type: str
      returned: always
      sample: What each logger measures
changes:
  description: Changed settings, each with its value before and after the change.
  returned: if the ledgers were read
  type: dict
  sample:
    description:
      before: null
      after: What each logger measures
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
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.ledgers import LEDGERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    **LEDGERS.build_option_specs(),
)


def ledger(task: Task) -> dict[str, Any]:
    """Bring the ledger to the state that the options declare."""
    declared = read_declared(LEDGERS, task.options)
    with task.open_product() as target:
        result = reconcile_resource(target, LEDGERS, declared, check_mode=task.check_mode)
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, ledger)


if __name__ == "__main__":
    main()
