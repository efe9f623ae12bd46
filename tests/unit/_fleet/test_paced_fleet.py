# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a fleet that needs more requests than the rate limit allows uses all of its budget and is never refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.paced import LIMIT, run_paced

OTHER_REQUESTS = 6_000


@pytest.mark.only_full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("share", [0.95, 1.0])
def test_fleet_above_the_rate_limit_is_never_refused_and_uses_it_fully(tmp_path: Path, share: float) -> None:
    size = 20_000
    run = run_paced(size, share, tmp_path, others=OTHER_REQUESTS)
    assert run.result["summary"]["changed"] == size
    assert run.stats["throttled"] == run.usage.retries == run.usage.throttled_seconds == 0
    assert run.stats["requests"] == run.usage.requests + OTHER_REQUESTS == len(run.moments)
    used = run.count_requests_by_window()
    assert len(used) >= 4
    assert min(used) >= 0.95 * share * LIMIT.requests
    assert max(used) <= share * LIMIT.requests
    assert run.usage.budget_wait_seconds <= run.seconds
