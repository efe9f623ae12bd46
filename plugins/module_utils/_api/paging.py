# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read all pages of a list. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel

PAGE_SIZE = 100
"""Default number of rows in a page."""
MAX_PAGES = 100_000
"""Maximum number of pages, more than any account has. A cloud that announces more would keep the run busy forever."""


@dataclass(frozen=True)
class Listing:
    """All rows of a list.

    :param pages: the number of pages that were read.
    :param complete: false if the list was found to change while it was read.
    """

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
    """Return the rows of all pages of a list. The first page is read first, the others in parallel.

    :param keys: the keys that may hold the rows; the documentation and the client use different ones.
    :param doing: the attempted action, which follows "Could not" in messages.
    :param ordered_by: the key by which ``query`` makes the cloud sort the rows. If it is given, rows that are added or
        removed during the reading are detected, with one more request: such a row shifts the last page, unless another
        change makes up for it, so the last page is read before and after the others.
    :param closely: whether to detect such changes also before the last page is read, with one more request: the first
        page, which gives the number of pages, is read again. Needs ``ordered_by``.
    :param keep: the keys to keep of each row; ``None`` for all. A hundred thousand complete rows take 250 MB.
    :param private: whether rows hold secrets that a refusal may quote, so that its text is not shown.
    :raises ParticleError: ``bad_response`` when an answer holds no list, or announces too many pages.
    """

    def read(page: int) -> tuple[list[dict[str, Any]], int]:
        # The documentation says perPage, the official client sends per_page (endpoints.yml: paging_styles).
        size = str(page_size)
        sizes = {"page": str(page), "perPage": size, "per_page": size}
        data = http.call(route, doing=doing, at=at, query={**(query or {}), **sizes}, private=private).data
        rows = extract_rows(data, keys, route=route, doing=doing)
        if keep is not None:
            rows = [{key: value for key, value in row.items() if key in keep} for row in rows]
        meta = data.get("meta") if isinstance(data, dict) else None
        total = meta.get("total_pages") if isinstance(meta, dict) else None
        return rows, total if isinstance(total, int) and total > 0 else 1

    rows, total = read(1)
    if total > MAX_PAGES:
        message = f"Could not {doing}: the answer announces {total} pages."
        raise ParticleError("bad_response", message, status=200, route=route)
    if ordered_by is None or total == 1:
        answers = [(rows, total), *map_in_parallel(read, range(2, total + 1), http.workers)]
        still = True
    else:
        last = read(total)
        first = read(1) if closely else (rows, total)
        answers = [first, *map_in_parallel(read, range(2, total), http.workers), last]
        still = _list_values(read(total)[0], ordered_by) == _list_values(last[0], ordered_by)
    collected = [row for page, _unused in answers for row in page]
    if ordered_by is not None:
        names = _list_values(collected, ordered_by)
        still = still and len(set(names)) == len(names)
    return Listing(tuple(collected), len(answers), still and all(now == total for _unused, now in answers))


def _list_values(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [str(row.get(key)) for row in rows]
