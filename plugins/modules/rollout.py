#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll out a firmware version in waves, and stop when devices fail
version_added: 0.2.0
description:
  - Brings a firmware version to the devices of a product in waves, and stops by itself if too many devices fail or are
    gone. The version must exist in the product, see M(meshfleet.particle.firmware).
  - Each run observes the devices, assesses them, and then does what is possible now. It targets devices, waits, begins
    the next wave, stops, or ends the rollout. With O(wait=true), the run repeats this until the rollout has ended or
    needs a decision of the user. With O(wait=false), it does this once, so that the task can run at intervals, for
    example from cron.
  - A device is targeted by a firmware lock that is sent at once. No device outside of the waves gets the version, and
    an offline device gets it when it connects.
  - The cloud stores the state of a rollout. The instance of the product in the ledger C(rollouts), which the first run
    creates, contains a record of all that the device list does not show. A L(JSON
    schema,https://github.com/meshfleet/particle/blob/main/docs/rollout_record.schema.json) describes this record. To
    continue a run that was stopped, run the task again, with the same or with other options, on the same or on another
    machine.
  - The firmware locks of a rollout belong to it. They are taken back when the releases give the version to the devices.
    Devices that already had another firmware lock keep it and are skipped, and so are development devices.
  - A device counts as updated only if it has reported the version at the beginning of a session. The response to a
    firmware lock and the events about a transfer prove neither success nor failure.
  - A wave is decided when each device that was online when it was targeted is updated or bad. Devices that were offline
    are pending, and do not delay their wave.
  - Bad devices are the devices whose update has failed and the devices that are gone. Only what happens after a device
    was targeted counts. A device that was silent before is pending.
  - Only one run continues the rollout of a product at a time. If another run on the same machine is working on the
    product, a task with O(wait=false) fails with error code V(run_in_progress), and a task with O(wait=true) waits for
    its turn. A run also stops with this error code if another run on any machine has since written the record of the
    rollout. In rare cases, two runs on different machines write the same firmware locks, which does no harm.
  - While a rollout is not over, do not change its firmware locks by other means. M(meshfleet.particle.fleet) and
    M(meshfleet.particle.device) leave them alone or refuse to move them, unless O(state_file) is set, because they do
    not know the record in a file.
  - If the cloud refuses the lock of a device, the task fails with the reason after it has written the other devices.
    The device does not delay its wave, and the next run writes to it again.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.delegation
  - meshfleet.particle.selection.filters
attributes:
  check_mode:
    support: full
    details:
      - Shows the waves with their members, and what the run would write now. Check mode does not wait.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A run that finds nothing new writes nothing. A later run continues the rollout, because devices have updated and
        time has passed.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  version:
    description:
      - Version number to roll out, from 1 to 65534. It must exist in the product.
      - In check mode, a version that does not exist is only a warning, because an earlier task may upload it.
    type: int
    required: true
  filters:
    description:
      - Roll out only to devices that match all filters. A filter with a list of values matches if any of the values
        matches. Without filters, the rollout selects all devices of the product.
      - Give the same filters in each run, and use only filters whose result does not change during the rollout, such as
        O(filters.groups). O(filters.online) and O(filters.firmware_versions) are not suitable.
      - O(filters.silent_days) is refused, because a device is no longer silent when it is updated.
      - Devices that are already targeted remain part of the rollout, even if they no longer match.
      - The module always reads the whole device list of the product.
      - Requires O(release).
    type: dict
  waves:
    description:
      - The waves of the rollout, from 1 to 40. Each wave has exactly one of the keys C(count), C(percent) and
        C(groups).
      - C(count) and C(percent) are the total that the rollout has reached after the wave, not the size of the wave, so
        they grow from wave to wave. Devices that are skipped do not count. Waves that add no device are skipped, and
        get no number.
      - Devices are taken in an order that depends only on their ids, so that each run finds the same members.
      - The bounds of a wave that has begun are stored. Changed waves apply to what has not begun yet. A device that is
        added to the product joins the wave into whose bounds it falls, and the next wave waits for it, too. If many
        devices join, they are targeted in steps, each of which at most doubles the number of targeted devices.
      - If the declared waves do not reach all selected devices, the rollout is V(held) after the last wave, until
        another wave is declared.
      - "Defaults to V([{count: 5}, {percent: 10}, {percent: 50}, {percent: 100}])."
    type: list
    elements: dict
    suboptions:
      count:
        description: Number of devices that are targeted after this wave, at least V(1).
        type: int
      percent:
        description: Share of the devices in percent that are targeted after this wave, above V(0) and at most V(100).
        type: float
      groups:
        description: Names of device groups. The wave consists of their devices that are in no earlier wave.
        type: list
        elements: str
  soak:
    description:
      - Time in seconds for which a wave must stay healthy before the rollout continues. It begins when the first run
        sees that the wave is decided.
      - The last wave soaks, too, before the version is released.
    type: int
    default: 3600
  approve:
    description:
      - Whether waves need an approval. V(each) holds the rollout before each wave, with the state
        V(awaiting_approval), until a run sets O(approved) to the number of the wave.
    type: str
    choices: [none, each]
    default: none
  approved:
    description:
      - Number of the last wave that may begin, with O(approve=each). V(2) approves the waves 1 and 2.
      - An approval is stored with the account and the time, and later runs need not repeat it. It cannot be taken back.
        To stop the rollout, set O(state=paused).
    type: int
    default: 0
  brake:
    description:
      - The number of bad devices that stops the rollout. Failed devices and devices that are gone are counted
        separately, and each of the two limits can stop the rollout.
      - A limit is a share such as V(5%), or a number of devices. A share refers to all devices that were targeted so
        far, without pending devices.
      - If the brake stops the rollout, no further device is targeted, and the task fails with error code V(braked). Its
        message names the bad devices with the evidence. The devices keep their firmware locks, unless O(rollback=lock).
      - Each run assesses the devices anew. The rollout continues if bad devices have recovered, or if O(accept) or
        other limits allow it.
    type: dict
    suboptions:
      failed:
        description:
          - Limit for devices in the states V(safe_mode), V(failed_timeout), V(failed_refused), V(came_back_old) and
            V(crashing).
        type: str
        default: 5%
      offline:
        description: Limit for devices in the state V(gone).
        type: str
        default: 10%
      at_least:
        description: Number of bad devices below which neither limit stops the rollout, at least V(1).
        type: int
        default: 2
  offline_after:
    description:
      - Time in seconds without any message after which a device counts as gone. A device in safe mode counts as failed
        after the same time.
      - A device that was not heard within this time before it was targeted is pending, not gone.
      - For devices that sleep, set it to more than their longest sleep.
      - Defaults to V(3600) for cellular devices and V(600) for all other devices.
    type: int
  unavailable:
    description:
      - Disruption budget. It limits how many devices of each device group may be unavailable at the same time because
        of the rollout. Without it, all devices of a wave are targeted at once.
      - A device uses the budget of its groups from the time when it is targeted until it has run the version for five
        minutes. A device whose update has failed uses the budget until it is repaired, or its id is in O(accept).
      - Devices that are offline for other reasons use the budget, too. After a day without any message, they no longer
        use it.
      - With a budget, a device that is offline or has its updates switched off is targeted only when it can be updated.
        Its wave does not wait for it. The rollout is V(held) for it only if the release at the end does not bring the
        version to it.
      - Devices that are in no device group are not limited.
      - While the budget is used up, the rollout is V(held), and a wave is targeted in several steps.
    type: dict
    suboptions:
      per:
        description: The unit to which the limit applies.
        type: str
        choices: [group]
        default: group
      most:
        description:
          - Number of devices, or share of the devices such as V(25%), of each device group. A share is rounded down,
            but allows at least one device.
        type: str
        required: true
  release:
    description:
      - The release at the end, after all waves are decided and have soaked. It is a mapping with the keys C(default)
        and C(groups), or V(none).
      - V(none) releases nothing, and all devices keep their firmware locks. A later run with another value then
        releases the version.
      - C(default) is whether the version becomes the default of the product. C(groups) is a list of device groups to
        which the version is released. Groups to which it is released already keep the release.
      - After the release, the firmware locks of devices to which the releases give the version are taken back, which
        takes another write for each of these devices. Other devices keep their locks.
      - "Defaults to V({default: true}). With O(filters), the option is required, because the default release also
        concerns devices that the filters do not match."
    type: raw
  rollback:
    description:
      - What happens to the targeted devices if the brake stops the rollout, or with O(state=aborted).
      - V(none) leaves devices that run the version as they are.
      - V(lock) locks all targeted devices to the version that the releases give them, and sends that version at once. A
        device to which the releases give no other version is unlocked, and keeps the version. The state of the rollout
        is then V(rolled_back). This requires that the previous version is released, because the cloud does not store
        which version a device had before.
      - If the brake causes the rollback, the task fails with error code V(braked).
    type: str
    choices: [none, lock]
    default: none
  state:
    description:
      - V(present) begins the rollout, or continues it, even if it is paused.
      - V(paused) targets no further devices. Updates that are under way continue, and the brake is not applied.
      - V(aborted) ends the rollout. It takes back the firmware locks of the targeted devices that do not run the
        version yet, so that they do not get it later. Devices that run the version keep it, unless O(rollback=lock).
      - If the product has no rollout of O(version), V(paused) and V(aborted) change nothing, and RV(state) is V(none).
    type: str
    choices: [present, paused, aborted]
    default: present
  accept:
    description:
      - Ids of devices that no longer count as bad, at most 200. Use it to continue after the brake has stopped the
        rollout.
      - A device that is not targeted yet is left out of its wave. It gets the version only by the release at the end.
      - Later runs of the same rollout need not repeat the ids.
    type: list
    elements: str
    default: []
  supersede:
    description:
      - Whether to begin although a rollout of another version is not over, or although the rollout of O(version) was
        aborted or rolled back. Otherwise, the task fails with error code V(conflict).
      - Set it only for the first run. A schedule that sets it begins the rollout again after each abort and after each
        rollback by the brake.
      - The other rollout ends. Devices that do not run its version yet lose their firmware locks at once, so that they
        do not get it later. Devices that run it keep their locks until a wave of the new rollout reaches them.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the rollout has ended, needs an approval, is stopped by the brake, or cannot continue for
        another reason that only a person can change.
      - While it waits, the task reads the device list at the intervals in O(poll), with one request for each hundred
        devices and two more. Temporary errors of the cloud do not end the task, unless ten checks in a row fail.
      - Waits for other runs on this machine that work on the same product.
      - With V(false), the task does what is possible now. RV(next) says when to run it again.
      - Check mode does not wait.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum time in seconds to wait. After this time, the task succeeds with a warning, and the rollout is continued
        by the next run.
    type: int
    default: 86400
  poll:
    description: Intervals at which a task with O(wait=true) checks the devices.
    type: dict
    suboptions:
      first:
        description: Time in seconds, at least V(1), after the first check and after each check that wrote to devices.
        type: float
        default: 5
      longest:
        description: Maximum time in seconds between two checks. The intervals grow up to this value.
        type: float
        default: 60
  state_file:
    description:
      - Path of a file for the record of the rollout, for a cloud that has no ledgers. Without it, a task in such a
        cloud fails with error code V(unsupported) before it writes to a device.
      - The file is created with mode 0600, and is refused if other users can access it. Its folder must exist. One file
        can contain the records of several products.
      - Only runs that use this file can continue the rollout, so each run and M(meshfleet.particle.rollout_info) need
        the same file. Do not use the option for a cloud with ledgers, because runs without it would not know of the
        rollout.
    type: path
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
      - Whether to show the progress of the rollout while the task runs, for example
        C(wave 2/4 | 18 of 20 updated | 2 pending | soaking).
      - On a terminal, the progress is a line that is updated in place and disappears when the task ends. Otherwise, a
        new line is printed when it has changed, at most every five seconds. The progress is printed to the standard
        error output, and is never logged.
      - The progress is not shown in check mode, with C(no_log), with C(async), on another host with C(delegate_to),
        under ansible-runner, and with callback plugins whose output is read by programs, such as C(ansible.posix.json)
        and C(ansible.posix.jsonl).
    type: bool
    default: true
notes:
  - For a product with thousands of devices, the result is larger than what an automation controller stores. The
    controller then shows nothing of the result of a successful task, and the task warns about it. Later tasks have the
    whole result, so a later task can show the parts that matter, for example RV(counts). The result of a failed task is
    always small, because RV(devices) then contains only bad devices.
  - If the controlling process is killed, the task stops before its next request.
seealso:
  - module: meshfleet.particle.rollout_info
  - module: meshfleet.particle.firmware
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Show the waves and their members, without changing anything
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    approve: each
  check_mode: true

- name: Roll out a version, and wait until a wave needs an approval
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    approve: each

- name: Approve the first wave and begin it, without waiting
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    approve: each
    approved: 1
    wait: false
  register: rollout

- name: Show when to run the task again
  ansible.builtin.debug:
    var: rollout.next

- name: Continue the rollout every few minutes, for example from cron
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    waves:
      - groups: [bench]
      - percent: 20
      - percent: 100
    soak: 86400
    brake:
      failed: 2%
      offline: 5%
      at_least: 3
    unavailable:
      most: 25%
    wait: false

- name: Continue although a device has failed
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    accept: [e00fce68aabbccddeeff0022]
    wait: false

- name: Pause the rollout
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    state: paused

- name: Abort the rollout, and restore the previous versions
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    state: aborted
    rollback: lock

- name: Begin again with the devices of one group, and release the version only to them
  meshfleet.particle.rollout:
    product: field-logger
    version: 42
    filters:
      groups: [bench]
    release:
      groups: [bench]
    supersede: true
    wait: false
"""

RETURN = r"""
state:
  description:
    - State of the rollout after the run. In check mode, the state as it would be.
    - V(running) means that devices are updating, or that more devices are to be targeted. V(soaking) means that all
      devices of a wave are decided, and must now stay healthy. V(held) means that the rollout cannot continue at
      present. V(awaiting_approval) means that the next wave waits for O(approved). V(braked) means that the brake has
      stopped the rollout. V(none) means that the product has no rollout.
    - V(paused), V(aborted), V(rolled_back) and V(done) are the results of O(state), O(rollback) and of a rollout that
      has ended.
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
      returned: success
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
    - If the task fails, only bad devices, as many as fit into 20,000 characters.
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
devices_omitted:
  description: Number of devices that RV(devices) leaves out because the task failed. V(0) if the task succeeded.
  returned: if the devices were read
  type: int
  sample: 0
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
  description: When to run the task again, and why. V(null) if the rollout has ended or does not exist.
  returned: if the devices were read
  type: dict
  contains:
    when:
      description: Time at which another run can do more. V(null) if the rollout needs a person to continue.
      type: str
      returned: always
      sample: "2026-03-02T09:06:31Z"
    why:
      description: Reason in one sentence.
      type: str
      returned: always
      sample: Wave 1 must stay healthy for 3600 seconds before the rollout continues.
diff:
  description:
    - Changes that the task makes, as text for the screen, in the key C(prepared). One line shows the phase of the
      rollout, one the release, and the other lines the firmware locks of devices. Devices with the same change share a
      line.
    - The text has at most twelve lines, and the last lines count the devices without a line. With C(-v), each device
      has a line, and only the size of the text is limited.
  returned: in diff mode, if the devices were read
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

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._local.private_file import ensure_folder
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import BULK_SPEC
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    SPEC as ROLLOUT_SPEC,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import (
    WAIT_SPEC,
    read_declaration,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import reduce_failed_result
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.reconcile import Run, run_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    **ROLLOUT_SPEC,
    **WAIT_SPEC,
    state_file={"type": "path"},
    **BULK_SPEC,
)


def rollout(
    task: Task,
    report: Callable[[str], None] = lambda line: None,
    before_request: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Carry the rollout forward that the options declare.

    :param report: shows a line about the progress.
    :param before_request: called before each request.
    """
    options = task.options
    declared = read_declaration(options)
    with task.open_session() as http:
        if before_request is not None:
            http.before_request = before_request
        target = Target(http, get_product(http, options["product"]), task.warn)
        path = None if options["state_file"] is None else Path(options["state_file"])
        run = Run(
            target,
            declared.rollout,
            declared.filters,
            Store(open_memory(target, path), SYSTEM_CLOCK),
            task.check_mode,
            declared.waiting,
            lock=lambda: _lock_runs(task, target),
            report=report,
        )
        outcome = run_rollout(run)
    result = reduce_failed_result(outcome.as_result())
    return task.show_diff(result)


def _lock_runs(task: Task, target: Target) -> AbstractContextManager[None]:
    """Return a context manager that prevents other runs for the product on this machine, except in check mode."""
    if task.check_mode:
        return nullcontext()
    folder = ensure_folder(task.environment, "Locks of runs", "make the folder accessible")
    return hold_run_lock(folder, target.http.connection.cloud, target.required_product.id)


def main() -> None:
    """Run the module."""
    run_module(SPEC, rollout)


if __name__ == "__main__":
    main()
