# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Draw a mesh network as an SVG picture, from the parents and the signal strengths that its members report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

SIDE = 720
HEAD = 70
_NEAREST, _FARTHEST = 70.0, 320.0
_STRONGEST, _WEAKEST = -45, -85
"""The strongest and the weakest signal in dBm that the simulator's firmware reports.

A node with the strongest signal is drawn at the distance `_NEAREST` from the middle, and a node with the weakest signal
at the distance `_FARTHEST`.
"""
_RINGS = (-50, -60, -70, -80)
_COLOURS = {"joined": "#1a7f37", "joining": "#9a6700", "lost": "#cf222e"}
_LINE = "#8c959f"


@dataclass(frozen=True)
class Member:
    """The report of a member of a network.

    :ivar parent: the name of the member through which this member joined the network.
    :ivar rssi: the signal strength in dBm.
    """

    name: str
    role: str
    state: str
    parent: str | None
    rssi: int | None


def list_members(state: Mapping[str, Any], network: str) -> list[Member]:
    """Return the members of a network, first the gateways and then the nodes, each sorted by name.

    :param state: the result of `Simulator.state`.
    """
    names = {device["id"]: str(device["name"]) for device in state["devices"]}
    (reports,) = (ledger["instances"] for ledger in state["ledgers"] if ledger["name"] == "mesh-status")
    reports_by_device = {
        report["scope_value"]: report["data"] for report in reports if report["data"]["network"] == network
    }
    found = [
        Member(names[device], data["role"], data["state"], names.get(data["parent"]), data["rssi"])
        for device, data in reports_by_device.items()
    ]
    return sorted(found, key=lambda member: (member.role, member.name))


def draw_picture(network: str, members: Iterable[Member]) -> str:
    """Return a picture of a network as SVG. The same members always give the same bytes."""
    members = list(members)
    gateways = [member for member in members if member.role == "gateway"]
    nodes = [member for member in members if member.role != "gateway"]
    places = _place_members(gateways, nodes)
    joined = sum(member.state == "joined" for member in members)
    head = f"Network {network}: {_format_count(gateways, 'gateway')}, {_format_count(nodes, 'node')}, {joined} joined"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE + HEAD}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(head)}</title>",
        f'<rect width="{SIDE}" height="{SIDE + HEAD}" fill="#ffffff"/>',
        f'<text x="24" y="32" font-size="18" fill="#1f2328">{escape(head)}</text>',
        '<text x="24" y="54" fill="#59636e">A square is a gateway, a circle a node, and the distance between them the '
        "signal that the node reports.</text>",
        *_draw_rings(),
        *_draw_links(members, places),
        *(_draw_member(member, places[member.name]) for member in members),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _format_count(members: list[Member], word: str) -> str:
    return f"{len(members)} {word}" if len(members) == 1 else f"{len(members)} {word}s"


def _place_members(gateways: list[Member], nodes: list[Member]) -> dict[str, tuple[float, float]]:
    """Return the position of each member, keyed by name.

    Gateways are in the middle of the picture. Nodes are around the gateways: the weaker the signal of a node, the
    farther it is from the middle.
    """
    places = {}
    for number, gateway in enumerate(gateways):
        places[gateway.name] = _point_at(2 * math.pi * number / len(gateways), 0.0 if len(gateways) == 1 else 30.0)
    for number, node in enumerate(nodes):
        signal = _WEAKEST if node.rssi is None else node.rssi
        places[node.name] = _point_at(2 * math.pi * number / len(nodes), _compute_distance(signal))
    return places


def _compute_distance(signal: int) -> float:
    share = (_STRONGEST - max(_WEAKEST, min(_STRONGEST, signal))) / (_STRONGEST - _WEAKEST)
    return _NEAREST + share * (_FARTHEST - _NEAREST)


def _point_at(angle: float, distance: float) -> tuple[float, float]:
    return SIDE / 2 + distance * math.sin(angle), HEAD + SIDE / 2 - distance * math.cos(angle)


def _draw_rings() -> Iterator[str]:
    for signal in _RINGS:
        x, y = _point_at(0.0, _compute_distance(signal))
        yield (
            f'<circle cx="{SIDE / 2:.1f}" cy="{HEAD + SIDE / 2:.1f}" r="{_compute_distance(signal):.1f}" fill="none" '
            'stroke="#d1d9e0" stroke-dasharray="3 4"/>'
        )
        yield f'<text x="{x + 4:.1f}" y="{y - 4:.1f}" font-size="11" fill="#59636e">{signal} dBm</text>'


def _draw_links(members: Iterable[Member], places: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for member in members:
        if member.parent is not None and member.parent in places:
            (x1, y1), (x2, y2) = places[member.name], places[member.parent]
            yield f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_LINE}" stroke-width="0.7"/>'


def _draw_member(member: Member, place: tuple[float, float]) -> str:
    x, y = place
    through = f" through {member.parent}, {member.rssi} dBm" if member.parent else ""
    title = f"<title>{escape(f'{member.name}: {member.state}{through}')}</title>"
    fill = _COLOURS.get(member.state, _LINE)
    if member.role == "gateway":
        # A white outline keeps the label readable, because many lines cross it.
        halo = 'stroke="#ffffff" stroke-width="5" paint-order="stroke"'
        label = f'<text x="{x + 16:.1f}" y="{y + 5:.1f}" fill="#1f2328" {halo}>{escape(member.name)}</text>'
        return (
            f'<g><rect x="{x - 10:.1f}" y="{y - 10:.1f}" width="20" height="20" fill="{fill}">{title}</rect>{label}</g>'
        )
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}">{title}</circle>'
