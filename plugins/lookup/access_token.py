# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return an access token to a task."""

from __future__ import annotations

DOCUMENTATION = r"""
name: access_token
short_description: A valid access token, from one login that all share
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Gives back the access token that any task of the collection with the same options would use. Credentials lead to
    one login, which all hosts, forks and tasks share for an hour, however often the lookup is evaluated.
options:
  _terms:
    description: Nothing. What the lookup takes, it takes by name.
    required: false
  api_url:
    description: Address of the cloud's API.
    type: str
    env:
      - name: PARTICLE_API_URL
  access_token:
    description: A ready token, given back as it is.
    type: str
    env:
      - name: PARTICLE_ACCESS_TOKEN
  username:
    description: E-mail of the account.
    type: str
    env:
      - name: PARTICLE_USERNAME
  password:
    description: Password of the account.
    type: str
    env:
      - name: PARTICLE_PASSWORD
  otp:
    description: One-time code of an account with two-factor login.
    type: str
    env:
      - name: PARTICLE_OTP
  otp_secret:
    description: The base32 secret behind the one-time codes.
    type: str
    env:
      - name: PARTICLE_OTP_SECRET
  token_file:
    description: File in which tokens are kept.
    type: path
    env:
      - name: PARTICLE_TOKEN_FILE
  profile:
    description: Name of a profile of the official command line tool.
    type: str
    env:
      - name: PARTICLE_PROFILE
  client_id:
    description: OAuth client that asks for the token.
    type: str
    env:
      - name: PARTICLE_CLIENT_ID
  client_secret:
    description: Secret of the OAuth client.
    type: str
    env:
      - name: PARTICLE_CLIENT_SECRET
  timeout:
    description: Seconds to wait for an answer of the cloud.
    type: float
    env:
      - name: PARTICLE_TIMEOUT
  validate_certs:
    description: Whether to check the certificate of the cloud.
    type: bool
    env:
      - name: PARTICLE_VALIDATE_CERTS
  ca_path:
    description: File with the authorities that sign the cloud's certificate.
    type: path
    env:
      - name: PARTICLE_CA_PATH
  max_wait:
    description: Longest wait in seconds that the cloud may impose on one request, all pauses together.
    type: float
    env:
      - name: PARTICLE_MAX_WAIT
  budget_store:
    description: Address of a Redis in which several machines keep one budget of requests.
    type: str
    env:
      - name: PARTICLE_BUDGET_STORE
requirements:
  - requests 2.31 or newer
  - redis 6.4 or newer, for O(budget_store)
seealso:
  - plugin: meshfleet.particle.access_token
    plugin_type: module
"""

EXAMPLES = r"""
- name: Use one token for all tasks of the play
  hosts: all
  gather_facts: false
  module_defaults:
    group/meshfleet.particle.particle:
      access_token: >-
        {{ lookup('meshfleet.particle.access_token', username=particle_username, password=particle_password) }}
  tasks:
    - name: Gather the facts of each host's device
      meshfleet.particle.device_facts:
        id: "{{ device_id }}"
        product: field-logger
"""

RETURN = r"""
_raw:
  description: The access token.
  type: list
  elements: str
"""

import os
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REQUESTS_IMPORT_ERROR
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, describe_missing_library
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import build_shared_spec

display = Display()


class LookupModule(LookupBase):
    """A lookup that returns the same token for repeated calls with the same options."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return a list with the access token as its only element.

        :raises AnsibleLookupError: when the options are invalid or the login fails; the message contains no secrets.
        """
        if terms:
            raise AnsibleLookupError("The lookup access_token takes options by name, and nothing else.")
        if REQUESTS_IMPORT_ERROR is not None:
            raise AnsibleLookupError(describe_missing_library())
        self.set_options(var_options=variables, direct=kwargs)
        # Pass only given options. The task reads the environment itself, because it uses a source of credentials whole.
        options = {name: kwargs.get(name) for name in build_shared_spec()}
        task = Task(options, False, display.warning, display.v, environment=os.environ)
        try:
            with task.open_session() as http:
                return [http.token]
        except ParticleError as error:
            text = f"{error.message} {error.hint}"
            raise AnsibleLookupError(task.redact(text)) from None
        finally:
            if task.http is not None:
                task.http.close()
