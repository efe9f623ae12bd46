#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_call
short_description: Call a function of the firmware on many devices
version_added: 0.2.0
description:
  - Calls a cloud function, which the firmware of a device provides, on each selected device that is online, and returns
    the value of each device. The options that select devices are those of M(meshfleet.particle.device_info).
  - A function is never called twice on a device by one task. If no response arrives, it is unknown whether the function
    has run. The device then has the status V(unknown), and the call is not sent again. A call is sent again only if it
    certainly had no effect, for example because there was no connection or the rate limit was exceeded.
  - Each run of the task calls the function again on all selected devices. To call it only on the devices on which it
    has not run, set O(filters.ids) to RV(not_run).
  - Takes about one request for each hundred devices to list them, and one request for each device that is called. Each
    call costs the owner of the device one data operation.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    products.
  - One task calls the function on all devices. In a play with several hosts, the task must set C(run_once), or
    O(filters.ids) to one id, for example that of the host.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.controller
  - meshfleet.particle.selection
  - meshfleet.particle.selection.filters
attributes:
  check_mode:
    support: full
    details: >-
      No function is called. The devices that would be called have the status V(not_called).
  diff_mode:
    support: N/A
    details: A call has no state that could be compared.
  idempotent:
    support: none
    details: Each run calls the function again.
options:
  function:
    description:
      - Name of the function, with at most 64 bytes.
    type: str
    required: true
  argument:
    description:
      - Argument of the function, as text or as a whole number. Put words such as C('on') and C('off') in quotes,
        because YAML reads them as booleans. Without this option, the function gets an empty text.
      - The maximum is 1024 bytes. Devices with Device OS before 3.0, and those of older generations, accept less.
      - The argument can be a secret. It is never shown. If the cloud refuses a call with an argument, the text of its
        response is not shown either, because it may quote the argument.
    type: raw
  expect:
    description:
      - Values that the function may return. A device that returns another value has the status V(unexpected), and has
        failed.
      - By default, every value is accepted.
    type: list
    elements: int
  offline:
    description:
      - Whether devices that are offline make the task fail. With V(skip), they do not. In both cases, the function is
        called on the other devices.
      - A device that the device list shows as offline is not called, because the cloud notices at once when a device
        connects. The cloud notices a lost connection later, for cellular devices after up to 46 minutes. A call to a
        device that has lost its connection ends with the status V(unknown) or V(offline).
    type: str
    choices: [fail, skip]
    default: fail
  on_error:
    description:
      - How to proceed after a device has failed. Devices that are offline do not count here. V(continue) continues with
        the other devices. V(stop) sends no further calls, but the calls that were already sent are completed.
      - The run always ends early if every further call would fail as well, for example because the cloud cannot be
        reached.
    type: str
    choices: [continue, stop]
    default: continue
  max_failures:
    description:
      - Maximum number of devices that may fail. Devices that are offline do not count here. If more devices fail,
        the run sends no further calls.
      - By default, there is no maximum. With O(on_error=stop), this option is ignored.
    type: int
  fail:
    description:
      - Whether the task fails if a device has failed. If V(false), the task still fails if the run ended early.
      - If the task succeeds only because of this option, RV(error) contains the error.
    type: bool
    default: true
  workers:
    description: Maximum number of requests that are sent at the same time, at least V(1) and at most V(256).
    type: int
    default: 16
  budget_share:
    description:
      - Share of the rate limit that the task may use, above V(0) and at most V(1). The rest is left to other clients
        behind the same public IP address.
      - If several tasks wait because of the rate limit, the task with the largest share continues first.
      - Defaults to the environment variable E(PARTICLE_BUDGET_SHARE), or V(0.95) if the variable is not set.
    type: float
  budget_requests:
    description:
      - Rate limit of the cloud, as the maximum number of requests from one public IP address in five minutes. V(0)
        turns the limit off. The documented limit of the Particle cloud is V(10000).
      - For an account or cloud with another limit, set the environment variable rather than this option. Tasks share a
        request budget only if they have the same limit.
      - Defaults to the environment variable E(PARTICLE_BUDGET_REQUESTS), or V(10000) if the variable is not set.
    type: int
  progress:
    description:
      - Whether to show the progress of the calls, for example
        C(1,250/10,000 | 31/s | ETA 0:04:42 | 2 failed | 95 % of budget). Only devices that are called are counted.
      - On a terminal, the progress is a line that is updated in place and disappears when the task ends. Otherwise, a
        new line is printed every five seconds. The progress is printed to the standard error output, and is never
        logged.
      - The progress is not shown in check mode, with C(no_log), under ansible-runner, and with callback plugins whose
        output is read by programs, such as C(ansible.posix.json) and C(ansible.posix.jsonl).
    type: bool
    default: true
seealso:
  - module: meshfleet.particle.device_info
  - name: Guide to function calls
    description: How to repeat calls safely, and how to call a function on the hosts of a play.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_calls.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Switch on the lamp of each gateway that is online
  meshfleet.particle.device_call:
    product: field-logger
    filters:
      name: "*-gateway"
      online: true
    function: led
    argument: "on"
    expect: 1
    fail: false
  register: lamps

- name: Show what each device returned
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.return_value }} ({{ item.status }})"
  loop: "{{ lamps.devices }}"
  loop_control:
    label: "{{ item.id }}"

- name: Set an interval, and stop after the third device that fails
  meshfleet.particle.device_call:
    product: field-logger
    filters:
      groups: [north]
    function: number
    argument: 600
    expect: [0, 600]
    offline: skip
    max_failures: 2
"""

RETURN = r"""
msg:
  description:
    - Sentence with the number of devices on which the function has returned an expected value. In check mode, with the
      number of devices on which it would be called.
    - If the task failed, the whole error message, which names up to ten devices.
  returned: always
  type: str
  sample: Function led returned on 38 devices, and 2 devices are offline.
changed:
  description: Whether at least one call was sent; in check mode, whether at least one call would be sent.
  returned: always
  type: bool
  sample: true
summary:
  description: Number of selected devices in total and by status.
  returned: unless the task fails before the first call
  type: dict
  sample:
    total: 40
    ok: 38
    unexpected: 0
    unknown: 1
    failed: 0
    offline: 1
    not_called: 0
devices:
  description:
    - One mapping for each selected device. If the task failed, devices with the status V(ok) are left out. With
      O(fail=false), they are included.
  returned: unless the task fails before the first call
  type: list
  elements: dict
  contains:
    id:
      description: Device id, 24 hexadecimal digits.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    name:
      description: Name of the device, V(null) if it has none.
      type: str
      returned: always
      sample: barn-gateway
    status:
      description:
        - V(ok) means that the function has returned an expected value.
        - V(unexpected) means that the function has returned a value that is not in O(expect).
        - V(unknown) means that the call was sent, and no response arrived. The function may have run.
        - V(failed) means that the cloud refused the call, for example because the firmware has no such function.
        - V(offline) means that the device is offline. The function has not run.
        - V(not_called) means that no call was sent, because the run ended early, or in check mode.
      type: str
      returned: always
      sample: ok
    return_value:
      description: Value that the function has returned. V(null) if it has returned none.
      type: int
      returned: always
      sample: 1
    error:
      description: Reason why the status is not V(ok), with the keys of RV(error). V(null) if there is no error.
      type: dict
      returned: always
      sample: null
    seconds:
      description:
        - Time in seconds from the start of the call to its end, including waits for the rate limit. V(null) if no call
          was sent.
      type: float
      returned: always
      sample: 0.412
devices_omitted:
  description:
    - Number of devices without the status V(ok) that RV(devices) leaves out, because Ansible prints the result of a
      failed task.
  returned: unless the task fails before the first call
  type: int
  sample: 0
not_run:
  description:
    - Ids of the selected devices on which the function certainly has not run. These are the devices with the status
      V(failed), V(offline) or V(not_called).
  returned: unless the task fails before the first call
  type: list
  elements: str
  sample: [e00fce68aabbccddeeff0023]
ended_early:
  description: Whether the run ended before all devices were called. RV(error) contains the reason.
  returned: unless the task fails before the first call
  type: bool
  sample: false
managed:
  description:
    - Names of the devices on which the function has returned, keyed by device id. Empty in check mode.
    - An automation controller counts these devices as managed by the job.
  returned: success, or failure under ansible-runner, because Ansible prints the result of a failed task
  type: dict
  sample:
    e00fce68aabbccddeeff0022: barn-gateway
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
    - Description of the error that made the task fail. With O(fail=false), it is also returned if the task succeeds
      only because of this option.
    - C(msg) contains the whole message and RV(error.hint) as one text.
  returned: failure, or success only because of O(fail=false)
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

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import SPEC as CALL_SPEC
from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import BULK_SPEC

SPEC = build_argument_spec(
    **CALL_SPEC,
    **BULK_SPEC,
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
