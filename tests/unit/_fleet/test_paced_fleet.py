# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A fleet that takes more than the cloud allows in a time is never refused, and leaves nothing of its budget unused."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.counts import count
from support.paced import LIMIT, run_paced

OTHERS = 6_000


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("share", [0.95, 1.0])
def test_a_fleet_larger_than_the_budget_is_never_refused_and_uses_all_of_it(tmp_path: Path, share: float) -> None:
    size = count(quick=2_500, full=20_000)
    run = run_paced(size, share, tmp_path, others=OTHERS)
    assert run.result["summary"]["changed"] == size
    assert run.stats["throttled"] == run.usage.retries == run.usage.throttled_seconds == 0
    assert run.stats["requests"] == run.usage.requests + OTHERS == len(run.moments)
    used = run.count_requests_by_window()
    assert len(used) >= count(quick=1, full=4)
    assert min(used) >= 0.95 * share * LIMIT.requests
    assert max(used) <= share * LIMIT.requests
    assert run.usage.budget_wait_seconds <= run.seconds
