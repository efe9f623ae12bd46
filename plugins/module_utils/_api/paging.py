# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read all pages of a list. Private to this collection."""

from __future__ import annotations

import enum
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

PAGE_SIZE = 100
"""The default number of rows in a page."""
MAX_PAGES = 100_000
"""The maximum number of pages of a list. No account has a list of this length. Without a maximum, a response that
announces far too many pages would keep the run busy forever."""


@dataclass(frozen=True)
class Listing:
    """All rows of a list.

    :param pages: the number of pages that were read.
    :param complete: false if a change of the list was detected while the pages were read.
    """

    rows: tuple[dict[str, Any], ...]
    pages: int
    complete: bool


class Watch(enum.Enum):
    """The changes of a list that are detected while the list is read. The list must be sorted by ``id``."""

    NOTHING = "nothing"
    """No changes."""
    PAGES = "pages"
    """Rows that are added or removed while the pages between the first and the last page are read.

    Detecting these changes requires one more request.
    """
    EVERYTHING = "everything"
    """Rows that are added or removed at any time while the list is read.

    Detecting these changes requires two more requests.
    """


@dataclass(frozen=True)
class ListOptions:
    """The options for reading a list.

    :param watch: the changes to detect. An added or removed row shifts the rows of the last page, unless an opposite
        change cancels the shift. To detect a shift, the last page is read twice: before and after the pages in the
        middle. With ``EVERYTHING``, the first page is also read twice: at the start, to learn the number of pages, and
        again after the last page was read for the first time.
    :param keep: the keys of each row that are returned; ``None`` for all keys. A hundred thousand rows with all keys
        need 250 MB of memory.
    """

    page_size: int = PAGE_SIZE
    watch: Watch = Watch.NOTHING
    keep: Set[str] | None = None


DEFAULT_OPTIONS = ListOptions()


def read_pages(http: Http, request: Request, keys: tuple[str, ...], options: ListOptions = DEFAULT_OPTIONS) -> Listing:
    """Return the rows of all pages of a list. Read the first page, and then the other pages in parallel.

    :param request: the request for the list, without page number and page size.
    :param keys: the possible keys of the list in a response. The documentation and Particle's client use different
        keys.
    :raises ParticleError: ``bad_response`` when a response contains no list, or when the first response announces more
        than :data:`MAX_PAGES` pages.
    """

    def read_page(page: int) -> tuple[list[dict[str, Any]], int]:
        # The documentation says perPage, but Particle's client sends per_page (endpoints.yml: paging_styles).
        size = str(options.page_size)
        query = {**(request.query or {}), "page": str(page), "perPage": size, "per_page": size}
        data = http.send(replace(request, query=query)).data
        rows = extract_rows(data, keys, request)
        if options.keep is not None:
            rows = [{key: value for key, value in row.items() if key in options.keep} for row in rows]
        meta = data.get("meta") if isinstance(data, dict) else None
        total = meta.get("total_pages") if isinstance(meta, dict) else None
        return rows, total if isinstance(total, int) and total > 0 else 1

    rows, total = read_page(1)
    if total > MAX_PAGES:
        message = f"Could not {request.action}: the response announces {total} pages, but at most {MAX_PAGES} are read."
        raise ParticleError("bad_response", message, status=200, route=request.route)
    if options.watch is Watch.NOTHING or total == 1:
        answers = [(rows, total), *map_in_parallel(read_page, range(2, total + 1), http.workers)]
        is_unchanged = True
    else:
        last = read_page(total)
        first = read_page(1) if options.watch is Watch.EVERYTHING else (rows, total)
        answers = [first, *map_in_parallel(read_page, range(2, total), http.workers), last]
        is_unchanged = _list_ids(read_page(total)[0]) == _list_ids(last[0])
    collected = [row for page, _unused in answers for row in page]
    if options.watch is not Watch.NOTHING:
        ids = _list_ids(collected)
        is_unchanged = is_unchanged and len(set(ids)) == len(ids)
    is_complete = is_unchanged and all(now == total for _unused, now in answers)
    return Listing(tuple(collected), len(answers), is_complete)


def _list_ids(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row.get("id")) for row in rows]
