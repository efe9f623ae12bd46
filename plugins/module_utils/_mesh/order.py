# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order members move, so that no network is left with nodes and no gateway. Private to this collection.

A gateway goes after all nodes that stay have been told of others: they may know of no other. More is not asked of a
network that keeps a gateway. In one whose gateways all come or change, gateways arrive before nodes do, before its
nodes are told of them, and before other gateways go; where none is to be left, gateways go after the nodes. Newcomers
also wait for whoever makes room for them. These last two are courtesies, and yield where they stand against the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Membership

Seat = Optional[Membership]  # noqa: UP045 - pylint takes the other spelling for a sum, and a text for no use


@dataclass(frozen=True)
class Order:
    """Who goes when.

    :param stages: the turn of each device, counted from 0; those of one turn may go side by side.
    :param needs: for each device sets of others; of each set at least one must have gone before it does.
    :param deadlocked: gateways that can never go, because each is the only one of a network that waits for another.
    """

    stages: Mapping[str, int]
    needs: Mapping[str, tuple[frozenset[str], ...]]
    deadlocked: frozenset[str]


@dataclass
class _Traffic:
    """For one network, who stays, comes and goes. A gateway that becomes a node goes, and comes as a node.

    ``staying`` are gateways; ``told`` are nodes that stay, and learn which gateways there are.
    """

    staying: int = 0
    gateways_in: set[str] = field(default_factory=set)
    gateways_out: set[str] = field(default_factory=set)
    nodes_in: set[str] = field(default_factory=set)
    nodes_out: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)


@dataclass
class _Waiting:
    """What one device waits for: events that must have happened, and events that should have."""

    must: set[tuple[str, str]] = field(default_factory=set)
    should: set[tuple[str, str]] = field(default_factory=set)
    needs: list[frozenset[str]] = field(default_factory=list)


def order_of(
    moves: Mapping[str, tuple[Seat, Seat]],
    staying: Mapping[str, int],
    *,
    one_gateway: Set[str] = frozenset(),
    room: Mapping[str, int] | None = None,
    told: Set[str] = frozenset(),
) -> Order:
    """The order of ``moves``, which say of each device where it is and where it belongs; both may be the same.

    :param staying: by network the number of its gateways that are not among ``moves``.
    :param one_gateway: networks that can have one gateway only. There the old one goes before the new one comes, and
        in between there is none.
    :param room: how many devices more a network can have now; one that is not named has no limit.
    :param told: those of ``moves`` that stay where they are and are told anew which gateways there are.
    """
    waiting = {device: _Waiting() for device in moves}
    events: dict[tuple[str, str], set[str]] = {}
    """Each happens when the last of its devices has gone."""
    for network, traffic in _traffic(moves, staying, told).items():
        if len(traffic.gateways_in) + len(traffic.nodes_in) > (room or {}).get(network, len(moves)):
            left = ("left", network)
            events[left] = traffic.nodes_out
            for device in traffic.gateways_in | traffic.nodes_in:
                waiting[device].should.add(left)
        exchanges = network in one_gateway
        taught = ("taught", network)
        events[taught] = traffic.told
        if not exchanges:
            for device in traffic.gateways_out:
                for node in traffic.told:
                    _require(waiting[device], taught, frozenset({node}))
        if traffic.staying:
            continue
        came, emptied, vacated = ("came", network), ("emptied", network), ("vacated", network)
        events |= {came: traffic.gateways_in, vacated: traffic.gateways_out, emptied: traffic.nodes_out}
        newcomers = frozenset(traffic.gateways_in)
        for device in traffic.gateways_out:
            waiting[device].should.add(emptied)
            if not exchanges:
                _require(waiting[device], came, newcomers)
        for device in (traffic.nodes_in | traffic.told) - (traffic.gateways_out if exchanges else set()):
            _require(waiting[device], came, newcomers)
        if exchanges:
            for device in traffic.gateways_in:
                for leaver in traffic.gateways_out:
                    _require(waiting[device], vacated, frozenset({leaver}))
    return _in_turns(waiting, events, moves)


def _require(waiting: _Waiting, event: tuple[str, str], by: frozenset[str]) -> None:
    if by:
        waiting.must.add(event)
        waiting.needs.append(by)


def _traffic(moves: Mapping[str, tuple[Seat, Seat]], staying: Mapping[str, int], told: Set[str]) -> dict[str, _Traffic]:
    found = {network: _Traffic(staying=count) for network, count in staying.items()}
    for device, (before, after) in moves.items():
        if before == after:
            if after is not None and after.role == GATEWAY:
                found.setdefault(after.network, _Traffic()).staying += 1
            elif after is not None and device in told:
                found.setdefault(after.network, _Traffic()).told.add(device)
            continue
        if before is not None:
            there = found.setdefault(before.network, _Traffic())
            (there.gateways_out if before.role == GATEWAY else there.nodes_out).add(device)
        if after is not None:
            there = found.setdefault(after.network, _Traffic())
            (there.gateways_in if after.role == GATEWAY else there.nodes_in).add(device)
    return found


def _in_turns(
    waiting: Mapping[str, _Waiting],
    events: Mapping[tuple[str, str], set[str]],
    moves: Mapping[str, tuple[Seat, Seat]],
) -> Order:
    """Turn after turn those go who wait for nothing any more; when nobody is left who does, courtesy yields."""
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
