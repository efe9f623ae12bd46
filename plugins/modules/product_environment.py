#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: product_environment
short_description: Set, remove and roll out environment variables of a product
version_added: 0.2.0
description:
  - Manages the environment variables of a product. All devices of the product inherit them.
  - A variable has two values in the cloud, the edited value and the value of the last rollout. Devices get only values
    that are rolled out. The module edits all variables with one request, and then rolls them out with one request. If a
    declared variable was edited before, but not rolled out, it is rolled out, too.
  - A rollout publishes all edits of the product, including edits that other people have made and not rolled out yet. If
    there are such edits to variables that the task does not declare, the task fails before it changes anything, see
    O(publish_staged).
  - The variables that the product inherits from its owner are neither compared nor removed. A variable of the product
    takes precedence over an inherited variable with the same name, and a variable of a device takes precedence over
    both.
  - Devices need Device OS 6.4 or later. Older devices never get the variables, and the cloud reports no error.
  - Values are not secret. They are visible in the results, in the diff and in the console. Do not store passwords or
    tokens in variables.
  - If the response to a request is lost, the module reads the variables again to find out whether the request took
    effect.
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
  variables:
    description:
      - Values of the variables by name. With O(state=absent), only the names are used, and a value may be V(null).
      - Names have up to 128 upper-case letters, digits and underscores, and do not begin with a digit. Names that begin
        with C(PARTICLE_) are reserved. A product has at most 100 variables, with at most 16 KB together.
      - The cloud stores strings. A number or boolean is stored in the form that it has in JSON, for example V(30) or
        V(true). Quote a value whose spelling matters, such as C("1.10") or C("0755"). Other values, such as lists, are
        refused.
    type: dict
    required: true
  state:
    description:
      - State of the variables.
      - V(present) sets the variables in O(variables). Other variables remain unchanged.
      - V(absent) removes the variables in O(variables). Other variables remain unchanged.
      - V(exact) sets the variables in O(variables), and removes all other variables of the product.
    type: str
    choices: [present, absent, exact]
    default: present
  rollout:
    description:
      - When devices get the variables.
      - With V(connect), each device gets them when it connects to the cloud the next time.
      - With V(immediate), devices that accept updates get them now. These devices apply the new values at once, and may
        restart. Other devices get the values when they are ready.
      - With V(none), the variables are only edited, so that a later rollout publishes them. The task then compares
        O(variables) with the edited values, not with those of the last rollout.
    type: str
    choices: [connect, immediate, none]
    default: connect
  publish_staged:
    description:
      - Whether the task also rolls out all edits to variables that are not in O(variables), even if nothing else
        changes. The diff contains these variables.
      - Has no effect with O(state=exact), which removes these variables, and with O(rollout=none).
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.product
  - module: meshfleet.particle.device_group
  - module: meshfleet.particle.integration
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Set two variables; each device gets them when it connects the next time
  meshfleet.particle.product_environment:
    product: field-logger
    variables:
      REPORT_SECONDS: 60
      UNITS: metric

- name: Remove a variable
  meshfleet.particle.product_environment:
    product: field-logger
    variables:
      UNITS:
    state: absent

- name: Prepare another interval without a rollout
  meshfleet.particle.product_environment:
    product: field-logger
    variables:
      REPORT_SECONDS: 30
    rollout: none
"""

RETURN = r"""
environment:
  description: The variables of the product itself after the task. In check mode, the variables as they would be.
  returned: if the variables were read
  type: dict
  contains:
    variables:
      description: Values by name, with all edits.
      type: dict
      returned: always
      sample:
        REPORT_SECONDS: "60"
        UNITS: metric
    staged:
      description: Names of the variables with edits that are not rolled out.
      type: list
      elements: str
      returned: always
      sample: []
    rolled_out_at:
      description:
        - Time of the last rollout. V(null) if the variables have never been rolled out.
        - In check mode, the time of the last rollout before the task.
      type: str
      returned: always
      sample: "2026-03-02T09:30:00.000Z"
changes:
  description:
    - Changed variables by name, each with its value before and after the change. A value is V(null) if the variable
      does not exist, or if its value is the empty text.
    - If a variable has an edit that is not rolled out, the value before the change is a text that names both values.
  returned: if the variables were read
  type: dict
  sample:
    REPORT_SECONDS:
      before: "'60' (staged; rolled out: '30')"
      after: "60"
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

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import CONNECT, IMMEDIATE, Level
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import find_mistakes
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.environment import (
    build_environment,
    collect_edits,
    read_product_level,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import reconcile_resources

_ROLLOUTS = {"connect": CONNECT, "immediate": IMMEDIATE, "none": None}

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    variables={"type": "dict", "required": True},
    state={"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
    rollout={"type": "str", "choices": list(_ROLLOUTS), "default": "connect"},
    publish_staged={"type": "bool", "default": False},
)


def product_environment(task: Task) -> dict[str, Any]:
    """Bring the environment variables of the product to the state that the options declare."""
    declared, exact = read_variables(task.options), task.options["state"] == "exact"
    rollout, levels = _ROLLOUTS[task.options["rollout"]], list[Level]()
    with task.open_product() as target:
        if task.options["publish_staged"] and rollout is not None and not exact:
            declared = declare_staged(declared, read_product_level(target))
        kind = build_environment(rollout, levels.append)
        outcome = reconcile_resources(target, kind, declared, check_mode=task.check_mode, prune=exact)
    level, changes = levels[-1], outcome.changing
    if task.check_mode and changes:
        edited = level.edit(collect_edits(changes))
        level = Level(edited, level.rolled_out if rollout is None else edited, level.rolled_out_at)
    pairs = {each.key: (each.before.get("value"), each.after.get("value")) for each in changes}
    result = {
        "changed": bool(changes if task.check_mode else outcome.written),
        "environment": {"variables": level.edited, "staged": level.staged, "rolled_out_at": level.rolled_out_at},
        "changes": {name: {"before": before, "after": after} for name, (before, after) in pairs.items()},
        "diff": outcome.diff,
        **(outcome.error.as_failure() if outcome.error else {}),
    }
    return task.show_diff(result)


def read_variables(options: Mapping[str, Any]) -> list[Declared]:
    """Convert the options of the module to the declarations of variables.

    :raises ParticleError: ``invalid_option`` when variables are not valid. The error names all mistakes.
    """
    absent = options["state"] == "absent"
    variables = {str(name): "" if absent else value for name, value in options["variables"].items()}
    if mistakes := find_mistakes(variables):
        raise ParticleError("invalid_option", f"variables is not valid: {'; '.join(mistakes)}.")
    return [Declared(name, {} if absent else {"value": value}, absent) for name, value in variables.items()]


def declare_staged(declared: Sequence[Declared], level: Level) -> list[Declared]:
    """Return the declarations, and a declaration of each other variable with an edit that is not rolled out."""
    known = {each.key for each in declared}
    edits = {name: level.edited.get(name) for name in level.staged if name not in known}
    added = [Declared(n, {} if value is None else {"value": value}, value is None) for n, value in edits.items()]
    return [*declared, *added]


def main() -> None:
    """Run the module."""
    run_module(SPEC, product_environment)


if __name__ == "__main__":
    main()
