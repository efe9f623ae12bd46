#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_token_info
short_description: Look at the token in use, and at those that are kept
version_added: 0.1.0
description:
  - Shows end, client, scopes and organisations of the token in use, and the tokens that O(token_file) keeps, each
    with the days that are left.
  - Particle's cloud no longer lists the tokens of an account, so the kept ones are the register of what one has
    obtained. Where a self-hosted cloud still lists them, O(list) shows them by their fingerprints.
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
  list:
    description:
      - List all tokens of the account, where the cloud still does. Needs O(username) and O(password), also beside an
        O(access_token), and where the account has two-factor login O(otp) or O(otp_secret). A refusal is explained in
        RV(listing_error) and does not fail the module.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.auth_doctor
"""

EXAMPLES = r"""
- name: See how long the kept tokens still live
  meshfleet.particle.access_token_info:
    token_file: ~/.config/particle-tokens.json
  register: tokens

- name: Fail when one has less than two weeks
  ansible.builtin.assert:
    that: tokens.kept | selectattr('days_left', 'number') | selectattr('days_left', 'lt', 14) | length == 0
"""

RETURN = r"""
current:
  description: The token in use, V(null) when there is none.
  returned: success
  type: dict
  contains:
    fingerprint:
      description: The first 8 hexadecimal digits of its SHA-256.
      type: str
      returned: always
      sample: 1f0c5d6e
    alive:
      description: Whether the cloud takes it.
      type: bool
      returned: always
      sample: true
    expires_at:
      description: Its end, V(null) when it has none or the cloud does not say.
      type: str
      returned: always
      sample: "2026-06-01T00:00:00.000Z"
    days_left:
      description: Whole days until C(expires_at).
      type: int
      returned: always
      sample: 83
    client:
      description: The OAuth client that it was made for.
      type: str
      returned: always
      sample: particle-cli
    scopes:
      description: What it is limited to; empty for the token of an account.
      type: list
      elements: str
      returned: always
      sample: []
    orgs:
      description: Organisations that it reaches.
      type: list
      elements: dict
      returned: always
      sample: []
kept:
  description: The tokens that O(token_file) keeps, without the tokens themselves.
  returned: success
  type: list
  elements: dict
  sample:
    - fingerprint: 1f0c5d6e
      purpose: nightly report
      account: jane@example.com
      api_url: https://api.particle.io
      client: particle
      obtained_at: "2026-03-01T00:00:00Z"
      expires_at: "2026-05-30T00:00:00Z"
      days_left: 83
listed:
  description: The tokens of the account, V(null) when they could not be listed.
  returned: with O(list)
  type: list
  elements: dict
  sample:
    - fingerprint: 1f0c5d6e
      client: __PASSWORD_ONLY__
      expires_at:
listing_error:
  description: Why they could not be listed, in the form of RV(error).
  returned: with O(list)
  type: dict
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

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import (
    report_listed_tokens,
    report_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import raise_problems

SPEC = build_argument_spec(list={"type": "bool", "default": False})


def access_token_info(task: Task) -> dict[str, Any]:
    """Show the token in use, the kept tokens and, with option ``list``, the tokens that the cloud lists."""
    settings = task.read_settings()
    if settings.login is not None:
        raise_problems(settings.problems)
    http = task.connect(settings)
    result = report_tokens(http, settings.login, task.open_sessions, settings.token_file)
    if task.options["list"]:
        result |= report_listed_tokens(http, task.read_account(), task.open_sessions)
    return result


def main() -> None:
    """Run the module."""
    run_module(SPEC, access_token_info)


if __name__ == "__main__":
    main()
