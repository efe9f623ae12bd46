# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The true state of the simulation as JSON data, which the REST API of a border router never shows."""

from __future__ import annotations

from typing import Any

from otbr_simulator import datasets
from otbr_simulator import tlvs as tlv
from otbr_simulator.border_router import BorderRouter
from otbr_simulator.mesh import Member, Partition
from otbr_simulator.nodes import Node
from otbr_simulator.world import World


def describe_world(world: World) -> dict[str, Any]:
    """Return the border routers, the nodes and the networks that are on the air."""
    return {
        "now": world.now(),
        "routers": [describe_router(router) for router in world.routers.values()],
        "nodes": [describe_node(node) for node in world.nodes.values()],
        "networks": [_describe_partition(partition) for partition in world.partitions if partition.members],
    }


def describe_router(router: BorderRouter) -> dict[str, Any]:
    """Return one border router."""
    return {
        "name": router.name,
        "running": router.running,
        "restarts": router.restarts,
        "state": router.role,
        **_describe_member(router),
        "dataset": None if router.dataset is None else datasets.show_active(router.dataset),
        "pending": None if router.pending.tlvs is None else router.pending.show(),
        "commissioner": router.commissioner.state,
        "joiners": [joiner.eui64 or joiner.discerner for joiner in router.commissioner.joiners],
        "tasks": [{"type": task.type, "status": task.status} for task in router.tasks.show()],
    }


def describe_node(node: Node) -> dict[str, Any]:
    """Return one node."""
    return {
        "state": node.state,
        "role": node.role,
        **_describe_member(node),
        "pskd": node.pskd,
        "kind": node.kind,
        "powered": node.powered,
        "in_reach": node.in_reach,
        "joining": node.joining,
        "poll_seconds": node.poll_seconds,
        "joins": node.joins,
        "last_join": node.last_join,
    }


def _describe_member(member: Member) -> dict[str, Any]:
    return {
        "eui64": member.eui64,
        "ext_address": member.ext_address,
        "rloc16": f"0x{member.rloc16:04x}",
        "parent": None if member.parent is None else member.parent.ext_address,
        "network": None if member.dataset is None else datasets.show_name(member.dataset),
        "ext_pan_id": None if member.dataset is None else member.dataset[tlv.EXTENDED_PAN_ID].hex(),
    }


def _describe_partition(partition: Partition) -> dict[str, Any]:
    return {
        "name": datasets.show_name(partition.dataset),
        "channel": tlv.decode_channel(partition.dataset[tlv.CHANNEL]),
        "leader": None if partition.leader is None else partition.leader.ext_address,
        "routers": len(partition.routers),
        "members": len(partition.members),
    }
