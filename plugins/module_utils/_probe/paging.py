# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the pages of a list with the facts (endpoints.yml: paging_styles). Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.answers import Answer
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import Read, find_values
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Difference

_IDENTITIES = ("id", "_id", "device_id", "name")
_TOTAL = "meta.total_pages"


def list_rows(data: Any, read: Read) -> list[Any]:
    """Return the rows of a page."""
    rows = data.get(next(iter(read.rows))) if isinstance(data, dict) else None
    return rows if isinstance(rows, list) else []


def compare_pages(read: Read, first: Answer, ask: Callable[[Mapping[str, str]], Answer | None]) -> Iterator[Difference]:
    """Yield the deviations of pages with one row each.

    :param first: the response to the request without parameters, which has at least two rows.
    :param ask: a function that sends the request with parameters. It returns ``None`` if no more request is allowed.
    """
    rows = list_rows(first.data, read)
    for number, size in enumerate(read.pages):
        page = ask({"page": "1", size: "1"})
        if page is None:
            return
        yield from _compare_page(page, read, size)
        if number == 0 and page.status == 200:
            yield from _compare_total(page.data, first.data, len(rows))
            second = ask({"page": "2", size: "1"})
            if second is not None and _read_identity(second, read) == _read_identity(page, read):
                yield Difference("parameter page", "page 2 has other rows than page 1", "the same row")


def _compare_page(page: Answer, read: Read, size: str) -> Iterator[Difference]:
    place = f"parameter {size}"
    if not page.is_success(read):
        yield Difference(place, "200", str(page.status))
    elif (count := len(list_rows(page.data, read))) != 1:
        yield Difference(place, f"1 row with {size}=1", f"{count} rows")


def _compare_total(data: Any, first: Any, rows: int) -> Iterator[Difference]:
    """Yield the deviation of the number of pages, if all rows fit on the first page."""
    total = next(find_values(data, _TOTAL), None)
    if next(find_values(first, _TOTAL), None) == 1 and total not in (None, rows):
        yield Difference(_TOTAL, "the number of pages with the given number of rows", "another number")


def _read_identity(page: Answer, read: Read) -> Any:
    """Return what tells the first row of a page from others; an empty object for a page without rows."""
    row = next(iter(list_rows(page.data, read)), None)
    if not isinstance(row, dict):
        return object()
    return next((row[name] for name in _IDENTITIES if name in row), object())
