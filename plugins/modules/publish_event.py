#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: publish_event
short_description: Publish an event for a product or for the account
version_added: 0.2.0
description:
  - Publishes one event. Devices, webhooks and other clients that subscribe to its name receive it.
  - An event is never sent again after its response was lost, because subscribers would receive it twice. The task then
    fails with RV(error.code) V(ambiguous_write), and the event may or may not have been published.
  - Needs credentials, for example O(access_token), or O(username) and O(password).
notes:
  - The data of the event is not shown in the result or in error messages. Ansible itself shows what is written into a
    playbook, so keep secret data in a variable. With C(async) and C(-vvv), Ansible also shows the options of the task,
    so a task with secret data then needs C(no_log=true).
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
    details: In check mode, the options are checked, and no event is published.
  diff_mode:
    support: none
    details: An event changes no settings.
  idempotent:
    support: none
    details: The module publishes the event in every run.
options:
  name:
    description: Name of the event, one line of 1 to 64 bytes.
    type: str
    required: true
  data:
    description:
      - Data of the event. A text is sent as it is. Any other value, such as a mapping, is sent as JSON.
      - Quote numbers and texts such as V("on"), if their spelling matters.
    type: raw
  product:
    description:
      - Id or slug of the product for which the event is published.
      - Without it, the event is published for the account.
    type: str
  private:
    description:
      - Whether only subscribers of the same account receive the event.
      - Without this option, the default of the cloud applies.
    type: bool
  ttl:
    description:
      - Lifetime of the event in seconds.
      - Without this option, the default of the cloud applies.
    type: int
seealso:
  - module: meshfleet.particle.api_request
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Tell all devices of the product to report
  meshfleet.particle.publish_event:
    product: field-logger
    name: report-now

- name: Publish a reading for the account
  meshfleet.particle.publish_event:
    name: barn/reading
    data:
      temperature: 21.5
      humidity: 40
"""

RETURN = r"""
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

import json
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.events import NewEvent, publish
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)

SPEC = build_argument_spec(
    name={"type": "str", "required": True},
    data={"type": "raw"},
    product={"type": "str"},
    private={"type": "bool"},
    ttl={"type": "int"},
)


def publish_event(task: Task) -> dict[str, Any]:
    """Publish the event. In check mode, only check the options.

    :raises ParticleError: ``invalid_option`` when the name or the data is not valid; ``ambiguous_write`` when it is not
        known whether the event was published.
    """
    options = task.options
    event = NewEvent(options["name"], _format_data(options["data"]), options["ttl"], options["private"])
    event.check()
    session = task.open_session()
    if not task.check_mode:
        with session as http:
            publish(http, options["product"], event)
    return {"changed": True}


def _format_data(data: Any) -> str | None:
    """Return the data of an event as text: JSON, unless the data is a text already.

    :raises ParticleError: ``invalid_option`` when the data cannot be written as JSON.
    """
    if data is None or isinstance(data, str):
        return data
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        message = "data contains a value that JSON does not have, such as .nan or .inf."
        raise ParticleError("invalid_option", message, hint="Correct the data of the event.") from None


def main() -> None:
    """Run the module."""
    run_module(SPEC, publish_event)


if __name__ == "__main__":
    main()
