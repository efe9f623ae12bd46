# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the options of the request budget. Private to this collection."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DEFAULT_SHARE,
    DOCUMENTED_LIMITS,
    EVERY_ROUTE,
    Allowance,
    Limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._options.connection import (
    build_option_error,
    read_option,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._options.credentials import (
    raise_problems,
)

MAX_REQUESTS = 1_000_000
"""The largest valid value of the option ``budget_requests``, which is a number of requests in five minutes."""


def read_budget(options: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Allowance, str | None]:
    """Return the rate limits that a run must keep to, and the URL of the Redis server that stores the request budget.

    The URL is ``None`` if the budget is not stored in Redis.

    :raises ParticleError: ``invalid_option`` when options of the budget are not valid. The message names all invalid
        options.
    """
    problems = []
    share, requests = (
        read_option(options, environment, "budget_share"),
        read_option(options, environment, "budget_requests"),
    )
    try:
        part = DEFAULT_SHARE if share is None else float(share)
    except ValueError:
        part = 0.0
    if not 0 < part <= 1:
        problems.append(build_option_error("budget_share", share, "a number above 0, and at most 1"))
    try:
        most = DOCUMENTED_LIMITS[EVERY_ROUTE].requests if requests is None else int(requests)
    except ValueError:
        most = -1
    if not 0 <= most <= MAX_REQUESTS:
        what = f"a whole number of requests in five minutes, at most {MAX_REQUESTS}, or 0 for no limit"
        problems.append(build_option_error("budget_requests", requests, what))
    store = read_option(options, environment, "budget_store")
    if store is not None and not _is_redis_url(str(store)):
        # The URL is not shown because it may hold a password.
        message = "budget_store is not a valid Redis URL, such as redis://host:6379/0 or unix:///run/redis/redis.sock."
        problems.append(ParticleError("invalid_option", message, hint="Correct budget_store."))
    raise_problems(problems)
    limits = {**DOCUMENTED_LIMITS, EVERY_ROUTE: Limit(most, DOCUMENTED_LIMITS[EVERY_ROUTE].seconds)} if most else {}
    return Allowance(limits, part), store


def _is_redis_url(url: str) -> bool:
    """Return whether ``url`` is a valid URL of a Redis server."""
    try:
        parts = urllib.parse.urlsplit(url)
        _unused = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    if parts.scheme == "unix":
        return parts.path.startswith("/")
    number = parts.path.strip("/")
    return parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (not number or number.isdecimal())
