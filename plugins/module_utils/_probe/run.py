# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the documented GET requests, and compare the responses with the facts. Private to this collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import REFUSED_TOKEN_CODES, Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.answers import (
    Answer,
    compare_answer,
    parse_error_body,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import NOT_READ, SHAPES
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.findings import (
    DeviationList,
    Findings,
    NotTried,
    Refusal,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.names import SeenTexts
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.paging import compare_pages, list_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import READS, Content, Read, find_value
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Shapes

DEFAULT_MAX_REQUESTS = 250
"""The default number of requests that a probe may send, without logins. All documented requests are about 150."""

MAX_REQUESTS_PER_ENDPOINT = 6
"""The number of requests that a probe may send to all paths of one endpoint together."""

_PAGES = " with pages"

_MAX_UNREACHABLE = 3
"""After how many requests without a response in a row the probe ends."""

_ENDING_CODES = {
    **dict.fromkeys((*REFUSED_TOKEN_CODES, "not_a_token"), "the cloud no longer accepts the access token"),
    **dict.fromkeys(("rate_limited", "budget_exhausted"), "the cloud refused too many requests"),
}
"""The error codes after which no further request can succeed, each with the reason."""


@dataclass(frozen=True)
class ProbeOptions:
    """The options of a probe.

    :param product: the product whose things are read; ``None`` for the first product of the account.
    :param max_requests: the number of requests that may be sent, without logins.
    """

    product: str | None = None
    max_requests: int = DEFAULT_MAX_REQUESTS


class Probe:
    """A comparison of a cloud with the facts.

    :param http: the logged-in client.
    """

    def __init__(self, http: Http, options: ProbeOptions) -> None:
        self._http = http
        self._max_requests = options.max_requests
        self._values: dict[str, str] = {} if options.product is None else {"product": options.product}
        self._sent_before = http.usage.requests
        self._sent_to: Counter[str] = Counter()
        self._unreachable = 0
        self._end: str | None = None
        self._seen = SeenTexts()
        self._shapes = Shapes(SHAPES, self._seen.add_free)
        self._deviations = DeviationList()
        self._findings = Findings()

    def run(self, reads: Sequence[Read] = READS) -> Findings:
        """Send the requests, and return what was found.

        A request that needs a value, such as the id of a device, is sent after a response has given such a value.

        :raises ParticleError: ``not_found`` when the product in the options cannot be a part of a path; ``unreachable``
            when the cloud responds to no request.
        """
        waiting = list(reads)
        while True:
            ready = [read for read in waiting if self._find_missing(read) is None]
            if not ready:
                break
            waiting = [read for read in waiting if read not in ready]
            for read in ready:
                self._try_request(read)
        for read in waiting:
            self._leave_out(read, self._end or f"no value for :{self._find_missing(read)} was found in the account")
        self._findings.not_tried += [NotTried(**row) for row in NOT_READ]
        self._findings.requests = self._count_sent()
        self._findings.deviations = self._deviations.build(self._seen)
        return self._findings

    def _find_missing(self, read: Read) -> str | None:
        """Return the first kind of value that a request needs and no response has given."""
        return next((kind for kind in read.list_kinds() if kind not in self._values), None)

    def _count_sent(self) -> int:
        return self._http.usage.requests - self._sent_before

    def _leave_out(self, read: Read, reason: str, *, suffix: str = "") -> None:
        self._findings.not_tried.append(NotTried(read.endpoint, f"{read.route}{suffix}", reason))

    def _find_bound(self, read: Read) -> str | None:
        """Return why a request must not be sent."""
        if self._end is not None:
            return self._end
        if self._count_sent() >= self._max_requests:
            return f"max_requests allows {self._max_requests} requests"
        if self._sent_to[read.endpoint] >= MAX_REQUESTS_PER_ENDPOINT:
            return f"at most {MAX_REQUESTS_PER_ENDPOINT} requests are sent to one endpoint"
        return None

    def _try_request(self, read: Read) -> None:
        """Send a request unless a bound forbids it, compare the response, and keep the values that it gives."""
        if (reason := self._find_bound(read)) is not None:
            self._leave_out(read, reason)
            return
        answer = self._send(read, {})
        if not self._record_answer(read, answer):
            return
        for kind, place in read.gives.items():
            if kind not in self._values and (value := find_value(answer.data, place)) is not None:
                self._values[kind] = value
        if read.pages:
            self._compare_pages(read, answer)

    def _record_answer(self, read: Read, answer: Answer) -> bool:
        """Record the outcome of a request, and return whether it was successful."""
        if self._has_failed(answer):
            self._add_failure(read, answer)
            return False
        self._seen.add_values(answer.data)
        self._deviations.add(read, compare_answer(answer, read, self._shapes))
        if answer.is_success(read) and answer.code is None:
            self._findings.compared += 1
            return True
        if answer.is_accepted(read):
            self._findings.refused.append(Refusal(read.route, answer.status, answer.code or "unknown"))
        return False

    def _has_failed(self, answer: Answer) -> bool:
        """Return whether there was no response, or only an error that says nothing about the facts."""
        return answer.status is None or answer.status >= 500 or answer.code in _ENDING_CODES

    def _add_failure(self, read: Read, answer: Answer, *, suffix: str = "") -> None:
        self._findings.failures.append(Refusal(f"{read.route}{suffix}", answer.status, answer.code or "unknown"))

    def _compare_pages(self, read: Read, first: Answer) -> None:
        if len(list_rows(first.data, read)) < 2:
            self._leave_out(read, "pages are only compared if the list has at least 2 rows", suffix=_PAGES)
            return

        def ask(query: Mapping[str, str]) -> Answer | None:
            if (reason := self._find_bound(read)) is not None:
                self._leave_out(read, reason, suffix=_PAGES)
                return None
            answer = self._send(read, query)
            if self._has_failed(answer):
                self._add_failure(read, answer, suffix=_PAGES)
                return None
            self._seen.add_values(answer.data)
            return answer

        self._deviations.add(read, compare_pages(read, first, ask))

    def _send(self, read: Read, query: Mapping[str, str]) -> Answer:
        """Send a request, and return the last response to it.

        :raises ParticleError: ``not_found`` when the product in the options cannot be a part of a path.
        """
        answer = Answer()
        values = {**self._values, **read.values}
        own = {name: values[text[1:]] if text.startswith(":") else text for name, text in read.query.items()}
        request = Request(
            read.route,
            "compare the cloud with the facts",
            values,
            query={**own, **query} or None,
            # A damaged response is a finding, so such a request is not repeated.
            retry=Retry.UNSENT,
            private=True,
            headers={"Accept": "text/event-stream"} if read.content is Content.EVENTS else {},
            observe=answer.observe,
            head_only=read.content is not Content.JSON,
        )
        self._sent_to[read.endpoint] += 1
        try:
            response = self._http.send(request)
        except ParticleError as error:
            answer.code = error.code
            answer.data = parse_error_body(answer.body)
            self._note_failure(error)
        else:
            answer.data = None if read.content is not Content.JSON else response.data
            self._unreachable = 0
        self._findings.limit_headers |= answer.list_limit_headers()
        return answer

    def _note_failure(self, error: ParticleError) -> None:
        """Decide whether the probe ends after a failed request.

        :raises ParticleError: the given error, if the cloud has responded to no request yet and does not respond now.
        """
        self._end = self._end or _ENDING_CODES.get(error.code)
        self._unreachable = self._unreachable + 1 if error.status is None else 0
        if self._unreachable == _MAX_UNREACHABLE:
            if self._findings.compared == 0:
                raise error
            self._end = f"the cloud did not respond to {_MAX_UNREACHABLE} requests in a row"
