#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: auth_doctor
short_description: Find out why a login or an access token does not work
version_added: 0.1.0
description:
  - Checks the credentials, the host, the TLS certificate, the clock, the login, the token, its scopes and the list of
    tokens, in this order. Describes the check that failed, and how to correct the problem. If no check failed,
    describes the first warning.
  - Logs in at most once, because the cloud blocks an IP address for 30 minutes after ten refused logins in a row.
  - Revokes the token that the module has obtained. If the cloud refuses to revoke this token, the check V(login) ends
    with a warning.
  - Succeeds even if it finds a problem, unless O(fail=true).
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
    details: Check mode can also obtain a token and revoke it. It changes nothing else.
  diff_mode:
    support: N/A
    details: The module only runs checks.
  idempotent:
    support: N/A
    details: The module only runs checks.
options:
  product:
    description:
      - Id or slug of a product. The check V(scopes) finds out whether the token can read this product and list its
        devices. M(meshfleet.particle.fleet), M(meshfleet.particle.device_info) and the inventory begin with these
        requests. For the token of an API user, the message lists the further scopes that some tasks need.
      - Without a product, the check V(scopes) is skipped.
    type: str
  list:
    description:
      - Whether to run the check V(listing). It finds out whether the cloud returns a list of the tokens of the account.
      - Requires O(username) and O(password). If the account uses two-factor login, O(otp) or O(otp_secret) is also
        required.
    type: bool
    default: false
  fail:
    description: Whether the task fails if a check fails or ends with a warning.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.access_token_info
  - name: Guide to tokens
    description: Describes which credentials to use, and how to store, renew and revoke tokens.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_tokens.md
"""

EXAMPLES = r"""
- name: Check username and password
  meshfleet.particle.auth_doctor:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
  register: doctor

- name: Show the problem and how to correct it
  ansible.builtin.debug:
    var: doctor.diagnosis

- name: Check whether a token can read a product and its devices
  meshfleet.particle.auth_doctor:
    access_token: "{{ particle_access_token }}"
    product: field-logger
  register: doctor

- name: Show the result of each check
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.status }}. {{ item.message }}"
  loop: "{{ doctor.checks }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
checks:
  description: All checks, in the order in which they were run. After a failed check, the remaining checks are skipped.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      returned: always
      choices: [credentials, host, tls, clock, login, token, scopes, listing]
      sample: login
    status:
      description: Result of the check.
      type: str
      returned: always
      choices: [ok, warn, fail, skipped]
      sample: fail
    message:
      description: Finding of the check, or the reason why it was skipped.
      type: str
      returned: always
      sample: >-
        Could not obtain an access token for jane@example.com: the account has two-factor login and needs a one-time
        code (HTTP 403: Multi-factor authentication required).
    hint:
      description: How to correct the problem. Empty if there is no hint.
      type: str
      returned: always
      sample: Give the one-time code as otp, or, for unattended runs, its secret as otp_secret.
diagnosis:
  description:
    - Message and hint of the check that failed. If no check failed, message and hint of the first check with a warning.
    - V(Everything is in order.) if no check failed or ended with a warning.
  returned: success
  type: str
  sample: Everything is in order.
code:
  description: Error code of the check that RV(diagnosis) describes. V(null) if RV(diagnosis) describes no check.
  returned: success
  type: str
  sample: mfa_required
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
    """Examine the given credentials. Problems make the task fail only if option ``fail`` is set."""
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
