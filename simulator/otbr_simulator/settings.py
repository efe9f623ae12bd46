# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The settings of the simulator, and the file format of nodes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

EUI64 = re.compile(r"[0-9a-fA-F]{16}")
MAX_NODES = 2000
MAX_ROUTERS = 32
KINDS = ("ftd", "mtd", "sleepy")
NODE_KEYS = {"eui64", "pskd", "kind", "powered", "joining", "poll_seconds", "in_reach"}


class SettingsError(ValueError):
    """An error: a setting or a file of nodes is invalid."""


class Generation(Enum):
    """The generation of the REST API (otbr-rest.md, section 1; otbr-rest.md, section 3.3)."""

    OLD = "old"
    """Only `/node`, with PascalCase keys, as before September 2025."""
    MIDDLE = "middle"
    """Also `/api`, but no discovery document, and the key `Routers` of a security policy in PascalCase."""
    CURRENT = "current"
    """The observed version 0.5.0."""
    NEWER = "newer"
    """The observed version with announced rules for pending datasets: If-None-Match, and a verdict of the leader."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A simulated node at the start of the simulation.

    :ivar eui64: 16 hexadecimal digits in lower case.
    :ivar kind: "ftd" (can become a router), "mtd" (a child that always listens) or "sleepy".
    :ivar joining: whether the node tries to join a network while it has power and no network.
    :ivar poll_seconds: the time between two polls of a sleepy node.
    :ivar in_reach: whether the radio of the node reaches the others.
    """

    eui64: str
    pskd: str
    kind: str = "ftd"
    powered: bool = True
    joining: bool = True
    poll_seconds: float = 0.5
    in_reach: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a simulation. Times are in seconds of simulated time.

    :ivar joiners: the number of places in the joiner table of each border router.
    :ivar form_seconds: the time from `enable` until a border router leads a new network.
    :ivar commissioner: whether the border routers support joiners at all.
    """

    seed: int = 0
    routers: int = 1
    nodes: tuple[NodeSettings, ...] = ()
    joiners: int = 4
    generation: Generation = Generation.CURRENT
    commissioner: bool = True
    form_seconds: float = 7.0
    clock: str = "real"
    speed: float = 1.0


def make_nodes(count: int) -> tuple[NodeSettings, ...]:
    """Return nodes with made-up EUI-64s and PSKds, for example 18b4300000000001 with J01NME0001."""
    return tuple(NodeSettings(f"18b43000{number:08x}", f"J01NME{number:04d}") for number in range(1, count + 1))


def read_nodes(value: str) -> tuple[NodeSettings, ...]:
    """Return the nodes that `--nodes` names: a number, or a file with a JSON list of objects."""
    if value.isascii() and value.isdigit():
        if int(value) > MAX_NODES:
            raise SettingsError(f"--nodes must be at most {MAX_NODES}")
        return make_nodes(int(value))
    try:
        content = json.loads(Path(value).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read the nodes in {value}: {error}") from error
    if not isinstance(content, list):
        raise SettingsError(f"{value} must contain a JSON list of nodes")
    return tuple(parse_node(entry) for entry in content)


def parse_node(entry: Any) -> NodeSettings:
    """Return a node from a JSON object. Only `eui64` and `pskd` are required."""
    if not isinstance(entry, dict) or not {"eui64", "pskd"} <= set(entry) <= NODE_KEYS:
        raise SettingsError(f"a node must be an object with eui64, pskd and some of {', '.join(sorted(NODE_KEYS))}")
    if not isinstance(entry["eui64"], str) or not EUI64.fullmatch(entry["eui64"]):
        raise SettingsError("eui64 must be a text of 16 hexadecimal digits")
    check_node_values(entry)
    return NodeSettings(**{**entry, "eui64": entry["eui64"].lower()})


def check_node_values(entry: dict[str, Any]) -> None:
    """Raise `SettingsError` if a value of a node has a wrong type."""
    if not isinstance(entry.get("pskd", ""), str):
        raise SettingsError("pskd must be a text")
    if entry.get("kind", "ftd") not in KINDS:
        raise SettingsError(f"kind must be one of {', '.join(KINDS)}")
    for name in ("powered", "joining", "in_reach"):
        if not isinstance(entry.get(name, True), bool):
            raise SettingsError(f"{name} must be true or false")
    poll = entry.get("poll_seconds", 0.5)
    if not isinstance(poll, (int, float)) or isinstance(poll, bool) or not 0 < poll <= 86400:
        raise SettingsError("poll_seconds must be a number from 0 to 86400")
