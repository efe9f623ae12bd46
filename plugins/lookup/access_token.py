# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return an access token to a task."""

from __future__ import annotations

DOCUMENTATION = r"""
name: access_token
short_description: Return an access token from a shared login
version_added: 0.1.0
author:
  - meshfleet.particle contributors (@meshfleet)
description:
  - Returns the access token that a task of this collection with the same options would use.
  - With O(username) and O(password), the lookup logs in once. All hosts, forks and tasks of the same user share the
    token for an hour, even if the lookup is evaluated many times.
  - Needs credentials, for example O(access_token), or O(username) and O(password).
  - The keyword C(environment) of a play, block or task sets environment variables for the lookup, too. The keyword
    C(module_defaults) has no effect on lookups.
extends_documentation_fragment:
  - meshfleet.particle.connection.credentials
  - meshfleet.particle.connection
options:
  _terms:
    description: The lookup takes no positional terms. Set its options by name.
    required: false
  api_url:
    env:
      - name: PARTICLE_API_URL
  access_token:
    env:
      - name: PARTICLE_ACCESS_TOKEN
  username:
    env:
      - name: PARTICLE_USERNAME
  password:
    env:
      - name: PARTICLE_PASSWORD
  otp:
    env:
      - name: PARTICLE_OTP
  otp_secret:
    env:
      - name: PARTICLE_OTP_SECRET
  token_file:
    env:
      - name: PARTICLE_TOKEN_FILE
  profile:
    env:
      - name: PARTICLE_PROFILE
  client_id:
    env:
      - name: PARTICLE_CLIENT_ID
  client_secret:
    env:
      - name: PARTICLE_CLIENT_SECRET
  timeout:
    env:
      - name: PARTICLE_TIMEOUT
  validate_certs:
    env:
      - name: PARTICLE_VALIDATE_CERTS
  ca_path:
    env:
      - name: PARTICLE_CA_PATH
  max_wait:
    env:
      - name: PARTICLE_MAX_WAIT
  budget_store:
    env:
      - name: PARTICLE_BUDGET_STORE
seealso:
  - plugin: meshfleet.particle.access_token
    plugin_type: module
  - name: Guide to tokens
    description: Describes which credentials to use, and how to store, renew and revoke tokens.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_tokens.md
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
    - name: Gather facts about the device of each host
      meshfleet.particle.device_facts:
        id: "{{ device_id }}"
        product: field-logger
"""

RETURN = r"""
_raw:
  description: List with the access token as its only element.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REQUESTS_IMPORT_ERROR
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_library_error
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import build_shared_spec
from ansible_collections.meshfleet.particle.plugins.plugin_utils._environment import build_environment

display = Display()


class LookupModule(LookupBase):
    """A lookup that returns the same token for repeated calls with the same options."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return a list with the access token as its only element.

        :raises AnsibleLookupError: when the options are invalid or the login fails; the message contains no secrets.
        """
        if terms:
            raise AnsibleLookupError("The lookup access_token accepts only named options, and no terms.")
        if REQUESTS_IMPORT_ERROR is not None:
            raise AnsibleLookupError(build_library_error().as_failure()["msg"])
        self.set_options(var_options=variables, direct=kwargs)
        # Pass only given options. The task reads the environment itself, because it uses a source of credentials whole.
        options = {name: kwargs.get(name) for name in build_shared_spec()}
        # Ansible passes the keyword environment of the play, the block and the task as a variable of this name.
        environment = build_environment((variables or {}).get("environment"), self._template)
        task = Task(options, False, display.warning, display.v, environment=environment)
        try:
            with task.open_session() as http:
                return [http.token]
        except ParticleError as error:
            text = f"{error.message} {error.hint}"
            raise AnsibleLookupError(task.redact(text)) from None
        finally:
            if task.http is not None:
                task.http.close()

    def _template(self, value: Any) -> Any:
        return self._templar.template(value)
