#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_info
short_description: Gather facts of the devices of an account, of products or of an organisation
version_added: 0.1.0
description:
  - Reads all devices that are meant, to the last page, by list calls only. What no list tells is asked of devices
    that are online, one by one, when O(include) or O(mac_variable) says so.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.selection
  - meshfleet.particle.selection.filters
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
  include:
    description:
      - What to tell of each device besides what the lists tell.
      - V(vitals) and V(variables) take a request for each device that is online, and for each variable.
      - V(mesh) takes a request for each hundred reports of members of networks.
    type: list
    elements: str
    choices: [vitals, variables, mesh]
    default: []
  variables:
    description:
      - Names of the cloud variables of the firmware to read. Needed with V(variables) in O(include), and only then.
      - Each reading costs the owner of the device one data operation.
    type: list
    elements: str
    default: []
  mac_variable:
    description:
      - Name of a cloud variable in which the firmware tells the MAC address, for devices whose record has none. The
        cloud knows that of few.
    type: str
  mesh_status_ledger:
    description:
      - Name of the ledger in which members of networks report what became of them, for V(mesh) in O(include).
    type: str
    default: mesh-status
  include_limit:
    description:
      - How many devices may be asked one by one. When more would be, the task fails before it asks the first.
    type: int
    default: 100
  as_manifest:
    description:
      - Give the manifest that declares the devices as they are, in RV(manifest). M(meshfleet.particle.fleet) finds
        nothing to write for it.
      - Needs one product, or the account's own devices. Parameters of networks may hold keys and stay where they are.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.device_facts
  - module: meshfleet.particle.fleet
  - plugin: meshfleet.particle.devices
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Gather the devices of a product
  meshfleet.particle.device_info:
    access_token: "{{ token.access_token }}"
    product: field-logger
  register: fleet

- name: Name the devices that the cloud takes for online, though it has long heard nothing of them
  ansible.builtin.debug:
    msg: "{{ fleet.devices | selectattr('presence', 'eq', 'stale') | map(attribute='name') | list }}"

- name: Read signal and battery of the gateways of one network
  meshfleet.particle.device_info:
    product: field-logger
    filters:
      networks: [barn]
      name: "*-gateway"
    include: [vitals]

- name: Gather the account's own devices, with PARTICLE_ACCESS_TOKEN in the environment
  meshfleet.particle.device_info:

- name: Show a fleet that was set up by hand
  meshfleet.particle.device_info:
    product: field-logger
    as_manifest: true
  register: fleet

- name: Declare it from now on
  ansible.builtin.copy:
    content: "{{ fleet.manifest | ansible.builtin.to_nice_yaml(sort_keys=false) }}"
    dest: fleet.yml
    mode: "0600"
"""

RETURN = r"""
devices:
  description:
    - One dictionary for each device, with the attributes that the cloud gives under the cloud's names, and those
      below. The device's setup secret is left out.
    - C(name), C(owner), C(notes), C(serial_number), C(mac), C(iccid), C(firmware_version), C(system_firmware_version)
      and C(last_heard) are always there, V(null) where the cloud tells nothing.
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
      description: Name of the device, V(null) when it has none.
      type: str
      returned: success
      sample: barn-gateway
    product:
      description:
        - Slug of its product. In the list of the account, which tells no slug, the product's id. V(null) for a
          device in no product.
      type: str
      returned: success
      sample: field-logger
    platform:
      description: Name of the platform that C(platform_id) stands for.
      type: str
      returned: success
      sample: boron
    online:
      description: Whether the cloud holds a session with the device.
      type: bool
      returned: success
      sample: true
    last_heard_age:
      description:
        - Seconds since the cloud last heard the device, or since the device's last session began where only that is
          told. V(null) when the cloud says neither.
      type: int
      returned: success
      sample: 312
    presence:
      description:
        - How sure it is that the device is there. V(confirmed), online and heard within the last minute. V(probable),
          online and heard within 46 minutes, the longest that the cloud takes to notice that a cellular device is
          gone. It takes about a minute with others, but the 46 minutes are used for all devices. V(stale), online as
          the cloud says, but not heard for longer than that, or never. V(offline), the cloud holds no session.
      type: str
      returned: success
      sample: probable
    groups:
      description: Device groups.
      type: list
      elements: str
      returned: for devices of a product
      sample: [north, mesh-barn, mesh-gateway]
    mac:
      description:
        - MAC address of the Wi-Fi interface, from the record of the device or else from O(mac_variable). V(null)
          where neither tells one. Never guessed.
      type: str
      returned: success
      sample: "94:94:4A:00:00:01"
    mesh:
      description: Network and role, V(null) for a device in no network.
      type: dict
      returned: success
      contains:
        network:
          description: Name of the network.
          type: str
          returned: always
          sample: barn
        role:
          description: V(gateway) or V(node).
          type: str
          returned: always
          sample: gateway
        state:
          description:
            - What has become of the member by its own report. V(joined), V(pending) when it is on its way or silent,
              V(lost), or V(wrong_network) when it has joined another one. V(null) where the cloud keeps no reports,
              or the token may not read them.
          type: str
          returned: with V(mesh) in O(include)
          sample: joined
    vitals:
      description: The last vitals that the cloud keeps, V(null) for a device that is not online or has none.
      type: dict
      returned: with V(vitals) in O(include)
      sample:
        device:
          power:
            battery:
              charge: 84.2
              state: charged
    variable_values:
      description: The variables by name, V(null) for those that were not read.
      type: dict
      returned: with V(variables) in O(include)
      sample:
        soil_pct: 41
    unread:
      description: Why the device did not tell what it was asked, as error codes by C(vitals) or by variable.
      type: dict
      returned: with V(vitals) or V(variables) in O(include), or with O(mac_variable)
      sample:
        soil_pct: device_offline
manifest:
  description: The manifest that declares the devices as they are.
  returned: with O(as_manifest)
  type: dict
  sample:
    product: field-logger
    networks:
      barn:
        backend: ledger
    devices:
      - id: e00fce68aabbccddeeff0022
        name: barn-gateway
        groups: [north]
        mesh:
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
  description:
    - Whether the lists held still while they were read. If V(false), devices came or went meanwhile and one may be
      missing here; run again for a complete picture.
  returned: success
  type: bool
  sample: true
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

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.details import (
    WantedDetails,
    add_details,
    add_mesh_states,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import (
    add_members,
    gather_facts,
    select_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    FILTER_SPEC,
    SOURCE_SPEC,
    Sources,
    read_filters,
    read_sources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.export import export_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import can_list_members, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import LISTING, STATES
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(
    **SOURCE_SPEC,
    **FILTER_SPEC,
    include={"type": "list", "elements": "str", "choices": ["vitals", "variables", "mesh"], "default": []},
    variables={"type": "list", "elements": "str", "default": []},
    mac_variable={"type": "str"},
    **list_options(STATES, LISTING),
    include_limit={"type": "int", "default": 100},
    as_manifest={"type": "bool", "default": False},
)


def device_info(task: Task) -> dict[str, Any]:
    """Return the devices of the sources that match the filters, with the requested details."""
    options = task.options
    sources = read_sources(options, has_other_source=can_list_members(options))
    filters, wanted = read_filters(options), _read_wanted_details(options)
    if options["as_manifest"]:
        _refuse_several_sources(sources)
    with Mesh(options) as mesh, task.open_client(needs_login=not sources.is_empty) as http:
        # A manifest names the gateways of networks, also those that do not match the filters, so gather all.
        gathered = gather_facts(http, sources, [{}] if options["as_manifest"] else filters.build_queries())
        gathered = add_members(gathered, mesh.list_members())
        devices = select_devices(gathered, filters, time.time())
        if wanted is not None:
            add_details(http, devices, gathered.products, wanted)
        if "mesh" in options["include"]:
            add_mesh_states(http, devices, gathered.products, task.warn, mesh)
    if not gathered.complete:
        task.warn("The list of devices changed while it was read, so a device may be missing in the result.")
    result = {
        "changed": False,
        "devices": list(devices.values()),
        "count": len(devices),
        "pages": gathered.pages,
        "complete": gathered.complete,
    }
    if options["as_manifest"]:
        product = gathered.sources[0].slug if gathered.sources else None
        result["manifest"] = export_manifest(product, gathered.devices, devices, task.warn)
    return result


def _read_wanted_details(options: Mapping[str, Any]) -> WantedDetails | None:
    """Return the details to read from each device; ``None`` if there are none.

    :raises ParticleError: ``invalid_option`` when variables are included but not named, or named but not included.
    """
    include, variables = options["include"], tuple(options["variables"])
    if ("variables" in include) != bool(variables):
        message = "variables in include and the option variables must be given together, got only one of them."
        raise ParticleError("invalid_option", message, hint="Give both, or leave both out.")
    if "vitals" not in include and not variables and options["mac_variable"] is None:
        return None
    return WantedDetails("vitals" in include, variables, options["mac_variable"], options["include_limit"])


def _refuse_several_sources(sources: Sources) -> None:
    if len(sources.products) + sources.account > 1 or sources.organization is not None:
        message = "as_manifest requires one product or the account's own devices."
        raise ParticleError("invalid_option", message, hint="Name one product; use one task for each product.")


def main() -> None:
    """Run the module."""
    run_module(SPEC, device_info)


if __name__ == "__main__":
    main()
