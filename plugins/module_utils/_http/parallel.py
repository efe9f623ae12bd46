# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call a function for each of many items, in parallel threads. Private to this collection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar("Item")


Result = TypeVar("Result")


def map_in_parallel(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed with up to ``workers`` threads.

    After an error, no further calls are started. The error is raised when the running calls have ended.
    """
    # Each thread takes items from one list. ``pool.map`` would create an object with a lock for each of 100 000 items.
    waiting = list(items)
    numbers = itertools.count()
    results: list[Any] = [None] * len(waiting)
    failures: list[BaseException] = []

    def work() -> None:
        while not failures and (number := next(numbers)) < len(waiting):
            try:
                results[number] = function(waiting[number])
            except BaseException as error:
                failures.append(error)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(work) for _unused in range(min(workers, len(waiting)))]
        try:
            wait(futures)
        except BaseException as error:  # an interrupt is raised only in this thread
            failures.insert(0, error)
    if failures:
        raise failures[0]
    return results
