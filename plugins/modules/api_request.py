#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_request
short_description: Send a request to any documented route of the cloud
version_added: 0.2.0
description:
  - Sends one request to a route of the cloud for which the collection has no module.
  - Unlike M(ansible.builtin.uri), the module uses the login that all tasks share, counts the request in the request
    budget that all tasks share, retries safe requests, and explains errors of the cloud.
  - V(GET), V(PUT) and V(DELETE) are sent again after a temporary error or a lost response. A repeated V(DELETE) may
    therefore fail with RV(error.code) V(not_found), although the first one took effect. V(POST) and V(PATCH) are sent
    again only if they certainly had no effect. If it is not known whether they took effect, the task fails with
    RV(error.code) V(ambiguous_write).
  - The task fails if the status of the response is not from 200 to 299. RV(error.status) contains the status, for use
    in C(failed_when).
  - The module does not read further pages, upload files, return files or follow a stream of events.
  - Routes for access tokens are refused. Use M(meshfleet.particle.access_token) and
    M(meshfleet.particle.access_token_info) instead.
  - Needs credentials, for example O(access_token), or O(username) and O(password).
notes:
  - Values of O(body) and O(query) are not shown in error messages. If the name of a value says that it is secret, such
    as C(password), C(token) or C(api_key), the value is also masked in the result, and the text of an error response is
    not shown. Set C(no_log=true) if any other value is secret.
  - If the response contains text that looks like an access token, or a value whose name says that it is secret, Ansible
    does not show the result. The registered variable is whole. A task with C(async) needs C(no_log=true) for this.
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
    details: In check mode, only V(GET) is sent. Any other request is checked, and counts as a change.
  diff_mode:
    support: none
    details: The module does not know what a request changes.
  idempotent:
    support: none
    details: The module sends the request in every run.
options:
  method:
    description: HTTP method.
    type: str
    choices: [GET, POST, PUT, PATCH, DELETE]
    default: GET
  path:
    description:
      - Path of the route below O(api_url), such as V(/v1/devices). Parts of the path may be percent-encoded.
      - The path must not contain an address, a query string, an access token, empty parts or V(..).
    type: str
    required: true
  query:
    description:
      - Parameters of the query string. Each value is a text, a number or a boolean.
      - A query string is a part of a URL, so it must not contain an access token.
    type: dict
  body:
    description:
      - Body of the request, which is sent as JSON. A mapping or a list.
      - Cannot be combined with O(method=GET).
    type: raw
seealso:
  - module: meshfleet.particle.access_token
  - module: meshfleet.particle.device_info
  - module: meshfleet.particle.publish_event
  - module: ansible.builtin.uri
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Read the members of a product's team
  meshfleet.particle.api_request:
    path: /v1/products/field-logger/team
  register: team

- name: Show their names
  ansible.builtin.debug:
    msg: "{{ team.json.team | map(attribute='username') | list }}"

- name: Read the metrics of the last week
  meshfleet.particle.api_request:
    path: /v1/products/field-logger/metrics/online
    query:
      start_date: "2026-03-01T00:00:00Z"
      end_date: "2026-03-08T00:00:00Z"

- name: Invite a person to the team
  meshfleet.particle.api_request:
    method: POST
    path: /v1/products/field-logger/team
    body:
      username: jane@example.com
      role: Developer
"""

RETURN = r"""
status:
  description: HTTP status of the response. V(null) if check mode did not send the request.
  returned: success
  type: int
  sample: 200
json:
  description:
    - Body of the response, as the cloud has sent it. V(null) if the body is empty, or if check mode did not send the
      request.
  returned: success
  type: raw
  sample:
    ok: true
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

from ansible_collections.meshfleet.particle.plugins.module_utils._api.any_route import METHODS, read_call, send_call
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(
    method={"type": "str", "choices": list(METHODS), "default": "GET"},
    path={"type": "str", "required": True},
    query={"type": "dict"},
    body={"type": "raw"},
)


def api_request(task: Task) -> dict[str, Any]:
    """Send the request. In check mode, send it only if its method is GET.

    :raises ParticleError: ``invalid_option`` when the request may not be sent; the error of the request when it fails.
    """
    options = task.options
    call = read_call(options["method"], options["path"], options["query"], options["body"])
    task.redact.add_secrets(call.secrets)
    session = task.open_session()
    if not call.is_free_of(task.redact.mask_values):
        message = "path or query contains an access token or another secret, but URLs are logged."
        raise ParticleError("invalid_option", message, hint="Remove it: the task sends its access token by itself.")
    is_write = call.method != "GET"
    if task.check_mode and is_write:
        return {"changed": True, "status": None, "json": None}
    with session as http:
        response = send_call(http, call)
    return {"changed": is_write, "status": response.status, "json": response.data}


def main() -> None:
    """Run the module."""
    run_module(SPEC, api_request)


if __name__ == "__main__":
    main()
