# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read all pages of a list. Private to this collection."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PAGES, SPARE_PAGES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request

PAGE_SIZE = 100
"""The default number of rows in a page."""


@dataclass(frozen=True)
class Listing:
    """The rows of a list.

    :param pages: the number of pages that were read.
    :param complete: false if a change of the list was detected while the pages were read.
    :param unread: the number of rows on the pages in the middle, if these pages were not read.
    """

    rows: tuple[dict[str, Any], ...]
    pages: int
    complete: bool
    unread: int = 0


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
    :param max_pages: the maximum number of pages that are read; ``None`` to read all pages.
    :param whole_up_to: the maximum number of pages of a list that is read whole. Of a longer list, only the first and
        the last page are read, and no change is detected. ``None`` to read every list whole.
    """

    page_size: int = PAGE_SIZE
    watch: Watch = Watch.NOTHING
    keep: Set[str] | None = None
    max_pages: int | None = None
    whole_up_to: int | None = None


DEFAULT_OPTIONS = ListOptions()


class PageCount:
    """A count of the pages and the rows of a list. It ends the reading of a list that announces more than it has.

    Several threads can use the same count.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._pages = 0
        self._usual = 1
        self._known: set[str] = set()

    def add_page(self, identities: Iterable[str]) -> None:
        """Count a page, and the rows on it that no other page had.

        :raises ParticleError: ``bad_response`` when the pages are far more than their rows would fill.
        """
        with self._lock:
            self._known.update(identities)
            self._pages += 1
            if self._pages == 1:
                self._usual = max(1, len(self._known))
            if self._pages <= SPARE_PAGES + 2 * len(self._known) / self._usual:
                return
        message = (
            f"Could not {self._request.action}: {self._pages} pages contain only {len(self._known)} different rows, "
            "and the cloud announces more pages."
        )
        raise ParticleError("bad_response", message, status=200, route=self._request.route)


def read_pages(http: Http, request: Request, form: RowForm, options: ListOptions = DEFAULT_OPTIONS) -> Listing:
    """Return the rows of all pages of a list. Read the first page, and then the other pages in parallel.

    :param request: the request for the list, without page number and page size.
    :raises ParticleError: ``bad_response`` when a response contains no list of valid rows, when the first response
        announces more than :data:`MAX_PAGES` pages, or when the pages have far fewer rows than announced.
    """
    count = PageCount(request)

    def read_page(page: int) -> tuple[list[dict[str, Any]], int]:
        # The documentation says perPage, but Particle's client sends per_page (endpoints.yml: paging_styles).
        size = str(options.page_size)
        query = {**(request.query or {}), "page": str(page), "perPage": size, "per_page": size}
        data = http.send(replace(request, query=query)).data
        rows = extract_rows(data, form, request)
        count.add_page(identity for row in rows if (identity := form.read_identity(row)) is not None)
        if options.keep is not None:
            rows = [{key: value for key, value in row.items() if key in options.keep} for row in rows]
        meta = data.get("meta") if isinstance(data, dict) else None
        total = meta.get("total_pages") if isinstance(meta, dict) else None
        return rows, total if isinstance(total, int) and total > 0 else 1

    rows, total = read_page(1)
    if total > MAX_PAGES:
        message = f"Could not {request.action}: the response announces {total} pages, but at most {MAX_PAGES} are read."
        raise ParticleError("bad_response", message, status=200, route=request.route)
    if options.whole_up_to is not None and total > max(2, options.whole_up_to):
        # All pages except the last one have the same number of rows.
        return Listing((*rows, *read_page(total)[0]), 2, complete=True, unread=(total - 2) * len(rows))
    total = total if options.max_pages is None else min(total, options.max_pages)
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
