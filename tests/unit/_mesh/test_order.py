# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Moves are ordered in stages, so that no network with a declared gateway has nodes but no gateway."""

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

BARN_NODE = Membership("barn", "node")
BARN_GATEWAY = Membership("barn", "gateway")
SHED_NODE = Membership("shed", "node")
SHED_GATEWAY = Membership("shed", "gateway")


def plan_stages(**moves: tuple[OptionalMembership, OptionalMembership]) -> list[list[str]]:
    """Return the devices that move in each stage."""
    return group_by_stage(order_moves(moves, {}))


def group_by_stage(order: Order) -> list[list[str]]:
    """Return the devices of each stage."""
    last = max(order.stages.values(), default=-1)
    return [sorted(device for device, stage in order.stages.items() if stage == at) for at in range(last + 1)]


class TestStages:
    """Gateways join before the nodes that need them, and leave after those nodes."""

    def test_gateways_join_a_new_network_before_nodes(self) -> None:
        new = {"one": (None, BARN_GATEWAY), "two": (None, BARN_GATEWAY), "a": (None, BARN_NODE), "b": (None, BARN_NODE)}
        assert plan_stages(**new) == [["one", "two"], ["a", "b"]]

    def test_no_device_waits_while_a_gateway_stays(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "one": (BARN_GATEWAY, BARN_GATEWAY),
            "two": (BARN_GATEWAY, None),
            "a": (None, BARN_NODE),
        }
        assert plan_stages(**moves) == [["a", "one", "two"]]

    def test_no_device_waits_while_an_undeclared_gateway_stays(self) -> None:
        assert group_by_stage(order_moves({"two": (BARN_GATEWAY, None), "a": (None, BARN_NODE)}, {"barn": 1})) == [
            ["a", "two"]
        ]

    def test_old_gateway_leaves_after_its_replacement_has_joined(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "dead": (BARN_GATEWAY, None),
            "new": (None, BARN_GATEWAY),
            "a": (BARN_NODE, BARN_NODE),
        }
        assert plan_stages(**moves) == [["a", "new"], ["dead"]]

    def test_node_becomes_gateway_before_the_old_gateway_becomes_node(self) -> None:
        assert plan_stages(old=(BARN_GATEWAY, BARN_NODE), young=(BARN_NODE, BARN_GATEWAY)) == [["young"], ["old"]]

    def test_nodes_leave_a_dissolved_network_before_its_gateway(self) -> None:
        assert plan_stages(one=(BARN_GATEWAY, None), a=(BARN_NODE, None)) == [["a"], ["one"]]

    def test_gateway_moves_to_a_new_network_before_its_nodes(self) -> None:
        assert plan_stages(one=(BARN_GATEWAY, SHED_GATEWAY), a=(BARN_NODE, SHED_NODE)) == [["one"], ["a"]]

    def test_chain_of_gateways_moves_one_after_another(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "spare": (None, BARN_GATEWAY),
            "one": (BARN_GATEWAY, SHED_GATEWAY),
            "two": (SHED_GATEWAY, None),
            "a": (BARN_NODE, BARN_NODE),
            "b": (SHED_NODE, SHED_NODE),
        }
        assert plan_stages(**moves) == [["a", "b", "spare"], ["one"], ["two"]]

    def test_gateways_that_swap_networks_are_deadlocked(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "one": (BARN_GATEWAY, SHED_GATEWAY),
            "two": (SHED_GATEWAY, BARN_GATEWAY),
            "a": (BARN_NODE, BARN_NODE),
            "c": (SHED_NODE, BARN_NODE),
        }
        assert order_moves(moves, {}).deadlocked == {"one", "two"}

    def test_old_gateway_leaves_first_if_only_one_is_possible(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "dead": (BARN_GATEWAY, None),
            "new": (None, BARN_GATEWAY),
            "a": (None, BARN_NODE),
            "b": (BARN_NODE, BARN_NODE),
        }
        order = order_moves(moves, {}, one_gateway={"barn"})
        assert group_by_stage(order) == [["b", "dead"], ["new"], ["a"]]
        assert order.needs["new"] == (frozenset({"dead"}),)

    def test_old_gateway_becomes_node_first_if_only_one_is_possible(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "old": (BARN_GATEWAY, BARN_NODE),
            "new": (BARN_NODE, BARN_GATEWAY),
        }
        assert group_by_stage(order_moves(moves, {}, one_gateway={"barn"})) == [["old"], ["new"]]


class TestUpdatedNodes:
    """Nodes that stay are updated after the new gateways have joined and before the old ones leave."""

    MOVES: Mapping[str, tuple[OptionalMembership, OptionalMembership]] = {
        "dead": (BARN_GATEWAY, None),
        "new": (None, BARN_GATEWAY),
        "a": (BARN_NODE, BARN_NODE),
        "b": (BARN_NODE, BARN_NODE),
    }

    def test_node_is_updated_between_joining_and_leaving_gateways(self) -> None:
        order = order_moves(self.MOVES, {}, updated={"a"})
        assert group_by_stage(order) == [["b", "new"], ["a"], ["dead"]]
        assert order.needs["a"] == (frozenset({"new"}),)
        assert order.needs["b"] == ()

    def test_node_is_updated_at_once_while_another_gateway_stays(self) -> None:
        assert group_by_stage(order_moves(self.MOVES, {"barn": 1}, updated={"a"})) == [["a", "b", "new"], ["dead"]]

    @pytest.mark.parametrize("staying", [0, 1])
    def test_gateway_leaves_only_after_the_node_is_updated(self, staying: int) -> None:
        assert frozenset({"a"}) in order_moves(self.MOVES, {"barn": staying}, updated={"a"}).needs["dead"]

    def test_only_possible_gateway_leaves_before_the_node_is_updated(self) -> None:
        order = order_moves(self.MOVES, {}, updated={"a"}, one_gateway={"barn"})
        assert group_by_stage(order) == [["b", "dead"], ["new"], ["a"]]
        assert order.needs["dead"] == ()


class TestFreePlaces:
    """Devices join a full network after other devices have left it."""

    MOVES: Mapping[str, tuple[OptionalMembership, OptionalMembership]] = {
        "new": (None, BARN_NODE),
        "old": (BARN_NODE, None),
        "one": (BARN_GATEWAY, BARN_GATEWAY),
    }

    def test_device_joins_a_full_network_after_another_has_left(self) -> None:
        assert group_by_stage(order_moves(self.MOVES, {}, free_places={"barn": 0})) == [["old", "one"], ["new"]]

    def test_device_joins_at_once_if_a_place_is_free(self) -> None:
        assert group_by_stage(order_moves(self.MOVES, {}, free_places={"barn": 1})) == [["new", "old", "one"]]

    def test_devices_that_swap_full_networks_move_in_one_stage(self) -> None:
        moves: dict[str, tuple[OptionalMembership, OptionalMembership]] = {
            "a": (BARN_NODE, SHED_NODE),
            "b": (SHED_NODE, BARN_NODE),
        }
        assert group_by_stage(order_moves(moves, {"barn": 1, "shed": 1}, free_places={"barn": 0, "shed": 0})) == [
            ["a", "b"]
        ]


class TestNeeds:
    """A device does not move if all devices of a set that it needs have failed."""

    @pytest.mark.parametrize(
        ("moves", "needs"),
        [
            (
                {"one": (None, BARN_GATEWAY), "two": (None, BARN_GATEWAY), "a": (None, BARN_NODE)},
                {"a": [{"one", "two"}]},
            ),
            ({"one": (BARN_GATEWAY, BARN_GATEWAY), "two": (None, BARN_GATEWAY), "a": (None, BARN_NODE)}, {}),
            (
                {"dead": (BARN_GATEWAY, None), "new": (None, BARN_GATEWAY), "a": (None, BARN_NODE)},
                {"dead": [{"new"}], "a": [{"new"}]},
            ),
            ({"one": (BARN_GATEWAY, None), "a": (BARN_NODE, None)}, {}),
            ({"a": (None, BARN_NODE)}, {}),
        ],
    )
    def test_device_needs_one_of_the_joining_gateways(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]], needs: dict[str, list[set[str]]]
    ) -> None:
        found = order_moves(moves, {}).needs
        assert {device: [set(need) for need in sets] for device, sets in found.items() if sets} == needs


MEMBERSHIPS: st.SearchStrategy[OptionalMembership] = st.none() | st.builds(
    Membership, st.sampled_from(["barn", "shed", "mill"]), st.sampled_from(["gateway", "node"])
)
MOVES = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(MEMBERSHIPS, MEMBERSHIPS), max_size=8)


def find_networks_without_gateway(memberships: Mapping[str, OptionalMembership]) -> set[str]:
    """Return the networks that have nodes but no gateway."""
    roles: dict[str, set[str]] = {}
    for membership in memberships.values():
        if membership is not None:
            roles.setdefault(membership.network, set()).add(membership.role)
    return {network for network, found in roles.items() if found == {"node"}}


class TestAnyMoves:
    """These properties hold for any observed and declared memberships."""

    @given(MOVES, st.randoms(use_true_random=False))
    def test_no_network_with_a_declared_gateway_is_left_with_nodes_only(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]], random: Random
    ) -> None:
        order = order_moves(moves, {})
        now = {device: before for device, (before, _unused) in moves.items()}
        without_gateway = find_networks_without_gateway(now)
        declared = {after.network for _unused, after in moves.values() if after is not None and after.role == "gateway"}
        for stage in range(max(order.stages.values(), default=-1) + 1):
            moving = [device for device in sorted(moves) if order.stages.get(device) == stage]
            random.shuffle(moving)
            for device in moving:
                now[device] = moves[device][1]
                assert find_networks_without_gateway(now) & declared <= without_gateway
                without_gateway &= find_networks_without_gateway(now)

    @given(MOVES)
    def test_every_device_moves_unless_gateways_are_deadlocked(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]]
    ) -> None:
        order = order_moves(moves, {})
        assert (set(order.stages) == set(moves)) == (not order.deadlocked)
        for device in order.deadlocked:
            before, _unused = moves[device]
            assert before is not None
            assert before.role == "gateway"

    @given(MOVES)
    def test_needed_devices_move_in_earlier_stages(
        self, moves: dict[str, tuple[OptionalMembership, OptionalMembership]]
    ) -> None:
        order = order_moves(moves, {})
        for device, stage in order.stages.items():
            assert all(order.stages[other] < stage for need in order.needs[device] for other in need)
