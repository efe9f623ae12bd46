#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret
short_description: Create, change and remove secrets of the cloud
version_added: 0.2.0
description:
  - Manages one secret of the cloud. Webhooks and other integrations can use the secret by its name, as in
    C({{{GRAFANA_TOKEN}}}), and then contain nothing secret themselves.
  - A secret does not belong to a product, but to the owner of the product. The owner is the organization of the
    product, or the account if the product has no organization. All products of the owner share its secrets, so a task
    for one product also changes the secret for the other products.
  - The cloud never shows the value of a secret. The module therefore cannot compare the value, and writes it without a
    comparison, see O(update_secrets).
  - A new value takes effect at once in every integration and Logic function that uses the secret.
  - If the response to a request is lost, the module reads the list of secrets again. A secret that exists then was
    created with the value of the task.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product and to the secrets of its owner. The cloud does not allow API users to manage secrets.
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
    details:
      - The diff shows whether the value is written, but never the value.
  idempotent:
    support: partial
    details:
      - With O(update_secrets=always), the task writes the value in every run.
options:
  product:
    description: Id or slug of a product. The secret belongs to the owner of this product.
    type: str
    required: true
  name:
    description:
      - Name of the secret, with up to 128 upper-case letters, digits and underscores. It does not begin with a digit.
        The module cannot rename a secret.
    type: str
    required: true
  value:
    description:
      - Value of the secret. It must be a string. Put a number in quotes, because YAML would read it without its leading
        zeros.
      - Required to create a secret.
    type: raw
  update_secrets:
    description:
      - When to write the value, which cannot be compared.
      - V(on_create) writes the value only if the secret does not exist yet. A new value is not written to an existing
        secret.
      - V(always) writes the value in every run. The task then always reports a change.
    type: str
    choices: [on_create, always]
    default: on_create
  state:
    description:
      - Whether the secret should exist.
      - V(absent) removes the secret. The task fails if an integration or a Logic function uses the secret.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: meshfleet.particle.integration
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Create the secret that a webhook uses
  meshfleet.particle.secret:
    product: field-logger
    name: BARN_TOKEN
    value: "{{ barn_token }}"

- name: Send readings to a server, with the secret
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    event: reading
    url: https://hooks.example.net/readings
    headers:
      Authorization: !unsafe "Bearer {{{BARN_TOKEN}}}"

- name: Replace the value, because the old token has expired
  meshfleet.particle.secret:
    product: field-logger
    name: BARN_TOKEN
    value: "{{ new_barn_token }}"
    update_secrets: always

- name: Remove a secret that is not in use
  meshfleet.particle.secret:
    product: field-logger
    name: OLD_TOKEN
    state: absent
"""

RETURN = r"""
secret:
  description:
    - The secret after the task, without its value. In check mode, the secret as it would be, with the times before the
      change. V(null) if the secret does not exist.
  returned: if the secrets were read
  type: dict
  contains:
    name:
      description: Name of the secret.
      type: str
      returned: always
      sample: BARN_TOKEN
    created_at:
      description: Time at which the secret was created. V(null) if check mode would create it.
      type: str
      returned: always
      sample: "2026-03-02T09:30:00.000Z"
    updated_at:
      description: Time at which the value was last written.
      type: str
      returned: always
      sample: "2026-03-02T09:30:00.000Z"
    last_accessed_at:
      description: Time at which an integration or a Logic function last used the value. V(null) if none has used it.
      type: str
      returned: always
      sample: "2026-03-05T12:00:00.000Z"
    integrations:
      description:
        - Names of the integrations that use the secret, in all products of the owner. V(null) if check mode would
          create the secret.
      type: list
      elements: str
      returned: always
      sample:
        - readings to the barn server
    logic_functions:
      description: Names of the Logic functions that use the secret. V(null) if check mode would create the secret.
      type: list
      elements: str
      returned: always
      sample: []
not_compared:
  description: Contains V(value) if the task sets the value, because the cloud never shows the value.
  returned: if the secrets were read
  type: list
  elements: str
  sample:
    - value
msg:
  description: Message and hint of the error, or a note that the value could not be compared.
  returned: if the value could not be compared, or on failure
  type: str
  sample: >-
    The cloud does not show these secrets of cloud secret BARN_TOKEN, so they cannot be compared: value. They were left
    as they are; set update_secrets to always to write them.
changes:
  description: Contains V(value) if the value is written. The value itself is masked.
  returned: if the secrets were read
  type: dict
  sample:
    value:
      before: null
      after: "********"
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

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import read_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.secrets import SECRETS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import UPDATE_SECRETS

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    update_secrets={"type": "str", "choices": list(UPDATE_SECRETS), "default": "on_create", "no_log": False},
    **SECRETS.build_option_specs(),
)


def secret(task: Task) -> dict[str, Any]:
    """Bring the cloud secret to the state that the options declare."""
    declared, update_secrets = read_declared(SECRETS, task.options), task.options["update_secrets"]
    with task.open_product() as target:
        result = reconcile_resource(
            target, SECRETS, declared, check_mode=task.check_mode, update_secrets=update_secrets
        )
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, secret)


if __name__ == "__main__":
    main()
