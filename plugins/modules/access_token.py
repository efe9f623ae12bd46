#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_token
short_description: Obtain, store, rotate and revoke access tokens
version_added: 0.1.0
description:
  - Obtains an access token with the username and password of an account, or with another grant, and returns the token.
  - With O(token_file), stores the token in a file, and renews the token before it expires.
  - Rotates a stored token, or revokes tokens.
  - Most playbooks do not need this module, because all modules of this collection log in with O(username) and
    O(password) themselves.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
  - meshfleet.particle.connection.controller
attributes:
  check_mode:
    support: partial
    details:
      - Check mode changes no stored token. With O(state=present) and O(state=rotated), check mode can obtain a token,
        because the other tasks of a play need a token. This token has a requested lifetime of at most 15 minutes, and
        is not stored.
      - With O(state=present), check mode returns the stored token if the task would also return it outside check mode.
        Otherwise, check mode obtains a token.
      - With O(state=rotated), check mode returns the stored token. If no token is stored, check mode obtains a token.
      - With O(state=absent), check mode revokes only a token that an earlier task obtained in check mode. For all other
        tokens, check mode reports whether they would be revoked.
      - With O(grant=refresh_token), check mode obtains no token, because that would use up the refresh token. If the
        task would obtain a token outside check mode, the task reports a change, and RV(access_token) and the values
        that describe the token are V(null).
  diff_mode:
    support: none
    details: The module returns no difference, because all values of a token are secret.
  idempotent:
    support: partial
    details:
      - O(state=present) is idempotent if O(token_file) is set. Otherwise every run obtains a new token.
      - O(state=rotated) obtains a new token in every run.
      - O(state=absent) is idempotent.
options:
  state:
    description:
      - State of the access token.
      - V(present) returns the token that is stored in O(token_file), if the cloud accepts this token and the token does
        not expire soon (see O(renew_before)). Otherwise, the task obtains and stores a new token, and revokes the old
        token. Without O(token_file), the task obtains a new token in every run.
      - V(rotated) obtains a new token, verifies it, stores it in O(token_file) and then revokes the old token. Requires
        O(token_file). If a run is interrupted, the next run completes it.
      - V(absent) revokes the tokens that O(which) selects. If O(token_file) is set, these tokens are also removed from
        the file. A token that is already revoked or expired is not an error.
    type: str
    choices: [present, rotated, absent]
    default: present
  access_token:
    description:
      - Access token to revoke with O(state=absent). O(state=present) and O(state=rotated) ignore this option.
      - Defaults to the environment variable E(PARTICLE_ACCESS_TOKEN), unless O(username) or O(password) is set as an
        option. With O(which=given), the environment variable is not used.
    type: str
  username:
    description:
      - E-mail address of the account.
      - Defaults to the environment variable E(PARTICLE_USERNAME), unless O(password) is set as an option.
      - With O(state=absent), if O(token_file) is set and O(password) is not, this option selects the account whose
        token is read from the file.
    type: str
  password:
    description:
      - Password of the account.
      - Defaults to the environment variable E(PARTICLE_PASSWORD), unless O(username) is set as an option.
    type: str
  client_id:
    description:
      - Id of the OAuth client that requests access tokens. Requires O(client_secret).
      - Required with O(grant=client_credentials) and O(grant=refresh_token), as an option or as the environment
        variable E(PARTICLE_CLIENT_ID).
      - With O(grant=password), set O(username), O(password) and O(client_id) either all as options, or all as
        environment variables. The variable of O(client_id) is E(PARTICLE_CLIENT_ID). The default is the public client
        V(particle).
    type: str
  client_secret:
    description:
      - Secret of the OAuth client. Requires O(client_id).
      - Required with O(grant=client_credentials) and O(grant=refresh_token), as an option or as the environment
        variable E(PARTICLE_CLIENT_SECRET).
      - With O(grant=password), set O(client_id) and O(client_secret) either both as options, or both as environment
        variables. The variable of O(client_secret) is E(PARTICLE_CLIENT_SECRET). The default is the secret of the
        public client.
    type: str
  profile:
    description:
      - Name of a profile of the Particle CLI, the official command line tool.
      - With O(state=absent), the access token of this profile in C(~/.particle) is used if there are no other
        credentials. O(state=present) and O(state=rotated) ignore this option.
      - The token is sent only to the cloud of the profile.
      - Defaults to the environment variable E(PARTICLE_PROFILE). If the variable is not set either, the default is the
        active profile of the tool, or V(particle) if no profile is active.
    type: str
  token_file:
    description:
      - Path of the file in which the token is stored, so that later runs can reuse it. The file must be accessible to
        its owner only (mode 0600).
      - A token in the file is identified by O(api_url), account, OAuth client and O(purpose).
      - With O(state=absent), revoked tokens are also removed from the file.
      - Defaults to the environment variable E(PARTICLE_TOKEN_FILE).
    type: path
  grant:
    description:
      - How a new token is obtained.
      - V(password) uses O(username) and O(password). If the account uses two-factor login, O(otp) or O(otp_secret) is
        also required.
      - V(client_credentials) uses O(client_id) and O(client_secret), but no account.
      - V(refresh_token) uses O(refresh_token), O(client_id) and O(client_secret). The refresh token must have been
        issued for this OAuth client. The cloud returns a new refresh token for the next grant. If O(token_file) is set,
        the new refresh token is stored in this file.
      - V(session) is the two-step login of older clouds. It uses O(username), O(password), O(session_login_url) and
        O(session_token_url).
    type: str
    choices: [password, client_credentials, refresh_token, session]
    default: password
  scope:
    description:
      - Scope to which a token is limited, for example V(customer=jane@example.com).
      - Used with O(grant=client_credentials) only.
    type: str
  refresh_token:
    description:
      - Refresh token for O(grant=refresh_token). It is valid for one grant only.
      - With O(token_file), set this option for the first run only. Later runs use the refresh token in the file.
    type: str
  session_login_url:
    description:
      - URL for the first step of O(grant=session), or the path of this URL below O(api_url).
      - The module sends username and password as JSON in a POST request, and reads C(auth_token.token) from the
        response.
      - The module warns if the URL is not encrypted.
      - Required with O(grant=session).
    type: str
  session_token_url:
    description:
      - URL for the second step of O(grant=session), or the path of this URL below O(api_url).
      - The module sends the token from the first step as a Bearer token in a GET request, and reads C(access_token)
        from the response.
      - The module warns if the URL is not encrypted.
      - Required with O(grant=session).
    type: str
  expires_in:
    description:
      - Requested lifetime of a new token in seconds.
      - By default, the cloud chooses the lifetime. The Particle cloud issues tokens for 90 days.
      - A token in O(token_file) that was requested with another lifetime is replaced if it is valid for more than twice
        as long, or was issued for less than half as long. The same applies to O(expires_at) and O(never_expires).
      - Cannot be combined with O(expires_at), O(never_expires), O(grant=refresh_token) or O(grant=session).
    type: int
  expires_at:
    description:
      - Requested expiry time of a new token, for example V(2026-12-31T12:00:00Z).
      - Cannot be combined with O(expires_in), O(never_expires), O(grant=refresh_token) or O(grant=session).
    type: str
  never_expires:
    description:
      - Whether to request a token that never expires. A token that is stored in O(token_file) and renewed regularly is
        safer.
      - Cannot be combined with O(expires_in), O(expires_at), O(grant=refresh_token) or O(grant=session).
    type: bool
    default: false
  renew_before:
    description:
      - Number of remaining days below which O(state=present) replaces a stored token.
      - Defaults to 7 days, or to a tenth of the lifetime of the token, whichever is less.
    type: float
  purpose:
    description:
      - Name for the purpose of the token in O(token_file). The file can contain several tokens of the same account for
        different purposes.
      - Give tasks that request tokens of different lifetimes different purposes. Otherwise, each task revokes the token
        of the other task, stores its own token, and shows a warning.
    type: str
    default: ""
  private:
    description:
      - Whether the token is for this run only. It is not stored in O(token_file), and it is not shared with other runs.
      - With O(state=present), the task obtains a token only if other tasks with the same options would log in with
        username and password. If they would use a token from O(access_token), the environment, O(token_file) or
        O(profile), or if there are no credentials, the task obtains no token, and does not return RV(access_token).
      - If the play ends without revoking the token, for example because it was killed, module
        M(meshfleet.particle.access_token_info) lists the token, and O(which=orphaned) revokes it.
      - With O(state=absent), the task revokes the token in O(access_token), and does not read O(token_file).
      - Cannot be combined with O(state=rotated), or with another O(grant) than V(password), or with another O(which)
        than V(given).
    version_added: 0.2.0
    type: bool
    default: false
  which:
    description:
      - Tokens that O(state=absent) revokes.
      - V(given) revokes the token in the option O(access_token) of the task. Tokens from the environment, O(token_file)
        or O(profile) are not revoked. If O(access_token) is not set, the task fails and revokes nothing.
      - V(current) revokes the token that other tasks with the same options use. This is the token from
        O(access_token), O(token_file) or O(profile), or the token that tasks with O(username) and O(password) share.
      - V(all) revokes all tokens of the account, including the tokens of other users and programs. Requires
        O(confirm=true). If O(token_file) is set, all stored tokens of O(username) for O(api_url) are removed from this
        file. Without O(password), only the token that the task itself used is removed from the file.
      - V(orphaned) revokes the tokens of O(username) that this user obtained on this machine, that no file stores, and
        that no running play uses, for example because a play was killed. Module M(meshfleet.particle.access_token_info)
        lists them. Tokens with the reason C(returned) are not revoked, because the play may have stored them elsewhere.
        Tokens in O(access_token), in the environment and in the profiles of the official command line tool are in use.
        The value of such a token is read from the list of tokens of the cloud. Requires O(username) and O(password). If
        the cloud no longer lists tokens, the task revokes nothing, and RV(orphaned) and a warning say which tokens
        remain, and until when.
    type: str
    choices: [given, current, all, orphaned]
    default: given
  confirm:
    description:
      - Whether to allow O(which=all) to revoke all tokens of the account. If V(false), a task with O(which=all) fails.
    type: bool
    default: false
notes:
  - With O(state=present) and O(state=rotated), credentials are taken from options, or else from environment variables,
    but never from O(token_file) or O(profile). With O(private=true), the task also reads these two sources, to find out
    whether a token is needed.
  - With O(state=absent), credentials are taken from the first source that contains credentials, and are never combined
    from several sources. The order of the sources is (1) O(access_token), or O(username) and O(password), as options,
    (2) the environment variables of these options, (3) O(token_file), and (4) O(profile).
  - With O(state=present) and O(state=rotated), Ansible hides the result of a successful task at every verbosity. The
    registered variable contains the complete result. A failed task shows its result, which contains no secrets.
  - Some self-hosted clouds require the username and password of the account to revoke a token. With such a cloud, set
    O(username) and O(password) in addition to O(access_token). The module then sends one request with the token in the
    URL, because these clouds support no other request.
seealso:
  - module: meshfleet.particle.access_token_info
  - module: meshfleet.particle.auth_doctor
  - plugin: meshfleet.particle.access_token
    plugin_type: lookup
  - name: Guide to tokens
    description: Describes which credentials to use, and how to store, renew and revoke tokens.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_tokens.md
"""

EXAMPLES = r"""
- name: Obtain a token for one hour
  meshfleet.particle.access_token:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    expires_in: 3600
  register: token

- name: Use the token for all modules of the collection
  module_defaults:
    group/meshfleet.particle.particle:
      access_token: "{{ token.access_token }}"
  block:
    - name: Get the devices of a product
      meshfleet.particle.device_info:
        product: field-logger

  always:
    - name: Revoke the token
      meshfleet.particle.access_token:
        state: absent
        access_token: "{{ token.access_token }}"

- name: Obtain a token for this run, unless a token is given anyway
  meshfleet.particle.access_token:
    private: true
    expires_in: 3600
  register: token

- name: Store a token in a file, and renew it before it expires
  meshfleet.particle.access_token:
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    otp_secret: "{{ particle_otp_secret }}"
    token_file: ~/.config/particle-tokens.json
    purpose: nightly report
  register: token

- name: Replace the stored token, because it may have leaked
  meshfleet.particle.access_token:
    state: rotated
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
    token_file: ~/.config/particle-tokens.json
    purpose: nightly report

- name: Revoke the token that other tasks with this username and password share
  meshfleet.particle.access_token:
    state: absent
    which: current
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"

- name: Revoke the tokens that killed plays left behind, if the cloud lists tokens
  meshfleet.particle.access_token:
    state: absent
    which: orphaned
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"

- name: Revoke all tokens of an account whose password has leaked
  meshfleet.particle.access_token:
    state: absent
    which: all
    confirm: true
    username: "{{ leaked_username }}"
    password: "{{ leaked_password }}"

- name: Obtain a token for an OAuth client instead of an account
  meshfleet.particle.access_token:
    grant: client_credentials
    client_id: "{{ particle_client_id }}"
    client_secret: "{{ particle_client_secret }}"
  register: token

- name: Obtain a token with a refresh token, and store it with the next refresh token
  meshfleet.particle.access_token:
    grant: refresh_token
    client_id: "{{ particle_client_id }}"
    client_secret: "{{ particle_client_secret }}"
    # Only for the first run. Later runs use the refresh token in the file.
    refresh_token: "{{ particle_refresh_token }}"
    token_file: ~/.config/particle-tokens.json

- name: Obtain a token with the two-step login of an older cloud
  meshfleet.particle.access_token:
    grant: session
    api_url: https://particle.example.com
    session_login_url: /login
    session_token_url: /token
    username: "{{ particle_username }}"
    password: "{{ particle_password }}"
  register: token
"""

RETURN = r"""
access_token:
  description:
    - The access token. It is in the registered variable, but is not shown in the output.
    - V(null) in check mode if O(grant=refresh_token) would obtain a token.
  returned: success, unless O(state=absent), or O(private=true) and no token is needed
  type: str
  sample: "(40 hexadecimal digits)"
api_url:
  description: URL of the API of the cloud that issued the token.
  returned: with O(private=true), if a token was obtained
  type: str
  sample: https://api.particle.io
token_type:
  description: Type of the token. It determines how the token is sent to the cloud.
  returned: success, unless O(state=absent)
  type: str
  sample: bearer
expires_in:
  description:
    - Lifetime of the token in seconds, counted from the time when it was obtained.
    - V(0) if the token never expires, and V(null) if the lifetime is not known.
  returned: success, unless O(state=absent)
  type: int
  sample: 3600
expires_at:
  description: Time when the token expires. V(null) if it never expires, or if the time is not known.
  returned: success, unless O(state=absent)
  type: str
  sample: "2026-06-01T00:00:00Z"
refresh_token:
  description: Refresh token for the next grant. It is in the registered variable, but is not shown in the output.
  returned: with O(grant=refresh_token), if the cloud issues one
  type: str
  sample: "(40 hexadecimal digits)"
fingerprint:
  description:
    - The first 8 hexadecimal digits of the SHA-256 hash of the token. Use them to distinguish tokens in logs.
    - V(null) if there is no token.
  returned: success
  type: str
  sample: 1f0c5d6e
revoked:
  description: Fingerprints of the revoked tokens. In check mode, of the tokens that would be revoked.
  returned: with O(which=orphaned)
  type: list
  elements: str
  sample: [1f0c5d6e]
orphaned:
  description:
    - Tokens that were not revoked and may still be valid, with the keys of
      RV(meshfleet.particle.access_token_info#module:orphaned).
  returned: with O(which=orphaned)
  type: list
  elements: dict
listing_error:
  description: Reason why the cloud does not list tokens, with the keys of RV(error). V(null) if it lists them.
  returned: with O(which=orphaned)
  type: dict
reused:
  description: Whether the token was read from O(token_file) instead of obtained by this task.
  returned: success, unless O(state=absent)
  type: bool
  sample: false
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

# The action plugin of the same name carries out this module on the controller.
SPEC = build_argument_spec(
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
    private={"type": "bool", "default": False},
    which={"type": "str", "choices": ["given", "current", "all", "orphaned"], "default": "given"},
    confirm={"type": "bool", "default": False},
)


def main() -> None:
    """Fail with a hint, because the action plugin does the work of this module."""
    run_by_action(SPEC)


if __name__ == "__main__":
    main()
