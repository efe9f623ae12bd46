#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Bring a fleet of devices to its declared state
version_added: 0.1.0
description:
  - Reads what is there, works out the writes that lead to what is declared, and carries them out; a second run
    writes nothing. A run that was interrupted is simply run again.
  - With a product, devices are imported into it, named, put into groups and joined to networks. Without one, the
    account's own devices are claimed and named. With O(state=absent) they are taken out again.
  - One device's failure does not keep the others from being done; the task fails after all of them.
  - Runs on the controller.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The values of parameters of networks and their members are never shown, as they may be join keys.
  idempotent:
    support: full
options:
  manifest:
    description:
      - The declared state of the fleet, as the path of a YAML, JSON or CSV file or as a mapping. A path is searched
        for like those of M(ansible.builtin.copy), in C(files) of the role and beside the playbook. A file as a whole
        may be encrypted with Ansible Vault.
      - Its keys are the options O(product), O(groups_mode), O(unique_names), O(name_template), O(networks) and
        O(devices). Each of them may stand in the task instead; none may stand in both.
      - A table (CSV) has a row for each device, with columns named like the keys of a device, C(mesh.network),
        C(mesh.role) and, as texts, C(mesh.parameters.) with a name behind it, and groups as in C(north;beta). An empty
        cell declares nothing. The networks are those that the rows name. Give their O(networks) and all other
        settings in the task.
      - Files are not templated.
    type: raw
  product:
    description:
      - Id or slug of the product that the devices belong into. Without it, the account's own devices are meant.
    type: str
  devices:
    description:
      - The devices. Each has C(id), or instead C(serial_number), C(iccid) or C(imei), and of the keys below what is
        declared. What a device does not declare is left alone.
      - C(name), C(notes), and C(groups), a list.
      - C(development) (V(true) or V(false)), and C(firmware_version), the number of the version that the device is
        locked to, or V(unlocked).
      - C(claimed), V(true) for a device that the account itself is to claim, V(false) for one that it is to give up.
        Devices of a product need no claim. Outside a product a device must be online to be claimed.
      - C(mesh), which has C(network), C(role) (V(node) or V(gateway), the former when not given) and C(parameters),
        or C(state) V(absent). C(parameters) are what this member alone is told, over those of its network and key by
        key, in a network of C(backend) V(ledger).
      - Only devices of a product have C(groups), C(development), C(firmware_version), and C(mesh) in a network of
        C(backend) V(ledger).
      - Without a product, a device that is not claimed yet is found by id or serial number. The cloud tells the ids of
        50 serial numbers in an hour; the other devices are V(pending) until then.
    type: list
    elements: raw
  networks:
    description:
      - The networks, by name. Each may have C(backend), C(parameters), C(gateways), the ids of those gateways that are
        not among O(devices), and C(state).
      - C(backend) V(ledger), when not given, is for firmware that keeps the mesh contract and devices of a product.
        C(parameters) reach its members. Without them, members keep those that they have, and a new one gets those of
        the others; where these differ, that is refused.
      - C(backend) V(networks) is the registry of Particle Mesh, which Particle has retired, where a cloud still has
        it. Its C(parameters) are C(type) and C(limit). Names have at most 16 bytes.
      - C(state) V(absent) dissolves the network. All its members leave it, also those that are not declared.
      - What cannot be is refused before the first write, with all its reasons. In networks with gateways to come these
        come before nodes, and a gateway that goes does so after the one in its place has come.
    type: dict
  groups_mode:
    description:
      - V(add) puts devices into the groups that they declare, V(exact) also takes them out of all others.
      - V(add) when not given.
    type: str
    choices: [add, exact]
  unique_names:
    description: Whether a name may stand for one device only. V(true) when not given.
    type: bool
  name_template:
    description:
      - The name of each device that declares none, for example C({network}-{role}-{index:3}).
      - C({index}) is the place among the devices, from 1, and C({index:3}) fills it with zeros to three digits.
        C({id}), C({serial_number}), C({iccid}), C({imei}), C({network}) and C({role}) are what the device declares,
        and C({serial_number:6}) the last six characters of it.
    type: str
  state:
    description:
      - V(absent) takes the devices out of their networks, their groups and the product. A claim is given up only for
        devices that declare C(claimed) V(false).
    type: str
    choices: [present, absent]
    default: present
  max_removals:
    description:
      - How many devices may leave the product or give up their claim without O(confirm). When not given, one device in
        ten of those declared, and at least one. With more, the task fails before the first write.
    type: int
  confirm:
    description:
      - Must be V(true) when more than O(max_removals) devices are to leave the product or to give up their claim.
      - Also must be V(true) when members of a network of C(backend) V(networks) are to be locked to firmware that takes
        them out of their mesh. Particle Mesh ended with Device OS 1.5, and a version that the product's devices run on
        newer ones only, or do not run yet, may need those.
    type: bool
    default: false
  workers:
    description: Requests that may be under way at once.
    type: int
    default: 16
  budget_share:
    description:
      - The part of what the cloud allows this address that may be used, above V(0) and at most V(1). The rest is for
        other users of the same address. A task with a larger share goes before one with a smaller.
      - When not given, the environment variable E(PARTICLE_BUDGET_SHARE) is used, and without that V(0.95).
    type: float
  budget_requests:
    description:
      - How many requests the cloud allows this address in five minutes. V(0) is for a cloud that limits nothing.
      - When not given, the environment variable E(PARTICLE_BUDGET_REQUESTS) is used, and without that V(10000), as
        documented for the Particle cloud. Larger accounts and clouds of one's own are best told by the environment,
        so that all tasks know, and share one budget.
    type: int
  mesh_ledger:
    description:
      - Name of the ledger in which members of networks of C(backend) V(ledger) are told what they need to join.
        Your firmware determines this name. Lower-case letters, digits and dashes, 32 at most.
    type: str
    default: mesh
  mesh_status_ledger:
    description: Name of the ledger in which those members report what became of them.
    type: str
    default: mesh-status
  verify:
    description:
      - V(read) looks again after writing, by list calls, and fails a device that is not as declared.
      - V(online) also waits until the members of the networks report that they have joined. Those that have not by
        then are V(pending), and no failure.
      - V(none) believes the cloud's answers.
      - In check mode V(online) looks at the members once, where there is nothing to write.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Seconds to wait for members to join.
    type: int
    default: 300
  verify_strict:
    description:
      - Whether members that have not joined in time have failed, with O(verify=online). A device that sleeps cannot say
        that it has joined.
    type: bool
    default: false
  from_inventory:
    description:
      - Take the devices from the hosts of the play, each of which has its device in the variable C(particle_device).
        Hosts without one are none of the fleet. Product and networks come from O(manifest), or O(product) and
        O(networks).
      - The task runs once for all hosts, so set C(run_once), and O(fail) to V(false), and let
        M(meshfleet.particle.fleet_outcome) fail exactly the hosts whose device failed or was not reached.
    type: bool
    default: false
  on_error:
    description: V(continue) does all other devices when one has failed, V(stop) begins no more.
    type: str
    choices: [continue, stop]
    default: continue
  max_failures:
    description: How many devices may fail before no more is begun. When not given, all of them.
    type: int
  fail:
    description:
      - Whether the task fails when a device has failed.
      - With V(false) it fails all the same when the run ended early, or something failed that is no device's; but not
        with O(from_inventory), where M(meshfleet.particle.fleet_outcome) fails the hosts for which that matters.
    type: bool
    default: true
  result:
    description: Which devices RV(devices) shows. RV(summary) and RV(hosts) always tell of all.
    type: str
    choices: [all, changed, failed]
    default: all
  lock:
    description:
      - With V(run) only one run at a time works on a cloud and product from this machine and user; another one fails
        with error code V(run_in_progress). V(none) is for runs whose devices are disjoint.
    type: str
    choices: [run, none]
    default: run
  progress:
    description:
      - Whether to show how far the run is, while it writes, as in
        C(1,250/10,000 | 31/s | ETA 0:04:42 | 2 failed | 95 % of budget). Devices that are as declared already do not
        count, and the rate is the average since the first write.
      - On a terminal one line is rewritten in place and goes when the task ends; elsewhere a line is added every five
        seconds. It is written to the standard error output, never to a log, and holds nothing but numbers.
      - Nothing is shown in check mode, under C(no_log), and where the standard output is made for programs, as by
        the callback plugins C(ansible.posix.json) and C(ansible.posix.jsonl), or under ansible-runner.
    type: bool
    default: true
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.fleet_outcome
  - module: meshfleet.particle.device_info
"""

EXAMPLES = r"""
- name: Bring the fleet to what its manifest says
  meshfleet.particle.fleet:
    access_token: "{{ token.access_token }}"
    manifest: fleet.yml

- name: Declare a small fleet in the task
  meshfleet.particle.fleet:
    access_token: "{{ token.access_token }}"
    product: field-logger
    networks:
      barn:
        parameters:
          channel: 15
    devices:
      - id: e00fce68aabbccddeeff0022
        name: barn-gateway
        groups: [north]
        mesh:
          network: barn
          role: gateway
      - id: e00fce68aabbccddeeff0023
        name: barn-door
        mesh:
          network: barn

- name: Bring all hosts of the play to what their particle_device says
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      barn: {}
    from_inventory: true
    fail: false
  run_once: true
  register: fleet

- name: Fail the hosts whose device failed, and no others
  meshfleet.particle.fleet_outcome:
    fleet: "{{ fleet }}"

- name: Provision a whole line from a table, and name the devices after their serial numbers
  meshfleet.particle.fleet:
    manifest: line-7.csv
    product: field-logger
    name_template: "logger-{serial_number:6}"

- name: Take the same devices out of the product again
  meshfleet.particle.fleet:
    manifest: line-7.csv
    product: field-logger
    state: absent
    confirm: true

- name: Claim and name a device of one's own, with credentials in the environment
  meshfleet.particle.fleet:
    devices:
      - id: e00fce68aabbccddeeff0011
        name: greenhouse-01
        claimed: true
"""

RETURN = r"""
summary:
  description:
    - How many devices there are, how many of each status, and as C(networks) the same as RV(networks), where any are
      declared.
  returned: when the cloud was asked
  type: dict
  sample:
    total: 1000
    ok: 990
    changed: 9
    failed: 1
    pending: 0
    networks:
      barn:
        gateways: 1
        nodes: 99
        joined: 100
        pending: 0
        lost: 0
devices:
  description: What became of each device, in the order of the manifest.
  returned: when the cloud was asked
  type: list
  elements: dict
  contains:
    id:
      description: Device id, V(null) as long as only the label of the device is known.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    identifier:
      description: What the device is declared by, its id or what stands on its label.
      type: str
      returned: always
      sample: P046AB123456789
    name:
      description: Declared name.
      type: str
      returned: always
      sample: barn-gateway
    status:
      description: V(ok), V(changed), V(failed), or V(pending) when it is not there yet and nothing is wrong with it.
      type: str
      returned: always
      sample: changed
    changes:
      description: For each field that differs, what it was and what it becomes.
      type: dict
      returned: always
      sample:
        name:
          before:
          after: barn-gateway
    mesh:
      description:
        - What has become of the device in its network. V(joined); V(pending) when it is on its way, asleep or silent;
          V(lost) when it was in and is no more; V(wrong_network). V(null) when that was not asked.
      type: str
      returned: always
      sample: joined
    error:
      description:
        - Why the device failed or is pending, in the form of the task's own RV(error). V(null) without a reason.
      type: dict
      returned: always
networks:
  description:
    - For each declared network the number of gateways and nodes among the devices, and with O(verify=online) how many
      of them have joined, are pending or are lost. Who is in another network counts as pending.
  returned: when the cloud was asked
  type: dict
  sample:
    barn:
      gateways: 1
      nodes: 99
      joined: 100
      pending: 0
      lost: 0
ended_early:
  description:
    - Whether the run ended before it was done with all devices and had proved what it wrote. RV(error) says why.
  returned: when the cloud was asked
  type: bool
  sample: false
hosts:
  description:
    - For each host with a device its outcome, in the form of an element of RV(devices), and as C(run_error) the task's
      RV(error) where the host is to fail without a failure of its device. That is so for devices that a run which
      ended early has not reached; and for all hosts when it could not prove what it wrote, or when something else than
      the device of a host has failed. V(null) otherwise.
  returned: with O(from_inventory)
  type: dict
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
        Could not obtain an access token for jane@example.com: the cloud does not accept this username and password; it
        answered 400 (User credentials are invalid).
    hint:
      description: How to correct the problem.
      type: str
      returned: always
      sample: >-
        Check username and password; do not try in a loop: after 10 refusals in a row the cloud locks your address out
        for 30 minutes.
    route:
      description: Method and path template of the request that failed. V(null) if no request failed.
      type: str
      returned: always
      sample: POST /oauth/token
"""

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RECONCILE
from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
    manifest={"type": "raw"},
    product={"type": "str"},
    devices={"type": "list", "elements": "raw"},
    networks={"type": "dict"},
    groups_mode={"type": "str", "choices": ["add", "exact"]},
    unique_names={"type": "bool"},
    name_template={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    max_removals={"type": "int"},
    confirm={"type": "bool", "default": False},
    workers={"type": "int", "default": 16},
    budget_share={"type": "float"},
    budget_requests={"type": "int"},
    **list_options(RECONCILE),
    verify={"type": "str", "choices": ["none", "read", "online"], "default": "read"},
    verify_timeout={"type": "int", "default": 300},
    verify_strict={"type": "bool", "default": False},
    from_inventory={"type": "bool", "default": False},
    on_error={"type": "str", "choices": ["continue", "stop"], "default": "continue"},
    max_failures={"type": "int"},
    fail={"type": "bool", "default": True},
    result={"type": "str", "choices": ["all", "changed", "failed"], "default": "all"},
    lock={"type": "str", "choices": ["run", "none"], "default": "run"},
    progress={"type": "bool", "default": True},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
