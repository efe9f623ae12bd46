#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_token
short_description: Obtain, keep, rotate and revoke access tokens
version_added: 0.1.0
description:
  - Obtains an access token from e-mail and password or in another way, keeps it, rotates it, or revokes it.
  - Runs on the controller.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
    details:
      - With O(state=present) a token is obtained in check mode too, for at most 15 minutes, because nothing can be
        predicted without one. O(state=absent) then revokes it for real; any other token it leaves alone.
      - A refresh token is good once, so with O(grant=refresh_token) check mode obtains nothing. Where a token would be
        obtained, the result is changed, and RV(access_token) and all that describes it are V(null).
  diff_mode:
    support: none
    details: A token has nothing that may be shown.
  idempotent:
    support: partial
    details:
      - O(state=present) with O(token_file) and O(state=absent) are idempotent; without O(token_file) each run obtains a
        new token.
options:
  state:
    description:
      - V(present) hands back the token that O(token_file) keeps, while it has life enough, and obtains one otherwise.
        Without O(token_file) every run obtains a new one. An O(access_token) is ignored, also that of the environment.
      - V(rotated) obtains a new token, proves it, keeps it in O(token_file), and only then revokes the old one. A run
        that is killed in between is finished by the next.
      - V(absent) revokes the token that O(which) names. That it is revoked or expired already is fine.
      - Some self-hosted clouds revoke only for the account itself, so give O(username) and O(password) too for those.
        The token is then part of the address of one request, because they know no other way.
    type: str
    choices: [present, rotated, absent]
    default: present
  grant:
    description:
      - V(password) logs in with O(username), O(password) and, where the account wants it, O(otp) or O(otp_secret).
      - V(client_credentials) logs in with O(client_id) and O(client_secret) alone.
      - V(refresh_token) uses up O(refresh_token), or the one that O(token_file) keeps, with the client that it was
        made for, and keeps the next one that comes with the token.
      - V(session) is the two-step flow of older clouds, with O(session_login_url) and O(session_token_url).
    type: str
    choices: [password, client_credentials, refresh_token, session]
    default: password
  scope:
    description:
      - With O(grant=client_credentials), what the token is limited to, for example V(customer=jane@example.com).
    type: str
  refresh_token:
    description:
      - The refresh token of O(grant=refresh_token), good for one grant. With O(token_file) it is needed for the first
        grant only, and to be left out afterwards, for the next one is then taken from there.
    type: str
  session_login_url:
    description:
      - Where O(grant=session) sends username and password as JSON, and gets C(auth_token.token). An address, or a path
        below O(api_url). An address without encryption is warned about.
    type: str
  session_token_url:
    description: Where O(grant=session) shows that token as Bearer, and gets C(access_token).
    type: str
  expires_in:
    description:
      - Wished life of a new token in seconds. The cloud's own default (90 days) when nothing is said.
      - Neither this nor O(expires_at) nor O(never_expires) goes with O(grant=refresh_token) or O(grant=session), where
        the cloud alone decides.
    type: int
  expires_at:
    description: Wished end of a new token, as V(2026-12-31T12:00:00Z).
    type: str
  never_expires:
    description: Ask for a token without end. Rather keep one in O(token_file) that is renewed in time.
    type: bool
    default: false
  renew_before:
    description:
      - Days of life under which O(state=present) replaces a kept token. When not given, 7 days, or a tenth of the
        token's life where that is less.
    type: float
  purpose:
    description: What a kept token is for. Tokens of the same account with different purposes are kept side by side.
    type: str
    default: ""
  which:
    description:
      - What O(state=absent) revokes. V(given) is the O(access_token) of the task itself, never one from the
        environment, a O(token_file) or a profile. V(current) is the token that any other task with these options would
        use. V(all) is every token of the account.
    type: str
    choices: [given, current, all]
    default: given
  confirm:
    description: Must be V(true) for O(which=all), which revokes all tokens of the account, also those of other users.
    type: bool
    default: false
notes:
  - A successful result is censored on display at every verbosity; the registered value is whole. A failed result
    never holds a secret and is shown whole.
seealso:
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
- name: Have a token that never runs out, from one that is kept and renewed in time
  meshfleet.particle.access_token:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    otp_secret: "{{ particle_otp_secret }}"
    token_file: ~/.config/particle-tokens.json
    purpose: nightly report
  register: token

- name: Replace the kept token, for it may have been seen
  meshfleet.particle.access_token:
    state: rotated
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    token_file: ~/.config/particle-tokens.json
    purpose: nightly report

- name: Obtain an access token for an hour
  meshfleet.particle.access_token:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    expires_in: 3600
  register: token

- name: Use it for all modules of the collection
  module_defaults:
    group/meshfleet.particle.particle:
      access_token: "{{ token.access_token }}"
  block:
    - name: Gather the devices of a product
      meshfleet.particle.device_info:
        product: field-logger

  always:
    - name: Revoke the token
      meshfleet.particle.access_token:
        state: absent
        access_token: "{{ token.access_token }}"
"""

RETURN = r"""
access_token:
  description: The token. Registered, never shown.
  returned: success, unless O(state=absent)
  type: str
  sample: "(40 hexadecimal digits)"
token_type:
  description: How it is presented.
  returned: success, unless O(state=absent)
  type: str
  sample: bearer
expires_in:
  description: Life in seconds, V(0) for one without end, V(null) when the cloud does not say.
  returned: success, unless O(state=absent)
  type: int
  sample: 3600
expires_at:
  description: The end of its life, V(null) when it has none or the cloud does not say.
  returned: success, unless O(state=absent)
  type: str
  sample: "2026-06-01T00:00:00Z"
refresh_token:
  description: The refresh token for the next grant. Registered, never shown.
  returned: with O(grant=refresh_token), when the cloud gives one
  type: str
  sample: "(40 hexadecimal digits)"
fingerprint:
  description: The first 8 hexadecimal digits of its SHA-256, to tell tokens apart in logs.
  returned: success
  type: str
  sample: 1f0c5d6e
reused:
  description: Whether the token is one that was obtained earlier.
  returned: success, unless O(state=absent)
  type: bool
  sample: false
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import argument_spec, run_by_action

# The action plugin of the same name carries out this module on the controller.
SPEC = argument_spec(
    state={"type": "str", "choices": ["present", "rotated", "absent"], "default": "present"},
    grant={
        "type": "str",
        "choices": ["password", "client_credentials", "refresh_token", "session"],
        "default": "password",
    },
    scope={"type": "str"},
    refresh_token={"type": "str", "no_log": True},
    session_login_url={"type": "str"},
    session_token_url={"type": "str", "no_log": False},
    expires_in={"type": "int"},
    expires_at={"type": "str"},
    never_expires={"type": "bool", "default": False},
    renew_before={"type": "float"},
    purpose={"type": "str", "default": ""},
    which={"type": "str", "choices": ["given", "current", "all"], "default": "given"},
    confirm={"type": "bool", "default": False},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
