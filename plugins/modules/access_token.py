#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_token
short_description: Obtain and revoke access tokens
version_added: 0.1.0
description:
  - Obtains an access token from e-mail and password, or revokes one.
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
  diff_mode:
    support: none
    details: A token has nothing that may be shown.
  idempotent:
    support: partial
    details: Every O(state=present) is a new token. O(state=absent) is idempotent.
options:
  state:
    description:
      - V(present) obtains a token from O(username) and O(password). An O(access_token), also that of the environment,
        is ignored.
      - V(absent) revokes O(access_token). That it is revoked or expired already is fine.
      - Some self-hosted clouds revoke only for the account itself, so give O(username) and O(password) too for those.
        The token is then part of the address of one request, because they know no other way.
    type: str
    choices: [present, absent]
    default: present
  expires_in:
    description:
      - Wished life of the token in seconds. The cloud's own default (90 days) when not given.
      - A token that never expires is not offered here.
    type: int
notes:
  - A successful result is censored on display at every verbosity; the registered value is whole. A failed result
    never holds a secret and is shown whole.
seealso:
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
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
  returned: success and O(state=present)
  type: str
  sample: "(40 hexadecimal digits)"
token_type:
  description: How it is presented.
  returned: success and O(state=present)
  type: str
  sample: bearer
expires_in:
  description: Life in seconds, V(0) for one without end, V(null) when the cloud does not say.
  returned: success and O(state=present)
  type: int
  sample: 3600
expires_at:
  description: The end of its life, V(null) when it has none or the cloud does not say.
  returned: success and O(state=present)
  type: str
  sample: "2026-06-01T00:00:00Z"
fingerprint:
  description: The first 8 hexadecimal digits of its SHA-256, to tell tokens apart in logs.
  returned: success
  type: str
  sample: 1f0c5d6e
reused:
  description: Whether the token is one that was obtained earlier.
  returned: success and O(state=present)
  type: bool
  sample: false
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
      description: Those of them that may change the fleet.
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
      description: Seconds waited so that the cloud need not ask.
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import argument_spec

# Carried out by the action plugin of the same name, on the controller.
SPEC = argument_spec(
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    expires_in={"type": "int"},
)
