#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: product_info
short_description: List what a product owns, and export it as a definition
version_added: 0.2.0
description:
  - Returns the device groups, integrations and other resources of a product.
  - With O(as_definition=true), the task also returns the definition that declares all of this. If
    M(meshfleet.particle.product) applies the definition to the same product, it changes nothing. If the definition is
    applied to another product, that product gets the same resources.
  - >-
    A definition contains no secrets. It names each secret, for example as C({secret: READINGS_HEADERS_AUTHORIZATION}).
    If a setting that is not secret contains the text of a secret, such as a password, the export is refused.
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
    details: The module only reads, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  kinds:
    description:
      - Kinds of resources to list. The default is all kinds except C(firmware) and C(sims), which another product
        rarely shares.
      - By default, kinds that the account cannot read are left out, with a warning. For example, the cloud does not
        allow API users to list secrets. A kind that is named here must be readable.
    type: list
    elements: str
    choices: [groups, ledgers, secrets, environment, integrations, api_users, firmware, sims]
  as_definition:
    description: Whether to return RV(definition).
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.product
  - name: A product as one file
    description: How to export, check and apply a definition, and how to bring it from staging to production.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_product.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Export a product
  meshfleet.particle.product_info:
    product: field-logger
    as_definition: true
  register: exported

- name: Write the definition to a file
  ansible.builtin.copy:
    dest: product.yml
    content: "{{ exported.definition | to_nice_yaml(sort_keys=false) }}"
    mode: "0644"
"""

RETURN = r"""
product:
  description: The product.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the product.
      type: str
      returned: always
      sample: "31337"
    slug:
      description: Slug of the product.
      type: str
      returned: always
      sample: field-logger
    platform_id:
      description: Number of the platform of its devices. V(null) if it is not known.
      type: int
      returned: always
      sample: 13
    organization:
      description: Organization that owns the product. V(null) if an account owns it.
      type: str
      returned: always
      sample: null
resources:
  description:
    - The resources, keyed by kind. Each resource has the return values of the module that manages it, such as
      M(meshfleet.particle.device_group). Secrets are masked.
  returned: success
  type: dict
  sample:
    groups:
      - name: canary
        description: Devices on our own roof
        color: "#ff8800"
definition:
  description: Definition for M(meshfleet.particle.product) that declares the resources.
  returned: if O(as_definition=true)
  type: dict
  sample:
    groups:
      canary:
        description: Devices on our own roof
        color: "#ff8800"
secrets:
  description: Names of the secrets in RV(definition), each with the place where it is used.
  returned: if O(as_definition=true)
  type: dict
  sample:
    READINGS_HEADERS_AUTHORIZATION: integrations.readings.headers.authorization
not_exported:
  description: Sentences about the resources and values that RV(definition) cannot contain.
  returned: if O(as_definition=true)
  type: list
  elements: str
  sample:
    - Logs and counters of integrations are not exported.
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
from ansible_collections.meshfleet.particle.plugins.module_utils._product.listing import (
    export_resources,
    read_resources,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import describe_row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    kinds={"type": "list", "elements": "str", "choices": list(KINDS)},
    as_definition={"type": "bool", "default": False},
)


def product_info(task: Task) -> dict[str, Any]:
    """Return the resources of a product, and the definition that declares them."""
    with task.open_product() as target:
        found, unread = read_resources(target, task.options["kinds"])
    product = target.required_product
    result: dict[str, Any] = {
        "changed": False,
        "product": {
            "id": product.id,
            "slug": product.slug,
            "platform_id": product.platform_id,
            "organization": product.org,
        },
        "resources": {name: [describe_row(KINDS[name], row) for row in rows] for name, rows in found.items()},
    }
    return (
        {**result, **export_resources(found, unread, task.redact.secrets)} if task.options["as_definition"] else result
    )


def main() -> None:
    """Run the module."""
    run_module(SPEC, product_info)


if __name__ == "__main__":
    main()
