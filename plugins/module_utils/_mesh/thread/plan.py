# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes to Thread networks and their members. Private to this collection.

The functions of this file send no requests.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    SharedWrite,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import (
    CHANGEABLE,
    encode_parameters,
    find_differences,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import (
    ATTACHED,
    ChangeNetwork,
    Commission,
    ConfirmJoined,
    ExtendNetwork,
    FormNetwork,
    Joiner,
    Observed,
    ObservedNetwork,
    StartRouter,
)

DEFAULT_JOINER_TIMEOUT = 180
"""Number of seconds to wait for one device.

A device that finds the border router busy tries again after up to a minute.
"""
DEFAULT_COMMISSIONING_TIMEOUT = 3600
DEFAULT_CHANGE_DELAY = 300
MAX_MEMBERS = 190
"""The maximum number of members that one border router can list (otbr-rest.md, section 7)."""
HANDSHAKE_SECONDS = 2
"""The time of one handshake. A network has one handshake at a time (otbr-rest.md, section 4.2)."""

_NO_WAY_OUT = "Thread has no way to remove a member over the border router: reset the board to its factory settings"


def plan(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    observed: Observed,
) -> MeshPlan:
    """Plan the changes from the observed state to the declared state.

    :param networks: the declared networks by name.
    :param wanted: for each device, the declared membership, or ``None`` if the device must be in no network.
    """
    refusals = [*_find_shared_routers(networks), *_find_leaving(networks, wanted, observed)]
    members: dict[str, MemberPlan] = {}
    setup: list[SharedWrite] = []
    created, changed = dict[str, list[str]](), dict[str, list[str]]()
    for name, network in networks.items():
        seen = observed.networks[name]
        own = {device: to for device, to in wanted.items() if to is not None and to.network == name}
        refusals += _find_refusals(network, seen, own, observed.hardware_of)
        if network.absent:
            continue
        for device, to in own.items():
            members[device] = _plan_member(device, to, networks, observed)
        setup += _plan_routers(network, seen, _list_joining(own, members), created, changed)
        setup += _plan_commissioning(network, seen, own, members, observed.hardware_of)
    leaving = (device for device, to in wanted.items() if to is None)
    members.update((device, MemberPlan()) for device in leaving)
    return MeshPlan(
        members,
        setup=tuple(setup),
        created_names={kind: tuple(found) for kind, found in created.items()},
        changed_names={kind: tuple(found) for kind, found in changed.items()},
        refusals=tuple(refusals),
        warnings=tuple(_find_warnings(networks, observed)),
    )


def find_identity(hardware: Hardware | None) -> str | None:
    """Return the EUI-64 of a device, or ``None`` if none is declared."""
    return hardware.identities.get("eui64") if hardware is not None else None


def _plan_member(device: str, to: Membership, networks: Mapping[str, Network], observed: Observed) -> MemberPlan:
    eui64 = find_identity(observed.hardware_of.get(device))
    seen = observed.networks[to.network]
    if eui64 is None:
        return MemberPlan()
    if eui64 in seen.members:
        return MemberPlan(before=to)
    elsewhere = next((name for name in networks if eui64 in observed.networks[name].members), None)
    before = Membership(elsewhere, to.role) if elsewhere is not None else None
    changes = {"mesh": (before.as_result() if before else None, to.as_result())}
    return MemberPlan(
        writes=(ConfirmJoined(to.network, device, bool(to.extra.get("joiner"))),), changes=changes, before=before
    )


def _list_joining(own: Mapping[str, Membership], members: Mapping[str, MemberPlan]) -> frozenset[str]:
    """Return the devices of a network that are not in it yet."""
    return frozenset(device for device in own if members[device].changes)


def _plan_commissioning(
    network: Network,
    seen: ObservedNetwork,
    own: Mapping[str, Membership],
    members: Mapping[str, MemberPlan],
    hardware_of: Mapping[str, Hardware],
) -> Iterator[SharedWrite]:
    """Yield the write that lets the members of a network join, if any of them must join."""
    joining = _list_joining(own, members)
    joiners = [
        Joiner(device, eui64, str(own[device].extra["joiner"]))
        for device in own
        if device in joining and own[device].extra.get("joiner") and (eui64 := find_identity(hardware_of.get(device)))
    ]
    if joiners or seen.leftovers:
        extra = network.extra
        commission = Commission(
            network.name,
            _find_commissioner(seen),
            tuple(joiners),
            seen.leftovers,
            extra.get("joiner_timeout") or DEFAULT_JOINER_TIMEOUT,
            extra.get("commissioning_timeout") or DEFAULT_COMMISSIONING_TIMEOUT,
        )
        yield SharedWrite(commission, joining, is_attempt=True)


def _plan_routers(
    network: Network,
    seen: ObservedNetwork,
    joining: frozenset[str],
    created: dict[str, list[str]],
    changed: dict[str, list[str]],
) -> Iterator[SharedWrite]:
    """Yield the writes that bring the border routers of a network to their declared state.

    :param joining: the devices that fail when a write fails.
    :param created: the names for :attr:`MeshPlan.created_names`, to which this function adds.
    :param changed: the names for :attr:`MeshPlan.changed_names`, to which this function adds.
    """
    parameters = network.parameters or {}
    dataset = seen.dataset
    first = _find_commissioner(seen)
    if dataset is None:
        created.setdefault("thread networks", []).append(network.name)
        yield SharedWrite(FormNetwork(network.name, first, encode_parameters(parameters)), joining)
    for router in seen.routers:
        if router.dataset is None and router.url != first:
            created.setdefault("border routers", []).append(f"{network.name}: {router.url}")
            yield SharedWrite(ExtendNetwork(network.name, first, router.url), joining)
        elif router.dataset is not None and router.state not in ATTACHED:
            changed.setdefault("border routers", []).append(f"{network.name}: {router.url} (start)")
            yield SharedWrite(StartRouter(network.name, router.url), joining)
    differing = find_differences(parameters, dataset) if dataset is not None else []
    if differing:
        # Only the names of the parameters are shown, because a parameter can be a key.
        changed.setdefault("thread parameters", []).append(f"{network.name}: {', '.join(differing)}")
        values: dict[str, Any] = {name: parameters[name] for name in differing if name in CHANGEABLE}
        delay = network.extra.get("change_delay") or DEFAULT_CHANGE_DELAY
        yield SharedWrite(ChangeNetwork(network.name, first, values, delay), joining)


def _find_commissioner(seen: ObservedNetwork) -> str:
    """Return the URL of the border router through which a network is formed, changed and joined.

    One border router does this for the whole network, because a Thread network has one commissioner.
    """
    usable = [router for router in seen.routers if router.has_joiners] or list(seen.routers)
    running = [router for router in usable if router.dataset is not None and router.state in ATTACHED]
    stored = [router for router in usable if router.dataset is not None]
    return (running or stored or usable)[0].url


def _find_shared_routers(networks: Mapping[str, Network]) -> Iterator[str]:
    """Yield a sentence for each border router that several networks declare."""
    users: dict[str, list[str]] = {}
    for name, network in networks.items():
        for router in network.extra.get("border_routers", ()):
            users.setdefault(str(router["url"]).lower(), []).append(name)
    for url, names in users.items():
        if len(names) > 1:
            yield f"{', '.join(names)}: border router {url} can be in only one network; declare it in one of them"


def _find_leaving(
    networks: Mapping[str, Network], wanted: Mapping[str, Membership | None], observed: Observed
) -> Iterator[str]:
    """Yield a sentence for each device that must leave its network, but is still in it."""
    for device, to in wanted.items():
        eui64 = find_identity(observed.hardware_of.get(device))
        inside = [name for name in networks if eui64 in observed.networks[name].members]
        if inside and to is None:
            yield f"{device}: is in network {inside[0]}, and cannot leave it: {_NO_WAY_OUT}"
        elif inside and to is not None and to.network not in inside:
            yield (
                f"{device}: is in network {inside[0]}, and cannot move to network {to.network}: {_NO_WAY_OUT}, "
                "and run again"
            )
        elif to is None and not networks and observed.hardware_of.get(device, Hardware()).is_outside_cloud:
            yield (
                f"{device}: no network of backend thread is declared, so it cannot be found out whether the device is "
                "in one; declare the network with its border_routers"
            )


def _find_refusals(
    network: Network,
    seen: ObservedNetwork,
    own: Mapping[str, Membership],
    hardware_of: Mapping[str, Hardware],
) -> Iterator[str]:
    """Yield a sentence for each reason why one network cannot be formed as declared."""
    name = network.name
    if network.absent:
        if seen.dataset is not None:
            yield (
                f"{name}: cannot be dissolved over its border routers, because its members would go on without them; "
                "reset each board and each border router to its factory settings"
            )
        return
    nameless = [device for device in own if find_identity(hardware_of.get(device)) is None]
    if nameless:
        yield f"{name}: members have no eui64, which identifies them in a Thread network: {list_names(nameless)}"
    if len(own) > MAX_MEMBERS:
        yield (
            f"{name}: {len(own)} members are declared, but one border router can prove at most {MAX_MEMBERS}; declare "
            "a second network"
        )
    yield from _find_dataset_refusals(network, seen)
    yield from _find_joiner_refusals(network, seen, own, hardware_of)


def _find_dataset_refusals(network: Network, seen: ObservedNetwork) -> Iterator[str]:
    name, parameters, dataset = network.name, network.parameters or {}, seen.dataset
    if dataset is None:
        return
    for router in seen.routers:
        if router.dataset is not None and router.dataset.extended_pan_id != dataset.extended_pan_id:
            yield (
                f"{name}: its border routers are in different networks: {router.url} is in network "
                f"{router.dataset.name!r} ({router.dataset.extended_pan_id}), not in {dataset.name!r} "
                f"({dataset.extended_pan_id}); reset one of them to its factory settings, or declare it elsewhere"
            )
    differing = find_differences(parameters, dataset)
    fixed = [key for key in differing if key not in CHANGEABLE]
    if fixed:
        yield (
            f"{name}: {', '.join(fixed)} of the running network differ from the declaration, and a change would lose "
            "every member that does not hear of it; remove them from parameters to adopt the network as it is"
        )
    if differing and seen.unreachable:
        yield (
            f"{name}: {list_names(seen.unreachable)} does not answer and would miss the change of "
            f"{', '.join(differing)}; start this border router, or remove it from border_routers"
        )
    pending = [router.pending for router in seen.routers if router.pending is not None]
    others = [change.delay for change in pending if find_differences(parameters, change.dataset)]
    if differing and others:
        yield (
            f"{name}: another change of this network takes effect in {max(others):.0f} seconds; wait for it, and run "
            "again"
        )


def _find_joiner_refusals(
    network: Network,
    seen: ObservedNetwork,
    own: Mapping[str, Membership],
    hardware_of: Mapping[str, Hardware],
) -> Iterator[str]:
    name = network.name
    if own and not any(router.has_joiners for router in seen.routers):
        yield (
            f"{name}: the software of its border routers cannot let devices join, or is too old to show members; "
            "update ot-br-posix, or declare the network without members"
        )
        return
    joining = [
        device
        for device, to in own.items()
        if to.extra.get("joiner") and find_identity(hardware_of.get(device)) not in seen.members
    ]
    limit = network.extra.get("commissioning_timeout") or DEFAULT_COMMISSIONING_TIMEOUT
    least = len(joining) * HANDSHAKE_SECONDS
    if least > limit:
        yield (
            f"{name}: {format_count(len(joining), 'device')} must join, one after the other, which takes at least "
            f"{least} seconds, but commissioning_timeout is {limit}"
        )
    if joining and seen.is_commissioned_elsewhere:
        yield (
            f"{name}: another program lets devices join at border router {_find_commissioner(seen)} at this moment; "
            "wait until it has ended, and run again"
        )


def _find_warnings(networks: Mapping[str, Network], observed: Observed) -> Iterator[str]:
    """Yield a sentence for each border router that does not answer, or whose keys are sent without encryption."""
    for name in networks:
        for url in observed.networks[name].unreachable:
            yield f"{name}: border router {url} does not answer, so the other border routers of the network are used"
        open_urls = [router.url for router in observed.networks[name].routers if _is_open(router.url)]
        if open_urls:
            yield (
                f"{name}: the keys of the network are sent without encryption to {list_names(open_urls)}; use a "
                "tunnel or a proxy with TLS"
            )


def _is_open(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1")
