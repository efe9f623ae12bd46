# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit a Particle Mesh: list members and risks, and build manifests for a migration. Private to this collection.

The audit sends no requests: the caller has already read the facts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    ROLES,
    Hardware,
    Membership,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.limits import (
    LEDGERS_SINCE,
    check_platform,
    is_too_old_for_ledgers,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import LEDGER
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.firmware import (
    find_versions_without_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    PARTICLE_MESH,
    is_too_new_for_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import read_registration

_MAX_NAME, _MAX_FILE_NAME = 32, 100
_Key = TypeVar("_Key", bound=Hashable)
_NO_GATEWAY = "no member of this network that can be migrated can be a gateway, because none has an uplink"

_LOCKED, _TARGETED = "desired_firmware_version", "targeted_firmware_release_version"


@dataclass(frozen=True)
class _Member:
    """A device that has a radio for Particle Mesh or is in a Particle Mesh network."""

    id: str
    facts: Mapping[str, Any]
    network: str | None
    role: str | None

    @property
    def platform(self) -> int | None:
        """Return the platform id, or ``None`` if the platform is unknown."""
        platform = self.facts.get("platform_id")
        return platform if isinstance(platform, int) else None

    @property
    def device_os(self) -> str | None:
        """Return the version of Device OS, or ``None`` if the version is unknown."""
        version = self.facts.get("system_firmware_version")
        return version if isinstance(version, str) else None


def audit_mesh(devices: Iterable[Mapping[str, Any]], networks: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return the audit of a Particle Mesh.

    :param devices: the facts of devices, as ``device_info`` returns them.
    :param networks: the networks, as ``network_info`` returns them; ``None`` if the cloud no longer has the registry of
        Particle Mesh.
    :returns: a mapping with the keys ``registry``, ``networks``, ``devices``, ``risks``, ``left_behind`` and
        ``manifests``. The documentation of the filter ``mesh_audit`` describes the values.
    """
    every = list(devices)
    members = _find_members(every, networks or ())
    versions = {row[key] for row in every for key in (_LOCKED, _TARGETED) if isinstance(row.get(key), int)}
    ending, _unused = find_versions_without_mesh(versions, every)
    names = _build_ledger_names(sorted({member.network for member in members if member.network is not None}))
    moving, left_behind = _split_members(members)
    gateways = _choose_gateways(moving)
    manifests = _build_manifests([member for member in moving if gateways[str(member.network)]], gateways, names)
    left_behind += [
        {"id": member.id, "network": member.network, "reason": _NO_GATEWAY}
        for member in moving
        if not gateways[str(member.network)]
    ]
    planned = {str(device["id"]) for share in manifests for device in share["manifest"]["devices"]}
    return {
        "registry": "present" if networks is not None else "retired",
        "networks": _describe_networks(members, networks or ()),
        "devices": [_describe_member(member, ending, planned=member.id in planned) for member in members],
        "risks": _find_shared_risks(members, ending),
        "left_behind": left_behind,
        "manifests": manifests,
    }


def _find_members(devices: Sequence[Mapping[str, Any]], networks: Iterable[Mapping[str, Any]]) -> list[_Member]:
    """Return the devices that are in a Particle Mesh network or have a radio for Particle Mesh.

    The membership of a device comes from the member lists in ``networks``. If no list contains the device, the
    membership comes from the facts of the device.
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
        registration = read_registration(facts.get("network"))
        if device in listed:
            name, role, _unused = listed[device]
            members.append(_Member(device, facts, name, role))
        elif registration is not None:
            members.append(_Member(device, facts, registration.membership.network, registration.membership.role))
        elif facts.get("platform_id") in PARTICLE_MESH:
            members.append(_Member(device, facts, None, None))
    return members


def _describe_networks(members: Iterable[_Member], networks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    described = {str(network.get("name")): network for network in networks}
    found: dict[str, dict[str, list[str]]] = {name: {GATEWAY: [], NODE: []} for name in described}
    for member in members:
        if member.network is not None and member.role in ROLES:
            found.setdefault(member.network, {GATEWAY: [], NODE: []})[member.role].append(member.id)
    return [
        {
            "name": name,
            "type": described.get(name, {}).get("type"),
            "state": described.get(name, {}).get("state"),
            "gateways": roles[GATEWAY],
            "nodes": roles[NODE],
        }
        for name, roles in sorted(found.items())
    ]


def _describe_member(member: _Member, ending: Mapping[int, str], *, planned: bool) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.facts.get("name"),
        "platform": member.facts.get("platform"),
        "device_os": member.device_os,
        "product": member.facts.get("product"),
        "network": member.network,
        "role": member.role,
        "meshes": not is_too_new_for_mesh(member.device_os),
        "risks": _find_member_risks(member, ending, planned=planned),
    }


def _find_member_risks(member: _Member, ending: Mapping[int, str], *, planned: bool) -> list[str]:
    """Return the risks of one device, one sentence each.

    A risk is a reason why the device has left or would leave its current network, or a reason why the device cannot
    join its planned network yet.

    :param ending: maps each firmware version without Particle Mesh to a string that lists the Device OS versions of
        this firmware.
    :param planned: whether a manifest in the audit declares the device.
    """
    risks = []
    if member.network is not None and is_too_new_for_mesh(member.device_os):
        risks.append(
            f"runs Device OS {member.device_os}, which has no Particle Mesh: it is no longer in {member.network}"
        )
    for words, version in _find_due_firmware(member):
        if version in ending:
            risks.append(
                f"is {words} firmware {version}, which runs on {ending[version]} only: it would leave its mesh"
            )
    if planned and is_too_old_for_ledgers(member.device_os):
        risks.append(
            f"runs Device OS {member.device_os}, but ledgers require {LEDGERS_SINCE} or newer: it must be updated "
            "before it can join a network of backend ledger"
        )
    return risks


def _find_due_firmware(member: _Member) -> list[tuple[str, int]]:
    """Return ``[(reason, version)]`` with the firmware version that a device will get, or an empty list.

    The reason is ``locked to``, or ``due for`` if the device is not locked and a release targets the device. The list
    is also empty if the Device OS of the device has no Particle Mesh, because the device then has no mesh to leave.
    """
    if is_too_new_for_mesh(member.device_os):
        return []
    locked, targeted = (member.facts.get(key) for key in (_LOCKED, _TARGETED))
    if isinstance(locked, int):
        return [("locked to", locked)]
    return [("due for", targeted)] if isinstance(targeted, int) else []


def _find_shared_risks(members: Sequence[_Member], ending: Mapping[int, str]) -> list[str]:
    """Return the risks that concern more than one device, one sentence each."""
    wanted = Counter(one for member in members for one in _find_due_firmware(member) if one[1] in ending)
    risks = [
        f"firmware {version} would end the mesh of {format_count(count, 'device')} {words} it"
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
            risks.append(
                f"network {name} has no gateway: {format_count(len(found), 'device')} in it cannot reach the cloud"
            )
        elif not up:
            risks.append(f"network {name} has no gateway that is online")
        elif len(gateways) == 1:
            risks.append(f"network {name} has only one gateway, and no other can be added")
    return risks


# --- the migration to backend ledger ---


def _split_members(members: Iterable[_Member]) -> tuple[list[_Member], list[dict[str, Any]]]:
    """Return the members that can move to backend ``ledger``, and the list ``left_behind`` of the audit."""
    moving, left_behind = [], []
    for member in members:
        if member.network is None:
            continue
        membership = Membership(member.network, NODE)
        reasons = [
            reason.partition(": ")[2] for reason in check_platform(member.id, membership, Hardware(member.platform))
        ]
        if reasons:
            left_behind.append({"id": member.id, "network": member.network, "reason": reasons[0]})
        else:
            moving.append(member)
    return moving, left_behind


def _build_ledger_names(names: Iterable[str]) -> dict[str, str]:
    """Return, for each network, a unique name that is valid in backend ``ledger``."""
    plain = {name: _simplify_text(name)[:_MAX_NAME] or "mesh" for name in names}
    return _make_distinct({name: f"{text}-mesh" if text in ROLES else text for name, text in plain.items()}, _MAX_NAME)


def _simplify_text(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")


def _make_distinct(texts: Mapping[_Key, str], longest: int) -> dict[_Key, str]:
    """Make the strings in a mapping unique. A string that repeats an earlier string gets a number at the end.

    :param longest: the maximum length of a string, including the number.
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


def _build_manifests(
    moving: Sequence[_Member], gateways: Mapping[str, list[str]], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return ``manifests`` of the audit: one mapping for each pair of product and platform.

    :param gateways: the members to declare as gateways, keyed by network. Each network has a gateway.
    """
    shares: dict[tuple[str, str], list[_Member]] = {}
    for member in moving:
        place = (str(member.facts.get("product") or ""), str(member.facts.get("platform")))
        shares.setdefault(place, []).append(member)
    files = _make_distinct(
        {place: _simplify_text(f"{place[0] or 'account'}-{place[1]}")[:_MAX_FILE_NAME] for place in sorted(shares)},
        _MAX_FILE_NAME,
    )
    return [
        {
            "platform": place[1],
            "product": place[0] or None,
            "needs": None if place[0] else _explain_product(place[1], len(shares[place])),
            "file": f"{file}.yml",
            "manifest": _build_manifest(place[0], shares[place], gateways, names),
        }
        for place, file in files.items()
    ]


def _explain_product(platform: str, count: int) -> str:
    devices = format_count(count, "device")
    return (
        f"Networks of backend {LEDGER.name} require a product, but the product of {devices} in this "
        f"manifest is not known. Create a product for platform {platform} in the Console, unless you have one, and "
        "add its slug as product to this manifest. Module fleet then imports the devices."
    )


def _choose_gateways(moving: Sequence[_Member]) -> dict[str, list[str]]:
    """Return, for each network, the members to declare as gateways.

    The current gateways remain gateways if backend ``ledger`` allows this role for their platform. If no gateway
    remains, the first member with a suitable platform becomes the gateway. If no member has a suitable platform, the
    list is empty.
    """
    found: dict[str, list[str]] = {str(member.network): [] for member in moving}
    able: dict[str, list[str]] = {name: [] for name in found}
    for member in moving:
        membership = Membership(str(member.network), GATEWAY)
        if not any(check_platform(member.id, membership, Hardware(member.platform))):
            able[membership.network].append(member.id)
            if member.role == GATEWAY:
                found[membership.network].append(member.id)
    return {name: gateways or able[name][:1] for name, gateways in found.items()}


def _build_manifest(
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
