# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one request for many items, and find the invalid items when it is refused. Private to this collection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import can_be_split

MAX_BATCH_ITEMS = 1_000
"""Maximum number of items in one request. That of the cloud is not documented, so a refused request is halved."""


@dataclass(frozen=True)
class Batches:
    """A sender of requests for many items, with the callbacks to which it reports.

    :param fail: called with items that have failed, and their error.
    :param is_stopped: returns whether nothing more may be sent.
    :param note_write: called when something was written.
    """

    fail: Callable[[Sequence[str], ParticleError], None]
    is_stopped: Callable[[], bool]
    note_write: Callable[[], None]

    def send(
        self,
        request: Callable[[Sequence[str]], bool],
        items: Sequence[str],
        select: Callable[[Sequence[str]], Sequence[str]] = list,
    ) -> None:
        """Send a request for all items; if it is refused, send it for each half, down to the invalid items.

        Halving reaches a single item after about ``log2(len(items))`` refusals. If no part has been accepted after
        twice as many, the cause is not a single item, and all items fail.

        :param request: sends the request for some items, and returns whether it has changed anything. The cloud may
            accept a request but reject each of its items.
        :param select: returns the items of a part that can still be sent, because earlier failures may exclude some.
        """
        waiting, refusals, accepted = [items], list[ParticleError](), False
        while waiting and not self.is_stopped():
            part = select(waiting.pop())
            if not part:
                continue
            try:
                changed = request(part)
                accepted = True
                if changed:
                    self.note_write()
            except ParticleError as error:
                refusals.append(error)
                if not accepted and len(refusals) >= 2 * math.log2(len(items)) + 4:
                    self.fail(select(items), refusals[0])
                    return
                if len(part) > 1 and can_be_split(error):
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                else:
                    self.fail(part, error)


def split_items(items: Sequence[str]) -> Iterable[Sequence[str]]:
    """Split items into parts of at most :data:`MAX_BATCH_ITEMS`."""
    return (items[start : start + MAX_BATCH_ITEMS] for start in range(0, len(items), MAX_BATCH_ITEMS))
