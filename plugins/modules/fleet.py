#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
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
    account's own devices are claimed and named.
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
    details: The values of a network's parameters are never shown, as they may be join keys.
  idempotent:
    support: full
options:
  manifest:
    description:
      - The declared state of the fleet, as the path of a YAML or JSON file or as a mapping. A path is searched for
        like those of M(ansible.builtin.copy), in C(files) of the role and beside the playbook. A file as a whole may
        be encrypted with Ansible Vault.
      - Its keys are C(product), C(groups_mode) (V(add), or V(exact) to take devices out of groups that are not
        declared), C(unique_names) (V(true) by default), C(networks) and C(devices). What a device does not declare
        is left alone.
      - A file is data and no template.
      - Excludes O(product), O(devices) and O(networks), which are its short form.
    type: raw
  product:
    description:
      - Id or slug of the product that the devices belong into. Without it, the account's own devices are meant.
    type: str
  devices:
    description:
      - The devices. Each has C(id), and of C(name), C(notes), C(groups), C(claimed) and C(mesh) what is declared.
      - C(claimed) is for the account's own devices; devices of a product need no claim.
      - C(mesh) has C(network) and C(role) (V(node) or V(gateway), the former when not given), or C(state) V(absent).
    type: list
    elements: raw
  networks:
    description:
      - The networks, by name. Each may have C(backend) (V(ledger)), C(parameters) for its members, and C(gateways),
        the ids of those gateways that are not among O(devices).
    type: dict
  workers:
    description: Requests that may be under way at once.
    type: int
    default: 16
  verify:
    description:
      - V(read) looks again after writing, by list calls, and fails a device that is not as declared.
      - V(online) also waits until the members of the networks report that they have joined. Those that have not by
        then are V(pending), and no failure.
      - V(none) believes the cloud's answers.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Seconds to wait for members to join.
    type: int
    default: 300
  from_inventory:
    description:
      - Take the devices from the hosts of the play, each of which has its device in the variable C(particle_device).
        Hosts without one are none of the fleet. Product and networks come from O(manifest), or O(product) and
        O(networks).
      - The task runs once for all hosts, so set C(run_once), and O(fail) to V(false), and let
        M(meshfleet.particle.fleet_outcome) fail exactly the hosts whose device failed.
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
    description: Whether the task fails when a device has failed.
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
    from_inventory: true
    fail: false
  run_once: true
  register: fleet

- name: Fail the hosts whose device failed, and no others
  meshfleet.particle.fleet_outcome:
    fleet: "{{ fleet }}"

- name: Claim and name a device of one's own, with credentials in the environment
  meshfleet.particle.fleet:
    devices:
      - id: e00fce68aabbccddeeff0011
        name: greenhouse-01
        claimed: true
"""

RETURN = r"""
summary:
  description: How many devices there are, and how many of each status.
  returned: when the cloud was asked
  type: dict
  sample:
    total: 1000
    ok: 990
    changed: 9
    failed: 1
    pending: 0
devices:
  description: What became of each device, in the order of the manifest.
  returned: when the cloud was asked
  type: list
  elements: dict
  contains:
    id:
      description: Device id.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
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
    error:
      description: Why the device failed, in the form of the task's own RV(error); V(null) when it did not.
      type: dict
      returned: always
networks:
  description:
    - For each declared network the number of gateways and nodes among the devices, and with O(verify=online) how many
      of them have joined, are pending or are lost.
  returned: when the cloud was asked
  type: dict
  sample:
    barn:
      gateways: 1
      nodes: 99
      joined: 100
      pending: 0
      lost: 0
hosts:
  description: For each host with a device its outcome, in the form of an element of RV(devices).
  returned: with O(from_inventory)
  type: dict
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import argument_spec

# Carried out by the action plugin of the same name, on the controller.
SPEC = argument_spec(
    manifest={"type": "raw"},
    product={"type": "str"},
    devices={"type": "list", "elements": "raw"},
    networks={"type": "dict"},
    workers={"type": "int", "default": 16},
    verify={"type": "str", "choices": ["none", "read", "online"], "default": "read"},
    verify_timeout={"type": "int", "default": 300},
    from_inventory={"type": "bool", "default": False},
    on_error={"type": "str", "choices": ["continue", "stop"], "default": "continue"},
    max_failures={"type": "int"},
    fail={"type": "bool", "default": True},
    result={"type": "str", "choices": ["all", "changed", "failed"], "default": "all"},
    lock={"type": "str", "choices": ["run", "none"], "default": "run"},
)
