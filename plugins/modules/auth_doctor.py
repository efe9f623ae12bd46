#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: auth_doctor
short_description: Find out why a login or a token does not work
version_added: 0.1.0
description:
  - Walks through credentials, host, TLS, clock, login, token, scopes and, where asked for, the listing of tokens, and
    says in words what is wrong and what to do.
  - Makes at most one login, because ten refused token requests in a row lock the address out for 30 minutes.
  - Ends the token that it obtains. When the cloud refuses that, the check V(login) is a warning.
  - Succeeds as a task whatever it finds, unless O(fail) is set.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: N/A
    details: Changes nothing.
options:
  product:
    description: Id or slug of a product whose devices the token should reach.
    type: str
  list:
    description:
      - Try the listing of tokens too, and say why it is refused. Needs O(username) and O(password), and where the
        account has two-factor login O(otp) or O(otp_secret).
    type: bool
    default: false
  fail:
    description: Fail the task when something is wrong, or gives a warning.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.access_token
"""

EXAMPLES = r"""
- name: Find out why I cannot log in
  meshfleet.particle.auth_doctor:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
  register: doctor

- name: Say it
  ansible.builtin.debug:
    var: doctor.diagnosis
"""

RETURN = r"""
checks:
  description: What was looked at, in this order. What follows a failure is skipped.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(credentials), V(host), V(tls), V(clock), V(login), V(token), V(scopes) or V(listing).
      type: str
      returned: always
      sample: login
    status:
      description: V(ok), V(warn), V(fail) or V(skipped).
      type: str
      returned: always
      sample: fail
    message:
      description: What was found.
      type: str
      returned: always
      sample: "Could not obtain an access token for jane@example.com: the account has two-factor login."
    hint:
      description: What to do.
      type: str
      returned: always
      sample: Give the one-time code as otp, or, for unattended runs, its secret as otp_secret.
diagnosis:
  description: The finding that matters, in one or two sentences.
  returned: success
  type: str
  sample: Everything is in order.
code:
  description: Error code of the check that failed, else of the first one with a warning. V(null) without either.
  returned: success
  type: str
  sample: mfa_required
credentials_source:
  description:
    - Where the credentials come from, V(the task's options), V(the environment), the path of a O(token_file),
      V(the login of the official command line tool), or V(nowhere). Never what they are.
  returned: when credentials were looked for
  type: str
  sample: the environment
cloud:
  description: What the task cost.
  returned: when a cloud was asked
  type: dict
  contains:
    requests:
      description: Requests sent, logins included.
      type: int
      returned: always
      sample: 11
    writes:
      description: Requests that may have changed the fleet.
      type: int
      returned: always
      sample: 0
    retries:
      description: Requests that were sent again after a passing failure.
      type: int
      returned: always
      sample: 0
    throttled_seconds:
      description: Seconds waited because the cloud asked for it.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description: Seconds spent waiting to stay within the request budget.
      type: float
      returned: always
      sample: 0.0
error:
  description: Why the task failed.
  returned: failure
  type: dict
  contains:
    code:
      description: One word of the closed list, to act on.
      type: str
      returned: always
      sample: token_expired
    status:
      description: HTTP status behind it, V(null) without one.
      type: int
      returned: always
      sample: 401
    message:
      description: What failed, and why.
      type: str
      returned: always
      sample: "Could not list the devices of the account: the access token has expired; it answered 401."
    hint:
      description: What to do.
      type: str
      returned: always
      sample: Obtain a new access token, or give username and password instead.
    route:
      description: Method and path template of the request behind it, V(null) without one.
      type: str
      returned: always
      sample: GET /v1/devices
"""

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.doctor import (
    Credentials,
    examine_credentials,
    report_invalid_options,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    raise_problems,
    read_client,
)

SPEC = build_argument_spec(
    product={"type": "str"},
    list={"type": "bool", "default": False},
    fail={"type": "bool", "default": False},
)


def auth_doctor(task: Task) -> dict[str, Any]:
    """Examine the given credentials. A finding is a normal result, and a failure only with option ``fail``."""
    try:
        settings = task.read_settings()
        account = task.read_account()
        raise_problems(settings.problems)
    except ParticleError as error:
        result = report_invalid_options(error)
    else:
        patient = Credentials(
            login=settings.login,
            account=account,
            client=read_client(task.options, task.environment),
            product=task.options["product"],
            lists_tokens=task.options["list"],
        )
        result = examine_credentials(task.connect(settings), patient, task.open_sessions())
    if task.options["fail"] and result["code"] is not None:
        raise ParticleError(result["code"], result["diagnosis"], hint="")
    return result


def main() -> None:
    """Run the module."""
    run_module(SPEC, auth_doctor)


if __name__ == "__main__":
    main()
