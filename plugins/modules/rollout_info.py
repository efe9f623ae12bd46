#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Show the firmware rollout of a product
version_added: 0.2.0
description:
  - Shows the waves of the rollout of a product, and the state of each device with the evidence for it. Each call reads
    the device list and assesses the devices anew, as M(meshfleet.particle.rollout) does.
  - Assesses with the options of the last run that wrote the record of the rollout, such as the waves, the brake and the
    filters. Filters that are too large for the record are not stored, and the task warns about it.
  - Shows a rollout even after it has ended, until another rollout of the product begins.
  - Takes about one request for each hundred devices of the product.
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
    details: The module only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  state_file:
    description:
      - Path of the file with the record of the rollout, if the rollout uses
        O(meshfleet.particle.rollout#module:state_file).
    type: path
notes:
  - For a product with thousands of devices, the result is larger than what an automation controller stores. The
    controller then shows nothing of it, and the task warns about it. Later tasks have the whole result.
seealso:
  - module: meshfleet.particle.rollout
  - module: meshfleet.particle.firmware_info
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Read the rollout of a product
  meshfleet.particle.rollout_info:
    product: field-logger
  register: rollout

- name: Show its state, and the devices that are not updated
  ansible.builtin.debug:
    msg:
      state: "{{ rollout.state }}"
      devices: "{{ rollout.devices | rejectattr('state', 'eq', 'updated') | map(attribute='evidence') | list }}"
"""

RETURN = r"""
state:
  description:
    - State of the rollout.
    - V(running) means that devices are updating, or that more devices are to be targeted. V(soaking) means that all
      devices of a wave are decided, and must now stay healthy. V(held) means that the rollout cannot continue at
      present. V(awaiting_approval) means that the next wave waits for an approval. V(braked) means that the brake has
      stopped the rollout. V(none) means that the product has no rollout.
    - A rollout that a run has paused is V(paused). A rollout that has ended is V(done), V(aborted) or V(rolled_back).
  returned: if the devices were read
  type: str
  sample: soaking
version:
  description: Version number of the rollout. V(null) if there is no rollout.
  returned: if the devices were read
  type: int
  sample: 42
began:
  description: Time at which the rollout began. V(null) if there is no rollout.
  returned: if the devices were read
  type: str
  sample: "2026-03-02T08:00:01Z"
waves:
  description: The waves that have begun, and the waves that are to come.
  returned: if the devices were read
  type: list
  elements: dict
  contains:
    number:
      description: Number of the wave. The first wave has the number 1.
      type: int
      returned: always
      sample: 1
    state:
      description:
        - State of the wave, which is V(waiting) before the wave begins, then V(updating), V(soaking) and V(complete).
          V(ended) means that the rollout was aborted or rolled back while the wave was updating.
      type: str
      returned: always
      sample: soaking
    devices:
      description: Number of devices in the wave.
      type: int
      returned: always
      sample: 5
    total:
      description: Number of devices in this wave and in all waves before it.
      type: int
      returned: always
      sample: 5
    groups:
      description: Device groups of which the wave consists. V([]) for a wave with a number or a share of devices.
      type: list
      elements: str
      returned: always
      sample: []
    members:
      description: Ids of the devices in the wave.
      type: list
      elements: str
      returned: always
      sample:
        - e00fce68aabbccddeeff0022
    began:
      description: Time at which the wave began. V(null) if it has not begun.
      type: str
      returned: always
      sample: "2026-03-02T08:00:01Z"
    decided:
      description:
        - Time at which a run first saw that the wave is decided. V(null) before that. The wave soaks from this time on.
      type: str
      returned: always
      sample: "2026-03-02T08:06:31Z"
    approved_by:
      description: Username of the account that approved the wave. V(null) without an approval or a username.
      type: str
      returned: always
      sample: jane@example.com
    approved_at:
      description: Time of the approval. V(null) without an approval.
      type: str
      returned: always
      sample: "2026-03-02T07:59:58Z"
    counts:
      description: Number of devices of the wave in each state, as in RV(counts).
      type: dict
      returned: always
      sample:
        updated: 4
        pending_offline: 1
devices:
  description:
    - The devices that are targeted or skipped, each with its state and the evidence for it. Bad devices come first.
  returned: if the devices were read
  type: list
  elements: dict
  contains:
    id:
      description: Device id.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    name:
      description: Name of the device. V(null) if it has none.
      type: str
      returned: always
      sample: barn-gateway
    state:
      description:
        - State of the device in the rollout.
        - V(updated) means that the device runs the version, and V(updating) that the result is not known yet.
        - V(pending_offline) means that the device was offline when it was targeted, V(pending_handshake) that it gets
          the version when its next session begins, and V(pending_disabled) that it has updates switched off.
        - The update has failed in the states V(safe_mode), when the application cannot run on the device,
          V(failed_timeout), when the transfer broke off, V(failed_refused), when the device refused the file,
          V(came_back_old), when the device restarted with another version, and V(crashing), when it restarts again and
          again.
        - V(gone) means that the device was online when it was targeted, or has connected since, and is now silent.
        - V(skipped_development) and V(skipped_locked) are devices that the rollout leaves alone.
        - V(unknown) means that the cloud does not show enough to assess the device.
      type: str
      returned: always
      sample: updated
    evidence:
      description: The observation that led to this state.
      type: str
      returned: always
      sample: has had version 42 since its session of 2026-03-02T08:03:12Z
    wave:
      description: Number of the wave of the device. V(null) for a device that is skipped.
      type: int
      returned: always
      sample: 1
    firmware_version:
      description: Firmware version that the device has reported. V(null) if it never has.
      type: int
      returned: always
      sample: 42
counts:
  description: Number of devices in each state. All states are keys. Devices that are not targeted yet do not count.
  returned: if the devices were read
  type: dict
  sample:
    updated: 4
    updating: 0
    pending_offline: 1
    pending_handshake: 0
    pending_disabled: 0
    safe_mode: 0
    failed_timeout: 0
    failed_refused: 0
    came_back_old: 0
    crashing: 0
    gone: 0
    skipped_development: 0
    skipped_locked: 0
    unknown: 0
brake:
  description: Counts and limits of the brake. V(null) if there is no rollout.
  returned: if the devices were read
  type: dict
  contains:
    tripped:
      description: Whether a limit is reached.
      type: bool
      returned: always
      sample: false
    devices:
      description: Number of targeted devices without pending devices, to which the limits refer.
      type: int
      returned: always
      sample: 4
    failed:
      description: Number of devices whose update has failed, without accepted devices.
      type: int
      returned: always
      sample: 0
    offline:
      description: Number of devices that are gone, without accepted devices.
      type: int
      returned: always
      sample: 0
    failed_limit:
      description: Limit for devices whose update has failed.
      type: str
      returned: always
      sample: 5%
    offline_limit:
      description: Limit for devices that are gone.
      type: str
      returned: always
      sample: 10%
    at_least:
      description: Number of bad devices below which neither limit stops the rollout.
      type: int
      returned: always
      sample: 2
next:
  description: When to continue the rollout, and why. V(null) if the rollout has ended or does not exist.
  returned: if the devices were read
  type: dict
  contains:
    when:
      description: Time at which a run can do more. V(null) if the rollout needs a person to continue.
      type: str
      returned: always
      sample: "2026-03-02T09:06:31Z"
    why:
      description: Reason in one sentence.
      type: str
      returned: always
      sample: Wave 1 must stay healthy for 3600 seconds before the rollout continues.
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

from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.info import read_rollout_state
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store

SPEC = build_argument_spec(product={"type": "str", "required": True}, state_file={"type": "path"})


def rollout_info(task: Task) -> dict[str, Any]:
    """Return the state of the rollout of a product."""
    with task.open_product() as target:
        path = None if task.options["state_file"] is None else Path(task.options["state_file"])
        store = Store(open_memory(target, path), SYSTEM_CLOCK)
        return {"changed": False, **read_rollout_state(target, store, SYSTEM_CLOCK)}


def main() -> None:
    """Run the module."""
    run_module(SPEC, rollout_info)


if __name__ == "__main__":
    main()
