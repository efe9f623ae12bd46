# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the findings of a probe as a report. Private to this collection.

The report is YAML that a person can read in a minute. It contains no value of a response.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.answers import STATUS
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import REVISION
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.findings import (
    Deviation,
    Findings,
    NotTried,
    Refusal,
)

_WIDTH = 120

_HEADER = """\
# Report of the playbook meshfleet.particle.probe
#
# The playbook has sent GET requests to a cloud, and has changed nothing there. It has compared the responses with
# docs/facts/endpoints.yml of the collection. This report shows what differs: names of documented fields, types, counts
# and statuses. It contains no value of a field. The name of a field that is not documented is only shown if it looks
# like a name that the cloud has chosen.
#
# Read the report before you attach it to an issue. If a line should not be public, remove it.
# https://github.com/meshfleet/particle/issues/new?template=cloud.yml
"""


def format_report(findings: Findings, *, date: str, cloud: str) -> str:
    """Return the report as YAML.

    :param date: the day of the probe.
    :param cloud: which cloud was probed, without its address.
    """
    lines = [
        f"date: {_quote(date)}",
        f"cloud: {_quote(cloud)}",
        f"facts: {_quote(REVISION)}",
        "requests:",
        f"  sent: {findings.requests}",
        f"  compared: {findings.compared}",
        f"  refused: {len(findings.refused)}",
        f"  failed: {len(findings.failures)}",
        f"rate_limit_headers: [{', '.join(map(_quote, sorted(findings.limit_headers)))}]",
        *_format_section("undocumented_statuses", _format_statuses(findings.deviations)),
        *_format_section("deviations", _format_deviations(findings.deviations)),
        *_format_section("refused", _format_refusals(findings.refused)),
        *_format_section("failures", _format_refusals(findings.failures)),
        *_format_section("not_tried", _format_not_tried(findings.not_tried)),
    ]
    return "\n".join([f"{_HEADER}---", *lines, ""])


def _format_section(name: str, lines: Iterable[str]) -> Iterator[str]:
    below = [*lines]
    yield f"{name}:" if below else f"{name}: []"
    yield from below


def _format_statuses(deviations: Iterable[Deviation]) -> Iterator[str]:
    """Yield the responses with undocumented statuses, in one line for each status: a cloud may lack many routes."""
    requests: dict[str, list[str]] = {}
    for each in deviations:
        if each.place == STATUS:
            requests.setdefault(f"documented {each.documented}, found {each.found}", []).append(each.request)
    for status, found in sorted(requests.items()):
        yield f"- status: {_quote(status)}"
        yield "  requests:"
        yield from (f"  - {_quote(request)}" for request in sorted(found))


def _format_deviations(deviations: Iterable[Deviation]) -> Iterator[str]:
    """Yield the deviations of the responses of each entry and request, except their statuses."""
    ordered = sorted(
        (each for each in deviations if each.place != STATUS), key=lambda each: (each.endpoint, each.request)
    )
    for (endpoint, confidence, request), group in groupby(
        ordered, lambda each: (each.endpoint, each.confidence, each.request)
    ):
        yield f"- entry: {_quote(f'{endpoint} ({confidence})')}"
        yield f"  request: {_quote(request)}"
        yield "  found:"
        for each in group:
            times = "" if each.count == 1 else f" ({each.count} times)"
            place = each.place or "body"
            yield f"  - {_quote(f'{place}: documented {each.documented}, found {each.found}{times}')}"


def _format_refusals(refusals: Iterable[Refusal]) -> Iterator[str]:
    for each in refusals:
        status = "no response" if each.status is None else f"status {each.status}"
        yield f"- {_quote(f'{each.request}: {status}, {each.code}')}"


def _format_not_tried(left_out: Iterable[NotTried]) -> Iterator[str]:
    for reason, group in groupby(sorted(left_out, key=lambda each: each.reason), lambda each: each.reason):
        entries = ", ".join(sorted({each.endpoint for each in group}))
        yield f"- reason: {_quote(reason)}"
        yield textwrap.fill(
            f"[{entries}]", _WIDTH, initial_indent="  entries: ", subsequent_indent="    ", break_on_hyphens=False
        )


def _quote(text: str) -> str:
    """Return a text as a YAML string."""
    return json.dumps(text)
