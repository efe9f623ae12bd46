#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_info
short_description: List the firmware versions of a product, and read a firmware file
version_added: 0.2.0
description:
  - Lists the firmware versions of a product, with the number of devices that run each version and with the devices to
    which each version is released.
  - Reads a firmware file, for example to learn its version or its hash. This makes no API request and needs no
    credentials.
  - Set O(product), O(file) or both. With O(product), credentials are needed, for example O(access_token), or
    O(username) and O(password).
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
    details: The module only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  product:
    description: Id or slug of the product whose versions are listed.
    type: str
  version:
    description: Version number. If it is set, only this version is listed.
    type: int
  file:
    description:
      - Path of a firmware file to read, which is a binary, or a bundle of a binary and its assets whose name ends with
        C(.zip). A relative path is searched in the folder C(files) of the role or playbook, and beside the playbook.
      - If a task is delegated to a host with a remote connection, or runs in the background with C(async), the path
        must be an absolute path on the host where the module runs.
    type: path
seealso:
  - module: meshfleet.particle.firmware
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: List the firmware of a product
  meshfleet.particle.firmware_info:
    product: field-logger
  register: known

- name: Show how many devices run each version
  ansible.builtin.debug:
    msg: "{{ item.version }}: {{ item.device_count }} devices"
  loop: "{{ known.firmware }}"

- name: Read a binary, without an account
  meshfleet.particle.firmware_info:
    file: app.bin
  register: built

- name: Show the version of the binary
  ansible.builtin.debug:
    msg: "Version {{ built.file.version }} for {{ built.file.platform }}"
"""

RETURN = r"""
firmware:
  description: List of versions, sorted by version number.
  returned: with O(product)
  type: list
  elements: dict
  contains:
    id:
      description: Id of the firmware version.
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
      description: Time of the upload.
      type: str
      returned: always
      sample: "2026-03-02T08:00:01.120Z"
    uploaded_by:
      description: Username of the account that uploaded the file.
      type: str
      returned: always
      sample: jane@example.com
    updated_at:
      description: Time of the last change.
      type: str
      returned: always
      sample: "2026-03-02T08:00:01.120Z"
count:
  description: Number of versions.
  returned: with O(product)
  type: int
  sample: 2
file:
  description: The contents of O(file).
  returned: if O(file) is set and can be read
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

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.file import read_firmware_file
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import show_version
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module

SPEC = build_argument_spec(product={"type": "str"}, version={"type": "int"}, file={"type": "path"})


def firmware_info(task: Task) -> dict[str, Any]:
    """Return the firmware versions of a product, and the contents of a firmware file."""
    product, path, version = task.options["product"], task.options["file"], task.options["version"]
    if product is None and (path is None or version is not None):
        message = "Neither product nor file is set." if path is None else "version requires product."
        raise ParticleError("invalid_option", message, hint="Set product.")
    result: dict[str, Any] = {"changed": False}
    if path is not None:
        result["file"] = read_firmware_file(path).as_result()
    if product is not None:
        with task.open_session() as http:
            known = list_firmware(http, get_product(http, product).id)
        chosen = [show_version(row) for number, row in sorted(known.items()) if version in (None, number)]
        result |= {"firmware": chosen, "count": len(chosen)}
    return result


def main() -> None:
    """Run the module."""
    run_module(SPEC, firmware_info)


if __name__ == "__main__":
    main()
