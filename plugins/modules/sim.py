#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sim
short_description: Activate, deactivate and release SIMs of a product
version_added: 0.2.0
description:
  - Manages one SIM of a product.
  - A SIM that is not in the product is imported, which activates the SIM and also adds its device to the product. The
    cloud imports SIMs later, and reports the result by e-mail. Until then, the task succeeds with a RV(msg) about the
    queued import, and RV(sim) is V(null). Run the task again later to check the result. If the SIM is still not in the
    product, the task asks for the import again.
  - Active SIMs are billed. In check mode, RV(msg) says whether the task would activate or release the SIM.
  - The cloud uses more words for the status of a SIM than O(state) has. A SIM that has never been active, was
    deactivated by a user, has reached its data limit or has no valid payment method counts as V(inactive). If the cloud
    shows a status that is not known, RV(sim) contains this status, and the task fails instead of activating or
    deactivating the SIM.
  - If the response to a request is lost, the module reads the list of SIMs again to find out whether the request took
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
    support: partial
    details: While an import or a release is pending in the cloud, the task asks for it again.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  iccid:
    description:
      - ICCID of the SIM, with 18 to 22 digits, in quotes. The check digit at the end can be left out.
      - Exactly one of O(iccid) and O(device) is required.
    type: str
  device:
    description:
      - Device id of the device that has used the SIM last. The SIM must be in the product already.
      - After a release, the product has no such SIM anymore, so V(released) then changes nothing.
    type: str
  state:
    description:
      - State of the SIM.
      - V(active) activates the SIM. A SIM that is not in the product is imported first.
      - V(inactive) deactivates the SIM. The task fails if the SIM is not in the product.
      - V(released) deactivates the SIM and gives up its ownership, so that another account can activate the SIM. The
        release must be confirmed with O(confirm). A SIM that is not in the product counts as released.
    type: str
    choices: [active, inactive, released]
    default: active
  country:
    description:
      - Country of the first activation, as a code of two letters, such as V(US). The country is sent only with the
        import of a SIM. It is not compared and cannot be changed later.
      - Cannot be combined with O(device), because a SIM that is found by its device has been imported already.
    type: str
  confirm:
    description:
      - List of the changes that are confirmed. V([sim_release]) confirms O(state=released). Without it, a task fails
        before it would release a SIM.
      - V(true) confirms no release, because a release must be named.
    type: raw
    default: []
seealso:
  - module: meshfleet.particle.device
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Import and activate a SIM
  meshfleet.particle.sim:
    product: field-logger
    iccid: "8934076500002589174"
    country: US

- name: Deactivate the SIM of a device for the winter
  meshfleet.particle.sim:
    product: field-logger
    device: e00fce68aabbccddeeff0022
    state: inactive

- name: Release the SIM of a device that has been taken out of service
  meshfleet.particle.sim:
    product: field-logger
    iccid: "8934076500002589174"
    state: released
    confirm: [sim_release]
"""

RETURN = r"""
sim:
  description:
    - The SIM after the task. In check mode, the SIM as it would be. V(null) if the SIM is not in the product.
  returned: if the SIMs were read
  type: dict
  contains:
    iccid:
      description: ICCID of the SIM.
      type: str
      returned: always
      sample: "8934076500002589174"
    state:
      description:
        - V(active) or V(inactive). If the cloud shows a status that is not known, this status. V(null) if the cloud
          shows no status.
      type: str
      returned: always
      sample: active
    base_country_code:
      description: Country of the SIM, as a code of two letters. V(null) if it is not known.
      type: str
      returned: always
      sample: US
    last_device_id:
      description: Device id of the device that has used the SIM last. V(null) if it is not known.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    last_device_name:
      description: Name of this device. V(null) if it has none.
      type: str
      returned: always
      sample: barn-gateway
msg:
  description:
    - In check mode, a sentence with the number of SIMs that the task would activate or release. Otherwise, a sentence
      about the change that is still pending in the cloud.
    - If the task failed, the whole error message.
  returned: on failure, or if a SIM would be activated or released, or if a change is pending
  type: str
  sample: >-
    The cloud has queued the import of SIM 8934076500002589174, and reports the result by e-mail. Run the task again
    later to check the result.
changes:
  description: Changed settings, each with its value before and after the change.
  returned: if the SIMs were read
  type: dict
  sample:
    state:
      before: active
      after: inactive
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

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.sims import (
    ACTIVE,
    SIM_RELEASE,
    SIMS,
    declare_sim,
    find_sim,
    select_sim,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource

_FIELDS = SIMS.build_option_specs()

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    iccid={**_FIELDS["iccid"], "required": False},
    device={"type": "str"},
    state={**_FIELDS["state"], "default": ACTIVE},
    country=_FIELDS["country"],
    confirm={"type": "raw", "default": []},
)


def sim(task: Task) -> dict[str, Any]:
    """Bring the SIM to the state that the options declare."""
    declared = declare_sim(task.options)
    confirmed = read_confirm(task.options["confirm"], [SIM_RELEASE])
    with task.open_product() as target:
        declared = declared or find_sim(target, task.options)
        if declared is None:
            return task.show_diff({"changed": False, "sim": None, "changes": {}, "diff": Diff()})
        kind = select_sim(declared)
        result = reconcile_resource(target, kind, declared, check_mode=task.check_mode, confirmed=confirmed)
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, sim)


if __name__ == "__main__":
    main()
