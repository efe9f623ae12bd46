# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The brake stops a rollout when a share of the targeted devices is bad, and not before."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import (
    Tally,
    count_devices,
    count_states,
    describe_trip,
    is_tripped,
    show_tally,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Assessment, Brake, Share, State


def make_assessments(**numbers: int) -> dict[str, Assessment]:
    """Return assessments with a number of devices in each state. A device has the name of its state and a number."""
    return {f"{name}-{n}": Assessment(State(name), "") for name, count in numbers.items() for n in range(count)}


def tally(failed: int = 0, gone: int = 0, *, of: int) -> Tally:
    return Tally(of, tuple(f"failed-{n}" for n in range(failed)), tuple(f"gone-{n}" for n in range(gone)))


@pytest.mark.parametrize(
    ("brake", "found", "expected"),
    [
        (Brake(), tally(2, of=40), True),  # exactly 5 %
        (Brake(), tally(2, of=41), False),
        (Brake(), tally(1, of=1), False),  # below at_least
        (Brake(), tally(2, of=2), True),
        (Brake(), tally(0, of=0), False),
        (Brake(), tally(0, 2, of=20), True),  # exactly 10 %
        (Brake(), tally(0, 2, of=21), False),
        (Brake(), tally(1, 1, of=2), False),  # failed and gone are counted separately
        (Brake(), tally(1, 2, of=10), True),
        (Brake(Share(count=3)), tally(3, of=9_999), True),
        (Brake(Share(count=3)), tally(2, of=2), False),
        (Brake(Share(count=1), at_least=4), tally(3, of=9), False),
        (Brake(Share(count=1), at_least=4), tally(4, of=9), True),
        (Brake(Share(count=0), at_least=1), tally(0, of=9), False),  # no bad device trips nothing
        (Brake(Share(count=0), at_least=1), tally(1, of=9), True),
        (Brake(Share(0.0), at_least=1), tally(1, of=9_999), True),
        (Brake(Share(100)), tally(9, of=10), False),
        (Brake(Share(100)), tally(10, of=10), True),
        (Brake(Share(0.07), at_least=1), tally(7, of=10_000), True),  # 0.07 * 10,000 is a little more than 700
        (Brake(Share(12.5)), tally(2, of=16), True),
    ],
)
def test_brake_trips_at_exactly_its_share(brake: Brake, found: Tally, expected: bool) -> None:
    assert is_tripped(brake, found) is expected
    assert bool(describe_trip(brake, found)) is expected


@given(st.integers(0, 10_000), st.integers(1, 20_000), st.integers(0, 1))
def test_share_with_decimals_is_compared_exactly(hundredths: int, total: int, more: int) -> None:
    percent, bad = hundredths / 100, hundredths * total // 10_000 + more
    assert Share(percent).is_reached(bad, total) is (Fraction(bad, total) >= Fraction(hundredths, 10_000))


@given(st.integers(0, 10_000), st.integers(0, 100_000))
def test_share_of_a_wave_is_rounded_exactly(hundredths: int, total: int) -> None:
    exact = Fraction(hundredths, 10_000) * total
    assert Share(hundredths / 100).round_up(total) == -(-exact.numerator // exact.denominator)
    assert Share(hundredths / 100).round_down(total) == max(1, exact.numerator // exact.denominator)


def test_failed_and_gone_devices_are_counted_separately() -> None:
    bad = {"safe_mode": 1, "failed_timeout": 1, "failed_refused": 1, "came_back_old": 1, "crashing": 1, "gone": 3}
    found = count_devices(make_assessments(updated=4, updating=2, **bad), ())
    assert (found.total, len(found.failed), len(found.gone)) == (14, 5, 3)
    assert set(found.bad) == {f"{name}-{n}" for name, count in bad.items() for n in range(count)}


def test_pending_and_skipped_devices_are_not_in_the_denominator() -> None:
    pending = {"pending_offline": 5, "pending_handshake": 5, "pending_disabled": 5, "unknown": 5}
    skipped = {"skipped_development": 5, "skipped_locked": 5}
    found = count_devices(make_assessments(updated=38, failed_refused=2, **pending, **skipped), ())
    assert found == Tally(40, ("failed_refused-0", "failed_refused-1"), ())
    assert is_tripped(Brake(), found)


def test_accepted_device_counts_as_targeted_but_not_as_bad() -> None:
    assessments = make_assessments(updated=17, failed_refused=2, gone=1)
    accepted: Iterable[str] = ["failed_refused-0", "gone-0", "updated-0", "not-a-member"]
    found = count_devices(assessments, frozenset(accepted))
    assert found == Tally(20, ("failed_refused-1",), ())
    assert not is_tripped(Brake(), found)


def test_device_that_may_be_crashing_can_be_counted_as_failed() -> None:
    assessments = make_assessments(updated=4, failed_refused=1)
    assert count_devices(assessments, (), {"updated-1", "failed_refused-0"}).failed == ("updated-1", "failed_refused-0")
    assert count_devices(assessments, {"updated-1"}, {"updated-1"}).failed == ("failed_refused-0",)


def test_trip_is_described_with_numbers_and_limits() -> None:
    assert describe_trip(Brake(), tally(2, of=40)) == "the update of 2 of 40 targeted devices failed (limit 5%)"
    assert describe_trip(Brake(), tally(0, 1_200, of=4_000)) == ("1,200 of 4,000 targeted devices are gone (limit 10%)")
    assert describe_trip(Brake(Share(count=1), Share(count=1), 1), tally(1, 1, of=1)) == (
        "the update of 1 of 1 targeted device failed (limit 1) and 1 of 1 targeted device is gone (limit 1)"
    )


def test_counts_are_shown_with_the_limits() -> None:
    assert show_tally(Brake(Share(2.5), Share(count=9), 3), tally(3, 1, of=50)) == {
        "tripped": True,
        "devices": 50,
        "failed": 3,
        "offline": 1,
        "failed_limit": "2.5%",
        "offline_limit": "9",
        "at_least": 3,
    }


def test_each_state_is_a_key_of_the_counts() -> None:
    counts = count_states(make_assessments(updated=2, gone=1))
    assert set(counts) == {state.value for state in State}
    assert (counts["updated"], counts["gone"], sum(counts.values())) == (2, 1, 3)
