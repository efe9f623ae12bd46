#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_user
short_description: Create, change and remove API users of a product, and replace their tokens
version_added: 0.2.0
description:
  - Manages one API user of a product. An API user is an account for programs. It has an access token that never
    expires, and may make only the calls for which it has scopes.
  - The cloud shows the token of an API user only once, when it creates the user. Set O(user_token_file) to store the
    token in a file. Otherwise the task returns the token in RV(api_user.token).
  - If the scopes change, the cloud revokes the token at once. Therefore the module does not change an API user in
    place. It creates a second API user, whose name is O(name) followed by C(next) in parentheses, stores and verifies
    the new token, removes the first API user, and renames the second one. If a run is interrupted, the next run
    continues it. The username of the API user changes, because the cloud generates it.
  - If an option is not set, the setting remains unchanged.
  - Needs the credentials of a person, for example O(username) and O(password), because API users cannot manage API
    users. The account must be allowed to manage the team of the product.
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
    details: Check mode cannot predict the username of an API user that the task would create.
  diff_mode:
    support: full
    details: The line C(token) says whether the token will be replaced. The token itself is not shown.
  idempotent:
    support: partial
    details: With O(rotate=true), every run replaces the token.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  name:
    description:
      - Friendly name of the API user. The module cannot rename an API user.
      - Names that end with C(next) in parentheses are refused. They are reserved for API users whose tokens are
        replaced.
    type: str
    required: true
  scopes:
    description:
      - Scopes of the API user, such as V(devices:list). Their order is ignored.
      - Required to create an API user, unless O(scopes_for) is set.
      - If O(scopes_for) is set too, the API user gets the scopes of both options.
    type: list
    elements: str
  scopes_for:
    description:
      - Contents of this collection for which the API user gets the scopes. The guide to service users lists the scopes
        for each content.
      - The name of a module, role or inventory plugin stands for all its options with which API users can use it.
      - V(devices) is the inventory plugin P(meshfleet.particle.devices#inventory).
    type: list
    elements: str
    choices:
      - device
      - device_call
      - device_facts
      - device_group
      - device_info
      - devices
      - firmware
      - firmware_info
      - fleet
      - integration
      - ledger
      - product
      - product_info
      - provision
      - publish_event
      - report
      - rollout
      - rollout_info
      - sim
  user_token_file:
    description:
      - Path of the file in which the token of the API user is stored. Its directory must exist. The file is accessible
        to its owner only (mode 0600).
      - Other tasks use the token if they set O(token_file) to this path, and no other credentials. If the file contains
        several API users, they also set O(username) to O(name).
      - Use another file than O(token_file). Tasks with O(token_file) use the token in it that expires last, and the
        token of an API user never expires.
      - If the API user exists, but the file does not contain its token, the task fails unless it replaces the token
        anyway. Set O(rotate=true) to replace the token.
      - If the file contains a token of the API user that the cloud no longer accepts, the token is replaced.
    type: path
  rotate:
    description:
      - Whether to replace the token of an existing API user, even if the scopes do not change.
      - The old token remains valid until the new token is stored and verified.
    type: bool
  state:
    description:
      - Whether the API user should exist.
      - V(absent) removes the API user, and removes its token from O(user_token_file). The token becomes invalid.
    type: str
    choices: [present, absent]
    default: present
notes:
  - If the task returns a token, Ansible hides the result at every verbosity. The registered variable contains the
    complete result. A failed task shows its result, which contains no secrets.
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.auth_doctor
  - name: Guide to service users
    description: Describes how to give a program a token with the least scopes.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_service_users.md
"""

EXAMPLES = r"""
# These tasks need the credentials of a person. They come from the environment, for example PARTICLE_USERNAME and
# PARTICLE_PASSWORD, unless a task sets them.
- name: Create an API user that may read the devices, and store its token
  meshfleet.particle.api_user:
    product: field-logger
    name: nightly-report
    scopes_for: [device_info, report]
    user_token_file: ~/.config/particle-nightly-report.json

- name: Read the devices with the stored token
  meshfleet.particle.device_info:
    product: field-logger
    token_file: ~/.config/particle-nightly-report.json

- name: Replace the token, because it may have leaked
  meshfleet.particle.api_user:
    product: field-logger
    name: nightly-report
    rotate: true
    user_token_file: ~/.config/particle-nightly-report.json

- name: Remove the API user and its token
  meshfleet.particle.api_user:
    product: field-logger
    name: nightly-report
    state: absent
    user_token_file: ~/.config/particle-nightly-report.json

- name: Create an API user whose token is stored elsewhere
  meshfleet.particle.api_user:
    product: field-logger
    name: event-reader
    scopes: [products:get, events:get]
  register: created
"""

RETURN = r"""
api_user:
  description:
    - The API user after the task. In check mode, the API user as it would be. V(null) if the API user does not exist.
  returned: if the API user was read
  type: dict
  contains:
    name:
      description: Friendly name of the API user.
      type: str
      returned: always
      sample: nightly-report
    username:
      description:
        - Username that the cloud has generated. It changes when the token is replaced. V(null) if check mode would
          create an API user.
      type: str
      returned: always
      sample: nightly-report+k3j2h1g0@api.particle.io
    scopes:
      description: Scopes of the API user, in alphabetical order.
      type: list
      elements: str
      returned: always
      sample: [devices:list, products:get]
    token:
      description: Access token of the API user. It is in the registered variable, but is not shown in the output.
      type: str
      returned: if the task has created an API user, and O(user_token_file) is not set
      sample: "(40 hexadecimal digits)"
changes:
  description: Changed settings, each with its value before and after the change.
  returned: if the API user was read
  type: dict
  sample:
    scopes:
      before: [devices:list, products:get]
      after: [devices:get, devices:list, products:get]
    token:
      before: null
      after: "! token will be replaced"
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import build_argument_spec, run_by_action
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.api_users import API_USERS

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    **API_USERS.build_option_specs(),
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
