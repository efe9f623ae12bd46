# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Diagnostics: the answers of devices, and the results that a border router keeps (otbr-rest.md, section 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from otbr_simulator import tlvs as tlv
from otbr_simulator.devices import describe_mode
from otbr_simulator.errors import Refusal
from otbr_simulator.mesh import CHILD, ROUTING, Member

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter

MAX_RESULTS = 200
THREAD_VERSION = 5
CHILD_TIMEOUT_SECONDS = 240
NOISE_DBM = -98


class DiagnosticResults:
    """The results of one border router, keyed by id. They are in its memory only."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def add(self, key: str, kind: str, attributes: dict[str, Any], now: float) -> str:
        """Store a result and return its id. If there are too many results, the oldest ones are removed."""
        while len(self.items) >= MAX_RESULTS:
            del self.items[next(iter(self.items))]
        self.items[key] = {"id": key, "type": kind, "attributes": attributes}
        return key

    def find(self, key: str) -> dict[str, Any]:
        """Return a result, or raise a `Refusal` with status 404."""
        if key not in self.items:
            raise Refusal(404)
        return self.items[key]

    def remove(self, key: str) -> None:
        """Remove a result, or raise a `Refusal` with status 404."""
        self.find(key)
        del self.items[key]


def build_report(router: BorderRouter, member: Member, types: list[str]) -> dict[str, Any]:
    """Return the answer of a device. Values that the device does not have are missing."""
    report: dict[str, Any] = {}
    for name in types:
        answer = ANSWERS[name]
        value = answer(router, member) if answer is not None else None
        if value is not None:
            report[name] = value
    if "rloc16" in report and member.router_id is not None:
        report["routerId"] = member.router_id
    if member is router:
        report["brCounters"] = {"inboundUnicastPackets": 0, "outboundUnicastPackets": 0}
    return report


def build_scan_report(router: BorderRouter, channels: list[int], count: int) -> dict[str, Any]:
    """Return the report of an energy scan. The simulated radio hears only noise."""
    return {
        "origin": router.iid,
        "report": [{"channel": channel, "maxRssi": [NOISE_DBM] * count} for channel in channels],
    }


# ---------------------------------------------------------------------- the answers


def _rate_link(margin: int) -> int:
    """Return the link quality, from 0 to 3, for a link margin in dB."""
    return 3 if margin > 20 else 2 if margin > 10 else 1 if margin > 2 else 0


def _get_children(member: Member) -> list[Member]:
    return member.partition.children_of(member) if member.partition is not None else []


def _get_neighbours(member: Member) -> list[Member]:
    return [each for each in member.partition.routers if each is not member] if member.partition is not None else []


def _show_link(margin: int) -> dict[str, Any]:
    rssi = margin - 100
    return {
        "linkMargin": margin,
        "averageRssi": rssi,
        "lastRssi": rssi,
        "frameErrorRate": 0.0,
        "messageErrorRate": 0.0,
    }


def _show_connectivity(router: BorderRouter, member: Member) -> dict[str, int]:
    qualities = [_rate_link(min(member.link_margin, other.link_margin)) for other in _get_neighbours(member)]
    return {
        "parentPriority": 0,
        **{f"linkQuality{quality}": qualities.count(quality) for quality in (3, 2, 1)},
        "leaderCost": 0 if member.role == "leader" else 1,
        "idSequence": 0,
        "activeRouters": router.count_routers(),
        "sedBufferSize": 1280,
        "sedDatagramCount": 1,
    }


def _show_route(router: BorderRouter, member: Member) -> dict[str, Any] | None:
    if member.role not in ROUTING:
        return None
    rows = []
    for other in _get_neighbours(member):
        quality = _rate_link(min(member.link_margin, other.link_margin))
        rows.append({"routeId": other.router_id, "linkQualityOut": quality, "linkQualityIn": quality, "routeCost": 1})
    return {"idSequence": 0, "routeData": rows}


def _show_child_table(router: BorderRouter, member: Member) -> list[dict[str, Any]] | None:
    if member.role not in ROUTING:
        return None
    return [
        {
            "childId": child.rloc16 & 0x1FF,
            "timeout": 12,
            "linkQuality": _rate_link(child.link_margin),
            "mode": describe_mode(child),
        }
        for child in _get_children(member)
    ]


def _show_children(router: BorderRouter, member: Member) -> list[dict[str, Any]] | None:
    """Return the children of a router.

    This is the source of parents, versions and signals of all nodes, including sleepy ones.
    """
    if member.role not in ROUTING:
        return None
    return [
        {
            **describe_mode(child),
            "cslSynchronized": False,
            "supportsErrorRate": True,
            "rloc16": f"0x{child.rloc16:04x}",
            "childId": child.rloc16 & 0x1FF,
            "extAddress": child.ext_address,
            "threadVersion": THREAD_VERSION,
            "timeout": CHILD_TIMEOUT_SECONDS,
            "age": 10,
            "linkAge": 10,
            "supervisionInterval": 129,
            **_show_link(child.link_margin),
            "queuedMessageCount": 0,
        }
        for child in _get_children(member)
    ]


def _show_neighbours(router: BorderRouter, member: Member) -> list[dict[str, Any]] | None:
    if member.role not in ROUTING:
        return None
    return [
        {
            "supportsErrorRate": True,
            "rloc16": f"0x{other.rloc16:04x}",
            "extAddress": other.ext_address,
            "threadVersion": THREAD_VERSION,
            "linkAge": 5,
            **_show_link(min(member.link_margin, other.link_margin)),
        }
        for other in _get_neighbours(member)
    ]


def _show_addresses(router: BorderRouter, member: Member) -> list[str]:
    prefix = (router.dataset or {}).get(tlv.MESH_LOCAL_PREFIX, b"\xfd" + bytes(7))
    endings = (bytes.fromhex("000000fffe00") + member.rloc16.to_bytes(2, "big"), bytes.fromhex(member.iid))
    return [str(IPv6Address(prefix + ending)) for ending in endings]


def _show_timeout(router: BorderRouter, member: Member) -> int | None:
    return CHILD_TIMEOUT_SECONDS if member.role == CHILD and member.kind == "sleepy" else None


def _make_counters(*names: str) -> Callable[[BorderRouter, Member], dict[str, int]]:
    return lambda router, member: dict.fromkeys(names, 0)


Answer = Callable[["BorderRouter", Member], Any]

ANSWERS: dict[str, Answer | None] = {
    "extAddress": lambda router, member: member.ext_address,
    "rloc16": lambda router, member: f"0x{member.rloc16:04x}",
    "mode": lambda router, member: describe_mode(member),
    "timeout": _show_timeout,
    "connectivity": _show_connectivity,
    "route": _show_route,
    "leaderData": lambda router, member: router.show_leader_data(),
    "networkData": lambda router, member: "",
    "ipv6Addresses": _show_addresses,
    "macCounters": _make_counters("ifInUnknownProtos", "ifInErrors", "ifOutErrors", "ifInUcastPkts", "ifOutUcastPkts"),
    "batteryLevel": None,
    "supplyVoltage": None,
    "childTable": _show_child_table,
    "channelPages": lambda router, member: "00",
    "maxChildTimeout": lambda router, member: CHILD_TIMEOUT_SECONDS if member.role in ROUTING else None,
    "lDevIdSubject": None,
    "iDevIdCert": None,
    "eui": lambda router, member: member.eui64,
    "threadVersion": lambda router, member: THREAD_VERSION,
    "vendorName": None,
    "vendorModel": None,
    "vendorSwVersion": None,
    "threadStackVersion": lambda router, member: "OPENTHREAD/simulated",
    "children": _show_children,
    "childIpv6Addresses": None,
    "routerNeighbors": _show_neighbours,
    "mleCounters": _make_counters("disabledRole", "detachedRole", "childRole", "routerRole", "leaderRole"),
}
"""The functions that answer, keyed by the name in `types`. None: no simulated device has this value."""
