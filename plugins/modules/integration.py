#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integration
short_description: Keep one webhook of a product as declared
version_added: 0.1.0
description:
  - Creates, changes or removes one webhook of a product. A webhook sends a request to a server of yours whenever a
    device of the product publishes an event.
  - A webhook is found by its name. If two webhooks of the product have the name, the task fails before it writes
    anything and names both ids.
  - An option that is not given is left alone. The cloud replaces the whole webhook with every change, so the task sends
    the settings that are not declared as it has read them. If the cloud masks one of them, the task fails before it
    writes anything.
  - An empty value, V("") or V({}), removes a setting or returns it to the cloud's default.
  - If the answer to a request is lost, the task looks at the list of webhooks again, so that none is created twice.
author:
  - meshfleet.particle contributors (@meshfleet)
extends_documentation_fragment:
  - meshfleet.particle.connection
  - meshfleet.particle.connection.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of O(json), O(form), O(body), O(query), O(headers) and O(auth) the diff shows names and marks the values that
        change. Of their values it shows only switches and single variables such as C({{{PARTICLE_EVENT_VALUE}}}),
        also behind the name of a scheme as in C(Bearer {{{GRAFANA_TOKEN}}}).
  idempotent:
    support: partial
    details:
      - With O(update_secrets=always), a webhook whose secrets the cloud does not show is written every time.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  name:
    description: Name of the webhook. The task matches it exactly and cannot change it.
    type: str
    required: true
  type:
    description: Type of the integration. Integrations of other types are not touched, even if they have the same name.
    type: str
    choices: [webhook]
    default: webhook
  state:
    description: V(absent) removes the webhook, with its log and its counters.
    type: str
    choices: [present, absent]
    default: present
  event:
    description:
      - Beginning of the names of the events that trigger the webhook, with upper and lower case as published.
      - Required to create a webhook.
    type: str
  url:
    description:
      - Address to which the request is sent. It may hold variables.
      - Results and diffs show it without its login and the values of its query. Give a token in O(query), O(headers) or
        O(auth) instead.
      - Required to create a webhook.
    type: str
  method:
    description: HTTP method of the request. The cloud's default is V(POST).
    type: str
    choices: [DELETE, GET, POST, PUT]
  json:
    description:
      - Template of a JSON body, as a mapping or as a text that becomes JSON when its variables are filled in. A text
        that is JSON already is compared as what it means.
      - Cannot be combined with O(form) and O(body), and replaces them.
    type: raw
  form:
    description: Template of a form, as a mapping. Cannot be combined with O(json) and O(body), and replaces them.
    type: dict
  body:
    description: Template of any other body. Cannot be combined with O(json) and O(form), and replaces them.
    type: str
  query:
    description: Parameters that are added to O(url). Their values are secret.
    type: dict
  headers:
    description:
      - Headers of the request. Their values are secret.
      - The mapping is the whole set; a header that is not in it is removed. Names are compared without regard to case.
    type: dict
  auth:
    description: Login for HTTP Basic authentication. V({}) removes it.
    type: dict
    suboptions:
      username:
        description: Name of the user. Required with O(auth.password).
        type: str
      password:
        description: Password of the user. Required with O(auth.username).
        type: str
  no_defaults:
    description:
      - Whether to leave the fields C(event), C(data), C(published_at) and C(coreid) out of the request. The cloud's
        default is V(false).
    type: bool
  disabled:
    description: Whether the webhook is switched off. The cloud's default is V(false).
    type: bool
  reject_unauthorized:
    description: Whether the cloud checks the certificate of the server. The cloud's default is V(true).
    type: bool
  response_topic:
    description:
      - Name of the event that carries the answer. The cloud's default is
        C({{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}).
    type: str
  error_response_topic:
    description:
      - Name of the event that carries an error. The cloud's default is C(hook-error/{{PARTICLE_EVENT_NAME}}).
    type: str
  response_template:
    description: Template of the event that carries the answer, as a mapping or a text. It is compared as O(json) is.
    type: raw
  unchunked:
    description:
      - Whether a long answer becomes one event instead of parts of 512 bytes. The cloud's default is V(false).
    type: bool
  data_url_response_event:
    description: Whether the answer is sent as a data URL, for binary data. The cloud's default is V(false).
    type: bool
  update_secrets:
    description:
      - When to write a secret that cannot be compared, because the cloud masks it. Secrets that the cloud shows are
        always compared.
      - V(on_create) writes it with a new webhook, and with a change of another option.
      - V(always) writes it every time, and the task is changed every time.
      - It is not known whether the Particle cloud masks secrets of webhooks.
    type: str
    choices: [on_create, always]
    default: on_create
notes:
  - Particle fills variables such as C({{{PARTICLE_EVENT_VALUE}}}) into templates. In a playbook Ansible would take the
    braces for its own, so mark such a text with C(!unsafe). A text in which Ansible is to fill in something too can
    quote the braces, as in C("{{ site }}/{{ '{{{PARTICLE_EVENT_NAME}}}' }}").
  - The best place for a token is a secret of the cloud. The webhook then holds only its name, as in
    C(!unsafe "Bearer {{{GRAFANA_TOKEN}}}"), and the task no secret at all.
seealso:
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
- name: Send readings to a server, with a token that the cloud keeps as a secret
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    event: reading
    url: https://hooks.example.net/readings
    json:
      device: !unsafe "{{{PARTICLE_DEVICE_ID}}}"
      value: !unsafe "{{{PARTICLE_EVENT_VALUE}}}"
    no_defaults: true
    headers:
      Authorization: !unsafe "Bearer {{{BARN_TOKEN}}}"

- name: Declare a password, and leave all other settings of the webhook alone
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    auth:
      username: particle
      password: "{{ receiver_password }}"

- name: Switch the webhook off while the server is down
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    disabled: true

- name: Remove the webhook
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    state: absent
"""

RETURN = r"""
integration:
  description:
    - The webhook as it is, in check mode as it would be, with all options by their names. V(null) when there is none.
    - Secret values are masked. An option that is not set is V(null), or the cloud's default where that is known.
  returned: when the webhook was read
  type: dict
  contains:
    id:
      description: Id of the webhook, V(null) when check mode would create it.
      type: str
      returned: always
      sample: 65bb00112233445566778899
    name:
      description: Name of the webhook.
      type: str
      returned: always
      sample: readings to the barn server
    event:
      description: Beginning of the names of the events that trigger it.
      type: str
      returned: always
      sample: reading
    url:
      description: Address to which the request is sent, with its login and the values of its query masked.
      type: str
      returned: always
      sample: https://hooks.example.net/readings
    method:
      description: HTTP method of the request.
      type: str
      returned: always
      sample: POST
    headers:
      description: Headers of the request, with lower-case names and masked values.
      type: dict
      returned: always
      sample:
        authorization: "********"
    disabled:
      description: Whether the webhook is switched off.
      type: bool
      returned: always
      sample: false
not_compared:
  description: Declared secrets that could not be compared, because the cloud does not show them.
  returned: when the webhook was read
  type: list
  elements: str
  sample:
    - headers.authorization
msg:
  description: What became of the secrets that could not be compared, or why the task failed.
  returned: when a secret could not be compared, or on failure
  type: str
  sample: >-
    The cloud does not show these secrets of webhook readings to the barn server, so they cannot be compared:
    headers.authorization. They were left as they are; set update_secrets to always to write them.
diff:
  description: Options that change, before and after, by the name of the webhook. Secret values are masked.
  returned: when the webhook was read
  type: dict
  sample:
    before:
      readings to the barn server:
        disabled: false
    after:
      readings to the barn server:
        disabled: true
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

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.webhooks import WEBHOOKS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import UPDATE_SECRETS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import keep_resource

SPEC = argument_spec(
    product={"type": "str", "required": True},
    type={"type": "str", "choices": ["webhook"], "default": "webhook"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    update_secrets={"type": "str", "choices": list(UPDATE_SECRETS), "default": "on_create", "no_log": False},
    **WEBHOOKS.option_specs(),
)


def integration(task: Task) -> dict[str, Any]:
    """Bring one webhook to the state that the options declare."""
    declared = Declared.from_options(WEBHOOKS, task.options)
    with task.session() as http:
        target = Target(http, get_product(http, task.options["product"]), task.warn)
        update_secrets = task.options["update_secrets"]
        return keep_resource(target, WEBHOOKS, declared, check_mode=task.check_mode, update_secrets=update_secrets)


def main() -> None:
    """Run the module."""
    run_module(SPEC, integration)


if __name__ == "__main__":
    main()
