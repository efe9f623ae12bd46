# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit a Particle Mesh: its remaining members, its risks, and manifests to migrate it. Private to this collection.

The audit works on facts that were already read and sends no requests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    ROLES,
    Board,
    Membership,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.limits import (
    LEDGERS_SINCE,
    precedes_ledgers,
    unfit_for_ledger,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import LEDGER
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.firmware import (
    find_versions_without_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    PARTICLE_MESH,
    outlives_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import seat_of

_LONGEST_NAME, _LONGEST_FILE_NAME = 32, 100
_Key = TypeVar("_Key", bound=Hashable)
_LOCKED, _TARGETED = "desired_firmware_version", "targeted_firmware_release_version"


@dataclass(frozen=True)
class _Member:
    """A device that has the radio of Particle Mesh or is in one of its networks."""

    id: str
    facts: Mapping[str, Any]
    network: str | None
    role: str | None

    @property
    def platform(self) -> int | None:
        """Return the platform id, or ``None`` if it is unknown."""
        platform = self.facts.get("platform_id")
        return platform if isinstance(platform, int) else None

    @property
    def device_os(self) -> str | None:
        """Return the version of Device OS, or ``None`` if it is unknown."""
        version = self.facts.get("system_firmware_version")
        return version if isinstance(version, str) else None


def audit(devices: Iterable[Mapping[str, Any]], networks: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return the audit of a Particle Mesh.

    :param devices: the facts of devices, as ``device_info`` returns them.
    :param networks: the networks, as ``network_info`` returns them; ``None`` if the cloud no longer has the registry.
    :returns: ``registry``, ``networks``, ``devices``, ``risks``, ``left_behind`` and ``manifests``, see the filter
        ``mesh_audit``.
    """
    every = list(devices)
    members = _members(every, networks or ())
    versions = {row[key] for row in every for key in (_LOCKED, _TARGETED) if isinstance(row.get(key), int)}
    ending, _unused = find_versions_without_mesh(versions, every)
    names = _ledger_names(sorted({member.network for member in members if member.network is not None}))
    moving, left_behind = _parted(members)
    manifests = _manifests(moving, names)
    planned = {str(device["id"]) for share in manifests for device in share["manifest"]["devices"]}
    return {
        "registry": "present" if networks is not None else "retired",
        "networks": _networks(members, networks or ()),
        "devices": [_described(member, ending, planned=member.id in planned) for member in members],
        "risks": _risks(members, ending),
        "left_behind": left_behind,
        "manifests": manifests,
    }


def _members(devices: Sequence[Mapping[str, Any]], networks: Iterable[Mapping[str, Any]]) -> list[_Member]:
    """Return the devices that are or could be in a mesh.

    The sources are the registry's list of members, the network in the facts of each device, and its platform.
    """
    listed = {
        str(row.get("id")): (str(network.get("name")), str(row.get("role") or NODE), row)
        for network in networks
        for row in network.get("devices") or ()
    }
    known = {str(facts.get("id")): facts for facts in devices}
    members = []
    for device in sorted(known.keys() | listed.keys()):
        facts = known.get(device) or listed[device][2]
        seat = seat_of(facts.get("network"))
        if device in listed:
            name, role, _unused = listed[device]
            members.append(_Member(device, facts, name, role))
        elif seat is not None:
            members.append(_Member(device, facts, seat.membership.network, seat.membership.role))
        elif facts.get("platform_id") in PARTICLE_MESH:
            members.append(_Member(device, facts, None, None))
    return members


def _networks(members: Iterable[_Member], networks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    told = {str(network.get("name")): network for network in networks}
    found: dict[str, dict[str, list[str]]] = {name: {GATEWAY: [], NODE: []} for name in told}
    for member in members:
        if member.network is not None and member.role in ROLES:
            found.setdefault(member.network, {GATEWAY: [], NODE: []})[member.role].append(member.id)
    return [
        {
            "name": name,
            "type": told.get(name, {}).get("type"),
            "state": told.get(name, {}).get("state"),
            "gateways": roles[GATEWAY],
            "nodes": roles[NODE],
        }
        for name, roles in sorted(found.items())
    ]


def _described(member: _Member, ending: Mapping[int, str], *, planned: bool) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.facts.get("name"),
        "platform": member.facts.get("platform"),
        "device_os": member.device_os,
        "product": member.facts.get("product"),
        "network": member.network,
        "role": member.role,
        "meshes": not outlives_mesh(member.device_os),
        "risks": _risks_of(member, ending, planned=planned),
    }


def _risks_of(member: _Member, ending: Mapping[int, str], *, planned: bool) -> list[str]:
    """Return the risks of one device: causes for leaving its mesh, and obstacles to joining its planned network.

    :param ending: firmware versions without Particle Mesh, each with the Device OS versions that it runs on.
    :param planned: whether a manifest of the audit declares the device.
    """
    risks = []
    if member.network is not None and outlives_mesh(member.device_os):
        risks.append(
            f"runs Device OS {member.device_os}, which has no Particle Mesh: it is in {member.network} no more"
        )
    for words, version in _firmware_for(member):
        if version in ending:
            risks.append(
                f"is {words} firmware {version}, which runs on {ending[version]} only: it would leave its mesh"
            )
    if planned and precedes_ledgers(member.device_os):
        risks.append(
            f"runs Device OS {member.device_os}, and ledgers need {LEDGERS_SINCE} or newer: it must be updated to be "
            "in a network of backend ledger"
        )
    return risks


def _firmware_for(member: _Member) -> list[tuple[str, int]]:
    """Return the firmware version that a device will get and the reason, as words: its lock, else a release.

    A device whose Device OS has no Particle Mesh gives an empty list, because it has no mesh to leave.
    """
    if outlives_mesh(member.device_os):
        return []
    locked, targeted = (member.facts.get(key) for key in (_LOCKED, _TARGETED))
    if isinstance(locked, int):
        return [("locked to", locked)]
    return [("due for", targeted)] if isinstance(targeted, int) else []


def _risks(members: Sequence[_Member], ending: Mapping[int, str]) -> list[str]:
    """Return the risks that concern more than one device, one sentence each."""
    wanted = Counter(one for member in members for one in _firmware_for(member) if one[1] in ending)
    risks = [
        f"firmware {version} would end the mesh of {_devices(count)} {words} it"
        for (words, version), count in sorted(wanted.items())
    ]
    roles: dict[str, list[_Member]] = {}
    for member in members:
        if member.network is not None:
            roles.setdefault(member.network, []).append(member)
    for name, found in sorted(roles.items()):
        gateways = [member for member in found if member.role == GATEWAY]
        up = [member for member in gateways if member.facts.get("online") is not False]
        if not gateways:
            risks.append(f"network {name} has no gateway: {_devices(len(found))} in it cannot reach the cloud")
        elif not up:
            risks.append(f"network {name} has no gateway that is online")
        elif len(gateways) == 1:
            risks.append(f"network {name} stands on one gateway, and no other can be added")
    return risks


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


# --- the migration to backend ledger ---


def _parted(members: Iterable[_Member]) -> tuple[list[_Member], list[dict[str, Any]]]:
    """Return the members that can move to backend ledger, and those that cannot, each with the reason."""
    moving, left_behind = [], []
    for member in members:
        if member.network is None:
            continue
        seat = Membership(member.network, NODE)
        reasons = [reason.partition(": ")[2] for reason in unfit_for_ledger(member.id, seat, Board(member.platform))]
        if reasons:
            left_behind.append({"id": member.id, "network": member.network, "reason": reasons[0]})
        else:
            moving.append(member)
    return moving, left_behind


def _ledger_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each network a unique name that is valid in backend ledger."""
    plain = {name: _plain(name)[:_LONGEST_NAME] or "mesh" for name in names}
    return _distinct({name: f"{text}-mesh" if text in ROLES else text for name, text in plain.items()}, _LONGEST_NAME)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")


def _distinct(texts: Mapping[_Key, str], longest: int) -> dict[_Key, str]:
    """Return the texts by key, and make equal texts unique by a number at the end.

    :param longest: the maximum length of a text with its number.
    """
    taken: set[str] = set()
    found = {}
    for key, text in texts.items():
        chosen, number = text, 2
        while chosen in taken:
            end = f"-{number}"
            chosen, number = text[: longest - len(end)] + end, number + 1
        taken.add(chosen)
        found[key] = chosen
    return found


def _manifests(moving: Sequence[_Member], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a manifest for each product and platform of the members.

    Members without a product are grouped by platform, because a product has devices of one platform.
    """
    gateways = _gateways(moving)
    shares: dict[tuple[str, str], list[_Member]] = {}
    for member in moving:
        if gateways[str(member.network)]:
            place = (str(member.facts.get("product") or ""), str(member.facts.get("platform")))
            shares.setdefault(place, []).append(member)
    files = _distinct(
        {place: _plain(f"{place[0] or 'account'}-{place[1]}")[:_LONGEST_FILE_NAME] for place in sorted(shares)},
        _LONGEST_FILE_NAME,
    )
    return [
        {
            "platform": place[1],
            "product": place[0] or None,
            "needs": None if place[0] else _needs_product(place[1], len(shares[place])),
            "file": f"{file}.yml",
            "manifest": _manifest(place[0], shares[place], gateways, names),
        }
        for place, file in files.items()
    ]


def _needs_product(platform: str, count: int) -> str:
    return (
        f"Networks of backend {LEDGER.name} are of devices of a product, and nothing tells of one for "
        f"{_devices(count)} in here: create a product for platform {platform} in the Console, unless you have one, and "
        "add its slug as product. fleet imports the devices then."
    )


def _gateways(moving: Sequence[_Member]) -> dict[str, list[str]]:
    """Return for each network the members to declare as gateways.

    These are its gateways that backend ledger supports, else the first member that can be a gateway, else none.
    """
    found: dict[str, list[str]] = {str(member.network): [] for member in moving}
    able: dict[str, list[str]] = {name: [] for name in found}
    for member in moving:
        seat = Membership(str(member.network), GATEWAY)
        if not any(unfit_for_ledger(member.id, seat, Board(member.platform))):
            able[seat.network].append(member.id)
            if member.role == GATEWAY:
                found[seat.network].append(member.id)
    return {name: gateways or able[name][:1] for name, gateways in found.items()}


def _manifest(
    product: str, share: Sequence[_Member], gateways: Mapping[str, list[str]], names: Mapping[str, str]
) -> dict[str, Any]:
    own = {member.id for member in share}
    networks: dict[str, Any] = {}
    devices = []
    for member in share:
        name = str(member.network)
        elsewhere = [gateway for gateway in gateways[name] if gateway not in own]
        networks[names[name]] = {"backend": LEDGER.name, **({"gateways": elsewhere} if elsewhere else {})}
        role = GATEWAY if member.id in gateways[name] else NODE
        devices.append({"id": member.id, "mesh": {"network": names[name], "role": role}})
    return {**({"product": product} if product else {}), "networks": networks, "devices": devices}
