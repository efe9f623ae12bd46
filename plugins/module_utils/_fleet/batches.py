# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one request for many items. If the request is refused, find the invalid items. Private to this collection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import can_be_split

MAX_BATCH_ITEMS = 1_000
"""Maximum number of items in one request. The cloud may have a lower maximum, which is not documented. A request with
too many items is refused, and is then sent again in halves."""


@dataclass(frozen=True)
class Batches:
    """An object that sends requests for many items, and halves a refused request.

    :param fail: called with items that have failed, and with their error.
    :param is_stopped: returns whether the run has ended early. In this case, no more requests are sent.
    :param note_write: called after each request that has changed anything.
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
        """Send a request for all items. If a request is refused, send a request for each half of its items.

        A refused half is halved again, down to single items. An item fails if the request for only this item is
        refused. The first invalid item is found after about ``log2(len(items))`` refusals. If twice as many requests
        were refused and no request was accepted, the cause is not a single item. In that case, all items fail.

        :param request: sends the request for some items, and returns whether the request has changed anything. The
            cloud may accept a request but reject each of its items.
        :param select: called with the items of a request before the request is sent. Returns the items that can still
            be sent: an earlier failure can exclude an item.
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
    """Split items into sequences of at most :data:`MAX_BATCH_ITEMS` items."""
    return (items[start : start + MAX_BATCH_ITEMS] for start in range(0, len(items), MAX_BATCH_ITEMS))
