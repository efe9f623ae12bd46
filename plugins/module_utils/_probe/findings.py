# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define what a probe has found. Private to this collection.

Findings contain the shapes of responses and never their values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.names import SeenTexts
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import Read
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Difference, join_place

WITHHELD = "(name withheld)"
"""The text in place of the name of a field that a user may have chosen."""


@dataclass(frozen=True)
class Deviation:
    """A deviation of a cloud from the facts.

    :param endpoint: the id of the entry in docs/facts/endpoints.yml.
    :param confidence: how far the sources of the entry can be trusted.
    :param request: the method and the path template.
    :param place: where the deviation is: the path to a field, ``status``, or the name of a header or a parameter.
    :param documented: what the facts say.
    :param found: what the cloud responds.
    :param count: the number of values that deviate in this way.
    """

    endpoint: str
    confidence: str
    request: str
    place: str
    documented: str
    found: str
    count: int = 1


@dataclass(frozen=True)
class Refusal:
    """A request that the cloud has refused in a documented way, or that has failed.

    :param request: the method and the path template.
    :param status: the status of the response; ``None`` if there was none.
    :param code: the error code.
    """

    request: str
    status: int | None
    code: str


@dataclass(frozen=True)
class NotTried:
    """A request that was not sent, or pages that were not compared, with the reason.

    :param endpoint: the id of the entry in docs/facts/endpoints.yml.
    :param request: the method and the path template; ``None`` for all requests of the endpoint.
    """

    endpoint: str
    request: str | None
    reason: str


@dataclass
class Findings:
    """The findings of a probe.

    :param requests: the number of requests that were sent, without logins.
    :param compared: the number of successful responses that were compared with the facts.
    :param limit_headers: the names of headers about rate limits that some responses had.
    """

    requests: int = 0
    compared: int = 0
    deviations: list[Deviation] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    failures: list[Refusal] = field(default_factory=list)
    not_tried: list[NotTried] = field(default_factory=list)
    limit_headers: set[str] = field(default_factory=set)


class DeviationList:
    """The deviations of all responses.

    The names of undocumented fields are only chosen at the end, when all texts of the account are known.
    """

    def __init__(self) -> None:
        self._found: list[tuple[Read, Difference]] = []

    def add(self, read: Read, differences: Iterable[Difference]) -> None:
        """Add the deviations of a response."""
        self._found.extend((read, each) for each in differences)

    def build(self, seen: SeenTexts) -> list[Deviation]:
        """Return the deviations without values, in the order in which they were found."""
        fields: dict[tuple[str, str], set[str]] = {}
        for read, each in self._found:
            if each.field is not None:
                fields.setdefault((read.path, each.place), set()).add(each.field)
        shown = {key: set(seen.choose_names(names)) for key, names in fields.items()}
        counts: Counter[Deviation] = Counter()
        for read, each in self._found:
            place = each.place
            if each.field is not None:
                is_shown = each.field in shown[read.path, each.place]
                place = join_place(place, each.field if is_shown else WITHHELD)
            counts[
                Deviation(read.endpoint, read.confidence, read.route, place, each.documented, each.found, count=0)
            ] += 1
        return [
            Deviation(each.endpoint, each.confidence, each.request, each.place, each.documented, each.found, count)
            for each, count in counts.items()
        ]
