#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device_info
short_description: List Particle devices and their properties
version_added: 0.1.0
description:
  - Lists the devices of products, of all products of an organization, and of the account, with their properties.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    products.
  - Reads all pages of the device lists of the cloud. A product takes about one request for each hundred devices.
  - Further details need additional requests. These requests are sent only with O(include) or O(mac_variable).
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.delegation
  - meshfleet.particle.selection
  - meshfleet.particle.selection.filters
  - meshfleet.particle.selection.thread
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
  include:
    description:
      - Additional details to return for each device.
      - V(vitals) adds the most recent vitals of each device that is online. It takes one request per device.
      - V(variables) adds the values of the cloud variables in O(variables), for each device that is online. It takes
        one request per device and variable.
      - V(mesh) adds the state of each device that is a member of a network. It takes one request for each hundred
        members.
    type: list
    elements: str
    choices: [vitals, variables, mesh]
    default: []
  variables:
    description:
      - Names of the cloud variables to read from the firmware of each device.
      - Required if O(include) contains V(variables), and not allowed otherwise.
      - Each value costs the owner of the device one data operation.
    type: list
    elements: str
    default: []
  mac_variable:
    description:
      - Name of the cloud variable in which the firmware provides the MAC address.
      - For most devices, the cloud does not know the MAC address. The variable is read from each of these devices that
        is online. It takes one request per device.
    type: str
  mesh_status_ledger:
    description:
      - Name of the ledger in which devices report their mesh state. Used only for networks with backend V(ledger), and
        only if O(include) contains V(mesh).
      - Your firmware must use the same name. The name consists of at most 32 lower-case letters, digits and hyphens.
    type: str
    default: mesh-status
  include_limit:
    description:
      - Maximum number of devices from which vitals and variables are read.
      - If there are more such devices, the task fails before it reads from the first device. Raise the value to read
        from a larger fleet. The requests are sent in parallel and within the request budget.
    type: int
    default: 100
  as_manifest:
    description:
      - Whether to return RV(manifest), a manifest that declares the devices as they are now. With this manifest,
        M(meshfleet.particle.fleet) changes nothing.
      - Requires exactly one product, or the devices of the account only.
      - The manifest does not contain the parameters of networks, because parameters can be join keys. Existing members
        of the networks keep their parameters. It does not contain environment variables either, because they would take
        one request for each device.
      - Devices that a manifest cannot declare, such as devices in quarantine, are left out with a warning.
      - Firmware locks that a rollout has set are left out with a warning, because the rollout takes them back. This
        takes one request if any device has a lock. Rollouts with O(meshfleet.particle.rollout#module:state_file) are
        not known, so their locks are exported.
    type: bool
    default: false
  manifest_form:
    description:
      - Form of RV(manifest), with O(as_manifest=true).
      - V(minimal) declares only what differs from a new device.
      - V(exact) also declares default values, such as empty notes, and device groups with C(groups_mode=exact). With
        this manifest, M(meshfleet.particle.fleet) detects every later change of the declared properties.
    version_added: 0.2.0
    type: str
    choices: [minimal, exact]
    default: minimal
seealso:
  - module: meshfleet.particle.device_facts
  - module: meshfleet.particle.fleet
  - plugin: meshfleet.particle.devices
    plugin_type: inventory
  - plugin: meshfleet.particle.advisories
    plugin_type: filter
  - name: Guide to reports
    description: How to find the devices that an advisory affects, and how to report on a fleet.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_report.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: List the devices of a product
  meshfleet.particle.device_info:
    product: field-logger
  register: fleet

- name: Show the devices that the cloud shows as online although it has not heard from them recently
  ansible.builtin.debug:
    msg: "{{ fleet.devices | selectattr('presence', 'eq', 'stale') | map(attribute='name') | list }}"

- name: List the devices of the account
  meshfleet.particle.device_info:

- name: List the devices of two products and of the account
  meshfleet.particle.device_info:
    products: [field-logger, pump-watch]
    account_devices: true

- name: List the devices in quarantine of all products of an organization
  meshfleet.particle.device_info:
    organization: acme
    filters:
      quarantined: true

- name: List the devices that match several filters
  meshfleet.particle.device_info:
    product: field-logger
    filters:
      groups: [north, beta]
      platforms: [boron, bsom]
      name: "barn-*"
      online: true

- name: Read the vitals of the gateways of one network, such as signal strength and battery charge
  meshfleet.particle.device_info:
    product: field-logger
    filters:
      networks: [barn]
      name: "*-gateway"
    include: [vitals, mesh]

- name: Read two cloud variables from each device of a device group
  meshfleet.particle.device_info:
    product: field-logger
    filters:
      groups: [north]
    include: [variables]
    variables: [soil_pct, battery_v]

- name: Export a fleet that was set up by hand
  meshfleet.particle.device_info:
    product: field-logger
    as_manifest: true
  register: fleet

- name: Write the manifest to a file
  ansible.builtin.copy:
    content: "{{ fleet.manifest | ansible.builtin.to_nice_yaml(sort_keys=false) }}"
    dest: fleet.yml
    mode: "0600"
"""

RETURN = r"""
devices:
  description:
    - One mapping for each device. It contains the keys below, and all attributes that the cloud returns, except the
      setup secret of the device. The attributes have the same names as in the cloud.
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
      description: Name of the device, V(null) if it has none.
      type: str
      returned: success
      sample: barn-gateway
    owner:
      description: Username of the account that has claimed the device. V(null) if no account has claimed it.
      type: str
      returned: success
      sample: jane@example.com
    notes:
      description: Notes about the device. V(null) if there are none.
      type: str
      returned: success
      sample: North wall, beside the window
    serial_number:
      description: Serial number of the device. V(null) if the cloud does not know it.
      type: str
      returned: success
      sample: P046AB123456789
    iccid:
      description: ICCID of the SIM card of the device. V(null) if the cloud does not know it.
      type: str
      returned: success
      sample: "8901410300000000001"
    platform_id:
      description: Number of the platform of the device.
      type: int
      returned: if the cloud returns it
      sample: 13
    firmware_version:
      description:
        - Version of the product firmware that the device runs. V(null) if the cloud does not know it.
        - RV(devices[].firmware_lock) is the version to which the device is locked.
      type: int
      returned: success
      sample: 42
    firmware_lock:
      description:
        - Version of the product firmware to which the device is locked. V(unlocked) if the device follows the firmware
          releases of the product. V(null) for a device that is in the device list of the account only.
      type: raw
      returned: success
      sample: unlocked
    system_firmware_version:
      description: Version of Device OS that the device runs. V(null) if the cloud does not know it.
      type: str
      returned: success
      sample: 6.3.4
    last_heard:
      description: Time when the cloud last heard from the device. V(null) if that time is unknown.
      type: str
      returned: success
      sample: "2026-06-01T00:00:00.000Z"
    product:
      description:
        - Slug of the product of the device, V(null) if the device is in no product.
        - The device list of the account contains no slugs. For a device that is only in this list, the value is the id
          of the product.
      type: str
      returned: success
      sample: field-logger
    platform:
      description: Name of the platform of the device.
      type: str
      returned: success
      sample: boron
    online:
      description: Whether the cloud shows the device as online.
      type: bool
      returned: success
      sample: true
    last_heard_age:
      description:
        - Seconds since the cloud last heard from the device. If that time is unknown, seconds since the last handshake
          of the device. V(null) if both times are unknown.
      type: int
      returned: success
      sample: 312
    presence:
      description:
        - Estimate of whether the device is online now. The cloud can take up to 46 minutes to notice that a cellular
          device is offline. For other devices, the cloud needs about a minute, but the estimate uses 46 minutes for all
          devices.
        - V(confirmed) means that the cloud shows the device as online and heard from it within the last minute.
        - V(probable) means that the cloud shows the device as online and heard from it within the last 46 minutes.
        - V(stale) means that the cloud shows the device as online, but has not heard from it within the last 46
          minutes.
        - V(offline) means that the cloud shows the device as offline.
      type: str
      returned: success
      sample: probable
    groups:
      description: Device groups of the device.
      type: list
      elements: str
      returned: for devices of a product
      sample: [north, mesh-barn, mesh-gateway]
    mac:
      description:
        - MAC address of the Wi-Fi interface, from the cloud or else from O(mac_variable). V(null) if neither provides
          the address.
      type: str
      returned: success
      sample: "94:94:4A:00:00:01"
    mesh:
      description: Network and role of the device. V(null) if the device is in no network.
      type: dict
      returned: success
      contains:
        network:
          description: Name of the network.
          type: str
          returned: always
          sample: barn
        role:
          description: Role of the device, V(gateway) or V(node).
          type: str
          returned: always
          sample: gateway
        state:
          description:
            - State of the device in its network. V(null) if the cloud has no reports of members, or if the access token
              is not allowed to read the reports.
            - V(joined) means that the device is in the network with the role that the cloud shows.
            - V(pending) means that the device has not reported yet that it has joined, for example because it is
              asleep.
            - V(lost) means that the device was in the network and is no longer in it.
            - V(wrong_network) means that the device is in another network.
          type: str
          returned: if O(include) contains V(mesh)
          sample: joined
    eui64:
      description: EUI-64 of a member of a Thread network. Its C(id) is V(null).
      type: str
      returned: for members of O(thread_networks)
      sample: 18b4300000000001
    thread:
      description:
        - Place of a member in its Thread network. The values are those at the time of the task.
        - C(parent) is the EUI-64 of the parent of a child, or its address if its EUI-64 is unknown. C(link_quality) (0
          to 3) and C(rssi) (in dBm) describe the link from the child to its parent. They are V(null) for a router,
          which has no parent.
        - C(state) is V(joined), or V(lost) for a device that was found in an earlier run and does not answer now.
      type: dict
      returned: for members of O(thread_networks)
      sample:
        network: barn
        network_name: barn
        channel: 15
        pan_id: 4F2A
        extended_pan_id: aabb112233445566
        border_routers: ["http://127.0.0.1:8081"]
        address: 1a2b3c4d5e6f7081
        rloc16: "0x5c01"
        is_router: false
        asleep: false
        parent: 18b4300000000002
        link_quality: 3
        rssi: -52
        state: joined
    vitals:
      description: Most recent vitals that the cloud has stored. V(null) if the device is offline or has no vitals.
      type: dict
      returned: if O(include) contains V(vitals)
      sample:
        device:
          power:
            battery:
              charge: 84.2
              state: charged
    variable_values:
      description: Values of O(variables) by name, V(null) for each variable that could not be read.
      type: dict
      returned: if O(include) contains V(variables)
      sample:
        soil_pct: 41
    unread:
      description:
        - Error code for each detail that could not be read although the device is online. The keys are C(vitals) and
          the names of variables.
      type: dict
      returned: if O(include) contains V(vitals) or V(variables), or with O(mac_variable)
      sample:
        soil_pct: device_offline
manifest:
  description: Manifest that declares the devices as they are now.
  returned: with O(as_manifest=true)
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
  description: Number of devices in RV(devices).
  returned: success
  type: int
  sample: 1000
pages:
  description: Number of pages of device lists that were read.
  returned: success
  type: int
  sample: 10
complete:
  description:
    - Whether the device lists stayed unchanged while they were read. V(false) means that devices can be missing in the
      result. In this case, run the task again.
  returned: success
  type: bool
  sample: true
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

import time
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.details import (
    add_details,
    add_mesh_states,
    read_wanted_details,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import (
    add_members,
    gather_facts,
    select_devices,
    warn_of_missing_product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    FILTER_SPEC,
    SOURCE_SPEC,
    describe_absence,
    read_filters,
    read_sources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.export import (
    MANIFEST_FORMS,
    MINIMAL,
    export_manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import can_list_members, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import LISTING, STATES
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import find_rollout_locks

SPEC = build_argument_spec(
    **SOURCE_SPEC,
    **FILTER_SPEC,
    include={"type": "list", "elements": "str", "choices": ["vitals", "variables", "mesh"], "default": []},
    variables={"type": "list", "elements": "str", "default": []},
    mac_variable={"type": "str"},
    **list_options(STATES, LISTING),
    include_limit={"type": "int", "default": 100},
    as_manifest={"type": "bool", "default": False},
    manifest_form={"type": "str", "choices": list(MANIFEST_FORMS), "default": MINIMAL},
)


def device_info(task: Task) -> dict[str, Any]:
    """Return the devices that match the filters, with the requested details."""
    options = task.options
    sources = read_sources(options, has_other_source=can_list_members(options))
    filters, wanted = read_filters(options), read_wanted_details(options)
    if options["as_manifest"]:
        sources.refuse_several()
    with Mesh(options) as mesh, task.open_client(needs_login=not sources.is_empty) as http:
        # A manifest names the gateways of networks, including those that do not match the filters, so gather all.
        gathered = gather_facts(http, sources, [{}] if options["as_manifest"] else filters.build_queries())
        warn_of_missing_product(http, sources, gathered, task.warn)
        gathered = add_members(gathered, mesh.list_members())
        devices = select_devices(gathered, filters, time.time())
        if wanted is not None:
            add_details(http, devices, gathered.products, wanted)
        if "mesh" in options["include"]:
            add_mesh_states(http, devices, gathered.products, task.warn, mesh)
        product = gathered.sources[0] if options["as_manifest"] and gathered.sources else None
        locks = find_rollout_locks(Target(http, product, task.warn), devices) if product is not None else frozenset()
    if not gathered.complete:
        task.warn("The list of devices changed while it was read, so a device may be missing in the result.")
    # An account without devices has its own warning.
    if not devices and (sources.products or sources.organization or gathered.devices):
        task.warn(describe_absence(sources.describe(), filters))
    result = {
        "changed": False,
        "devices": list(devices.values()),
        "count": len(devices),
        "pages": gathered.pages,
        "complete": gathered.complete,
    }
    if options["as_manifest"]:
        slug = None if product is None else product.slug
        form = options["manifest_form"]
        result["manifest"] = export_manifest(slug, gathered.devices, devices, task.warn, form, locks)
    return result


def main() -> None:
    """Run the module."""
    run_module(SPEC, device_info)


if __name__ == "__main__":
    main()
