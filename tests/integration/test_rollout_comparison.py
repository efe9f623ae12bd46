# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the comparison of the guide: a naive loop beside the rollout, with a bad firmware version."""

from __future__ import annotations

import pytest
import rollout_comparison

from support.counts import count
from support.paths import ROOT

GUIDE = ROOT / "docs" / "guide_rollout.md"


def test_guide_quotes_the_output_of_the_comparison() -> None:
    output = rollout_comparison.show(*rollout_comparison.compare())
    assert f"```text\n{output}\n```" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(1, count(quick=2, full=10)))
def test_rollout_claims_only_what_is_true_and_breaks_less(seed: int) -> None:
    (by_status, by_event, rollout), message = rollout_comparison.compare(seed)
    assert message.startswith("The brake has stopped the rollout of version 2: ")
    assert rollout.claimed == rollout.updated
    assert min(by_status.claimed - by_status.updated, by_event.claimed - by_event.updated) > 0
    assert rollout.broken * 5 < min(by_status.broken, by_event.broken)
