# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables are edited and rolled out together, from any earlier state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fleet_cloud import OURS
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import CONNECT, IMMEDIATE
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared, Staged
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.environment import (
    ENVIRONMENT,
    build_environment,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import reconcile_resources

PATCH = "PATCH /v1/products/:p/env"
ROLLOUT = "POST /v1/products/:p/env/rollout"
LOST = {
    PATCH: ParticleError("bad_response", "The response is not complete.", status=200, route=PATCH),
    ROLLOUT: ParticleError("ambiguous_write", "It is not known.", route=ROLLOUT),
}


class EnvironmentCloud(Http):
    """A cloud in memory with the environment of one product.

    :ivar writes: the routes of all writes, in order.
    :ivar faults: for the next writes of a route, whether the write takes effect before its response is lost.
    """

    def __init__(self, edited: Mapping[str, str], rolled_out: Mapping[str, str] | None = None) -> None:
        super().__init__(Connection("http://127.0.0.1:9"))
        self.edited = dict(edited)
        self.rolled_out = dict(edited if rolled_out is None else rolled_out)
        self.writes: list[str] = []
        self.bodies: list[Any] = []
        self.faults: dict[str, list[bool]] = {}

    def send(self, request: Request) -> Response:
        if request.is_write:
            self.writes.append(request.route)
            self.bodies.append(request.json)
            fault = self.faults[request.route].pop(0) if self.faults.get(request.route) else None
            if fault is not False:
                self._write(request)
            if fault is not None:
                raise LOST[request.route]
        wrapped = [{name: {"value": value} for name, value in own.items()} for own in (self.edited, self.rolled_out)]
        snapshot = {"own": wrapped[1], "rollout_at": None}
        return Response(200, {"latest": {"own": wrapped[0]}, "last_snapshot": snapshot})

    def _write(self, request: Request) -> None:
        if request.route == ROLLOUT:
            self.rolled_out = dict(self.edited)
            return
        for operation in request.json["ops"]:
            if operation["op"] == "Set":
                self.edited[operation["key"]] = operation["value"]
            else:
                del self.edited[operation["key"]]


def declare(values: Mapping[str, Any]) -> list[Declared]:
    """Declare variables. The value None declares a variable absent."""
    return [Declared(name, {} if value is None else {"value": value}, value is None) for name, value in values.items()]


def reconcile(
    cloud: EnvironmentCloud, values: Mapping[str, Any], rollout: str | None = CONNECT, **options: Any
) -> Outcome:
    target = Target(cloud, OURS, lambda sentence: None)
    given = {"check_mode": False, **options}
    return reconcile_resources(target, build_environment(rollout), declare(values), **given)


def list_changes(outcome: Outcome) -> dict[str, tuple[Any, Any]]:
    return {item.key: item.changes["value"] for item in outcome.diff.items}


@pytest.fixture
def cloud() -> Iterator[EnvironmentCloud]:
    """A cloud in which A is rolled out, B has another value than rolled out, and C and D are edited only."""
    with_edits = EnvironmentCloud({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "0", "D": "4"})
    yield with_edits
    with_edits.close()


class TestStagedEdits:
    """Variables are edited in the cloud, but not rolled out."""

    def test_edits_of_declared_variables_are_rolled_out(self, cloud: EnvironmentCloud) -> None:
        outcome = reconcile(cloud, {"B": "2", "C": "5", "D": None})
        assert list_changes(outcome) == {
            "B": ("'2' (staged; rolled out: '0')", "2"),
            "C": ("'3' (staged; not rolled out before)", "5"),
            "D": ("removed (staged; rolled out: '4')", None),
        }
        assert (cloud.writes, cloud.rolled_out) == ([PATCH, ROLLOUT], {"A": "1", "B": "2", "C": "5"})
        assert cloud.bodies[0] == {"ops": [{"op": "Set", "key": "C", "value": "5"}]}

    def test_rollout_alone_is_enough_for_edited_variables(self, cloud: EnvironmentCloud) -> None:
        assert reconcile(cloud, {"B": "2", "C": "3", "D": None}).error is None
        assert (cloud.writes, cloud.rolled_out) == ([ROLLOUT], cloud.edited)

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_rollout_of_edits_that_are_not_declared_is_refused(self, cloud: EnvironmentCloud, check_mode: bool) -> None:
        with pytest.raises(ParticleError, match=r"staged edits that are not declared: C, D\.") as caught:
            reconcile(cloud, {"A": "9", "B": "2"}, check_mode=check_mode)
        assert (caught.value.code, cloud.writes) == ("conflict", [])
        assert "publish_staged" in caught.value.hint

    def test_edits_that_are_not_declared_do_not_matter_without_changes(self, cloud: EnvironmentCloud) -> None:
        assert reconcile(cloud, {"A": "1", "E": None}).changing == ()

    def test_exact_variables_replace_all_edits(self, cloud: EnvironmentCloud) -> None:
        assert reconcile(cloud, {"B": "2"}, prune=True).error is None
        assert (cloud.edited, cloud.rolled_out) == ({"B": "2"}, {"B": "2"})

    def test_edit_without_a_rollout_compares_the_edited_values(self, cloud: EnvironmentCloud) -> None:
        outcome = reconcile(cloud, {"B": "2", "C": "5", "D": None}, None)
        assert list_changes(outcome) == {"C": ("3", "5")}
        assert (cloud.writes, cloud.rolled_out["B"]) == ([PATCH], "0")

    def test_value_that_looks_like_a_staged_edit_is_compared(self, cloud: EnvironmentCloud) -> None:
        text = str(Staged("2", "0"))
        outcome = reconcile(cloud, {"B": text, "C": "3", "D": None})
        assert (outcome.error, cloud.rolled_out["B"]) == (None, text)


class TestWriting:
    """All changes are written with one edit and one rollout."""

    @pytest.mark.parametrize("when", [CONNECT, IMMEDIATE])
    def test_rollout_has_the_given_time(self, when: str) -> None:
        cloud = EnvironmentCloud({"A": "1"})
        reconcile(cloud, {"A": True, "B": 30, "C": ""}, when)
        assert cloud.rolled_out == {"A": "true", "B": "30", "C": ""}
        assert cloud.bodies[1] == {"when": when}
        assert reconcile(cloud, {"A": "true", "B": "30", "C": ""}).changing == ()

    @pytest.mark.parametrize(
        ("faults", "writes"),
        [
            ({PATCH: [True]}, [PATCH, ROLLOUT]),
            ({ROLLOUT: [True]}, [PATCH, ROLLOUT]),
            ({ROLLOUT: [False]}, [PATCH, ROLLOUT, ROLLOUT]),
        ],
    )
    def test_lost_response_ends_in_the_declared_state(self, faults: dict[str, list[bool]], writes: list[str]) -> None:
        cloud = EnvironmentCloud({"A": "1", "B": "2"})
        cloud.faults = faults
        outcome = reconcile(cloud, {"A": None, "B": "3", "C": "4"})
        assert (outcome.error, cloud.writes, cloud.rolled_out) == (None, writes, {"B": "3", "C": "4"})

    def test_refused_rollout_leaves_only_the_edit_for_the_next_run(self) -> None:
        cloud = EnvironmentCloud({})
        cloud.faults = {ROLLOUT: [False, False]}
        failed = reconcile(cloud, {"A": "1"})
        assert (failed.error, failed.written) == (LOST[ROLLOUT], {"A"})
        again = EnvironmentCloud({"A": "1"}, {})
        again.faults = {ROLLOUT: [False, False]}
        assert reconcile(again, {"A": "1"}).written == set()
        cloud.writes.clear()
        assert (reconcile(cloud, {"A": "1"}).error, cloud.writes, cloud.rolled_out) == (None, [ROLLOUT], {"A": "1"})

    def test_too_many_variables_are_refused_before_a_write(self) -> None:
        cloud = EnvironmentCloud({f"NAME_{number}": "1" for number in range(100)})
        with pytest.raises(ParticleError, match="too large: 101 variables are more than the 100") as caught:
            reconcile(cloud, {"MORE": "1"})
        assert (caught.value.code, cloud.writes) == ("conflict", [])
        assert reconcile(cloud, {"MORE": "1", "NAME_0": None}).error is None

    @pytest.mark.parametrize(
        "declared",
        [Declared("name", {"value": "1"}), Declared("A", {"value": None}), Declared("PARTICLE_A", absent=True)],
    )
    def test_declaration_is_checked_by_itself(self, declared: Declared) -> None:
        with pytest.raises(ParticleError, match=r"Environment variable \w+ is not valid: ") as caught:
            check_declared(ENVIRONMENT, declared)
        assert caught.value.code == "invalid_option"


VALUES = st.dictionaries(st.sampled_from("ABCD"), st.sampled_from(["", "1", "2"]))
DECLARED = st.dictionaries(st.sampled_from("ABCD"), st.sampled_from([None, "", "1", 2]))


@given(edited=VALUES, rolled_out=VALUES, values=DECLARED, rollout=st.sampled_from([CONNECT, None]), exact=st.booleans())
def test_any_environment_reaches_the_declared_state(
    edited: dict[str, str], rolled_out: dict[str, str], values: dict[str, Any], rollout: str | None, exact: bool
) -> None:
    cloud = EnvironmentCloud(edited, rolled_out)
    others = {name for name in {*edited, *rolled_out} if edited.get(name) != rolled_out.get(name)} - values.keys()
    kept = {} if exact else {name: value for name, value in edited.items() if name not in values}
    wanted = {**kept, **{name: str(value) for name, value in values.items() if value is not None}}
    try:
        predicted = reconcile(cloud, values, rollout, check_mode=True, prune=exact)
        done = reconcile(cloud, values, rollout, prune=exact)
    except ParticleError:
        assert (bool(others), rollout, exact, cloud.writes) == (True, CONNECT, False, [])
        return
    finally:
        cloud.close()
    assert (done.error, done.diff, len(cloud.writes) <= 2) == (None, predicted.diff, True)
    assert bool(cloud.writes) == bool(predicted.changing)
    compared = cloud.edited if rollout is None else cloud.rolled_out
    assert {name: compared.get(name) for name in values} == {name: wanted.get(name) for name in values}
    if cloud.writes:
        assert compared == cloud.edited == wanted
    cloud.writes.clear()
    assert (reconcile(cloud, values, rollout, prune=exact).changing, cloud.writes) == ((), [])
