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
    - Source of the credentials. The credentials themselves are not returned.
    - The value is V(the task's options), V(the environment), the path of O(token_file), V(the login of the official
      command line tool), or V(nowhere) if the task has found no credentials or needs none.
  returned: unless the task ends before it reads the credentials
  type: str
  sample: the environment
cloud:
  description: Requests that the task sent to the cloud, and the time that it waited.
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
      description: Time in seconds that the task waited because the cloud asked for it.
      type: float
      returned: always
      sample: 0.0
    budget_wait_seconds:
      description: Time in seconds that the task waited to stay within the rate limit of the cloud.
      type: float
      returned: always
      sample: 0.0
error:
  description: Description of the error that made the task fail.
  returned: failure
  type: dict
  contains:
    code:
      description: Error code, for use in conditions. The troubleshooting guide of the collection explains every code.
      type: str
      returned: always
      sample: invalid_credentials
    status:
      description: HTTP status of the answer that caused the error. V(null) if no answer caused it.
      type: int
      returned: always
      sample: 400
    message:
      description: What failed, and why.
      type: str
      returned: always
      sample: >-
        Could not obtain an access token for jane@example.com: the cloud does not accept this username and password; it
        answered 400 (User credentials are invalid).
    hint:
      description: How to correct the problem.
      type: str
      returned: always
      sample: >-
        Check username and password; do not try in a loop: after 10 refusals in a row the cloud locks your address out
        for 30 minutes.
    route:
      description: Method and path template of the request that failed. V(null) if no request failed.
      type: str
      returned: always
      sample: POST /oauth/token
"""

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import look_up
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import raise_all

SPEC = argument_spec(list={"type": "bool", "default": False})


def access_token_info(task: Task) -> dict[str, Any]:
    """Show the token in use, the kept tokens and, with option ``list``, the tokens that the cloud lists."""
    settings = task.settings()
    if settings.login is not None:
        raise_all(settings.problems)
    http = task.connect(settings)
    return look_up(
        http,
        settings.login,
        task.sessions,
        settings.token_file,
        listed_for=task.account() if task.options["list"] else None,
        lists=task.options["list"],
    )


def main() -> None:
    """Run the module."""
    run_module(SPEC, access_token_info)


if __name__ == "__main__":
    main()
