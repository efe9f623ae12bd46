#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integration
short_description: Create, change and remove webhooks and other integrations of a product
version_added: 0.2.0
description:
  - Manages one integration of a product. When a device of the product publishes an event, the integration passes the
    event on. A webhook sends an HTTP request to a server that you choose. The other types send the event to Azure IoT
    Hub, Google Cloud Pub/Sub or Google Maps. See O(type).
  - The module finds the integration by its name. If several integrations of the product have this name, the task
    changes nothing and fails, even if their types differ. An integration without a name cannot be managed.
  - An integration that was created without a name has the name C(<event> for <host>), if it is a webhook.
  - If an option is not set, the setting remains unchanged. An empty value, V("") or V({}), removes the setting, so that
    the default of the cloud applies. A setting that is required cannot be removed. A mapping replaces the complete
    setting. For example, a header that is not in O(headers) is removed.
  - The cloud replaces the complete integration with every change. The module therefore reads the integration first, and
    sends the settings that are not set in the task back unchanged. If the cloud masks one of these settings, the task
    changes nothing and fails. In this case, set the option in the task.
  - If the response to a request is lost, the module reads the list of integrations again, so that it does not create
    the integration twice.
  - Needs credentials, for example O(access_token), or O(username) and O(password). The account must have access to the
    product.
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
  diff_mode:
    support: full
    details:
      - The values in O(json), O(form), O(body), O(query), O(headers), O(auth), O(policy_key) and O(api_key) can be
        secret. The diff shows the names of these values, and marks changed values.
      - The diff shows a value of these options only if it is a boolean or a webhook variable such as
        C({{{PARTICLE_EVENT_VALUE}}}). A scheme before the variable is also shown, as in C(Bearer {{{GRAFANA_TOKEN}}}).
  idempotent:
    support: partial
    details:
      - With O(update_secrets=always), the task changes the integration in every run if the cloud masks one of the
        declared secrets.
options:
  product:
    description: Id or slug of the product.
    type: str
    required: true
  name:
    description: Name of the integration. It is case-sensitive. The module cannot rename an integration.
    type: str
    required: true
  type:
    description:
      - Type of the integration. If O(type) is not set, an existing integration keeps its type, and a new integration
        is a webhook. The type of an existing integration cannot be changed. If it differs, the task fails.
      - V(webhook) sends an HTTP request to O(url). It has all options except those that are named for one of the
        other types only.
      - V(azure_iot_hub) sends the event to Azure IoT Hub. It has the options O(event), O(json), O(disabled),
        O(hub_name), O(policy_name) and O(policy_key).
      - V(google_pubsub) sends the event to Google Cloud Pub/Sub. It has the options O(event), O(disabled) and O(topic).
      - V(google_maps) sends the event to Google Maps. It has the options O(event), O(disabled) and O(api_key).
      - If an option is set that the type does not have, the task changes nothing and fails.
    type: str
    choices: [webhook, azure_iot_hub, google_pubsub, google_maps]
  state:
    description:
      - Whether the integration should exist.
      - V(present) creates or changes the integration.
      - V(absent) removes the integration, including its log and its counters. If O(type) is set and differs from the
        type of the integration, the task fails.
    type: str
    choices: [present, absent]
    default: present
  event:
    description:
      - Prefix of the names of the events that trigger the integration. It is case-sensitive.
      - Required to create an integration.
    type: str
  url:
    description:
      - URL to which the webhook sends its request. It may contain webhook variables such as
        C({{{PARTICLE_EVENT_VALUE}}}), see the notes.
      - Results and diffs mask a username and password in the URL, and the values of its query. The other parts of the
        URL are shown, so set a token in O(query), O(headers) or O(auth).
      - Required to create a webhook.
    type: str
  method:
    description: HTTP method of the request. The default of the cloud is V(POST).
    type: str
    choices: [DELETE, GET, POST, PUT]
  json:
    description:
      - Template of a JSON body, as a mapping or as text. Text does not have to be valid JSON before its webhook
        variables are filled in.
      - Text that is valid JSON is compared by its content, so its spaces and line breaks do not matter.
      - For O(type=webhook) and O(type=azure_iot_hub).
      - Cannot be combined with O(form) or O(body). If O(json) is set, the settings O(form) and O(body) are removed from
        the webhook.
    type: raw
  form:
    description:
      - Template of a form, as a mapping with a value for each field.
      - Cannot be combined with O(json) or O(body). If O(form) is set, the settings O(json) and O(body) are removed from
        the webhook.
    type: dict
  body:
    description:
      - Template of a request body that is neither JSON nor a form.
      - Cannot be combined with O(json) or O(form). If O(body) is set, the settings O(json) and O(form) are removed from
        the webhook.
    type: str
  query:
    description:
      - Query parameters that are added to O(url), as a mapping with a value for each name.
      - The values are treated as secrets.
    type: dict
  headers:
    description:
      - Headers of the request, as a mapping with a value for each name.
      - The values are treated as secrets. The names are not case-sensitive.
    type: dict
  auth:
    description: Username and password for HTTP Basic authentication. V({}) removes the username and password.
    type: dict
    suboptions:
      username:
        description: Username. Required with O(auth.password).
        type: str
      password:
        description: Password. Required with O(auth.username).
        type: str
  no_defaults:
    description:
      - Whether to leave out the fields C(event), C(data), C(published_at) and C(coreid), which the cloud adds to the
        request. The default of the cloud is V(false).
    type: bool
  disabled:
    description: Whether the integration is disabled. The default of the cloud is V(false).
    type: bool
  reject_unauthorized:
    description: Whether the cloud verifies the TLS certificate of the server. The default of the cloud is V(true).
    type: bool
  response_topic:
    description:
      - Name of the event that the cloud publishes with the response of the server. The default of the cloud is
        C({{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}).
    type: str
  error_response_topic:
    description:
      - Name of the event that the cloud publishes if the request fails. The default of the cloud is
        C(hook-error/{{PARTICLE_EVENT_NAME}}).
    type: str
  response_template:
    description:
      - Template for the data of the event that the cloud publishes with the response of the server, as a mapping or as
        text. It is compared in the same way as O(json).
    type: raw
  unchunked:
    description:
      - Whether the cloud publishes a long response as one event, instead of splitting it into parts of 512 bytes. The
        default of the cloud is V(false).
    type: bool
  data_url_response_event:
    description:
      - Whether the cloud publishes the response as a data URL, which is needed for binary data. The default of the
        cloud is V(false).
    type: bool
  hub_name:
    description: Name of the Azure IoT Hub. Required to create an integration of O(type=azure_iot_hub).
    type: str
  policy_name:
    description: Name of the shared access policy of the hub. Required to create an integration of
      O(type=azure_iot_hub).
    type: str
  policy_key:
    description: Key of the shared access policy. Required to create an integration of O(type=azure_iot_hub).
    type: str
  topic:
    description: Name of the Google Cloud Pub/Sub topic, such as V(projects/barn-data/topics/readings). Required to
      create an integration of O(type=google_pubsub).
    type: str
  api_key:
    description: API key for Google Maps. Required to create an integration of O(type=google_maps).
    type: str
  update_secrets:
    description:
      - When to write secrets that the cloud masks. The module cannot compare masked secrets with their declared values.
        Secrets that the cloud shows are always compared.
      - V(on_create) writes the masked secrets when the integration is created, and together with changes of other
        settings. A new value of a masked secret alone is not written.
      - V(always) writes the masked secrets in every run. The task then always reports a change. If the cloud masks no
        secret, V(always) has no effect.
    type: str
    choices: [on_create, always]
    default: on_create
notes:
  - Webhook variables such as C({{{PARTICLE_EVENT_VALUE}}}) are filled in by the cloud when the webhook sends its
    request. Mark text that contains webhook variables with C(!unsafe), because Ansible would evaluate the braces as its
    own template.
  - If the same text also contains an Ansible template, quote the braces of the webhook variable, as in C("{{ site }}/{{
    '{{{PARTICLE_EVENT_NAME}}}' }}").
  - The best place for a token of a webhook is a secret of the Particle cloud, see M(meshfleet.particle.secret). The
    webhook and the task then contain only the name of the secret, as in C(!unsafe "Bearer {{{GRAFANA_TOKEN}}}"). The
    name can be used in O(headers), O(auth), O(query) and O(url). It is not known whether O(policy_key) and O(api_key)
    accept the name of a secret.
seealso:
  - module: meshfleet.particle.secret
  - module: meshfleet.particle.product
  - module: meshfleet.particle.fleet
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Send readings to a server, with a token that is a secret of the cloud
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

- name: Set a password, and leave all other settings of the webhook unchanged
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    auth:
      username: particle
      password: "{{ receiver_password }}"

- name: Disable the webhook while the server is down
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    disabled: true

- name: Log in to a server with secrets of the cloud, so that neither the task nor the webhook contains a password
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the archive
    event: reading
    url: https://archive.example.net/readings
    auth:
      username: !unsafe "{{{ARCHIVE_USER}}}"
      password: !unsafe "{{{ARCHIVE_PASSWORD}}}"

- name: Send readings to Azure IoT Hub, with a key from an encrypted variable
  meshfleet.particle.integration:
    product: field-logger
    name: readings to Azure
    type: azure_iot_hub
    event: reading
    hub_name: barn-hub
    policy_name: device
    policy_key: "{{ azure_policy_key }}"
    json:
      device: !unsafe "{{{PARTICLE_DEVICE_ID}}}"
      value: !unsafe "{{{PARTICLE_EVENT_VALUE}}}"

- name: Send readings to Google Cloud Pub/Sub
  meshfleet.particle.integration:
    product: field-logger
    name: readings to Google
    type: google_pubsub
    event: reading
    topic: projects/barn-data/topics/readings

- name: Send positions to Google Maps
  meshfleet.particle.integration:
    product: field-logger
    name: positions
    type: google_maps
    event: position
    api_key: "{{ google_api_key }}"

- name: Remove the webhook
  meshfleet.particle.integration:
    product: field-logger
    name: readings to the barn server
    state: absent

- name: Open a ticket for each alarm, and publish the number of the ticket
  meshfleet.particle.integration:
    product: field-logger
    name: alarms to the help desk
    event: alarm
    url: https://desk.example.net/tickets
    query:
      source: field-logger
    form:
      subject: !unsafe "Alarm of device {{{PARTICLE_DEVICE_ID}}}"
      text: !unsafe "{{{PARTICLE_EVENT_VALUE}}}"
    response_template:
      ticket: !unsafe "{{{number}}}"
"""

RETURN = r"""
integration:
  description:
    - The integration after the task. In check mode, the integration as it would be. V(null) if the integration does not
      exist.
    - Secret values are masked. A setting that is not set is V(null), or the default of the cloud if it has one. A
      setting that the type of the integration does not have is V(null).
  returned: if the integration was read
  type: dict
  contains:
    id:
      description: Id of the integration. V(null) if check mode would create it.
      type: str
      returned: always
      sample: 65bb00112233445566778899
    name:
      description: Name of the integration.
      type: str
      returned: always
      sample: readings to the barn server
    type:
      description: Type of the integration.
      type: str
      returned: always
      sample: webhook
    event:
      description: Prefix of the names of the events that trigger the integration.
      type: str
      returned: always
      sample: reading
    url:
      description: URL to which the webhook sends its request. Its username, password and query values are masked.
      type: str
      returned: always
      sample: https://hooks.example.net/readings
    method:
      description: HTTP method of the request.
      type: str
      returned: always
      sample: POST
    json:
      description: Template of the JSON body. Values other than booleans and webhook variables are masked.
      type: raw
      returned: always
      sample:
        device: "{{{PARTICLE_DEVICE_ID}}}"
        value: "{{{PARTICLE_EVENT_VALUE}}}"
    form:
      description: Template of the form. Values other than booleans and webhook variables are masked.
      type: dict
      returned: always
      sample:
    body:
      description:
        - Template of a request body that is neither JSON nor a form. It is masked, unless it is a webhook variable.
      type: str
      returned: always
      sample:
    query:
      description: Query parameters, with masked values.
      type: dict
      returned: always
      sample:
    headers:
      description: Headers of the request, with names in lower case and masked values.
      type: dict
      returned: always
      sample:
        authorization: "********"
    auth:
      description: Username and password for HTTP Basic authentication, masked.
      type: dict
      returned: always
      sample:
    no_defaults:
      description: Whether the fields that the cloud adds to a request are left out.
      type: bool
      returned: always
      sample: true
    disabled:
      description: Whether the integration is disabled.
      type: bool
      returned: always
      sample: false
    reject_unauthorized:
      description: Whether the cloud verifies the TLS certificate of the server.
      type: bool
      returned: always
      sample: true
    response_topic:
      description: Name of the event that is published with the response of the server.
      type: str
      returned: always
      sample: "{{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}"
    error_response_topic:
      description: Name of the event that is published if the request fails.
      type: str
      returned: always
      sample: hook-error/{{PARTICLE_EVENT_NAME}}
    response_template:
      description: Template for the data of the event that is published with the response of the server.
      type: raw
      returned: always
      sample:
    unchunked:
      description: Whether a long response is published as one event.
      type: bool
      returned: always
      sample: false
    data_url_response_event:
      description: Whether the response is published as a data URL.
      type: bool
      returned: always
      sample: false
    hub_name:
      description: Name of the Azure IoT Hub.
      type: str
      returned: always
      sample:
    policy_name:
      description: Name of the shared access policy of the hub.
      type: str
      returned: always
      sample:
    policy_key:
      description: Key of the shared access policy, masked.
      type: str
      returned: always
      sample:
    topic:
      description: Name of the Google Cloud Pub/Sub topic.
      type: str
      returned: always
      sample:
    api_key:
      description: API key for Google Maps, masked.
      type: str
      returned: always
      sample:
not_compared:
  description: Declared secrets that could not be compared, because the cloud masks them.
  returned: if the integration was read
  type: list
  elements: str
  sample:
    - headers.authorization
msg:
  description: Message and hint of the error, or a note that declared secrets could not be compared.
  returned: if a secret could not be compared, or on failure
  type: str
  sample: >-
    The cloud does not show these secrets of integration readings to the barn server, so they cannot be compared:
    headers.authorization. They were left as they are; set update_secrets to always to write them.
changes:
  description: Changed settings, each with its value before and after the change. Secret values are masked.
  returned: if the integration was read
  type: dict
  sample:
    disabled:
      before: false
      after: true
diff:
  description:
    - Changes that the task makes, as text for the screen, in the key C(prepared). Removals come first. One line shows a
      device, network, webhook or firmware version with its changes, or several devices with the same changes. Long
      values are shortened, and secrets are masked.
    - The text has at most twelve lines, and the last lines count the devices without a line. With C(-v), each device
      has a line, and only the size of the text is limited.
    - In check mode of M(meshfleet.particle.device) and M(meshfleet.particle.fleet), the line C(uncertain for) names
      devices whose outcome depends on whether the cloud accepts them or other devices.
  returned: in diff mode, if the task has computed the changes
  type: dict
  contains:
    prepared:
      description: The text. Empty if nothing changes.
      type: str
      returned: always
      sample: |
        barn-gateway (e00fce68aabbccddeeff0022): name 'gateway' -> 'barn-gateway'; notes null -> 'north wall'
        groups [] -> ['north'] on 18 devices: barn-0001, barn-0002, barn-0003 and 15 more
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

from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, build_argument_spec, run_module
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import read_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.integrations import INTEGRATIONS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import UPDATE_SECRETS

SPEC = build_argument_spec(
    product={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    update_secrets={"type": "str", "choices": list(UPDATE_SECRETS), "default": "on_create", "no_log": False},
    **INTEGRATIONS.build_option_specs(),
)


def integration(task: Task) -> dict[str, Any]:
    """Bring the integration to the state that the options declare."""
    declared = read_declared(INTEGRATIONS, task.options)
    with task.open_product() as target:
        update_secrets = task.options["update_secrets"]
        result = reconcile_resource(
            target, INTEGRATIONS, declared, check_mode=task.check_mode, update_secrets=update_secrets
        )
    return task.show_diff(result)


def main() -> None:
    """Run the module."""
    run_module(SPEC, integration)


if __name__ == "__main__":
    main()
