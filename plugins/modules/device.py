#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: device
short_description: Manage one Particle device
version_added: 0.1.0
description:
  - Brings one device to its declared state, which covers its product, name, notes, device groups, firmware lock,
    environment variables, claim and network.
  - Requires at least one of O(id), O(serial_number), O(iccid) and O(imei). If several are set, the first one in this
    order identifies the device, and the others are compared with the values that the cloud shows. If the option for a
    property is not set, the module does not change this property.
  - The options have the same meaning as the keys of a device in O(meshfleet.particle.fleet#module:devices).
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
  - Each task sends separate requests to read the state of its device. Tasks of several hosts can run in parallel. To
    manage more than a few devices, use M(meshfleet.particle.fleet), which needs much less time and far fewer requests.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: >-
      The parameters of networks and devices can be join keys. The difference therefore contains the names of changed
      parameters, but never their values.
  idempotent:
    support: full
options:
  id:
    description: Id of the device. It has 24 hexadecimal digits. Quote an id that consists of decimal digits only.
    type: str
  serial_number:
    description:
      - Serial number of the device, as printed on its label.
      - Without O(product), a device that the account has not claimed yet is looked up by its serial number. The cloud
        allows 50 of these lookups per hour. If this limit is exceeded, the device is V(pending) until a later run.
    type: str
  iccid:
    description:
      - ICCID of the SIM card of the device.
      - Without O(product), only devices that the account has already claimed are found by their ICCID.
    type: str
  imei:
    description:
      - IMEI of the modem of the device.
      - Without O(product), only devices that the account has already claimed are found by their IMEI.
    type: str
  eui64:
    description:
      - EUI-64 of the radio of the device, 16 hexadecimal digits. It identifies a member of a network with
        O(networks.<name>.backend=thread).
      - Without another identifier, the device is unknown to the Particle cloud, and the only other options are O(name),
        O(mesh)
        and O(networks).
    version_added: 0.2.0
    type: str
  product:
    description:
      - Id or slug of the product to which the device belongs. A device that is not in the product yet is imported.
      - Without O(product), the module manages a device of the account, which is claimed rather than imported.
    type: str
  name:
    description: Name of the device.
    type: str
  notes:
    description: Notes about the device. An empty string removes the notes.
    type: str
  groups:
    description:
      - Device groups of the device. Missing groups are created. O(groups_mode) determines whether the device stays in
        other groups.
      - A name consists of the characters C(a-z), C(0-9), C(_) and C(-). Names that start with C(mesh-) are reserved for
        networks.
      - Requires O(product).
    type: list
    elements: str
  groups_mode:
    description:
      - How to change the groups of the device if O(groups) is set.
      - V(add) adds the device to the declared groups, and keeps its other groups.
      - V(exact) also removes the device from all groups that are not declared. Groups of networks, whose names start
        with C(mesh-), are not affected.
    type: str
    choices: [add, exact]
    default: add
  development:
    description:
      - Whether the device is a development device. A development device gets neither the firmware releases of the
        product nor the version in O(firmware_lock).
      - Requires O(product).
    type: bool
  firmware_lock:
    description:
      - Version number of the product firmware to lock the device to, or V(unlocked). An unlocked device follows the
        firmware releases of the product.
      - If the product does not have this version, the task fails before the first write. The message names the versions
        of the product.
      - A lock that a rollout has set belongs to the rollout. V(unlocked) leaves the lock alone with a warning. With a
        version, the task fails before the first write if the rollout is not over. This module does not know about
        rollouts with O(meshfleet.particle.rollout#module:state_file).
      - Requires O(product).
    version_added: 0.2.0
    type: str
  firmware_version:
    description:
      - Deprecated name of O(firmware_lock). Use O(firmware_lock) instead.
      - Requires O(product).
    type: str
  approval:
    description:
      - Whether the product accepts the device.
      - V(approved) imports a device that is in quarantine or was denied. Without this option, such a device fails with
        error code V(quarantined), because naming a device must not approve it.
      - V(denied) keeps the device out of the product, and can only be combined with an identifier. A device that the
        product does not list needs no change.
      - Requires O(product).
    version_added: 0.2.0
    type: str
    choices: [approved, denied]
  environment:
    description:
      - Environment variables of the device, as a mapping from the name of each variable to its value. Other variables
        of the device are not changed. A variable is removed if its value is a mapping in which C(state) is V(absent).
      - A name consists of up to 128 of the characters C(A-Z), C(0-9) and C(_), and does not start with a digit or
        C(PARTICLE_). A value is a string. A number or boolean becomes its text, such as V(30) or V(true). A device can
        have 100 variables of its own, and all its variables together can have 16 KB.
      - The variables of a device override the variables of its product that have the same name. Changed variables are
        rolled out at once, and a device that is online restarts. The result names such devices.
      - If other variables of the device have edits that were not rolled out, the device fails before its first write,
        because the rollout would publish these edits, too.
      - If this option is set, one more request reads the variables of the device.
      - Requires O(product), and Device OS 6.4 or newer. Older devices never get variables, so the module warns about
        them.
    version_added: 0.2.0
    type: dict
  from_product:
    description:
      - Id or slug of another product of the account, from which the device is moved if it is there. A device that is
        in neither product is imported, and a device that is already in O(product) is left there.
      - The device keeps its name, its notes, and its groups that also exist in O(product), except where the
        corresponding option is set. A member of a network requires O(mesh).
      - A device can be in one product only, so it leaves the other product before it is imported. If the run is
        interrupted between these two steps, the next run imports the device. Until the device is in the groups that it
        keeps, a line in its notes names these groups, so that the next run can restore them.
      - The other product is read only if a device is not in O(product) yet.
      - Requires O(product).
    version_added: 0.2.0
    type: str
  replaces:
    description:
      - Id, label or name of the replaced device, which is a device of the product. A name is looked up among the other
        devices only, so this device can have the same name. If this device already has another declared name, and a
        device still has the name in O(replaces), the task is refused, because it may be a later device of this name.
        Use the id instead.
      - This device gets the name, notes, device groups, firmware lock and membership of the replaced device, unless
        these options are set. Then the replaced device leaves its network, and finally the product. The result names
        its SIM, which is not released.
      - A mapping with the key C(device) has the same meaning as its value. With C(environment=true), the mapping also
        keeps the environment variables of the replaced device itself, with their values of the last rollout. Variables
        in O(environment) take precedence.
      - A replaced device that is not in the product counts as replaced. If the run is interrupted, the next run
        continues the replacement. Until then, the words "replaced by" and the id of the new device can follow the name
        of the replaced device.
      - If the replaced device answers a ping, the task fails before the first write, unless O(confirm) contains
        V(replace_online).
      - The membership of a node is kept in a network of O(networks) with O(networks.<name>.backend=ledger). For a
        gateway, and for other networks, set O(mesh). A firmware lock that belongs to a rollout is not kept.
      - The replaced device does not count as a removal, because another device takes its place.
      - Requires O(product).
    version_added: 0.2.0
    type: raw
  claimed:
    description:
      - Whether the account should have a claim to the device. V(true) claims the device, and V(false) gives up the
        claim.
      - Devices of a product do not need a claim. Without O(product), a device must be online to be claimed, and
        V(false) cannot be combined with O(name) or O(notes) if O(state=present).
    type: bool
  mesh:
    description:
      - Network to which the device belongs. A device can be in one network only.
      - Requires O(product), unless the network has O(networks.<name>.backend=networks) or
        O(networks.<name>.backend=thread).
    type: dict
    suboptions:
      network:
        description: Name of the network, as in O(networks). Required if O(mesh.state=present).
        type: str
      role:
        description: Role of the device in the network.
        type: str
        choices: [gateway, node]
        default: node
      parameters:
        description:
          - Parameters for this device only. They override O(networks.<name>.parameters) key by key.
          - Requires a network with O(networks.<name>.backend=ledger).
        type: dict
      joiner:
        description:
          - Key with which the device joins (PSKd), 6 to 32 digits and upper-case letters except C(I), C(O), C(Q) and
            C(Z).
            It is a secret, and the task never shows it.
          - Requires a network with O(networks.<name>.backend=thread). Without this key, the device must already be a
            member.
        version_added: 0.2.0
        type: str
      state:
        description:
          - Whether the device is in a network. V(absent) removes the device from any network, and cannot be combined
            with other keys of C(mesh).
        type: str
        choices: [present, absent]
        default: present
  networks:
    description:
      - Networks, as a mapping from the name of each network to its settings. The mapping must contain the network of
        O(mesh).
      - The members of a network are its gateways and its nodes. The gateways connect the network to the cloud.
      - If a network cannot be formed as declared, the task fails before the first write and reports all reasons.
    type: dict
    suboptions:
      <name>:
        description:
          - Settings of one network. Replace C(<name>) by the name of the network. A network without settings is written
            as C({}).
          - With backend V(ledger), the name has 1 to 32 of the characters C(a-z), C(0-9), C(_) and C(-), and must not
            be C(gateway) or C(node). With backend V(networks), it has 1 to 16 bytes. With backend V(thread), it has the
            same characters as with V(ledger).
        type: dict
        suboptions:
          backend:
            description:
              - Backend that forms the network.
              - V(ledger) requires a product, Device OS 6.1 or newer, and firmware that implements the mesh contract of
                this collection.
              - V(networks) is the registry of Particle Mesh networks. Particle has retired this registry, so
                V(networks) works only with a cloud that still offers the registry. Particle Mesh needs Device OS 1.5.x
                or older.
              - V(thread) is a Thread network of boards whose radio runs OpenThread. It is formed through an OpenThread
                border router, and needs neither a product nor a login to the Particle cloud if all members are
                identified by their EUI-64.
            type: str
            choices: [ledger, networks, thread]
            default: ledger
          parameters:
            description:
              - Parameters of the network. The result of the task never shows the values of parameters.
              - With backend V(ledger), the parameters are sent to all members, and your firmware determines the keys,
                for example C(channel). If the parameters are left out, existing members keep their parameters, and new
                members get the parameters of the existing members. If the parameters of the existing members differ, a
                task that adds a member fails before the first write.
              - With backend V(networks), only C(type) and C(limit) are valid.
              - With backend V(thread), only C(channel), C(pan_id), C(network_name), C(extended_pan_id) and
                C(network_key) are valid. For a new network, the border router generates the values that are not
                declared.
            type: dict
            suboptions:
              channel:
                description: Radio channel, from 11 to 26, with backend V(thread).
                type: int
              pan_id:
                description: PAN id in hexadecimal digits, with backend V(thread).
                type: str
              network_name:
                description: Name of the radio network, 1 to 16 bytes, with backend V(thread).
                type: str
              extended_pan_id:
                description:
                  - Extended PAN id of a new network, 16 hexadecimal digits, with backend V(thread). The extended PAN id
                    of a running network cannot be changed.
                type: str
              network_key:
                description:
                  - Key of a new network, 32 hexadecimal digits, with backend V(thread). It is a secret. The key of a
                    running network cannot be changed.
                type: str
              type:
                description:
                  - Type of a new network, with backend V(networks). The type of an existing network cannot be changed.
                  - The default depends on the declared devices, as O(meshfleet.particle.network#module:type) describes.
                type: str
                choices: [micro_wifi, micro_cellular, high_availability, large_site]
              limit:
                description:
                  - Maximum number of devices in a network of type V(high_availability) or V(large_site), with backend
                    V(networks). If more devices are declared, the task fails before the first write.
                type: int
                default: 100
          border_routers:
            description:
              - OpenThread border routers of the network, at least one. Required with backend V(thread), and valid only
                there.
              - The first one forms the network and lets devices join. The others are added to the network.
            type: list
            elements: dict
            suboptions:
              url:
                description: URL of the REST API of the border router, for example C(http://127.0.0.1:8081).
                type: str
                required: true
              ca_path:
                description: File with the certificate authorities to trust, for a URL that begins with C(https).
                type: str
              username:
                description: Username for a proxy in front of the border router. The border router itself has no login.
                type: str
              password:
                description: Password for this proxy.
                type: str
          joiner_timeout:
            description: How long to wait for a device to join, in seconds. Valid only with backend V(thread).
            type: int
            default: 180
          commissioning_timeout:
            description:
              - How long to wait for all devices of the network to join, in seconds. Valid only with backend V(thread).
            type: int
            default: 3600
          change_delay:
            description:
              - Delay in seconds after which a change of a running network takes effect, at least 30. Sleeping members
                must receive the change within this time. Valid only with backend V(thread).
            type: int
            default: 300
          gateways:
            description:
              - Ids of all gateways of the network, except for the device itself.
              - Except with backend V(thread), a network that has nodes must have a gateway. If the device is a node,
                set at least one gateway here.
            type: list
            elements: str
            default: []
          state:
            description:
              - Whether the network should exist. V(absent) dissolves the network, so that all its members leave it,
                including devices that are not declared. V(absent) cannot be combined with C(parameters) or C(gateways).
            type: str
            choices: [present, absent]
            default: present
  state:
    description:
      - State of the device.
      - V(present) brings the device to its declared state.
      - V(absent) removes the device from its network, its device groups and the product. The claim is given up only if
        O(claimed=false) is set. Without O(product), O(claimed=false) is required.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description:
      - List of the changes that are confirmed, or a boolean. V(true) means V([removals, mesh_locks, rollout_locks]). A
        task with other changes that require a confirmation fails before the first write.
      - V(mesh_locks) allows the task to lock a device of a Particle Mesh network to a firmware version that can require
        a Device OS newer than 1.5.x, which does not support Particle Mesh. No confirmation is required if a device of
        the product already runs this firmware version with Device OS 1.5.x or older.
      - V(replace_online) allows the task to replace a device that answers a ping, see O(replaces).
      - V(rollout_locks) allows the task to remove a lock that a rollout has left, see O(firmware_lock). Without it, the
        lock is left alone with a warning, because the device may get another version when it is unlocked.
      - V(removals) allows any number of removals. One device never needs it, but a network with C(state=absent) in
        O(networks) may concern more devices.
    type: raw
    default: false
  mesh_ledger:
    description:
      - Name of the ledger from which devices read how to join their network. Used only for networks with
        O(networks.<name>.backend=ledger).
      - Your firmware must use the same name. The name consists of at most 32 lower-case letters, digits and hyphens. A
        missing ledger is created.
    type: str
    default: mesh
  mesh_status_ledger:
    description:
      - Name of the ledger in which devices report their mesh state. Used only for networks with
        O(networks.<name>.backend=ledger).
      - Your firmware must use the same name. The name consists of at most 32 lower-case letters, digits and hyphens. A
        missing ledger is created.
    type: str
    default: mesh-status
  verify:
    description:
      - How to verify the changes.
      - V(none) trusts the responses of the cloud.
      - V(read) reads the device again if it was changed. A device that still differs from its declaration counts as
        failed.
      - V(online) also waits until the device reports that it has joined its network. A device that has not joined
        within O(verify_timeout) is V(pending), unless O(verify_strict=true).
      - In check mode, V(online) does not wait. If there is nothing to change, it reads the state of the device in its
        network once.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Maximum time in seconds to wait for the device to join its network, with O(verify=online).
    type: int
    default: 300
  verify_strict:
    description:
      - With O(verify=online), whether the task fails if the device has not joined its network within O(verify_timeout).
        If V(false), the status of such a device is V(pending), because a sleeping device cannot report that it has
        joined.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.network
  - name: Guide to networks
    description: How networks form, change and are verified.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_mesh.md
  - name: Mesh contract
    description: Requirements for the firmware of devices in networks with backend V(ledger).
    link: https://github.com/meshfleet/particle/blob/main/docs/mesh_contract.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Import a device into a product, with a name and a device group
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    name: pump-house
    groups: [north]

- name: Remove the device from all device groups except north and beta
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    groups: [north, beta]
    groups_mode: exact

- name: Lock the device to version 42 of the product firmware
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    firmware_lock: 42

- name: Let the device follow the firmware releases of its product
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    development: false
    firmware_lock: unlocked

- name: Set an environment variable of the device, and remove another one
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    environment:
      POLL_S: 30
      DEBUG_HOST:
        state: absent

- name: Move a device out of another product of the account
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    from_product: field-logger-staging

- name: Replace a broken device, whose name, notes, groups and lock the new device keeps
  meshfleet.particle.device:
    product: field-logger
    serial_number: P046AB123456789
    replaces: pump-house

- name: Make a device the gateway of a network
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0024
    mesh:
      network: yard
      role: gateway
      parameters:
        power: 8
    networks:
      yard:
        parameters:
          channel: 20
          power: 0

- name: Add a node to a network that has a gateway, and wait until it has joined
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    mesh:
      network: yard
    networks:
      yard:
        gateways: [e00fce68aabbccddeeff0024]
        parameters:
          channel: 20
          power: 0
    verify: online

- name: Remove the node from its network
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    mesh:
      state: absent

- name: Remove a device from its network, its device groups and the product
  meshfleet.particle.device:
    product: field-logger
    id: e00fce68aabbccddeeff0025
    state: absent

- name: Give up the claim to a device of the account
  meshfleet.particle.device:
    id: e00fce68aabbccddeeff0011
    claimed: false

---
# A complete play. Its hosts come from the inventory plugin meshfleet.particle.devices, which sets the variable
# particle.
- name: Manage the device of each host
  hosts: all
  gather_facts: false
  tasks:
    - name: Add the devices of the hosts to a device group
      meshfleet.particle.device:
        product: field-logger
        id: "{{ particle.id }}"
        groups: [winter]
"""

RETURN = r"""
device:
  description: Outcome of the device.
  returned: unless the task fails before the first write
  type: dict
  contains:
    id:
      description: Device id. V(null) if the id is not known yet because the device is declared by another identifier.
      type: str
      returned: always
      sample: e00fce68aabbccddeeff0022
    identifier:
      description: Identifier that declares the device. It is an id, a serial number, an ICCID or an IMEI.
      type: str
      returned: always
      sample: P046AB123456789
    name:
      description: Declared name of the device. V(null) if none is declared.
      type: str
      returned: always
      sample: barn-gateway
    status:
      description:
        - Status of the device.
        - V(ok) means that the device needed no change.
        - V(changed) means that the device was changed. In check mode, it means that the device would be changed.
        - V(failed) means that an error occurred, which RV(device.error) describes.
        - V(pending) means that the device is not in its declared state yet, but has not failed. For example, the run
          ended early, or the device has not joined or left its network yet.
        - The task does not fail because of a V(pending) device. If the run ended early, RV(error) contains the reason.
      type: str
      returned: always
      sample: changed
    changes:
      description: Changed fields of the device, each with its value before and after the change.
      type: dict
      returned: always
      sample:
        name:
          before:
          after: barn-gateway
    written:
      description: Whether the run has changed the device, although the device is V(pending).
      type: bool
      returned: if V(true)
      sample: true
    restarts:
      description: Whether the device restarts to apply its environment variables, at once if it is online.
      type: bool
      returned: if V(true)
      sample: true
    uncertain:
      description:
        - Whether check mode cannot predict if the cloud would accept the device, because no list of the account shows
          the device. The id or label may be wrong.
      type: bool
      returned: in check mode, if V(true)
      sample: true
    sim:
      description:
        - ICCID of the SIM in the device, if the device leaves the product. The module does not change the SIM. To
          deactivate or release it, see M(meshfleet.particle.sim).
      type: str
      returned: if the device leaves the product, and the cloud shows its SIM
      sample: "8934076500002589174"
    replaces:
      description:
        - The replaced device, with its C(id), and C(sim), the ICCID of its SIM. C(sim) is V(null) if the cloud shows no
          SIM.
      type: dict
      returned: if the device replaces a device that is still in the product
      sample:
        id: e00fce68aabbccddeeff0029
        sim: "8934076500002589174"
    mesh:
      description:
        - State of the device in its network. V(null) if the state was not read. The state is read only with
          O(verify=online).
        - V(joined) means that the device is in the network with its declared role.
        - V(pending) means that the device has not reported yet that it has joined, for example because it is asleep.
        - V(lost) means that the device was in the network and is no longer in it.
        - V(wrong_network) means that the device is in another network.
      type: str
      returned: always
      sample: joined
    error:
      description:
        - Reason why the device failed or is pending, with the keys of RV(error). V(null) if there is no reason.
      type: dict
      returned: always
managed:
  description:
    - Declared name of the device, keyed by device id. Empty if the device is not in its declared state after the task,
      and in check mode.
    - An automation controller counts these devices as managed by the job.
  returned: unless the task fails before the first write
  type: dict
  sample:
    e00fce68aabbccddeeff0022: barn-gateway
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

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import build_option_specs
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_identity_keys, list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RECONCILE
from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import VERIFY_SPEC

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
    id={"type": "str"},
    serial_number={"type": "str"},
    iccid={"type": "str"},
    imei={"type": "str"},
    **{key: {"type": "str"} for key in list_identity_keys()},
    product={"type": "str"},
    **build_option_specs(),
    groups={"type": "list", "elements": "str"},
    environment={"type": "dict"},
    from_product={"type": "str"},
    groups_mode={"type": "str", "choices": ["add", "exact"], "default": "add"},
    claimed={"type": "bool"},
    mesh={"type": "dict"},
    networks={"type": "dict"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    confirm={"type": "raw", "default": False},
    **list_options(RECONCILE),
    **VERIFY_SPEC,
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
