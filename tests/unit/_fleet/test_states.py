# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The states of the devices of a run, and the failures that end it."""

from __future__ import annotations

import pytest
from fleet_cloud import OURS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    Failures,
    build_import_error,
    can_be_split,
    is_in_doubt,
    is_run_ending,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState

REFUSED = ParticleError("forbidden", "One is refused.", hint="Ask.", status=403, route="PUT /v1/x")
LATE = ParticleError("budget_exhausted", "Too many requests.")
LOST = ParticleError("ambiguous_write", "The response was lost.", route="PUT /v1/x")

DEVICES, STATES = st.sampled_from("abcd"), st.sampled_from(WriteState)


class TestStates:
    """The last state of each device counts."""

    @given(st.lists(st.tuples(DEVICES, st.none() | STATES)))
    def test_only_the_last_state_of_a_device_counts(self, story: list[tuple[str, WriteState | None]]) -> None:
        run = RunState()
        for device, state in story:
            if state is None:
                run.forget_device(device)
            else:
                run.mark_device(device, state)
        known = {device: state for device, state in dict(story).items() if state is not None}
        assert set(run) == known.keys()
        for state in WriteState:
            devices = {device for device, last in known.items() if last is state}
            assert (run.find_devices(state), run.count_devices(state)) == (devices, len(devices))
            assert {device for device in "abcd" if run.is_in(device, state)} == devices

    def test_errors_are_kept_by_state(self) -> None:
        run = RunState()
        run.mark_device("a", WriteState.FAILED, REFUSED)
        run.mark_device("b", WriteState.WAITING, LATE)
        run.mark_devices(iter("cd"), WriteState.FAILED)
        assert run.find_errors() == {"a": REFUSED}
        assert run.find_errors(WriteState.WAITING) == {"b": LATE}
        assert (run.forget_device("a"), run.forget_device("a"), run.forget_device("c")) == (REFUSED, None, None)
        run.forget_devices(run)
        assert list(run) == []

    def test_later_states_are_added_to_earlier_ones(self) -> None:
        first, later = RunState(), RunState()
        first.mark_devices("ab", WriteState.DONE)
        first.kept, first.done_steps, first.other_errors = {"x"}, {"a": {"import"}}, [REFUSED]
        later.mark_device("b", WriteState.FAILED, REFUSED)
        later.kept, later.done_steps, later.other_errors = {"y"}, {"a": {"groups"}, "b": {"import"}}, [LATE]
        later.wrote, later.stopped = True, LATE
        first.add_states(later)
        assert (first.find_devices(WriteState.DONE), first.find_errors()) == ({"a"}, {"b": REFUSED})
        assert (first.kept, first.other_errors) == ({"x", "y"}, [REFUSED, LATE])
        assert first.done_steps == {"a": {"import", "groups"}, "b": {"import"}}
        assert (first.wrote, first.stopped) == (True, LATE)

    def test_first_end_of_a_run_and_its_writes_are_kept(self) -> None:
        first, later = RunState(), RunState()
        first.stopped, first.wrote, later.stopped = REFUSED, True, LATE
        first.add_states(later)
        assert (first.stopped, first.wrote) == (REFUSED, True)


class TestFailures:
    """Failed devices are counted, and one failure too many ends the run."""

    def test_run_goes_on_up_to_the_limit_and_ends_with_the_first_error(self) -> None:
        run = RunState()
        failures = Failures(run, 2)
        second = ParticleError("not_found", "Two is missing.")
        assert failures.note_failure(["a"], REFUSED)
        assert failures.note_failure(["a", "b"], second)
        assert (failures.count, run.stopped) == (2, None)
        assert failures.note_failure(["c"], second)
        assert run.stopped is not None
        assert run.stopped.message == "More devices have failed than max_failures allows. One is refused."
        assert (run.stopped.code, run.stopped.hint) == ("forbidden", "Ask.")
        assert (run.stopped.status, run.stopped.route) == (403, "PUT /v1/x")
        assert run.find_errors() == {"a": REFUSED, "b": second, "c": second}

    def test_write_that_may_be_done_is_not_counted(self) -> None:
        run = RunState()
        failures = Failures(run, 0)
        failures.note_failure(["a", "b"], LOST)
        assert (failures.count, run.stopped) == (0, None)
        failures.note_failure(["c"], REFUSED)
        assert run.stopped is not None
        assert run.stopped.code == "forbidden"

    def test_run_without_a_limit_never_ends(self) -> None:
        run = RunState()
        failures = Failures(run, None)
        failures.note_failure(map(str, range(99)), REFUSED)
        assert (failures.count, run.stopped) == (99, None)

    def test_error_that_ends_the_run_marks_no_device(self) -> None:
        run = RunState()
        failures, ending = Failures(run, 9), ParticleError("token_expired", "The token has expired.")
        assert not failures.note_failure(["a"], ending)
        assert not failures.note_failure(["b"], ParticleError("unreachable", "The cloud does not answer."))
        assert (run.stopped, list(run), failures.count) == (ending, [], 0)


@pytest.mark.parametrize(
    ("code", "status", "route", "ends"),
    [
        ("rate_limited", 429, "PUT /v1/x", True),
        ("not_a_cloud", 200, "PUT /v1/x", True),
        ("forbidden", 403, "PUT /v1/x", False),
        ("cloud_error", 500, TOKEN_ROUTE, True),
        ("bad_response", None, "PUT /v1/x", True),
        ("bad_response", 200, "PUT /v1/x", False),
    ],
)
def test_error_ends_a_run_if_every_request_would_fail(code: str, status: int | None, route: str, ends: bool) -> None:
    assert is_run_ending(ParticleError(code, "No.", status=status, route=route)) is ends


@pytest.mark.parametrize(
    ("code", "status", "route", "is_uncertain"),
    [
        ("ambiguous_write", None, "POST /v1/x", True),
        ("forbidden", 403, "DELETE /v1/x", True),
        ("not_found", 404, "DELETE /v1/x", True),
        ("cloud_error", 400, "DELETE /v1/x", False),
        ("not_found", 404, "PUT /v1/x", False),
        ("bad_response", 200, "PUT /v1/x", True),
        ("bad_response", 200, "PATCH /v1/x", True),
        ("bad_response", 200, "DELETE /v1/x", True),
        ("bad_response", 200, "POST /v1/x", False),
        ("forbidden", 403, None, False),
        ("bad_response", 200, None, False),
    ],
)
def test_write_that_may_have_taken_effect_is_in_doubt(
    code: str, status: int | None, route: str | None, is_uncertain: bool
) -> None:
    assert is_in_doubt(ParticleError(code, "No.", status=status, route=route)) is is_uncertain


@pytest.mark.parametrize(
    ("key", "code", "reason", "hint"),
    [
        ("nonmemberDeviceIds", "device_not_yours", "it belongs to another account", "Release the device in the other"),
        (
            "invalidDeviceIds",
            "device_not_yours",
            "the cloud rejects it as invalid: it does not exist, has",
            "Compare the",
        ),
        ("protectedDeviceIds", "forbidden", "it is a protected device", HINTS["forbidden"]),
    ],
)
def test_rejected_device_has_the_reason_of_its_list(key: str, code: str, reason: str, hint: str) -> None:
    error = build_import_error("a1", key, OURS)
    assert error.message.startswith(f"Could not import device a1 into product field-logger: {reason}")
    assert (error.code, error.status, error.route) == (code, 200, "POST /v1/products/:p/devices")
    assert error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("code", "status", "is_split"),
    [
        ("cloud_error", 413, True),
        ("not_a_cloud", 413, True),
        ("cloud_error", 400, True),
        ("not_found", 404, True),
        ("missing_scope", 400, False),
        ("unsupported", 404, False),
        ("not_a_cloud", 404, False),
        ("forbidden", 403, False),
        ("cloud_error", 500, False),
    ],
)
def test_batch_is_split_if_its_size_or_an_item_may_be_wrong(code: str, status: int, is_split: bool) -> None:
    assert can_be_split(ParticleError(code, "No.", status=status, route="POST /v1/x")) is is_split
