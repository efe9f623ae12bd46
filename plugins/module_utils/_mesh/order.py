# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order the moves of devices so that no network has nodes without a gateway. Private to this collection.

Two rules must hold:

* A gateway leaves a network after the nodes that stay have received the new list of gateways. Until then, the
  leaving gateway can be the only gateway that these nodes know.
* If no gateway stays in a network, new gateways join first: before nodes join, before the nodes that stay receive the
  new list, and before the old gateways leave.

In a network that can have only one gateway, the old gateway leaves before the new gateway joins, despite these rules.

Two other rules are ignored where they contradict the first two rules:

* If no gateway stays in a network, nodes leave before gateways leave.
* If a network has too few free places, devices join after nodes have left.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Membership

# Pylint reports `Membership | None` as an unsupported operation. If the alias is a string, Pylint reports the import of
# `Membership` as unused.
OptionalMembership = Optional[Membership]  # noqa: UP045


@dataclass(frozen=True)
class Order:
    """The order in which devices move.

    :param stages: the stage of each device, counted from 0. Devices of the same stage can move at the same time.
    :param needs: for each device, sets of other devices. The device can move after at least one device of each set has
        moved.
    :param deadlocked: the gateways that can never move, because they wait for each other to move first.
    """

    stages: Mapping[str, int]
    needs: Mapping[str, tuple[frozenset[str], ...]]
    deadlocked: frozenset[str]


@dataclass
class _NetworkMoves:
    """The moves in one network: gateways and nodes that join (``_in``), leave (``_out``) or stay.

    A gateway that becomes a node counts as a gateway that leaves and as a node that joins.

    :ivar staying: the number of gateways that stay.
    :ivar updated: the nodes that stay and receive the new list of gateways.
    """

    staying: int = 0
    gateways_in: set[str] = field(default_factory=set)
    gateways_out: set[str] = field(default_factory=set)
    nodes_in: set[str] = field(default_factory=set)
    nodes_out: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)


@dataclass
class _Conditions:
    """The conditions under which one device can move.

    An event is a pair of a phrase and the name of a network, such as ``("nodes left", "barn")``.

    :ivar must: the events that must happen before the device moves.
    :ivar should: the events that should happen before the device moves. If no device could move otherwise, these events
        are ignored.
    :ivar needs: the sets of devices for :attr:`Order.needs`.
    """

    must: set[tuple[str, str]] = field(default_factory=set)
    should: set[tuple[str, str]] = field(default_factory=set)
    needs: list[frozenset[str]] = field(default_factory=list)


def order_moves(
    moves: Mapping[str, tuple[OptionalMembership, OptionalMembership]],
    staying: Mapping[str, int],
    *,
    one_gateway: Set[str] = frozenset(),
    free_places: Mapping[str, int] | None = None,
    updated: Set[str] = frozenset(),
) -> Order:
    """Compute the order in which devices move.

    :param moves: for each device, the observed and the declared membership. The two may be equal.
    :param staying: for each network, the number of gateways that are not in ``moves``.
    :param one_gateway: the networks that can have only one gateway. The old gateway leaves before the new gateway
        joins, and the network has no gateway for a moment.
    :param free_places: for each network, the number of devices that can still be added. A network that has no key has
        no limit.
    :param updated: the devices in ``moves`` that stay in their network and receive the new list of gateways.
    """
    waiting = {device: _Conditions() for device in moves}
    events: dict[tuple[str, str], set[str]] = {}
    """The devices of each event. An event happens when the last of its devices has moved."""
    for network, network_moves in _group_moves(moves, staying, updated).items():
        if len(network_moves.gateways_in) + len(network_moves.nodes_in) > (free_places or {}).get(network, len(moves)):
            left = ("devices left", network)
            events[left] = network_moves.nodes_out
            for device in network_moves.gateways_in | network_moves.nodes_in:
                waiting[device].should.add(left)
        exchanges = network in one_gateway
        nodes_updated = ("nodes updated", network)
        events[nodes_updated] = network_moves.updated
        if not exchanges:
            for device in network_moves.gateways_out:
                for node in network_moves.updated:
                    _add_condition(waiting[device], nodes_updated, frozenset({node}))
        if network_moves.staying:
            continue
        gateways_joined = ("gateways joined", network)
        gateways_left = ("gateways left", network)
        nodes_left = ("nodes left", network)
        events |= {
            gateways_joined: network_moves.gateways_in,
            gateways_left: network_moves.gateways_out,
            nodes_left: network_moves.nodes_out,
        }
        newcomers = frozenset(network_moves.gateways_in)
        for device in network_moves.gateways_out:
            waiting[device].should.add(nodes_left)
            if not exchanges:
                _add_condition(waiting[device], gateways_joined, newcomers)
        for device in (network_moves.nodes_in | network_moves.updated) - (
            network_moves.gateways_out if exchanges else set()
        ):
            _add_condition(waiting[device], gateways_joined, newcomers)
        if exchanges:
            for device in network_moves.gateways_in:
                for leaver in network_moves.gateways_out:
                    _add_condition(waiting[device], gateways_left, frozenset({leaver}))
    return _assign_stages(waiting, events, moves)


def _add_condition(waiting: _Conditions, event: tuple[str, str], by: frozenset[str]) -> None:
    if by:
        waiting.must.add(event)
        waiting.needs.append(by)


def _group_moves(
    moves: Mapping[str, tuple[OptionalMembership, OptionalMembership]], staying: Mapping[str, int], updated: Set[str]
) -> dict[str, _NetworkMoves]:
    found = {network: _NetworkMoves(staying=count) for network, count in staying.items()}
    for device, (before, after) in moves.items():
        if before == after:
            if after is not None and after.role == GATEWAY:
                found.setdefault(after.network, _NetworkMoves()).staying += 1
            elif after is not None and device in updated:
                found.setdefault(after.network, _NetworkMoves()).updated.add(device)
            continue
        if before is not None:
            network_moves = found.setdefault(before.network, _NetworkMoves())
            (network_moves.gateways_out if before.role == GATEWAY else network_moves.nodes_out).add(device)
        if after is not None:
            network_moves = found.setdefault(after.network, _NetworkMoves())
            (network_moves.gateways_in if after.role == GATEWAY else network_moves.nodes_in).add(device)
    return found


def _assign_stages(
    waiting: Mapping[str, _Conditions],
    events: Mapping[tuple[str, str], set[str]],
    moves: Mapping[str, tuple[OptionalMembership, OptionalMembership]],
) -> Order:
    """Put each device into the first stage in which the device no longer waits for an event.

    If every remaining device waits for an event, the ``should`` events are ignored for one stage.
    """
    stages: dict[str, int] = {}
    left = set(waiting)
    outstanding = {event: set(devices) for event, devices in events.items()}
    while left:
        to_come = {event for event, devices in outstanding.items() if devices}
        free = {device for device in left if not (waiting[device].must | waiting[device].should) & to_come}
        free = free or {device for device in left if not waiting[device].must & to_come}
        if not free:
            break
        stages |= dict.fromkeys(free, max(stages.values(), default=-1) + 1)
        left -= free
        for devices in outstanding.values():
            devices -= free
    gateways = {device for device in left if (before := moves[device][0]) is not None and before.role == GATEWAY}
    return Order(stages, {device: tuple(found.needs) for device, found in waiting.items()}, frozenset(gateways))
