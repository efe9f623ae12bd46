#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Bring a fleet of Particle devices to its declared state
version_added: 0.1.0
description:
  - Compares the declared state of a fleet with its current state in the cloud, and writes only the differences. A
    second run writes nothing. If a run was interrupted, run the task again to complete it.
  - With O(product), the module imports devices into the product, sets their name and other properties, adds them to
    device groups and joins them to networks. Without O(product), it claims and names devices of the account.
  - With O(state=absent), the module removes devices from the product, or gives up the claim to devices of the account.
  - If a device fails, the module continues with the other devices, and the task fails at the end. The options
    O(on_error), O(max_failures) and O(fail) change this.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
  - One task manages the whole fleet. In a play with several hosts, the task must set C(run_once), and fails otherwise.
    For several manifests, use a loop.
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
  manifest:
    description:
      - Path or content of the manifest, which declares the state of the fleet.
      - A path names a YAML or JSON file, a table, or a list of ids. The module searches for the file in C(files) of the
        role and beside the playbook, like M(ansible.builtin.copy). The whole file may be encrypted with Ansible Vault.
        Files are not templated.
      - The content is a mapping. Its keys are O(product), O(groups_mode), O(unique_names), O(name_template),
        O(undeclared), O(networks), O(devices), O(columns) and O(ignore_columns). The keys have the same meaning as the
        options with these names. Set each key either in the manifest or in the task, but not in both. In a manifest,
        the key C(devices) may also be the path of a table. A text of several lines, for example from a survey, and a
        mapping in one line are read like the content of a file. Any other text is a path.
      - A table is a file with the extension C(.csv), C(.tsv) or C(.txt) that has one row for each device. Its cells are
        separated by commas, semicolons or tabs, and its first line names the columns. The columns are keys of
        O(devices), C(mesh.network), C(mesh.role) and C(mesh.parameters.NAME) for the keys of O(devices[].mesh), and
        C(environment.NAME) for the variables in O(devices[].environment). For identifiers, names, notes, groups and the
        mesh, case, spaces and punctuation do not matter, and common names such as C(Device ID) and C(Serial No.) are
        known. Other keys, such as C(firmware_lock), must be written exactly. For other names, see O(columns) and
        O(ignore_columns).
      - In a table, groups are separated by semicolons, as in C(north;beta). Parameters and environment variables are
        always strings. An empty cell declares nothing, so a table cannot remove variables. Networks in the column
        C(mesh.network) need not be declared in O(networks). All other settings, such as O(product), must be set in the
        task.
      - A file with the extension C(.txt) can also have one device id, serial number, ICCID or IMEI per line.
      - The file C(fleet.csv) of role P(meshfleet.particle.report#role) is a table, too. Its columns C(name), C(groups)
        and C(notes) are declarations. All other columns are ignored, except the identifiers of the devices.
    type: raw
  product:
    description:
      - Id or slug of the product to which the devices belong. Devices that are not in the product yet are imported.
      - Without O(product), the module manages devices of the account, which are claimed rather than imported.
    type: str
  devices:
    description:
      - Devices of the fleet.
      - Required here or in O(manifest), unless O(from_inventory=true). An empty list declares no devices.
      - Each device must have at least one of the keys C(id), C(serial_number), C(iccid) and C(imei). If a device has
        several of these keys, the first one in this order identifies the device. If the cloud shows another value for
        one of the other keys, the device fails.
      - All other keys are optional. If a key is left out, the module does not change this property of the device.
    type: list
    elements: raw
    suboptions:
      id:
        description: Id of the device. It has 24 hexadecimal digits. Quote an id that consists of decimal digits only.
        type: str
      serial_number:
        description:
          - Serial number of the device, as printed on its label.
          - Without O(product), a device that the account has not claimed yet is looked up by its serial number. The
            cloud allows 50 of these lookups per hour. If this limit is exceeded, the device is V(pending) until a later
            run.
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
          - A device that declares only this identifier is unknown to the Particle cloud. Its other keys are C(name) and
            C(mesh).
        version_added: 0.2.0
        type: str
      name:
        description: Name of the device.
        type: str
      notes:
        description: Notes about the device. An empty string removes the notes.
        type: str
      groups:
        description:
          - Device groups of the device. Missing groups are created. O(groups_mode) determines whether the device stays
            in other groups.
          - A name consists of the characters C(a-z), C(0-9), C(_) and C(-). Names that start with C(mesh-) are
            reserved for networks.
          - Requires O(product).
        type: list
        elements: str
      development:
        description:
          - Whether the device is a development device. A development device gets neither the firmware releases of the
            product nor the version in O(devices[].firmware_lock).
          - Requires O(product).
        type: bool
      firmware_lock:
        description:
          - Version number of the product firmware to lock the device to, or V(unlocked). An unlocked device follows the
            firmware releases of the product.
          - If the product does not have this version, the task fails before the first write. The message names the
            versions of the product.
          - A lock that a rollout has set belongs to the rollout. If V(unlocked) is declared, the lock is left alone
            with a warning, so that it does not count as drift. If a version is declared and the rollout is not over,
            the task fails before the first write. This module does not know about rollouts with
            O(meshfleet.particle.rollout#module:state_file).
          - The former name C(firmware_version) is deprecated.
          - Requires O(product).
        version_added: 0.2.0
        type: raw
      approval:
        description:
          - Whether the product accepts the device.
          - V(approved) imports a device that is in quarantine or was denied. Without this key, such a device fails with
            error code V(quarantined), because naming a device must not approve it.
          - V(denied) keeps the device out of the product, and can only be combined with an identifier. Denying a device
            that the product has accepted counts as a removal, see O(max_removals). A device that the product does not
            list needs no change.
          - Requires O(product).
        version_added: 0.2.0
        type: str
        choices: [approved, denied]
      environment:
        description:
          - Environment variables of the device, as a mapping from the name of each variable to its value. Other
            variables of the device are not changed. A variable is removed if its value is a mapping in which C(state)
            is V(absent).
          - A name consists of up to 128 of the characters C(A-Z), C(0-9) and C(_), and does not start with a digit or
            C(PARTICLE_). A value is a string. A number or boolean becomes its text, such as V(30) or V(true). A device
            can have 100 variables of its own, and all its variables together can have 16 KB.
          - The variables of a device override the variables of its product that have the same name. Changed variables
            are rolled out at once, and a device that is online restarts. The result names such devices.
          - If other variables of the device have edits that were not rolled out, the device fails before its first
            write, because the rollout would publish these edits, too.
          - For each device that declares variables, one more request reads its variables.
          - Requires O(product), and Device OS 6.4 or newer. Older devices never get variables, so the module warns
            about them.
        version_added: 0.2.0
        type: dict
      from_product:
        description:
          - Id or slug of another product of the account, from which the device is moved if it is there. A device that
            is in neither product is imported, and a device that is already in O(product) is left there.
          - The device keeps its name, its notes, and its groups that also exist in O(product), except where the
            corresponding key is declared. A member of a network must declare O(devices[].mesh).
          - A device can be in one product only, so it leaves the other product before it is imported. If the run is
            interrupted between these two steps, the next run imports the device. Until the device is in the groups that
            it keeps, a line in its notes names these groups, so that the next run can restore them.
          - The other product is read only if a device is not in O(product) yet.
          - Requires O(product).
        version_added: 0.2.0
        type: str
      replaces:
        description:
          - Id, label or name of the replaced device, which is a device of the product. A name is looked up among the
            other devices only, so this device can have the same name. If this device already has another declared name,
            and a device still has the name in O(devices[].replaces), the task is refused, because it may be a later
            device of this name. Use the id instead.
          - This device gets the name, notes, device groups, firmware lock and membership of the replaced device, unless
            these keys are declared. Then the replaced device leaves its network, and finally the product. The result
            names its SIM, which is not released.
          - A mapping with the key C(device) has the same meaning as its value. With C(environment=true), the mapping
            also keeps the environment variables of the replaced device itself, with their values of the last rollout.
            Variables in O(devices[].environment) take precedence.
          - A replaced device that is not in the product counts as replaced. If the run is interrupted, the next run
            continues the replacement. Until then, the words "replaced by" and the id of the new device can follow the
            name of the replaced device.
          - If the replaced device answers a ping, the task fails before the first write, unless O(confirm) contains
            V(replace_online).
          - The membership of a node is kept in a network of O(networks) with O(networks.<name>.backend=ledger). For a
            gateway, and for other networks, declare O(devices[].mesh). A firmware lock that belongs to a rollout is not
            kept.
          - The replaced device does not count as a removal for O(max_removals), because another device takes its place.
          - Requires O(product).
        version_added: 0.2.0
        type: raw
      claimed:
        description:
          - Whether the account should have a claim to the device. V(true) claims the device, and V(false) gives up the
            claim.
          - Devices of a product do not need a claim. Without O(product), a device must be online to be claimed, and
            V(false) cannot be combined with O(devices[].name) or O(devices[].notes) if O(state=present).
        type: bool
      mesh:
        description:
          - Network to which the device belongs. A device can be in one network only.
          - Requires O(product), unless the network has O(networks.<name>.backend=networks) or
            O(networks.<name>.backend=thread).
        type: dict
        suboptions:
          network:
            description: Name of the network, as in O(networks). Required if O(devices[].mesh.state=present).
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
              - Key with which the device joins (PSKd), 6 to 32 digits and upper-case letters except C(I), C(O), C(Q)
                and C(Z).
                It is a secret, and the task never shows it.
              - Requires a network with O(networks.<name>.backend=thread). Without this key, the device must already be
                a member.
            type: str
          state:
            description:
              - Whether the device is in a network. V(absent) removes the device from any network, and cannot be
                combined with other keys of C(mesh).
            type: str
            choices: [present, absent]
            default: present
      state:
        description:
          - Whether the device remains in the fleet.
          - V(absent) removes the device from its network, its device groups and the product, while the other devices
            are brought to their declared state. The claim is given up only if O(devices[].claimed=false) is set.
            Without O(product), O(devices[].claimed=false) is required. All other keys of the device except its
            identifiers are ignored, and another device may have its name. The device counts as a removal, see
            O(max_removals). The result names its SIM, which is not released.
          - Cannot be V(present) with O(state=absent), which removes all devices.
        version_added: 0.2.0
        type: str
        choices: [present, absent]
        default: present
  networks:
    description:
      - Networks of the fleet, as a mapping from the name of each network to its settings.
      - The members of a network are its gateways and its nodes. The gateways connect the network to the cloud.
      - Gateways join before nodes. If a gateway is replaced, the old gateway leaves after the new gateway has joined.
        With backend V(networks), a network of type V(micro_wifi) or V(micro_cellular) can have one gateway only, so the
        old gateway leaves first.
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
              - Ids of gateways that are not among O(devices), for example because another manifest declares them.
              - Except with backend V(thread), a network that has nodes must have a gateway, either here or among
                O(devices).
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
  groups_mode:
    description:
      - How to change the groups of devices that declare O(devices[].groups).
      - V(add) adds the devices to the declared groups, and keeps their other groups.
      - V(exact) also removes each device from all groups that are not declared for this device. Groups of networks,
        whose names start with C(mesh-), are not affected.
      - The default is V(add).
    type: str
    choices: [add, exact]
  unique_names:
    description:
      - Whether each name may be used for one device only. If V(true) and two devices have the same name, the task fails
        before the first request.
      - The default is V(true).
    type: bool
  undeclared:
    description:
      - How to treat devices of the product that are not declared. Without O(product), how to treat devices of the
        account that are not declared. Gateways in O(networks.<name>.gateways) count as declared.
      - V(ignore) ignores these devices.
      - V(report) returns their number and ids as RV(undeclared), and names their number in C(msg).
      - V(fail) fails before the first write if there are such devices.
      - V(remove) removes these devices from the product, their networks and their device groups. Without O(product), it
        gives up their claims. Each of these devices counts as a removal, see O(max_removals). If a declared device is
        unknown to the cloud, is refused, or cannot be imported or claimed, one of the undeclared devices may be this
        device. In this case, none of them is removed, and the task shows a warning.
      - Cannot be V(fail) or V(remove) if the task declares only a part of the fleet. This is the case with
        O(lock=none), and with O(from_inventory=true) if hosts outside of the batch declare devices.
      - Cannot be V(remove) if no devices are declared, or if a host in the batch with O(from_inventory=true) declares
        no device.
      - The default is V(report), or V(ignore) with O(state=absent) and for a part of the fleet.
    version_added: 0.2.0
    type: str
    choices: [ignore, report, fail, remove]
  name_template:
    description:
      - Template for the names of devices that declare no name, for example C({network}-{role}-{index:3}).
      - C({index}) is the position of the device in O(devices), starting at 1. C({index:3}) pads it with zeros to three
        digits. With O(from_inventory=true), C({index}) is not available.
      - C({id}), C({serial_number}), C({iccid}), C({imei}), C({network}) and C({role}) are the declared values of the
        device. C({serial_number:6}) uses only the last six characters.
      - The template must contain C({index}) or an identifier. Literal braces are written as C({{) and C(}}). In a task,
        mark a template with literal braces as C(!unsafe).
    type: str
  columns:
    description:
      - Keys of the columns of a table, as a mapping from the name of a column to a key such as V(serial_number) or
        V(mesh.network). Columns with V(null) are ignored.
      - Case, spaces and punctuation of the names do not matter.
      - Requires that O(manifest) is a table, or that its devices are a table.
    version_added: 0.2.0
    type: dict
  ignore_columns:
    description:
      - Names of columns of a table that are ignored. Without this option and O(columns), a table with an unknown column
        is refused.
      - Requires that O(manifest) is a table, or that its devices are a table.
    version_added: 0.2.0
    type: list
    elements: str
  state:
    description:
      - State of the devices.
      - V(present) brings the devices to their declared state.
      - V(absent) removes the devices from their networks, their device groups and the product. The claim is given up
        only if O(devices[].claimed=false) is set. Without O(product), O(devices[].claimed=false) is required.
    type: str
    choices: [present, absent]
    default: present
  max_removals:
    description:
      - Maximum number of removals without a confirmation. A device counts as a removal if it would be removed from the
        product, if its claim would be given up, or if its product would no longer accept it. If there are more
        removals, the task fails before the first write. Devices in O(devices[].replaces) are not counted.
      - The default is a tenth of the declared devices, but at least V(1).
    type: int
  confirm:
    description:
      - List of the changes that are confirmed, or a boolean. V(true) means V([removals, mesh_locks, rollout_locks]). A
        task with other changes that require a confirmation fails before the first write.
      - V(removals) allows any number of removals. Without it, the task fails if their number exceeds O(max_removals).
      - V(mesh_locks) allows the task to lock a device of a Particle Mesh network to a firmware version that can require
        a Device OS newer than 1.5.x, which does not support Particle Mesh. No confirmation is required if a device of
        the product already runs this firmware version with Device OS 1.5.x or older.
      - V(replace_online) allows the task to replace devices that answer a ping, see O(devices[].replaces).
      - V(rollout_locks) allows the task to remove locks that a rollout has left, see O(devices[].firmware_lock).
        Without it, they are left alone with a warning, because the devices may get another version when they are
        unlocked.
    type: raw
    default: false
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
      - V(read) reads the changed devices again. A device that still differs from its declaration counts as failed.
      - V(online) also waits until the members of the networks report that they have joined. A member that has not
        joined within O(verify_timeout) is V(pending), unless O(verify_strict=true).
      - In check mode, V(online) does not wait. If there is nothing to change, it reads the states of the members once.
    type: str
    choices: [none, read, online]
    default: read
  verify_timeout:
    description: Maximum time in seconds to wait for members to join their network, with O(verify=online).
    type: int
    default: 300
  verify_strict:
    description:
      - With O(verify=online), whether a device fails if it has not joined its network within O(verify_timeout). If
        V(false), the status of such a device is V(pending), because a sleeping device cannot report that it has joined.
    type: bool
    default: false
  from_inventory:
    description:
      - Whether to take the devices from the hosts of the current batch of the play (see C(serial)) instead of
        O(devices).
      - Each host declares its device in the variable C(particle_device), as a mapping with the keys of O(devices).
        Hosts without this variable are left out with a warning. If no host has the variable, the task fails. The
        product and the networks are declared in O(manifest), or in
        O(product) and O(networks).
      - The task runs once for all hosts. Set C(run_once) and O(fail=false), and add a task with
        M(meshfleet.particle.fleet_outcome), which fails only the hosts whose device failed or was not reached.
    type: bool
    default: false
  on_error:
    description:
      - How to proceed after a device has failed. V(continue) continues with the other devices. V(stop) sends no further
        writes.
      - The run always ends early if every further request would fail as well, for example because the cloud cannot be
        reached.
    type: str
    choices: [continue, stop]
    default: continue
  max_failures:
    description:
      - Maximum number of devices that may fail. If more devices fail, the run sends no further writes.
      - By default, there is no maximum. With O(on_error=stop), this option is ignored.
    type: int
  fail:
    description:
      - Whether the task fails if a device has failed.
      - If V(false), the task still fails if the run ended early, or if something other than a device failed. With
        O(from_inventory=true), the task succeeds in these cases, too, because M(meshfleet.particle.fleet_outcome) fails
        the affected hosts.
      - If the task succeeds only because of this option, RV(error) contains the error.
      - An error before the first write always fails the task.
    type: bool
    default: true
  fail_on_drift:
    description:
      - Whether the task fails in check mode if the fleet is not as declared. Used only in check mode, for example to
        make a scheduled job fail.
      - The fleet is not as declared if the task would change anything, or if there are undeclared devices. Undeclared
        devices do not count with O(undeclared=ignore).
    version_added: 0.2.0
    type: bool
    default: false
  result:
    description:
      - Devices to return in RV(devices). V(all) returns all devices. V(changed) and V(failed) return the devices with
        this status.
      - By default, RV(devices) contains the devices that were changed, have failed or are pending, or only the devices
        that have failed if the task fails. If they are too many for an automation controller, which drops results of
        more than 700,000 characters, RV(devices_omitted) counts the devices that are left out. This option turns the
        limit off.
      - RV(summary) always counts all devices, and RV(outcomes_path) always contains all devices.
    type: str
    choices: [all, changed, failed]
  lock:
    description:
      - Whether to prevent several runs from managing the same product at the same time.
      - V(run) allows only one run at a time for each cloud and product. A second run fails with error code
        V(run_in_progress). Only runs of the same user on the same machine use the same lock. In check mode, there is no
        lock.
      - V(none) allows several runs at the same time, which must manage different devices.
      - Tasks with M(meshfleet.particle.device) ignore the lock.
    type: str
    choices: [run, none]
    default: run
  progress:
    description:
      - Whether to show the progress of the writes, for example
        C(1,250/10,000 | 31/s | ETA 0:04:42 | 2 failed | 95 % of budget). Only devices that need a change are counted.
        The rate is the average since the first write.
      - On a terminal, the progress is a line that is updated in place and disappears when the task ends. Otherwise, a
        new line is printed every five seconds. The progress is printed to the standard error output, and is never
        logged.
      - The progress is not shown in check mode, with C(no_log), under ansible-runner, and with callback plugins whose
        output is read by programs, such as C(ansible.posix.json) and C(ansible.posix.jsonl).
    type: bool
    default: true
seealso:
  - module: meshfleet.particle.fleet_outcome
  - module: meshfleet.particle.device
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.access_token
  - name: Guide to manifests
    description: How to declare a fleet in a file, a table or an inventory.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_manifest.md
  - name: JSON schema of a manifest
    description: >-
      Begin the file with C(# yaml-language-server: $schema=) and this address, and your editor completes and checks it.
    link: https://raw.githubusercontent.com/meshfleet/particle/main/docs/manifest.schema.json
  - name: Guide to networks
    description: How networks form, change and are verified.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_mesh.md
  - name: Mesh contract
    description: Requirements for the firmware of devices in networks with backend V(ledger).
    link: https://github.com/meshfleet/particle/blob/main/docs/mesh_contract.md
  - name: Guide to large fleets
    description: How to provision a large fleet in several runs, and how many requests this takes.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_scaling.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Bring a fleet to the state that its manifest declares
  meshfleet.particle.fleet:
    manifest: fleet.yml

- name: Use a manifest that is a template
  meshfleet.particle.fleet:
    manifest: "{{ lookup('ansible.builtin.template', 'fleet.yml.j2') | from_yaml }}"

- name: End the run if more than 10 devices fail
  meshfleet.particle.fleet:
    manifest: fleet.yml
    max_failures: 10

- name: Remove the devices of the product that the manifest does not declare, at most five
  meshfleet.particle.fleet:
    manifest: fleet.yml
    undeclared: remove
    max_removals: 5

- name: Fail in check mode if the fleet is not as declared
  meshfleet.particle.fleet:
    manifest: fleet.yml
    fail_on_drift: true
  check_mode: true

- name: Return the devices that failed, instead of failing the task
  meshfleet.particle.fleet:
    manifest: fleet.yml
    result: failed
    fail: false
  register: fleet

- name: Show why they failed
  ansible.builtin.debug:
    msg: "{{ item.identifier }}: {{ item.error.message }} {{ item.error.hint }}"
  loop: "{{ fleet.devices }}"
  loop_control:
    label: "{{ item.identifier }}"

- name: Declare a fleet in the task, with a network of one gateway and one node
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      barn:
        parameters:
          channel: 15
          power: 0
    devices:
      - id: e00fce68aabbccddeeff0022
        name: barn-gateway
        notes: North wall, beside the window
        groups: [north, beta]
        mesh:
          network: barn
          role: gateway
          parameters:
            power: 8
      - id: e00fce68aabbccddeeff0023
        name: barn-door
        mesh:
          network: barn
    verify: online

- name: Lock a device to version 42 of the product firmware, and remove the lock of another device
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0022
        firmware_lock: 42
      - id: e00fce68aabbccddeeff0023
        firmware_lock: unlocked

- name: Set an environment variable of a device, and remove another one
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0022
        environment:
          POLL_S: 30
          DEBUG_HOST:
            state: absent

- name: Let a device in quarantine into the product, and keep another device out
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0022
        approval: approved
      - id: e00fce68aabbccddeeff0031
        approval: denied

- name: Remove a device from its network and from all groups
  meshfleet.particle.fleet:
    product: field-logger
    groups_mode: exact
    devices:
      - id: e00fce68aabbccddeeff0023
        groups: []
        mesh:
          state: absent

- name: Add a node to a network whose gateway is declared elsewhere
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      barn:
        gateways:
          - e00fce68aabbccddeeff0022
    devices:
      - id: e00fce68aabbccddeeff0023
        mesh:
          network: barn

- name: Dissolve a network
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      shed:
        state: absent
    devices: []

- name: Bring all hosts of the play to the state that their particle_device declares
  meshfleet.particle.fleet:
    product: field-logger
    networks:
      barn: {}
    from_inventory: true
    fail: false
  run_once: true
  register: fleet

- name: Fail only the hosts whose device failed
  meshfleet.particle.fleet_outcome:
    fleet: "{{ fleet }}"

- name: Provision the devices of a table, and name them after their serial numbers
  meshfleet.particle.fleet:
    manifest: line-7.csv
    product: field-logger
    name_template: "logger-{serial_number:6}"

# This removes all devices of the manifest. More than max_removals are removed only with confirm.
- name: Remove the same devices from the product
  meshfleet.particle.fleet:
    manifest: line-7.csv
    product: field-logger
    state: absent
    confirm: [removals]

- name: Move a device out of another product of the account, and give it another name
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0024
        from_product: field-logger-staging
        name: barn-spare

- name: Replace a broken device, and keep its variables
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0022
        replaces:
          device: barn-logger
          environment: true

- name: Remove one device from the product, and keep the others
  meshfleet.particle.fleet:
    product: field-logger
    devices:
      - id: e00fce68aabbccddeeff0022
        name: barn-gateway
      - id: e00fce68aabbccddeeff0029
        state: absent

- name: Claim and name a device of the account
  meshfleet.particle.fleet:
    devices:
      - id: e00fce68aabbccddeeff0011
        name: greenhouse-01
        claimed: true
"""

RETURN = r"""
msg:
  description:
    - If the task succeeds, a sentence with the numbers of devices, which is also printed at any verbosity. It is not
      printed with C(no_log), and with callback plugins whose output is read by programs. If devices with SIMs leave the
      product, another sentence names up to three of the SIMs.
    - If the task fails, the error. If devices failed, up to ten of them are named, each with its place in the manifest.
  returned: always
  type: str
  sample: "1,000 devices: 9 changed, 991 unchanged."
summary:
  description: Number of devices, in total and by status.
  returned: unless the task fails before the first write
  type: dict
  contains:
    total:
      description: Number of all devices.
      type: int
      returned: always
      sample: 1000
    ok:
      description: Number of devices that needed no change.
      type: int
      returned: always
      sample: 990
    changed:
      description: Number of devices that were changed. In check mode, number of devices that would be changed.
      type: int
      returned: always
      sample: 9
    failed:
      description: Number of devices that failed.
      type: int
      returned: always
      sample: 1
    pending:
      description: Number of devices that are not in their declared state yet, but have not failed.
      type: int
      returned: always
      sample: 0
    networks:
      description: Same value as RV(networks).
      type: dict
      returned: if networks are declared
      sample:
        barn:
          gateways: 1
          nodes: 99
          joined: 100
          pending: 0
          lost: 0
devices:
  description:
    - Outcomes of devices, in the order of the manifest. Undeclared members of dissolved networks and replaced devices
      come last. O(result)
      determines which devices are contained.
  returned: unless the task fails before the first write
  type: list
  elements: dict
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
        - V(failed) means that an error occurred, which RV(devices[].error) describes.
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
        - Whether check mode cannot predict if the cloud would accept the device. The lists of the account do not show a
          device that is in no product and that the account has not claimed, so the id or label may be wrong.
        - An undeclared device is uncertain if it is removed only after the cloud has accepted such a device.
        - Check mode knows the other products of the account. A device of another product has the status V(failed). At
          most 20 pages of the lists of other products are read, so a device on another page is uncertain too.
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
    replaced_by:
      description: Identifier of the device that replaces this device.
      type: str
      returned: if the device is replaced and still in the product
      sample: P046AB123456789
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
devices_omitted:
  description:
    - Number of devices that RV(devices) leaves out because the result would become too large. Devices that O(result)
      does not select are not counted. RV(outcomes_path) contains all devices.
  returned: unless the task fails before the first write
  type: int
  sample: 0
managed:
  description:
    - Declared names of the devices that are in their declared state after the task, keyed by device id. These are the
      devices with the status V(ok) or V(changed). Empty in check mode.
    - An automation controller counts these devices as managed by the job.
    - The value is limited for automation controllers, even with O(result). If the names of thousands of devices are too
      long, they are V(null). If there are more than about 14,000 devices, the other devices are left out with a
      warning.
  returned: success, or failure under ansible-runner, because Ansible prints the result of a failed task
  type: dict
  sample:
    e00fce68aabbccddeeff0022: barn-gateway
outcomes_path:
  description:
    - Path of a temporary file on the controller with the outcome of each device as one line of JSON. Each line has the
      keys of RV(devices). With O(from_inventory=true), the lines also have the keys C(host) and C(run_error).
    - The file is deleted when the playbook ends. To keep it, copy it with M(ansible.builtin.copy), delegated to
      C(localhost). V(null) if the file could not be written.
  returned: unless the task fails before the first write
  type: str
  sample: ~/.ansible/tmp/ansible-local-123/fleet-outcomes-abc.jsonl
undeclared:
  description: Devices of the product or of the account that are not declared.
  returned: with O(undeclared=report), unless the task fails before the first write
  type: dict
  contains:
    count:
      description:
        - Number of these devices.
        - If the task declares a few devices of a large product, the other devices are counted without reading all of
          them. The number then includes devices that the product has denied.
      type: int
      returned: always
      sample: 2
    ids:
      description: Ids of these devices, at most 100.
      type: list
      elements: str
      returned: always
      sample: [e00fce68aabbccddeeff0044, e00fce68aabbccddeeff0045]
networks:
  description:
    - Numbers of members of each declared network, keyed by the name of the network.
    - C(gateways) and C(nodes) are the numbers of declared gateways and nodes.
    - C(joined), C(pending) and C(lost) are the numbers of members by their state, as in RV(devices[].mesh). Members
      that are in another network are included in C(pending). These numbers require O(verify=online). In check mode,
      they are returned only if there is nothing to change.
  returned: unless the task fails before the first write
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
    - Whether the run ended before all devices were written and verified. RV(error) contains the reason.
  returned: unless the task fails before the first write
  type: bool
  sample: false
hosts:
  description:
    - Outcomes of the devices, keyed by host name. Only hosts that declare a device are included. Each outcome has the
      keys of RV(devices), and C(run_error).
    - C(run_error) is the error of the run, with the keys of RV(error), if the host must fail although its device has
      not failed. It is V(null) otherwise.
    - If the run ended early, C(run_error) is set for the hosts whose device was not reached. It is set for all hosts if
      the changes could not be verified, or if something other than a device of a host failed.
    - If the outcomes of all hosts are too large for an automation controller, this key is left out. This happens from
      about 1,500 changed hosts on. Use M(meshfleet.particle.fleet_outcome), which then reads RV(outcomes_path), or set
      O(result).
  returned: with O(from_inventory=true), unless the task fails before the first write or there are too many hosts
  type: dict
  sample:
    barn-gateway:
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

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_options
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import RECONCILE
from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import BULK_SPEC, VERIFY_SPEC

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
    manifest={"type": "raw"},
    product={"type": "str"},
    devices={"type": "list", "elements": "raw"},
    networks={"type": "dict"},
    groups_mode={"type": "str", "choices": ["add", "exact"]},
    unique_names={"type": "bool"},
    undeclared={"type": "str", "choices": ["ignore", "report", "fail", "remove"]},
    name_template={"type": "str"},
    columns={"type": "dict"},
    ignore_columns={"type": "list", "elements": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    max_removals={"type": "int"},
    confirm={"type": "raw", "default": False},
    **BULK_SPEC,
    **list_options(RECONCILE),
    **VERIFY_SPEC,
    from_inventory={"type": "bool", "default": False},
    on_error={"type": "str", "choices": ["continue", "stop"], "default": "continue"},
    max_failures={"type": "int"},
    fail={"type": "bool", "default": True},
    result={"type": "str", "choices": ["all", "changed", "failed"]},
    fail_on_drift={"type": "bool", "default": False},
    lock={"type": "str", "choices": ["run", "none"], "default": "run"},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
