# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that come in pages, read to their end. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import rows_of
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import in_parallel

PAGE_SIZE = 100
MOST_PAGES = 100_000
"""More than any account can have: who announces more would have us read for ever."""


@dataclass(frozen=True)
class Listing:
    """All rows of a list. ``complete`` is false when the list was seen to change while it was read."""

    rows: tuple[dict[str, Any], ...]
    pages: int
    complete: bool


def read_pages(
    http: Http,
    route: str,
    *,
    keys: tuple[str, ...],
    doing: str,
    at: Mapping[str, object] | None = None,
    query: Mapping[str, str] | None = None,
    page_size: int = PAGE_SIZE,
    ordered_by: str | None = None,
    closely: bool = False,
    keep: Set[str] | None = None,
    private: bool = False,
) -> Listing:
    """Read every page: the first, then the rest at once.

    :param keys: under which the rows may stand; spellings differ between documentation and client.
    :param ordered_by: the key by which ``query`` makes the cloud sort the rows, for a list that shall notice when
        rows come or go in the midst of it. It costs one more request: a row that comes or goes shifts the last
        page, unless another one makes up for it, so that page is read before all others and after them.
    :param closely: for such a list, notice also what comes or goes before the last page is read, by one request more:
        the first page, which has told how many there are, is read once more.
    :param keep: the keys of a row that are wanted; ``None``: all. Most of a row is of no use to most, and a hundred
        thousand whole ones are 250 MB.
    :param private: rows hold secrets that a refusal may echo, so its words are not passed on.
    :raises ParticleError: ``bad_response`` when an answer has no rows at all, or announces more than it can have.
    """

    def read(page: int) -> tuple[list[dict[str, Any]], int]:
        # Documented is perPage, the official client sends per_page (endpoints.yml: paging_styles).
        size = str(page_size)
        sizes = {"page": str(page), "perPage": size, "per_page": size}
        data = http.call(route, doing=doing, at=at, query={**(query or {}), **sizes}, private=private).data
        rows = rows_of(data, keys, route=route, doing=doing)
        if keep is not None:
            rows = [{key: value for key, value in row.items() if key in keep} for row in rows]
        meta = data.get("meta") if isinstance(data, dict) else None
        total = meta.get("total_pages") if isinstance(meta, dict) else None
        return rows, total if isinstance(total, int) and total > 0 else 1

    rows, total = read(1)
    if total > MOST_PAGES:
        message = f"Could not {doing}: the answer announces {total} pages."
        raise ParticleError("bad_response", message, status=200, route=route)
    if ordered_by is None or total == 1:
        answers = [(rows, total), *in_parallel(read, range(2, total + 1), http.workers)]
        still = True
    else:
        last = read(total)
        first = read(1) if closely else (rows, total)
        answers = [first, *in_parallel(read, range(2, total), http.workers), last]
        still = _names(read(total)[0], ordered_by) == _names(last[0], ordered_by)
    collected = [row for page, _unused in answers for row in page]
    if ordered_by is not None:
        names = _names(collected, ordered_by)
        still = still and len(set(names)) == len(names)
    return Listing(tuple(collected), len(answers), still and all(now == total for _unused, now in answers))


def _names(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [str(row.get(key)) for row in rows]
