#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware
short_description: Upload, release and remove firmware versions of a product
version_added: 0.2.0
description:
  - Manages one firmware version of a product. Firmware versions are numbers, which the macro C(PRODUCT_VERSION) sets in
    the source code of the application.
  - The module reads the binary or the bundle before it uploads the file. It refuses a file that is damaged or too
    large, that was built for another platform, another product or another version, and a bundle whose assets do not
    match the binary. The error code is V(wrong_binary), the message contains all reasons, and nothing is written.
  - A version that exists is never replaced. If the uploaded bytes are equal to those of O(file), only the settings and
    the release are compared. If the bytes differ, the task fails. The sizes are compared first. If they are equal, the
    module downloads the version once.
  - If an option is not set, the setting remains unchanged.
  - If the response to an upload is lost, the module reads the list of versions and compares the bytes. It sends the
    file again only if the version does not exist.
  - With C(-v), the task shows the progress of an upload.
  - A release does not show whether devices are updated. Devices with a firmware lock and development devices are not
    updated.
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
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  file:
    description:
      - Path of the firmware file, which is a binary, or a bundle of a binary and its assets whose name ends with
        C(.zip). A relative path is searched in the folder C(files) of the role or playbook, and beside the playbook.
      - If a task is delegated to a host with a remote connection, or runs in the background with C(async), the path
        must be an absolute path on the host where the module runs.
      - Required to upload a version. Without it, the settings and the release of an existing version can be changed.
    type: path
  version:
    description:
      - Version number, from 1 to 65534. Defaults to the version in O(file).
      - If it is set together with O(file), it must be the version in the binary.
      - Required without O(file).
    type: int
  title:
    description:
      - Title of the version. If it is not set when a version is uploaded, the title is C(v) and the version number.
    type: str
  description:
    description: Description of the version. V("") removes the description.
    type: str
  mandatory:
    description:
      - Whether devices must be updated to this version before they can be updated to a later version. This is a feature
        of enterprise plans.
    type: bool
  release:
    description:
      - Devices to which the version is released. Fields that are not set remain unchanged.
      - The cloud releases only a version that has run on a device of the product. Flash it to a development device
        first, or lock a device to it, see O(meshfleet.particle.device#module:firmware_lock).
    type: dict
    suboptions:
      default:
        description:
          - Whether the version is the default of the product. The default is for devices that are in no group with a
            release. V(false) ends the release of this version as default.
        type: bool
      groups:
        description:
          - Names of all device groups to which the version is released. The release to other groups ends. V([]) ends
            the release to all groups.
          - A group has one released version. If another version is released to a group, that release ends, and
            RV(ended_releases) names the other version.
          - The groups must exist. If a device is in several groups, the highest released version applies.
        type: list
        elements: str
      intelligent:
        description:
          - Whether online devices are updated at once, which restarts them. With V(false), devices are updated when
            they start their next session.
          - This field is compared only if the version is released to any devices.
        type: bool
  state:
    description:
      - Whether the version should exist.
      - V(absent) removes the version, and fails if the version is released, or if a device runs it, is locked to it or
        is to be updated to it, or if its rollout is not over. The cloud refuses to remove a version that was ever
        released.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.firmware_info
  - module: meshfleet.particle.device
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Upload a version, whose number is in the binary
  meshfleet.particle.firmware:
    product: field-logger
    file: app.bin
    title: Faster reconnect

- name: Fail if the binary is not version 8
  meshfleet.particle.firmware:
    product: field-logger
    file: app.bin
    version: 8

- name: Release a version that has run on a device, and update online devices at once
  meshfleet.particle.firmware:
    product: field-logger
    version: 42
    release:
      groups: [north]
      intelligent: true

- name: End the release
  meshfleet.particle.firmware:
    product: field-logger
    version: 42
    release:
      default: false
      groups: []

- name: Remove a version that no device uses
  meshfleet.particle.firmware:
    product: field-logger
    version: 8
    state: absent
"""

RETURN = r"""
firmware:
  description:
    - The version after the task. In check mode, the version as it would be. V(null) if the version does not exist.
  returned: if the version was read
  type: dict
  contains:
    id:
      description: Id of the firmware version. V(null) if check mode would upload it.
      type: str
      returned: always
      sample: 65aa00bb11cc22dd33ee44ff
    version:
      description: Version number.
      type: int
      returned: always
      sample: 8
    title:
      description: Title of the version.
      type: str
      returned: always
      sample: Faster reconnect
    description:
      description: Description of the version.
      type: str
      returned: always
      sample: ""
    mandatory:
      description: Whether devices must be updated to this version before they can be updated to a later version.
      type: bool
      returned: always
      sample: false
    name:
      description: Name of the uploaded file.
      type: str
      returned: always
      sample: app.bin
    size:
      description: Size of the uploaded file in bytes.
      type: int
      returned: always
      sample: 40960
    release:
      description: The devices to which the version is released.
      type: dict
      returned: always
      contains:
        default:
          description: Whether the version is the default of the product.
          type: bool
          returned: always
          sample: false
        groups:
          description: Names of the device groups to which the version is released, sorted.
          type: list
          elements: str
          returned: always
          sample:
            - beta
        intelligent:
          description: Whether the release updates online devices at once.
          type: bool
          returned: always
          sample: false
    device_count:
      description: Number of devices that run the version. V(null) if the cloud does not count them.
      type: int
      returned: always
      sample: 3
    uploaded_on:
      description: Time of the upload. V(null) if check mode would upload it.
      type: str
      returned: always
      sample: "2026-03-02T08:00:01.120Z"
    uploaded_by:
      description: Username of the account that uploaded the file. V(null) if check mode would upload it.
      type: str
      returned: always
      sample: jane@example.com
    updated_at:
      description: Time of the last change. V(null) if check mode would upload it.
      type: str
      returned: always
      sample: "2026-03-02T08:00:01.120Z"
file:
  description: The contents of O(file).
  returned: if O(file) is set and the version was read
  type: dict
  contains:
    name:
      description: Name of the file without its folder.
      type: str
      returned: always
      sample: app.bin
    size:
      description: Size of the file in bytes.
      type: int
      returned: always
      sample: 40960
    sha256:
      description: SHA-256 of the whole file, in hexadecimal digits.
      type: str
      returned: always
      sample: 9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de
    version:
      description: Version that the macro C(PRODUCT_VERSION) sets. V(null) if the binary has none.
      type: int
      returned: always
      sample: 8
    platform_id:
      description: Id of the platform for which the binary was built.
      type: int
      returned: always
      sample: 13
    platform:
      description: Name of this platform.
      type: str
      returned: always
      sample: boron
    product_id:
      description:
        - Product id in the binary. Since Device OS 4.0, a binary contains the platform id in its place. V(null) if the
          binary has none.
      type: int
      returned: always
      sample: 13
    device_os_module_version:
      description:
        - Module version of the oldest Device OS with which the application runs, for example V(4200) for Device OS
          4.2.0. V(null) if the binary does not name it.
      type: int
      returned: always
      sample: 4200
    app_hash:
      description:
        - Hash of the binary. A device reports it in the event C(spark/device/app-hash) when it runs the binary.
      type: str
      returned: always
      sample: 5f2c1d0e8b7a69584736251403f2e1d05f2c1d0e8b7a69584736251403f2e1d0
    assets:
      description: Assets that the binary needs, with C(name), C(sha256) and C(size). V([]) without assets.
      type: list
      elements: dict
      returned: always
      sample: []
    problems:
      description: Sentences about what is wrong with the file itself, without a comparison with a product.
      type: list
      elements: str
      returned: always
      sample: []
impact:
  description:
    - Number of devices that the release would update, in C(total), and by their current version, in C(by_version).
  returned: in check mode, if the release of an existing version would change, and the cloud returns the numbers
  type: dict
  sample:
    total: 42
    by_version:
      - version: 7
        total: 42
changes:
  description:
    - Changed settings, each with its value before and after the change. If the task fails after its first write, the
      changes that were not made are missing.
  returned: if the version was read
  type: dict
  sample:
    release.groups:
      before: []
      after:
        - beta
ended_releases:
  description:
    - Releases of other versions that the release of this version ends, each with RV(ended_releases[].version) and
      RV(ended_releases[].changes). A device group has one released version, and a product has one default.
  returned: if the version was read
  type: list
  elements: dict
  contains:
    version:
      description: Version number of the other version.
      type: int
      returned: always
      sample: 7
    changes:
      description: Changed fields of its release, each with its value before and after the change.
      type: dict
      returned: always
      sample:
        release.default:
          before: true
          after: false
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

from functools import partial
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.checks import (
    choose_version,
    refuse_other_version,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import read_firmware_file
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import SETTINGS, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.reconcile import reconcile_version
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.removal import remove_version
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import (
    refuse_version_of_rollout,
)

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    file={"type": "path"},
    version={"type": "int"},
    title={"type": "str"},
    description={"type": "str"},
    mandatory={"type": "bool"},
    release={
        "type": "dict",
        "options": {
            "default": {"type": "bool"},
            "groups": {"type": "list", "elements": "str"},
            "intelligent": {"type": "bool"},
        },
    },
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
)


def firmware(task: Task) -> dict[str, Any]:
    """Bring the firmware version to the state that the options declare."""
    options = task.options
    if options["title"] == "":
        raise ParticleError("invalid_option", "title must not be empty.", hint="Correct title, or leave it out.")
    file = None if options["file"] is None else read_firmware_file(options["file"])
    version = choose_version(file, options["version"])
    if file is not None and options["state"] == "absent":
        refuse_other_version(file, version)
    declared = Declared(
        version,
        {name: options[name] for name in SETTINGS if options[name] is not None},
        {name: value for name, value in (options["release"] or {}).items() if value is not None},
    )
    with task.open_product() as target:
        if options["state"] == "absent":
            check = partial(refuse_version_of_rollout, target, version)
            outcome = remove_version(target, version, check, check_mode=task.check_mode)
        else:
            outcome = reconcile_version(target, declared, file, task.say, check_mode=task.check_mode)
    read = {} if file is None else {"file": file.as_result()}
    return task.show_diff({**outcome.as_result(), **read})


def main() -> None:
    """Run the module."""
    run_module(SPEC, firmware)


if __name__ == "__main__":
    main()
