# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Who moves when: no network that has a gateway to come is ever left with nodes and none."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.order import (
    OptionalMembership,
    Order,
    order_moves,
)

IN_BARN = Membership("barn", "node")
AT_BARN = Membership("barn", "gateway")
IN_SHED = Membership("shed", "node")
AT_SHED = Membership("shed", "gateway")


def turns(**moves: tuple[OptionalMembership, OptionalMembership]) -> list[list[str]]:
    """Who goes in each turn."""
    return listed(order_moves(moves, {}))


def listed(order: Order) -> list[list[str]]:
    last = max(order.stages.values(), default=-1)
    return [sorted(device for device, turn in order.stages.items() if turn == at) for at in range(last + 1)]


class TestTurns:
    """Gateways come before what they serve, and go after it."""

    def test_a_new_network_begins_with_its_gateways(self) -> None:
        new = {"one": (None, AT_BARN), "two": (None, AT_BARN), "a": (None, IN_BARN), "b": (None, IN_BARN)}
        assert turns(**new) == [["one", "two"], ["a", "b"]]

    def test_where_a_gateway_stays_nobody_waits(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "one": (AT_BARN, AT_BARN),
            "two": (AT_BARN, None),
            "a": (None, IN_BARN),
        }
        assert turns(**moves) == [["a", "one", "two"]]

    def test_where_somebody_elses_gateway_stays_nobody_waits(self) -> None:
        assert listed(order_moves({"two": (AT_BARN, None), "a": (None, IN_BARN)}, {"barn": 1})) == [["a", "two"]]

    def test_a_dead_gateway_goes_after_the_one_in_its_place(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "dead": (AT_BARN, None),
            "new": (None, AT_BARN),
            "a": (IN_BARN, IN_BARN),
        }
        assert turns(**moves) == [["a", "new"], ["dead"]]

    def test_a_node_that_becomes_the_gateway_does_so_before_the_old_one_ceases_to_be(self) -> None:
        assert turns(old=(AT_BARN, IN_BARN), young=(IN_BARN, AT_BARN)) == [["young"], ["old"]]

    def test_a_network_that_is_no_more_is_left_by_its_nodes_first(self) -> None:
        assert turns(one=(AT_BARN, None), a=(IN_BARN, None)) == [["a"], ["one"]]

    def test_a_gateway_that_founds_another_network_yields_to_those_who_follow_it(self) -> None:
        assert turns(one=(AT_BARN, AT_SHED), a=(IN_BARN, IN_SHED)) == [["one"], ["a"]]

    def test_gateways_move_up_behind_each_other(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "spare": (None, AT_BARN),
            "one": (AT_BARN, AT_SHED),
            "two": (AT_SHED, None),
            "a": (IN_BARN, IN_BARN),
            "b": (IN_SHED, IN_SHED),
        }
        assert turns(**moves) == [["a", "b", "spare"], ["one"], ["two"]]

    def test_gateways_that_change_places_wait_for_each_other_for_ever(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "one": (AT_BARN, AT_SHED),
            "two": (AT_SHED, AT_BARN),
            "a": (IN_BARN, IN_BARN),
            "c": (IN_SHED, IN_BARN),
        }
        assert order_moves(moves, {}).deadlocked == {"one", "two"}

    def test_a_network_of_one_gateway_lets_the_old_one_go_first(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "dead": (AT_BARN, None),
            "new": (None, AT_BARN),
            "a": (None, IN_BARN),
            "b": (IN_BARN, IN_BARN),
        }
        order = order_moves(moves, {}, one_gateway={"barn"})
        assert listed(order) == [["b", "dead"], ["new"], ["a"]]
        assert order.needs["new"] == (frozenset({"dead"}),)

    def test_a_network_of_one_gateway_lets_its_old_one_become_a_node_first(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "old": (AT_BARN, IN_BARN),
            "new": (IN_BARN, AT_BARN),
        }
        assert listed(order_moves(moves, {}, one_gateway={"barn"})) == [["old"], ["new"]]


class TestTold:
    """Who stays in a network learns of its new gateways when they have come, and before the old ones go."""

    MOVES: Mapping[str, tuple[OptionalMembership, OptionalMembership]] = {
        "dead": (AT_BARN, None),
        "new": (None, AT_BARN),
        "a": (IN_BARN, IN_BARN),
        "b": (IN_BARN, IN_BARN),
    }

    def test_a_node_is_told_between_the_coming_and_the_going(self) -> None:
        order = order_moves(self.MOVES, {}, updated={"a"})
        assert listed(order) == [["b", "new"], ["a"], ["dead"]]
        assert order.needs["a"] == (frozenset({"new"}),)
        assert order.needs["b"] == ()

    def test_who_is_told_while_a_gateway_stays_waits_for_nobody_and_who_leaves_waits_for_the_telling(self) -> None:
        assert listed(order_moves(self.MOVES, {"barn": 1}, updated={"a"})) == [["a", "b", "new"], ["dead"]]

    @pytest.mark.parametrize("staying", [0, 1])
    def test_a_gateway_does_not_go_while_a_node_cannot_be_told(self, staying: int) -> None:
        assert frozenset({"a"}) in order_moves(self.MOVES, {"barn": staying}, updated={"a"}).needs["dead"]

    def test_where_there_can_be_one_gateway_only_it_does_not_wait_for_the_telling(self) -> None:
        order = order_moves(self.MOVES, {}, updated={"a"}, one_gateway={"barn"})
        assert listed(order) == [["b", "dead"], ["new"], ["a"]]
        assert order.needs["dead"] == ()


class TestRoom:
    """A network that is full takes in nobody before somebody has left it."""

    MOVES: Mapping[str, tuple[OptionalMembership, OptionalMembership]] = {
        "new": (None, IN_BARN),
        "old": (IN_BARN, None),
        "one": (AT_BARN, AT_BARN),
    }

    def test_who_comes_into_a_full_network_waits_for_who_leaves_it(self) -> None:
        assert listed(order_moves(self.MOVES, {}, free_places={"barn": 0})) == [["old", "one"], ["new"]]

    def test_who_comes_into_one_with_a_place_left_does_not(self) -> None:
        assert listed(order_moves(self.MOVES, {}, free_places={"barn": 1})) == [["new", "old", "one"]]

    def test_two_that_change_places_between_full_networks_do_not_wait_for_ever(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "a": (IN_BARN, IN_SHED),
            "b": (IN_SHED, IN_BARN),
        }
        assert listed(order_moves(moves, {"barn": 1, "shed": 1}, free_places={"barn": 0, "shed": 0})) == [["a", "b"]]


class TestNeeds:
    """When what comes first fails, what would be left alone does not go."""

    @pytest.mark.parametrize(
        ("moves", "needs"),
        [
            ({"one": (None, AT_BARN), "two": (None, AT_BARN), "a": (None, IN_BARN)}, {"a": [{"one", "two"}]}),
            ({"one": (AT_BARN, AT_BARN), "two": (None, AT_BARN), "a": (None, IN_BARN)}, {}),
            (
                {"dead": (AT_BARN, None), "new": (None, AT_BARN), "a": (None, IN_BARN)},
                {"dead": [{"new"}], "a": [{"new"}]},
            ),
            ({"one": (AT_BARN, None), "a": (IN_BARN, None)}, {}),
            ({"a": (None, IN_BARN)}, {}),
        ],
    )
    def test_one_of_those_that_come_first_must_have_come(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]], needs: dict[str, list[set[str]]]
    ) -> None:
        found = order_moves(moves, {}).needs
        assert {device: [set(need) for need in sets] for device, sets in found.items() if sets} == needs


SEATS: st.SearchStrategy[OptionalMembership] = st.none() | st.builds(
    Membership, st.sampled_from(["barn", "shed", "mill"]), st.sampled_from(["gateway", "node"])
)
MOVES = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(SEATS, SEATS), max_size=8)


def alone(seats: Mapping[str, OptionalMembership]) -> set[str]:
    """The networks with nodes and no gateway."""
    roles: dict[str, set[str]] = {}
    for seat in seats.values():
        if seat is not None:
            roles.setdefault(seat.network, set()).add(seat.role)
    return {network for network, found in roles.items() if found == {"node"}}


class TestForAnyMoves:
    """What holds whatever is there and whatever is declared."""

    @given(MOVES, st.randoms(use_true_random=False))
    def test_no_network_that_gets_a_gateway_is_left_alone(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]], random: Random
    ) -> None:
        order = order_moves(moves, {})
        now = {device: before for device, (before, _unused) in moves.items()}
        left_alone = alone(now)
        declared = {after.network for _unused, after in moves.values() if after is not None and after.role == "gateway"}
        for turn in range(max(order.stages.values(), default=-1) + 1):
            going = [device for device in sorted(moves) if order.stages.get(device) == turn]
            random.shuffle(going)
            for device in going:
                now[device] = moves[device][1]
                assert alone(now) & declared <= left_alone
                left_alone &= alone(now)

    @given(MOVES)
    def test_everybody_goes_unless_gateways_wait_for_each_other(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]]
    ) -> None:
        order = order_moves(moves, {})
        assert (set(order.stages) == set(moves)) == (not order.deadlocked)
        for device in order.deadlocked:
            before, _unused = moves[device]
            assert before is not None
            assert before.role == "gateway"

    @given(MOVES)
    def test_what_a_device_needs_has_its_turn_before(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]]
    ) -> None:
        order = order_moves(moves, {})
        for device, turn in order.stages.items():
            assert all(order.stages[other] < turn for need in order.needs[device] for other in need)
