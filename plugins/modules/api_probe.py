#!/usr/bin/python
# Copyright (c) 2026 meshfleet.particle contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_probe
short_description: Compare a cloud with what is known about it
version_added: 0.2.0
description:
  - Sends the documented GET requests to a cloud, and compares status, media type, field names, types, pages and lengths
    of the responses with the facts in C(docs/facts) of this collection. Changes nothing in the cloud.
  - A request that needs the id of a product, a device or another thing uses the first one that an earlier response
    contains. If the account has none, the request is not sent, and RV(not_tried) says so.
  - The result contains documented names, types, counts and statuses, and never a value of a response. The name of a
    field that is not documented is only returned if it looks like a name that the cloud has chosen, and if the account
    contains no such text. Otherwise, the result contains C((name withheld)).
  - A request that fails does not end the task. The task fails if it cannot log in, or if the cloud does not respond at
    all.
  - At most 6 requests are sent to one endpoint. Only status and headers are read of streams of events and of files.
  - Reading a variable of a device counts as a data operation of the account. At most two variables are read.
  - The playbook C(meshfleet.particle.probe) runs this module and writes its report into a file.
  - Needs credentials, for example O(access_token), or O(username) and O(password).
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
    details: The module sends only GET requests, also in check mode.
  diff_mode:
    support: N/A
    details: The module only reads.
  idempotent:
    support: N/A
    details: The module only reads.
options:
  product:
    description:
      - Id or slug of the product whose devices, groups and other things are read. The default is the first product of
        the account.
    type: str
  max_requests:
    description: The maximum number of requests, without logins. Requests beyond it are listed in RV(not_tried).
    type: int
    default: 250
seealso:
  - module: meshfleet.particle.api_request
  - module: meshfleet.particle.auth_doctor
  - name: Compare a cloud with the facts
    description: Describes the playbook, the report, and how to send it to the project.
    link: https://github.com/meshfleet/particle/blob/main/docs/guide_probe.md
"""

EXAMPLES = r"""
# The credentials come from the environment, for example PARTICLE_ACCESS_TOKEN, unless a task sets them.
- name: Compare the cloud with the facts
  meshfleet.particle.api_probe:
  register: probe

- name: Show the deviations
  ansible.builtin.debug:
    var: probe.deviations

- name: Compare only the requests for one product, with at most 50 requests
  meshfleet.particle.api_probe:
    product: field-logger
    max_requests: 50
"""

RETURN = r"""
deviations:
  description: The deviations of the cloud from the facts.
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: Id of the entry in C(docs/facts/endpoints.yml).
      type: str
      returned: always
      sample: devices_list
    confidence:
      description: How far the sources of the entry can be trusted.
      type: str
      returned: always
      choices: [documented, recorded, from-client-code, inferred]
      sample: recorded
    request:
      description: Method and path template of the request.
      type: str
      returned: always
      sample: GET /v1/devices
    place:
      description:
        - Path to the field that deviates. C([]) stands for the elements of a list, and C(*) for the values of an object
          whose keys users choose. Otherwise V(status), or the name of a header or a parameter.
      type: str
      returned: always
      sample: "[].online"
    documented:
      description: What the facts say.
      type: str
      returned: always
      sample: bool
    found:
      description: What the cloud responds.
      type: str
      returned: always
      sample: no field
    count:
      description: Number of values that deviate in this way.
      type: int
      returned: always
      sample: 3
requests:
  description: Number of requests that were sent, without logins.
  returned: success
  type: int
  sample: 97
compared:
  description: Number of successful responses that were compared.
  returned: success
  type: int
  sample: 90
refused:
  description: Requests that the cloud refused as documented, or because the account has no access.
  returned: success
  type: list
  elements: dict
  contains: &refusal
    request:
      description: Method and path template of the request.
      type: str
      returned: always
      sample: GET /v1/networks
    status:
      description: HTTP status of the response. V(null) if there was no response.
      type: int
      returned: always
      sample: 404
    code:
      description: Error code, as in RV(error.code) of a failed task.
      type: str
      returned: always
      sample: not_found
failures:
  description: Requests without a response, and responses with a temporary error of the cloud.
  returned: success
  type: list
  elements: dict
  contains: *refusal
not_tried:
  description: Requests that were not sent.
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: Id of the entry in C(docs/facts/endpoints.yml).
      type: str
      returned: always
      sample: org_get
    request:
      description: Method and path template of the request. V(null) for all requests of the entry.
      type: str
      returned: always
      sample: GET /v1/orgs/:org
    reason:
      description: Why the request was not sent.
      type: str
      returned: always
      sample: no value for :org was found in the account
report:
  description: All of this as a report in YAML, with a text at its beginning that explains it.
  returned: success
  type: str
  sample: |
    # Report of the playbook meshfleet.particle.probe
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

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import (
    Task,
    build_argument_spec,
    run_module,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.shared_spec import DEFAULT_API_URL
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.report import format_report
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.run import (
    DEFAULT_MAX_REQUESTS,
    Probe,
    ProbeOptions,
)

SPEC = build_argument_spec(
    product={"type": "str"},
    max_requests={"type": "int", "default": DEFAULT_MAX_REQUESTS},
)


def api_probe(task: Task) -> dict[str, Any]:
    """Compare the cloud with the facts.

    :raises ParticleError: ``invalid_option`` when ``max_requests`` is not positive; ``not_found`` when ``product``
        cannot be a part of a path; ``unreachable`` when the cloud responds to no request; the error of the login.
    """
    options = ProbeOptions(task.options["product"], task.options["max_requests"])
    if options.max_requests < 1:
        message = f"max_requests must be at least 1, got {options.max_requests}."
        raise ParticleError("invalid_option", message, hint="Correct max_requests.")
    with task.open_session() as http:
        findings = Probe(http, options).run()
        is_default = http.connection.api_url == DEFAULT_API_URL
    return {
        "changed": False,
        "requests": findings.requests,
        "compared": findings.compared,
        **{
            name: [asdict(each) for each in getattr(findings, name)]
            for name in ("deviations", "refused", "failures", "not_tried")
        },
        "report": format_report(
            findings,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            cloud="Particle's own cloud" if is_default else "another cloud",
        ),
    }


def main() -> None:
    """Run the module."""
    run_module(SPEC, api_probe)


if __name__ == "__main__":
    main()
