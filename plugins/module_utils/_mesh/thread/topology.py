# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the members of a Thread network with their parents and links. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import JOINED, LOST
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.address_map import AddressMap
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import BorderRouter
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import Dataset
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.members import ask_devices, find_members

_NEIGHBORS = ("extAddress", "rloc16", "children", "childTable")
_CHILD_BITS = 0x1FF
"""The part of the address RLOC16 that numbers the children of one parent (otbr-rest.md, section 4.4)."""


@dataclass(frozen=True)
class NetworkView:
    """The state of one Thread network, without its keys.

    :param routers: one mapping for each border router: ``url``, ``state``, ``address``, ``extended_pan_id`` and
        ``error``, the reason why the border router does not answer.
    :param dataset: the settings of the network; ``None`` if no border router is in a network and can list members.
    :param members: one mapping for each member, and for each device that was a member in an earlier run.
    """

    routers: tuple[Mapping[str, Any], ...]
    dataset: Mapping[str, Any] | None = None
    members: tuple[Mapping[str, Any], ...] = ()


def describe_router(
    url: str, node: Mapping[str, Any] | None = None, dataset: Dataset | None = None, error: str | None = None
) -> dict[str, Any]:
    """Return one item of :attr:`NetworkView.routers`.

    :param node: the state that the border router shows; ``None`` if it does not answer.
    """
    node = node or {}
    return {
        "url": url,
        "state": node.get("state"),
        "address": str(node.get("extAddress") or "").lower() or None,
        "extended_pan_id": dataset.extended_pan_id if dataset is not None else None,
        "error": error,
    }


def list_rows(name: str, view: NetworkView) -> Iterator[dict[str, Any]]:
    """Yield one row for each member of a network, with the same keys as in the device lists of the cloud.

    :param name: the name of the network in manifests.
    """
    now = format_time(time.time())
    shared = {**(view.dataset or {}), "network": name, "border_routers": [router["url"] for router in view.routers]}
    for member in view.members:
        is_member = member["state"] == JOINED
        place = {key: value for key, value in member.items() if key != "eui64"}
        yield {
            "eui64": member["eui64"],
            "online": is_member,
            "last_heard": now if is_member else None,
            "thread": {**shared, **place},
        }


def list_places(router: BorderRouter, known: AddressMap, routers: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the place of each member in the network, and of each device that was a member in an earlier run.

    :param router: the border router that lists the members.
    :param routers: the extended addresses of the border routers, which are not listed as members.
    """
    members = find_members(router, known, known.known)
    eui64_of = {address: eui64 for eui64, address in members.addresses.items()}
    parents = [address for address in eui64_of if eui64_of[address] not in members.asleep]
    links = _read_links(ask_devices(router, sorted({*parents, *routers}), _NEIGHBORS), eui64_of)
    of_routers = {eui64 for address in routers if (eui64 := known.find_eui64(address)) is not None}
    for eui64 in sorted((known.known | members.addresses.keys()) - of_routers):
        address = members.addresses.get(eui64)
        is_member = address is not None and address not in routers
        yield {
            "eui64": eui64,
            "address": address,
            "state": JOINED if is_member else LOST,
            "asleep": eui64 in members.asleep,
            **_NO_LINK,
            **links.get(address or "", {}),
        }


_NO_LINK: Mapping[str, Any] = {"parent": None, "link_quality": None, "rssi": None, "rloc16": None, "is_router": None}


def _read_links(answers: Mapping[str, Mapping[str, Any]], eui64_of: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the links of members as parents and routers report them, keyed by extended address.

    :param answers: the diagnostics of the devices that answered, keyed by extended address.
    """
    links: dict[str, dict[str, Any]] = {}
    for address, answer in answers.items():
        rloc16 = _read_number(answer.get("rloc16"))
        links.setdefault(address, {}).update(
            rloc16=answer.get("rloc16"), is_router=None if rloc16 is None else rloc16 & _CHILD_BITS == 0
        )
    for parent, answer in answers.items():
        qualities = {row.get("childId"): row.get("linkQuality") for row in answer.get("childTable") or []}
        for child in answer.get("children") or []:
            links.setdefault(str(child.get("extAddress", "")).lower(), {}).update(
                parent=eui64_of.get(parent, parent),
                link_quality=qualities.get(child.get("childId")),
                rssi=child.get("averageRssi"),
                rloc16=child.get("rloc16"),
                is_router=False,
            )
    return links


def _read_number(rloc16: Any) -> int | None:
    try:
        return int(str(rloc16), 16)
    except ValueError:
        return None
