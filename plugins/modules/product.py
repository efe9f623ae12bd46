#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: product
short_description: Bring a product to the state that its definition declares
version_added: 0.2.0
description:
  - A definition is a file or a mapping that declares what a product owns, such as device groups, environment variables,
    integrations, API users and firmware versions. The module creates and changes what differs. What the definition does
    not declare remains unchanged, unless O(prune) names its kind.
  - The devices of a product are declared in a manifest, see M(meshfleet.particle.fleet).
  - M(meshfleet.particle.product_info) exports the definition of an existing product.
  - The whole definition is checked before the first request, and all mistakes are reported together. Then all resources
    are read and compared before the first write.
  - If a resource fails, the module does not write the resources that need it, but it writes all others. In this case,
    it removes nothing. Run the task again after the cause is corrected. A run that was interrupted is continued in the
    same way.
  - In check mode, the result shows what a run would do. To compare two products, export one of them, and apply the
    definition to the other in check mode.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
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
  idempotent:
    support: full
    details: A secret that the cloud does not show is written in every run with O(update_secrets=always).
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  definition:
    description:
      - Path or content of the definition. A relative path is searched like the files of other modules. The file may be
        encrypted with Ansible Vault.
      - A definition is a mapping. Each key is a kind of resource, and its value maps names to settings. The settings
        are the options of the module for one resource of this kind.
      - C(groups) are device groups, see M(meshfleet.particle.device_group).
      - C(ledgers) are the definitions of ledgers, see M(meshfleet.particle.ledger).
      - C(secrets) are secrets of the cloud, see M(meshfleet.particle.secret). The value of a secret can stand directly
        after its name.
      - Ledgers and secrets belong to the owner of the product, and all products of the owner share them.
      - C(environment) are environment variables, each with its value. Devices get the values when they connect the next
        time, see M(meshfleet.particle.product_environment).
      - C(integrations) are webhooks and other integrations, see M(meshfleet.particle.integration).
      - C(api_users) are API users, see M(meshfleet.particle.api_user). The key C(user_token_file) is required if an API
        user gets a new token.
      - C(firmware) are firmware versions, see M(meshfleet.particle.firmware). A new version needs the key C(file), a
        path that is searched beside the definition first.
      - C(sims) are SIMs, keyed by their ICCIDs in quotes, see M(meshfleet.particle.sim). The key C(state) is required
        for a SIM that is not in the product. A SIM is not removed, but released, see O(confirm).
      - A setting that is missing remains unchanged. C(state) with the value C(absent) removes a resource.
      - >-
        C({secret: NAME}) stands for a secret that O(secrets) contains. Without a value, an existing resource keeps its
        secret, and a new resource is refused.
      - A file is not a template. In a task, variables of the cloud such as C({{{PARTICLE_EVENT_VALUE}}}) must be marked
        with C(!unsafe), so that Ansible leaves them alone.
    type: raw
    required: true
  secrets:
    description:
      - Values for the secrets that the definition names, keyed by name. Each value is a string that is not empty.
        A value can be left out if the resources that use it already have this secret.
    type: dict
    default: {}
  update_secrets:
    description:
      - When to write secrets that the cloud does not show and that therefore cannot be compared.
      - V(on_create) writes these secrets only if the resource is created or changed for another reason.
      - V(always) writes these secrets in every run, so that the task is always changed.
    type: str
    choices: [on_create, always]
    default: on_create
  prune:
    description:
      - Kinds of resources to prune. The module removes all resources of these kinds that the definition does not
        declare.
      - Device groups of mesh networks are never removed. Firmware versions must be removed with
        M(meshfleet.particle.firmware), and SIMs must be declared with the state C(released).
      - Ledgers and secrets are refused, because all products of the owner share them.
    type: list
    elements: str
    choices: [groups, ledgers, secrets, environment, integrations, api_users, firmware, sims]
    default: []
  max_removals:
    description:
      - Maximum number of resources that the task may remove without O(confirm=true). If the task would remove more, it
        fails before the first write.
      - The default is a tenth of the existing resources that the task declares or prunes, but at least 1.
    type: int
  confirm:
    description:
      - List of the changes that are confirmed, or a boolean.
      - V([removals]) allows the task to remove any number of resources. V(true) means the same.
      - V([sim_release]) allows the task to release SIMs, up to O(max_removals). Without it, a task fails before it
        would release a SIM.
    type: raw
    default: []
  force:
    description:
      - Whether to remove resources that are in use, such as device groups with devices. See the option O(force) of
        M(meshfleet.particle.device_group).
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.product_info
  - module: meshfleet.particle.fleet
  - module: meshfleet.particle.integration
  - module: meshfleet.particle.device_group
  - module: meshfleet.particle.product_environment
  - module: meshfleet.particle.api_user
  - module: meshfleet.particle.firmware
  - module: meshfleet.particle.ledger
  - module: meshfleet.particle.secret
  - module: meshfleet.particle.sim
  - name: A product as one file
    description: How to export, check and apply a definition, and how to bring it from staging to production.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_product.md
  - name: JSON schema of a definition
    description: >-
      Begin the file with C(# yaml-language-server: $schema=) and this address, and your editor completes and checks it.
    link: https://raw.githubusercontent.com/meshfleet/particle/main/docs/product_definition.schema.json
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Bring a product to the state that its definition declares
  meshfleet.particle.product:
    product: field-logger
    definition: product.yml
    secrets:
      READINGS_TOKEN: "{{ readings_token }}"

- name: Export staging
  meshfleet.particle.product_info:
    product: field-logger-staging
    as_definition: true
  register: staging

- name: Show what differs between staging and production
  meshfleet.particle.product:
    product: field-logger
    definition: "{{ staging.definition }}"
  check_mode: true
  diff: true

- name: Declare two groups, and remove all other groups
  meshfleet.particle.product:
    product: field-logger
    definition:
      groups:
        canary:
          description: Devices on our own roof
        north: {}
    prune: [groups]
"""

RETURN = r"""
resources:
  description:
    - All declared and pruned resources, in the order in which they are written.
  returned: if the resources were read
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the resource, as in the definition.
      type: str
      returned: always
      sample: groups
    name:
      description: Name of the resource, as in the definition.
      type: str
      returned: always
      sample: canary
    status:
      description:
        - Status of the resource. V(pending) means that the cloud shows the change later, or that the run ended before
          it reached the resource.
        - In check mode, the status that the resource would get.
      type: str
      returned: always
      sample: created
    changes:
      description: Changed settings, each with its value before and after the change. Secrets are masked.
      type: dict
      returned: always
      sample:
        description:
          before: null
          after: Devices on our own roof
    not_compared:
      description: Secrets that could not be compared, because the cloud does not show them.
      type: list
      elements: str
      returned: always
      sample: []
    error:
      description: Reason why the resource failed, with the keys of RV(error). V(null) if it did not fail.
      type: dict
      returned: always
      sample: null
summary:
  description: Number of resources, in C(total) and for each value of RV(resources[].status).
  returned: if the resources were read
  type: dict
  sample:
    total: 3
    failed: 0
    pending: 0
    unchanged: 2
    created: 1
    changed: 0
    removed: 0
msg:
  description:
    - The summary in one sentence, followed by the changes that are still pending. In check mode, it also contains the
      number of SIMs that would be activated or released. If the task fails, the message and the hint of the error.
  returned: always
  type: str
  sample: "3 resources: 2 unchanged, 1 created."
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
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ON_CREATE, UPDATE_SECRETS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    definition={"type": "raw", "required": True},
    secrets={"type": "dict", "default": {}, "no_log": True},
    update_secrets={"type": "str", "choices": list(UPDATE_SECRETS), "default": ON_CREATE, "no_log": False},
    prune={"type": "list", "elements": "str", "choices": list(KINDS), "default": []},
    max_removals={"type": "int"},
    confirm={"type": "raw", "default": []},
    force={"type": "bool", "default": False},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
