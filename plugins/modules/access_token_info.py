#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_token_info
short_description: List the current and the stored access tokens
version_added: 0.1.0
description:
  - Returns the expiry time, the OAuth client, the scopes and the organizations of the current access token.
  - Lists the tokens in O(token_file), and the number of days for which each token is still valid.
  - With O(list=true), asks the cloud for a list of the tokens of the account. The Particle cloud no longer offers this
    list, so O(token_file) is the only list of tokens for the Particle cloud. Some self-hosted clouds still offer the
    list.
  - Does not return the tokens themselves. Each token has a fingerprint, which distinguishes it from other tokens.
  - Does not log in. With O(username) and O(password), the current token is the token that other tasks of the same user
    have already obtained with these credentials. If there is no such token, RV(current) is V(null).
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
    details: The module changes nothing, so check mode makes no difference.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    support: N/A
    details: The module changes nothing.
options:
  list:
    description:
      - Whether to ask the cloud for the list of tokens of the account.
      - If the cloud does not return the list, RV(listing_error) contains the reason, and the task does not fail.
      - Requires O(username) and O(password), even if O(access_token) is set. If the account uses two-factor login,
        O(otp) or O(otp_secret) is also required.
    type: bool
    default: false
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.auth_doctor
  - name: Guide to tokens
    description: Describes which credentials to use, and how to store, renew and revoke tokens.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_tokens.md
"""

EXAMPLES = r"""
- name: Show when the stored tokens expire
  meshfleet.particle.access_token_info:
    token_file: ~/.config/particle-tokens.json
  register: tokens

- name: Fail if a token expires within two weeks
  ansible.builtin.assert:
    that: tokens.kept | selectattr('days_left', 'number') | selectattr('days_left', 'lt', 14) | length == 0

- name: List all tokens of the account, if the cloud still lists them
  meshfleet.particle.access_token_info:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    list: true
  register: tokens

- name: Show the list, or why there is none
  ansible.builtin.debug:
    msg: "{{ tokens.listed if tokens.listing_error is none else tokens.listing_error.message }}"
"""

RETURN = r"""
current:
  description: The current token. V(null) if there is no current token.
  returned: success
  type: dict
  contains:
    fingerprint:
      description: The first 8 hexadecimal digits of the SHA-256 hash of the token.
      type: str
      returned: always
      sample: 1f0c5d6e
    alive:
      description: Whether the cloud accepts the token.
      type: bool
      returned: always
      sample: true
    expires_at:
      description: Time when the token expires. V(null) if it never expires, or if the cloud does not return the time.
      type: str
      returned: always
      sample: "2026-06-01T00:00:00.000Z"
    days_left:
      description: Number of whole days until RV(current.expires_at). V(null) if RV(current.expires_at) is V(null).
      type: int
      returned: always
      sample: 83
    client:
      description: Id of the OAuth client for which the token was issued. V(null) if the cloud does not return it.
      type: str
      returned: always
      sample: particle-cli
    scopes:
      description: Scopes to which the token is limited. The list is empty if the token has all rights of its account.
      type: list
      elements: str
      returned: always
      sample: []
    orgs:
      description: Organizations to which the token has access.
      type: list
      elements: dict
      returned: always
      sample: []
kept:
  description:
    - Tokens that are stored in O(token_file). The tokens themselves are not returned.
    - The list is empty if O(token_file) is not set.
  returned: success
  type: list
  elements: dict
  contains:
    fingerprint:
      description: The first 8 hexadecimal digits of the SHA-256 hash of the token.
      type: str
      returned: always
      sample: 1f0c5d6e
    purpose:
      description: Value of O(meshfleet.particle.access_token#module:purpose) in the task that stored the token.
      type: str
      returned: always
      sample: nightly report
    account:
      description: Username of the account. Empty if the grant uses no account.
      type: str
      returned: always
      sample: jane@example.com
    api_url:
      description: URL of the API of the cloud that issued the token.
      type: str
      returned: always
      sample: https://api.particle.io
    client:
      description: Id of the OAuth client for which the token was issued. Empty if the grant uses no OAuth client.
      type: str
      returned: always
      sample: particle
    obtained_at:
      description: Time when the token was obtained.
      type: str
      returned: always
      sample: "2026-03-01T00:00:00Z"
    expires_at:
      description: Time when the token expires. V(null) if it never expires, or if the time is not known.
      type: str
      returned: always
      sample: "2026-05-30T00:00:00Z"
    days_left:
      description: Number of whole days until RV(kept[].expires_at). V(null) if RV(kept[].expires_at) is V(null).
      type: int
      returned: always
      sample: 83
orphaned:
  description:
    - Tokens that this user has requested on this machine, that may still be valid, that no file stores, and that no
      running play uses.
    - Module M(meshfleet.particle.access_token) with O(meshfleet.particle.access_token#module:state=absent) and
      O(meshfleet.particle.access_token#module:which=orphaned) revokes them, if the cloud lists tokens.
    - The list contains the tokens of all clouds and accounts. With O(list=true), tokens of the account that the cloud
      does not list are left out.
  returned: success
  type: list
  elements: dict
  contains:
    fingerprint:
      description:
        - The first 8 hexadecimal digits of the SHA-256 hash of the token.
        - V(null) if the run ended before it received the token. It is then not known whether the cloud granted a token.
      type: str
      returned: always
      sample: 1f0c5d6e
    reason:
      description:
        - V(lost) if the run ended before it could store or return the token, or if the response of the cloud was lost.
          A run in another container counts as ended, but its token is revoked no sooner than 15 minutes later.
        - V(abandoned) if the play has ended, but has not revoked a token that it obtained with
          O(meshfleet.particle.access_token#module:private=true). The role C(provision) obtains such a token.
        - V(returned) if the token was returned to a play that has ended, or that ran in another container. The play may
          have stored the token elsewhere.
      type: str
      returned: always
      sample: lost
    account:
      description: Username of the account. Empty if the grant uses no account.
      type: str
      returned: always
      sample: jane@example.com
    api_url:
      description: URL of the API of the cloud from which the token was requested.
      type: str
      returned: always
      sample: https://api.particle.io
    client:
      description: Id of the OAuth client that requested the token. Empty if the grant uses no OAuth client.
      type: str
      returned: always
      sample: particle
    requested_at:
      description: Time when the token was requested.
      type: str
      returned: always
      sample: "2026-03-01T00:00:00Z"
    expires_at:
      description: Latest time when the token expires. V(null) if it never expires.
      type: str
      returned: always
      sample: "2026-03-01T01:02:00Z"
    revocable:
      description:
        - Whether module M(meshfleet.particle.access_token) with
          O(meshfleet.particle.access_token#module:which=orphaned) would revoke the token now.
        - V(false) if a token file that may store the token cannot be read.
        - V(null) if the cloud did not list the tokens of the account, for example because O(list=false).
      type: bool
      returned: always
      sample: true
listed:
  description: Tokens of the account that the cloud lists. V(null) if they could not be listed.
  returned: if O(list=true)
  type: list
  elements: dict
  contains:
    fingerprint:
      description: The first 8 hexadecimal digits of the SHA-256 hash of the token.
      type: str
      returned: always
      sample: 1f0c5d6e
    client:
      description: Id of the OAuth client for which the token was issued.
      type: str
      returned: always
      sample: __PASSWORD_ONLY__
    expires_at:
      description: Time when the token expires. V(null) if it never expires, or if the cloud does not return the time.
      type: str
      returned: always
      sample: "2026-05-30T00:00:00.000Z"
listing_error:
  description: Reason why the tokens were not listed, with the keys of RV(error). V(null) if they were listed.
  returned: if O(list=true)
  type: dict
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

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import (
    report_listed_tokens,
    report_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import raise_problems

SPEC = build_argument_spec(list={"type": "bool", "default": False})


def access_token_info(task: Task) -> dict[str, Any]:
    """Show the token in use, the stored tokens and, with the option ``list``, the tokens that the cloud lists."""
    settings = task.read_settings()
    if settings.login is not None:
        raise_problems(settings.problems)
    http = task.connect(settings)
    search = task.search_orphans(http)
    store = None if settings.token_file is None else TokenStore(settings.token_file)
    result = report_tokens(search, settings.login, store)
    if task.options["list"]:
        result |= report_listed_tokens(search, task.read_account())
    return result


def main() -> None:
    """Run the module."""
    run_module(SPEC, access_token_info)


if __name__ == "__main__":
    main()
