#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_outcome
short_description: Fail exactly the hosts whose device failed
version_added: 0.1.0
description:
  - After one M(meshfleet.particle.fleet) for all hosts of the play, tells each host what became of its device.
  - A bulk task that fails would fail every host of the play; so let it succeed, and let this task fail the right ones.
  - When the run ended early, the hosts fail whose devices it has not reached, with what ended it. When something failed
    that is the device of no host, or the run could not prove what it wrote, all hosts with a device fail.
  - Is V(changed) where the run has changed the device.
  - Makes no API request; the connection options exist for C(module_defaults) only. Runs on the controller.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing, so check mode makes no difference.
  diff_mode:
    support: full
    details: Shows the difference that the run made to this host's device.
  idempotent:
    support: N/A
    details: Changes nothing.
options:
  fleet:
    description:
      - The registered result of M(meshfleet.particle.fleet) with C(from_inventory), or of its C(hosts) the host's own.
      - The result of a large fleet is large, and Ansible copies what it hands to a host. To hand all of it to each
        host takes the square of their number, from some hundreds on more time than everything else.
    type: dict
    required: true
seealso:
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
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

- name: The same for thousands of hosts, each of which is handed its own part alone
  meshfleet.particle.fleet_outcome:
    fleet: >-
      {{ {'hosts': {inventory_hostname: fleet.hosts[inventory_hostname] | default(none)}}
      if 'hosts' in fleet else fleet }}
"""

RETURN = r"""
outcome:
  description: What became of the device of this host; V(null) for a host without one.
  returned: when O(fleet) tells of hosts
  type: dict
  sample:
    id: e00fce68aabbccddeeff0022
    identifier: e00fce68aabbccddeeff0022
    name: barn-gateway
    status: changed
    changes:
      name:
        before:
        after: barn-gateway
    mesh: joined
    error:
    run_error:
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(fleet={"type": "dict", "required": True})


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
